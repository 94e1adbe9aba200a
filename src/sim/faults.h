/* faults.h - the one table of what can be made to go wrong at the simulator: name, arguments, words.
 *
 * A line names a fault and its arguments, "gap sid=book count=3"; a word without "=" stands for the next argument of the
 * row's list that was not given yet, so "gap book 3" is the same.  kdp sim ctl, --faults and the lines of a script
 * ("AT 12.5s gap", "EVERY 60s reset") all come through here.  Pure functions of their text. */
#ifndef KDPI_FAULTS_H
#define KDPI_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Arguments: name, placeholder, words. */
#define KDP_SIM_ARG_LIST(X)                                                                        \
    X(CONN, "conn", "N|any|all", "of which connection (kdp sim ctl stats lists them)")             \
    X(SID, "sid", "C", "subscription: book, trade, ticker, lifecycle, combo, or its number")       \
    X(COUNT, "count", "N", "how many")                                                             \
    X(SECONDS, "seconds", "SPAN", "for how long")                                                  \
    X(BYTES, "bytes", "SIZE", "size, or bytes a second")                                           \
    X(STATUS, "status", "N", "HTTP status or close code")                                          \
    X(MARKET, "market", "T", "ticker; without it a market is chosen at random")                    \
    X(PATH, "path", "P", "only requests whose path begins with it, as in /markets/trades")         \
    X(OFFSET, "offset", "SPAN", "what the exchange's clock is ahead, may be negative")             \
    X(PINGS, "pings", "on|off", "pings go on meanwhile")                                           \
    X(VALUE, "value", "on|off",                                                                    \
      "switch; of error-shape: flat, wrapped, text or turn; of unknown-ticker: empty, 404 or 400") \
    X(SEED, "seed", "N", "of the random order")                                                    \
    X(RATE, "rate", "N", "faults a second, 0.2 for example; 0 ends it")

enum kdp_sim_arg {
#define KDP_X(name, word, unit, text) KDP_SIM_ARG_##name,
    KDP_SIM_ARG_LIST(KDP_X)
#undef KDP_X
        KDP_SIM_ARGS
};

/* Faults: name, arguments in the order of bare words, defaults, words.  mix: how often "random" chooses it, 0 never. */
#define KDP_SIM_FAULT_LIST(X)                                                                               \
    X(GAP, "gap", "sid count conn", "sid=book count=3", 20,                                                 \
      "the next numbered messages of a subscription are lost")                                              \
    X(LOSE, "lose", "count conn", "count=1", 8, "the next trades are lost, and no number tells of it")      \
    X(TAIL, "tail", "count market", "count=1", 4,                                                           \
      "trades happen now, numbered, and their messages are lost")                                           \
    X(DUPLICATE, "duplicate", "count conn", "count=1", 6, "the next snapshot comes twice")                  \
    X(NO_SNAPSHOT, "no-snapshot", "count conn", "count=1", 4,                                               \
      "a subscribed or added market gets no snapshot")                                                      \
    X(IGNORE_GET, "ignore-get-snapshot", "count conn", "count=1", 6,                                        \
      "the next get_snapshot is not answered")                                                              \
    X(EARLY_DATA, "early-data", "count conn", "count=1", 6,                                                 \
      "snapshots come before the reply to their command")                                                   \
    X(NO_ACK, "no-ack", "count conn", "count=1", 4, "the next command is done, but not answered")           \
    X(OVERFLOW, "overflow", "sid conn", "sid=book", 4, "error 25 ends a subscription")                      \
    X(CHANNEL_ERROR, "channel-error", "sid conn", "sid=book", 4, "error 10 ends a subscription")            \
    X(CAP, "cap", "count", "count=0", 0, "error 26 above so many markets in a subscription; 0: no bound")   \
    X(TOO_MANY, "too-many", "count conn", "count=1", 3, "error 27 for the next commands on a subscription") \
    X(UNAUTHORIZED, "unauthorized", "count conn", "count=1", 1, "error 9 for the next commands")            \
    X(NEGATIVE, "negative", "count conn", "count=1", 6, "a change takes more from a level than it has")     \
    X(FIRST_SEQ, "first-seq", "count conn", "count=4", 2, "the next subscription begins with this number")  \
    X(MALFORMED, "malformed", "sid count conn", "sid=book count=1", 4,                                      \
      "a numbered message is no whole JSON")                                                                \
    X(BAD_UTF8, "bad-utf8", "conn", "", 1, "a message that is not UTF-8")                                   \
    X(OVERSIZED, "oversized", "conn", "", 1, "a frame that says it has 4 GiB")                              \
    X(BAD_FRAME, "bad-frame", "conn", "", 1, "a frame with reserved bits set")                              \
    X(UNKNOWN_FIELDS, "unknown-fields", "count conn", "count=20", 4, "messages have members nobody knows")  \
    X(UNKNOWN_TYPE, "unknown-type", "count conn", "count=3", 4, "messages of types nobody knows")           \
    X(BIG_SNAPSHOT, "big-snapshot", "bytes count conn", "bytes=4M count=1", 2, "a snapshot of that size")   \
    X(RESET, "reset", "conn", "", 8, "TCP reset")                                                           \
    X(CLOSE, "close", "status conn", "status=1001", 5, "the server closes the WebSocket with a code")       \
    X(STALL, "stall", "seconds pings conn", "seconds=20 pings=on", 3,                                       \
      "a line falls silent: with pings its messages are lost, without they are held")                       \
    X(SLOW, "slow", "bytes seconds conn", "bytes=65536 seconds=5", 3, "a slow link")                        \
    X(BURST, "burst", "count", "count=2000", 6, "so many events at once")                                   \
    X(DEFLATE, "deflate", "value", "value=on", 0, "permessage-deflate for connections made from now on")    \
    X(SENDING_TS, "sending-ts", "value", "value=on", 0, "sending_ts_ms in every message")                   \
    X(TAKER_SIDE, "taker-side", "value", "value=on", 0, "the deprecated member of trades")                  \
    X(REFUSE, "refuse", "status seconds count", "status=503 seconds=5", 3,                                  \
      "upgrades are refused: 401, 429, 503")                                                                \
    X(REST_ERROR, "rest-error", "status seconds path count", "status=503 seconds=5", 5,                     \
      "requests are answered with 404, 429, 500, 502, 503, 504")                                            \
    X(REST_HANG, "rest-hang", "seconds path count", "seconds=5", 1, "requests are taken and not answered")  \
    X(REST_CUT, "rest-cut", "seconds path count", "seconds=5", 3, "answers end in the middle of the body")  \
    X(REST_SHORT, "rest-short", "seconds path count", "seconds=5", 0,                                       \
      "bodies end in the middle, and their length says so")                                                 \
    X(REST_CHUNK_CUT, "rest-chunk-cut", "seconds path count", "seconds=5", 0,                               \
      "bodies in chunks without the last ones")                                                             \
    X(REST_SLOW, "rest-slow", "bytes seconds path count", "bytes=16384 seconds=5", 0,                       \
      "answers come at so many bytes a second")                                                             \
    X(REST_BIG, "rest-big", "bytes seconds path count", "bytes=32M seconds=5", 0,                           \
      "bodies begin with so much white space")                                                              \
    X(REST_HTML, "rest-html", "status seconds path count", "status=502 seconds=5", 0,                       \
      "a page for people instead of JSON, also with 200")                                                   \
    X(CURSOR_REFUSED, "cursor-refused", "seconds path count", "seconds=5", 0,                               \
      "requests with a cursor are answered with 400")                                                       \
    X(PAGE_LOOP, "page-loop", "seconds path count", "seconds=5", 0,                                         \
      "a page's cursor is the one it was asked with")                                                       \
    X(PAGE_TURN, "page-turn", "seconds path count", "seconds=5", 0,                                         \
      "a page's cursor is the one of the request before: two pages in turn")                                \
    X(PAGE_EMPTY, "page-empty", "seconds path count", "seconds=5 count=1", 0,                               \
      "nothing on a page, and a cursor to go on with")                                                      \
    X(PAGE_MIXED, "page-mixed", "seconds path count", "seconds=5", 0,                                       \
      "pages of trades that are not newest first")                                                          \
    X(PAGE_TWICE, "page-twice", "seconds path count", "seconds=5", 0,                                       \
      "pages begin with the last trade of the page before")                                                 \
    X(MIN_TS_REFUSED, "min-ts-refused", "seconds path count", "seconds=5", 0,                               \
      "min_ts together with ticker is answered with 400")                                                   \
    X(UNKNOWN_TICKER, "unknown-ticker", "value", "value=404", 0,                                            \
      "trades of a ticker nobody knows: empty, 404 or 400")                                                 \
    X(ERROR_SHAPE, "error-shape", "value", "value=turn", 0, "shape of REST errors")                         \
    X(STALE_CACHE, "stale-cache", "value", "value=on", 0, "unsigned requests get answers up to 15 s old")   \
    X(CLOCK, "clock", "offset", "offset=1h", 0,                                                             \
      "the exchange's clock: Date and what signatures are held to")                                         \
    X(MAINTENANCE, "maintenance", "seconds", "seconds=20", 0, "a pause: status says so, sessions drop")     \
    X(MASS_CANCEL, "mass-cancel", "market", "", 5, "every order of a market goes, level by level")          \
    X(TICKS, "ticks", "market", "", 4, "a market's tick structure changes in place")                        \
    X(DEACTIVATE, "deactivate", "market", "", 3, "a market pauses")                                         \
    X(ACTIVATE, "activate", "market", "", 0, "a paused market goes on, its book emptied")                   \
    X(CLOSE_NOW, "close-now", "market", "", 2, "an event closes now: close_date_updated, then silence")     \
    X(CLOSE_LATER, "close-later", "market", "", 0, "the close date of an event moves on by an hour")        \
    X(SETTLE_NOW, "settle-now", "market", "", 2,                                                            \
      "an event is determined and settled now, closed if it is not")                                        \
    X(NEW_MARKET, "new-market", "count", "count=1", 3, "an event more, with its markets")                   \
    X(TERMS, "terms", "market", "", 0, "the rules of a market change, also of one of the past")             \
    X(FEES, "fees", "market", "", 0,                                                                        \
      "an event's fees change, or back, and a change of its series' is announced")                          \
    X(RANDOM, "random", "seed rate", "seed=1 rate=0.2", 0, "faults of all kinds in a reproducible order")

enum kdp_sim_fault_kind {
#define KDP_X(name, word, args, defaults, mix, text) KDP_SIM_FAULT_##name,
    KDP_SIM_FAULT_LIST(KDP_X)
#undef KDP_X
        KDP_SIM_FAULTS
};

#define KDP_SIM_CONN_ANY 0u
#define KDP_SIM_CONN_ALL UINT32_MAX
#define KDP_SIM_SID_CHANNEL 0u /* sid 0: the channel word counts */

struct kdp_sim_fault {
    enum kdp_sim_fault_kind kind;
    uint32_t given; /* a bit for each enum kdp_sim_arg that the line or the row's defaults gave */
    uint32_t conn;
    uint32_t sid, channel; /* channel: index into kdp_sim_channel_words; UINT32_MAX: any */
    uint32_t count;        /* 0 when not given: no bound */
    int64_t seconds_ns;
    int64_t bytes;
    uint32_t status;
    int64_t offset_ns;
    bool pings;
    uint64_t seed;
    uint32_t rate_e6;
    char value[16];
    char market[201];
    char path[64];
};

/* kdp_sim_fault_parse reads one fault line: 0, or -KDP_EUSAGE with words and a hint. */
int kdp_sim_fault_parse(struct kdp_sim_fault *fault, const char *line);
const char *kdp_sim_fault_word(enum kdp_sim_fault_kind kind);
unsigned kdp_sim_fault_mix(enum kdp_sim_fault_kind kind);
/* kdp_sim_fault_list prints the table. */
void kdp_sim_fault_list(FILE *out);

enum kdp_sim_when { KDP_SIM_NOW, KDP_SIM_AT, KDP_SIM_EVERY };
/* kdp_sim_line_when takes "AT SPAN" or "EVERY SPAN" off a script line; *restp is what is left, "" for an empty line or a
 * comment.  0 or -KDP_EUSAGE. */
int kdp_sim_line_when(const char *line, enum kdp_sim_when *whenp, int64_t *span_nsp, const char **restp);

#endif
