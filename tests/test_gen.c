/* test_gen.c - made-up sessions: the same bytes from the same seed, right numbers, true books. */
#include "kdp_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "decimal.h"
#include "error.h"
#include "gen.h"
#include "gen_line.h"
#include "message.h"

#define SIDS 64u
#define PRICES 10001u

/* ---- a client of its own: dense books by price, nothing shared with the generator ---- */
struct model_market {
    char ticker[80];
    int64_t size[2][PRICES]; /* by YES-leg or NO-leg price as sent in the NO leg */
    uint64_t trades, since_trade_deltas;
    int64_t traded_e2;
    int seen;
};
struct model {
    struct model_market **markets;
    uint32_t count, room;
    uint32_t *table; /* open addressing by ticker, index + 1 */
    uint64_t seq[17][SIDS];
    struct kdp_decoder *decoder;
    uint64_t kinds[KDP_MESSAGE_KINDS], lifecycle[16];
    uint32_t structures; /* bit per name found */
    bool leg_yes;
};
#define TABLE 65536u

static struct model_market *
market_of(struct model *model, struct kdp_text ticker)
{
    uint64_t hash = XXH3_64bits(ticker.data, ticker.len);
    struct model_market *market;
    uint32_t at = (uint32_t)hash % TABLE;

    for (; model->table[at] != 0; at = (at + 1) % TABLE) {
        market = model->markets[model->table[at] - 1];
        if (strlen(market->ticker) == ticker.len && memcmp(market->ticker, ticker.data, ticker.len) == 0)
            return market;
    }
    if (model->count == model->room) {
        model->room = model->room == 0 ? 256 : 2 * model->room;
        model->markets = realloc(model->markets, model->room * sizeof *model->markets);
        CHECK(model->markets != NULL);
    }
    CHECK(model->count < TABLE / 2);
    market = calloc(1, sizeof *market);
    CHECK(market != NULL && ticker.len < sizeof market->ticker);
    memcpy(market->ticker, ticker.data, ticker.len);
    model->markets[model->count++] = market;
    model->table[at] = model->count;
    return market;
}

static void
model_open(struct model *model)
{
    memset(model, 0, sizeof *model);
    model->table = calloc(TABLE, sizeof *model->table);
    model->decoder = kdpi_decoder_open();
    CHECK(model->table != NULL && model->decoder != NULL);
}

static void
model_close(struct model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        free(model->markets[i]);
    free(model->markets);
    free(model->table);
    kdpi_decoder_close(model->decoder);
}

static int32_t
own_leg(const struct model *model, uint8_t side, int32_t price_e4)
{
    return side == KDP_SIDE_NO && model->leg_yes ? 10000 - price_e4 : price_e4;
}

/* Takes one frame; sequences must be whole and levels never negative. */
static void
model_take(struct model *model, const struct kdp_gen_frame *frame)
{
    struct kdp_message m;
    struct model_market *market;
    enum kdp_refusal refusal;

    if (frame->kind == KDP_GEN_CONNECTED)
        memset(model->seq[frame->conn], 0, sizeof model->seq[0]);
    if (frame->kind != KDP_GEN_FRAME)
        return;
    refusal = kdpi_decode(model->decoder, frame->text, frame->len, &m);
    if (refusal != KDP_REFUSAL_NONE)
        kdp_test_fail(__FILE__, __LINE__, "refused: %s at byte %zu (%s) of %.*s", kdpi_refusal_text(refusal),
                      m.position, m.member, (int)frame->len, frame->text);
    CHECK(m.kind != KDP_MESSAGE_UNKNOWN);
    CHECK_INT(m.unknown_members, 0);
    model->kinds[m.kind]++;
    if (m.has_seq) {
        CHECK(m.has_sid && m.sid < SIDS);
        CHECK_INT(m.seq, model->seq[frame->conn][m.sid] + 1);
        model->seq[frame->conn][m.sid]++;
    }
    if (m.market_ticker.len == 0)
        return;
    market = market_of(model, m.market_ticker);
    market->seen = 1;
    switch (m.kind) {
    case KDP_MESSAGE_SNAPSHOT:
        memset(market->size, 0, sizeof market->size);
        for (uint32_t i = 0; i < m.snapshot.count; i++) {
            const struct kdp_message_level *level = &m.snapshot.levels[i];

            CHECK(level->size_e2 > 0);
            market->size[level->side == KDP_SIDE_NO][own_leg(model, level->side, level->price_e4)] =
                level->size_e2;
        }
        break;
    case KDP_MESSAGE_DELTA: {
        int64_t *size =
            &market->size[m.delta.side == KDP_SIDE_NO][own_leg(model, m.delta.side, m.delta.price_e4)];

        *size += m.delta.delta_e2;
        CHECK(*size >= 0);
        break;
    }
    case KDP_MESSAGE_TRADE:
        market->trades++;
        market->traded_e2 += m.trade.count_e2;
        CHECK(m.trade.price_e4 > 0 && m.trade.price_e4 < 10000 && m.trade.count_e2 > 0);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        CHECK(m.lifecycle.kind < 16);
        model->lifecycle[m.lifecycle.kind]++;
        break;
    default:
        break;
    }
}

static struct kdp_gen *
open_gen(const struct kdp_gen_config *config)
{
    struct kdp_gen *gen;

    if (kdp_gen_open(&gen, config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    return gen;
}

static struct kdp_gen_config
config_of(uint64_t seed, uint32_t markets, uint64_t frames)
{
    struct kdp_gen_config config;

    kdp_gen_config_init(&config);
    config.seed = seed;
    config.markets = markets;
    config.frames = frames;
    return config;
}

static XXH128_hash_t
hash_of(const struct kdp_gen_config *config, enum kdp_gen_form form, uint64_t *framesp)
{
    struct kdp_gen *gen = open_gen(config);
    XXH3_state_t *state = XXH3_createState();
    struct kdp_gen_frame frame;
    char *line = malloc(kdp_gen_line_max(1u << 20));
    XXH128_hash_t hash;
    int rc;

    CHECK(line != NULL && state != NULL);
    XXH3_128bits_reset(state);
    *framesp = 0;
    while ((rc = kdp_gen_next(gen, &frame)) == 1) {
        CHECK(frame.len <= 1u << 20);
        *framesp += frame.kind == KDP_GEN_FRAME;
        XXH3_128bits_update(state, line, kdp_gen_line(line, &frame, form));
    }
    CHECK_INT(rc, 0);
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    free(line);
    kdp_gen_close(gen);
    return hash;
}

/* Pinned: a change of these bytes changes every session that somebody has noted by its seed.  Do it on
 * purpose only. */
KDP_TEST(same_seed_same_bytes)
{
    struct kdp_gen_config config = config_of(7, 200, 50000);
    uint64_t frames;
    XXH128_hash_t a, b;
    char text[40];

    a = hash_of(&config, KDP_GEN_WRAPPED, &frames);
    CHECK_INT(frames, 50000);
    b = hash_of(&config, KDP_GEN_WRAPPED, &frames);
    CHECK(XXH128_isEqual(a, b));
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)a.high64, (unsigned long long)a.low64);
    CHECK_STR(text, "a864ea9c8522370a75f8d053b85ede6c");
    config.connections = 3;
    config.commands = true;
    CHECK_INT(kdp_gen_faults_parse("gap,resync,dup,reconnect,malformed,negative,reorder-ack,unknown",
                                   config.fault_ppm),
              0);
    a = hash_of(&config, KDP_GEN_WRAPPED, &frames);
    CHECK_INT(frames, 50000);
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)a.high64, (unsigned long long)a.low64);
    CHECK_STR(text, "85a06ccb86247c73951a4ddce852010c");
    config.seed = 8;
    CHECK(!XXH128_isEqual(a, hash_of(&config, KDP_GEN_WRAPPED, &frames)));
}

/* Compares the generator's own account of every market with what a client made of the frames. */
static void
compare(struct kdp_gen *gen, struct model *model, bool client)
{
    uint32_t compared = 0;

    for (uint32_t i = 0; i < kdp_gen_market_count(gen); i++) {
        struct kdp_gen_market m;
        struct model_market *market;
        int64_t totals[2] = {0, 0};
        uint32_t counts[2] = {0, 0};

        kdp_gen_market_at(gen, i, client, &m);
        market = market_of(model, (struct kdp_text){m.ticker, strlen(m.ticker)});
        CHECK_INT(market->seen != 0, m.state != KDP_GEN_UNSEEN);
        if (m.state == KDP_GEN_UNSEEN || (!client && m.state != KDP_GEN_LIVE))
            continue;
        CHECK_INT(market->trades, m.trades);
        for (unsigned side = 0; side < 2; side++) {
            const struct kdp_gen_level *levels = side == 0 ? m.bids : m.asks;
            uint32_t count = side == 0 ? m.bid_levels : m.ask_levels;

            for (uint32_t p = 0; p < PRICES; p++) {
                counts[side] += market->size[side][p] != 0;
                totals[side] += market->size[side][p];
            }
            CHECK_INT(counts[side], count);
            CHECK_INT(totals[side], side == 0 ? m.bid_size_total_e2 : m.ask_size_total_e2);
            for (uint32_t j = 0; j < count; j++) {
                CHECK_INT(market->size[side][side == 0 ? levels[j].price_e4 : 10000 - levels[j].price_e4],
                          levels[j].size_e2);
                CHECK(j == 0 || (side == 0 ? levels[j].price_e4 < levels[j - 1].price_e4
                                           : levels[j].price_e4 > levels[j - 1].price_e4));
            }
        }
        if (m.bid_levels > 0 && m.ask_levels > 0)
            CHECK(m.bids[0].price_e4 <
                  m.asks[0].price_e4); /* an exchange's book is never crossed for long: here never */
        compared++;
    }
    CHECK(compared >= kdp_gen_market_count(gen) / 2);
}

static void
run_and_compare(struct kdp_gen_config config, bool client)
{
    struct kdp_gen *gen;
    struct kdp_gen_frame frame;
    struct model model;
    int64_t last_ns = 0;
    int rc;

    config.track = client;
    gen = open_gen(&config);
    model_open(&model);
    model.leg_yes = config.leg_yes;
    while ((rc = kdp_gen_next(gen, &frame)) == 1) {
        CHECK(frame.recv_ns >= last_ns);
        last_ns = frame.recv_ns;
        model_take(&model, &frame);
    }
    CHECK_INT(rc, 0);
    compare(gen, &model, client);
    model_close(&model);
    kdp_gen_close(gen);
}

KDP_TEST(final_true_books_equal_the_frames)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct kdp_gen_config config = config_of(seed, 20 + 60 * (uint32_t)seed, 40000);

        config.connections = (uint32_t)seed;
        config.leg_yes = seed % 2 == 0;
        run_and_compare(config, false);
    }
}

KDP_TEST(client_books_equal_the_frames)
{
    struct kdp_gen_config config = config_of(11, 120, 0);

    config.span_ns = INT64_C(40000000000);
    config.connections = 2;
    run_and_compare(config, true);
}

/* With few markets and many frames settled events must go on finding successors. */
KDP_TEST(a_long_small_session_does_not_run_dry)
{
    struct kdp_gen_config config = config_of(5, 3, 400000);

    config.rate = 100;
    run_and_compare(config, true);
}

KDP_TEST(every_kind_of_message_and_every_tick_structure_occurs)
{
    static const char *const structures[] = {"linear_cent",
                                             "deci_cent",
                                             "tapered_deci_cent",
                                             "center_whole_edge_half_cent",
                                             "center_whole_edge_quint_cent",
                                             "center_half_edge_half_cent",
                                             "center_half_edge_quint_cent",
                                             "center_half_edge_deci_cent",
                                             "center_quint_edge_quint_cent",
                                             "center_quint_edge_deci_cent",
                                             "center_centi_edge_centi_cent",
                                             "center_deci_edge_centi_cent",
                                             "banded_centi_cent",
                                             ""};
    struct kdp_gen_config config = config_of(3, 150, 300000);
    struct kdp_gen *gen = open_gen(&config);
    struct kdp_gen_frame frame;
    struct model model;
    uint32_t found[14] = {0};

    model_open(&model);
    while (kdp_gen_next(gen, &frame) == 1) {
        struct kdp_message m;

        model_take(&model, &frame);
        if (frame.kind != KDP_GEN_FRAME ||
            kdpi_decode(model.decoder, frame.text, frame.len, &m) != KDP_REFUSAL_NONE)
            continue;
        if (m.kind == KDP_MESSAGE_LIFECYCLE && m.lifecycle.range_count > 0) {
            for (unsigned i = 0; i < 14; i++)
                found[i] += strlen(structures[i]) == m.lifecycle.structure.len &&
                            memcmp(structures[i], m.lifecycle.structure.data, m.lifecycle.structure.len) == 0;
        }
    }
    for (unsigned i = 0; i < 14; i++) {
        if (found[i] == 0)
            kdp_test_fail(__FILE__, __LINE__, "no market with ticks \"%s\"", structures[i]);
    }
    for (unsigned kind = KDP_MESSAGE_SUBSCRIBED; kind < KDP_MESSAGE_COMMAND; kind++) {
        if (kind != KDP_MESSAGE_ERROR && model.kinds[kind] == 0)
            kdp_test_fail(__FILE__, __LINE__, "no message of kind %u", kind);
    }
    for (unsigned kind = KDP_LIFECYCLE_KIND_CREATED; kind <= KDP_LIFECYCLE_KIND_METADATA_UPDATED; kind++) {
        if (kind != KDP_LIFECYCLE_KIND_OPENED && kind != KDP_LIFECYCLE_KIND_CLOSED &&
            model.lifecycle[kind] == 0)
            kdp_test_fail(__FILE__, __LINE__, "no lifecycle message of kind %u", kind);
    }
    model_close(&model);
    kdp_gen_close(gen);
}

/* A trade at a price takes from the other side's bid there: over a session the sums agree, but for block
 * trades. */
KDP_TEST(trades_equal_the_changes_they_cause)
{
    struct kdp_gen_config config = config_of(21, 60, 100000);
    struct kdp_gen *gen = open_gen(&config);
    struct kdp_gen_frame frame;
    struct model model;
    struct {
        struct kdp_message m;
        char ticker[80];
        int valid;
    } before = {.valid = 0}, trade = {.valid = 0};
    uint64_t matched = 0, combos = 0, blocks = 0;

    model_open(&model);
    while (kdp_gen_next(gen, &frame) == 1) {
        struct kdp_message m;

        if (frame.kind != KDP_GEN_FRAME)
            continue;
        CHECK_INT(kdpi_decode(model.decoder, frame.text, frame.len, &m), KDP_REFUSAL_NONE);
        if (trade.valid == 1) { /* the change did not come before: it is this one */
            CHECK_INT(m.kind, KDP_MESSAGE_DELTA);
            CHECK_INT(m.delta.delta_e2, -trade.m.trade.count_e2);
            CHECK_INT(m.delta.side == KDP_SIDE_YES ? m.delta.price_e4 : 10000 - m.delta.price_e4,
                      trade.m.trade.price_e4);
            CHECK_INT(m.delta.side == KDP_SIDE_YES, trade.m.trade.taker_side == KDP_SIDE_NO);
            CHECK(m.market_ticker.len == strlen(trade.ticker) &&
                  memcmp(m.market_ticker.data, trade.ticker, m.market_ticker.len) == 0);
            trade.valid = 0;
            matched++;
        } else if (m.kind == KDP_MESSAGE_TRADE) {
            bool combo = m.market_ticker.len > 5 && memcmp(m.market_ticker.data, "KXMVE", 5) == 0;

            blocks += m.trade.block;
            combos += combo;
            if (!m.trade.block && !combo) {
                int32_t p = !before.valid                         ? 0
                            : before.m.delta.side == KDP_SIDE_YES ? before.m.delta.price_e4
                                                                  : 10000 - before.m.delta.price_e4;

                if (before.valid && before.m.delta.delta_e2 == -m.trade.count_e2 && p == m.trade.price_e4 &&
                    strlen(before.ticker) == m.market_ticker.len &&
                    memcmp(before.ticker, m.market_ticker.data, m.market_ticker.len) == 0) {
                    CHECK_INT(before.m.delta.side == KDP_SIDE_YES, m.trade.taker_side == KDP_SIDE_NO);
                    matched++;
                } else {
                    trade.m = m;
                    snprintf(trade.ticker, sizeof trade.ticker, "%.*s", (int)m.market_ticker.len,
                             m.market_ticker.data);
                    trade.valid = 1;
                }
            }
        }
        before.valid = m.kind == KDP_MESSAGE_DELTA;
        before.m = m;
        snprintf(before.ticker, sizeof before.ticker, "%.*s", (int)m.market_ticker.len,
                 m.market_ticker.data != NULL ? m.market_ticker.data : "");
    }
    CHECK(matched > 1000);
    CHECK(blocks > 0 && combos > 0);
    model_close(&model);
    kdp_gen_close(gen);
}

/* 100,000 markets: heavy-tailed changes, one price scale, and memory that is bounded by the number of
 * markets. */
KDP_TEST(a_hundred_thousand_markets)
{
    struct kdp_gen_config config = config_of(9, 100000, 500000);
    struct kdp_gen *gen;
    struct kdp_gen_frame frame;
    uint32_t *deltas;
    uint64_t all = 0, top = 0, snapshots = 0;
    size_t memory;
    int rc;

    config.created = false;
    config.connections = 8;
    config.rate = 20000;
    gen = open_gen(&config);
    memory = kdp_gen_memory(gen);
    deltas = calloc(TABLE * 4, sizeof *deltas);
    CHECK(deltas != NULL);
    while ((rc = kdp_gen_next(gen, &frame)) == 1) {
        if (frame.kind != KDP_GEN_FRAME || frame.len < 40)
            continue;
        snapshots += memcmp(frame.text, "{\"type\":\"orderbook_s", 20) == 0;
        if (memcmp(frame.text, "{\"type\":\"orderbook_d", 20) == 0) {
            const char *ticker = strstr(frame.text, "\"market_ticker\":\"");

            deltas[XXH3_64bits(ticker, 60) % (TABLE * 4)]++; /* ticker and part of its id */
            all++;
        }
    }
    CHECK_INT(rc, 0);
    CHECK(snapshots >= 100000);
    CHECK(all > 300000);
    for (uint32_t i = 0; i < 1000; i++) { /* the thousand busiest */
        uint32_t best = 0;

        for (uint32_t j = 0; j < TABLE * 4; j++)
            best = deltas[j] > deltas[best] ? j : best;
        top += deltas[best];
        deltas[best] = 0;
    }
    if (top * 100 < all * 75)
        kdp_test_fail(__FILE__, __LINE__, "the busiest 1 %% get %llu of %llu changes",
                      (unsigned long long)top, (unsigned long long)all);
    CHECK(kdp_gen_memory(gen) < memory + (8u << 20)); /* texts of a step and lists, no growth with frames */
    CHECK(kdp_gen_memory(gen) < 150u << 20);
    free(deltas);
    kdp_gen_close(gen);
}

KDP_TEST(faults_are_counted_where_they_happen)
{
    struct kdp_gen_config config = config_of(4, 50, 60000);
    struct kdp_gen *gen;
    struct kdp_gen_frame frame;
    struct kdp_decoder *decoder = kdpi_decoder_open();
    uint64_t seq[17][SIDS] = {{0}}, gaps = 0, doubles = 0, malformed = 0, unknown = 0, members = 0,
             broken = 0;

    config.connections = 2;
    CHECK_INT(kdp_gen_faults_parse(
                  "gap=0.001,resync,dup=0.001,reconnect=0.0002,malformed=0.001,negative=0.0005,unknown=0.001",
                  config.fault_ppm),
              0);
    gen = open_gen(&config);
    while (kdp_gen_next(gen, &frame) == 1) {
        struct kdp_message m;

        broken += frame.kind == KDP_GEN_DISCONNECTED;
        if (frame.kind == KDP_GEN_CONNECTED)
            memset(seq[frame.conn], 0, sizeof seq[0]);
        if (frame.kind != KDP_GEN_FRAME)
            continue;
        if (kdpi_decode(decoder, frame.text, frame.len, &m) != KDP_REFUSAL_NONE) {
            CHECK(!m.trusted);
            malformed++;
            continue;
        }
        unknown += m.kind == KDP_MESSAGE_UNKNOWN;
        members += m.unknown_members > 0;
        if (!m.has_seq || m.sid >= SIDS)
            continue;
        doubles += m.seq == seq[frame.conn][m.sid];
        gaps += m.seq > seq[frame.conn][m.sid] + 1;
        seq[frame.conn][m.sid] = m.seq;
    }
    CHECK(gaps > 20 && gaps < 200);
    CHECK(doubles > 20 && doubles < 200);
    CHECK(malformed > 20 && malformed < 200);
    CHECK(unknown > 10 && members > 20);
    CHECK(broken > 2);
    kdpi_decoder_close(decoder);
    kdp_gen_close(gen);
}

KDP_TEST(settings_out_of_range_are_refused)
{
    struct kdp_gen_config config;
    struct kdp_gen *gen;
    uint32_t ppm[KDP_GEN_FAULTS];

    config = config_of(1, 0, 10);
    CHECK_INT(kdp_gen_open(&gen, &config), -KDP_ERANGE);
    CHECK(gen == NULL);
    config = config_of(1, 10, 10);
    config.connections = 17;
    CHECK_INT(kdp_gen_open(&gen, &config), -KDP_ERANGE);
    config = config_of(1, 10, 10);
    config.start_ns = 0;
    CHECK_INT(kdp_gen_open(&gen, &config), -KDP_ERANGE);
    CHECK_INT(kdp_gen_faults_parse("gap,flood", ppm), -KDP_EUSAGE);
    CHECK_INT(kdp_gen_faults_parse("gap=2", ppm), -KDP_EUSAGE);
    CHECK_INT(kdp_gen_faults_parse("gap=0.0000001", ppm), -KDP_EUSAGE);
    CHECK_INT(kdp_gen_faults_parse("dup=0.25", ppm), 0);
    CHECK_INT(ppm[KDP_GEN_FAULT_DUP], 250000);
    CHECK_INT(ppm[KDP_GEN_FAULT_GAP], 0);
}

/* Small sessions end where they are told to, however early. */
KDP_TEST(frames_are_counted_exactly)
{
    for (uint64_t frames = 1; frames < 600; frames += 37) {
        struct kdp_gen_config config = config_of(frames, 1 + (uint32_t)frames % 9, frames);
        uint64_t got;

        config.connections = 1 + (uint32_t)frames % 4;
        config.fault_ppm[KDP_GEN_FAULT_DUP] = 50000;
        hash_of(&config, KDP_GEN_WRAPPED, &got);
        CHECK_INT(got, frames);
    }
}
