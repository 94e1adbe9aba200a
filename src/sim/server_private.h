/* server_private.h - what the files of the simulator's server share: connections, sessions, texts.
 *
 * server.c owns sockets and the loop, server_open.c opens and closes it all, server_http.c turns bytes into requests and upgrades, rest*.c answer requests,
 * session*.c are a client's WebSocket session (memory only: no socket is touched there), faults.c reads fault lines,
 * server_fault.c does them, control.c is the control socket. */
#ifndef KDPI_SERVER_PRIVATE_H
#define KDPI_SERVER_PRIVATE_H

#include <assert.h>

#include <openssl/evp.h>

#include "faults.h"
#include "json.h"
#include "past.h"
#include "server.h"
#include "tls.h"
#include "ws.h"
#include "ws_handshake.h"

/* ---- growing texts ---- */
struct sim_text {
    char *data;
    size_t len, size;
};
void sim_text_free(struct sim_text *text);
void sim_text_room(struct sim_text *text,
                   size_t len); /* memory for len more bytes; without memory the process ends */
void sim_put(struct sim_text *text, const char *bytes, size_t len);
void sim_puts(struct sim_text *text, const char *word);
void sim_putf(struct sim_text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_put_price(struct sim_text *text, int64_t price_e4); /* 0.4200 */
void sim_put_size(struct sim_text *text, int64_t size_e2);   /* 87.00 */
void sim_put_int(struct sim_text *text, int64_t value);
void sim_put_json(struct sim_text *text, const char *word, size_t len); /* with quotes and escapes */
void sim_put_time(struct sim_text *text, int64_t ns, int digits);       /* RFC 3339 with quotes, or null */
#define sim_lit(text, literal) sim_put((text), "" literal "", sizeof(literal) - 1)

/* ---- channels and subscriptions ---- */
enum sim_channel {
    SIM_BOOK,
    SIM_TRADE,
    SIM_TICKER,
    SIM_LIFE,
    SIM_COMBO_LIFE,
    SIM_FILL, /* from here on: taken, and silent, since nobody trades here */
    SIM_POSITIONS,
    SIM_ORDERS,
    SIM_ORDER_GROUPS,
    SIM_COMMUNICATIONS,
    SIM_CFBENCHMARKS,
    SIM_CFBENCHMARKS_5HZ,
    SIM_PYTH,
    SIM_CHANNELS
};
struct sim_channel_row {
    const char *name, *word; /* of the exchange; in fault lines */
    bool numbered, filtered;
};
extern const struct sim_channel_row sim_channels[SIM_CHANNELS];

struct sim_bits { /* a set of markets */
    uint64_t *words;
    size_t size; /* words */
    uint32_t count;
};
bool sim_bit(const struct sim_bits *bits, uint32_t market);
bool sim_bit_set(struct sim_bits *bits, uint32_t market);   /* true: it was not there */
bool sim_bit_clear(struct sim_bits *bits, uint32_t market); /* true: it was there */
void sim_bits_free(struct sim_bits *bits);

struct sim_ask { /* a snapshot owed to the client */
    uint32_t market;
    bool asked; /* by get_snapshot, with this id */
    int64_t id;
};
struct sim_sub {
    enum sim_channel channel;
    bool on, all, yes_price, skip_ack, initial;
    uint32_t sid;
    uint64_t seq;
    struct sim_bits wanted, active; /* active: of books, those whose first snapshot is on its way */
    struct sim_ask *asks;           /* ring */
    uint32_t ask_first, ask_count, ask_size;
    uint64_t bytes; /* put out since the output was last empty */
};

struct sim_session {
    struct kdp_sim *sim;
    uint32_t number; /* of its connection */
    struct kdp_ws *ws;
    struct sim_sub subs[SIM_CHANNELS];
    uint32_t next_sid;
    /* lengths of the frames in the output, oldest first (ring), so that a TLS record can hold so many of them */
    uint32_t *frames;
    uint32_t frame_first, frame_count, frame_size;
    int64_t frames_since_ns; /* mono: when the oldest of an incomplete batch was put */
    /* raw bytes behind the output, for faults of the frame layer; nothing more is sent after them */
    char raw[64];
    size_t raw_len;
    bool muted;     /* data and replies are lost, pings go on */
    bool overrun;   /* too much output: end it */
    size_t allowed; /* output above the bound that is there on purpose, until it is out */
    uint64_t commands;
    int64_t command_second; /* which second, and how many in it */
    uint32_t command_count;
    struct sim_session *next; /* of the server's list */
};

struct sim_harm { /* what the answer under way suffers, of faults; of the lists, those that have pages */
    bool any;
    bool cut, shortened,
        chunk_cut; /* the body ends too early: against its length, with it, without a last chunk */
    size_t big;    /* this many bytes of white space before it */
    /* its cursor again; the one of the request before; nothing on it; not newest first; one of the page before */
    bool loop, turn, empty, mixed, twice;
};

struct sim_conn {
    struct kdp_sim *sim;
    struct sim_conn *next;
    uint32_t number;
    int fd;
    uint32_t events; /* asked of epoll */
    struct kdp_tls *tls;
    char in[KDP_HTTP_HEAD_MAX]; /* HTTP, until a head is whole */
    size_t in_len, skip;        /* skip: body bytes to read over */
    struct sim_text out;        /* HTTP answers */
    size_t out_sent;
    bool http_end;    /* close when the output is out */
    bool dead, reset; /* to be closed at the end of the round */
    bool held;        /* an answer that never comes */
    struct sim_harm harm;
    struct sim_bulk *bulk; /* a daily file on its way, NULL: none */
    bool public;           /* the request under way is not signed */
    int64_t made_ns;       /* mono */
    struct sim_session *session;
    int64_t ping_ns, heard_ns; /* mono: next ping, last pong or other frame */
    int64_t stall_until_ns, mute_until_ns, slow_until_ns, slow_at_ns;
    int64_t slow_bytes; /* a second, 0: not slow */
    int64_t slow_credit;
};

/* One fault that waits for its moment. */
struct sim_armed {
    struct kdp_sim_fault fault;
    uint32_t conn, sid; /* 0: whoever comes first; then it is bound to it */
    uint32_t left;
    int64_t until_ns; /* mono, INT64_MAX: no end */
};
struct sim_timed { /* a script line */
    char *line;
    int64_t at_ns, every_ns; /* mono; every 0: once */
};

static_assert(KDP_SIM_FAULTS <= 64, "armed_mask has a bit for each");

#define SIM_ARMED_MAX 256u
#define SIM_TIMED_MAX 1024u
#define SIM_HEAD 128u /* bytes kept free before a body for its envelope */
#define SIM_OUTPUT_MAX ((size_t)8 << 20)
#define SIM_CONNECTIONS_MAX 200u /* sessions; docs/exchange.md 4.1 */
#define SIM_REQUESTS_MAX 500u    /* open sockets, all kinds */

struct sim_control; /* one client of the control socket */

struct kdp_sim {
    struct kdp_sim_config config;
    struct kdp_exchange *exchange;
    struct kdp_past *past;  /* NULL: none */
    int64_t cutoff_back_ns; /* how far behind now the tiers part; only ever less */
    struct kdp_tls_context *context;
    int epoll, listener, control_listener;
    uint16_t port;
    char *dir;
    bool dir_made;
    char key_id[37];
    EVP_PKEY *rsa, *ed25519;
    struct sim_conn *conns;
    uint32_t conn_count, conn_last, session_count;
    struct sim_session *sessions;
    struct sim_control *controls;
    uint32_t sub_count[SIM_CHANNELS];
    int64_t now_ns, mono_ns, opened_mono_ns;
    int64_t run_mono_ns; /* when the exchange wants to run again */
    bool quiet;
    bool catching; /* what was due while it was quiet is made to happen, no faster than clients read */
    bool stopping; /* asked to end */
    /* texts of one message at a time */
    struct sim_text body[2], other;
    char **names; /* by market: {"market_ticker":...,"market_id":... without an end, made when first needed */
    uint32_t names_size;
    struct kdp_json json;
    struct kdp_json_keys *keys;
    char *scratch;
    uint32_t *markets; /* of the command or request under way */
    uint32_t markets_size;
    /* REST */
    double tokens;
    int64_t tokens_ns;    /* mono */
    unsigned error_shape; /* 0 flat, 1 wrapped, 2 a text; 3: in turn */
    unsigned error_turn;
    struct sim_cache *cache; /* of the stale mode */
    bool stale;
    struct sim_terms *terms;              /* what was changed of markets, events and series; NULL: nothing */
    unsigned unknown_shape;               /* trades of a ticker nobody knows: 0 none, 1 404, 2 400 */
    char last_cursor[64];                 /* that the last request had, for cursors that turn back */
    struct kdp_exchange_trade last_trade; /* of the last page of trades, for pages that overlap */
    uint64_t rest_signed;
    /* faults */
    struct sim_armed armed[SIM_ARMED_MAX];
    uint32_t armed_count;
    uint64_t armed_mask;
    struct sim_timed timed[SIM_TIMED_MAX];
    uint32_t timed_count;
    struct kdp_sim_fault taken; /* the last that sim_armed_take gave */
    uint64_t random;
    int64_t clock_offset_ns;
    int64_t paused_until_ns;  /* mono; 0: no maintenance */
    uint32_t sub_markets_max; /* error 26 above it, 0: no bound */
    uint32_t mix_rate_e6;     /* random faults a second, 0: none */
    uint64_t mix_random;
    int64_t mix_next_ns;
    struct kdp_sim_stats stats;
    uint64_t lost_frames, auth_refused, overflows, faults_missed;
};

/* ---- server_setup.c ---- */
int sim_setup(struct kdp_sim *sim);
int sim_write_env(struct kdp_sim *sim);

/* ---- server_auth.c ---- */
enum sim_auth { SIM_AUTH_NONE, SIM_AUTH_GOOD, SIM_AUTH_BAD };
struct sim_auth_words {
    const char *code, *message;
};
enum sim_auth sim_auth_check(struct kdp_sim *sim, const struct kdp_http_request *request,
                             struct sim_auth_words *words);

/* ---- server_http.c ---- */
void sim_http_input(struct sim_conn *conn); /* as many whole requests as there are */
void sim_http_answer(struct sim_conn *conn, int status, const char *headers, const char *body, size_t len);
void sim_http_error(struct sim_conn *conn, int status, const char *code, const char *message);

/* ---- rest*.c ---- */
struct sim_param {
    char name[48], *value; /* decoded */
};
struct sim_query {
    const char *path; /* below the base, decoded; NUL-terminated */
    struct sim_param params[256];
    unsigned count;
    char *memory;
};
void sim_rest(struct sim_conn *conn, const struct kdp_http_request *request);
const char *sim_query_get(const struct sim_query *query, const char *name); /* NULL: not given */
bool sim_query_int(const struct sim_query *query, const char *name, int64_t fallback, int64_t min,
                   int64_t max, int64_t *out);
void sim_rest_markets(struct sim_conn *conn, const struct sim_query *query, bool historical);
void sim_rest_market(struct sim_conn *conn, const char *ticker, size_t len, bool historical);
void sim_rest_orderbook(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len);
void sim_rest_orderbooks(struct sim_conn *conn, const struct sim_query *query);
void sim_rest_trades(struct sim_conn *conn, const struct sim_query *query, bool historical);
void sim_rest_events(struct sim_conn *conn, const struct sim_query *query, bool combos);
void sim_rest_event(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len);
void sim_rest_series(struct sim_conn *conn, const struct sim_query *query, const char *ticker,
                     size_t len);                                            /* NULL: all */
bool sim_rest_candles(struct sim_conn *conn, const struct sim_query *query); /* false: no such path */
bool sim_listed(const char *list, const char *ticker);                       /* comma-separated */
bool sim_begins(const struct kdp_sim *sim, uint32_t market, const char *word, size_t len);
/* sim_put_cursor writes the page's cursor member; more: a page follows, at that number. */
void sim_put_cursor(struct sim_conn *conn, const struct sim_query *query, struct sim_text *text, bool more,
                    uint64_t number);
/* sim_cursor_read: false when it is none of ours; *givenp: there is one. */
bool sim_cursor_read(const struct kdp_sim *sim, const struct sim_query *query, uint64_t *numberp,
                     bool *givenp);
uint64_t sim_trade_key(const struct kdp_sim *sim); /* what cursors are made unreadable with */
void sim_put_uuid(struct sim_text *text, const uint8_t bytes[16]);
void sim_put_market(struct kdp_sim *sim, struct sim_text *text, uint32_t index);
extern const char *const sim_statuses[9];

/* ---- rest_fault.c ---- */
/* sim_rest_harmed: true when a fault has answered the request, or nobody ever will; else conn->harm says what its answer suffers. */
bool sim_rest_harmed(struct sim_conn *conn, const struct sim_query *query);
bool sim_cache_give(struct sim_conn *conn, struct kdp_http_slice target);
void sim_cache_take(struct sim_conn *conn, struct kdp_http_slice target, size_t from);
void sim_cache_free(struct kdp_sim *sim);

/* ---- rest_find.c: the past and the running exchange as one; markets of the past come first ---- */
uint32_t sim_market_count(const struct kdp_sim *sim);
void sim_market_at(const struct kdp_sim *sim, uint32_t market, struct kdp_exchange_market *out);
const char *sim_market_ticker(const struct kdp_sim *sim, uint32_t market, size_t *lenp);
uint32_t sim_market_find(const struct kdp_sim *sim, const char *ticker, size_t len); /* UINT32_MAX: no */
int64_t sim_cutoff_ns(const struct kdp_sim *sim);
/* sim_cutoff_move moves it on (never back) by that much; false: it is where it can be already. */
bool sim_cutoff_move(struct kdp_sim *sim, int64_t ns);
/* sim_is_historical tells whether it is listed in the historical tier alone. */
bool sim_is_historical(const struct kdp_sim *sim, const struct kdp_exchange_market *m);

/* Trades newest first, of all markets (market UINT32_MAX) or one.  at is a position that says where to go on: trades below it. */
struct sim_walk {
    const struct kdp_sim *sim;
    uint32_t market;
    uint64_t at;
    struct kdp_exchange_trade trade;
};
/* sim_walk_begin stands behind the last trade that is not later than max_ns. */
void sim_walk_begin(struct sim_walk *walk, const struct kdp_sim *sim, uint32_t market, int64_t max_ns);
/* sim_walk_from goes on at a position of an earlier walk of the same market; false: it can be none. */
bool sim_walk_from(struct sim_walk *walk, const struct kdp_sim *sim, uint32_t market, uint64_t at);
/* sim_walk_next gives the next older trade, its market numbered as here; NULL: there is none. */
const struct kdp_exchange_trade *sim_walk_next(struct sim_walk *walk);

/* All trades by number, the oldest first; numbers of what the log has forgotten give none. */
uint64_t sim_trade_count(const struct kdp_sim *sim);
uint64_t sim_trade_from(const struct kdp_sim *sim, int64_t time_ns); /* the first that is not earlier */
bool sim_trade_at(const struct kdp_sim *sim, uint64_t number, struct kdp_exchange_trade *trade);

/* ---- rest_terms.c: what markets are about ---- */
void sim_terms_change(struct kdp_sim *sim, const char *ticker); /* the rules of a market are others now */
/* sim_terms_fee keeps a change of an event's or a series' fees; type NULL: an event's override ends. */
void sim_terms_fee(struct kdp_sim *sim, const char *name, bool event, const char *type, int64_t multiplier_e6,
                   int64_t at_ns);
int64_t sim_terms_updated(const struct kdp_sim *sim, const struct kdp_exchange_market *m);
void sim_put_terms(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_market *m);
void sim_put_event(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_market *m);
const char *sim_category(const char *series);
void sim_put_series(const struct kdp_sim *sim, struct sim_text *text, const char *series, const char *title,
                    int64_t volume_e2); /* volume -1: not asked for */
void sim_rest_fees(struct sim_conn *conn, const struct sim_query *query, bool events);
void sim_terms_free(struct kdp_sim *sim);

/* ---- rest_bulk.c: daily files ---- */
void sim_bulk(struct sim_conn *conn,
              const char *name);           /* begins the answer; conn->bulk while there is more of it */
void sim_bulk_pump(struct sim_conn *conn); /* makes more when there is room for it */
void sim_bulk_end(struct sim_conn *conn);

/* ---- truth.c: control lines "trades" and "cutoff", without their first word ---- */
int sim_truth(const struct kdp_sim *sim, const char *line, struct sim_text *reply);
int sim_cutoff_line(struct kdp_sim *sim, const char *line, struct sim_text *reply);

/* ---- rest_trade.c ---- */
void sim_put_trade(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_trade *trade);

/* ---- session.c: what is sent ---- */
struct sim_session *sim_session_open(struct kdp_sim *sim, uint32_t number, struct kdp_ws *ws);
void sim_session_close(struct sim_session *session);
void sim_session_pump(struct sim_session *session); /* snapshots owed, as far as the output has room */
bool sim_session_owes(const struct sim_session *session);
void sim_session_ask(struct sim_sub *sub, uint32_t market, bool asked, int64_t id);
void sim_session_drop(struct sim_session *session,
                      enum sim_channel channel); /* the subscription is no more */
void sim_session_frame(struct sim_session *session, enum kdp_ws_kind kind, const void *bytes, size_t len);
/* The body in text (from SIM_HEAD on) goes to one subscription as a message of that type; id 0: none. */
void sim_session_send(struct sim_session *session, enum sim_channel channel, const char *type,
                      struct sim_text *body, int64_t id);
void sim_session_error(struct sim_session *session, bool has_id, int64_t id, struct sim_sub *sub, int code,
                       const char *words);
bool sim_session_snapshot(struct sim_session *session, uint32_t market, bool asked, int64_t id);
void sim_session_count(struct sim_session *session, size_t len);   /* a frame of that length was put */
void sim_event(void *arg, const struct kdp_exchange_event *event); /* the exchange's listener */
void sim_send_ticker(struct sim_session *session, uint32_t market);

/* ---- session_command.c ---- */
void sim_session_command(struct sim_session *session, const char *text, size_t len);

/* ---- session_format.c: bodies ---- */
void sim_body_begin(struct sim_text *text);
void sim_body_delta(struct kdp_sim *sim, const struct kdp_exchange_event *event, bool yes_price,
                    struct sim_text *text);
void sim_body_snapshot(struct kdp_sim *sim, uint32_t market, bool yes_price, struct sim_text *text);
void sim_body_trade(struct kdp_sim *sim, const struct kdp_exchange_trade *trade, struct sim_text *text);
void sim_body_ticker(struct kdp_sim *sim, uint32_t market, int64_t time_ns, struct sim_text *text);
bool sim_body_lifecycle(struct kdp_sim *sim, const struct kdp_exchange_event *event, struct sim_text *text);
void sim_body_event(struct kdp_sim *sim, const struct kdp_exchange_event *event, struct sim_text *text);
const char *sim_name(struct kdp_sim *sim, uint32_t market);
void sim_renamed(struct kdp_sim *sim,
                 uint32_t market); /* a place in the exchange may have been given to another market */
void sim_put_ranges(struct sim_text *text, const struct kdp_exchange_market *market);

/* ---- server_fault.c ---- */
/* sim_armed_take: does a fault of this kind wait for this subscription (sub may be NULL)?  Takes one of its count. */
const struct kdp_sim_fault *sim_armed_take(struct kdp_sim *sim, enum kdp_sim_fault_kind kind, uint32_t conn,
                                           const struct sim_sub *sub);
/* like it, for faults that last for a time: nothing is taken */
const struct kdp_sim_fault *sim_armed_look(struct kdp_sim *sim, enum kdp_sim_fault_kind kind, uint32_t conn);
static inline bool
sim_is_armed(const struct kdp_sim *sim, enum kdp_sim_fault_kind kind)
{
    return (sim->armed_mask >> (unsigned)kind & 1) != 0;
}
void sim_disarm(struct kdp_sim *sim, uint32_t index); /* it waits no more */
int sim_fault_do(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_text *reply);
void sim_armed_forget(struct kdp_sim *sim, uint32_t conn); /* that connection is no more */
/* faults of requests: whoever asks, when the path begins as the fault says */
const struct kdp_sim_fault *sim_armed_path(struct kdp_sim *sim, enum kdp_sim_fault_kind kind,
                                           const char *path);
bool sim_paused(const struct kdp_sim *sim);
uint64_t sim_random(struct kdp_sim *sim, uint64_t below);
uint64_t sim_step(uint64_t *state); /* of a reproducible order */

/* ---- server_script.c ---- */
int sim_fault_line(struct kdp_sim *sim, const char *line); /* of a script: at once, AT, EVERY */
int sim_fault_script(struct kdp_sim *sim, const char *path);
void sim_fault_work(struct kdp_sim *sim);         /* what is due */
int64_t sim_fault_due(const struct kdp_sim *sim); /* mono ns */
void sim_fault_close(struct kdp_sim *sim);

/* ---- control.c ---- */
int sim_control_open(struct kdp_sim *sim);
void sim_control_accept(struct kdp_sim *sim);
bool sim_control_event(struct kdp_sim *sim, void *ptr, uint32_t events); /* false: ptr is none of its own */
void sim_control_close(struct kdp_sim *sim);
int sim_control_line(struct kdp_sim *sim, const char *line, struct sim_text *reply);

/* ---- server.c ---- */
struct sim_conn *sim_conn_find(struct kdp_sim *sim, uint32_t number);
void sim_conn_end(struct sim_conn *conn, bool reset);
int64_t sim_exchange_now(const struct kdp_sim *sim); /* what the exchange's clock shows: Date, signatures */
void sim_read_clocks(struct kdp_sim *sim);
void sim_conn_write(struct sim_conn *conn); /* what the socket takes now */
void sim_end_dead(struct kdp_sim *sim);     /* closes those that sim_conn_end has marked */
/* ---- server_open.c ---- */
int sim_open_bare(struct kdp_sim **simp, const struct kdp_sim_config *config);

#endif
