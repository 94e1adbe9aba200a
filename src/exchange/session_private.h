/* session_private.h - what the files of the session share; the rules are in docs/design/session.md.
 *
 *   session.c          the API, the order in which things are done, messages for people, how it is
 *   session_market.c   markets by instrument id: names, terms, what is planned, timers of open and close
 *   session_place.c    which line carries which book, and moving books between lines
 *   session_lines.c    connections: making them, back-off, watchdog
 *   session_command.c  commands: ids, pace, replies and errors
 *   session_books.c    subscriptions for books and the ladder that heals them
 *   session_channel.c  subscriptions for trades, tickers and lifecycle on line 1
 *   session_rest.c     requests: tokens, back-off, what to ask next, answers
 *   session_list.c     the listing, page by page
 *   session_status.c   exchange status, schedule, limits, events
 *   session_trades.c   windows in which trades may be missing, and audits of trades
 *   session_audit.c    audits of books, and books over REST
 *   session_keyless.c  without a key: polls of trades, samples of books
 *
 * Work is pulled, not queued: kdp_session_next asks each part in turn whether it has something to do now, and each part says
 * with session_wake when it will have.  So nothing can pile up but what is bounded by the number of markets. */
#ifndef KDPI_SESSION_PRIVATE_H
#define KDPI_SESSION_PRIVATE_H

#include "clock.h"
#include "sequence.h"
#include "session.h"

#define MS KDP_NS_PER_MS
#define SECOND KDP_NS_PER_S

#define MARKETS_MAX (1u << 20)     /* of interest at one time */
#define IDS_MAX (1u << 24)         /* instrument ids */
#define EVENTS_MAX (1u << 18)      /* events whose series is asked or known */
#define NAMES_BYTES (256ull << 20) /* address space of names */
#define OUT_BYTES (1000u << 10)    /* one command, path or reload: an input must hold it */
#define OUT_SPARE (16u << 10)      /* for what ends a text */
#define MESSAGES_MAX 64u
#define REQUESTS_MAX 8u /* under way at once */
#define WINDOWS_MAX 64u
#define COMMANDS_KEPT 64u /* whose replies can be told apart, each line */

enum list_name {
    LIST_NONE,
    LIST_ADD,   /* planned on this line, not yet told to the exchange */
    LIST_SNAP,  /* needs a get_snapshot */
    LIST_WAIT,  /* asked, no snapshot yet; oldest first */
    LIST_STUCK, /* asked often enough in vain: the ladder decides */
    LIST_SLOW,  /* nothing helped so far: asked again once in a while */
    LISTS
};

enum market_flag {
    MARKET_PLANNED = 1u << 0,
    MARKET_MEMBER = 1u << 1,     /* in the book subscription of its line, as far as was asked */
    MARKET_DROP = 1u << 2,       /* to be deleted from its line, and forgotten there */
    MARKET_FROM_DROP = 1u << 3,  /* to be deleted from from_line: another line owns it now */
    MARKET_RECOVERING = 1u << 4, /* a RECOVERING timer is due for it */
    MARKET_TOLD = 1u << 5,       /* the plant was told that it is planned */
    MARKET_TELL = 1u << 6,       /* in the queue of what the plant is to be told */
    MARKET_TRADE = 1u << 7,      /* in the list of the trade subscription */
    MARKET_TICKER = 1u << 8,
    MARKET_OPENED = 1u << 9, /* the OPEN timer was given, or is not needed */
    MARKET_CLOSED = 1u << 10,
    MARKET_REST = 1u << 11,   /* a REST book is wanted */
    MARKET_SERIES = 1u << 12, /* waits for the series of its event */
    MARKET_COMBO = 1u << 13,
    MARKET_FIT = 1u << 14,  /* keyless: the rules want it, but only so many can be sampled */
    MARKET_ENDED = 1u << 15 /* determined or settled: never planned again */
};

struct market {
    uint32_t instrument;        /* 0: the slot is free */
    uint32_t ticker;            /* offset of its name */
    uint32_t event;             /* name of its event, 0: not known */
    uint32_t next, prev;        /* on the list of its line; slot, 0: none */
    uint32_t heap;              /* place in the heap of timers + 1 */
    uint32_t add_cmd, snap_cmd; /* the last commands that added it, and asked for its snapshot */
    uint32_t load;              /* messages since the last placement */
    uint16_t line;              /* that carries its book, 0: none yet */
    uint16_t from_line;         /* that carried it before and still sends it */
    uint16_t flags;
    uint8_t list, book, status;
    uint8_t asks; /* get_snapshots unanswered */
    uint8_t rung; /* of the ladder for single markets */
    uint8_t seen; /* the listing that had it last, 0: this run has heard nothing of it */
    int64_t asked_ns;
    int64_t open_ns, close_ns, due_ns; /* wall */
    int64_t volume_e2;
};

struct list {
    uint32_t head, tail, count;
};
struct fifo { /* of slots; what an entry still means is seen by the market's flags */
    uint32_t *at;
    size_t room, first, count;
};

enum chan { CHAN_BOOK, CHAN_TRADE, CHAN_TICKER, CHAN_LIFE, CHAN_MULTI, CHANS };
enum sub_state {
    SUB_OFF,
    SUB_ASKED,  /* subscribe sent, no reply yet */
    SUB_ON,     /* its sid is known */
    SUB_ENDING, /* unsubscribe sent */
    SUB_LATER   /* ended by an error: anew after at_ns */
};
struct sub {
    uint8_t state;
    uint8_t tries; /* subscribes without a reply, one after the other */
    uint8_t ends;  /* terminal errors, one after the other */
    bool all;      /* of every market */
    bool relearn;  /* to be ended and made anew */
    bool ending_said;
    uint32_t sid, dead_sid;
    uint32_t cmd;
    uint32_t members;
    int64_t at_ns; /* asked, or to be tried again */
    int64_t on_ns;
    struct fifo add, drop; /* of trades and tickers by name */
};

enum command_kind {
    COMMAND_SUBSCRIBE,
    COMMAND_ADD,
    COMMAND_DELETE,
    COMMAND_SNAP,
    COMMAND_UNSUBSCRIBE,
    COMMAND_LIST
};
struct sent {
    uint32_t id;
    uint8_t kind, chan;
    uint32_t count;
    int64_t at_ns;
};

enum line_state { LINE_OFF, LINE_WAITING, LINE_CONNECTING, LINE_UP, LINE_CLOSING };
struct line {
    uint8_t state;
    uint8_t rung;   /* of the ladder for the whole subscription */
    uint8_t probes; /* unanswered */
    bool pinged, ever_up, close_now, quiet_said, refusal_said;
    bool barred; /* it cannot be had while others can: its books are elsewhere until it is up */
    uint32_t tries;
    uint32_t next_id;
    uint32_t planned, live; /* books placed here; of them live */
    uint32_t batch, cap;    /* tickers in one subscribe or add; of the subscription (0: not known) */
    uint32_t split;         /* so, while a ticker that is refused is looked for; 0: none is */
    uint32_t adds_out;
    int64_t listed_ns; /* of the last command whose reply names all its markets */
    int64_t overflow_ns;
    uint32_t overflows; /* error 25, one soon after the other */
    uint64_t reconnects;
    uint64_t load; /* messages since the last placement */
    int64_t at_ns; /* connect then */
    int64_t up_ns, heard_ns, data_ns, mean_gap_ns, probe_ns;
    int64_t progress_ns, answered_ns; /* last snapshot; when the latest answered of it was asked */
    int64_t tokens_ns;                /* command pace: a full bucket would have been reached then */
    int64_t pace_ns, hold_ns;
    struct list lists[LISTS];
    struct fifo drop;
    struct sub subs[CHANS];
    struct sent sent[COMMANDS_KEPT];
    char close_words[160];
    char last_words[160];
};

enum asked_for {
    ASK_STATUS,
    ASK_LIMITS,
    ASK_SCHEDULE,
    ASK_CUTOFF,
    ASK_WINDOW,
    ASK_POLL,
    ASK_SAMPLE,
    ASK_QUOTES,
    ASK_BOOK,
    ASK_EVENT,
    ASK_AUDIT,
    ASK_AUDITS,
    ASK_LISTING
};
struct request {
    uint64_t number; /* 0: free */
    uint8_t what;
    bool told, refused; /* the plant has worked it off */
    uint32_t object;    /* window, slot, event */
    uint32_t items, fresh;
    int64_t sent_ns, oldest_ns, newest_ns;
    char cursor[1024];
};

/* Cursors that lead in a circle, however long it is: each is held against one of before, which moves on at 1, 2, 4, 8 ... pages. */
struct circle {
    uint64_t anchor;
    uint32_t count;
};

struct window {      /* of exchange time in which trades may be missing */
    bool used, hole; /* hole: told of by a gap or a pause; else an audit */
    bool reading, asked, warned;
    bool early; /* a part of it is to be read at once, so that trades come back early */
    bool quick; /* the reading under way is such a one: it verifies nothing */
    bool once;  /* the last look: read, not verified */
    bool past;  /* the reading under way is of the historical tier, after the live one */
    bool lost;  /* a part of it cannot be had any more */
    bool told;  /* a gap in the stream says so: the next run knows of it */
    uint8_t tries;
    int64_t begin_ns, from_ns, to_ns; /* from moves on as it is verified */
    int64_t early_ns;                 /* beginning of what is to be read early */
    int64_t opened_ns; /* wall time of the inputs that opened it: not after the first of them */
    int64_t opened_mono_ns;
    int64_t due_ns, quick_ns; /* mono: to be verified then; when it was read early last */
    int64_t hold_ns;          /* mono: not asked before */
    /* the reading under way */
    int64_t start_ns, slice_ns, began_wall_ns; /* from, to, and when its first page was asked */
    uint32_t pages, fresh, serial;
    struct circle circle;
    char cursor[1024];
};

#define SAMPLES_MAX 2000u
struct keyless {        /* of a run without a key */
    int64_t began_ns;   /* mono: of the session */
    int64_t began_wall; /* so, by our own clock */
    int64_t heard_ns;   /* mono: of the first answer, 0: none yet */
    bool clock_known;   /* what its Date says was told */
    bool reached;       /* somebody answered there, were it to say that it is overloaded */
    char words[200];    /* why the last request was not answered */
    /* the poll under way */
    bool walking, asked, refused_said;
    uint32_t pages;
    int64_t due_ns, from_ns, to_ns; /* mono; exchange time between which it reads, to KDP_TIME_NULL: all */
    int64_t stop_ns;                /* exchange time of the stop: what comes after it is not this run's */
    char cursor[1024];
    /* samples */
    uint32_t chosen[SAMPLES_MAX], count; /* slots, ascending */
    bool choose, chosen_once;            /* who is sampled is to be decided anew; it was once */
    int64_t choose_ns;                   /* mono: not before */
    uint32_t left_out;                   /* markets that fit and are not sampled */
    bool single, none;                   /* books one by one; not at all */
    bool quotes, singles;                /* of the round: the batch's prices are next; its single books */
    uint32_t at, next;                   /* places in chosen: of the batch, and behind it */
    int64_t round_ns, round_due_ns;
};

struct event {
    uint32_t name, series; /* names, 0: none */
    uint32_t hash_next;    /* index + 1 */
    uint32_t waiting;      /* markets whose fate hangs on it */
    uint8_t asked;         /* 0 no, 1 to be asked, 2 under way, 3 answered */
    uint8_t tries;
};

struct message {
    enum kdp_action_kind kind;
    int code;
    char text[320], hint[256];
};

struct rules_copy {
    struct kdp_rules rules;
    char *text;
    const char **list;
};

struct kdp_session {
    struct kdp_session_config config;
    struct rules_copy rules;
    bool all;
    uint64_t random;
    int64_t mono, wall, wall_max, wall_less_mono;
    int64_t ahead_ns, ahead_told_ns; /* the exchange's clock less this one */
    bool clock_told;
    int64_t due_ns;
    bool dirty, stopping, failed, fail_told, begun;
    int64_t stop_until_ns;

    /* markets */
    uint32_t *slot_of; /* by instrument */
    struct market *markets;
    uint32_t slots, free_slot, known, planned;
    char *names;
    uint64_t names_used;
    uint32_t names_free[16]; /* by size in 16 bytes */
    struct event *events;
    uint32_t *event_hash;
    uint32_t event_count, event_next, events_to_ask, event_cursor;
    uint32_t *heap;
    uint32_t heap_count;
    struct fifo tell, recovering, homeless;
    uint64_t markets_refused;
    bool rules_told;

    /* lines */
    struct line lines[KDP_LINES_LIVE_MAX + 1];
    uint32_t line_count; /* wanted: 1..line_count */
    bool ever_up;
    uint32_t cap; /* markets of one subscription, 0: not known */
    int64_t balance_ns;
    uint64_t warned; /* error codes told once, by number */
    uint32_t probe_cursor;

    /* requests */
    struct request requests[REQUESTS_MAX];
    uint32_t in_flight;
    uint64_t next_number;
    int64_t rate, capacity; /* tokens a second */
    int64_t tokens_e9, tokens_ns, rest_hold_ns, rest_failed_ns;
    uint32_t rest_tries;
    bool limits_asked, clock_learnt;

    /* listing */
    struct {
        bool running, asked, heard, hole, tell;
        bool refused;  /* a part of it: what it lacks may exist */
        uint8_t phase; /* 0 open, 1 unopened, 2 what was planned and in neither */
        uint8_t pass;  /* counts the listings */
        uint32_t filter, pages, generation, asked_generation, asked_next, absent;
        int64_t next_ns, began_ns, began_wall_ns, took_ns;
        int64_t first_hole_ns, last_hole_ns; /* of the lifecycle, not yet made good */
        int64_t told_ns;
        struct circle circle;
        char cursor[1024];
    } listing;

    /* status */
    bool status_wanted, status_asked, status_known, status_absent, schedule_asked;
    bool paused, scheduled, pause_told;
    int64_t resume_ns, status_ns, schedule_ns, paused_ask_ns;
    struct {
        int64_t start_ns, end_ns;
    } pauses[32];
    uint32_t pause_count;
    struct kdp_rest_reader *reader;

    /* trades */
    struct window windows[WINDOWS_MAX];
    uint32_t window_serial;
    bool hole_open, no_bounds, trades_begun, early_gap;
    int64_t hole_from_ns, hole_opened_ns;
    int64_t last_trade_ns, audited_ns, audit_due_ns, trades_from_ns;
    bool healed_tell, lost_tell;
    int64_t healed_told_ns, lost_opened_ns;
    /* trades before it are in the historical tier alone; KDP_TIME_NULL: there is none */
    int64_t cutoff_ns, cutoff_at_ns; /* exchange time; mono: when it was asked */
    bool cutoff_known, cutoff_asked;
    struct keyless keyless;

    /* book audits */
    int64_t book_audit_ns;
    uint32_t audit_cursor, audit_told, audit_count, audit_next;
    bool audit_single, audit_asked;
    uint32_t audit_instruments[100];
    int64_t audit_ask_ns;
    uint32_t rest_books;

    struct message messages[MESSAGES_MAX];
    uint32_t message_first, message_count;
    uint64_t messages_dropped;
    struct message message_now, failure;
    char *out;
    size_t out_len;
    struct kdp_session_stats stats;
};

/* ---- session.c ---- */
void session_wake(struct kdp_session *s, int64_t mono_ns); /* there is something to do then */
void session_say(struct kdp_session *s, enum kdp_action_kind kind, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void session_fail(struct kdp_session *s, int code, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int64_t session_jitter(struct kdp_session *s, int64_t ns); /* half to whole of it */
int64_t session_exchange_now(const struct kdp_session *s);
/* the text being written for an action: false, and nothing written, when it does not fit */
void out_begin(struct kdp_session *s);
bool out_put(struct kdp_session *s, const char *text, size_t len);
bool out_format(struct kdp_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool out_escape(struct kdp_session *s, const char *text, size_t len);

/* ---- session_market.c ---- */
int markets_open(struct kdp_session *s);
void markets_close(struct kdp_session *s);
struct market *market_at(struct kdp_session *s, uint32_t slot);
uint32_t market_slot(const struct kdp_session *s, const struct market *m);
struct market *market_find(struct kdp_session *s, uint32_t instrument);
const char *market_name(const struct kdp_session *s, const struct market *m, size_t *lenp);
void market_notice(struct kdp_session *s, const struct kdp_notice *notice);
void market_event_known(struct kdp_session *s, struct kdp_text event, struct kdp_text series);
bool market_event_ask(struct kdp_session *s, uint32_t *indexp); /* an event whose series is to be asked */
void market_event_answer(struct kdp_session *s, uint32_t index, struct kdp_text series, bool final);
const char *name_text(const struct kdp_session *s, uint32_t name, size_t *lenp);
bool market_timer(struct kdp_session *s, struct kdp_action *action);
void market_release(struct kdp_session *s, struct market *m); /* forget it if nothing needs it any more */
void session_plan(struct kdp_session *s, struct market *m);
void market_unplan(struct kdp_session *s, struct market *m);
/* markets_unknown gives up what an earlier run had and a whole listing, asked for it by name as well, does not know. */
void markets_unknown(struct kdp_session *s);
void markets_replan(struct kdp_session *s); /* the rules are others now */
bool market_reload(struct kdp_session *s, struct kdp_action *action);
void fifo_put(struct kdp_session *s, struct fifo *fifo, uint32_t slot);
bool fifo_take(struct fifo *fifo, uint32_t *slotp);
void fifo_free(struct fifo *fifo);

/* ---- session_place.c ---- */
void place_market(struct kdp_session *s, struct market *m);
void place_clear(struct kdp_session *s, struct market *m); /* it is carried by no line any more */
void place_on(struct kdp_session *s, struct market *m, uint16_t line);
void place_move(struct kdp_session *s, struct market *m, uint16_t line);
void place_book(struct kdp_session *s, struct market *m, uint8_t state);
void place_cap(struct kdp_session *s, uint16_t line, uint32_t cap);
void place_halve(struct kdp_session *s, uint16_t line);
void place_bar(struct kdp_session *s, uint16_t line);
void place_homeless(struct kdp_session *s);
void place_balance(struct kdp_session *s);
void list_put(struct kdp_session *s, struct market *m, enum list_name list);
void list_front(struct kdp_session *s, struct market *m, enum list_name list);
void list_out(struct kdp_session *s, struct market *m);

/* ---- session_lines.c ---- */
bool lines_work(struct kdp_session *s, struct kdp_action *action);
void line_reconnect(struct kdp_session *s, uint16_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool session_quiet(const struct kdp_session *s); /* a pause: silence is no fault */

/* ---- session_command.c ---- */
bool command_may(struct kdp_session *s, uint16_t line); /* pace allows one now; else it wakes */
uint32_t command_begin(struct kdp_session *s, uint16_t line, enum command_kind kind, enum chan chan);
bool command_end(struct kdp_session *s, uint16_t line, uint32_t count, struct kdp_action *action);
bool command_ticker(struct kdp_session *s, const struct market *m, uint32_t *countp);
void command_notice(struct kdp_session *s, const struct kdp_notice *notice);
void sub_on(struct kdp_session *s, uint16_t line, enum chan chan, uint32_t sid);
void sub_ended(struct kdp_session *s, uint16_t line, enum chan chan, int64_t after_ns);
const char *chan_name(enum chan chan);

/* ---- session_books.c ---- */
bool books_work(struct kdp_session *s, uint16_t line, struct kdp_action *action);
void books_notice(struct kdp_session *s, const struct kdp_notice *notice);
void books_gap(struct kdp_session *s, uint16_t line);
void books_lost(struct kdp_session *s, uint16_t line); /* its subscription is gone */
void books_refused(struct kdp_session *s, uint16_t line, const struct sent *sent, int64_t code);
bool books_recovering(struct kdp_session *s, struct kdp_action *action);
void books_rest_done(struct kdp_session *s, struct market *m, bool there);

/* ---- session_channel.c ---- */
bool channel_work(struct kdp_session *s, uint16_t line, struct kdp_action *action);
void channel_plan(struct kdp_session *s, struct market *m);
void channel_unplan(struct kdp_session *s, struct market *m);
void channel_lost(struct kdp_session *s, uint16_t line, enum chan chan);
void channel_refused(struct kdp_session *s, uint16_t line, const struct sent *sent, int64_t code);
void channel_rules(struct kdp_session *s);

/* ---- session_rest.c ---- */
bool rest_work(struct kdp_session *s, struct kdp_action *action);
void rest_notice(struct kdp_session *s, const struct kdp_notice *notice);
/* rest_circle: the cursor was met before; *circle is zeroed where a reading begins. */
bool rest_circle(struct circle *circle, const char *cursor);
void rest_answer(struct kdp_session *s, uint64_t number, int status, int code, const char *body, size_t len,
                 const char *words);

/* ---- session_list.c: what to ask next (the path into the text being written), and what came of it ---- */
bool listing_ask(struct kdp_session *s);
void listing_answer(struct kdp_session *s, const struct request *request, int status, const char *words);
void listing_lifecycle(struct kdp_session *s,
                       bool on); /* the lifecycle is heard from now on, or had a hole */
bool listing_work(struct kdp_session *s, struct kdp_action *action);
const char *listing_series(const struct kdp_session *s); /* of the page under way, NULL: not by series */

/* ---- session_status.c ---- */
bool status_ask(struct kdp_session *s, struct request *request);
void status_answer(struct kdp_session *s, const struct request *request, int status, const char *body,
                   size_t len);
bool status_work(struct kdp_session *s, struct kdp_action *action);
void status_want(struct kdp_session *s);

/* ---- session_trades.c ---- */
void trades_open(struct kdp_session *s);
void trades_notice(struct kdp_session *s, const struct kdp_notice *notice);
void trades_gap(struct kdp_session *s);
void trades_lost(struct kdp_session *s); /* the subscription of trades ended */
void trades_on(struct kdp_session *s);   /* and began */
bool trades_ask(struct kdp_session *s, struct request *request, bool backlog);
void trades_answer(struct kdp_session *s, const struct request *request, int status, const char *words);
bool trades_work(struct kdp_session *s, struct kdp_action *action);
void trades_stop(struct kdp_session *s);
void trades_clock(struct kdp_session *s, int64_t by_ns); /* the exchange's clock is known better */
uint32_t trades_open_windows(const struct kdp_session *s);
void trades_begin(struct kdp_session *s, int64_t since_ns); /* trades are had since then (mono) */
bool cutoff_ask(struct kdp_session *s, struct request *request);
void cutoff_answer(struct kdp_session *s, int status, const char *body, size_t len);
bool trades_path(struct kdp_session *s, bool past, int64_t from_ns, int64_t to_ns, const char *cursor);

/* ---- session_keyless.c ---- */
void keyless_begin(struct kdp_session *s);
/* keyless_ready: trades are asked for when the exchange's time is known; with a key, always. */
bool keyless_ready(struct kdp_session *s);
bool keyless_poll(struct kdp_session *s, struct request *request);
bool keyless_sample(struct kdp_session *s, struct request *request, enum kdp_rest_kind *kindp);
void keyless_answer(struct kdp_session *s, const struct request *request, int status, const char *words);
void keyless_work(struct kdp_session *s); /* decides which books are sampled */
/* keyless_fits: what the rules say of a market now. */
void keyless_fits(struct kdp_session *s, struct market *m, bool fits);
/* keyless_refused: a request was not answered well; the run ends when none ever was. */
void keyless_refused(struct kdp_session *s, int status, int code, const char *words);

/* ---- session_audit.c ---- */
bool audit_ask(struct kdp_session *s, struct request *request);
bool book_ask(struct kdp_session *s, struct request *request);
/* book_path writes the path of one market's book: false when it is asked for already. */
bool book_path(struct kdp_session *s, uint32_t instrument, struct request *request);
void audit_answer(struct kdp_session *s, const struct request *request, int status);
void audit_notice(struct kdp_session *s, const struct kdp_notice *notice);
bool audit_work(struct kdp_session *s, struct kdp_action *action);

#endif
