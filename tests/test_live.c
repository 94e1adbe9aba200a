/* test_live.c - the feed thread against a peer on the loopback, with a session that does what the test says. */
#include "clock.h"
#include "error.h"
#include "http.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "live.h"
#include "ws_peer.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUTS_MAX 64

/* ---- a session for tests: a list of actions, each due when the ones before are done ---- */

struct kdp_session {
    struct kdp_action actions[16];
    unsigned count, next;
    unsigned wait_up; /* nothing is done before so many connections were up */
    unsigned ups, downs, heards, refusals, answers;
    int refused_status, refused_code;
    char refused_body[256], down_words[256], answer_body[256];
    int answer_status;
    bool reconnect, stopped;
};
static struct kdp_session session;

int
kdp_session_open(struct kdp_session **sessionp, const struct kdp_session_config *config)
{
    (void)config;
    *sessionp = &session;
    return 0;
}
void
kdp_session_close(struct kdp_session *s)
{
    (void)s;
}
bool
kdp_session_next(struct kdp_session *s, int64_t mono_ns, int64_t wall_ns, struct kdp_action *action)
{
    (void)mono_ns;
    (void)wall_ns;
    if (s->next == s->count)
        return false;
    if (s->actions[s->next].kind != KDP_ACTION_CONNECT && s->ups < s->wait_up)
        return false;
    *action = s->actions[s->next++];
    return true;
}
int64_t
kdp_session_due(const struct kdp_session *s)
{
    (void)s;
    return INT64_MAX;
}
void
kdp_session_clock(struct kdp_session *s, int64_t ahead_ns)
{
    (void)s;
    (void)ahead_ns;
}
void
kdp_session_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    (void)s;
    (void)notice;
}
void
kdp_session_up(struct kdp_session *s, uint16_t line, int64_t mono_ns)
{
    (void)line;
    (void)mono_ns;
    s->ups++;
}
void
kdp_session_refused(struct kdp_session *s, uint16_t line, int status, int code, const char *body,
                    const char *words, const char *hint, int64_t mono_ns)
{
    (void)line;
    (void)words;
    (void)hint;
    (void)mono_ns;
    s->refusals++;
    s->refused_status = status;
    s->refused_code = code;
    snprintf(s->refused_body, sizeof s->refused_body, "%s", body);
}
void
kdp_session_down(struct kdp_session *s, uint16_t line, uint32_t reason, const char *words, int64_t mono_ns)
{
    (void)reason;
    (void)mono_ns;
    s->downs++;
    snprintf(s->down_words, sizeof s->down_words, "%s", words);
    if (s->reconnect && s->downs == 1)
        s->actions[s->count++] = (struct kdp_action){.kind = KDP_ACTION_CONNECT, .line = line};
}
void
kdp_session_heard(struct kdp_session *s, uint16_t line, bool data, int64_t mono_ns)
{
    (void)line;
    (void)data;
    (void)mono_ns;
    s->heards++;
}
void
kdp_session_answer(struct kdp_session *s, uint64_t request, int status, int code, const char *body,
                   size_t len, const char *words, int64_t mono_ns, int64_t wall_ns)
{
    (void)request;
    (void)code;
    (void)words;
    (void)mono_ns;
    (void)wall_ns;
    s->answers++;
    s->answer_status = status;
    snprintf(s->answer_body, sizeof s->answer_body, "%.*s", (int)(len < 200 ? len : 200), body);
}
void
kdp_session_stop(struct kdp_session *s, int64_t mono_ns, int64_t wall_ns)
{
    (void)mono_ns;
    (void)wall_ns;
    s->stopped = true;
}
void
kdp_session_stats(const struct kdp_session *s, struct kdp_session_stats *stats)
{
    (void)s;
    memset(stats, 0, sizeof *stats);
}

bool
kdp_session_drained(const struct kdp_session *s, int64_t mono_ns, int64_t *left_nsp)
{
    (void)s;
    (void)mono_ns;
    *left_nsp = 0;
    return true;
}

/* ---- what the plant would be given ---- */

struct input {
    enum kdp_input_kind kind;
    unsigned line, flags;
    int64_t recv_ns;
    size_t len;
    uint32_t epoch, path_len;
    char text[120]; /* of rest */
};
static struct input *inputs; /* timers are left out */
static unsigned input_count, ticks;
static bool (*over)(void);
static int64_t deadline_mono;
static bool plant_is_slow;
static atomic_uint floods; /* frames of a slow plant that are not kept */

static int
feed(void *arg, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns, const void *fixed,
     size_t fixed_len, const void *rest, size_t rest_len)
{
    struct input *input = &inputs[input_count];

    (void)arg;
    if (kind == KDP_INPUT_TIMER) {
        ticks++;
        return 0;
    }
    if (plant_is_slow && kind == KDP_INPUT_FRAME && rest_len > 100) {
        for (int64_t until = kdpi_mono_ns() + 200000; kdpi_mono_ns() < until;)
            continue;
        floods++;
        return 0;
    }
    CHECK(input_count < INPUTS_MAX);
    *input = (struct input){.kind = kind, .line = line, .flags = flags, .recv_ns = recv_ns, .len = rest_len};
    if (kind == KDP_INPUT_CONNECTED || kind == KDP_INPUT_DISCONNECTED) {
        CHECK_INT(fixed_len, sizeof(struct kdp_input_line));
        input->epoch = ((const struct kdp_input_line *)fixed)->epoch;
    }
    if (kind == KDP_INPUT_REST) {
        input->path_len = ((const struct kdp_input_rest *)fixed)->path_len;
        CHECK_INT(fixed_len, sizeof(struct kdp_input_rest) + input->path_len);
    }
    snprintf(input->text, sizeof input->text, "%.*s", (int)(rest_len < 110 ? rest_len : 110),
             (const char *)rest);
    input_count++;
    return 0;
}

static void
tell(void *arg, enum kdp_action_kind kind, const char *text, const char *hint)
{
    (void)arg;
    (void)kind;
    (void)text;
    (void)hint;
}

static int
idle(void *arg)
{
    (void)arg;
    CHECK(kdpi_mono_ns() < deadline_mono);
    return over() ? 1 : 0;
}

/* Runs a feed against peer until done says so; its stats when stats is not NULL. */
static void
run(struct ws_peer *peer, size_t input_max, bool (*done)(void), struct kdp_live_stats *stats)
{
    static struct kdp_histogram age, to_ring;
    struct kdp_live_config config = {.input_max = input_max, .feed = feed, .tell = tell, .idle = idle};
    char ws[64], base[64];
    struct kdp_live *live;

    snprintf(ws, sizeof ws, "ws://127.0.0.1:%u/trade-api/ws/v2", ws_peer_port(peer));
    snprintf(base, sizeof base, "http://127.0.0.1:%u/trade-api/v2", ws_peer_port(peer));
    config.ws_url = ws;
    config.base_url = base;
    over = done;
    inputs = calloc(INPUTS_MAX, sizeof *inputs);
    CHECK(inputs != NULL);
    deadline_mono = kdpi_mono_ns() + 20 * KDP_NS_PER_S;
    CHECK_INT(kdp_live_open(&live, &config), 0);
    CHECK_INT(kdp_live_run(live), 0);
    CHECK(session.stopped);
    if (stats != NULL) {
        kdp_live_stats(live, stats);
        age = *stats->age;
        to_ring = *stats->to_ring;
        stats->age = &age;
        stats->to_ring = &to_ring;
    }
    CHECK_INT(kdp_live_hang_up(live), 0);
    kdp_live_close(live);
}

static void
act(struct kdp_action action)
{
    session.actions[session.count++] = action;
}

static void
connect_line(uint16_t line)
{
    act((struct kdp_action){.kind = KDP_ACTION_CONNECT, .line = line});
    session.wait_up++;
}

static bool
downs_1(void)
{
    return session.downs >= 1;
}

/* ---- cases ---- */

static const char command[] = "{\"id\":1,\"cmd\":\"subscribe\"}";

static void
echo(struct ws_talk *talk, unsigned n, void *arg)
{
    struct kdp_ws_message message;

    (void)n;
    (void)arg;
    while (ws_talk_next(talk, &message))
        if (message.kind == KDP_WS_TEXT)
            ws_talk_put(talk, KDP_WS_TEXT, message.data, message.len);
}

static bool
echoed(void)
{
    return input_count > 0 && inputs[input_count - 1].kind == KDP_INPUT_FRAME;
}

KDP_TEST(a_command_is_an_input_before_it_is_sent)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = echo});
    struct kdp_live_stats stats;

    connect_line(1);
    act((struct kdp_action){
        .kind = KDP_ACTION_COMMAND, .line = 1, .text = command, .len = sizeof command - 1});
    run(peer, 0, echoed, &stats);
    CHECK_INT(input_count, 4);
    CHECK_INT(inputs[0].kind, KDP_INPUT_CONNECTED);
    CHECK_INT(inputs[0].epoch, 1);
    CHECK(strncmp(inputs[0].text, "ws://127.0.0.1:", 15) == 0);
    CHECK_INT(inputs[1].kind, KDP_INPUT_COMMAND);
    CHECK_STR(inputs[1].text, command);
    CHECK_INT(inputs[2].kind, KDP_INPUT_FRAME);
    CHECK_STR(inputs[2].text, command);
    CHECK(inputs[1].recv_ns <= inputs[2].recv_ns);
    CHECK(inputs[2].recv_ns > kdpi_now_ns() - 20 * KDP_NS_PER_S && inputs[2].recv_ns <= kdpi_now_ns());
    CHECK_INT(inputs[3].kind, KDP_INPUT_DISCONNECTED); /* the end of the run hangs up */
    CHECK_STR(inputs[3].text, "the run ends");
    CHECK_INT(stats.frames, 1);
    CHECK_INT(stats.to_ring->count, 1);
    CHECK(ticks >= 1);
    CHECK(session.heards >= 1);
    ws_peer_close(peer);
}

static void
serve_close(struct ws_talk *talk, unsigned n, void *arg)
{
    struct kdp_ws_message message;

    (void)n;
    (void)arg;
    ws_talk_put(talk, KDP_WS_TEXT, "{}", 2);
    ws_talk_close(talk, 1001, "going away");
    CHECK(ws_talk_next(talk, &message)); /* the client's echo */
    CHECK_INT(message.kind, KDP_WS_CLOSE);
    CHECK_INT(message.close_code, 1001);
}

KDP_TEST(the_words_of_a_close_are_kept)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = serve_close});

    connect_line(1);
    run(peer, 0, downs_1, NULL);
    CHECK_INT(input_count, 3);
    CHECK_INT(inputs[1].kind, KDP_INPUT_FRAME);
    CHECK_INT(inputs[2].kind, KDP_INPUT_DISCONNECTED);
    CHECK_STR(inputs[2].text, "the exchange closed it: 1001 \"going away\"");
    CHECK_STR(session.down_words, inputs[2].text);
    ws_peer_close(peer);
}

static void
serve_reset(struct ws_talk *talk, unsigned n, void *arg)
{
    struct kdp_ws_message message;

    (void)arg;
    ws_talk_put(talk, KDP_WS_TEXT, "{}", 2);
    if (n == 1) {
        CHECK(ws_talk_next(talk, &message)); /* so that the frame was read before the reset throws it away */
        ws_talk_reset(talk);
        return;
    }
    while (ws_talk_next(talk, &message))
        continue;
}

static bool
up_again(void)
{
    return session.ups == 2 && inputs[input_count - 1].kind == KDP_INPUT_FRAME;
}

KDP_TEST(a_reset_ends_the_epoch_and_the_next_connection_begins_another)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = serve_reset});

    session.reconnect = true;
    connect_line(1);
    act((struct kdp_action){
        .kind = KDP_ACTION_COMMAND, .line = 1, .text = command, .len = sizeof command - 1});
    run(peer, 0, up_again, NULL);
    CHECK_INT(session.downs, 2); /* and that of the end */
    for (unsigned i = 0, epoch = 0; i < input_count; i++) {
        epoch += inputs[i].kind == KDP_INPUT_CONNECTED;
        if (inputs[i].kind == KDP_INPUT_CONNECTED || inputs[i].kind == KDP_INPUT_DISCONNECTED)
            CHECK_INT(inputs[i].epoch, epoch);
    }
    ws_peer_close(peer);
}

static void
serve_long(struct ws_talk *talk, unsigned n, void *arg)
{
    char *text = calloc(1, 100000);
    struct kdp_ws_message message;

    (void)n;
    (void)arg;
    memset(text, ' ', 100000);
    ws_talk_put(talk, KDP_WS_TEXT, text, 65536);
    ws_talk_put(talk, KDP_WS_TEXT, text, 65537);
    free(text);
    while (ws_talk_next(talk, &message))
        continue;
}

KDP_TEST(a_message_longer_than_the_input_ring_takes_ends_the_line)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = serve_long});
    struct kdp_live_stats stats;

    connect_line(1);
    run(peer, 65536, downs_1, &stats);
    CHECK_INT(input_count, 3);
    CHECK_INT(inputs[1].len, 65536);
    CHECK_STR(inputs[2].text, "a message of 65537 bytes is longer than the input ring takes (65536)");
    CHECK_INT(stats.too_long, 1);
    ws_peer_close(peer);
}

static void
serve_broken(struct ws_talk *talk, unsigned n, void *arg)
{
    struct kdp_ws_message message;

    (void)n;
    (void)arg;
    ws_talk_bytes(talk, "\xf1\x00", 2); /* reserved bits */
    while (ws_talk_next(talk, &message) && message.kind != KDP_WS_CLOSE)
        continue;
    CHECK_INT(message.close_code, 1002);
}

KDP_TEST(a_broken_protocol_is_answered_and_told)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = serve_broken});

    connect_line(1);
    run(peer, 0, downs_1, NULL);
    CHECK_INT(input_count, 2);
    CHECK(inputs[1].len > 10);
    ws_peer_close(peer);
}

static bool
refused_1(void)
{
    return session.refusals >= 1;
}

KDP_TEST(a_refused_upgrade_is_told_with_status_and_body)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.refuse = 401});

    connect_line(1);
    run(peer, 0, refused_1, NULL);
    CHECK_INT(session.refused_status, 401);
    CHECK_INT(session.refused_code, KDP_EREFUSED);
    CHECK_STR(session.refused_body, "{\"error\":{\"code\":\"no\"}}");
    CHECK_INT(input_count, 0);
    ws_peer_close(peer);
}

static bool
at_once(void)
{
    return true;
}

KDP_TEST(a_connection_under_way_does_not_hold_up_the_end)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.mute = true});
    int64_t begun = kdpi_mono_ns();

    connect_line(1);
    connect_line(2);
    run(peer, 0, at_once, NULL);
    CHECK(kdpi_mono_ns() - begun < 5 * KDP_NS_PER_S); /* an attempt may take 15 s */
    ws_peer_close(peer);
}

static int
answer(const char *target, char *body, size_t size, void *arg)
{
    (void)arg;
    if (strcmp(target, "/trade-api/v2/markets?limit=2") == 0) {
        snprintf(body, size, "{\"markets\":[]}");
        return 200;
    }
    memset(body, 'x', 100000);
    body[100000] = '\0';
    return 200;
}

static bool
answers_2(void)
{
    return session.answers == 2;
}

KDP_TEST(an_answer_is_an_input_before_the_session_hears_of_it)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.answer = answer});

    act((struct kdp_action){.kind = KDP_ACTION_GET, .request = 7, .text = "/markets?limit=2"});
    act((struct kdp_action){.kind = KDP_ACTION_GET, .request = 8, .text = "/long"});
    run(peer, 65536, answers_2, NULL);
    CHECK_INT(input_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_INT(inputs[i].kind, KDP_INPUT_REST);
        if (inputs[i].path_len == strlen("/markets?limit=2"))
            CHECK_STR(inputs[i].text, "{\"markets\":[]}");
        else /* words in the place of what no input can hold */
            CHECK(inputs[i].path_len == strlen("/long") && inputs[i].len < 1000 && inputs[i].text[0] != 'x');
    }
    ws_peer_close(peer);
}

static atomic_bool slow_seen;

static void
serve_flood(struct ws_talk *talk, unsigned n, void *arg)
{
    static char flood[2000];
    struct kdp_ws_message message;

    (void)n;
    (void)arg;
    if (!ws_talk_next(talk, &message))
        return;
    if (message.data[0] == 's') {
        while (floods < 1000 && kdpi_mono_ns() < deadline_mono) /* by then the socket of the flood is full */
            sched_yield();
        ws_talk_put(talk, KDP_WS_TEXT, "slow", 4);
    } else {
        while (!slow_seen && ws_talk_put(talk, KDP_WS_TEXT, flood, sizeof flood))
            continue;
    }
    while (ws_talk_next(talk, &message))
        continue;
}

static bool
slow_came(void)
{
    if (input_count > 0 && strcmp(inputs[input_count - 1].text, "slow") == 0 &&
        inputs[input_count - 1].kind == KDP_INPUT_FRAME)
        slow_seen = true;
    return slow_seen;
}

KDP_TEST(a_busy_line_does_not_starve_a_quiet_one)
{
    struct ws_peer *peer = ws_peer_open(&(struct ws_peer_config){.serve = serve_flood});

    plant_is_slow = true; /* the flood then never leaves the socket empty */
    connect_line(1);
    connect_line(2);
    act((struct kdp_action){.kind = KDP_ACTION_COMMAND, .line = 1, .text = "fast", .len = 4});
    act((struct kdp_action){.kind = KDP_ACTION_COMMAND, .line = 2, .text = "slow", .len = 4});
    run(peer, 0, slow_came, NULL);
    CHECK(floods >= 1000 && floods < 6000); /* it had its turn soon after it had something to say */
    ws_peer_close(peer);
}
