/* plant_fixture.c - see plant_fixture.h. */
#include "plant_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kdp_ring *ring;
struct kdp_plant *plant;
struct kdp_ring_cursor cursor;
int64_t now = T0;
int64_t (*clock_of_plant)(void);
unsigned input_flags;

#define HEARD_MAX 4096u

static bool listening;
static struct heard all_heard[HEARD_MAX];
static uint32_t heard_count, heard_next;
static uint8_t *played; /* every input since begin, for again_is_the_same */
static size_t played_bytes, played_room;

static void
keep_text(char *out, size_t size, struct kdp_text text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    if (len > 0)
        memcpy(out, text.data, len);
    out[len] = '\0';
}

static void
hear(void *arg, const struct kdp_notice *notice)
{
    struct heard *to = &all_heard[heard_count];

    (void)arg;
    CHECK(heard_count < HEARD_MAX);
    heard_count++;
    to->notice = *notice;
    to->ticker[0] = to->text[0] = '\0';
    if (notice->kind == KDP_NOTICE_MARKET) {
        keep_text(to->ticker, sizeof to->ticker, notice->market.ticker);
        keep_text(to->text, sizeof to->text, notice->market.event_ticker);
    } else if (notice->kind == KDP_NOTICE_EVENT) {
        keep_text(to->ticker, sizeof to->ticker, notice->event.event_ticker);
        keep_text(to->text, sizeof to->text, notice->event.series_ticker);
    } else if (notice->kind == KDP_NOTICE_ERROR) {
        keep_text(to->text, sizeof to->text, notice->reply.text);
    } else if (notice->kind == KDP_NOTICE_REST) {
        keep_text(to->text, sizeof to->text, notice->rest.cursor);
    }
}

void
listen_to_plant(void)
{
    listening = true;
}

const struct heard *
heard(enum kdp_notice_kind kind)
{
    while (heard_next < heard_count)
        if (all_heard[heard_next++].notice.kind == kind)
            return &all_heard[heard_next - 1];
    return NULL;
}

const struct heard *
must_hear(enum kdp_notice_kind kind)
{
    const struct heard *got = heard(kind);

    if (got == NULL)
        kdp_test_fail(__FILE__, __LINE__, "no notice of kind %d is left", (int)kind);
    return got;
}

static void
keep_played(const struct kdp_input_head *head)
{
    size_t bytes = (sizeof *head + head->length + 7) & ~(size_t)7;

    if (played_bytes + bytes > played_room) {
        played_room = (played_bytes + bytes) * 2;
        played = realloc(played, played_room);
        CHECK(played != NULL);
    }
    memcpy(played + played_bytes, head, sizeof *head + head->length);
    played_bytes += bytes;
}

void
input(enum kdp_input_kind kind, unsigned line, const void *bytes, size_t len)
{
    struct kdp_input_head *head = kdp_ring_input_claim(ring, len);

    CHECK(head != NULL);
    *head = (struct kdp_input_head){.length = (uint32_t)len,
                                    .kind = (uint8_t)kind,
                                    .flags = (uint8_t)input_flags,
                                    .line = (uint16_t)line,
                                    .recv_ns = now};
    if (len > 0)
        memcpy(head + 1, bytes, len);
    kdp_ring_input_commit(ring, head);
    keep_played(head);
    CHECK_INT(kdp_plant_input(plant, head, head + 1), 0);
    now += 1000;
}

void
begin(void)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 22, .raw_bytes = 1 << 20, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {
        .max_markets = 1000, .hash = true, .now_ns = clock_of_plant, .notice = listening ? hear : NULL};
    struct kdp_input_start start = {.next_seq = 1, .next_instrument = 1, .flags = KDP_START_FRESH};

    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    plant_config.ring = ring;
    CHECK_INT(kdp_plant_open(&plant, &plant_config), 0);
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), 0);
    input(KDP_INPUT_START, 0, &start, sizeof start);
}

void
again_is_the_same(void)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 22, .raw_bytes = 1 << 20, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {.max_markets = 1000, .hash = true};
    char first[33], second[33];
    struct kdp_plant *other;

    kdp_plant_hash(plant, first);
    CHECK_INT(kdp_ring_create(&plant_config.ring, &config), 0);
    CHECK_INT(kdp_plant_open(&other, &plant_config), 0);
    for (size_t at = 0; at < played_bytes;) {
        struct kdp_input_head *head;
        struct kdp_input_head was;

        memcpy(&was, played + at, sizeof was);
        head = kdp_ring_input_claim(plant_config.ring, was.length);
        CHECK(head != NULL);
        memcpy(head, played + at, sizeof was + was.length);
        kdp_ring_input_commit(plant_config.ring, head);
        CHECK_INT(kdp_plant_input(other, head, head + 1), 0);
        at += (sizeof was + was.length + 7) & ~(size_t)7;
    }
    kdp_plant_hash(other, second);
    CHECK_STR(second, first);
    kdp_plant_close(other);
    kdp_ring_close(plant_config.ring);
}

void
restart(uint32_t flags, int64_t last_ns)
{
    static struct kdp_stream_instrument known[1000];
    static char tickers[1000][64];
    static uint64_t rec[KDP_RECORD_MAX / 8];
    struct kdp_plant_config plant_config = {.max_markets = 1000, .notice = listening ? hear : NULL};
    struct kdp_ring *old_ring = ring;
    struct kdp_ring_config config = {
        .bytes = 1 << 22, .raw_bytes = 1 << 20, .start_input = 1, .unreliable = true};
    struct kdp_input_start start = {.flags = flags, .last_ns = last_ns};
    struct kdp_ring_cursor walk;
    struct kdp_plant_market m;
    size_t count = 0;

    for (uint32_t i = 0; kdp_plant_market_at(plant, i, &m); i++) {
        if (m.ticker == NULL)
            continue;
        snprintf(tickers[count], sizeof tickers[count], "%s", m.ticker);
        known[count] = (struct kdp_stream_instrument){m.instrument, tickers[count]};
        start.next_instrument = m.instrument + 1;
        count++;
    }
    start.next_seq = config.start_seq = kdp_ring_next_seq(ring);
    kdp_plant_close(plant);
    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    plant_config.ring = ring;
    CHECK_INT(kdp_plant_open(&plant, &plant_config), 0);
    CHECK_INT(kdp_plant_restore(plant, known, count), 0);
    CHECK_INT(kdp_ring_seek(&walk, old_ring, 1), 0);
    while (kdp_ring_next(&walk, rec) > 0) {
        const struct kdp_head *head = (const struct kdp_head *)(const void *)rec;

        if (head->template_id == KDP_TEMPLATE_TRADE)
            kdp_plant_restore_trade(plant, ((const struct kdp_trade *)(const void *)rec)->trade_id,
                                    head->recv_ns);
        else if (head->template_id == KDP_TEMPLATE_DEFINITION || head->template_id == KDP_TEMPLATE_STATE ||
                 head->template_id == KDP_TEMPLATE_BOOK_SNAPSHOT || head->template_id == KDP_TEMPLATE_GAP)
            kdp_plant_restore_record(plant, rec);
    }
    kdp_ring_close(old_ring);
    CHECK_INT(kdp_ring_seek(&cursor, ring, start.next_seq), 0);
    heard_next = heard_count;
    input(KDP_INPUT_START, 0, &start, sizeof start);
}

void
up(unsigned line)
{
    struct kdp_input_line what = {0};

    input(KDP_INPUT_CONNECTED, line, &what, sizeof what);
}

void
down(unsigned line)
{
    struct kdp_input_line what = {0};

    input(KDP_INPUT_DISCONNECTED, line, &what, sizeof what);
}

void
frame(unsigned line, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (int i = 0; i < len; i++) /* single quotes read better in this file */
        if (text[i] == '\'')
            text[i] = '"';
    input(KDP_INPUT_FRAME, line, text, (size_t)len);
}

void
snapshot(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *yes, const char *no)
{
    frame(line,
          "{'type':'orderbook_snapshot','sid':%u,'seq':%u,'msg':{'market_ticker':'%s','market_id':'x'%s%s%s%"
          "s}}",
          sid, seq, ticker, yes[0] ? ",'yes_dollars_fp':" : "", yes, no[0] ? ",'no_dollars_fp':" : "", no);
}

void
delta(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *side, const char *price,
      const char *change)
{
    frame(line,
          "{'type':'orderbook_delta','sid':%u,'seq':%u,'msg':{'market_ticker':'%s','market_id':'x','price_"
          "dollars':'%s','delta_fp':'%s',"
          "'side':'%s','ts':'2026-11-20T14:03:07.412345Z','ts_ms':1795183387412}}",
          sid, seq, ticker, price, change, side);
}

void
trade(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *id)
{
    frame(line,
          "{'type':'trade','sid':%u,'seq':%u,'msg':{'trade_id':'%s','market_ticker':'%s','yes_price_dollars':"
          "'0.4350','no_price_dollars':'0.5650',"
          "'count_fp':'12.50','taker_side':'yes','taker_outcome_side':'yes','taker_book_side':'bid','is_"
          "block_trade':false,'ts':1795183387,"
          "'ts_ms':1795183387412}}",
          sid, seq, id, ticker);
}

void
timer(enum kdp_timer_kind kind, uint32_t arg32, uint64_t arg)
{
    struct kdp_input_timer what = {.kind = kind, .arg32 = arg32, .arg = arg};

    input(KDP_INPUT_TIMER, 0, &what, sizeof what);
}

void
reload(const char *text)
{
    input(KDP_INPUT_RELOAD, 0, text, strlen(text));
}

void
answer(enum kdp_rest_kind kind, unsigned number, const char *path, const char *fmt, ...)
{
    static char bytes[1 << 17];
    struct kdp_input_rest head = {
        .status = 200, .path_len = (uint32_t)strlen(path), .request = KDP_REST_REQUEST(kind, number)};
    size_t at = sizeof head + head.path_len;
    va_list args;
    int len;

    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, path, head.path_len);
    va_start(args, fmt);
    len = vsnprintf(bytes + at, sizeof bytes - at, fmt, args);
    va_end(args);
    CHECK(len >= 0 && (size_t)len < sizeof bytes - at);
    for (size_t i = at; i < at + (size_t)len; i++)
        if (bytes[i] == '\'')
            bytes[i] = '"';
    input(KDP_INPUT_REST, 0, bytes, at + (size_t)len);
}

/* The next record of a template, others passed over; NULL at the head of the stream. */
const void *
next(unsigned template_id)
{
    static uint64_t rec[KDP_RECORD_MAX / 8];
    int size;

    while ((size = kdp_ring_next(&cursor, rec)) > 0) {
        CHECK_INT(kdpi_record_size(rec, (size_t)size), size);
        if (template_id == 0 || ((const struct kdp_head *)(const void *)rec)->template_id == template_id)
            return rec;
    }
    CHECK_INT(size, 0);
    return NULL;
}

/* The same where there has to be one. */
const void *
must(unsigned template_id)
{
    const void *rec = next(template_id);

    if (rec == NULL)
        kdp_test_fail(__FILE__, __LINE__, "no record of template %u is left", template_id);
    return rec;
}

unsigned
count_left(unsigned template_id)
{
    unsigned n = 0;

    while (next(template_id) != NULL)
        n++;
    return n;
}

struct kdp_plant_market
market(const char *ticker)
{
    struct kdp_plant_market m;

    for (uint32_t i = 0; kdp_plant_market_at(plant, i, &m); i++)
        if (m.ticker != NULL && strcmp(m.ticker, ticker) == 0)
            return m;
    kdp_test_fail(__FILE__, __LINE__, "no market %s", ticker);
}

struct kdp_plant_totals
totals(void)
{
    struct kdp_plant_totals t;

    kdp_plant_totals(plant, &t);
    return t;
}

void
state_is(const char *ticker, enum kdp_book_state state)
{
    CHECK_INT(market(ticker).state, state);
}

uint64_t
counter(const char *name)
{
    const char *at;
    uint64_t value;

    for (unsigned i = 0; (at = kdp_ring_counter_at(ring, i, &value)) != NULL; i++)
        if (strcmp(at, name) == 0)
            return value;
    kdp_test_fail(__FILE__, __LINE__, "no counter %s", name);
    return 0;
}
