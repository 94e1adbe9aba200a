/* plant.c - one input after the other: connections, sequence numbers, and which message goes to which market.
 *
 * Order of work for a frame: decode, count its type, track its sequence number (a gap makes the
 * subscription's books stale and says so before anything else of the frame is looked at), apply, publish
 * once.  A frame that is not whole JSON is counted and changes nothing, so that the next number reveals what
 * it took with it; a frame that is whole but holds a value that cannot be represented uses up its number and
 * makes the book it speaks of stale. */
#include "plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "plant_private.h"

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
        plant->decoder == NULL || plant->depth == NULL || (config->hash && plant->hash == NULL)) {
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

/* ---- connections ---- */

static void
line_down(struct kdp_plant *plant, uint16_t number, enum kdp_reason reason)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, number);

    while (line->first_sub != 0) {
        struct kdp_sub *sub = kdp_sub_at(plant->lines, line->first_sub - 1);

        market_all_stale(plant, sub, reason, sub->started ? sub->last + 1 : 0, 0, false);
        market_disown_all(plant, sub);
        kdp_sub_free(plant->lines, sub);
    }
    line->connected = false;
}

static void
line_up(struct kdp_plant *plant, uint16_t number, bool marked, uint32_t epoch, struct kdp_text url)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, number);

    if (line->connected)
        line_down(plant, number, KDP_REASON_DISCONNECTED);
    line->epoch = epoch > line->epoch ? epoch : line->epoch + 1;
    line->connected = true;
    line->marked = marked;
    line->leg = KDP_LEG_UNSAID;
    memset(line->pending, 0, sizeof line->pending);
    plant->totals.connections++;
    emit_state(plant, KDP_SUBJECT_LINE, 0, KDP_BOOK_STATE_LIVE, KDP_REASON_CONNECTED, NULL, 0, 0, url);
}

/* ---- one frame ---- */

static void
count_type(struct kdp_plant *plant, struct kdp_text type)
{
    unsigned i;

    if (type.len == 0)
        return;
    for (i = 0; i < plant->type_count; i++)
        if (plant->types[i].len == type.len && memcmp(plant->types[i].name, type.data, type.len) == 0)
            break;
    if (i == plant->type_count) {
        if (i == TYPES_MAX || type.len >= sizeof plant->types[i].name) {
            type = (struct kdp_text){"other", 5}; /* what nobody sends is not worth a table without end */
            for (i = 0; i < plant->type_count; i++)
                if (plant->types[i].len == 5 && memcmp(plant->types[i].name, "other", 5) == 0)
                    break;
            if (i == TYPES_MAX)
                i = TYPES_MAX - 1;
        }
        if (i == plant->type_count) {
            memcpy(plant->types[i].name, type.data, type.len);
            plant->types[i].len = type.len;
            plant->type_count++;
        }
    }
    plant->types[i].count++;
    if (i > 0 &&
        plant->types[i].count > plant->types[i - 1].count) { /* busiest first: the search above stays short */
        __typeof__(plant->types[0]) swap = plant->types[i];

        plant->types[i] = plant->types[i - 1];
        plant->types[i - 1] = swap;
    }
}

static enum kdp_channel
channel_of(enum kdp_message_kind kind)
{
    switch (kind) {
    case KDP_MESSAGE_SNAPSHOT:
    case KDP_MESSAGE_DELTA:
        return KDP_CHANNEL_BOOK;
    case KDP_MESSAGE_TICKER:
        return KDP_CHANNEL_TICKER;
    case KDP_MESSAGE_TRADE:
        return KDP_CHANNEL_TRADE;
    case KDP_MESSAGE_LIFECYCLE:
    case KDP_MESSAGE_EVENT:
        return KDP_CHANNEL_LIFECYCLE;
    default:
        return KDP_CHANNEL_UNKNOWN;
    }
}

static void
on_gap(struct kdp_plant *plant, struct kdp_sub *sub, uint64_t expected, uint64_t seen)
{
    uint32_t hit;

    plant->totals.gaps++;
    plant->totals.missed[sub->channel] += seen - expected;
    plant_count(plant, COUNT_GAPS, 1);
    plant_count(plant, COUNT_MISSED, seen - expected);
    if (sub->gaps_open == 0) {
        sub->gap_expected = expected;
        sub->gap_opened_ns = plant->input->recv_ns;
    }
    sub->gap_seen = seen;
    hit = market_all_stale(plant, sub, KDP_REASON_GAP, expected, seen - 1, true);
    emit_gap(plant, sub, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, hit, expected, seen, plant->input->recv_ns);
    if (sub->gap_left > 0)
        sub->gaps_open++; /* healed when the last of its books is live again */
}

/* Gives the frame's subscription after its number was taken; false: the frame is to be dropped. */
static bool
track(struct kdp_plant *plant, const struct kdp_message *msg, struct kdp_sub **subp)
{
    uint16_t number = plant->input->line;
    struct kdp_line *line = kdp_lines_at(plant->lines, number);
    struct kdp_sub *sub;
    uint64_t expected;

    *subp = NULL;
    /* recordings may have left the sid out: what they hold of books is then one subscription */
    if (!msg->has_sid && msg->kind != KDP_MESSAGE_SNAPSHOT && msg->kind != KDP_MESSAGE_DELTA)
        return true;
    sub = kdp_sub_find(plant->lines, number, msg->has_sid ? msg->sid : 0);
    if (sub == NULL) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        return false;
    }
    *subp = sub;
    if (sub->channel == KDP_CHANNEL_UNKNOWN)
        sub->channel = (uint8_t)channel_of(msg->kind);
    if (!msg->has_seq)
        return true;
    switch (kdp_sub_track(line, sub, msg->seq, msg->kind == KDP_MESSAGE_SNAPSHOT, &expected)) {
    case KDP_SEQ_NEXT:
        return true;
    case KDP_SEQ_GAP:
        on_gap(plant, sub, expected, msg->seq);
        return true;
    case KDP_SEQ_RESTART: { /* a recording without connection marks was made over several connections */
        uint8_t leg = line->leg;

        line_up(plant, number, false, 0, (struct kdp_text){"", 0});
        line->leg = leg;
        sub = kdp_sub_find(plant->lines, number, msg->has_sid ? msg->sid : 0);
        if (sub == NULL)
            return false;
        kdp_sub_track(line, sub, msg->seq, true, &expected);
        sub->channel = (uint8_t)channel_of(msg->kind);
        *subp = sub;
        return true;
    }
    case KDP_SEQ_DUPLICATE:
    default:
        plant->totals.duplicates++;
        plant_count(plant, COUNT_DUPLICATES, 1);
        return false;
    }
}

static void
on_refused(struct kdp_plant *plant, const char *frame, const struct kdp_message *msg, struct kdp_sub *sub)
{
    uint32_t id;

    plant->totals.malformed++;
    plant_count(plant, COUNT_MALFORMED, 1);
    if (plant->config.rejected != NULL)
        plant->config.rejected(plant->config.rejected_arg, plant->input, frame, msg);
    if (sub == NULL)
        return;
    if (msg->kind == KDP_MESSAGE_UNKNOWN) { /* its type cannot be told: it may have been a change */
        market_all_stale(plant, sub, KDP_REASON_MALFORMED, msg->seq, msg->seq, false);
        return;
    }
    if (msg->kind != KDP_MESSAGE_DELTA && msg->kind != KDP_MESSAGE_SNAPSHOT)
        return;
    id = kdp_instruments_find(plant->instruments, msg->market_ticker);
    if (id == 0) /* we cannot tell whose change was lost */
        market_all_stale(plant, sub, KDP_REASON_MALFORMED, msg->seq, msg->seq, false);
    else if (kdp_instruments_at(plant->instruments, id)->state == KDP_BOOK_STATE_LIVE)
        market_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_MALFORMED, sub, msg->seq, msg->seq);
}

/* The list of an ok reply is the whole set after the change: what is not in it any more gets no changes from
 * now on. */
struct still_in {
    struct kdp_plant *plant;
    uint32_t sub; /* index + 1 */
    uint32_t kept;
};

static bool
keep_listed(void *arg, struct kdp_text ticker)
{
    struct still_in *in = arg;
    uint32_t id = kdp_instruments_find(in->plant->instruments, ticker);

    if (id != 0 && kdp_instruments_at(in->plant->instruments, id)->sub == in->sub)
        in->kept++;
    return true;
}

static bool
is_listed(void *arg, struct kdp_text ticker)
{
    struct kdp_text *wanted = arg;

    if (wanted->len == ticker.len && memcmp(wanted->data, ticker.data, ticker.len) == 0) {
        wanted->len = 0;
        return false;
    }
    return true;
}

static void
on_ok(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg, const char *frame,
      size_t len)
{
    struct still_in in = {plant, 0, 0};

    if (sub == NULL || sub->channel != KDP_CHANNEL_BOOK || msg->ok.count == 0 || sub->books == 0)
        return;
    in.sub = kdp_sub_index(plant->lines, sub) + 1;
    kdpi_message_tickers(frame, len, keep_listed, &in);
    if (in.kept == sub->books)
        return; /* the common case: something was added */
    for (uint32_t id = sub->first_instrument, next; id != 0; id = next) {
        const struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
        struct kdp_text wanted = {item->ticker, item->ticker_len};

        next = item->next;
        kdpi_message_tickers(frame, len, is_listed, &wanted);
        if (wanted.len != 0)
            market_leave(plant, id, sub, msg->seq);
    }
}

static void
sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason, uint64_t seq)
{
    market_all_stale(plant, sub, reason, seq, 0, false);
    market_disown_all(plant, sub);
    kdp_sub_free(plant->lines, sub);
}

static void
on_frame(struct kdp_plant *plant, const char *frame, size_t len)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, plant->input->line);
    struct kdp_message msg;
    struct kdp_sub *sub;

    if (!line->connected) /* where connections are marked, one whose mark is missing is a new one all the same
                           */
        line_up(plant, plant->input->line, line->marked && (plant->input->flags & KDP_INPUT_BARE) == 0, 0,
                (struct kdp_text){"", 0});
    plant->totals.frames++;
    plant_count(plant, COUNT_FRAMES, 1);
    kdpi_decode(plant->decoder, frame, len, &msg);
    if (!msg.trusted) {
        on_refused(plant, frame, &msg, NULL);
        return;
    }
    count_type(plant, msg.type);
    plant_count(plant, COUNT_UNKNOWN_MEMBERS, msg.unknown_members);
    if (!track(plant, &msg, &sub))
        return;
    if (msg.refusal != KDP_REFUSAL_NONE) {
        on_refused(plant, frame, &msg, sub);
        return;
    }
    switch (msg.kind) {
    case KDP_MESSAGE_DELTA:
        if (sub != NULL)
            market_delta(plant, sub, &msg);
        break;
    case KDP_MESSAGE_SNAPSHOT:
        if (sub != NULL)
            market_snapshot(plant, sub, &msg);
        break;
    case KDP_MESSAGE_TRADE:
        market_trade(plant, &msg);
        break;
    case KDP_MESSAGE_TICKER:
        market_ticker(plant, &msg);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        market_lifecycle(plant, &msg);
        break;
    case KDP_MESSAGE_EVENT:
        market_event(plant, &msg);
        break;
    case KDP_MESSAGE_SUBSCRIBED:
        if (sub != NULL) {
            sub->announced = true;
            sub->channel = (uint8_t)kdpi_channel_of(msg.subscribed.channel.data, msg.subscribed.channel.len);
            if (sub->channel == KDP_CHANNEL_BOOK)
                sub->leg = (uint8_t)kdp_line_reply_leg(line, msg.has_id, msg.id);
        }
        break;
    case KDP_MESSAGE_OK:
        on_ok(plant, sub, &msg, frame, len);
        break;
    case KDP_MESSAGE_UNSUBSCRIBED:
        if (sub != NULL)
            sub_ends(plant, sub, KDP_REASON_UNSUBSCRIBED, msg.seq);
        break;
    case KDP_MESSAGE_ERROR: /* 25 and 10 end the subscription, docs/exchange.md 4.3 */
        if (sub != NULL && (msg.error.code == 25 || msg.error.code == 10))
            sub_ends(plant, sub, msg.error.code == 25 ? KDP_REASON_OVERFLOW : KDP_REASON_CHANNEL_ERROR,
                     msg.seq);
        break;
    case KDP_MESSAGE_COMMAND:
        if (msg.command.books)
            kdp_line_command(line, msg.has_id ? msg.id : 0,
                             msg.command.use_yes_price < 0   ? KDP_LEG_UNSAID
                             : msg.command.use_yes_price > 0 ? KDP_LEG_YES
                                                             : KDP_LEG_NO);
        break;
    case KDP_MESSAGE_UNKNOWN:
        plant->totals.unknown_types++;
        plant_count(plant, COUNT_UNKNOWN_TYPES, 1);
        break;
    case KDP_MESSAGE_OK_LIST:
    case KDP_MESSAGE_KINDS:
        break;
    }
}

/* ---- inputs ---- */

static void
on_start(struct kdp_plant *plant, const struct kdp_input_start *start)
{
    for (uint32_t number = 0; number < kdp_lines_end(plant->lines); number++)
        if (kdp_lines_at(plant->lines, (uint16_t)number)->connected)
            line_down(plant, (uint16_t)number, KDP_REASON_RESTART);
    if (start->next_seq > kdp_ring_next_seq(plant->ring))
        kdp_ring_skip_to(plant->ring, start->next_seq);
    kdp_instruments_skip_to(plant->instruments, start->next_instrument);
    if (start->unused_from != 0)
        emit_gap(plant, NULL, KDP_GAP_STATUS_LOST, KDP_HEALED_BY_NONE, 0, start->unused_from, start->next_seq,
                 plant->input->recv_ns);
    emit_state(plant, KDP_SUBJECT_PLANT, 0, KDP_BOOK_STATE_LIVE, KDP_REASON_RESTART, NULL, 0, 0,
               (struct kdp_text){"", 0});
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
    plant->flags = (input->flags & KDP_INPUT_TS_DERIVED) != 0 ? KDP_FLAGS_BAD_TS_RECV : 0;
    if (input->recv_ns > plant->now_ns)
        plant->now_ns = input->recv_ns;
    day(plant);
    market_settled_free(plant);
    switch (input->kind) {
    case KDP_INPUT_FRAME:
    case KDP_INPUT_COMMAND:
        on_frame(plant, payload, input->length);
        break;
    case KDP_INPUT_START:
        if (input->length >= sizeof(struct kdp_input_start))
            on_start(plant, payload);
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
    case KDP_INPUT_STOP:
        break;
    default: /* kinds of the live session, which only its own tapes hold */
        plant_count(plant, COUNT_INPUTS_IGNORED, 1);
        break;
    }
    kdp_ring_input_applied(plant->ring, input->index); /* publishes: no crash can tell the two apart */
    flush_counters(plant);
    return plant->wait_error;
}

/* ---- what came of it ---- */

void
kdp_plant_totals(const struct kdp_plant *plant, struct kdp_plant_totals *totals)
{
    *totals = plant->totals;
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
