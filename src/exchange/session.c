/* session.c - the API of the session, the order in which things are done, and words for people. */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"
#include "rest.h"
#include "session_private.h"

#define RATE_KEYLESS 100 /* nobody says what a public caller may: half of that tier, 10 requests a second */
#define RATE 200 /* tokens a second of the basic tier, until the exchange says more */
#define NEXT_SOON (10 * MS)
#define CLOCK_STEP (100 * MS) /* the wall clock was set; less is two clocks read one after the other */

/* ---- small things all parts use ---- */

void
session_wake(struct kdp_session *s, int64_t mono_ns)
{
    if (mono_ns <= s->mono) /* what is due now was looked at now: never a loop that spins */
        mono_ns = s->mono + NEXT_SOON;
    if (mono_ns < s->due_ns)
        s->due_ns = mono_ns;
}

int64_t
session_exchange_now(const struct kdp_session *s)
{
    return s->wall + s->ahead_ns;
}

int64_t
session_jitter(struct kdp_session *s, int64_t ns)
{
    uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return ns <= 1 ? ns : ns - (int64_t)(z % ((uint64_t)ns / 2 + 1));
}

void
session_say(struct kdp_session *s, enum kdp_action_kind kind, const char *hint, const char *fmt, ...)
{
    struct message *message;
    va_list args;

    if (s->message_count == MESSAGES_MAX) {
        s->messages_dropped++;
        return;
    }
    message = &s->messages[(s->message_first + s->message_count++) % MESSAGES_MAX];
    message->kind = kind;
    message->code = 0;
    va_start(args, fmt);
    vsnprintf(message->text, sizeof message->text, fmt, args);
    va_end(args);
    snprintf(message->hint, sizeof message->hint, "%s", hint != NULL ? hint : "");
    s->dirty = true;
}

void
session_fail(struct kdp_session *s, int code, const char *hint, const char *fmt, ...)
{
    va_list args;

    if (s->failed)
        return;
    s->failed = s->dirty = true;
    s->failure.kind = KDP_ACTION_FAIL;
    s->failure.code = code;
    va_start(args, fmt);
    vsnprintf(s->failure.text, sizeof s->failure.text, fmt, args);
    va_end(args);
    snprintf(s->failure.hint, sizeof s->failure.hint, "%s", hint != NULL ? hint : "");
}

void
out_begin(struct kdp_session *s)
{
    s->out_len = 0;
    s->out[0] = '\0';
}

bool
out_put(struct kdp_session *s, const char *text, size_t len)
{
    if (len >= OUT_BYTES + OUT_SPARE - s->out_len)
        return false;
    memcpy(s->out + s->out_len, text, len);
    s->out_len += len;
    s->out[s->out_len] = '\0';
    return true;
}

bool
out_format(struct kdp_session *s, const char *fmt, ...)
{
    size_t room = OUT_BYTES + OUT_SPARE - s->out_len;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(s->out + s->out_len, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        s->out[s->out_len] = '\0';
        return false;
    }
    s->out_len += (size_t)n;
    return true;
}

bool
out_escape(struct kdp_session *s, const char *text, size_t len)
{
    if (!kdpi_query_escape(s->out + s->out_len, OUT_BYTES + OUT_SPARE - s->out_len, text, len))
        return false;
    s->out_len += strlen(s->out + s->out_len);
    return true;
}

/* ---- open and close ---- */

static void
rules_free(struct rules_copy *copy)
{
    free(copy->text);
    free(copy->list);
    memset(copy, 0, sizeof *copy);
}

static int
rules_keep(struct rules_copy *copy, const struct kdp_rules *rules)
{
    static const struct kdp_rules none;
    const char *const *lists[3];
    unsigned counts[3];
    size_t bytes = 1, count = 1;
    const char **at;
    char *text;

    rules = rules != NULL ? rules : &none;
    lists[0] = rules->series, lists[1] = rules->events, lists[2] = rules->tickers;
    counts[0] = rules->series_count, counts[1] = rules->event_count, counts[2] = rules->ticker_count;
    for (unsigned k = 0; k < 3; k++)
        for (unsigned i = 0; i < counts[k]; i++, count++)
            bytes += strlen(lists[k][i]) + 1;
    memset(copy, 0, sizeof *copy);
    copy->text = text = malloc(bytes);
    copy->list = at = malloc(count * sizeof *copy->list);
    if (text == NULL || at == NULL) {
        rules_free(copy);
        return kdpi_fail(KDP_ENOMEM, "out of memory: rules");
    }
    copy->rules = *rules;
    for (unsigned k = 0; k < 3; k++) {
        const char **first = at;

        for (unsigned i = 0; i < counts[k]; i++) {
            size_t len = strlen(lists[k][i]) + 1;

            memcpy(text, lists[k][i], len);
            *at++ = text;
            text += len;
        }
        if (k == 0)
            copy->rules.series = first;
        else if (k == 1)
            copy->rules.events = first;
        else
            copy->rules.tickers = first;
    }
    return 0;
}

static void
defaults(struct kdp_session_config *c)
{
    int64_t audit =
        c->keyless ? 20 * SECOND : 60 * SECOND; /* without a stream they are what completes the trades */
    const struct {
        int64_t *value, or ;
    } spans[] = {{&c->snapshot_wait_ns, 2 * SECOND}, {&c->silence_ns, 30 * SECOND},
                 {&c->stall_ns, 15 * SECOND},        {&c->trade_audit_ns, audit},
                 {&c->trade_settle_ns, 20 * SECOND}, {&c->window_pad_ns, 10 * SECOND},
                 {&c->book_audit_ns, 30 * SECOND},   {&c->relist_ns, 600 * SECOND},
                 {&c->trade_poll_ns, 2 * SECOND},    {&c->sample_ns, 12 * SECOND},
                 {&c->backoff_min_ns, 250 * MS},     {&c->backoff_max_ns, 30 * SECOND}};

    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        if (*spans[i].value <= 0)
            *spans[i].value = spans[i].or / 100 * (c->pace_percent != 0 ? c->pace_percent : 100);
    if (c->book_audit_batch == 0)
        c->book_audit_batch = 20;
    if (c->subscribe_batch == 0)
        c->subscribe_batch = 1000;
    if (c->snapshot_batch == 0)
        c->snapshot_batch = 250;
    if (c->connections == 0)
        c->connections = 1;
    if (c->connections > KDP_LINES_LIVE_MAX)
        c->connections = KDP_LINES_LIVE_MAX;
    if (c->keyless)
        c->connections = 0;
    if (c->samples_max == 0 || c->samples_max > SAMPLES_MAX)
        c->samples_max = SAMPLES_MAX;
}

int
kdp_session_open(struct kdp_session **sessionp, const struct kdp_session_config *config)
{
    struct kdp_session *s = calloc(1, sizeof *s);
    int ret;

    if (s == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: session");
    s->config = *config;
    defaults(&s->config);
    s->random = config->seed;
    s->rate = s->capacity = config->keyless ? RATE_KEYLESS : RATE;
    s->tokens_e9 = s->rate * SECOND;
    s->cutoff_ns = KDP_TIME_NULL;
    s->limits_asked = s->listing.heard =
        config->keyless; /* limits are an account's; there is no lifecycle to wait for */
    s->resume_ns = KDP_TIME_NULL;
    s->due_ns = INT64_MAX;
    s->dirty = s->status_wanted = s->audit_asked = true;
    s->healed_told_ns = INT64_MIN;
    trades_open(s);
    s->out = malloc(OUT_BYTES + OUT_SPARE);
    s->reader = kdpi_rest_open();
    ret = s->out == NULL || s->reader == NULL ? kdpi_fail(KDP_ENOMEM, "out of memory: session") : 0;
    if (ret == 0)
        ret = markets_open(s);
    if (ret == 0)
        ret = rules_keep(&s->rules, config->rules);
    if (ret != 0) {
        kdp_session_close(s);
        return ret;
    }
    s->all = kdp_rules_all(&s->rules.rules);
    s->line_count = s->config.connections;
    for (uint32_t i = 1; i <= s->line_count; i++)
        s->lines[i].state = LINE_WAITING;
    *sessionp = s;
    return 0;
}

void
kdp_session_close(struct kdp_session *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i <= KDP_LINES_LIVE_MAX; i++) {
        fifo_free(&s->lines[i].drop);
        for (unsigned chan = 0; chan < CHANS; chan++) {
            fifo_free(&s->lines[i].subs[chan].add);
            fifo_free(&s->lines[i].subs[chan].drop);
        }
    }
    markets_close(s);
    rules_free(&s->rules);
    kdpi_rest_close(s->reader);
    free(s->out);
    free(s);
}

/* ---- what to do ---- */

static bool
say(struct kdp_session *s, struct kdp_action *action)
{
    if (s->failed && !s->fail_told) {
        s->fail_told = true;
        s->message_now = s->failure;
    } else if (s->message_count > 0) {
        s->message_now = s->messages[s->message_first];
        s->message_first = (s->message_first + 1) % MESSAGES_MAX;
        s->message_count--;
    } else {
        return false;
    }
    action->kind = s->message_now.kind;
    action->code = s->message_now.code;
    action->text = s->message_now.text;
    action->len = strlen(action->text);
    action->hint = s->message_now.hint[0] != '\0' ? s->message_now.hint : NULL;
    return true;
}

/* The order: words, what the plant must know before its consequences come, the exchange, what only costs time. */
static bool
work(struct kdp_session *s, struct kdp_action *action)
{
    if (say(s, action))
        return true;
    if (s->failed)
        return false;
    if (status_work(s, action) || market_reload(s, action))
        return true;
    if (s->config.keyless)
        keyless_work(s);
    else if (lines_work(s, action))
        return true;
    if (say(s, action) || (s->tell.count > 0 && market_reload(s, action)))
        return true;
    if (books_recovering(s, action) || market_timer(s, action))
        return true;
    if (s->tell.count > 0 && market_reload(s, action)) /* by a timer just now */
        return true;
    if (trades_work(s, action) || listing_work(s, action) || (!s->config.keyless && audit_work(s, action)) ||
        rest_work(s, action))
        return true;
    if (!s->config.keyless)
        place_balance(s);
    return say(s, action);
}

/* A step of our own clock is none of the exchange's: what is reckoned in its time stays as it was. */
static void
time_is(struct kdp_session *s, int64_t mono_ns, int64_t wall_ns)
{
    int64_t less = wall_ns - mono_ns, step = less - s->wall_less_mono;

    s->mono = mono_ns;
    s->wall = wall_ns;
    if (wall_ns > s->wall_max)
        s->wall_max = wall_ns;
    if (s->begun && (step > CLOCK_STEP || step < -CLOCK_STEP))
        s->ahead_ns -= step;
    s->wall_less_mono = less;
    if (!s->clock_told)
        return;
    s->clock_told = false;
    trades_clock(s, s->ahead_told_ns - s->ahead_ns);
    s->ahead_ns = s->ahead_told_ns;
}

bool
kdp_session_next(struct kdp_session *s, int64_t mono_ns, int64_t wall_ns, struct kdp_action *action)
{
    time_is(s, mono_ns, wall_ns);
    if (!s->begun) {
        s->begun = true;
        s->tokens_ns = s->balance_ns = mono_ns;
        if (s->config.keyless)
            keyless_begin(s);
    }
    if (!s->dirty && mono_ns < s->due_ns)
        return false;
    memset(action, 0, sizeof *action);
    /* a part may make work for one before it (a full line opens another): once more until all is quiet */
    for (unsigned round = 0; round < 8; round++) {
        s->dirty = false;
        s->due_ns = INT64_MAX;
        if (work(s, action)) {
            s->dirty = true;
            return true;
        }
        if (!s->dirty)
            return false;
    }
    s->dirty = false;
    session_wake(s, s->mono + MS);
    return false;
}

int64_t
kdp_session_due(const struct kdp_session *s)
{
    return s->dirty ? s->mono : s->due_ns;
}

/* ---- what happened ---- */

void
kdp_session_clock(struct kdp_session *s, int64_t ahead_ns)
{
    s->ahead_told_ns = ahead_ns; /* holds from the next time that is given */
    s->clock_told = s->dirty = true;
    s->keyless.clock_known = s->keyless.heard_ns != 0;
}

static void
gap_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    const struct line *line =
        notice->line != 0 && notice->line <= s->line_count ? &s->lines[notice->line] : NULL;

    s->dirty = true;
    if (line == NULL)
        return;
    if (notice->gap.channel == KDP_CHANNEL_BOOK)
        books_gap(s, notice->line);
    else if (notice->gap.channel == KDP_CHANNEL_TRADE ||
             (notice->sid != 0 && notice->sid == line->subs[CHAN_TRADE].sid))
        trades_gap(s);
    else if (notice->gap.channel == KDP_CHANNEL_LIFECYCLE)
        listing_lifecycle(s, false);
}

void
kdp_session_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    switch (notice->kind) {
    case KDP_NOTICE_MARKET:
        market_notice(s, notice);
        break;
    case KDP_NOTICE_EVENT:
        market_event_known(s, notice->event.event_ticker, notice->event.series_ticker);
        break;
    case KDP_NOTICE_BOOK:
        books_notice(s, notice);
        break;
    case KDP_NOTICE_SUBSCRIBED:
    case KDP_NOTICE_OK:
    case KDP_NOTICE_UNSUBSCRIBED:
    case KDP_NOTICE_ERROR:
        command_notice(s, notice);
        break;
    case KDP_NOTICE_GAP:
    case KDP_NOTICE_BAD_FIRST:
        gap_notice(s, notice);
        break;
    case KDP_NOTICE_REPEATS:
        if (notice->line != 0 && notice->line <= s->line_count)
            line_reconnect(s, notice->line, "the numbers of subscription %u go back", notice->sid);
        break;
    case KDP_NOTICE_TRADE:
        trades_notice(s, notice);
        break;
    case KDP_NOTICE_REST:
        rest_notice(s, notice);
        break;
    case KDP_NOTICE_AUDIT:
        audit_notice(s, notice);
        break;
    }
}

void
kdp_session_answer(struct kdp_session *s, uint64_t request, int status, int code, const char *body,
                   size_t len, const char *words, int64_t mono_ns, int64_t wall_ns)
{
    time_is(s, mono_ns, wall_ns);
    rest_answer(s, request, status, code, body, len, words);
}

int
kdp_session_reload(struct kdp_session *s, const struct kdp_rules *rules)
{
    struct rules_copy copy;
    int ret = rules_keep(&copy, rules);

    if (ret != 0)
        return ret;
    rules_free(&s->rules);
    s->rules = copy;
    s->all = kdp_rules_all(&s->rules.rules);
    s->rules_told = false;
    markets_replan(s);
    if (!s->config.keyless)
        channel_rules(s);
    s->listing.running = false; /* the listing under way was for the rules before */
    s->listing.next_ns = s->mono;
    s->listing.generation++;
    s->dirty = true;
    return 0;
}

void
kdp_session_stop(struct kdp_session *s, int64_t mono_ns, int64_t wall_ns)
{
    time_is(s, mono_ns, wall_ns);
    if (s->stopping)
        return;
    s->stopping = s->dirty = true;
    trades_stop(s);
    if (s->listing.hole)
        s->stop_until_ns = s->mono + s->config.trade_settle_ns;
}

bool
kdp_session_drained(const struct kdp_session *s, int64_t mono_ns, int64_t *left_nsp)
{
    int64_t left = s->stopping ? s->stop_until_ns - mono_ns : INT64_MAX;
    bool waits =
        trades_open_windows(s) > 0 || s->listing.hole || s->listing.tell || s->healed_tell || s->lost_tell;
    bool done = s->failed || (s->stopping && (left <= 0 || !waits));

    if (left_nsp != NULL)
        *left_nsp = done || left < 0 ? 0 : left;
    return done;
}

/* ---- how it is ---- */

void
kdp_session_stats(const struct kdp_session *s, struct kdp_session_stats *stats)
{
    *stats = s->stats;
    stats->lines_wanted = s->line_count;
    stats->lines_up = 0;
    for (uint32_t i = 1; i <= s->line_count; i++)
        stats->lines_up += s->lines[i].state == LINE_UP;
    stats->markets_known = s->known;
    stats->markets_planned = s->planned;
    stats->windows_open = trades_open_windows(s);
    stats->paused = s->pause_told;
    stats->resume_wall_ns = s->resume_ns;
    stats->polled_from_ns = s->keyless.began_wall + s->ahead_ns;
    stats->complete_ns = s->audited_ns;
    stats->sampled = s->keyless.none ? 0 : s->keyless.count;
}

const char *
kdp_session_words(const struct kdp_session *s)
{
    return s->keyless.words;
}

bool
kdp_session_line_at(const struct kdp_session *s, uint16_t at, struct kdp_session_line *out)
{
    const struct line *line;

    if (at == 0 || at > s->line_count)
        return false;
    line = &s->lines[at];
    out->wanted = true;
    out->up = line->state == LINE_UP;
    out->planned = line->planned;
    out->reconnects = line->reconnects;
    memcpy(out->last_words, line->last_words, sizeof out->last_words);
    return true;
}
