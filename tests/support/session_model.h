/* session_model.h - an exchange and a plant for tests of the session: virtual time, no socket, notices spoken directly.
 *
 * The model answers what the session asks after a latency, keeps books of the plant's kind (live, stale, owned by a line and
 * sid), makes trades, and can be told to misbehave.  Every action is checked against what must never happen: an empty list
 * of tickers, two outstanding subscribes of a channel on a line, an id used twice, a get_snapshot to another sid than the one
 * the market is in, a command on a line that is down, too many commands in a second. */
#ifndef KDP_SESSION_MODEL_H
#define KDP_SESSION_MODEL_H

#include "kdp/error.h"
#include "session.h"

#define MODEL_LINES (KDP_LINES_LIVE_MAX + 1u)
#define MODEL_SUBS 64u
#define MODEL_BEGIN_NS (INT64_C(1795348800) * 1000000000)
#define S_NS INT64_C(1000000000)
#define MS_NS INT64_C(1000000)

struct model_market {
    char ticker[48];
    uint8_t status;
    bool combo, unlisted; /* unlisted: known by the lifecycle alone */
    int64_t open_ns, close_ns, volume_e2;
    /* the plant's */
    uint8_t book;
    uint16_t line;
    uint32_t sid;
    bool planned, rest_book;
    uint32_t snapshots, recoverings, opened, closed, rest_books, audits;
    uint32_t samples, quotes; /* of a run without a key */
    int64_t sample_ns;        /* the last one; the longest time between two */
    int64_t sample_gap_ns;
    /* faults */
    bool refused; /* a command that adds it gets error 11, whatever else is in it */
    bool gone;    /* its book is 404 */
    bool mute;    /* the exchange never sends a snapshot of it over the stream */
};

struct model_sub {
    bool alive, all;
    uint8_t channel; /* 0 book 1 trade 2 ticker 3 lifecycle 4 multivariate */
    uint32_t sid;
    uint32_t members;
    uint8_t *in; /* by market */
};

struct model_line {
    bool connecting, up, stalled, silent,
        deaf; /* deaf: commands are not answered; stalled: pings only; silent: nothing */
    uint32_t epoch, next_sid;
    int64_t last_id;
    struct model_sub subs[MODEL_SUBS];
    uint32_t sub_count;
    int64_t second; /* pace of commands */
    uint32_t in_second, connects, commands, pings, refusals;
    int64_t outstanding[5]; /* id of a subscribe of the channel without a reply */
    int64_t outstanding_ns[5];
    int64_t refused_ns;
    bool trade_gap, was_deaf; /* was_deaf: commands of this connection were lost */
    int64_t connect_ns[64];   /* when the last ones were asked */
};

struct model_trade {
    int64_t ns;
    bool known, from_rest;
    uint32_t market;
};

struct model_event;
struct model {
    struct kdp_session *session;
    struct kdp_session_config config;
    struct kdp_rules rules;
    int64_t mono, wall;
    uint64_t random;
    struct model_market *markets; /* instrument = index + 1 */
    uint32_t market_count;
    uint32_t per_event; /* markets of one event; one series has 10 events */
    struct model_line lines[MODEL_LINES];
    struct model_trade *trades;
    size_t trade_count, trade_room;
    int64_t trades_from_ns; /* those before are not ours to have: a fresh run begins with its subscription */
    struct model_event *events; /* a heap */
    size_t event_count, event_room;
    uint64_t event_order;

    /* how the exchange is */
    int64_t latency_ns, rest_latency_ns;
    uint32_t trades_per_s; /* each virtual second, spread */
    int64_t next_trade_ns;
    int64_t data_every_ns, next_data_ns; /* other data on every line that is up; 0: none */
    int64_t rest_lag_ns;                 /* trades are served so much later */
    int64_t cache_ns;                    /* the same request within it gets the same answer; 0: no cache */
    struct {
        uint64_t path;
        int64_t at_ns;
    } cached[256];
    int64_t cutoff_ns; /* trades before it are in the historical tier alone; 0: there is one tier */
    bool unreachable;  /* no request is answered */
    bool no_history, books_private; /* historical trades are 404; books 401 */
    uint32_t page;                  /* items in a page of REST, 0: as asked */
    uint32_t subscription_max;      /* error 26 beyond it, 0: none */
    bool subscription_fills; /* what fits is taken all the same, and its snapshots come behind the error */
    uint32_t commands_max;   /* error 27 beyond so many a second, 0: none */
    bool paused;
    int64_t resume_ns;
    int rest_status;   /* every request is answered with it, 0: normally */
    uint32_t rest_429; /* so many are answered 429 */
    bool no_bounds;    /* min_ts and max_ts give 400 */
    bool no_batch, no_status;
    const char *schedule;     /* body of /exchange/schedule */
    uint32_t connections_max; /* more are refused with 429; 0: none */
    int connect_status;       /* every upgrade is refused with it, 0: not */
    int connect_code;
    const char *connect_body;
    /* chances in 1,000 */
    uint32_t lose_snapshot, lose_reply, lose_trade, rest_fails;
    bool lose_tail;             /* a lost trade is not revealed by a later number */
    bool page_circle;           /* cursors of trades lead in a circle */
    uint32_t get_snapshot_deaf; /* bit by line: get_snapshot is not answered */

    /* what was seen */
    uint64_t actions, commands, gets, listings, trade_pages, book_gets, audit_gets, status_gets, event_gets,
        sample_gets, quote_gets, past_pages, cutoff_gets, unsubscribes, reloads, healed, snapshot_commands,
        deletes, adds, subscribes;
    int64_t healed_before_ns, lost_before_ns, listed_before_ns;
    int64_t behind_ns, asked_from_ns; /* the earliest trades that were asked for */
    uint32_t behinds, losts;
    uint32_t listed_timers;
    uint32_t failures, warnings, paused_timers, resumed_timers;
    char last_warning[256], last_notice[256], failure[256], failure_hint[256], last_get[512],
        last_trades_get[512], last_command[512], rules_words[512];
    int failure_code;
    bool all, keyless, quoting;
    uint32_t log; /* print actions: for a person */
    uint32_t commands_second_max;
};

void model_begin(struct model *m,
                 uint32_t markets); /* fills in defaults; change the config before model_run */
void model_end(struct model *m);
/* model_kill ends the session without a word, and what it waits for: the next model_run opens another with the config. */
void model_kill(struct model *m);
/* model_run lets so much time go by. */
void model_run(struct model *m, int64_t ns);
/* model_until runs until done says so: false after at most ns. */
bool model_until(struct model *m, int64_t ns, bool (*done)(const struct model *m));
bool
model_settled(const struct model *m); /* every planned market that is not closed is live, no window is open */
bool model_live(const struct model *m); /* every planned market that is not closed is live */
uint32_t model_planned(const struct model *m);
uint32_t model_trades_missing(const struct model *m,
                              int64_t before_ns); /* trades made before then, not in the stream */

/* faults, now */
void model_gap(struct model *m, uint16_t line,
               unsigned channel);                 /* numbers are missing on the sid of that channel */
void model_reset(struct model *m, uint16_t line); /* the connection breaks */
void model_error(struct model *m, uint16_t line, unsigned channel,
                 int code);                                         /* a terminal error of the sid */
void model_stale(struct model *m, uint32_t market, uint8_t reason); /* one book */
void model_market(struct model *m, uint32_t market);                /* the lifecycle tells of it */
struct model_sub *model_sub(struct model *m, uint16_t line, unsigned channel); /* the one alive, NULL */
uint64_t model_random(struct model *m, uint64_t below);

#endif
