/* input.h - the inputs of the plant: what the raw tape is a log of, and the only thing the plant reads.
 *
 * stream = f(raw tape).  An input is copied into the raw ring before it is decoded, in the order in which the plant
 * consumes it.  On the raw tape the same bytes lie in compressed blocks (docs/design/tape.md). */
#ifndef KDPI_INPUT_H
#define KDPI_INPUT_H

#include <assert.h>
#include <stdint.h>

#define KDP_INPUT_MAX (16u << 20) /* bytes of payload; a longer one is refused where it comes from */

enum kdp_input_kind {
    KDP_INPUT_START = 1,        /* struct kdp_input_start: a run begins */
    KDP_INPUT_CONNECTED = 2,    /* struct kdp_input_line, then the URL */
    KDP_INPUT_DISCONNECTED = 3, /* struct kdp_input_line, then words */
    KDP_INPUT_FRAME = 4,        /* the frame's text as received */
    KDP_INPUT_COMMAND = 5,      /* a command's text as sent */
    KDP_INPUT_REST = 6,         /* struct kdp_input_rest, then path and body */
    KDP_INPUT_TIMER = 7,        /* struct kdp_input_timer */
    KDP_INPUT_RELOAD = 8,       /* rule text */
    KDP_INPUT_STOP = 9          /* nothing: the run ends in order */
};

/* flags of an input */
#define KDP_INPUT_TS_DERIVED 1u /* recv_ns was not recorded but derived from the messages */
#define KDP_INPUT_LEG_YES 2u    /* NO prices of this frame are already on the YES scale */
#define KDP_INPUT_CLOCK_OFF \
    8u /* the wall clock was known to be wrong (docs/design/session.md): recv_ns is flagged */
#define KDP_INPUT_BARE 4u /* from a recording without connection marks: a new connection must be guessed */

struct kdp_input_head {
    uint32_t length; /* 0: bytes of payload after this head (the ring pads to a multiple of 8) */
    uint8_t kind;    /* 4 */
    uint8_t flags;   /* 5 */
    uint16_t line;   /* 6: connection from 1, 0 where there is none */
    uint64_t index;  /* 8: place among all inputs of the data directory, from 1 */
    int64_t recv_ns; /* 16: wall clock at receipt */
};
static_assert(sizeof(struct kdp_input_head) == 24, "input head");

struct kdp_input_start {
    uint64_t next_seq;    /* first sequence number of this run */
    uint64_t unused_from; /* first number never given out, 0: no break */
    uint64_t applied; /* inputs up to this index count; those after it, before this START, were never applied.
                               * Of the last that counts, only records below next_seq (unused_from when not 0) were given
                               * out: a run may be killed in the middle of an input */
    uint64_t session; /* random, names the run */
    uint32_t next_instrument; /* first id not yet given out */
    uint32_t flags;           /* KDP_START_... */
    /* newest receive time of the runs before, KDP_TIME_NULL: none; a START written before this member existed ends here */
    int64_t last_ns;
};
#define KDP_START_V1_BYTES 40u
#define KDP_START_FRESH 1u     /* the data directory was empty */
#define KDP_START_RING_LOST 2u /* the ring was gone: unused_from names the hole */
#define KDP_START_KILLED 4u    /* the last run did not end in order */
#define KDP_START_RESUMED 8u   /* the process began anew, the run goes on: its inputs follow as if nothing had happened */

struct kdp_input_line {
    uint32_t epoch;
    uint32_t reason; /* enum kdp_reason */
};
struct kdp_input_rest {
    uint32_t status;   /* HTTP status; 0: no answer came, the body is the reason in words */
    uint32_t path_len; /* path with query, before the body */
    uint64_t request;  /* enum kdp_rest_kind in the top byte, below it a number of the session's choice */
};
enum kdp_rest_kind { /* what the plant does with the answer */
                     KDP_REST_OTHER =
                         0, /* nothing: status, schedule, limits, events; logged because the session acts on it */
                     KDP_REST_MARKETS = 1, /* Definitions of its markets */
                     KDP_REST_TRADES = 2,  /* trades that are not in the stream yet, origin rest_refill */
                     KDP_REST_BOOK = 3,  /* a book that nothing else could heal, flagged, origin rest_book */
                     KDP_REST_AUDIT = 4, /* compared with the books as they were since their AUDIT timer */
                     /* of a run without a key, which has no stream (docs/design/keyless.md) */
                     KDP_REST_POLL =
                         5, /* trades that are not in the stream yet, of all markets, origin poll */
                     KDP_REST_SAMPLE = 6, /* books of planned markets: state sampled, origin rest_sample */
                     KDP_REST_QUOTES = 7  /* as MARKETS, and a Ticker of each that is planned */
};
#define KDP_REST_REQUEST(kind, number) ((uint64_t)(kind) << 56 | ((number)&UINT64_C(0xffffffffffffff)))
#define KDP_REST_KIND(request) ((enum kdp_rest_kind)((request) >> 56))

struct kdp_input_timer {
    uint32_t kind;  /* enum kdp_timer_kind */
    uint32_t arg32; /* instrument, or as the kind says */
    uint64_t arg;
};
enum kdp_timer_kind {
    KDP_TIMER_TICK =
        1, /* time passes: at least each second on a live run, so that durations are told without frames */
    KDP_TIMER_OPEN = 2,   /* arg32 instrument: its open time has come (the exchange says nothing) */
    KDP_TIMER_CLOSE = 3,  /* arg32 instrument: its close time has come */
    KDP_TIMER_AUDIT = 4,  /* arg32 instrument: keep its book hashes from now until its audit answer */
    KDP_TIMER_PAUSED = 5, /* exchange paused; arg: expected resume time in ns, 0 unknown */
    KDP_TIMER_RESUMED = 6,
    KDP_TIMER_CLOCK_STEP = 7,  /* arg: int64_t ns by which the wall clock moved against the monotonic one */
    KDP_TIMER_TAPE_WAITED = 8, /* arg: ns that capture waited for the tape (disk full, quota) */
    KDP_TIMER_TRADES_HEALED =
        9, /* every trade gap opened (input time) before arg ns was refilled and verified */
    KDP_TIMER_TRADES_LOST =
        10, /* the same gaps cannot be refilled any more: the exchange serves them no longer */
    KDP_TIMER_RECOVERING = 11, /* arg32 instrument: a snapshot was asked for (state recovering) */
    KDP_TIMER_RETENTION = 12,  /* a store lost its place: arg32 store, arg first sequence it has not had */
    KDP_TIMER_TRADES_BEHIND =
        14, /* what was traded since arg ns (by our clock) is not verified, for longer than a restart would reach back */
    KDP_TIMER_LISTED = 13 /* a listing has what every gap of the lifecycle opened (input time) before arg ns took */
};
/* RELOAD: text, a line each.  "rules WORDS" says what the rules are; "all", in the same text, that trades of all markets are
 * wanted (rules without it end that); "keyless", that no line will come: trades are polled, books sampled; "+TICKER" and "-TICKER" that a book is planned or no longer planned: only these make
 * planned books, with "all" too. */

#endif
