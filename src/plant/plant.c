/* plant.c - one input after the other: what each kind of input does, a run's start and its days. */
#include "plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "plant_private.h"
#include "rest.h"

#define MARKETS_DEFAULT 262144u
#define TRADES_PER_GENERATION (1u << 21)
#define DAY_PER_INPUT \
    8u /* books written down for a new day with each input: paced, and the same at any speed */

static const char *const counter_names[COUNTS] = {
    [COUNT_FRAMES] = "kalshi_frames_total",
    [COUNT_TRADES] = "kalshi_trades_processed_total",
    [COUNT_BBO] = "kalshi_bbo_updates_total",
    [COUNT_DELTAS] = "kalshi_orderbook_deltas_total",
    [COUNT_SNAPSHOTS] = "kalshi_orderbook_snapshots_total",
    [COUNT_TICKERS] = "kalshi_ticker_updates_total",
    [COUNT_GAPS] = "kalshi_sequence_gaps_total",
    [COUNT_GAPS_HEALED] = "kalshi_sequence_gaps_healed_total",
    [COUNT_MISSED] = "kalshi_messages_missed_total",
    [COUNT_MALFORMED] = "kalshi_malformed_frames_total",
    [COUNT_DUPLICATES] = "kalshi_duplicate_messages_total",
    [COUNT_TRADE_REPEATS] = "kalshi_trade_repeats_total",
    [COUNT_NOT_OWNER] = "kalshi_not_owner_messages_total",
    [COUNT_NOT_LIVE] = "kalshi_not_live_messages_total",
    [COUNT_OFF_GRID] = "kalshi_off_grid_prices_total",
    [COUNT_NEGATIVE] = "kalshi_negative_levels_total",
    [COUNT_UNKNOWN_TYPES] = "kalshi_unknown_types_total",
    [COUNT_UNKNOWN_MEMBERS] = "kalshi_unknown_members_total",
    [COUNT_POOL_FULL] = "kalshi_pool_full_total",
    [COUNT_RING_WAITS] = "kalshi_ring_waits_total",
    [COUNT_INPUTS_IGNORED] = "kalshi_inputs_ignored_total",
    [COUNT_GAPS_UNTRACKED] = "kalshi_gaps_untracked_total",
    [COUNT_TRADES_RECOVERED] = "kalshi_trades_recovered_total",
    [COUNT_AUDITS] = "kalshi_book_audits_total",
    [COUNT_AUDITS_UNKNOWN] = "kalshi_book_audits_unknown_total",
    [COUNT_DISAGREEMENTS] = "kalshi_book_disagreements_total",
    [COUNT_DRIFTS] = "kalshi_book_drifts_total",
    [COUNT_LATENCY_SUM] = "kalshi_processing_latency_seconds_sum_ns",
    [COUNT_LATENCY_COUNT] = "kalshi_processing_latency_seconds_count",
};

int
kdp_plant_open(struct kdp_plant **plantp, const struct kdp_plant_config *config)
{
    struct kdp_plant *plant = calloc(1, sizeof *plant);
    uint32_t markets = config->max_markets != 0 ? config->max_markets : MARKETS_DEFAULT;

    *plantp = NULL;
    if (plant == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: the plant");
    plant->config = *config;
    plant->ring = config->ring;
    plant->now_ns = INT64_MIN;
    plant->day = INT32_MIN;
    plant->seq_end = UINT64_MAX;
    plant->resumed_ns = plant->started_ns = KDP_TIME_NULL;
    plant->rest = kdpi_rest_open();
    plant->page = answer_page_open();
    plant->gaps = calloc(GAPS_MAX, sizeof *plant->gaps);
    plant->lines = kdp_lines_open();
    /* combinations get ids but no books: about a million a day */
    plant->instruments = kdp_instruments_open(markets * 32u < markets ? UINT32_MAX / 64 : markets * 32u);
    plant->pool = kdp_book_pool_open(markets, (size_t)markets * 16384u);
    plant->trades = kdp_trade_set_open(TRADES_PER_GENERATION);
    plant->decoder = kdpi_decoder_open();
    plant->depth = malloc(KDPI_LEVELS_MAX * sizeof *plant->depth);
    if (config->hash) {
        plant->hash = XXH3_createState();
        if (plant->hash != NULL)
            XXH3_128bits_reset(plant->hash);
    }
    if (plant->lines == NULL || plant->instruments == NULL || plant->pool == NULL || plant->trades == NULL ||
        plant->decoder == NULL || plant->depth == NULL || plant->gaps == NULL || plant->rest == NULL ||
        plant->page == NULL || !audit_open(plant) || (config->hash && plant->hash == NULL)) {
        kdp_plant_close(plant);
        return kdpi_fail(KDP_ENOMEM, "out of memory: books for %u markets (--max-markets)", markets);
    }
    for (unsigned i = 0; i < COUNTS; i++)
        plant->counters[i] = kdp_ring_counter(plant->ring, counter_names[i]);
    *plantp = plant;
    return 0;
}

void
kdp_plant_close(struct kdp_plant *plant)
{
    if (plant == NULL)
        return;
    if (plant->lines != NULL)
        kdp_lines_close(plant->lines);
    kdp_instruments_close(plant->instruments);
    if (plant->pool != NULL)
        kdp_book_pool_close(plant->pool);
    kdp_trade_set_close(plant->trades);
    if (plant->decoder != NULL)
        kdpi_decoder_close(plant->decoder);
    XXH3_freeState(plant->hash);
    free(plant->depth);
    free(plant->gaps);
    free(plant->again);
    free(plant->page);
    kdpi_rest_close(plant->rest);
    audit_close(plant);
    free(plant);
}

int
kdp_plant_restore(struct kdp_plant *plant, const struct kdp_stream_instrument *instruments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct kdp_text ticker = {instruments[i].ticker, strlen(instruments[i].ticker)};
        int rc = kdp_instruments_restore(plant->instruments, instruments[i].id, ticker);

        if (rc != 0)
            return rc;
    }
    return 0;
}

void
kdp_plant_restore_trade(struct kdp_plant *plant, const uint8_t trade_id[16], int64_t recv_ns)
{
    kdp_trade_set_add(plant->trades, trade_id, recv_ns);
}

void
kdp_plant_follow(struct kdp_plant *plant, const struct kdp_plant *before)
{
    if (plant->hash != NULL && before->hash != NULL)
        XXH3_copyState(plant->hash, before->hash);
}

void
kdp_plant_end(struct kdp_plant *plant, uint64_t seq)
{
    plant->seq_end = seq;
}

int
kdp_plant_catch_up(struct kdp_plant *plant, uint64_t from_seq)
{
    if (plant->again == NULL)
        plant->again = aligned_alloc(64, (KDP_RECORD_MAX + 63) / 64 * 64);
    if (plant->again == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a record");
    plant->catching_up = true;
    plant->again_seq = from_seq;
    plant->again_end = kdp_ring_next_seq(plant->ring);
    return 0;
}

int
kdp_plant_caught_up(struct kdp_plant *plant)
{
    bool short_of_it = emit_again(plant);

    plant->catching_up = false;
    free(plant->again);
    plant->again = NULL;
    return short_of_it
               ? kdpi_fail(KDP_EFORMAT,
                           "the input is not the one that was recorded: sequence %llu is not reached again",
                           (unsigned long long)plant->again_end)
               : 0;
}

/* ---- inputs ---- */

static void
on_start(struct kdp_plant *plant, const void *payload, size_t len)
{
    struct kdp_input_start what = {.last_ns = KDP_TIME_NULL}, *start = &what;

    memcpy(&what, payload, len < sizeof what ? len : sizeof what); /* one of an earlier version is shorter */
    for (uint32_t number = 0; number < kdp_lines_end(plant->lines); number++)
        if (kdp_lines_at(plant->lines, (uint16_t)number)->connected)
            line_down(plant, (uint16_t)number, KDP_REASON_RESTART);
    if (!plant->catching_up && start->next_seq > kdp_ring_next_seq(plant->ring))
        kdp_ring_skip_to(plant->ring, start->next_seq);
    kdp_instruments_skip_to(plant->instruments, start->next_instrument);
    if (start->unused_from != 0)
        emit_gap(plant,
                 &(struct plant_gap){.kind = KDP_GAP_KIND_UNUSED_RANGE,
                                     .expected = start->unused_from,
                                     .seen = start->next_seq,
                                     .opened_ns = plant->input->recv_ns},
                 KDP_GAP_STATUS_LOST, KDP_HEALED_BY_NONE, "ring lost: numbers never given out");
    emit_state(plant, KDP_SUBJECT_PLANT, 0, KDP_BOOK_STATE_LIVE, KDP_REASON_RESTART, NULL, 0, 0,
               (struct kdp_text){"", 0});
    restart_input(plant, start);
}

/* With the first input of a new UTC day every open book is written down again, a few with each input. */
static void
day(struct kdp_plant *plant)
{
    int32_t today = kdpi_day_of(plant->now_ns);
    uint32_t max;

    if (today > plant->day) {
        bool first = plant->day == INT32_MIN;

        plant->day = today;
        plant->day_cursor = first ? 0 : 1;
    }
    if (plant->day_cursor == 0)
        return;
    max = kdp_instruments_max(plant->instruments);
    for (uint32_t n = 0; n < DAY_PER_INPUT && plant->day_cursor != 0; n++) {
        market_day(plant, plant->day_cursor);
        plant->day_cursor = plant->day_cursor < max ? plant->day_cursor + 1 : 0;
    }
}

static void
flush_counters(struct kdp_plant *plant)
{
    for (uint32_t left = plant->dirty; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);

        if (plant->counters[i] != NULL)
            kdp_counter_add(plant->counters[i], plant->counts[i]);
        plant->counts[i] = 0;
    }
    plant->dirty = 0;
}

int
kdp_plant_input(struct kdp_plant *plant, const struct kdp_input_head *input, const void *payload)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, input->line);

    plant->input = input;
    plant->wait_error = 0;
    if (input->kind == KDP_INPUT_START && input->length >= KDP_START_V1_BYTES &&
        (((const struct kdp_input_start *)payload)->flags & KDP_START_RESUMED) != 0) {
        kdp_ring_input_applied(plant->ring,
                               input->index); /* another process, the same run: nothing is made of it */
        return 0;
    }
    plant->flags =
        (input->flags & (KDP_INPUT_TS_DERIVED | KDP_INPUT_CLOCK_OFF)) != 0 ? KDP_FLAGS_BAD_TS_RECV : 0;
    plant->origin = input->kind == KDP_INPUT_FRAME   ? KDP_ORIGIN_WS
                    : input->kind == KDP_INPUT_TIMER ? KDP_ORIGIN_TIMER
                                                     : KDP_ORIGIN_NONE;
    if (input->recv_ns > plant->now_ns) {
        if (plant->waiting != 0)
            plant->totals.stale_ns += plant->waiting * (uint64_t)(input->recv_ns - plant->now_ns);
        plant->now_ns = input->recv_ns;
    }
    day(plant);
    market_settled_free(plant);
    switch (input->kind) {
    case KDP_INPUT_FRAME:
    case KDP_INPUT_COMMAND:
        frame_input(plant, payload, input->length);
        break;
    case KDP_INPUT_START:
        if (input->length >= KDP_START_V1_BYTES)
            on_start(plant, payload, input->length);
        break;
    case KDP_INPUT_CONNECTED: {
        const struct kdp_input_line *what = payload;

        if (input->length >= sizeof *what)
            line_up(plant, input->line, (input->flags & KDP_INPUT_BARE) == 0, what->epoch,
                    (struct kdp_text){(const char *)(what + 1), input->length - sizeof *what});
        break;
    }
    case KDP_INPUT_DISCONNECTED: {
        const struct kdp_input_line *what = payload;

        if (input->length < sizeof *what || !line->connected)
            break;
        line_down(plant, input->line,
                  what->reason != 0 ? (enum kdp_reason)what->reason : KDP_REASON_DISCONNECTED);
        emit_state(plant, KDP_SUBJECT_LINE, 0, KDP_BOOK_STATE_CLOSED, KDP_REASON_DISCONNECTED, NULL, 0, 0,
                   (struct kdp_text){(const char *)(what + 1), input->length - sizeof *what});
        break;
    }
    case KDP_INPUT_REST: {
        const struct kdp_input_rest *rest = payload;

        if (input->length >= sizeof *rest)
            answer_input(plant, rest, (const char *)(rest + 1), input->length - sizeof *rest);
        break;
    }
    case KDP_INPUT_TIMER:
        if (input->length >= sizeof(struct kdp_input_timer))
            timer_input(plant, payload);
        break;
    case KDP_INPUT_RELOAD:
        reload_input(plant, payload, input->length);
        break;
    case KDP_INPUT_STOP:
        sample_end(plant);
        break;
    default: /* kinds of the live session, which only its own tapes hold */
        plant_count(plant, COUNT_INPUTS_IGNORED, 1);
        break;
    }
    if (!plant->catching_up)
        kdp_ring_input_applied(plant->ring, input->index); /* publishes: no crash can tell the two apart */
    flush_counters(plant);
    return plant->wait_error;
}

/* ---- what came of it ---- */

void
kdp_plant_totals(const struct kdp_plant *plant, struct kdp_plant_totals *totals)
{
    *totals = plant->totals;
    totals->planned_stale = plant->waiting;
}

const char *
kdp_plant_type_at(const struct kdp_plant *plant, unsigned index, uint64_t *countp)
{
    if (index >= plant->type_count)
        return NULL;
    *countp = plant->types[index].count;
    return plant->types[index].name;
}

bool
kdp_plant_market_at(const struct kdp_plant *plant, uint32_t index, struct kdp_plant_market *market)
{
    const struct kdp_instrument *item;
    uint32_t id = index + 1;

    if (id > kdp_instruments_max(plant->instruments))
        return false;
    item = kdp_instruments_at(plant->instruments, id);
    *market = (struct kdp_plant_market){.ticker = item->ticker,
                                        .instrument = id,
                                        .state = item->state,
                                        .top = {KDP_PRICE_NULL, KDP_PRICE_NULL, 0, 0},
                                        .bbo_changes = item->bbo_changes,
                                        .trades = item->trades,
                                        .messages = item->messages,
                                        .last_ts_ms = item->last_ts_ms,
                                        .last_price_e4 = item->last_price_e4,
                                        .volume_e2 = item->volume_e2};
    if (item->book != NULL) {
        kdp_book_top(item->book, &market->top);
        market->bid_levels = kdp_book_level_count(item->book, KDP_SIDE_YES);
        market->ask_levels = kdp_book_level_count(item->book, KDP_SIDE_NO);
        market->bid_size_total_e2 = kdp_book_size_total(item->book, KDP_SIDE_YES);
        market->ask_size_total_e2 = kdp_book_size_total(item->book, KDP_SIDE_NO);
    }
    return true;
}

bool
kdp_plant_messages_at(const struct kdp_plant *plant, uint32_t index, uint64_t *messagesp)
{
    if (index >= kdp_instruments_max(plant->instruments))
        return false;
    *messagesp = kdp_instruments_at(plant->instruments, index + 1)->messages;
    return true;
}

void
kdp_plant_memory(const struct kdp_plant *plant, size_t *booksp, size_t *marketsp)
{
    *booksp = kdp_book_pool_used(plant->pool);
    *marketsp = kdp_instruments_used(plant->instruments);
}

void
kdp_plant_hash(const struct kdp_plant *plant, char out[33])
{
    XXH128_hash_t hash;

    out[0] = '\0';
    if (plant->hash == NULL)
        return;
    hash = XXH3_128bits_digest(plant->hash);
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}
