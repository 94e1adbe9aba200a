/* message_private.h - what the files of the frame decoder share: message.c (envelope), message_value.c
 * (single values), message_body.c and message_market.c (what stands in msg), message_fast.c (the frequent
 * frames in their frequent form). */
#ifndef KDPI_MESSAGE_PRIVATE_H
#define KDPI_MESSAGE_PRIVATE_H

#include "clock.h"
#include "json.h"
#include "message.h"

#define KDPI_SCRATCH_SIZE (512u << 10) /* unescaped texts of one frame */

/* Every member name we know.  The first column is what the frame says, which is also what a refusal names. */
/* clang-format off */
#define KDP_MEMBER_LIST(X) \
    X(TYPE, "type") X(ID, "id") X(SID, "sid") X(SEQ, "seq") X(MSG, "msg") X(SENDING, "sending_ts_ms") \
    X(CMD, "cmd") X(PARAMS, "params") X(SIDS, "sids") X(CHANNEL, "channel") X(CHANNELS, "channels") \
    X(CODE, "code") X(TICKERS, "market_tickers") X(MARKET_IDS, "market_ids") X(TICKER, "market_ticker") \
    X(MARKET_ID, "market_id") X(USE_YES_PRICE, "use_yes_price") X(ACTION, "action") \
    X(SEND_SNAPSHOT, "send_initial_snapshot") X(SKIP_ACK, "skip_ticker_ack") X(PRICE_D, "price_dollars") \
    X(PRICE, "price") X(DELTA_FP, "delta_fp") X(DELTA, "delta") X(SIDE, "side") X(TS, "ts") \
    X(TS_MS, "ts_ms") X(TIME, "time") X(CLOCK, "Clock") X(ORDER_ID, "client_order_id") \
    X(SUBACCOUNT, "subaccount") X(UPDATE_REASON, "last_update_reason") X(YES_FP, "yes_dollars_fp") \
    X(NO_FP, "no_dollars_fp") X(YES_D, "yes_dollars") X(NO_D, "no_dollars") X(YES, "yes") X(NO, "no") \
    X(BID_D, "yes_bid_dollars") X(ASK_D, "yes_ask_dollars") X(BID, "yes_bid") X(ASK, "yes_ask") \
    X(BID_SIZE, "yes_bid_size_fp") X(ASK_SIZE, "yes_ask_size_fp") X(LAST_SIZE, "last_trade_size_fp") \
    X(VOLUME_FP, "volume_fp") X(VOLUME, "volume") X(OPEN_FP, "open_interest_fp") \
    X(OPEN, "open_interest") X(DOLLAR_VOLUME, "dollar_volume") X(DOLLAR_OPEN, "dollar_open_interest") \
    X(TRADE_ID, "trade_id") X(YES_PRICE_D, "yes_price_dollars") X(NO_PRICE_D, "no_price_dollars") \
    X(YES_PRICE, "yes_price") X(NO_PRICE, "no_price") X(COUNT_FP, "count_fp") X(COUNT, "count") \
    X(TAKER_SIDE, "taker_side") X(OUTCOME_SIDE, "taker_outcome_side") X(BOOK_SIDE, "taker_book_side") \
    X(BLOCK, "is_block_trade") X(EVENT_TYPE, "event_type") X(EXCHANGE_INDEX, "exchange_index") \
    X(OPEN_TS, "open_ts") X(CLOSE_TS, "close_ts") X(DETERMINATION_TS, "determination_ts") \
    X(SETTLED_TS, "settled_ts") X(EXPIRY_TS, "expected_expiration_ts") X(RESULT, "result") \
    X(SETTLEMENT, "settlement_value") X(DEACTIVATED, "is_deactivated") \
    X(METADATA, "additional_metadata") X(STRUCTURE, "price_level_structure") X(RANGES, "price_ranges") \
    X(START, "start") X(END, "end") X(STEP, "step") X(NAME, "name") X(TITLE, "title") \
    X(YES_SUB_TITLE, "yes_sub_title") X(NO_SUB_TITLE, "no_sub_title") X(RULES_1, "rules_primary") \
    X(RULES_2, "rules_secondary") X(CLOSE_EARLY, "can_close_early") X(EVENT_TICKER, "event_ticker") \
    X(SERIES_TICKER, "series_ticker") X(STRIKE_TYPE, "strike_type") X(FLOOR, "floor_strike") \
    X(CAP, "cap_strike") X(CUSTOM_STRIKE, "custom_strike") X(FUNCTIONAL_STRIKE, "functional_strike") \
    X(SUBTITLE, "subtitle") X(SUB_TITLE, "sub_title") X(COLLATERAL, "collateral_return_type") \
    X(FEE_TYPE, "fee_type_override") X(FEE_MULTIPLIER, "fee_multiplier_override")
/* clang-format on */

enum kdp_member {
    KDP_MEMBER_UNKNOWN = 0,
#define KDP_X(ident, name) KDP_MEMBER_##ident,
    KDP_MEMBER_LIST(KDP_X)
#undef KDP_X
        KDP_MEMBERS
};

extern const char *const kdpi_member_names[KDP_MEMBERS];
extern const uint8_t kdpi_member_lengths[KDP_MEMBERS];
struct kdp_decoder;

/* Where a name's search begins: enough of it to keep all of ours apart. */
static inline unsigned
kdpi_member_slot(const char *name, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, name, len < 8 ? len : 8);
    if (len > 8) {
        uint64_t tail;

        memcpy(&tail, name + len - 8, 8);
        word ^= tail << 1 | tail >> 63;
    }
    return (unsigned)((word + len) * 0x9e3779b97f4a7c15u >> 55);
}
#define KDPI_MEMBER_SLOTS 512u

/* kdpi_member_find gives the member of that name, UNKNOWN for another. */
enum kdp_member kdpi_member_find(const struct kdp_decoder *d, struct kdp_text name);

/* The times of one frame, until all of them are known. */
struct kdp_frame_times {
    int64_t ms, time_ns, ts_ns,
        seconds_ns; /* ts_ms; time; ts as text; ts in seconds; KDP_TIME_NULL: not given */
};

struct kdp_decoder {
    struct kdp_json json;
    struct kdp_message *msg; /* where the frame under way goes */
    struct kdp_frame_times times;
    /* prices of a trade's two legs, sides by member, levels' rank by side: what a frame says twice, until its
     * end */
    int64_t yes_price_e4, no_price_e4;
    uint8_t outcome_side, book_side, taker_side;
    size_t no_price_at;
    uint8_t side_rank[3];
    bool has_event_type;
    /* the minute of the last time text and its nanoseconds: consecutive frames share it */
    char minute[16];
    int64_t minute_ns;
    uint8_t member_table[KDPI_MEMBER_SLOTS];
    struct kdp_json_keys keys;
    struct kdp_message_level levels[KDPI_LEVELS_MAX];
    char scratch[KDPI_SCRATCH_SIZE];
};

static const struct kdp_text kdpi_no_text = {"", 0};

/* A value that came with a member: its kind, its text and where it stands. */
struct kdp_value {
    enum kdp_json_kind kind;
    enum kdp_member member;
    struct kdp_text text;
    size_t at;
};

/* kdpi_value_take takes the scalar due (what is nested is skipped). */
struct kdp_value kdpi_value_take(struct kdp_decoder *d, enum kdp_member member);
/* kdpi_value_refuse keeps the first refusal of a value; decoding goes on, so that the rest of the frame is
 * checked. */
void kdpi_value_refuse(struct kdp_decoder *d, enum kdp_refusal refusal, enum kdp_member member, size_t at);
/* kdpi_value_absent is true for null and for "", which stand for a missing value. */
bool kdpi_value_absent(const struct kdp_value *value);

/* Each takes the value due into *outp; false, and *outp untouched, when it is absent or refused.  Bounds are
 * inclusive. */
bool kdpi_take_decimal(struct kdp_decoder *d, enum kdp_member member, unsigned scale, int64_t min,
                       int64_t max, int64_t *outp);
/* kdpi_take_cents takes an integer of the old form and gives it times 100: cents to 1e-4 dollar, contracts to
 * 1e-2. */
/* kdpi_take_strike reads a strike, a JSON double that describes a market and is no money: what does not fit
 * 1e-6 is left null and counted, since refusing it would lose the market's whole life for a digit. */
bool kdpi_take_strike(struct kdp_decoder *d, enum kdp_member member, int64_t *outp);
bool kdpi_take_cents(struct kdp_decoder *d, enum kdp_member member, int64_t min, int64_t max, int64_t *outp);
bool kdpi_take_text(struct kdp_decoder *d, enum kdp_member member, size_t max, struct kdp_text *outp);
bool kdpi_take_bool(struct kdp_decoder *d, enum kdp_member member, bool *outp);
/* kdpi_take_word finds the text in words (NULL-terminated) and gives its index; ENUM when it is none of them.
 */
bool kdpi_take_word(struct kdp_decoder *d, enum kdp_member member, const char *const *words, uint8_t *indexp);
/* kdpi_take_seconds takes Unix seconds or a time text; 0 and the year 1 stand for none. */
bool kdpi_take_seconds(struct kdp_decoder *d, enum kdp_member member, int64_t *ns);
/* kdpi_take_frame_time takes ts, ts_ms or time into d->times. */
void kdpi_take_frame_time(struct kdp_decoder *d, enum kdp_member member);
/* kdpi_time_settle writes ts_ms and exch_ns of the message from the times seen. */
void kdpi_time_settle(const struct kdp_frame_times *times, struct kdp_message *msg);

/* kdpi_message_clear begins a message: everything but the union. */
void kdpi_message_clear(struct kdp_decoder *d, struct kdp_message *msg);
/* kdpi_body_member takes the value of one member of msg; false, and nothing taken, when its kind has no such member. */
bool kdpi_body_member(struct kdp_decoder *d, enum kdp_member member);
/* kdpi_body_clear prepares the union and d for a message of that kind; kdpi_body_read takes the value of msg,
 * and kdpi_body_finish refuses what is missing or contradicts itself. */
void kdpi_body_clear(struct kdp_decoder *d);
void kdpi_body_read(struct kdp_decoder *d);
void kdpi_body_finish(struct kdp_decoder *d, size_t at);
/* kdpi_tickers_count takes a list of tickers and counts it; what is no list of texts is refused. */
uint32_t kdpi_tickers_count(struct kdp_decoder *d, enum kdp_member member);

/* kdpi_decode_fast decodes a frequent frame that needs no care; false, and nothing said, for any other. */
bool kdpi_decode_fast(struct kdp_decoder *d, const char *frame, size_t len, struct kdp_message *msg);
/* kdpi_decode_general is kdpi_decode without the fast way, for the tests that compare them. */
enum kdp_refusal kdpi_decode_general(struct kdp_decoder *d, const char *frame, size_t len,
                                     struct kdp_message *msg);
/* kdpi_uuid_parse gives the 16 bytes of "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10"; false for another text. */
bool kdpi_uuid_parse(struct kdp_text text, uint8_t out[16]);

/* The members of single kinds; false for a member that the kind does not have. */
bool kdpi_lifecycle_member(struct kdp_decoder *d, enum kdp_member member);
void kdpi_lifecycle_clear(struct kdp_message *msg);

#endif
