/* rest.c - REST bodies: the walk over pages, and trades and books on them; see rest.h. */
#include "rest_private.h"

#include <stdio.h>
#include <stdlib.h>

struct kdp_rest_reader *
kdpi_rest_open(void)
{
    struct kdp_rest_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->d = kdpi_decoder_open();
    if (reader->d == NULL) {
        free(reader);
        return NULL;
    }
    kdpi_rest_market_names(reader->market_table);
    return reader;
}

void
kdpi_rest_close(struct kdp_rest_reader *reader)
{
    if (reader == NULL)
        return;
    kdpi_decoder_close(reader->d);
    free(reader);
}

void
kdpi_rest_begin(struct kdp_rest_reader *reader, const char *body, size_t len)
{
    kdpi_message_clear(reader->d, &reader->msg);
    kdpi_json_begin(&reader->d->json, body, len);
}

void
kdpi_rest_refuse(struct kdp_rest_reader *reader, enum kdp_refusal refusal, const char *member, size_t at)
{
    struct kdp_message *msg = &reader->msg;

    if (msg->refusal != KDP_REFUSAL_NONE)
        return;
    msg->refusal = refusal;
    msg->member = member;
    msg->position = at;
}

bool
kdpi_rest_take_time(struct kdp_rest_reader *reader, const char *member, int64_t *nsp)
{
    struct kdp_value value = kdpi_value_take(reader->d, KDP_MEMBER_UNKNOWN);
    int64_t ns;

    if (kdpi_value_absent(&value))
        return false;
    if (value.kind != KDP_JSON_STRING && value.kind != KDP_JSON_NUMBER) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, value.at);
        return false;
    }
    if (value.text.len > 5 &&
        (memcmp(value.text.data, "0001-", 5) == 0 || memcmp(value.text.data, "9999-", 5) == 0))
        return false;
    if (kdpi_time_parse(value.text.data, value.text.len, &ns) != 0) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TIME, member, value.at);
        return false;
    }
    *nsp = ns;
    return true;
}

bool
kdpi_rest_wanted(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    const struct kdp_message *msg = &reader->msg;

    if (reader->d->json.refusal != KDP_REFUSAL_NONE)
        return false;
    if (msg->refusal == KDP_REFUSAL_NONE) {
        page->end->items++;
        return true;
    }
    if (page->end->refused++ == 0) {
        page->end->item_refusal = msg->refusal;
        page->end->member = msg->member;
        page->end->position = msg->position;
    }
    return false;
}

static void
take_cursor(struct kdp_rest_reader *reader, struct kdp_rest_end *end)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    struct kdp_value value = kdpi_value_take(reader->d, KDP_MEMBER_UNKNOWN);
    struct kdp_json *json = &reader->d->json;

    if (kdpi_value_absent(&value))
        return;
    if (value.kind != KDP_JSON_STRING || memchr(value.text.data, '\0', value.text.len) != NULL) {
        kdpi_json_refuse(json, KDP_REFUSAL_TYPE, at, "a cursor is a text");
    } else if (value.text.len >= sizeof end->cursor) {
        kdpi_json_refuse(json, KDP_REFUSAL_TOO_LONG, at, "a cursor has at most 1,023 bytes");
    } else {
        memcpy(end->cursor, value.text.data, value.text.len);
        end->cursor[value.text.len] = '\0';
        return;
    }
    end->member = "cursor";
}

/* Scratch and the marks of members begin anew with each item, so that a page may hold any number of texts with escapes. */
bool
kdpi_rest_item(struct kdp_rest_reader *reader, struct kdp_rest_page *page, const char *member,
               bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader))
{
    struct kdp_decoder *d = reader->d;
    size_t at = kdpi_json_offset(&d->json);

    kdpi_message_clear(d, &reader->msg);
    d->json.scratch_used = 0;
    if (kdpi_json_peek(&d->json) == KDP_JSON_OBJECT)
        return item(page, reader);
    kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, at);
    kdpi_rest_wanted(page, reader);
    return true;
}

bool
kdpi_rest_list(struct kdp_rest_reader *reader, struct kdp_rest_page *page, const char *member,
               bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader))
{
    struct kdp_json *json = &reader->d->json;

    if (kdpi_json_null(json))
        return true;
    kdpi_json_array(json); /* another kind is refused by it */
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json))
        if (!kdpi_rest_item(reader, page, member, item))
            return false;
    return true;
}

/* Returns false when the callback has had enough. */
static bool
take_page(struct kdp_rest_reader *reader, struct kdp_rest_page *page, bool *therep)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key;

    if (kdpi_json_peek(json) != KDP_JSON_OBJECT) {
        kdpi_json_refuse(json, KDP_REFUSAL_NOT_OBJECT, kdpi_json_offset(json), "expected an object");
        return true;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        bool list = kdpi_text_equal(key, page->list, strlen(page->list)),
             one = page->one != NULL && kdpi_text_equal(key, page->one, strlen(page->one));

        if (one && (!list || kdpi_json_peek(json) == KDP_JSON_OBJECT)) {
            *therep = true;
            if (!kdpi_rest_item(reader, page, page->one, page->item))
                return false;
        } else if (list) {
            *therep = true;
            if (!kdpi_rest_list(reader, page, page->list, page->item))
                return false;
        } else if (kdpi_text_is(key, "cursor")) {
            take_cursor(reader, page->end);
        } else if (page->other != NULL && !page->other(page, reader, key, therep)) {
            return false;
        }
    }
    return true;
}

void
kdpi_rest_page(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_page *page)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_rest_end *end = page->end;
    bool there = false;

    memset(end, 0, offsetof(struct kdp_rest_end, cursor) + 1);
    end->member = "";
    kdpi_rest_begin(reader, body, len);
    if (!take_page(reader, page, &there))
        return;
    if (kdpi_json_end(json) && !there) {
        end->member = page->list;
        kdpi_json_refuse(json, KDP_REFUSAL_MISSING, 0, "the body has not what was asked for");
    }
    if (json->refusal == KDP_REFUSAL_NONE)
        return;
    end->refusal = json->refusal;
    end->position = json->position;
}

/* ---- trades ---- */

static bool
take_trade(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    struct kdp_decoder *d = reader->d;
    struct kdp_message *msg = &reader->msg;
    size_t at = kdpi_json_offset(&d->json);
    struct kdp_text key;

    msg->kind = KDP_MESSAGE_TRADE;
    kdpi_body_clear(d);
    kdpi_json_object(&d->json);
    while (kdpi_json_member(&d->json, &key)) {
        if (kdpi_text_is(key, "ticker")) {
            kdpi_take_text(d, KDP_MEMBER_TICKER, KDPI_TICKER_MAX, &msg->market_ticker);
        } else if (kdpi_text_is(key, "created_time")) {
            kdpi_rest_take_time(reader, "created_time", &d->times.time_ns);
        } else {
            enum kdp_member member = kdpi_member_find(d, key);

            if (member != KDP_MEMBER_UNKNOWN)
                kdpi_body_member(d, member);
        }
    }
    kdpi_body_finish(d, at);
    if (msg->exch_ns == KDP_TIME_NULL)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "created_time", at);
    return !kdpi_rest_wanted(page, reader) || page->each.trade(page->arg, msg);
}

void
kdpi_rest_trades(struct kdp_rest_reader *reader, const char *body, size_t len,
                 bool (*each)(void *arg, const struct kdp_message *trade), void *arg,
                 struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {
        .list = "trades", .one = "trade", .item = take_trade, .each.trade = each, .arg = arg, .end = end};

    kdpi_rest_page(reader, body, len, &page);
}

/* ---- books ---- */

/* The levels under orderbook_fp, or under orderbook, the form before March 2026: of an answer that has both the new one
 * counts, whichever comes first. */
static void
take_sides(struct kdp_rest_reader *reader, const char *member)
{
    struct kdp_decoder *d = reader->d;
    struct kdp_text key;
    size_t at = kdpi_json_offset(&d->json);

    if (kdpi_json_null(&d->json))
        return;
    if (kdpi_json_peek(&d->json) != KDP_JSON_OBJECT) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, at);
        return;
    }
    kdpi_body_clear(d);
    kdpi_json_object(&d->json);
    while (kdpi_json_member(&d->json, &key)) {
        enum kdp_member side = kdpi_member_find(d, key);

        if (side != KDP_MEMBER_UNKNOWN)
            kdpi_body_member(d, side);
    }
}

struct book_forms {
    bool fp, old;
};

/* Takes a member that holds a book in one of its forms; false when key is none. */
static bool
book_member(struct kdp_rest_reader *reader, struct kdp_text key, struct book_forms *forms)
{
    bool fp = kdpi_text_is(key, "orderbook_fp");

    if (!fp && !kdpi_text_is(key, "orderbook"))
        return false;
    *(fp ? &forms->fp : &forms->old) = true;
    if (fp || !forms->fp)
        take_sides(reader, fp ? "orderbook_fp" : "orderbook");
    return true;
}

static bool
give_book(struct kdp_rest_page *page, struct kdp_rest_reader *reader, const struct book_forms *forms,
          size_t at)
{
    const struct kdp_message *msg = &reader->msg;
    struct kdp_rest_book book;

    if (!forms->fp && !forms->old)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "orderbook_fp", at);
    if (!kdpi_rest_wanted(page, reader))
        return true;
    book.ticker = msg->market_ticker;
    book.levels = msg->snapshot.levels;
    book.count = msg->snapshot.count;
    return page->each.book(page->arg, &book);
}

static bool
take_book(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    struct kdp_decoder *d = reader->d;
    size_t at = kdpi_json_offset(&d->json);
    struct book_forms forms = {0};
    struct kdp_text key;

    reader->msg.kind = KDP_MESSAGE_SNAPSHOT;
    kdpi_body_clear(d);
    kdpi_json_object(&d->json);
    while (kdpi_json_member(&d->json, &key)) {
        if (kdpi_text_is(key, "ticker") || kdpi_text_is(key, "market_ticker")) {
            kdpi_take_text(d, KDP_MEMBER_TICKER, KDPI_TICKER_MAX, &reader->msg.market_ticker);
        } else {
            book_member(reader, key, &forms);
        }
    }
    if (reader->msg.market_ticker.len == 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "ticker", at);
    return give_book(page, reader, &forms, at);
}

/* The single book's body is itself the object that holds it. */
static bool
take_single_book(struct kdp_rest_reader *reader, struct kdp_rest_page *page)
{
    struct kdp_json *json = &reader->d->json;
    struct book_forms forms = {0};
    struct kdp_text key;

    reader->msg.kind = KDP_MESSAGE_SNAPSHOT;
    kdpi_body_clear(reader->d);
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key))
        book_member(reader, key, &forms);
    return !kdpi_json_end(json) || give_book(page, reader, &forms, 0);
}

/* Whether a body is a single book: its first member that says so decides. */
static bool
is_single_book(struct kdp_rest_reader *reader)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key;

    if (kdpi_json_peek(json) == KDP_JSON_OBJECT && kdpi_json_object(json)) {
        while (kdpi_json_member(json, &key)) {
            if (kdpi_text_is(key, "orderbook_fp") || kdpi_text_is(key, "orderbook"))
                return true;
            if (kdpi_text_is(key, "orderbooks"))
                return false;
        }
    }
    return false;
}

void
kdpi_rest_books(struct kdp_rest_reader *reader, const char *body, size_t len,
                bool (*each)(void *arg, const struct kdp_rest_book *book), void *arg,
                struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {
        .list = "orderbooks", .item = take_book, .each.book = each, .arg = arg, .end = end};
    struct kdp_json *json = &reader->d->json;

    kdpi_rest_begin(reader, body, len);
    if (!is_single_book(reader)) {
        kdpi_rest_page(reader, body, len, &page);
        return;
    }
    memset(end, 0, offsetof(struct kdp_rest_end, cursor) + 1);
    end->member = "";
    kdpi_rest_begin(reader, body, len);
    take_single_book(reader, &page);
    if (json->refusal != KDP_REFUSAL_NONE) {
        end->refusal = json->refusal;
        end->position = json->position;
    }
}

bool
kdpi_query_escape(char *buf, size_t size, const char *text, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t used = strnlen(buf, size);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';

        if (size - used < (plain ? 2u : 4u) || used >= size)
            return false;
        if (plain) {
            buf[used++] = (char)c;
        } else {
            buf[used++] = '%';
            buf[used++] = hex[c >> 4];
            buf[used++] = hex[c & 15];
        }
        buf[used] = '\0';
    }
    return used < size;
}
