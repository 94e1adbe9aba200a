/* answer.c - what a REST answer changes: terms, trades that the line did not bring, books that nothing else
 * could heal, and audits. */
#include <stdlib.h>
#include <string.h>

#include "plant_private.h"
#include "rest.h"

#define PAGE_MAX 1024u /* trades sorted together; the exchange gives at most 1,000 on a page */

struct page_trade {
    int64_t exch_ns, ts_ms, count_e2;
    int32_t price_e4;
    uint32_t number; /* place in the answer */
    uint8_t trade_id[16];
    bool hashed, block;
    uint8_t taker_side;
    uint8_t ticker_len;
    char ticker[KDPI_TICKER_MAX];
};
static_assert(KDPI_TICKER_MAX <= UINT8_MAX, "ticker_len");

struct plant_page {
    struct page_trade trades[PAGE_MAX];
    uint32_t order[PAGE_MAX];
};

struct answer { /* one being worked off */
    struct kdp_plant *plant;
    struct kdp_notice notice;
    struct kdp_text path;
    struct plant_page *page;
    bool quotes;             /* of books that are sampled: no listing */
    uint32_t waiting, taken; /* trades on the page, and all of the answer */
};

struct plant_page *
answer_page_open(void)
{
    return calloc(1, sizeof(struct plant_page));
}

/* ---- markets ---- */

/* How far a market's life has come; a listing that is ahead of us means that a message was missed. */
static unsigned
stage(uint8_t status)
{
    switch ((enum kdp_market_status)status) {
    case KDP_MARKET_STATUS_CLOSED:
        return 1;
    case KDP_MARKET_STATUS_DETERMINED:
    case KDP_MARKET_STATUS_DISPUTED:
    case KDP_MARKET_STATUS_AMENDED:
        return 2;
    case KDP_MARKET_STATUS_FINALIZED:
        return 3;
    default:
        return 0;
    }
}

static void
ended(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *market)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    unsigned reached = stage(market->status);
    struct kdp_lifecycle *rec;

    if (reached > 1 || !item->close_told) {
        rec = emit_start(plant, KDP_TEMPLATE_LIFECYCLE, id, NULL);
        if (rec == NULL)
            return;
        rec->head.flags |= KDP_FLAGS_LAST;
        rec->kind = reached == 1   ? KDP_LIFECYCLE_KIND_CLOSED
                    : reached == 2 ? KDP_LIFECYCLE_KIND_DETERMINED
                                   : KDP_LIFECYCLE_KIND_SETTLED;
        rec->result = market->result;
        rec->open_ns = market->open_ns;
        rec->close_ns = market->close_ns;
        rec->at_ns = reached > 1 ? market->settlement_ns : KDP_TIME_NULL;
        rec->settlement_value_e6 = market->settlement_value_e6;
        emit_end(plant, rec, sizeof *rec);
    }
    item->close_told = true;
    if (reached > 1)
        market_final(plant, id);
    if (item->state != KDP_BOOK_STATE_NONE || reached > 1)
        market_state(plant, id, KDP_BOOK_STATE_CLOSED, reached == 3 ? KDP_REASON_SETTLED : KDP_REASON_CLOSE,
                     NULL, 0, 0);
}

static bool
on_market(void *arg, const struct kdp_rest_market *market)
{
    struct answer *answer = arg;
    struct kdp_plant *plant = answer->plant;
    uint32_t id = kdp_instruments_intern(plant->instruments, market->ticker);
    struct kdp_instrument *item;
    const struct kdp_definition *was;
    bool known;
    uint8_t status;

    answer->notice.rest.items++;
    if (id == 0) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        return true;
    }
    item = kdp_instruments_at(plant->instruments, id);
    was = definition_of(item);
    status = was != NULL ? was->status : KDP_MARKET_STATUS_UNKNOWN;
    known = status != KDP_MARKET_STATUS_UNKNOWN || item->state != KDP_BOOK_STATE_NONE;
    if (definition_listed(plant, id, market)) {
        item->day = plant->day;
        market_grid(plant, id, market->ranges, market->range_count);
    }
    /* the end of a market that was never more than a name is no news */
    if (known && stage(market->status) > stage(status))
        ended(plant, id, market);
    else if (stage(market->status) > 1 && !item->closed_for_good)
        market_final(plant, id);
    tell_market(plant, id, market, answer->quotes, false);
    if (answer->quotes)
        sample_quote(plant, id, market);
    return true;
}

/* ---- trades ---- */

static _Thread_local const struct page_trade *sorting;
static _Thread_local bool newest_first;

static int
by_time(const void *a, const void *b)
{
    const struct page_trade *x = &sorting[*(const uint32_t *)a], *y = &sorting[*(const uint32_t *)b];

    if (x->exch_ns != y->exch_ns)
        return x->exch_ns < y->exch_ns ? -1 : 1;
    return (x->number < y->number) != newest_first ? -1 : 1;
}

/* One of them was not in the stream: the session reckons how late it came. */
static void
fresh_trade(struct answer *answer, const struct kdp_message *msg)
{
    struct kdp_plant *plant = answer->plant;

    answer->notice.rest.fresh++;
    if (plant->origin == KDP_ORIGIN_POLL) {
        tell_trade(plant, msg);
        return;
    }
    plant->totals.trades_recovered++;
    plant_count(plant, COUNT_TRADES_RECOVERED, 1);
}

/* Writes the trades of the page that are not in the stream, in the order in which they happened. */
static void
flush_page(struct answer *answer)
{
    struct kdp_plant *plant = answer->plant;
    struct plant_page *page = answer->page;
    uint32_t count = answer->waiting;

    if (count == 0)
        return;
    sorting = page->trades;
    newest_first = page->trades[0].exch_ns >= page->trades[count - 1].exch_ns;
    for (uint32_t i = 0; i < count; i++)
        page->order[i] = i;
    qsort(page->order, count, sizeof *page->order, by_time);
    for (uint32_t i = 0; i < count; i++) {
        const struct page_trade *trade = &page->trades[page->order[i]];
        struct kdp_message msg = {.kind = KDP_MESSAGE_TRADE,
                                  .market_ticker = {trade->ticker, trade->ticker_len},
                                  .exch_ns = trade->exch_ns,
                                  .ts_ms = trade->ts_ms,
                                  .trade = {.trade_id_hashed = trade->hashed,
                                            .price_e4 = trade->price_e4,
                                            .count_e2 = trade->count_e2,
                                            .taker_side = trade->taker_side,
                                            .block = trade->block}};

        memcpy(msg.trade.trade_id, trade->trade_id, sizeof msg.trade.trade_id);
        if (market_trade(plant, &msg))
            fresh_trade(answer, &msg);
    }
    answer->waiting = 0;
}

/* Trades of markets that nobody wanted are not ours; one that is no longer wanted was, when it was traded. */
static bool
wanted(struct kdp_plant *plant, struct kdp_text ticker)
{
    uint32_t id;

    if (plant->plan_all || plant->origin == KDP_ORIGIN_POLL)
        return true;
    id = kdp_instruments_find(plant->instruments, ticker);
    return id != 0 && kdp_instruments_at(plant->instruments, id)->ever_planned;
}

static bool
on_trade(void *arg, const struct kdp_message *msg)
{
    struct answer *answer = arg;
    struct page_trade *trade;
    int64_t ns = msg->exch_ns;

    answer->notice.rest.items++;
    if (ns != KDP_TIME_NULL) {
        if (answer->notice.rest.oldest_ns == KDP_TIME_NULL || ns < answer->notice.rest.oldest_ns)
            answer->notice.rest.oldest_ns = ns;
        if (answer->notice.rest.newest_ns == KDP_TIME_NULL || ns > answer->notice.rest.newest_ns)
            answer->notice.rest.newest_ns = ns;
    }
    if (msg->market_ticker.len == 0 || msg->market_ticker.len > KDPI_TICKER_MAX ||
        !wanted(answer->plant, msg->market_ticker))
        return true;
    if (answer->waiting == PAGE_MAX)
        flush_page(answer);
    trade = &answer->page->trades[answer->waiting++];
    *trade = (struct page_trade){.exch_ns = ns,
                                 .ts_ms = msg->ts_ms,
                                 .count_e2 = msg->trade.count_e2,
                                 .price_e4 = msg->trade.price_e4,
                                 .number = answer->taken++,
                                 .hashed = msg->trade.trade_id_hashed,
                                 .block = msg->trade.block,
                                 .taker_side = msg->trade.taker_side,
                                 .ticker_len = (uint8_t)msg->market_ticker.len};
    memcpy(trade->trade_id, msg->trade.trade_id, sizeof trade->trade_id);
    memcpy(trade->ticker, msg->market_ticker.data, msg->market_ticker.len);
    return true;
}

/* ---- books ---- */

/* Gives the market that a book speaks of: the single form names it in the path alone. */
static uint32_t
book_of(const struct answer *answer, const struct kdp_rest_book *book)
{
    static const char before[] = "/markets/";
    struct kdp_text ticker = book->ticker;

    if (ticker.len == 0) {
        const char *from = memmem(answer->path.data, answer->path.len, before, sizeof before - 1);
        const char *end = answer->path.data + answer->path.len, *slash;

        if (from == NULL)
            return 0;
        from += sizeof before - 1;
        slash = memchr(from, '/', (size_t)(end - from));
        ticker = (struct kdp_text){from, (size_t)((slash != NULL ? slash : end) - from)};
    }
    return kdp_instruments_find(answer->plant->instruments, ticker);
}

static bool
on_book(void *arg, const struct kdp_rest_book *book)
{
    struct answer *answer = arg;
    uint32_t id = book_of(answer, book);

    answer->notice.rest.items++;
    if (id != 0)
        market_rest_book(answer->plant, id, book);
    return true;
}

static bool
on_audit(void *arg, const struct kdp_rest_book *book)
{
    struct answer *answer = arg;
    uint32_t id = book_of(answer, book);

    answer->notice.rest.items++;
    if (id != 0)
        audit_book(answer->plant, id, book);
    return true;
}

static bool
on_sample(void *arg, const struct kdp_rest_book *book)
{
    struct answer *answer = arg;
    uint32_t id = book_of(answer, book);

    answer->notice.rest.items++;
    if (id != 0)
        sample_book(answer->plant, id, book);
    return true;
}

/* ---- one answer ---- */

void
answer_input(struct kdp_plant *plant, const struct kdp_input_rest *rest, const char *text, size_t len)
{
    struct answer answer = {.plant = plant,
                            .notice = {.kind = KDP_NOTICE_REST,
                                       .line = plant->input->line,
                                       .rest = {.request = rest->request,
                                                .status = rest->status,
                                                .oldest_ns = KDP_TIME_NULL,
                                                .newest_ns = KDP_TIME_NULL}},
                            .page = plant->page};
    size_t path_len = rest->path_len < len ? rest->path_len : len;
    const char *body = text + path_len;
    size_t body_len = len - path_len;
    struct kdp_rest_end end;

    answer.path = (struct kdp_text){text, path_len};
    end.refusal = KDP_REFUSAL_NONE;
    end.refused = 0;
    end.cursor[0] = '\0';
    if (rest->status == 200) {
        switch (KDP_REST_KIND(rest->request)) {
        case KDP_REST_QUOTES:
        case KDP_REST_MARKETS:
            answer.quotes = KDP_REST_KIND(rest->request) == KDP_REST_QUOTES;
            plant->origin = KDP_ORIGIN_POLL;
            kdpi_rest_markets(plant->rest, body, body_len, on_market, &answer, &end);
            break;
        case KDP_REST_TRADES:
        case KDP_REST_POLL:
            plant->origin =
                KDP_REST_KIND(rest->request) == KDP_REST_POLL ? KDP_ORIGIN_POLL : KDP_ORIGIN_REST_REFILL;
            kdpi_rest_trades(plant->rest, body, body_len, on_trade, &answer, &end);
            flush_page(&answer);
            break;
        case KDP_REST_BOOK:
            plant->origin = KDP_ORIGIN_REST_BOOK;
            kdpi_rest_books(plant->rest, body, body_len, on_book, &answer, &end);
            break;
        case KDP_REST_SAMPLE:
            plant->origin = KDP_ORIGIN_REST_SAMPLE;
            kdpi_rest_books(plant->rest, body, body_len, on_sample, &answer, &end);
            break;
        case KDP_REST_AUDIT:
            plant->origin = KDP_ORIGIN_POLL;
            kdpi_rest_books(plant->rest, body, body_len, on_audit, &answer, &end);
            break;
        case KDP_REST_OTHER:
        default:
            break;
        }
    }
    plant_count(plant, COUNT_MALFORMED, end.refused + (end.refusal != KDP_REFUSAL_NONE));
    if (plant->config.notice == NULL)
        return;
    answer.notice.rest.refused = end.refusal != KDP_REFUSAL_NONE;
    answer.notice.rest.cursor = (struct kdp_text){end.cursor, strlen(end.cursor)};
    plant->config.notice(plant->config.notice_arg, &answer.notice);
}
