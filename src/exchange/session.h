/* session.h - what is asked of the exchange, and when: the signed session as a state machine without I/O or clock.
 *
 * It is told what happened (notices of the plant, connections, REST answers, time) and says what to do next (connect, send a
 * command, ask REST, log a timer).  src/exchange/live.c carries that out; tests drive it with a clock of their own.  The rules
 * it follows stand in docs/design/session.md.  Monotonic times (mono) run timeouts; wall times stand in windows and paths.
 * One thread.  Lines are connections, numbered from 1. */
#ifndef KDPI_SESSION_H
#define KDPI_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "notice.h"
#include "rules.h"

#define KDP_LINES_LIVE_MAX 32u

struct kdp_session;

struct kdp_session_config {
    const struct kdp_rules *rules; /* copied */
    uint32_t connections; /* book lines at the start; more are opened when the exchange's limits ask for it */
    bool
        keyless; /* no line is ever asked for: trades are polled, books sampled over REST (docs/design/keyless.md) */
    uint64_t seed;        /* of jitter */
    bool restarted;       /* the data directory had a run before */
    int64_t last_wall_ns; /* newest receive time of it, KDP_TIME_NULL */
    /* receive time of the oldest trade gap that no earlier run healed; 0: none.  The window of a restart reaches back to it */
    int64_t trades_open_ns;
    int64_t last_trade_ns; /* exchange time of its newest trade, 0: none: right whatever clock that run had */
    /* receive time of the first record there is, 0: not known.  Trades from before it are not this stream's: history may have
     * filed them, and then they would stand in the lake twice */
    int64_t first_wall_ns;
    /* spans in ns, 0: the default in brackets */
    int64_t snapshot_wait_ns; /* repeat get_snapshot after [2 s] */
    int64_t silence_ns;       /* a line without any frame is dead after [30 s] */
    int64_t stall_ns;         /* a line that answers pings but brings no data is probed after [15 s] */
    int64_t trade_audit_ns;   /* recent trades are compared with REST each [60 s] */
    int64_t trade_settle_ns;  /* REST may lag: a window is verified so long after its end [20 s] */
    int64_t window_pad_ns;    /* [10 s] on both sides of a window */
    int64_t book_audit_ns;    /* a round of book audits each [30 s] */
    uint32_t
        pace_percent; /* of tests: the spans of this struct that are left to their defaults, times this share [100] */
    uint32_t book_audit_batch;              /* markets in a round [20] */
    int64_t relist_ns;                      /* the listing is read anew each [10 min] */
    int64_t trade_poll_ns;                  /* keyless: trades are polled each [2 s] */
    int64_t sample_ns;                      /* keyless: each book is looked at each [12 s] */
    uint32_t samples_max;                   /* keyless: so many books at most [2,000] */
    int64_t backoff_min_ns, backoff_max_ns; /* reconnects [250 ms, 30 s], with jitter, doubling */
    uint32_t subscribe_batch;               /* tickers in one command [1,000] */
    uint32_t snapshot_batch;                /* tickers in one get_snapshot [250] */
};

int kdp_session_open(struct kdp_session **sessionp, const struct kdp_session_config *config);
void kdp_session_close(struct kdp_session *session);

/* ---- what to do ---- */
enum kdp_action_kind {
    KDP_ACTION_CONNECT,    /* line */
    KDP_ACTION_DISCONNECT, /* line, reason, text: close it; kdp_session_down is called as for any other end */
    KDP_ACTION_COMMAND,    /* line, text: log it as an input, then send it */
    KDP_ACTION_PING,       /* line */
    KDP_ACTION_GET,        /* request, text: the path below the base URL */
    KDP_ACTION_TIMER,      /* timer: feed it as an input */
    KDP_ACTION_RELOAD,     /* text: feed it as an input */
    KDP_ACTION_WARN,       /* text, hint: told once to a person */
    KDP_ACTION_NOTICE,     /* text: the last thing that happened, for the screen and the log */
    KDP_ACTION_FAIL        /* code (enum kdp_error), text, hint: the run cannot go on */
};
struct kdp_action {
    enum kdp_action_kind kind;
    uint16_t line;
    uint32_t reason; /* enum kdp_reason */
    int code;
    uint64_t request;
    struct kdp_input_timer timer;
    const char *text; /* NUL-terminated, valid until the next call of kdp_session_next */
    size_t len;
    const char *hint;
};
/* kdp_session_next gives the next thing to do: false when there is nothing to do before kdp_session_due (mono ns) or the next
 * event.  Call it after every event and when it is due, until it returns false. */
bool kdp_session_next(struct kdp_session *session, int64_t mono_ns, int64_t wall_ns,
                      struct kdp_action *action);
int64_t kdp_session_due(const struct kdp_session *session);

/* ---- what happened ---- */
/* kdp_session_clock says by how much the exchange's clock is ahead of the wall times given here (0 until told): windows of
 * trades and the times of open and close are the exchange's. */
void kdp_session_clock(struct kdp_session *session, int64_t ahead_ns);
/* kdp_session_load says how many messages a market's book brought since the last call; every few seconds, for the busy ones. */
void kdp_session_load(struct kdp_session *session, uint32_t instrument, uint32_t messages);
void kdp_session_notice(struct kdp_session *session,
                        const struct kdp_notice *notice); /* mono time of the last _heard or _next */
void kdp_session_up(struct kdp_session *session, uint16_t line, int64_t mono_ns);
/* status: of a refused upgrade, 0: it did not come that far; code: enum kdp_error; body: of the refusal; words for a person. */
void kdp_session_refused(struct kdp_session *session, uint16_t line, int status, int code, const char *body,
                         const char *words, const char *hint, int64_t mono_ns);
void kdp_session_down(struct kdp_session *session, uint16_t line, uint32_t reason, const char *words,
                      int64_t mono_ns);
/* any bytes from the line; data: a text frame among them */
void kdp_session_heard(struct kdp_session *session, uint16_t line, bool data, int64_t mono_ns);
/* kdp_session_answer: called after the answer was fed to the plant as an input.  status 0: no answer, words say why. */
void kdp_session_answer(struct kdp_session *session, uint64_t request, int status, int code, const char *body,
                        size_t len, const char *words, int64_t mono_ns, int64_t wall_ns);
/* other rules from now on (SIGHUP): a new listing and a changed plan, without a hole */
int kdp_session_reload(struct kdp_session *session, const struct kdp_rules *rules);
/* the end: no new work but one look at the recent trades and at windows still open */
void kdp_session_stop(struct kdp_session *session, int64_t mono_ns, int64_t wall_ns);
/* kdp_session_drained: nothing is left to ask; else *left_nsp is how long at most. */
bool kdp_session_drained(const struct kdp_session *session, int64_t mono_ns, int64_t *left_nsp);

/* ---- how it is, for screens, summaries and status ---- */
struct kdp_session_line {
    bool wanted, up;
    uint32_t planned; /* books it carries or is to carry */
    uint64_t reconnects;
    char last_words[160]; /* of its last end */
};
struct kdp_session_stats {
    uint32_t lines_wanted, lines_up;
    uint32_t markets_known, markets_planned;
    uint64_t reconnects;   /* connections lost and made again */
    uint64_t windows_open; /* trade windows not yet verified */
    uint64_t trades_audits, book_audits, book_disagreements, drifts;
    uint64_t commands, requests, requests_limited /* answered 429 */;
    /* keyless: trades were read at least once; since when, in the exchange's time; up to when they are verified (KDP_TIME_NULL);
     * books looked at in a round, and how long the last round took */
    bool answered;
    int64_t polled_from_ns, complete_ns;
    uint32_t sampled;
    int64_t sample_round_ns;
    uint64_t polls, samples; /* answers with trades; with books */
    bool listed;             /* the first listing is whole */
    bool paused;
    int64_t resume_wall_ns;
};
void kdp_session_stats(const struct kdp_session *session, struct kdp_session_stats *stats);
/* kdp_session_words: why the last request was not answered, "" when it was. */
const char *kdp_session_words(const struct kdp_session *session);
bool kdp_session_line_at(const struct kdp_session *session, uint16_t line,
                         struct kdp_session_line *out); /* false past the end */

#endif
