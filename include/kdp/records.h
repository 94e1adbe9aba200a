/* records.h - the records of the stream, as they lie in the ring, on the tape and in packets.
 * Little-endian; see schema/records.xml and docs/design/records.md. */
#ifndef KDP_RECORDS_H
#define KDP_RECORDS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_SCHEMA_ID 27000u
#define KDP_SCHEMA_VERSION 1u
#define KDP_RECORD_MAX 1376u /* bytes, padding included */
#define KDP_TIME_NULL INT64_MIN
#define KDP_INT64_NULL INT64_MIN
#define KDP_PRICE_NULL INT32_MIN

enum kdp_bool {
    KDP_BOOL_NO = 0,
    KDP_BOOL_YES = 1,
};
enum kdp_side {
    KDP_SIDE_NONE = 0,
    KDP_SIDE_YES = 1,
    KDP_SIDE_NO = 2,
};
enum kdp_flags {
    KDP_FLAGS_MAYBE_BAD_BOOK = 4,
    KDP_FLAGS_BAD_TS_RECV = 8,
    KDP_FLAGS_MBP = 16,
    KDP_FLAGS_SNAPSHOT = 32,
    KDP_FLAGS_TOB = 64,
    KDP_FLAGS_LAST = 128,
};
enum kdp_origin {
    KDP_ORIGIN_NONE = 0,
    KDP_ORIGIN_WS = 1,
    KDP_ORIGIN_REST_REFILL = 2,
    KDP_ORIGIN_REST_BOOK = 3,
    KDP_ORIGIN_REST_SAMPLE = 4,
    KDP_ORIGIN_POLL = 5,
    KDP_ORIGIN_HISTORY = 6,
    KDP_ORIGIN_TIMER = 7,
};
enum kdp_book_state {
    KDP_BOOK_STATE_NONE = 0,
    KDP_BOOK_STATE_LIVE = 1,
    KDP_BOOK_STATE_STALE = 2,
    KDP_BOOK_STATE_RECOVERING = 3,
    KDP_BOOK_STATE_CLOSED = 4,
    KDP_BOOK_STATE_SAMPLED = 5,
    KDP_BOOK_STATE_EXCHANGE_PAUSED = 6,
};
enum kdp_subject {
    KDP_SUBJECT_NONE = 0,
    KDP_SUBJECT_INSTRUMENT = 1,
    KDP_SUBJECT_LINE = 2,
    KDP_SUBJECT_PLANT = 3,
};
enum kdp_reason {
    KDP_REASON_NONE = 0,
    KDP_REASON_SUBSCRIBE = 1,
    KDP_REASON_RECOVERY = 2,
    KDP_REASON_CLOSE = 3,
    KDP_REASON_DAY = 4,
    KDP_REASON_GAP = 5,
    KDP_REASON_CONNECTED = 6,
    KDP_REASON_DISCONNECTED = 7,
    KDP_REASON_REPLACED = 8,
    KDP_REASON_NEGATIVE_LEVEL = 9,
    KDP_REASON_MALFORMED = 10,
    KDP_REASON_UNSUBSCRIBED = 11,
    KDP_REASON_SETTLED = 12,
    KDP_REASON_DRIFT = 13,
    KDP_REASON_OVERFLOW = 14,
    KDP_REASON_CHANNEL_ERROR = 15,
    KDP_REASON_CLOCK_STEP = 16,
    KDP_REASON_PAUSED = 17,
    KDP_REASON_DISK_FULL = 18,
    KDP_REASON_RESTART = 19,
    KDP_REASON_POOL_FULL = 20,
    KDP_REASON_NOT_SUBSCRIBED = 21,
    KDP_REASON_SAMPLE = 22,
    KDP_REASON_INPUT = 23,
};
enum kdp_lifecycle_kind {
    KDP_LIFECYCLE_KIND_NONE = 0,
    KDP_LIFECYCLE_KIND_CREATED = 1,
    KDP_LIFECYCLE_KIND_OPENED = 2,
    KDP_LIFECYCLE_KIND_ACTIVATED = 3,
    KDP_LIFECYCLE_KIND_DEACTIVATED = 4,
    KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED = 5,
    KDP_LIFECYCLE_KIND_CLOSED = 6,
    KDP_LIFECYCLE_KIND_DETERMINED = 7,
    KDP_LIFECYCLE_KIND_SETTLED = 8,
    KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED = 9,
    KDP_LIFECYCLE_KIND_METADATA_UPDATED = 10,
};
enum kdp_result {
    KDP_RESULT_NONE = 0,
    KDP_RESULT_YES = 1,
    KDP_RESULT_NO = 2,
    KDP_RESULT_SCALAR = 3,
};
enum kdp_strike_type {
    KDP_STRIKE_TYPE_NONE = 0,
    KDP_STRIKE_TYPE_GREATER = 1,
    KDP_STRIKE_TYPE_GREATER_OR_EQUAL = 2,
    KDP_STRIKE_TYPE_LESS = 3,
    KDP_STRIKE_TYPE_LESS_OR_EQUAL = 4,
    KDP_STRIKE_TYPE_BETWEEN = 5,
    KDP_STRIKE_TYPE_FUNCTIONAL = 6,
    KDP_STRIKE_TYPE_CUSTOM = 7,
    KDP_STRIKE_TYPE_STRUCTURED = 8,
};
enum kdp_market_status {
    KDP_MARKET_STATUS_UNKNOWN = 0,
    KDP_MARKET_STATUS_INITIALIZED = 1,
    KDP_MARKET_STATUS_ACTIVE = 2,
    KDP_MARKET_STATUS_INACTIVE = 3,
    KDP_MARKET_STATUS_CLOSED = 4,
    KDP_MARKET_STATUS_DETERMINED = 5,
    KDP_MARKET_STATUS_DISPUTED = 6,
    KDP_MARKET_STATUS_AMENDED = 7,
    KDP_MARKET_STATUS_FINALIZED = 8,
};
enum kdp_event_kind {
    KDP_EVENT_KIND_NONE = 0,
    KDP_EVENT_KIND_CREATED = 1,
    KDP_EVENT_KIND_FEE_OVERRIDE = 2,
};
enum kdp_gap_kind {
    KDP_GAP_KIND_NONE = 0,
    KDP_GAP_KIND_SEQUENCE = 1,
    KDP_GAP_KIND_LINE_DOWN = 2,
    KDP_GAP_KIND_UNUSED_RANGE = 3,
    KDP_GAP_KIND_RETENTION = 4,
    KDP_GAP_KIND_TRADES = 5,
};
enum kdp_gap_status {
    KDP_GAP_STATUS_NONE = 0,
    KDP_GAP_STATUS_OPEN = 1,
    KDP_GAP_STATUS_HEALED = 2,
    KDP_GAP_STATUS_LOST = 3,
};
enum kdp_healed_by {
    KDP_HEALED_BY_NONE = 0,
    KDP_HEALED_BY_SNAPSHOT = 1,
    KDP_HEALED_BY_RESUBSCRIBE = 2,
    KDP_HEALED_BY_RECONNECT = 3,
    KDP_HEALED_BY_REST = 4,
    KDP_HEALED_BY_CLOSED = 5,
};

enum kdp_template {
    KDP_TEMPLATE_TRADE = 1,
    KDP_TEMPLATE_BBO = 2,
    KDP_TEMPLATE_TICKER = 3,
    KDP_TEMPLATE_LEVEL = 4,
    KDP_TEMPLATE_BOOK_SNAPSHOT = 5,
    KDP_TEMPLATE_DEFINITION = 6,
    KDP_TEMPLATE_LIFECYCLE = 7,
    KDP_TEMPLATE_EVENT = 8,
    KDP_TEMPLATE_STATE = 9,
    KDP_TEMPLATE_GAP = 10,
};
#define KDP_TEMPLATE_MAX 10

struct kdp_head {
    uint16_t block_length; /* 0: bytes of the fixed part after these 8 */
    uint16_t template_id;  /* 2 */
    uint16_t schema_id;    /* 4 */
    uint16_t version;      /* 6 */
    uint64_t seq;          /* 8 */
    int64_t exch_ns;       /* 16 */
    int64_t recv_ns;       /* 24 */
    uint32_t instrument;   /* 32 */
    uint32_t pub_delay_ns; /* 36 */
    uint32_t src_seq;      /* 40 */
    uint16_t line;         /* 44 */
    uint8_t flags;         /* 46 */
    uint8_t origin;        /* 47 */
};
static_assert(sizeof(struct kdp_head) == 48, "head");

struct kdp_group_size {
    uint16_t block_length, count, groups, texts;
};

struct kdp_trade {
    struct kdp_head head; /* 0 */
    uint8_t trade_id[16]; /* 48 */
    int32_t price_e4; /* 64 */
    uint8_t taker_side; /* 68 */
    uint8_t block; /* 69 */
    uint8_t reserved1[2]; /* 70 */
    int64_t count_e2; /* 72 */
};
static_assert(sizeof(struct kdp_trade) == 80, "trade");

struct kdp_bbo {
    struct kdp_head head; /* 0 */
    int32_t bid_e4; /* 48 */
    int32_t ask_e4; /* 52 */
    int64_t bid_size_e2; /* 56 */
    int64_t ask_size_e2; /* 64 */
    uint64_t book_hash; /* 72 */
    uint8_t book_state; /* 80 */
    uint8_t reserved1[7]; /* 81 */
};
static_assert(sizeof(struct kdp_bbo) == 88, "bbo");

struct kdp_ticker {
    struct kdp_head head; /* 0 */
    int32_t price_e4; /* 48 */
    int32_t bid_e4; /* 52 */
    int32_t ask_e4; /* 56 */
    uint8_t reserved1[4]; /* 60 */
    int64_t bid_size_e2; /* 64 */
    int64_t ask_size_e2; /* 72 */
    int64_t last_size_e2; /* 80 */
    int64_t volume_e2; /* 88 */
    int64_t open_interest_e2; /* 96 */
    int64_t dollar_volume; /* 104 */
    int64_t dollar_open_interest; /* 112 */
};
static_assert(sizeof(struct kdp_ticker) == 120, "ticker");

struct kdp_level {
    struct kdp_head head; /* 0 */
    int32_t price_e4; /* 48 */
    uint8_t side; /* 52 */
    uint8_t reserved1[3]; /* 53 */
    int64_t delta_e2; /* 56 */
    int64_t size_e2; /* 64 */
};
static_assert(sizeof(struct kdp_level) == 72, "level");

struct kdp_book_snapshot_levels {
    int32_t price_e4; /* 0 */
    uint8_t side; /* 4 */
    uint8_t reserved1[3]; /* 5 */
    int64_t size_e2; /* 8 */
};
static_assert(sizeof(struct kdp_book_snapshot_levels) == 16, "book_snapshot");

struct kdp_book_snapshot {
    struct kdp_head head; /* 0 */
    uint64_t book_hash; /* 48 */
    uint32_t levels_total; /* 56 */
    uint16_t part; /* 60 */
    uint16_t parts; /* 62 */
    uint8_t reason; /* 64 */
    uint8_t book_state; /* 65 */
    uint8_t reserved1[6]; /* 66 */
};
static_assert(sizeof(struct kdp_book_snapshot) == 72, "book_snapshot");

struct kdp_definition_ranges {
    int32_t start_e4; /* 0 */
    int32_t end_e4; /* 4 */
    int32_t step_e4; /* 8 */
    uint8_t reserved1[4]; /* 12 */
};
static_assert(sizeof(struct kdp_definition_ranges) == 16, "definition");

struct kdp_definition {
    struct kdp_head head; /* 0 */
    int64_t open_ns; /* 48 */
    int64_t close_ns; /* 56 */
    int64_t expiry_ns; /* 64 */
    int64_t floor_strike_e6; /* 72 */
    int64_t cap_strike_e6; /* 80 */
    uint8_t strike_type; /* 88 */
    uint8_t status; /* 89 */
    uint8_t provisional; /* 90 */
    uint8_t combo; /* 91 */
    uint8_t can_close_early; /* 92 */
    uint8_t exchange_index; /* 93 */
    uint8_t reserved1[2]; /* 94 */
};
static_assert(sizeof(struct kdp_definition) == 96, "definition");

struct kdp_lifecycle {
    struct kdp_head head; /* 0 */
    uint8_t kind; /* 48 */
    uint8_t result; /* 49 */
    uint8_t reserved1[6]; /* 50 */
    int64_t open_ns; /* 56 */
    int64_t close_ns; /* 64 */
    int64_t at_ns; /* 72 */
    int64_t settlement_value_e6; /* 80 */
};
static_assert(sizeof(struct kdp_lifecycle) == 88, "lifecycle");

struct kdp_event {
    struct kdp_head head; /* 0 */
    uint8_t kind; /* 48 */
    uint8_t exchange_index; /* 49 */
    uint8_t reserved1[6]; /* 50 */
    int64_t fee_multiplier_e6; /* 56 */
};
static_assert(sizeof(struct kdp_event) == 64, "event");

struct kdp_state {
    struct kdp_head head; /* 0 */
    uint8_t subject; /* 48 */
    uint8_t state; /* 49 */
    uint8_t reason; /* 50 */
    uint8_t reserved1; /* 51 */
    uint32_t sid; /* 52 */
    uint32_t epoch; /* 56 */
    uint8_t reserved2[4]; /* 60 */
    uint64_t from_seq; /* 64 */
    uint64_t to_seq; /* 72 */
};
static_assert(sizeof(struct kdp_state) == 80, "state");

struct kdp_gap {
    struct kdp_head head; /* 0 */
    uint8_t kind; /* 48 */
    uint8_t status; /* 49 */
    uint8_t healed_by; /* 50 */
    uint8_t reserved1; /* 51 */
    uint32_t sid; /* 52 */
    uint32_t epoch; /* 56 */
    uint32_t markets; /* 60 */
    uint64_t expected; /* 64 */
    uint64_t seen; /* 72 */
    int64_t opened_ns; /* 80 */
    int64_t healed_ns; /* 88 */
};
static_assert(sizeof(struct kdp_gap) == 96, "gap");

#endif
