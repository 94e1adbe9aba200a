/* session_command.c - commands of a line: ids, pace, and what their replies and errors mean. */
#include <string.h>

#include "error.h"
#include "session_private.h"

#define PACE (10 * MS) /* between commands, after a burst; the exchange says 10,000 a second */
#define PACE_MAX SECOND
#define BURST 20
#define OVERFLOW_SPAN (600 * SECOND) /* two overflows within it: the line is too slow for its books */
#define HOLD_MIN (250 * MS)

const char *
chan_name(enum chan chan)
{
    static const char *const names[CHANS] = {[CHAN_BOOK] = "orderbook_delta",
                                             [CHAN_TRADE] = "trade",
                                             [CHAN_TICKER] = "ticker",
                                             [CHAN_LIFE] = "market_lifecycle_v2",
                                             [CHAN_MULTI] = "multivariate_market_lifecycle"};

    return names[chan];
}

bool
command_may(struct kdp_session *s, uint16_t at)
{
    struct line *line = &s->lines[at];
    int64_t free_ns;

    if (line->pace_ns == 0)
        line->pace_ns = PACE;
    if (line->hold_ns > s->mono) {
        session_wake(s, line->hold_ns);
        return false;
    }
    if (line->tokens_ns < s->mono)
        line->tokens_ns = s->mono;
    free_ns = line->tokens_ns - (BURST - 1) * line->pace_ns;
    if (free_ns > s->mono) {
        session_wake(s, free_ns);
        return false;
    }
    return true;
}

uint32_t
command_begin(struct kdp_session *s, uint16_t at, enum command_kind kind, enum chan chan)
{
    static const char *const actions[] = {
        [COMMAND_ADD] = "add_markets", [COMMAND_DELETE] = "delete_markets", [COMMAND_SNAP] = "get_snapshot"};
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[chan];
    uint32_t id = ++line->next_id;
    struct sent *sent = &line->sent[id % COMMANDS_KEPT];

    *sent = (struct sent){.id = id, .kind = (uint8_t)kind, .chan = (uint8_t)chan, .at_ns = s->mono};
    out_begin(s);
    switch (kind) {
    case COMMAND_SUBSCRIBE:
        out_format(s, "{\"id\":%u,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"%s\"]", id,
                   chan_name(chan));
        if (chan == CHAN_BOOK)
            out_format(s, ",\"use_yes_price\":true"); /* never left to a default that is announced to flip */
        break;
    case COMMAND_ADD:
    case COMMAND_DELETE:
    case COMMAND_SNAP:
        out_format(s,
                   "{\"id\":%u,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[%u],\"action\":\"%s\"",
                   id, sub->sid, actions[kind]);
        break;
    case COMMAND_UNSUBSCRIBE:
        out_format(s, "{\"id\":%u,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[%u]", id, sub->sid);
        break;
    case COMMAND_LIST:
        out_format(s, "{\"id\":%u,\"cmd\":\"list_subscriptions\"}", id);
        break;
    }
    return id;
}

/* command_ticker adds one market to the list of the command being written; false when it is full. */
bool
command_ticker(struct kdp_session *s, const struct market *m, uint32_t *countp)
{
    size_t len;
    const char *name = market_name(s, m, &len);

    if (s->out_len + len + 64 > OUT_BYTES)
        return false;
    out_format(s, "%s\"%.*s\"", *countp == 0 ? ",\"market_tickers\":[" : ",", (int)len, name);
    ++*countp;
    return true;
}

bool
command_end(struct kdp_session *s, uint16_t at, uint32_t count, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sent *sent = &line->sent[line->next_id % COMMANDS_KEPT];

    if (sent->kind != COMMAND_LIST)
        out_format(s, "%s}}", count > 0 ? "]" : "");
    sent->count = count;
    line->tokens_ns += line->pace_ns;
    if (line->pace_ns > PACE) /* a pace that was slowed down comes back */
        line->pace_ns -= line->pace_ns / 64;
    if (line->pace_ns < PACE)
        line->pace_ns = PACE;
    s->stats.commands++;
    action->kind = KDP_ACTION_COMMAND;
    action->line = at;
    action->text = s->out;
    action->len = s->out_len;
    return true;
}

/* ---- replies ---- */

static struct sent *
sent_find(struct line *line, const struct kdp_notice *notice)
{
    struct sent *sent;

    if (!notice->reply.has_id || notice->reply.id <= 0 || notice->reply.id > line->next_id)
        return NULL;
    sent = &line->sent[notice->reply.id % COMMANDS_KEPT];
    return sent->id == (uint32_t)notice->reply.id ? sent : NULL;
}

static bool
chan_by_sid(const struct line *line, uint32_t sid, enum chan *chanp)
{
    for (unsigned chan = 0; chan < CHANS; chan++)
        if (line->subs[chan].sid == sid && sid != 0) {
            *chanp = (enum chan)chan;
            return true;
        }
    return false;
}

static bool
chan_by_channel(const struct line *line, uint8_t channel, enum chan *chanp)
{
    static const enum chan chans[KDP_CHANNELS] = {[KDP_CHANNEL_BOOK] = CHAN_BOOK,
                                                  [KDP_CHANNEL_TICKER] = CHAN_TICKER,
                                                  [KDP_CHANNEL_TRADE] = CHAN_TRADE,
                                                  [KDP_CHANNEL_LIFECYCLE] = CHAN_LIFE};

    if (channel < KDP_CHANNEL_BOOK || channel > KDP_CHANNEL_LIFECYCLE)
        return false;
    *chanp = chans[channel];
    if (channel == KDP_CHANNEL_LIFECYCLE && line->subs[CHAN_LIFE].state != SUB_ASKED)
        *chanp = CHAN_MULTI;
    return line->subs[*chanp].state == SUB_ASKED;
}

void
sub_on(struct kdp_session *s, uint16_t at, enum chan chan, uint32_t sid)
{
    struct sub *sub = &s->lines[at].subs[chan];

    if (sub->state != SUB_ASKED || sid == 0 || sid == sub->dead_sid)
        return;
    sub->state = SUB_ON;
    sub->sid = sid;
    sub->tries = 0;
    sub->on_ns = s->mono;
    s->dirty = true;
    if (chan == CHAN_TRADE)
        trades_on(s);
    else if (chan == CHAN_LIFE)
        listing_lifecycle(s, true);
}

/* The subscription is gone: anew after after_ns. */
void
sub_ended(struct kdp_session *s, uint16_t at, enum chan chan, int64_t after_ns)
{
    struct sub *sub = &s->lines[at].subs[chan];
    bool ending = sub->state == SUB_ENDING, named = sub->members > 0 || s->all;

    if (sub->sid != 0)
        sub->dead_sid = sub->sid;
    sub->sid = sub->members = 0;
    sub->state = after_ns > 0 ? SUB_LATER : SUB_OFF;
    sub->at_ns = s->mono + after_ns;
    s->dirty = true;
    if (chan == CHAN_BOOK) {
        s->lines[at].adds_out = 0;
        books_lost(s, at);
    } else {
        channel_lost(s, at, chan);
    }
    if (chan == CHAN_TRADE && !(ending && !named))
        trades_lost(s);
}

/* The exchange ended it: anew, and later each time it does so soon after. */
static void
ended_again(struct kdp_session *s, uint16_t at, enum chan chan)
{
    struct sub *sub = &s->lines[at].subs[chan];
    int64_t after;

    if (sub->on_ns != 0 && s->mono - sub->on_ns > 60 * SECOND)
        sub->ends = 0;
    after = s->config.backoff_min_ns << (sub->ends < 8 ? sub->ends : 8);
    if (sub->ends < UINT8_MAX)
        sub->ends++;
    if (after > s->config.backoff_max_ns)
        after = s->config.backoff_max_ns;
    sub_ended(s, at, chan, session_jitter(s, after));
}

static void
terminal(struct kdp_session *s, uint16_t at, enum chan chan, int64_t code)
{
    struct line *line = &s->lines[at];

    session_say(s, KDP_ACTION_NOTICE, "", "connection %u: %s ended by error %d: subscribing anew", at,
                chan_name(chan), (int)code);
    if (code == 25 && chan == CHAN_BOOK && line->overflow_ns + OVERFLOW_SPAN < s->mono)
        line->overflows = 0;
    if (code == 25 && chan == CHAN_BOOK)
        line->overflow_ns = s->mono;
    if (code == 25 && chan == CHAN_BOOK && ++line->overflows >= 2) {
        line->overflows = 0;
        place_halve(s, at);
    }
    ended_again(s, at, chan);
}

/* One word for each kind of error in the life of a session, however often it comes. */
static void
say_once(struct kdp_session *s, uint16_t at, const struct kdp_notice *notice)
{
    uint64_t bit =
        UINT64_C(1) << (notice->reply.code >= 0 && notice->reply.code < 63 ? notice->reply.code : 63);
    char words[160];

    if ((s->warned & bit) != 0)
        return;
    s->warned |= bit;
    /* before the first listing a market of an earlier run may be gone, which that will tell */
    if (!s->stats.listed) {
        s->warned &= ~bit;
        return;
    }
    session_say(s, KDP_ACTION_WARN, "It goes on without; further ones of this kind are only counted",
                "the exchange refused a command on connection %u: error %lld \"%s\"", at,
                (long long)notice->reply.code,
                kdpi_escape(words, sizeof words, notice->reply.text.data, notice->reply.text.len));
}

static void
slow_down(struct kdp_session *s, uint16_t at, const struct sent *sent)
{
    struct line *line = &s->lines[at];

    line->pace_ns = line->pace_ns * 2 > PACE_MAX ? PACE_MAX : line->pace_ns * 2;
    line->hold_ns = s->mono + session_jitter(s, HOLD_MIN + 4 * line->pace_ns);
    if (sent == NULL)
        return;
    if (sent->chan == CHAN_BOOK)
        books_refused(s, at, sent, 27);
    else
        channel_refused(s, at, sent, 27);
}

static void
error_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    struct line *line = &s->lines[notice->line];
    struct sent *sent = sent_find(line, notice);
    int64_t code = notice->reply.code;
    enum chan chan = CHAN_BOOK;
    bool known = chan_by_sid(line, notice->sid, &chan);

    if (sent != NULL && !known) {
        chan = (enum chan)sent->chan;
        known = sent->kind != COMMAND_LIST;
    }
    if (code == 27) {
        slow_down(s, notice->line, sent);
    } else if ((code == 25 || code == 10) && known && (sent == NULL || sent->kind != COMMAND_SUBSCRIBE)) {
        terminal(s, notice->line, chan, code);
    } else if (code == 7 && known) {
        ended_again(s, notice->line, chan);
    } else if (sent != NULL && known) {
        if (code != 26)
            say_once(s, notice->line, notice);
        if (chan == CHAN_BOOK)
            books_refused(s, notice->line, sent, code);
        else
            channel_refused(s, notice->line, sent, code);
    } else {
        say_once(s, notice->line, notice);
    }
    if (sent != NULL)
        sent->id = 0;
}

void
command_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    struct line *line;
    struct sent *sent;
    enum chan chan;

    if (notice->line == 0 || notice->line > s->line_count || s->lines[notice->line].state != LINE_UP)
        return;
    line = &s->lines[notice->line];
    sent = sent_find(line, notice);
    s->dirty = true;
    switch (notice->kind) {
    case KDP_NOTICE_SUBSCRIBED:
        if (sent != NULL && sent->kind == COMMAND_SUBSCRIBE)
            sub_on(s, notice->line, (enum chan)sent->chan, notice->sid);
        else if (chan_by_channel(line, notice->reply.channel, &chan))
            sub_on(s, notice->line, chan, notice->sid);
        break;
    case KDP_NOTICE_OK:
        if (sent != NULL && sent->kind == COMMAND_ADD && sent->chan == CHAN_BOOK) {
            line->adds_out -= line->adds_out > 0;
            line->split = line->split * 2 < s->config.subscribe_batch ? line->split * 2 : 0;
        }
        if (sent != NULL && sent->kind == COMMAND_SUBSCRIBE && notice->sid != 0) /* a repeated one */
            sub_on(s, notice->line, (enum chan)sent->chan, notice->sid);
        if (sent != NULL)
            sent->id = 0;
        break;
    case KDP_NOTICE_UNSUBSCRIBED:
        if (!chan_by_sid(line, notice->sid, &chan)) {
            if (sent == NULL || sent->kind != COMMAND_UNSUBSCRIBE)
                break;
            chan = (enum chan)sent->chan;
        }
        if (line->subs[chan].state != SUB_ENDING && line->subs[chan].state != SUB_ON)
            break; /* of one that was given up before */
        if (line->subs[chan].state == SUB_ENDING)
            sub_ended(s, notice->line, chan, 0);
        else
            ended_again(s, notice->line, chan);
        break;
    case KDP_NOTICE_ERROR:
        error_notice(s, notice);
        break;
    default:
        break;
    }
}
