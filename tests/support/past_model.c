/* past_model.c - see past_model.h. */
#include "past_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kdp_test.h"
#include "message.h"

#define IN_FLIGHT_MAX 32u

void
past_make(struct past *past, uint64_t seed, unsigned count, int64_t start_us, int64_t end_us)
{
    int64_t at = start_us;

    memset(past, 0, sizeof *past);
    past->random = seed;
    past->count = count;
    past->cutoff_us = start_us;
    for (unsigned i = 0; i < count; i++) {
        int64_t step = (end_us - at) / (count - i);

        /* one in eight shares the microsecond of the one before; bursts and pauses between */
        if (i > 0 && kdp_test_random(&past->random) % 8 != 0 && step > 0)
            at += (int64_t)(kdp_test_random(&past->random) % (uint64_t)(2 * step + 1));
        if (at >= end_us)
            at = end_us - 1;
        past->trades[i].us = at;
        past->trades[i].market =
            (unsigned)(kdp_test_random(&past->random) % (PAST_MARKETS * 2)) % 7 % PAST_MARKETS;
    }
}

/* ---- the lake ---- */
static unsigned
market_of(const char *scope)
{
    return strcmp(scope, "*") == 0 ? PAST_MARKETS : (unsigned)(scope[strlen(scope) - 1] - '0');
}

static bool
of(const struct past *past, unsigned trade, unsigned market, int64_t start_ns, int64_t end_ns)
{
    int64_t ns = past->trades[trade].us * PAST_US;

    return (market == PAST_MARKETS || past->trades[trade].market == market) && ns >= start_ns && ns < end_ns;
}

static int
on_trade(void *arg, const struct kdp_message *trade, int64_t got_ns)
{
    struct past *past = arg;
    uint32_t id = (uint32_t)trade->trade.trade_id[0] << 24 | (uint32_t)trade->trade.trade_id[1] << 16 |
                  (uint32_t)trade->trade.trade_id[2] << 8 | trade->trade.trade_id[3];

    (void)got_ns;
    CHECK(id < past->count);
    CHECK_INT(trade->exch_ns, past->trades[id].us * PAST_US);
    CHECK_INT(trade->market_ticker.data[trade->market_ticker.len - 1] - '0', past->trades[id].market);
    CHECK_INT(trade->trade.count_e2, 100 + id);
    past->twice_given += past->given[id];
    past->given[id] = true;
    return 0;
}

static int
on_window(void *arg, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct past *past = arg;
    unsigned market = market_of(scope);

    CHECK(start_ns < end_ns);
    for (unsigned i = 0; i < past->count && !past->lenient; i++)
        if (of(past, i, market, start_ns, end_ns) && !past->given[i])
            kdp_test_fail(__FILE__, __LINE__,
                          "%s %" PRId64 " to %" PRId64 " is said to be whole without trade %u", scope,
                          start_ns, end_ns, i);
    CHECK(past->said_count < PAST_WINDOWS_MAX);
    past->said[past->said_count++] = (struct past_window){market, start_ns, end_ns};
    return 0;
}

static int
on_forget(void *arg, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct past *past = arg;
    unsigned market = market_of(scope), kept = 0;

    past->forgotten++;
    for (unsigned i = 0; i < past->said_count; i++) {
        struct past_window *w = &past->said[i];

        if (w->market == market && w->start_ns < end_ns && w->end_ns > start_ns)
            continue;
        past->said[kept++] = *w;
    }
    past->said_count = kept;
    return 0;
}

struct kdp_backfill_sink
past_sink(struct past *past)
{
    return (struct kdp_backfill_sink){past, on_trade, on_window, on_forget};
}

static void
flush(struct past *past)
{
    memcpy(past->kept, past->given, sizeof past->kept);
    memcpy(past->sure, past->said, sizeof past->sure);
    past->sure_count = past->said_count;
}

void
past_kill(struct past *past)
{
    memcpy(past->given, past->kept, sizeof past->kept);
    memcpy(past->said, past->sure, sizeof past->sure);
    past->said_count = past->sure_count;
}

unsigned
past_missing(const struct past *past, unsigned market, int64_t start_ns, int64_t end_ns)
{
    unsigned missing = 0;

    for (unsigned i = 0; i < past->count; i++)
        missing += of(past, i, market, start_ns, end_ns) && !past->kept[i];
    return missing;
}

/* The end of what is covered from ns on, ns: nothing; *nextp: where the next cover begins. */
static int64_t
covered_to(const struct past *past, unsigned market, int64_t ns, int64_t *nextp)
{
    int64_t to = ns;
    bool moved = true;

    *nextp = INT64_MAX;
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < past->sure_count; i++) {
            const struct past_window *w = &past->sure[i];

            if (w->market != market && w->market != PAST_MARKETS)
                continue;
            if (w->start_ns <= to && w->end_ns > to) {
                to = w->end_ns;
                moved = true;
            } else if (w->start_ns > to && w->start_ns < *nextp) {
                *nextp = w->start_ns;
            }
        }
    }
    return to;
}

bool
past_covered(const struct past *past, unsigned market, int64_t start_ns, int64_t end_ns)
{
    int64_t next;

    return covered_to(past, market, start_ns, &next) >= end_ns;
}

unsigned
past_add(struct past *past, struct kdp_backfill *backfill, unsigned market, int64_t start_ns, int64_t end_ns)
{
    unsigned added = 0;
    char scope[16] = "*";

    if (market < PAST_MARKETS)
        snprintf(scope, sizeof scope, "KXPAST-%u", market);
    for (int64_t at = start_ns, next; at < end_ns; at = next) {
        int64_t to = covered_to(past, market, at, &next);

        if (to >= end_ns)
            break;
        if (to > at) {
            next = to;
            continue;
        }
        if (next > end_ns)
            next = end_ns;
        CHECK_INT(kdp_backfill_add(backfill, scope, at, next, 1, 0), 0);
        added++;
    }
    return added;
}

/* ---- the exchange ---- */
static bool
parameter(const char *path, const char *name, char *value, size_t size)
{
    char key[32];
    const char *at;
    size_t len;

    snprintf(key, sizeof key, "%s=", name);
    at = strchr(path, '?');
    while (at != NULL && strncmp(at + 1, key, strlen(key)) != 0)
        at = strchr(at + 1, '&');
    if (at == NULL)
        return false;
    at += 1 + strlen(key);
    len = strcspn(at, "&");
    CHECK(len < size);
    memcpy(value, at, len);
    value[len] = '\0';
    return true;
}

static void
put_trade(FILE *out, const struct past *past, unsigned i, const char *separator, unsigned market, int64_t us)
{
    char time[KDPI_TIME_TEXT];

    kdpi_time_format(time, us * PAST_US, 6);
    fprintf(out,
            "%s{\"trade_id\":\"%08x-0000-4000-8000-000000000000\",\"ticker\":\"KXPAST-%u\",\"count_fp\":\"%u."
            "%02u%s\","
            "\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":\"0.5650\",\"taker_outcome_side\":\"yes\","
            "\"taker_book_side\":\"bid\",\"created_time\":\"%s\",\"is_block_trade\":false}",
            separator, i, market, (100 + i) / 100, (100 + i) % 100, past->poison == i && i > 0 ? "1" : "",
            time);
}

static int
refuse(FILE *out, const char *word)
{
    fprintf(out, "{\"error\":{\"code\":\"bad_request\",\"message\":\"%s\"}}", word);
    return 400;
}

static int
trades(struct past *past, const char *path, bool historical, FILE *out)
{
    unsigned page[1001], count = 0, limit = 100, market = PAST_MARKETS;
    int64_t min_us = INT64_MIN, max_us = INT64_MAX;
    unsigned at = past->count;
    const char *separator = "";
    bool given, more = false;
    char text[64];

    if (parameter(path, "limit", text, sizeof text))
        limit = (unsigned)atoi(text);
    CHECK(limit > 0 && limit <= 1000);
    if (past->limit != 0 && limit > past->limit)
        limit = past->limit;
    if (parameter(path, "ticker", text, sizeof text))
        market = market_of(text);
    if (past->foreign > 0 && market != PAST_MARKETS) {
        past->foreign--;
        market = (market + 1) % PAST_MARKETS;
    }
    if (parameter(path, "min_ts", text, sizeof text)) {
        if (past->refuse_min && market != PAST_MARKETS)
            return refuse(out, "min_ts");
        min_us = past->ignore_min ? INT64_MIN : atoll(text) * 1000000;
    }
    CHECK(parameter(path, "max_ts", text, sizeof text)); /* also behind a cursor: it does not carry them */
    max_us = atoll(text) * 1000000;
    given = parameter(path, "cursor", text, sizeof text);
    if (given && past->refused_cursors > 0) {
        past->refused_cursors--;
        return refuse(out, "cursor") - 400 + (past->cursor_status != 0 ? past->cursor_status : 400);
    }
    if (given)
        at = (unsigned)strtoul(text + 2, NULL, 16);
    for (; at > 0; at--) {
        int64_t us = past->trades[at - 1].us;

        if (us < min_us)
            break;
        if (us > max_us || (us < past->cutoff_us) != historical ||
            (market != PAST_MARKETS && past->trades[at - 1].market != market))
            continue;
        if (count == limit) {
            more = true;
            break;
        }
        page[count++] = at - 1;
    }
    if (past->empty > 0 && more) {
        past->empty--;
        at = count > 0 ? page[0] + 1 : at; /* the same place again, by another cursor */
        count = 0;
    }
    if (past->oldest_first || (past->mixed > 0 && count > 1)) {
        past->mixed -= past->mixed > 0;
        for (unsigned i = 0; i < count / 2; i++) {
            unsigned swap = page[i];

            page[i] = page[count - 1 - i];
            page[count - 1 - i] = swap;
        }
    }
    fputs("{\"trades\":[", out);
    if (past->twice && given && count > 0 && page[0] + 1 < past->count && market == PAST_MARKETS &&
        (past->trades[page[0] + 1].us < past->cutoff_us) == historical) {
        put_trade(out, past, page[0] + 1, separator, past->trades[page[0] + 1].market,
                  past->trades[page[0] + 1].us);
        separator = ",";
    }
    for (unsigned i = 0; i < count; i++) {
        put_trade(out, past, page[i], separator, past->trades[page[i]].market, past->trades[page[i]].us);
        separator = ",";
    }
    /* what nobody asked for: an old trade at the end of the page, one of another market at its head */
    if (past->strays && count > 2)
        put_trade(out, past, 0, separator, past->trades[0].market,
                  past->trades[0].us - INT64_C(10) * 86400 * 1000000);
    if (past->strangers && count > 2 && market != PAST_MARKETS)
        put_trade(out, past, 0, ",", 9, past->trades[page[0]].us);
    if (past->no_cursors || !more)
        fputs("],\"cursor\":\"\"}", out);
    else if (past->loops > 0 && given) {
        past->loops--;
        fprintf(out, "],\"cursor\":\"%s\"}", text);
    } else {
        fprintf(out, "],\"cursor\":\"%02x%x\"}", past->asked % 256,
                at); /* never the same text for the same place */
    }
    return 200;
}

int
past_answer(struct past *past, const char *path, char **bodyp, size_t *lenp)
{
    FILE *out = open_memstream(bodyp, lenp);
    char time[KDPI_TIME_TEXT];
    int status = 200;

    CHECK(out != NULL);
    past->asked++;
    past->cutoff_us += past->cutoff_step_us;
    if (strcmp(path, "/historical/cutoff") == 0) {
        past->asked_cutoff++;
        kdpi_time_format(time, past->cutoff_us * PAST_US, 6);
        fprintf(out, "{\"market_settled_ts\":\"%s\",\"trades_created_ts\":\"%s\"}", time, time);
    } else if (past->dead > 0) {
        past->dead--;
        status = refuse(out, "no") - 400 + (past->dead_status != 0 ? past->dead_status : 410);
    } else if (strncmp(path, "/historical/trades?", 19) == 0) {
        past->asked_historical++;
        status = trades(past, path, true, out);
    } else {
        CHECK(strncmp(path, "/markets/trades?", 16) == 0);
        status = trades(past, path, false, out);
    }
    fclose(out);
    if (past->cut > 0 && *lenp > 40) {
        past->cut--;
        *lenp = *lenp / 2;
    }
    return status;
}

/* ---- driving ---- */
bool
past_run(struct past *past, struct kdp_backfill *backfill, unsigned in_flight, unsigned flush_every,
         unsigned steps)
{
    static char paths[IN_FLIGHT_MAX][KDPI_BACKFILL_PATH];
    uint64_t requests[IN_FLIGHT_MAX];
    unsigned count = 0, answered = 0;
    bool flush_due = false;

    while (!kdp_backfill_done(backfill) || count > 0) {
        unsigned pick;
        size_t len;
        char *body;
        int status, rc;

        while (count < in_flight && kdp_backfill_next(backfill, &requests[count], paths[count]))
            count++;
        CHECK(count > 0); /* else it would wait for ever */
        pick = (unsigned)(kdp_test_random(&past->random) % count);
        status = past_answer(past, paths[pick], &body, &len);
        rc = kdp_backfill_answer(backfill, requests[pick], status, body, len, KDP_NS_PER_S);
        free(body);
        CHECK(rc >= 0);
        if (rc != KDP_BACKFILL_AGAIN) {
            count--;
            requests[pick] = requests[count];
            memmove(paths[pick], paths[count], KDPI_BACKFILL_PATH);
        }
        answered++;
        if (steps != 0 && answered >= steps)
            return false;
        if (flush_every != 0 && answered % flush_every == 0 && !flush_due) {
            kdp_backfill_look(backfill);
            flush_due = true;
        }
        if (flush_due && !kdp_backfill_looking(backfill)) {
            CHECK_INT(kdp_backfill_settle(backfill), 0);
            flush(past);
            flush_due = false;
        }
        CHECK(answered < 100000);
    }
    CHECK_INT(kdp_backfill_settle(backfill), 0);
    flush(past);
    return true;
}
