/* test_session_mix.c - everything goes wrong at random for ten minutes; then every book is live, every trade is there and every
 * window verified.  What must never happen is checked by the model at each action. */
#include <stdio.h>

#include "kdp_test.h"
#include "session_model.h"

static void
fault(struct model *m)
{
    uint16_t line = (uint16_t)(1 + model_random(m, 4));
    uint32_t market = (uint32_t)model_random(m, m->market_count);
    struct model_market *one = &m->markets[market];

    switch (model_random(m, 26)) {
    case 0:
    case 1:
        model_gap(m, line, 0);
        break;
    case 2:
        model_gap(m, 1, 1 + (unsigned)model_random(m, 4));
        break;
    case 3:
        model_reset(m, line);
        break;
    case 4:
        m->lines[line].stalled = m->lines[line].up;
        break;
    case 5:
        m->lines[line].silent = m->lines[line].up;
        break;
    case 6:
        m->lines[line].deaf = !m->lines[line].deaf;
        break;
    case 7:
        model_error(m, line, 0, model_random(m, 2) ? 25 : 10);
        break;
    case 8:
        model_error(m, 1, 1 + (unsigned)model_random(m, 4), model_random(m, 2) ? 25 : 10);
        break;
    case 9:
        m->connect_status = (int)(model_random(m, 2) * 503);
        break;
    case 10:
        m->rest_status = (int)(model_random(m, 3) == 0 ? 503 : 0);
        break;
    case 11:
        m->rest_429 = (uint32_t)model_random(m, 5);
        break;
    case 12:
        m->lose_snapshot = (uint32_t)model_random(m, 4) * 100;
        break;
    case 13:
        m->lose_reply = (uint32_t)model_random(m, 4) * 200;
        break;
    case 14:
        m->lose_trade = (uint32_t)model_random(m, 4) * 20;
        m->lose_tail = model_random(m, 2);
        break;
    case 15:
        m->rest_fails = (uint32_t)model_random(m, 4) * 100;
        break;
    case 16:
        m->latency_ns = (int64_t)(1 + model_random(m, 400)) * MS_NS;
        m->rest_lag_ns = (int64_t)model_random(m, 15) * S_NS;
        break;
    case 17:
        one->mute = !one->mute;
        break;
    case 18:
        model_stale(m, market, KDP_REASON_NEGATIVE_LEVEL);
        break;
    case 19: /* a market ends */
        one->status = KDP_MARKET_STATUS_DETERMINED;
        model_market(m, market);
        break;
    case 20: /* the close is moved */
        one->close_ns = m->wall + (int64_t)model_random(m, 200) * S_NS;
        model_market(m, market);
        break;
    case 21:
        for (uint32_t i = 0; i < m->market_count; i++)
            kdp_session_load(m->session, i + 1, (uint32_t)model_random(m, i % 7 == 0 ? 500 : 5));
        break;
    case 24:
        one->refused = !one->refused;
        break;
    case 25:
        m->connections_max = (uint32_t)model_random(m, 3);
        break;
    case 22:
        m->paused = !m->paused;
        break;
    default:
        m->get_snapshot_deaf = (uint32_t)model_random(m, 16);
        break;
    }
}

static void
calm(struct model *m)
{
    m->connect_status = m->rest_status = 0;
    m->lose_snapshot = m->lose_reply = m->lose_trade = m->rest_fails = m->rest_429 = m->get_snapshot_deaf = 0;
    m->paused = false;
    m->connections_max = 0;
    m->latency_ns = 5 * MS_NS;
    m->rest_lag_ns = 0;
    for (uint32_t i = 0; i < m->market_count; i++)
        m->markets[i].mute = m->markets[i].refused = false;
    for (uint16_t i = 1; i < MODEL_LINES; i++)
        m->lines[i].deaf = m->lines[i].stalled = m->lines[i].silent = false;
}

static void
mix(uint64_t seed, bool by_name)
{
    static const char *const series[] = {"KXS0", "KXS2", "KXS3", "KXS5"};
    struct model m;
    struct kdp_session_stats stats;
    int64_t then;
    bool settled;

    model_begin(&m, 300);
    m.random = seed;
    m.config.seed = seed;
    m.config.connections = 1 + (uint32_t)(seed % 4);
    m.config.subscribe_batch = 40;
    m.config.snapshot_batch = 25;
    m.trades_per_s = 20;
    m.page = 100;
    m.data_every_ns = S_NS / 2;
    if (by_name) {
        m.rules.series = series;
        m.rules.series_count = 4;
    }
    for (uint32_t i = 0; i < 300; i += 9) {
        m.markets[i].status = KDP_MARKET_STATUS_INITIALIZED;
        m.markets[i].open_ns = m.wall + (int64_t)i * S_NS;
    }
    m.subscription_max = seed % 5 == 0 && !by_name ? 60 : 0;
    m.commands_max = seed % 7 == 0 ? 20 : 0;
    model_run(&m, 5 * S_NS);
    for (int i = 0; i < 600; i++) {
        if (model_random(&m, 3) == 0)
            fault(&m);
        model_run(&m, S_NS / 2 + (int64_t)model_random(&m, (uint64_t)S_NS));
    }
    calm(&m);
    then = m.wall;
    model_run(&m, 120 * S_NS);
    settled = model_until(&m, 240 * S_NS, model_settled);
    kdp_session_stats(m.session, &stats);
    if (!settled || model_trades_missing(&m, then) > 0)
        for (uint32_t i = 0, n = 0; i < m.market_count && n < 5; i++)
            if (m.markets[i].planned && m.markets[i].book != KDP_BOOK_STATE_LIVE)
                fprintf(stderr, "seed %llu: %s book %u line %u windows %llu missing %u, %s\n",
                        (unsigned long long)seed, m.markets[i].ticker, m.markets[i].book, m.markets[i].line,
                        (unsigned long long)stats.windows_open, model_trades_missing(&m, then),
                        m.last_notice),
                    n++;
    CHECK(settled);
    CHECK_INT(model_trades_missing(&m, then), 0);
    CHECK_INT(stats.windows_open, 0);
    CHECK_INT(m.failures, 0);
    CHECK_INT(stats.lines_up, stats.lines_wanted);
    CHECK_INT(stats.markets_planned, model_planned(&m));
    CHECK(!m.paused && m.paused_timers == m.resumed_timers);
    model_end(&m);
}

KDP_TEST(any_mix_of_faults_is_survived)
{
    for (uint64_t i = 0; i < 40; i++)
        mix(kdp_test_seed() + i, false);
}

KDP_TEST(any_mix_of_faults_is_survived_by_name)
{
    for (uint64_t i = 0; i < 40; i++)
        mix(kdp_test_seed() + 1000 + i, true);
}

/* Notices and answers that make no sense: lines that are not, sids of nobody, ids never given, instruments out of range. */
static void
nonsense(struct model *m)
{
    static const char *const bodies[] = {
        "", "{}", "[]", "{\"markets\":1}", "\xff", "{\"event\":{\"series_ticker\":7}}"};
    char name[32];
    struct kdp_notice notice;
    uint64_t kind = model_random(m, KDP_NOTICE_AUDIT + 2);

    memset(&notice, 0, sizeof notice);
    notice.kind = (enum kdp_notice_kind)(kind > KDP_NOTICE_AUDIT ? 0 : kind);
    notice.line = (uint16_t)(model_random(m, 8) == 0 ? model_random(m, 65536) : model_random(m, 6));
    notice.sid = (uint32_t)(model_random(m, 8) == 0 ? model_random(m, UINT32_MAX) : model_random(m, 8));
    notice.instrument =
        (uint32_t)(model_random(m, 8) == 0 ? model_random(m, UINT32_MAX) : model_random(m, 40));
    snprintf(name, sizeof name, "%s-M%u", model_random(m, 4) == 0 ? "KX\"S" : "KXS0-E0",
             (unsigned)model_random(m, 60));
    switch (notice.kind) {
    case KDP_NOTICE_MARKET:
        notice.market.ticker = (struct kdp_text){name, model_random(m, 10) == 0 ? 0 : strlen(name)};
        notice.market.event_ticker = (struct kdp_text){name, strlen(name)};
        notice.market.open_ns = (int64_t)model_random(m, UINT64_MAX);
        notice.market.close_ns =
            model_random(m, 2) ? KDP_TIME_NULL : m->wall + (int64_t)model_random(m, 9) * S_NS;
        notice.market.status = (uint8_t)model_random(m, 12);
        notice.market.listed = model_random(m, 2);
        break;
    case KDP_NOTICE_BOOK:
        notice.book.state = (uint8_t)model_random(m, 8);
        notice.book.snapshot = model_random(m, 2);
        notice.book.owner = model_random(m, 2);
        break;
    case KDP_NOTICE_TRADE:
        notice.trade.exch_ns = m->wall - (int64_t)model_random(m, 100) * S_NS;
        break;
    case KDP_NOTICE_REST:
        notice.rest.request = model_random(m, 4) << 56 | model_random(m, 60);
        notice.rest.cursor = (struct kdp_text){name, strlen(name)};
        notice.rest.oldest_ns = notice.rest.newest_ns = KDP_TIME_NULL;
        break;
    case KDP_NOTICE_EVENT:
        notice.event.event_ticker = notice.event.series_ticker = (struct kdp_text){name, strlen(name)};
        break;
    case KDP_NOTICE_GAP:
    case KDP_NOTICE_BAD_FIRST:
        notice.gap.channel = (uint8_t)model_random(m, 8);
        break;
    case KDP_NOTICE_AUDIT:
        break;
    default:
        notice.reply.has_id = model_random(m, 2);
        notice.reply.id = (int64_t)model_random(m, 8) == 0 ? -1 : (int64_t)model_random(m, 200);
        notice.reply.channel = (uint8_t)model_random(m, 8);
        notice.reply.code = (int64_t)model_random(m, 70) - 5;
        notice.reply.text = (struct kdp_text){"\x1b[2J", 4};
        break;
    }
    kdp_session_notice(m->session, &notice);
    if (model_random(m, 10) == 0) {
        const char *body = bodies[model_random(m, sizeof bodies / sizeof *bodies)];

        kdp_session_answer(m->session, model_random(m, 5) << 56 | model_random(m, 60),
                           (int)model_random(m, 700), 0, body, strlen(body), NULL, m->mono, m->wall);
    }
    if (model_random(m, 50) == 0)
        kdp_session_load(m->session, notice.instrument, UINT32_MAX);
}

KDP_TEST(what_makes_no_sense_harms_nothing)
{
    struct kdp_action action;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct model m;
        uint64_t commands = 0;

        model_begin(&m, 30);
        m.random += seed;
        m.config.connections = 4;
        model_run(&m, S_NS);
        for (int i = 0; i < 5000; i++) {
            unsigned n = 0;

            nonsense(&m);
            if (i % 7 == 0) {
                m.mono += (int64_t)model_random(&m, (uint64_t)S_NS);
                m.wall += (int64_t)model_random(&m, (uint64_t)S_NS) - S_NS / 4;
            }
            while (kdp_session_next(m.session, m.mono, m.wall, &action)) {
                CHECK(++n < 5000); /* bounded work, whatever comes */
                CHECK(action.kind != KDP_ACTION_FAIL);
                commands += action.kind == KDP_ACTION_COMMAND;
                if (action.kind == KDP_ACTION_CONNECT)
                    kdp_session_up(m.session, action.line, m.mono);
                else if (action.kind == KDP_ACTION_DISCONNECT)
                    kdp_session_down(m.session, action.line, KDP_REASON_DISCONNECTED, NULL, m.mono);
            }
        }
        CHECK(commands > 100); /* it goes on */
        model_end(&m);
    }
}
