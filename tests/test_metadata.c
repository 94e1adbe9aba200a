/* test_metadata.c - versions of terms: written once, and for any past instant what was known then (docs/design/metadata.md). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "clock.h"
#include "error.h"
#include "history.h"
#include "json.h"
#include "kdp_test.h"
#include "raw.h"
#include "record.h"
#include "support/lake_fixture.h"
#include "tape.h"
#include "terms.h"
#include "terms_tape.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */
#define MIN (60 * KDP_NS_PER_S)

/* ---- filing ---- */
struct filer {
    struct kdp_history *history;
    struct kdp_terms *terms;
    struct kdp_rest_reader *reader;
};

static bool
each_market(void *arg, const struct kdp_rest_market *market)
{
    struct filer *filer = arg;

    CHECK_INT(kdp_terms_market(filer->terms, market), 0);
    return true;
}

static void
filer_open(struct filer *filer, const char *dir)
{
    struct kdp_history_config config = {.dir = dir, .memory_bytes = 128 << 20};

    lake_need_duckdb();
    if (kdp_history_open(&filer->history, &config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    CHECK_INT(kdp_terms_open(&filer->terms, filer->history), 0);
    filer->reader = kdpi_rest_open();
    kdpi_rest_want_terms(filer->reader, true);
}

static void
filer_close(struct filer *filer)
{
    if (kdp_history_flush(filer->history) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    kdp_terms_close(filer->terms);
    kdp_history_close(filer->history);
    kdpi_rest_close(filer->reader);
}

static void
file_body(struct filer *filer, int64_t seen_ns, const char *body, size_t len)
{
    struct kdp_rest_end end;

    kdp_history_seen(filer->history, seen_ns);
    kdpi_rest_markets(filer->reader, body, len, each_market, filer, &end);
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(end.refused, 0);
}

struct model { /* a market as the exchange has it */
    const char *ticker, *title, *status, *result, *rules;
    int64_t created, updated, open, close, settled; /* KDP_TIME_NULL: not said */
    int step;                                       /* tick, 1e-4 dollar */
};

static const char *
when(int64_t ns)
{
    static char text[8][KDPI_TIME_TEXT];
    static unsigned next;
    char *at = text[next++ % 8];

    kdpi_time_format(at, ns, 6);
    return at;
}

static void
file_model(struct filer *filer, int64_t seen_ns, const struct model *m)
{
    char body[4096], updated[64] = "", settled[128] = "";
    int len;

    if (m->updated != KDP_TIME_NULL)
        snprintf(updated, sizeof updated, "\"updated_time\":\"%s\",", when(m->updated));
    if (m->settled != KDP_TIME_NULL)
        snprintf(settled, sizeof settled, "\"settlement_ts\":\"%s\",\"settlement_value_dollars\":\"1.0000\",",
                 when(m->settled));
    len =
        snprintf(body, sizeof body,
                 "{\"market\":{\"ticker\":\"%s\",\"event_ticker\":\"KXM-26NOV18\",\"market_type\":\"binary\","
                 "\"title\":\"%s\",\"yes_sub_title\":\"Yes\",\"no_sub_title\":\"No\",\"created_time\":\"%s\","
                 "%s%s\"open_time\":\"%s\",\"close_time\":\"%s\",\"latest_expiration_time\":\"%s\","
                 "\"status\":\"%s\",\"result\":\"%s\",\"can_close_early\":true,\"expiration_value\":\"\","
                 "\"rules_primary\":\"%s\",\"rules_secondary\":\"The same for all.\","
                 "\"price_level_structure\":\"linear_cent\",\"price_ranges\":[{\"start\":\"0.0000\","
                 "\"end\":\"1.0000\",\"step\":\"0.%04d\"}],\"yes_bid_dollars\":\"0.%02d00\","
                 "\"last_price_dollars\":\"0.5000\",\"volume_fp\":\"%d.00\"}}",
                 m->ticker, m->title, when(m->created), updated, settled, when(m->open), when(m->close),
                 when(m->close), m->status, m->result, m->rules, m->step, (int)(seen_ns / KDP_NS_PER_S % 90),
                 (int)(seen_ns / KDP_NS_PER_S % 100000));
    CHECK(len > 0 && (size_t)len < sizeof body);
    file_body(filer, seen_ns, body, (size_t)len);
}

static struct model
new_market(const char *ticker)
{
    return (struct model){.ticker = ticker,
                          .title = "Will it?",
                          .status = "active",
                          .result = "",
                          .rules = "If it does.",
                          .created = DAY_0,
                          .updated = DAY_0 + MIN,
                          .open = DAY_0 + 2 * MIN,
                          .close = DAY_0 + 1000 * MIN,
                          .settled = KDP_TIME_NULL,
                          .step = 100};
}

/* A column of the view at an instant. */
static const char *
asof(const char *dir, const char *ticker, int64_t ns, const char *column)
{
    return lake_ask(
        dir, 0,
        "SELECT %s FROM markets_asof WHERE ticker = '%s' AND valid_from <= '%s'::TIMESTAMP_NS AND "
        "'%s'::TIMESTAMP_NS < valid_to",
        column, ticker, when(ns), when(ns));
}

KDP_TEST(quotes_alone_make_no_version_and_a_text_is_stored_once)
{
    const char *dir = kdp_test_dir();
    struct model a = new_market("KXM-26NOV18-A"), b = new_market("KXM-26NOV18-B");
    struct filer filer;

    for (int round = 0; round < 2; round++) { /* in one run, and over two */
        filer_open(&filer, dir);
        for (int i = 0; i < 5; i++) {
            file_model(&filer, DAY_0 + (10 + 10 * round + i) * MIN,
                       &a); /* other bids and volumes each time */
            file_model(&filer, DAY_0 + (10 + 10 * round + i) * MIN, &b);
        }
        filer_close(&filer);
    }
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM market_terms"), "2");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM texts"), "2");
    CHECK_STR(lake_ask(dir, 0, "SELECT string_agg(text, ' ' ORDER BY text) FROM texts"),
              "If it does. The same for all.");
    /* first seen then, and not when it was asked last */
    CHECK_STR(lake_ask(dir, 0, "SELECT max(seen_ts) FROM market_terms"), "2026-11-18T00:10:00.000000000Z");
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT t.text FROM market_terms m JOIN texts t ON t.hash = m.rules_primary_hash WHERE "
                 "ticker = 'KXM-26NOV18-A'"),
        "If it does.");
    b.rules = "If it does, twice.";
    b.updated += 20 * MIN;
    filer_open(&filer, dir);
    file_model(&filer, DAY_0 + 40 * MIN, &a);
    file_model(&filer, DAY_0 + 40 * MIN, &b);
    filer_close(&filer);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM market_terms"), "3");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM texts"), "3");
}

KDP_TEST(a_result_is_not_there_before_it_was_known)
{
    const char *dir = kdp_test_dir(), *t = "KXM-26NOV18-A", *late = "KXM-26NOV18-L", *bare = "KXM-26NOV18-N";
    struct model m = new_market(t), l = new_market(late), n = new_market(bare);
    struct filer filer;

    filer_open(&filer, dir);
    file_model(&filer, DAY_0 + 10 * MIN, &m);
    /* the close is moved up, then it ends; asked for long after, and updated_time moved with the close only */
    m.close = DAY_0 + 100 * MIN;
    m.updated = DAY_0 + 90 * MIN;
    m.settled = DAY_0 + 130 * MIN;
    m.status = "finalized";
    m.result = "yes";
    file_model(&filer, DAY_0 + 5000 * MIN, &m);
    /* one that was only ever seen after its end, with an updated_time of long before */
    l.close = DAY_0 + 100 * MIN;
    l.settled = DAY_0 + 130 * MIN;
    l.status = "finalized";
    l.result = "no";
    file_model(&filer, DAY_0 + 5000 * MIN, &l);
    /* one of which the exchange says neither when it was touched nor when it was settled */
    n = l;
    n.ticker = bare;
    n.updated = n.settled = KDP_TIME_NULL;
    file_model(&filer, DAY_0 + 5000 * MIN, &n);
    filer_close(&filer);

    CHECK_STR(asof(dir, t, DAY_0 + 30 * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 30 * MIN, "close_time"), "2026-11-18T16:40:00.000000000Z");
    CHECK_STR(asof(dir, t, DAY_0 + 30 * MIN, "status"), "active");
    CHECK_STR(asof(dir, t, DAY_0 + 90 * MIN, "close_time"), "2026-11-18T01:40:00.000000000Z");
    CHECK_STR(asof(dir, t, DAY_0 + 95 * MIN, "status"), "active");
    CHECK_STR(asof(dir, t, DAY_0 + 101 * MIN, "status"), "closed");
    CHECK_STR(asof(dir, t, DAY_0 + 129 * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 129 * MIN, "settlement_value"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 130 * MIN, "result"), "yes");
    CHECK_STR(asof(dir, t, DAY_0 + 130 * MIN, "settlement_value"), "1.000000");
    CHECK_STR(asof(dir, t, DAY_0 + 130 * MIN, "status"), "finalized");
    CHECK_STR(asof(dir, t, DAY_0 - MIN, "ticker"), "");
    /* before its first version: the terms, but neither outcome nor the close that was moved */
    CHECK_STR(asof(dir, t, DAY_0, "assumed"), "true");
    CHECK_STR(asof(dir, t, DAY_0, "title"), "Will it?");
    CHECK_STR(asof(dir, t, DAY_0, "close_time"), "NULL");

    CHECK_STR(asof(dir, late, DAY_0 + 50 * MIN, "title"), "Will it?");
    for (int64_t at = 10; at < 130; at += 40)
        CHECK_STR(asof(dir, late, DAY_0 + at * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, late, DAY_0 + 131 * MIN, "result"), "no");

    CHECK_STR(asof(dir, bare, DAY_0 + 4999 * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, bare, DAY_0 + 4999 * MIN, "assumed"), "true");
    CHECK_STR(asof(dir, bare, DAY_0 + 5000 * MIN, "result"), "no");
    /* spans of a market neither overlap nor leave a hole */
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT count(*) FROM (SELECT valid_to, lead(valid_from) OVER (PARTITION BY ticker ORDER "
                 "BY valid_from) AS next FROM markets_asof) WHERE valid_to IS DISTINCT FROM next AND next "
                 "IS NOT NULL"),
        "0");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM markets_at('%s'::TIMESTAMP_NS)", when(DAY_0 + 50 * MIN)),
              "3");
}

/* A market's life of random changes, asked for after each: any instant must give what the model was then. */
KDP_TEST(any_instant_gives_what_the_exchange_said_then)
{
    static const char *const titles[] = {"Will it?", "Will it so?", "Will it then?"};
    uint64_t random = kdp_test_seed();
    const char *dir = kdp_test_dir();
    struct model past[60], m;
    struct span {
        int64_t from, close;
        const char *words;
    } spans[60];
    struct filer filer;
    unsigned count = 0;
    char *rows;

    filer_open(&filer, dir);
    m = new_market("KXM-26NOV18-R");
    m.open =
        DAY_0 + 30 * KDP_NS_PER_S; /* before its first version, so that the clock alone changes nothing */
    for (int i = 0; i < 60; i++) {
        if (i > 0)
            m.updated += (int64_t)(1 + kdp_test_random(&random) % (10 * 60)) * KDP_NS_PER_S;
        switch (kdp_test_random(&random) % 4) {
        case 0:
            m.close = DAY_0 + 1000 * MIN + (int64_t)(kdp_test_random(&random) % 500) * MIN;
            break;
        case 1:
            m.step = 10 + (int)(kdp_test_random(&random) % 5) * 10;
            break;
        case 2:
            m.title = titles[kdp_test_random(&random) % 3];
            break;
        default: /* the exchange touched something that is not kept */
            break;
        }
        past[i] = m;
        file_model(&filer, m.updated + 1 + (int64_t)(kdp_test_random(&random) % KDP_NS_PER_S), &m);
        if (kdp_test_random(&random) % 8 == 0 && kdp_history_flush(filer.history) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    }
    filer_close(&filer);
    rows =
        lake_dump(dir, 0,
                  "SELECT epoch_ns(valid_from), epoch_ns(close_time), title, price_ranges FROM markets_asof "
                  "WHERE NOT assumed ORDER BY valid_from");
    for (char *at = rows; at[0] != '\0'; count++) {
        struct span *span = &spans[count];
        char *end = strchr(at, '\n');

        CHECK(count < 60 && end != NULL);
        *end = '\0';
        span->from = strtoll(at, &at, 10);
        span->close = strtoll(at + 1, &at, 10);
        span->words = at;
        at = end + 1;
        /* no two in a row are the same */
        CHECK(count == 0 || span->from > spans[count - 1].from);
        CHECK(count == 0 || span->close != spans[count - 1].close ||
              strcmp(span->words, spans[count - 1].words) != 0);
    }
    for (unsigned i = 0; i < 60; i++) {
        char words[256];

        snprintf(words, sizeof words, "|%s|[{\"start\":\"0.0000\",\"end\":\"1.0000\",\"step\":\"0.%04d\"}]",
                 past[i].title, past[i].step);
        /* from its first nanosecond to its last */
        for (int last = 0; last < 2; last++) {
            int64_t at = last == 0 ? past[i].updated : i + 1 < 60 ? past[i + 1].updated - 1 : INT64_MAX;
            unsigned found = 0;

            while (found + 1 < count && spans[found + 1].from <= at)
                found++;
            CHECK(spans[found].from <= at);
            CHECK_INT(spans[found].close, past[i].close);
            CHECK_STR(spans[found].words, words);
        }
    }
    free(rows);
}

/* Answers to two questions may come out of a cache, the one older than the other: what the exchange has replaced does not come back. */
KDP_TEST(an_answer_of_before_does_not_bring_old_terms_back)
{
    const char *dir = kdp_test_dir();
    struct model was = new_market("KXM-26NOV18-R"), now;
    struct filer filer;

    filer_open(&filer, dir);
    was.title = "Will it?";
    now = was;
    now.title = "Will it so?";
    now.updated = was.updated + 10 * MIN;
    file_model(&filer, was.updated + MIN, &was);
    file_model(&filer, now.updated + 5 * KDP_NS_PER_S, &now);
    file_model(&filer, now.updated + 9 * KDP_NS_PER_S, &was); /* of a listing, out of a cache */
    file_model(&filer, now.updated + 20 * KDP_NS_PER_S, &now);
    filer_close(&filer);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM market_terms"), "4");
    CHECK_STR(lake_ask(dir, 0, "SELECT arg_max(title, valid_from) FROM markets_asof"), "Will it so?");
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT max(valid_from) FILTER (title = 'Will it?') < min(valid_from) FILTER (title = 'Will "
                 "it so?') FROM markets_asof"),
        "true");
}

/* ---- with the stream ---- */
static uint64_t
put_record(struct kdp_tape_writer *writer, void *rec, size_t size, uint64_t seq, int64_t ns)
{
    struct kdp_head *head = rec;

    head->seq = seq;
    head->recv_ns = ns + 5 * KDP_NS_PER_MS;
    head->exch_ns = ns;
    head->instrument = 1;
    CHECK_INT(kdp_tape_append(writer, rec, size, seq), 0);
    return seq + 1;
}

static uint64_t
put_definition(struct kdp_tape_writer *writer, const struct model *m, uint8_t status, uint64_t seq,
               int64_t ns)
{
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    const char *const texts[] = {m->ticker, "KXM-26NOV18", "", m->title, "Yes", "linear_cent"};
    struct kdp_definition_ranges *ranges;
    struct kdp_definition *def;
    struct kdp_builder b;

    def = kdpi_build_start(&b, mem, KDP_TEMPLATE_DEFINITION);
    def->open_ns = m->open;
    def->close_ns = def->expiry_ns = m->close;
    def->floor_strike_e6 = def->cap_strike_e6 = KDP_INT64_NULL;
    def->status = status;
    def->can_close_early = KDP_BOOL_YES;
    ranges = kdpi_build_group(&b, 1);
    *ranges = (struct kdp_definition_ranges){.start_e4 = 0, .end_e4 = 10000, .step_e4 = m->step};
    for (unsigned i = 0; i < 6; i++)
        kdpi_build_text(&b, (struct kdp_text){texts[i], strlen(texts[i])});
    return put_record(writer, mem, kdpi_build_finish(&b), seq, ns);
}

KDP_TEST(what_the_stream_told_and_what_rest_said_are_one_history)
{
    struct kdp_tape_config config = {.dir = kdp_test_dir(), .session = 7, .segment_bytes = 4 << 20};
    const char *dir = config.dir, *t = "KXM-26NOV18-S";
    struct kdp_lifecycle life;
    struct model m = new_market(t);
    struct kdp_tape_writer *writer;
    struct filer filer;
    struct kdp_builder b;
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    uint64_t cut, seq = 1;

    lake_need_duckdb();
    CHECK_INT(kdp_tape_writer_open(&writer, &config, 1, &cut), 0);
    seq = put_definition(writer, &m, KDP_MARKET_STATUS_ACTIVE, seq, DAY_0 + 20 * MIN);
    m.step = 10;
    seq = put_definition(writer, &m, KDP_MARKET_STATUS_ACTIVE, seq, DAY_0 + 30 * MIN);
    seq =
        put_definition(writer, &m, KDP_MARKET_STATUS_ACTIVE, seq, DAY_0 + 31 * MIN); /* a day's repetition */
    m.close = DAY_0 + 50 * MIN;
    seq = put_definition(writer, &m, KDP_MARKET_STATUS_ACTIVE, seq, DAY_0 + 45 * MIN);
    seq = put_definition(writer, &m, KDP_MARKET_STATUS_DETERMINED, seq, DAY_0 + 60 * MIN);
    (void)kdpi_build_start(&b, mem, KDP_TEMPLATE_LIFECYCLE);
    kdpi_build_finish(&b);
    memcpy(&life, mem, sizeof life);
    life.kind = KDP_LIFECYCLE_KIND_DETERMINED;
    life.result = KDP_RESULT_YES;
    life.open_ns = life.close_ns = KDP_TIME_NULL;
    life.at_ns = DAY_0 + 60 * MIN;
    life.settlement_value_e6 = 1000000;
    put_record(writer, &life, sizeof life, seq, DAY_0 + 60 * MIN);
    CHECK_INT(kdp_tape_sync(writer), 0);
    CHECK_INT(kdp_tape_writer_close(writer), 0);

    /* the stream alone */
    CHECK_STR(asof(dir, t, DAY_0 + 25 * MIN, "price_ranges"),
              "[{\"start\":\"0.0000\",\"end\":\"1.0000\",\"step\":\"0.0100\"}]");
    CHECK_STR(asof(dir, t, DAY_0 + 30 * MIN, "price_ranges"),
              "[{\"start\":\"0.0000\",\"end\":\"1.0000\",\"step\":\"0.0010\"}]");
    CHECK_STR(asof(dir, t, DAY_0 + 44 * MIN, "close_time"), "2026-11-18T16:40:00.000000000Z");
    CHECK_STR(asof(dir, t, DAY_0 + 46 * MIN, "close_time"), "2026-11-18T00:50:00.000000000Z");
    CHECK_STR(asof(dir, t, DAY_0 + 59 * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 60 * MIN, "result"), "yes");
    CHECK_STR(asof(dir, t, DAY_0 + 60 * MIN, "settlement_value"), "1.000000");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM markets_asof WHERE NOT assumed"), "4");

    /* REST before (the rules) and after (settlement); it agrees with the stream, so only what it adds is a change */
    filer_open(&filer, dir);
    m = new_market(t);
    file_model(&filer, DAY_0 + 19 * MIN, &m);
    m.step = 10;
    m.close = DAY_0 + 50 * MIN;
    m.updated = DAY_0 + 60 * MIN;
    m.settled = DAY_0 + 90 * MIN;
    m.status = "finalized";
    m.result = "yes";
    file_model(&filer, DAY_0 + 2000 * MIN, &m);
    filer_close(&filer);
    CHECK_STR(asof(dir, t, DAY_0 + 25 * MIN, "source"), "rest"); /* the Definition said nothing new */
    CHECK_STR(asof(dir, t, DAY_0 + 30 * MIN, "source"), "stream");
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT x.text FROM markets_asof m JOIN texts x ON x.hash = m.rules_primary_hash WHERE "
                 "valid_from <= '%s'::TIMESTAMP_NS AND '%s'::TIMESTAMP_NS < valid_to",
                 when(DAY_0 + 46 * MIN), when(DAY_0 + 46 * MIN)),
        "If it does.");
    CHECK_STR(asof(dir, t, DAY_0 + 46 * MIN, "close_time"), "2026-11-18T00:50:00.000000000Z");
    CHECK_STR(asof(dir, t, DAY_0 + 59 * MIN, "result"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 61 * MIN, "result"), "yes");
    CHECK_STR(asof(dir, t, DAY_0 + 61 * MIN, "settlement_time"), "NULL");
    CHECK_STR(asof(dir, t, DAY_0 + 91 * MIN, "settlement_time"), "2026-11-18T01:30:00.000000000Z");
    /* --at-seq: what the stream had not told yet is not there, what REST said is */
    CHECK_STR(lake_ask(dir, 2,
                       "SELECT count(*) FROM markets_asof WHERE source = 'stream' AND valid_from >= "
                       "'2026-11-18T00:45:00Z'::TIMESTAMP_NS"),
              "0");
}

/* ---- out of the raw tape ---- */
static void
put_input(struct kdp_raw_writer *writer, uint64_t index, int64_t ns, const char *path, const char *body)
{
    uint8_t mem[4096] __attribute__((aligned(8))) = {0};
    struct kdp_input_rest rest = {.status = 200, .path_len = (uint32_t)strlen(path)};
    struct kdp_input_head head = {.length = (uint32_t)(sizeof rest + strlen(path) + strlen(body)),
                                  .kind = KDP_INPUT_REST,
                                  .index = index,
                                  .recv_ns = ns};
    size_t size = (sizeof head + head.length + 7) & ~(size_t)7;

    CHECK(size <= sizeof mem);
    memcpy(mem, &head, sizeof head);
    memcpy(mem + sizeof head, &rest, sizeof rest);
    memcpy(mem + sizeof head + sizeof rest, path, strlen(path));
    memcpy(mem + sizeof head + sizeof rest + strlen(path), body, strlen(body));
    CHECK_INT(kdp_raw_append(writer, mem, size), 0);
}

static unsigned inputs_left;

static int
stop_soon(void)
{
    return inputs_left-- == 0;
}

KDP_TEST(the_raw_tape_is_filed_once_also_when_a_pass_is_stopped_or_meets_another_writer)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 3};
    struct kdp_terms_tape tape = {.dir = config.dir}, anew = {.dir = config.dir};
    struct kdp_history_config other = {.dir = config.dir};
    struct kdp_raw_writer *writer;
    struct kdp_history *history;
    char body[1024];
    uint64_t cut;

    lake_need_duckdb();
    CHECK_INT(kdp_terms_tape_pass(&tape), 0); /* no raw tape yet */
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 1, &cut), 0);
    for (uint64_t i = 1; i <= 40;
         i++) { /* each market twice; between them what is none of ours, and what cannot be read */
        snprintf(
            body, sizeof body,
            "{\"markets\":[{\"ticker\":\"KXM-26NOV18-T%u\",\"event_ticker\":\"KXM-26NOV18\",\"title\":\"t\","
            "\"status\":\"active\",\"rules_primary\":\"Rule "
            "%u.\",\"rules_secondary\":\"Same.\"}],\"cursor\":\"\"}",
            (unsigned)(i % 20), (unsigned)(i % 20));
        put_input(writer, i * 3 - 2, DAY_0 + (int64_t)i * MIN, "/markets?limit=1000", body);
        put_input(writer, i * 3 - 1, DAY_0 + (int64_t)i * MIN, "/markets/trades?limit=10", "{\"trades\":[]}");
        put_input(writer, i * 3, DAY_0 + (int64_t)i * MIN, "/markets?limit=1000&cursor=x", "{\"markets\":[{");
    }
    CHECK_INT(kdp_raw_writer_close(writer), 0);

    CHECK_INT(kdp_history_open(&history, &other), 0);
    CHECK_INT(kdp_terms_tape_pass(&tape), 0);
    CHECK(tape.busy);
    kdp_history_close(history);
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(*) FROM market_terms"), "0");

    tape.stopped = stop_soon;
    inputs_left = 25;
    CHECK_INT(kdp_terms_tape_pass(&tape), -KDP_ESTOPPED);
    CHECK_INT(tape.markets, 9);
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(*) FROM market_terms"), "9");
    anew.stopped = NULL; /* another process, which knows the manifest alone */
    CHECK_INT(kdp_terms_tape_pass(&anew), 1);
    CHECK(!anew.busy);
    CHECK_INT(tape.markets + anew.markets, 40);
    CHECK_INT(anew.missed_to, 0);
    CHECK_INT(tape.refused + anew.refused, 40);
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(*) FROM market_terms"), "20");
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(*) FROM texts"), "21");
    CHECK_STR(lake_ask(config.dir, 0, "SELECT max(seen_ts) FROM market_terms"),
              "2026-11-18T00:20:00.000000000Z");
    CHECK_INT(kdp_terms_tape_pass(&anew), 0);
    CHECK_INT(anew.markets, 31);
}

KDP_TEST(a_pass_that_is_stopped_where_nothing_is_to_be_filed_goes_on_there)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 3};
    struct kdp_terms_tape tape = {.dir = config.dir, .stopped = stop_soon};
    struct kdp_raw_writer *writer;
    unsigned passes = 0;
    uint64_t cut;
    int rc;

    lake_need_duckdb();
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 1, &cut), 0);
    for (uint64_t i = 1; i <= 200; i++)
        put_input(writer, i, DAY_0 + (int64_t)i * MIN, "/markets/trades?limit=10", "{\"trades\":[]}");
    put_input(writer, 201, DAY_0 + 201 * MIN, "/markets?limit=1000",
              "{\"markets\":[{\"ticker\":\"KXM-26NOV18-T1\",\"status\":\"active\"}]}");
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    do {
        inputs_left = 30;
        rc = kdp_terms_tape_pass(&tape);
        passes++;
    } while (rc == -KDP_ESTOPPED && passes < 20);
    CHECK_INT(rc, 1);
    CHECK(passes > 5);
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(*) FROM market_terms"), "1");
}

KDP_TEST(an_odd_market_does_not_keep_the_raw_tape_from_being_filed)
{
    static const char *const odd[] = {
        "\"floor_strike\":5000000000000,\"cap_strike\":9223372036854", /* of a debt in dollars */
        "\"floor_strike\":-5000000000000.5",
        "\"settlement_value_dollars\":\"1000000000000.0000\"",
        "\"title\":\"\xff\xfe\"",
        "\"title\":\"\\ud800\"",
        "\"title\":\"\\u0000\"",
        "\"rules_primary\":\"a\\u0000b\xc3\"",
        "\"custom_strike\":{\"a\":\"\xff\"}",
        "\"close_time\":\"9999-12-31T00:00:00Z\"",
        "\"ticker\":\"\"",
        "\"event_ticker\":\"\""};
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 3};
    struct kdp_terms_tape tape = {.dir = config.dir};
    struct kdp_raw_writer *writer;
    char body[1024];
    uint64_t cut;

    lake_need_duckdb();
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 1, &cut), 0);
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(body, sizeof body,
                 "{\"markets\":[{\"ticker\":\"KXM-26NOV18-T%u\",\"status\":\"active\",%s},"
                 "{\"ticker\":\"KXN-26NOV18-T%u\",\"event_ticker\":\"KXN-26NOV18\",\"status\":\"active\"}]}",
                 i, odd[i], i);
        put_input(writer, i + 1, DAY_0 + (int64_t)i * MIN, "/markets?limit=1000", body);
    }
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    if (kdp_terms_tape_pass(&tape) < 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    CHECK_INT(tape.answers, sizeof odd / sizeof odd[0]);
    CHECK_INT(tape.refused, 5); /* bodies that are no JSON text, and a market without a name */
    CHECK_STR(
        lake_ask(
            config.dir, 0,
            "SELECT string_agg(ticker, ' ' ORDER BY ticker) FROM market_terms WHERE floor_strike IS NULL"),
        "KXM-26NOV18-T0 KXM-26NOV18-T1 KXM-26NOV18-T10 KXM-26NOV18-T2 KXM-26NOV18-T5 KXM-26NOV18-T8 "
        "KXN-26NOV18-T0 KXN-26NOV18-T1 KXN-26NOV18-T10 KXN-26NOV18-T2 KXN-26NOV18-T5 KXN-26NOV18-T8");
}

/* ---- what was recorded ---- */
static char *
load(const char *name, size_t *lenp)
{
    char path[1024], *packed, *plain;
    size_t size, room = 64u << 20, got;
    FILE *file;

    snprintf(path, sizeof path, "%s/rest/%s", kdp_test_captures(), name);
    file = fopen(path, "rb");
    if (file == NULL)
        kdp_test_skip("no %s among the captures", name);
    packed = malloc(8u << 20);
    plain = malloc(room);
    CHECK(packed != NULL && plain != NULL);
    size = fread(packed, 1, 8u << 20, file);
    CHECK(size < 8u << 20);
    fclose(file);
    got = ZSTD_decompress(plain, room, packed, size);
    if (ZSTD_isError(got)) { /* frames of unknown size */
        ZSTD_inBuffer in = {packed, size, 0};
        ZSTD_outBuffer out = {plain, room, 0};
        ZSTD_DStream *stream = ZSTD_createDStream();

        while (in.pos < in.size)
            CHECK(!ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)));
        ZSTD_freeDStream(stream);
        got = out.pos;
    }
    free(packed);
    *lenp = got;
    return plain;
}

/* A line is {"capture":"20260710T002212Z","event":...,"markets":{TICKER:{...},...}}; each market is filed as its own answer. */
static unsigned
file_line(struct filer *filer, const char *line, size_t len, int64_t seen_ns)
{
    struct kdp_json json;
    struct kdp_text key, value;
    unsigned count = 0;

    kdpi_json_init(&json, NULL, NULL, 0);
    kdpi_json_begin(&json, line, len);
    kdpi_json_object(&json);
    while (kdpi_json_member(&json, &key)) {
        if (!kdpi_text_is(key, "markets") || !kdpi_json_object(&json))
            continue;
        while (kdpi_json_member(&json, &key) && kdpi_json_raw(&json, &value)) {
            char *body;
            int size = asprintf(&body, "{\"market\":%.*s}", (int)value.len, value.data);

            CHECK(size > 0);
            file_body(filer, seen_ns, body, (size_t)size);
            free(body);
            count++;
        }
    }
    CHECK(kdpi_json_end(&json));
    return count;
}

static void
file_capture(const char *dir, const char *name, unsigned markets)
{
    struct filer filer;
    size_t len;
    char *data = load(name, &len);
    unsigned count = 0, lines = 0;

    filer_open(&filer, dir);
    for (char *line = data, *end; (end = memchr(line, '\n', len - (size_t)(line - data))) != NULL;
         line = end + 1)
        if (end > line)
            count += file_line(&filer, line, (size_t)(end - line), DAY_0 + (int64_t)lines++ * MIN);
    filer_close(&filer);
    free(data);
    CHECK_INT(count, markets);
}

KDP_TEST(recorded_markets_asked_for_again_and_again_are_one_version_each)
{
    const char *dir = kdp_test_dir();

    lake_need_duckdb();
    /* counted with Python's json: 1,052 tickers seen twice, without a change outside of quotes and volumes */
    file_capture(dir, "markets_2026-07/crypto_hourly_2026-07-10_0022-0723.jsonl.zst", 2104);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM market_terms"), "1052");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(DISTINCT ticker) FROM market_terms"), "1052");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM texts"), "1053");
    CHECK_STR(lake_ask(dir, 0, "SELECT sum(strlen(text)) FROM texts"), "204786");
    CHECK_STR(
        lake_ask(
            dir, 0,
            "SELECT count(*) FROM market_terms m JOIN texts a ON a.hash = m.rules_primary_hash JOIN texts "
            "b ON b.hash = m.rules_secondary_hash WHERE a.text LIKE 'If %%' AND b.text LIKE 'Not all %%'"),
        "1052");
    file_capture(dir, "markets_2026-07/sports_pairs_2026-07-09.jsonl.zst", 1478);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM market_terms"), "2131"); /* 1,079 more */
    CHECK_STR(lake_ask(dir, 0, "SELECT count(DISTINCT ticker) FROM markets_asof WHERE NOT assumed"), "2131");
}
