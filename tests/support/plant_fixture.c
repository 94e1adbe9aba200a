/* plant_fixture.c - see plant_fixture.h. */
#include "plant_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kdp_ring *ring;
struct kdp_plant *plant;
struct kdp_ring_cursor cursor;
int64_t now = T0;
int64_t (*clock_of_plant)(void);
unsigned input_flags;

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
    CHECK_INT(kdp_plant_input(plant, head, head + 1), 0);
    now += 1000;
}

void
begin(void)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 22, .raw_bytes = 1 << 20, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {.max_markets = 1000, .hash = true, .now_ns = clock_of_plant};
    struct kdp_input_start start = {.next_seq = 1, .next_instrument = 1, .flags = KDP_START_FRESH};

    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    plant_config.ring = ring;
    CHECK_INT(kdp_plant_open(&plant, &plant_config), 0);
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), 0);
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
