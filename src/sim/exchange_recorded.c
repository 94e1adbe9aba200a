/* exchange_recorded.c - recordings as a source of the exchange: files in time, their frames as events.
 *
 * Every file is read twice.  First all of it, as far as a million frames: which markets there are, what is known about them and
 * the book each begins with, so that REST can list them from the start.  Then as time goes by.  Subscriptions are followed as the
 * plant follows them (numbers seen twice are dropped, a book belongs to the subscription of its last snapshot, the client's own
 * commands say on which scale NO prices are), so that both end with the same books.  What a recording missed is not missed here:
 * changes go on, and the next snapshot's difference is told as changes. */
#include "exchange_recorded.h"

#include <stdlib.h>

#include "clock.h"
#include "error.h"

#define SCAN_FRAMES_MAX 1000000u
#define LAST_NS (INT64_MAX / 2)           /* the year 2116: what lies beyond is as good as then */
#define FILE_GAP_NS (3600 * KDP_NS_PER_S) /* files further apart than this follow each other at once */

int64_t
recorded_time(const struct exchange_recorded *rec, int64_t recorded_ns)
{
    int64_t after, at;

    if (recorded_ns == KDP_TIME_NULL)
        return KDP_TIME_NULL;
    if (__builtin_sub_overflow(recorded_ns, rec->from_ns, &after))
        after = recorded_ns < 0 ? -LAST_NS : LAST_NS;
    if (rec->speed != 1) {
        double fast = (double)after / rec->speed;

        after = fast > (double)LAST_NS ? LAST_NS : fast < -(double)LAST_NS ? -LAST_NS : (int64_t)fast;
    }
    if (__builtin_add_overflow(rec->base_ns, after, &at) || at > LAST_NS)
        return LAST_NS;
    return at < 0 ? 0 : at;
}

/* ---- subscriptions, as plant/frame.c and line.c have them ---- */

static void
line_up(struct exchange_recorded *rec, uint16_t number, bool marked)
{
    struct kdp_line *line = kdp_lines_at(rec->lines, number);

    while (line->first_sub != 0)
        kdp_sub_free(rec->lines, kdp_sub_at(rec->lines, line->first_sub - 1));
    line->epoch++;
    line->connected = true;
    line->marked = marked;
    line->leg = KDP_LEG_UNSAID;
    memset(line->pending, 0, sizeof line->pending);
}

static void
line_down(struct exchange_recorded *rec, uint16_t number)
{
    struct kdp_line *line = kdp_lines_at(rec->lines, number);

    while (line->first_sub != 0)
        kdp_sub_free(rec->lines, kdp_sub_at(rec->lines, line->first_sub - 1));
    line->connected = false;
}

/* Gives the frame's subscription; false: the frame was seen before. */
static bool
track(struct exchange_recorded *rec, const struct kdp_message *msg, struct kdp_sub **subp)
{
    uint16_t number = rec->in.line;
    struct kdp_line *line = kdp_lines_at(rec->lines, number);
    uint32_t sid = msg->has_sid ? msg->sid : 0;
    uint64_t expected;
    uint8_t leg;

    *subp = NULL;
    if (!msg->has_sid && msg->kind != KDP_MESSAGE_SNAPSHOT && msg->kind != KDP_MESSAGE_DELTA)
        return true;
    *subp = kdp_sub_find(rec->lines, number, sid);
    if (*subp == NULL)
        return false;
    if (!msg->has_seq)
        return true;
    switch (kdp_sub_track(line, *subp, msg->seq, msg->kind == KDP_MESSAGE_SNAPSHOT, &expected)) {
    case KDP_SEQ_DUPLICATE:
        return false;
    case KDP_SEQ_RESTART:
        leg = line->leg;
        line_up(rec, number, false);
        line->leg = leg;
        *subp = kdp_sub_find(rec->lines, number, sid);
        return *subp != NULL && (kdp_sub_track(line, *subp, msg->seq, true, &expected), true);
    default:
        return true;
    }
}

static bool
owns(const struct recorded_market *market, const struct exchange_recorded *rec, const struct kdp_sub *sub)
{
    return market->owner.line == rec->in.line && market->owner.epoch == sub->epoch &&
           market->owner.sid == sub->sid && market->has_book;
}

/* Prices stay in their own leg here. */
static int32_t
own_leg(const struct exchange_recorded *rec, const struct kdp_sub *sub, uint8_t side, int32_t price_e4)
{
    bool leg_yes = sub->leg == KDP_LEG_UNSAID
                       ? rec->ex->config.leg_yes || (rec->in.flags & KDP_INPUT_LEG_YES) != 0
                       : sub->leg == KDP_LEG_YES;

    return side == KDP_SIDE_NO && leg_yes ? 10000 - price_e4 : price_e4;
}

/* ---- frames ---- */

static int
by_price(const void *a, const void *b)
{
    const struct kdp_exchange_level *x = a, *y = b;

    return (x->price_e4 < y->price_e4) - (x->price_e4 > y->price_e4);
}

/* The levels of a snapshot into rec->fresh, best first; false: a level twice, or with less than nothing. */
static bool
read_levels(struct exchange_recorded *rec, const struct kdp_sub *sub, const struct kdp_message *msg,
            uint32_t count[2])
{
    count[0] = count[1] = 0;
    for (uint32_t i = 0; i < msg->snapshot.count; i++) {
        const struct kdp_message_level *level = &msg->snapshot.levels[i];
        unsigned side = level->side == KDP_SIDE_YES ? GEN_YES : GEN_NO;

        if (level->size_e2 < 0)
            return false;
        if (level->size_e2 > 0)
            rec->fresh[side][count[side]++] =
                (struct kdp_exchange_level){own_leg(rec, sub, level->side, level->price_e4), level->size_e2};
    }
    for (unsigned side = 0; side < 2; side++) {
        qsort(rec->fresh[side], count[side], sizeof *rec->fresh[side], by_price);
        for (uint32_t i = 1; i < count[side]; i++)
            if (rec->fresh[side][i].price_e4 == rec->fresh[side][i - 1].price_e4)
                return false;
    }
    return true;
}

static void
on_snapshot(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_sub *sub,
            const struct kdp_message *msg)
{
    struct exchange_market *place;
    uint32_t count[2];
    bool closing = !msg->has_id && msg->snapshot.count == 0 && market->had_orders && owns(market, rec, sub);

    if (rec->scanning && (market->created_first || market->has_book)) {
        market->has_book = true; /* its first book is set already, or comes when it is created */
        return;
    }
    if (!read_levels(rec, sub, msg, count)) {
        rec->ex->stats.frames_refused++;
        return;
    }
    market->owner = (struct recorded_owner){rec->in.line, sub->epoch, sub->sid};
    market->has_book = true;
    market->had_orders |= msg->snapshot.count > 0;
    if (!closing) {
        recorded_book_become(rec, market, count, rec->now_ns);
        return;
    }
    /* at the close the exchange says so, asked or not: a snapshot with no levels */
    place = &rec->ex->markets[market->index];
    market->count[GEN_YES] = market->count[GEN_NO] = 0;
    if (place->state == KDP_MARKET_STATUS_ACTIVE) {
        place->state = KDP_MARKET_STATUS_CLOSED;
        place->close_ns = place->updated_ns = rec->now_ns;
    }
    exchange_tell_market(rec->ex, KDP_EXCHANGE_SNAPSHOT, market->index, rec->now_ns);
}

static void
on_delta(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_sub *sub,
         const struct kdp_message *msg)
{
    struct exchange_market *place;

    if (rec->scanning || !owns(market, rec, sub))
        return;
    place = &rec->ex->markets[market->index];
    if (place->state == KDP_MARKET_STATUS_CLOSED) { /* it was only empty */
        place->state = KDP_MARKET_STATUS_ACTIVE;
        place->close_ns = rec->now_ns + KDP_NS_PER_DAY;
    }
    if (!recorded_book_change(rec, market, msg->delta.side == KDP_SIDE_YES ? GEN_YES : GEN_NO,
                              own_leg(rec, sub, msg->delta.side, msg->delta.price_e4), msg->delta.delta_e2,
                              rec->now_ns))
        rec->ex->stats.differences++;
}

void
recorded_trade(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_message *msg)
{
    struct kdp_exchange_trade trade = {.market = market->index,
                                       .yes_price_e4 = msg->trade.price_e4,
                                       .count_e2 = msg->trade.count_e2,
                                       .taker_side = msg->trade.taker_side,
                                       .block = msg->trade.block,
                                       .time_ns = rec->now_ns};

    if (rec->scanning)
        return;
    memcpy(trade.trade_id, msg->trade.trade_id, 16);
    for (unsigned i = 0; i < 8; i++) { /* when the recording comes again these are new trades */
        uint64_t other = rec->loop * UINT64_C(0x9e3779b97f4a7c15) >> 8 * i & 0x3f;

        trade.trade_id[8 + i] = (uint8_t)(trade.trade_id[8 + i] ^ other);
    }
    if (!kdp_trade_set_add(rec->trades, trade.trade_id, rec->due_ns))
        return; /* from a second line */
    market->last_e4 = msg->trade.price_e4;
    market->last_size_e2 = msg->trade.count_e2;
    if (!market->has_ticker)
        exchange_add(&market->volume_e2, msg->trade.count_e2);
    recorded_grid_see(rec, market, msg->trade.price_e4, rec->now_ns);
    exchange_tell_trade(rec->ex, &trade, false);
}

static void
keep(int64_t *at, int64_t value)
{
    if (value != KDP_INT64_NULL)
        *at = value;
}

static void
on_ticker(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_message *msg)
{
    if (rec->scanning)
        return;
    market->has_ticker = market->ticker_newest = true;
    if (msg->ticker.price_e4 != KDP_PRICE_NULL)
        market->last_e4 = msg->ticker.price_e4;
    market->bid_e4 = msg->ticker.bid_e4 == KDP_PRICE_NULL ? 0 : msg->ticker.bid_e4;
    market->ask_e4 = msg->ticker.ask_e4 == KDP_PRICE_NULL ? 10000 : msg->ticker.ask_e4;
    keep(&market->bid_size_e2, msg->ticker.bid_size_e2);
    keep(&market->ask_size_e2, msg->ticker.ask_size_e2);
    keep(&market->last_size_e2, msg->ticker.last_size_e2);
    keep(&market->volume_e2, msg->ticker.volume_e2);
    keep(&market->open_interest_e2, msg->ticker.open_interest_e2);
    keep(&market->dollar_volume, msg->ticker.dollar_volume);
    keep(&market->dollar_open_interest, msg->ticker.dollar_open_interest);
    exchange_tell_market(rec->ex, KDP_EXCHANGE_TICKER, market->index, rec->now_ns);
}

static void
on_lifecycle(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_message *msg,
             bool fresh)
{
    uint8_t kind = msg->lifecycle.kind;
    struct exchange_market *place;

    recorded_define(rec, market, msg);
    if (rec->scanning || kind == KDP_LIFECYCLE_KIND_NONE)
        return;
    place = &rec->ex->markets[market->index];
    switch (kind) {
    case KDP_LIFECYCLE_KIND_CREATED:
        if (fresh) /* told when it came into being */
            return;
        kind = KDP_LIFECYCLE_KIND_METADATA_UPDATED; /* it was here before it was said */
        break;
    case KDP_LIFECYCLE_KIND_ACTIVATED:
    case KDP_LIFECYCLE_KIND_DEACTIVATED:
        place->held = kind == KDP_LIFECYCLE_KIND_DEACTIVATED;
        break;
    case KDP_LIFECYCLE_KIND_DETERMINED:
        place->state = KDP_MARKET_STATUS_DETERMINED;
        place->result = msg->lifecycle.result;
        place->settlement_value_e6 = msg->lifecycle.settlement_value_e6;
        place->determined_ns = rec->now_ns;
        break;
    case KDP_LIFECYCLE_KIND_SETTLED:
        place->state = KDP_MARKET_STATUS_FINALIZED;
        place->settled_ns = rec->now_ns;
        break;
    default:
        break;
    }
    exchange_tell_life(rec->ex, market->index, rec->now_ns, kind);
}

static const char *
word(struct kdp_text text, char *buf, size_t size)
{
    size_t len = text.len < size ? text.len : size - 1;

    memcpy(buf, text.data != NULL ? text.data : "", len);
    buf[len] = '\0';
    return buf;
}

static void
on_event(struct exchange_recorded *rec, const struct kdp_message *msg)
{
    struct kdp_exchange_event e = {.kind = KDP_EXCHANGE_EVENT, .market = NOWHERE, .time_ns = rec->now_ns};
    char event[256], series[256], title[512], sub_title[512], collateral[64], fee[64];

    recorded_events_put(rec, msg->event.event_ticker, msg->event.series_ticker);
    if (rec->scanning)
        return;
    e.event.event_ticker = word(msg->event.event_ticker, event, sizeof event);
    e.event.series_ticker = word(msg->event.series_ticker, series, sizeof series);
    e.event.title = word(msg->event.title, title, sizeof title);
    e.event.sub_title = word(msg->event.sub_title, sub_title, sizeof sub_title);
    e.event.collateral = word(msg->event.collateral, collateral, sizeof collateral);
    e.event.fee_type = msg->event.fee_type.len > 0 ? word(msg->event.fee_type, fee, sizeof fee) : NULL;
    e.event.fee_update = msg->event.kind == KDP_EVENT_KIND_FEE_OVERRIDE;
    e.event.fee_multiplier_e6 = msg->event.fee_multiplier_e6;
    exchange_tell(rec->ex, &e);
}

static void
on_reply(struct exchange_recorded *rec, struct kdp_sub *sub, const struct kdp_message *msg)
{
    struct kdp_line *line = kdp_lines_at(rec->lines, rec->in.line);

    switch (msg->kind) {
    case KDP_MESSAGE_SUBSCRIBED:
        if (sub == NULL)
            break;
        sub->announced = true;
        if (kdpi_channel_of(msg->subscribed.channel.data, msg->subscribed.channel.len) == KDP_CHANNEL_BOOK)
            sub->leg = (uint8_t)kdp_line_reply_leg(line, msg->has_id, msg->id);
        break;
    case KDP_MESSAGE_ERROR:
        if (msg->error.code != 25 && msg->error.code != 10)
            break;
        __attribute__((fallthrough));
    case KDP_MESSAGE_UNSUBSCRIBED:
        if (sub != NULL)
            kdp_sub_free(rec->lines, sub);
        break;
    case KDP_MESSAGE_COMMAND:
        if (msg->command.books)
            kdp_line_command(line, msg->has_id ? msg->id : 0,
                             msg->command.use_yes_price < 0   ? KDP_LEG_UNSAID
                             : msg->command.use_yes_price > 0 ? KDP_LEG_YES
                                                              : KDP_LEG_NO);
        break;
    default:
        break;
    }
}

int64_t
recorded_time_of(const struct exchange_recorded *rec, const struct kdp_message *msg)
{
    int64_t at = recorded_time(rec, msg->exch_ns);

    return at == KDP_TIME_NULL || at > rec->due_ns ? rec->due_ns : at;
}

static void
frame(struct exchange_recorded *rec)
{
    struct kdp_line *line = kdp_lines_at(rec->lines, rec->in.line);
    struct kdp_exchange *ex = rec->ex;
    struct recorded_market *market = NULL;
    bool fresh = false;
    struct kdp_message msg;
    struct kdp_sub *sub;

    if (!line->connected)
        line_up(rec, rec->in.line, line->marked && (rec->in.flags & KDP_INPUT_BARE) == 0);
    kdpi_decode(rec->decoder, rec->in.text, rec->in.len, &msg);
    if (!rec->scanning)
        ex->stats.frames++;
    if (!msg.trusted || !track(rec, &msg, &sub) || msg.refusal != KDP_REFUSAL_NONE) {
        if (!rec->scanning)
            ex->stats.frames_refused++;
        return;
    }
    rec->now_ns = recorded_time_of(rec, &msg);
    if (msg.kind >= KDP_MESSAGE_SNAPSHOT && msg.kind <= KDP_MESSAGE_LIFECYCLE) {
        bool created = msg.kind == KDP_MESSAGE_LIFECYCLE && msg.lifecycle.kind == KDP_LIFECYCLE_KIND_CREATED;
        uint32_t known = rec->market_count;

        market = recorded_market_get(rec, msg.market_ticker);
        if (market == NULL || market->over)
            return;
        if (rec->market_count > known)
            market->created_first = created;
        fresh = market->index == NOWHERE && !(rec->scanning && market->created_first);
        if (fresh) {
            if (msg.kind == KDP_MESSAGE_LIFECYCLE)
                recorded_define(rec, market, &msg);
            if (!recorded_market_born(rec, market, !rec->scanning))
                return;
        }
    }
    switch (msg.kind) {
    case KDP_MESSAGE_SNAPSHOT:
        if (sub != NULL)
            on_snapshot(rec, market, sub, &msg);
        break;
    case KDP_MESSAGE_DELTA:
        if (sub != NULL)
            on_delta(rec, market, sub, &msg);
        break;
    case KDP_MESSAGE_TRADE:
        recorded_trade(rec, market, &msg);
        break;
    case KDP_MESSAGE_TICKER:
        on_ticker(rec, market, &msg);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        on_lifecycle(rec, market, &msg, fresh);
        break;
    case KDP_MESSAGE_EVENT:
        on_event(rec, &msg);
        break;
    case KDP_MESSAGE_UNKNOWN:
        if (!rec->scanning) {
            struct kdp_exchange_event e = {
                .kind = KDP_EXCHANGE_RAW, .market = NOWHERE, .time_ns = rec->now_ns};

            e.raw = (struct kdp_text){rec->in.text, rec->in.len};
            exchange_tell(ex, &e);
        }
        break;
    default:
        on_reply(rec, sub, &msg);
        break;
    }
}

static void
input(struct exchange_recorded *rec)
{
    switch (rec->in.kind) {
    case KDP_INPUT_FRAME:
    case KDP_INPUT_COMMAND:
        rec->in_pass++;
        frame(rec);
        break;
    case KDP_INPUT_REST: /* of a raw tape */
        recorded_rest(rec);
        break;
    case KDP_INPUT_CONNECTED:
        line_up(rec, rec->in.line, (rec->in.flags & KDP_INPUT_BARE) == 0);
        break;
    case KDP_INPUT_DISCONNECTED:
        line_down(rec, rec->in.line);
        break;
    case KDP_INPUT_START: /* of a raw tape: another run, new connections */
        for (uint32_t i = 0; i < kdp_lines_end(rec->lines); i++)
            line_down(rec, (uint16_t)i);
        break;
    default:
        break;
    }
}

/* ---- reading ---- */

/* Every line as if it had never been. */
static void
forget_lines(struct exchange_recorded *rec)
{
    for (uint32_t i = 0; i < kdp_lines_end(rec->lines); i++) {
        line_down(rec, (uint16_t)i);
        kdp_lines_at(rec->lines, (uint16_t)i)->marked = false;
    }
}

/* Reads ahead by one input: 1, 0 at the end of the last file, or an error. */
static int
next_input(struct exchange_recorded *rec)
{
    for (;;) {
        int rc;

        if (rec->recording == NULL) {
            if (rec->input == rec->ex->config.input_count)
                return 0;
            rc = kdp_recording_open(&rec->recording, rec->inputs[rec->input++]);
            if (rc != 0)
                return rc;
            for (uint32_t i = 0; i < kdp_lines_end(rec->lines); i++)
                line_down(rec, (uint16_t)i);
        }
        rc = kdp_recording_next(rec->recording, &rec->in);
        if (rc < 0)
            return rc;
        if (rc > 0 && rec->in.kind == KDP_RECORDED_MALFORMED) {
            if (!rec->scanning)
                rec->ex->stats.frames_refused++;
            continue;
        }
        if (rc > 0)
            return 1;
        kdp_recording_close(rec->recording);
        rec->recording = NULL;
    }
}

/* When the input at hand is due.  Time never goes back; files that are far apart follow each other. */
static void
set_due(struct exchange_recorded *rec)
{
    int64_t recv_ns = rec->in.recv_ns, step, due;

    if (!rec->started) {
        rec->from_ns = rec->last_recv_ns = recv_ns;
        rec->started = true;
    }
    if (__builtin_sub_overflow(recv_ns, rec->last_recv_ns, &step) || step > FILE_GAP_NS ||
        step < -KDP_NS_PER_S) {
        rec->base_ns = (rec->due_ns != INT64_MAX ? rec->due_ns : rec->base_ns) + KDP_NS_PER_MS;
        rec->from_ns = recv_ns;
    }
    rec->last_recv_ns = recv_ns;
    due = recorded_time(rec, recv_ns);
    rec->due_ns = rec->due_ns != INT64_MAX && due < rec->due_ns ? rec->due_ns : due;
}

/* Everything again from the start, later: the recorded markets live once more, but for those that were determined. */
static int
again(struct exchange_recorded *rec)
{
    struct kdp_exchange *ex = rec->ex;

    if (!ex->config.loop || rec->in_pass == 0)
        return 0;
    rec->in_pass = 0;
    rec->input = 0;
    rec->started = false;
    rec->base_ns = rec->due_ns + KDP_NS_PER_S;
    rec->loop++;
    ex->stats.loops++;
    for (uint32_t i = 0; i < rec->market_count; i++) {
        struct exchange_market *place;

        if (rec->markets[i]->index == NOWHERE)
            continue;
        place = &ex->markets[rec->markets[i]->index];
        rec->markets[i]->over = place->state >= KDP_MARKET_STATUS_DETERMINED;
        if (rec->markets[i]->over)
            continue;
        place->state = KDP_MARKET_STATUS_ACTIVE;
        place->held = false;
        place->close_ns = rec->base_ns + 7 * KDP_NS_PER_DAY;
    }
    forget_lines(rec);
    return next_input(rec);
}

static int
look_ahead(struct exchange_recorded *rec)
{
    int rc = next_input(rec);

    if (rc == 0)
        rc = again(rec);
    if (rc > 0)
        set_due(rec);
    else
        rec->due_ns = INT64_MAX;
    return rc < 0 ? rc : 0;
}

/* The first reading. */
static int
scan(struct exchange_recorded *rec)
{
    int rc = 1;

    for (unsigned i = 0; i < rec->ex->config.input_count; i++)
        if (strcmp(rec->inputs[i], "-") == 0)
            return 0; /* it comes only once: its markets come into being as they are named */
    rec->scanning = true;
    while (rec->in_pass < SCAN_FRAMES_MAX && (rc = next_input(rec)) > 0) {
        set_due(rec);
        input(rec);
    }
    kdp_recording_close(rec->recording);
    rec->recording = NULL;
    rec->scanning = false;
    rec->started = false;
    rec->in_pass = 0;
    rec->input = 0;
    rec->due_ns = INT64_MAX;
    rec->base_ns = rec->ex->config.now_ns;
    for (uint32_t i = 0; i < rec->market_count; i++) {
        rec->markets[i]->has_book = rec->markets[i]->had_orders = false;
        rec->markets[i]->owner = (struct recorded_owner){0, 0, 0};
    }
    forget_lines(rec);
    return rc < 0 ? rc : 0;
}

int
exchange_recorded_open(struct kdp_exchange *ex)
{
    struct exchange_recorded *rec = calloc(1, sizeof *rec);
    int rc;

    if (rec == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for recordings");
    ex->recorded = rec;
    rec->ex = ex;
    rec->speed = ex->config.speed;
    rec->base_ns = ex->config.now_ns;
    rec->due_ns = INT64_MAX;
    rec->inputs = calloc(ex->config.input_count, sizeof *rec->inputs);
    for (unsigned i = 0; rec->inputs != NULL && i < ex->config.input_count; i++) {
        rec->inputs[i] = strdup(ex->config.inputs[i]);
        if (rec->inputs[i] == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory for recordings");
    }
    ex->config.inputs = NULL; /* the caller's may go */
    rec->decoder = kdpi_decoder_open();
    rec->rest = kdpi_rest_open();
    rec->lines = kdp_lines_open();
    rec->trades = kdp_trade_set_open(1u << 20);
    rec->event_heads = malloc(RECORDED_EVENT_HEADS * sizeof *rec->event_heads);
    for (unsigned side = 0; side < 2; side++)
        rec->fresh[side] = malloc(KDPI_LEVELS_MAX * sizeof *rec->fresh[side]);
    if (rec->inputs == NULL || rec->decoder == NULL || rec->rest == NULL || rec->trades == NULL ||
        rec->event_heads == NULL || rec->fresh[0] == NULL || rec->fresh[1] == NULL || rec->lines == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for recordings");
    memset(rec->event_heads, 0xff, RECORDED_EVENT_HEADS * sizeof *rec->event_heads);
    rec->held = ex->config.hold;
    rc = scan(rec);
    return rc == 0 ? look_ahead(rec) : rc;
}

void
exchange_recorded_close(struct kdp_exchange *ex)
{
    struct exchange_recorded *rec = ex->recorded;

    if (rec == NULL)
        return;
    kdp_recording_close(rec->recording);
    kdpi_decoder_close(rec->decoder);
    kdpi_rest_close(rec->rest);
    kdp_lines_close(rec->lines);
    kdp_trade_set_close(rec->trades);
    recorded_markets_free(rec);
    for (unsigned i = 0; rec->inputs != NULL && i < ex->config.input_count; i++)
        free(rec->inputs[i]);
    free(rec->inputs);
    free(rec->fresh[0]);
    free(rec->fresh[1]);
    free(rec->event_heads);
    free(rec);
    ex->recorded = NULL;
}

int64_t
exchange_recorded_due(const struct kdp_exchange *ex)
{
    return ex->recorded != NULL && !ex->recorded->held ? ex->recorded->due_ns : INT64_MAX;
}

static void
shift(int64_t *at, int64_t by_ns)
{
    if (*at != KDP_TIME_NULL)
        *at += by_ns;
}

void
kdp_exchange_release(struct kdp_exchange *ex, int64_t now_ns)
{
    struct exchange_recorded *rec = ex->recorded;
    int64_t by_ns;

    if (rec == NULL || !rec->held)
        return;
    rec->held = false;
    by_ns = now_ns - rec->base_ns;
    rec->base_ns = now_ns;
    if (rec->due_ns != INT64_MAX)
        rec->due_ns += by_ns;
    for (uint32_t i = 0; i < rec->market_count; i++) {
        struct exchange_market *place;

        shift(&rec->markets[i]->expiry_ns, by_ns);
        if (rec->markets[i]->index == NOWHERE)
            continue;
        place = &ex->markets[rec->markets[i]->index];
        shift(&place->created_ns, by_ns);
        shift(&place->open_ns, by_ns);
        shift(&place->close_ns, by_ns);
        shift(&place->determined_ns, by_ns);
        shift(&place->settled_ns, by_ns);
    }
}

int
exchange_recorded_step(struct kdp_exchange *ex)
{
    input(ex->recorded);
    return look_ahead(ex->recorded);
}

size_t
exchange_recorded_memory(const struct kdp_exchange *ex)
{
    const struct exchange_recorded *rec = ex->recorded;

    if (rec == NULL)
        return 0;
    return sizeof *rec + rec->bytes + rec->market_room * sizeof *rec->markets +
           rec->market_count * sizeof **rec->markets + rec->head_count * sizeof *rec->heads +
           rec->event_room * sizeof *rec->events;
}
