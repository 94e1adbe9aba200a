/* message_fast.c - the frequent frames in their frequent form: orderbook_delta, ticker and trade as the
 * exchange writes them, in any key order.
 *
 * Nearly all traffic is such frames, and for them the general way spends its time on finding out, byte by
 * byte, that nothing is special.  Here one pass over the frame in words of 16 bytes finds every quote, and
 * whether there is anything at all that needs care (an escape, a control character or line break, a byte of
 * 0x80 or more); if so the frame is left to the general way.  Then the members are walked from quote to
 * quote.  Where the next token stands follows from the quotes and from predicted branches, hardly from the
 * bytes, so that a processor works on several members at a time.
 *
 * The rule that keeps this safe: kdpi_decode_fast gives true only for a frame which the general way would
 * take without a refusal, and then the same message (test_message.fast_and_general_agree, fuzz_message).
 * Everything else, first of all everything wrong, is left to the general way, so that refusals are written
 * once. */
#include "message_private.h"

#include "decimal.h"
#include "fixed.h"

#include <emmintrin.h>

#define FRAME_MIN 64u   /* the last block is read as the last 64 bytes */
#define FRAME_MAX 1024u /* longer ones are not frequent */
#define BLOCKS (FRAME_MAX / 64)
#define PRICE_MAX 10000
#define MS_MAX (INT64_MAX / KDP_NS_PER_MS)
#define MS_DIGITS 13u /* of milliseconds from 2001 to 2286 */

enum fast { /* members of the envelope, then of msg: bits of what was seen, and places of values */
            FAST_TYPE,
            FAST_ID,
            FAST_SID,
            FAST_SEQ,
            FAST_MSG,
            FAST_SENDING,
            FAST_TICKER,
            FAST_MARKET_ID,
            FAST_TS,
            FAST_TS_MS,
            FAST_TIME,
            FAST_PRICE,
            FAST_DELTA,
            FAST_SIDE,
            FAST_BID,
            FAST_ASK,
            FAST_BID_SIZE,
            FAST_ASK_SIZE,
            FAST_LAST_SIZE,
            FAST_VOLUME,
            FAST_OPEN,
            FAST_DOLLAR_VOLUME,
            FAST_DOLLAR_OPEN,
            FAST_TRADE_ID,
            FAST_YES_PRICE,
            FAST_NO_PRICE,
            FAST_COUNT,
            FAST_TAKER_SIDE,
            FAST_OUTCOME_SIDE,
            FAST_BOOK_SIDE,
            FAST_BLOCK,
            FAST_ODD,
            FAST_MEMBERS
};
#define BIT(member) (UINT32_C(1) << FAST_##member)
#define TIMES (BIT(TS) | BIT(TS_MS) | BIT(TIME))
#define ENVELOPE (BIT(TYPE) | BIT(ID) | BIT(SID) | BIT(SEQ) | BIT(MSG) | BIT(SENDING))

static_assert(FAST_MEMBERS <= 32, "one bit each");

struct scan {
    const char *frame;
    size_t len;
    const char *p;          /* the next byte to read; what is before it is accounted for */
    const uint64_t *blocks; /* quotes of 64 bytes each */
    uint64_t quotes;        /* of the block under way, those not passed yet */
    size_t base;            /* its first byte */
    uint32_t seen;
    uint32_t odd; /* members we do not know */
};

struct found {
    enum kdp_message_kind kind;
    struct kdp_text type, ticker, trade_id;
    int64_t value[FAST_MEMBERS]; /* valid where seen */
    bool ts_is_text;
};

/* Quotes of the 64 bytes at p; adds to *specialp what needs care. */
static inline uint64_t
scan_block(const char *p, __m128i *specialp)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
    uint64_t quotes = 0;

    for (unsigned i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));

        quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, quote)) << (16 * i);
        /* as signed bytes, controls and all non-ASCII bytes are less than a space */
        *specialp =
            _mm_or_si128(*specialp, _mm_or_si128(_mm_cmplt_epi8(x, space), _mm_cmpeq_epi8(x, backslash)));
    }
    return quotes;
}

static inline bool
scan_frame(const char *frame, size_t len, uint64_t blocks[BLOCKS + 1])
{
    __m128i special = _mm_setzero_si128();
    size_t n = 0, rest = len % 64;

    for (; (n + 1) * 64 <= len; n++)
        blocks[n] = scan_block(frame + n * 64, &special);
    if (rest != 0)
        blocks[n++] = scan_block(frame + len - 64, &special) >> (64 - rest);
    blocks[n] = ~UINT64_C(0); /* a quote behind the end stops every search */
    return _mm_movemask_epi8(special) == 0;
}

/* Passes the next quote and returns its place, at least len when there is none. */
static inline size_t
pass_quote(struct scan *s)
{
    size_t at;

    while (s->quotes == 0) {
        s->quotes = *++s->blocks;
        s->base += 64;
    }
    at = s->base + (size_t)__builtin_ctzll(s->quotes);
    s->quotes &= s->quotes - 1;
    return at;
}

/* Takes the string at p.  The last byte of a frame is '}', so that there is a byte behind every quote in it.
 */
static inline bool
take_string(struct scan *s, struct kdp_text *textp)
{
    size_t close;

    if (*s->p != '"')
        return false;
    pass_quote(s); /* the one at p: all before it were passed */
    close = pass_quote(s);
    if (close >= s->len)
        return false;
    textp->data = s->p + 1;
    textp->len = (size_t)(s->frame + close - textp->data);
    s->p = s->frame + close + 1;
    return true;
}

/* Takes digits at p, at most 18 of them; a fraction, an exponent or a sign is left to the general way. */
static inline bool
take_integer(struct scan *s, int64_t *outp)
{
    const char *first = s->p, *p = first;
    uint64_t value = 0;

    /* written with a predicted end: the place of what follows must not wait for the digits */
    while ((unsigned char)(*p - '0') <= 9)
        value = value * 10 + (unsigned)(*p++ - '0');
    s->p = p;
    *outp = (int64_t)value;
    return p != first && p - first <= 18 && (*first != '0' || p - first == 1);
}

/* Milliseconds of our time have 13 digits. */
static inline bool
take_ms(struct scan *s, int64_t *outp)
{
    uint64_t high, low;
    const char *p = s->p;

    if (p + MS_DIGITS >= s->frame + s->len || (unsigned char)(p[MS_DIGITS] - '0') <= 9 || *p == '0' ||
        !kdpi_fixed_digits(p, 5, &high) || !kdpi_fixed_digits(p + 5, 8, &low))
        return take_integer(s, outp) && *outp <= MS_MAX;
    s->p = p + MS_DIGITS;
    *outp = (int64_t)(high * 100000000 + low);
    return *outp <= MS_MAX;
}

static inline bool
take_price(struct scan *s, int64_t *outp)
{
    struct kdp_text text;

    if (!take_string(s, &text))
        return false;
    if (!kdpi_fixed_price(text.data, text.len, outp) &&
        kdpi_decimal_parse(text.data, text.len, 4, outp) != KDP_DECIMAL_OK)
        return false;
    return *outp >= 0 && *outp <= PRICE_MAX;
}

static inline bool
take_size(struct scan *s, int64_t *outp)
{
    struct kdp_text text;

    return take_string(s, &text) && (kdpi_fixed_size(text.data, text.len, outp) ||
                                     kdpi_decimal_parse(text.data, text.len, 2, outp) == KDP_DECIMAL_OK);
}

/* "2026-11-20T14:03:07.412345Z".  Frames that follow each other share the minute: it is parsed once. */
static inline bool
take_time(struct scan *s, struct kdp_decoder *d, int64_t *outp)
{
    struct kdp_text text;
    uint64_t seconds, micros;
    __m128i minute;

    if (!take_string(s, &text))
        return false;
    if (text.len != 27 || text.data[16] != ':' || text.data[19] != '.' || text.data[26] != 'Z' ||
        !kdpi_fixed_digits(text.data + 17, 2, &seconds) || !kdpi_fixed_digits(text.data + 20, 6, &micros) ||
        seconds > 59)
        return text.len >= 20 && text.data[4] == '-' && kdpi_time_parse(text.data, text.len, outp) == 0;
    minute = _mm_loadu_si128((const __m128i *)(const void *)text.data);
    if (_mm_movemask_epi8(
            _mm_cmpeq_epi8(minute, _mm_loadu_si128((const __m128i *)(const void *)d->minute))) != 0xffff) {
        int64_t ns;

        if (kdpi_time_parse(text.data, text.len, &ns) != 0)
            return false;
        _mm_storeu_si128((__m128i *)(void *)d->minute, minute);
        d->minute_ns = ns - (int64_t)(seconds * 1000000 + micros) * 1000;
    }
    *outp = d->minute_ns + (int64_t)(seconds * 1000000 + micros) * 1000;
    return true;
}

static inline bool
take_side(struct scan *s, const char *yes, size_t yes_len, const char *no, size_t no_len, int64_t *outp)
{
    struct kdp_text text;

    if (!take_string(s, &text))
        return false;
    if (kdpi_text_equal(text, yes, yes_len))
        *outp = KDP_SIDE_YES;
    else if (kdpi_text_equal(text, no, no_len))
        *outp = KDP_SIDE_NO;
    else
        return false;
    return true;
}

static inline bool
take_truth(struct scan *s, int64_t *outp)
{
    /* eight bytes are there: the frame ends in '}}' at the least, behind a value that has four */
    if (s->frame + s->len - s->p < 6)
        return false;
    *outp = memcmp(s->p, "true", 4) == 0;
    if (!*outp && memcmp(s->p, "false", 5) != 0)
        return false;
    s->p += *outp ? 4 : 5;
    return true;
}

/* One space, as recorders in other languages write behind ':' and ','.  A branch, not an addition: the place
 * of what follows must not wait for this byte. */
static inline void
pass_space(struct scan *s)
{
    if (__builtin_expect(*s->p == ' ', 0)) {
        s->p++;
        __asm__ volatile("");
    }
}

/* Takes `"key":` and gives the key. */
static inline bool
take_key(struct scan *s, struct kdp_text *keyp)
{
    if (!take_string(s, keyp) || *s->p != ':')
        return false;
    s->p++;
    pass_space(s);
    return true;
}

/* A member we do not know: one an object is tolerated here, so that there is no second one of its name to
 * look for. */
static inline bool
take_odd(struct scan *s)
{
    struct kdp_text text;
    int64_t number;

    s->odd++;
    return *s->p == '"' ? take_string(s, &text) : take_integer(s, &number);
}

static inline bool
mark(struct scan *s, enum fast member)
{
    uint32_t bit = UINT32_C(1) << member;
    bool twice = (s->seen & bit) != 0;

    s->seen |= bit;
    return !twice;
}

#define KEY_IS(literal) (memcmp(key.data, "" literal "", sizeof(literal) - 1) == 0)
#define TAKE(member, taken)                      \
    do {                                         \
        if (!mark(s, FAST_##member) || !(taken)) \
            return false;                        \
        goto next;                               \
    } while (0)
#define VALUE(member) (&found->value[FAST_##member])

/* The members of msg, from behind its '{' to behind its '}'. */
static inline bool
walk_msg(struct scan *s, struct kdp_decoder *d, struct found *found)
{
    struct kdp_text key, text;

    for (;;) {
        if (!take_key(s, &key))
            return false;
        switch (key.len) {
        case 2:
            if (KEY_IS("ts")) {
                found->ts_is_text = *s->p == '"';
                TAKE(TS, found->ts_is_text ? take_time(s, d, VALUE(TS)) : take_integer(s, VALUE(TS)));
            }
            break;
        case 4:
            if (KEY_IS("side"))
                TAKE(SIDE, take_side(s, "yes", 3, "no", 2, VALUE(SIDE)));
            if (KEY_IS("time"))
                TAKE(TIME, take_time(s, d, VALUE(TIME)));
            break;
        case 5:
            if (KEY_IS("ts_ms"))
                TAKE(TS_MS, take_ms(s, VALUE(TS_MS)));
            break;
        case 8:
            if (KEY_IS("delta_fp"))
                TAKE(DELTA, take_size(s, VALUE(DELTA)));
            if (KEY_IS("count_fp"))
                TAKE(COUNT, take_size(s, VALUE(COUNT)));
            if (KEY_IS("trade_id"))
                TAKE(TRADE_ID, take_string(s, &found->trade_id));
            break;
        case 9:
            if (KEY_IS("market_id"))
                TAKE(MARKET_ID, take_string(s, &text));
            if (KEY_IS("volume_fp"))
                TAKE(VOLUME, take_size(s, VALUE(VOLUME)));
            break;
        case 10:
            if (KEY_IS("taker_side"))
                TAKE(TAKER_SIDE, take_side(s, "yes", 3, "no", 2, VALUE(TAKER_SIDE)));
            break;
        case 13:
            if (KEY_IS("market_ticker"))
                TAKE(TICKER, take_string(s, &found->ticker));
            if (KEY_IS("price_dollars"))
                TAKE(PRICE, take_price(s, VALUE(PRICE)));
            if (KEY_IS("dollar_volume"))
                TAKE(DOLLAR_VOLUME, take_integer(s, VALUE(DOLLAR_VOLUME)));
            break;
        case 14:
            if (KEY_IS("is_block_trade"))
                TAKE(BLOCK, take_truth(s, VALUE(BLOCK)));
            break;
        case 15:
            if (KEY_IS("yes_bid_dollars"))
                TAKE(BID, take_price(s, VALUE(BID)));
            if (KEY_IS("yes_ask_dollars"))
                TAKE(ASK, take_price(s, VALUE(ASK)));
            if (KEY_IS("yes_bid_size_fp"))
                TAKE(BID_SIZE, take_size(s, VALUE(BID_SIZE)));
            if (KEY_IS("yes_ask_size_fp"))
                TAKE(ASK_SIZE, take_size(s, VALUE(ASK_SIZE)));
            if (KEY_IS("taker_book_side"))
                TAKE(BOOK_SIDE, take_side(s, "bid", 3, "ask", 3, VALUE(BOOK_SIDE)));
            break;
        case 16:
            if (KEY_IS("open_interest_fp"))
                TAKE(OPEN, take_size(s, VALUE(OPEN)));
            if (KEY_IS("no_price_dollars"))
                TAKE(NO_PRICE, take_price(s, VALUE(NO_PRICE)));
            break;
        case 17:
            if (KEY_IS("yes_price_dollars"))
                TAKE(YES_PRICE, take_price(s, VALUE(YES_PRICE)));
            break;
        case 18:
            if (KEY_IS("last_trade_size_fp"))
                TAKE(LAST_SIZE, take_size(s, VALUE(LAST_SIZE)));
            if (KEY_IS("taker_outcome_side"))
                TAKE(OUTCOME_SIDE, take_side(s, "yes", 3, "no", 2, VALUE(OUTCOME_SIDE)));
            break;
        case 20:
            if (KEY_IS("dollar_open_interest"))
                TAKE(DOLLAR_OPEN, take_integer(s, VALUE(DOLLAR_OPEN)));
            break;
        default:
            break;
        }
        /* not one of these: left to the general way when it knows the name after all */
        if (!mark(s, FAST_ODD) || kdpi_member_find(d, key) != KDP_MEMBER_UNKNOWN || !take_odd(s))
            return false;
    next:
        if (*s->p == ',') {
            s->p++;
            pass_space(s);
            continue;
        }
        if (*s->p++ != '}')
            return false;
        /* behind msg comes at least the envelope's end */
        return s->p < s->frame + s->len;
    }
}

static inline bool
take_type(struct scan *s, struct found *found)
{
    if (!take_string(s, &found->type))
        return false;
    if (kdpi_text_is(found->type, "orderbook_delta"))
        found->kind = KDP_MESSAGE_DELTA;
    else if (kdpi_text_is(found->type, "ticker"))
        found->kind = KDP_MESSAGE_TICKER;
    else if (kdpi_text_is(found->type, "trade"))
        found->kind = KDP_MESSAGE_TRADE;
    else
        return false;
    return true;
}

static inline bool
walk_envelope(struct scan *s, struct kdp_decoder *d, struct found *found)
{
    struct kdp_text key;

    s->p++;
    for (;;) {
        if (!take_key(s, &key))
            return false;
        switch (key.len) {
        case 2:
            if (KEY_IS("id"))
                TAKE(ID, take_integer(s, VALUE(ID)));
            return false;
        case 3:
            if (KEY_IS("sid"))
                TAKE(SID, take_integer(s, VALUE(SID)));
            if (KEY_IS("seq"))
                TAKE(SEQ, take_integer(s, VALUE(SEQ)));
            if (KEY_IS("msg") && *s->p == '{') {
                s->p++;
                TAKE(MSG, walk_msg(s, d, found));
            }
            return false;
        case 4:
            if (KEY_IS("type"))
                TAKE(TYPE, take_type(s, found));
            return false;
        case 13:
            if (KEY_IS("sending_ts_ms"))
                TAKE(SENDING, take_ms(s, VALUE(SENDING)));
            return false;
        default:
            return false;
        }
    next:
        if (*s->p == ',') {
            s->p++;
            pass_space(s);
            continue;
        }
        return *s->p == '}' && s->p + 1 == s->frame + s->len;
    }
}

static inline void
write_envelope(const struct scan *s, const struct found *found, struct kdp_message *msg)
{
    struct kdp_frame_times times = {KDP_TIME_NULL, KDP_TIME_NULL, KDP_TIME_NULL, KDP_TIME_NULL};

    msg->kind = found->kind;
    msg->refusal = KDP_REFUSAL_NONE;
    msg->trusted = true;
    msg->position = 0;
    msg->member = "";
    msg->type = found->type;
    msg->has_id = (s->seen & BIT(ID)) != 0;
    msg->has_sid = (s->seen & BIT(SID)) != 0;
    msg->has_seq = (s->seen & BIT(SEQ)) != 0;
    msg->id = msg->has_id ? found->value[FAST_ID] : 0;
    msg->sid = msg->has_sid ? (uint32_t)found->value[FAST_SID] : 0;
    msg->seq = msg->has_seq ? (uint64_t)found->value[FAST_SEQ] : 0;
    msg->sending_ts_ms = s->seen & BIT(SENDING) ? found->value[FAST_SENDING] : KDP_INT64_NULL;
    msg->market_ticker = found->ticker;
    msg->unknown_members = s->odd;
    if (s->seen & BIT(TS_MS))
        times.ms = found->value[FAST_TS_MS];
    if (s->seen & BIT(TIME))
        times.time_ns = found->value[FAST_TIME];
    if (s->seen & BIT(TS)) {
        if (found->ts_is_text)
            times.ts_ns = found->value[FAST_TS];
        else
            times.seconds_ns = found->value[FAST_TS] * KDP_NS_PER_S;
    }
    kdpi_time_settle(&times, msg);
}

static inline bool
write_delta(const struct scan *s, const struct found *found, struct kdp_message *msg)
{
    const uint32_t needed = BIT(TICKER) | BIT(PRICE) | BIT(DELTA) | BIT(SIDE);

    if ((s->seen & needed) != needed ||
        (s->seen & ~(needed | BIT(MARKET_ID) | BIT(ODD) | TIMES | ENVELOPE)) != 0)
        return false;
    write_envelope(s, found, msg);
    msg->delta.price_e4 = (int32_t)found->value[FAST_PRICE];
    msg->delta.side = (uint8_t)found->value[FAST_SIDE];
    msg->delta.delta_e2 = found->value[FAST_DELTA];
    return true;
}

static int64_t
seen_or_null(const struct scan *s, const struct found *found, enum fast member)
{
    return s->seen & (UINT32_C(1) << member) ? found->value[member] : KDP_INT64_NULL;
}

static int32_t
price_or_null(const struct scan *s, const struct found *found, enum fast member)
{
    return s->seen & (UINT32_C(1) << member) ? (int32_t)found->value[member] : KDP_PRICE_NULL;
}

static bool
write_ticker(const struct scan *s, const struct found *found, struct kdp_message *msg)
{
    static const enum fast sizes[] = {FAST_BID_SIZE, FAST_ASK_SIZE, FAST_LAST_SIZE, FAST_VOLUME, FAST_OPEN};
    const uint32_t known = BIT(TICKER) | BIT(PRICE) | BIT(BID) | BIT(ASK) | BIT(BID_SIZE) | BIT(ASK_SIZE) |
                           BIT(LAST_SIZE) | BIT(VOLUME) | BIT(OPEN) | BIT(DOLLAR_VOLUME) | BIT(DOLLAR_OPEN);

    if (!(s->seen & BIT(TICKER)) || (s->seen & ~(known | BIT(MARKET_ID) | BIT(ODD) | TIMES | ENVELOPE)) != 0)
        return false;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (s->seen & (UINT32_C(1) << sizes[i]) && found->value[sizes[i]] < 0)
            return false;
    }
    write_envelope(s, found, msg);
    msg->ticker.price_e4 = price_or_null(s, found, FAST_PRICE);
    msg->ticker.bid_e4 = price_or_null(s, found, FAST_BID);
    msg->ticker.ask_e4 = price_or_null(s, found, FAST_ASK);
    msg->ticker.bid_size_e2 = seen_or_null(s, found, FAST_BID_SIZE);
    msg->ticker.ask_size_e2 = seen_or_null(s, found, FAST_ASK_SIZE);
    msg->ticker.last_size_e2 = seen_or_null(s, found, FAST_LAST_SIZE);
    msg->ticker.volume_e2 = seen_or_null(s, found, FAST_VOLUME);
    msg->ticker.open_interest_e2 = seen_or_null(s, found, FAST_OPEN);
    msg->ticker.dollar_volume = seen_or_null(s, found, FAST_DOLLAR_VOLUME);
    msg->ticker.dollar_open_interest = seen_or_null(s, found, FAST_DOLLAR_OPEN);
    return true;
}

static bool
write_trade(const struct scan *s, const struct found *found, struct kdp_message *msg)
{
    const uint32_t needed = BIT(TICKER) | BIT(TRADE_ID) | BIT(YES_PRICE) | BIT(NO_PRICE) | BIT(COUNT);
    const uint32_t sides = BIT(TAKER_SIDE) | BIT(OUTCOME_SIDE) | BIT(BOOK_SIDE);

    if ((s->seen & needed) != needed ||
        (s->seen & ~(needed | sides | BIT(BLOCK) | BIT(MARKET_ID) | BIT(ODD) | TIMES | ENVELOPE)) != 0 ||
        found->value[FAST_YES_PRICE] + found->value[FAST_NO_PRICE] != PRICE_MAX ||
        found->value[FAST_COUNT] < 0 || !kdpi_uuid_parse(found->trade_id, msg->trade.trade_id))
        return false;
    write_envelope(s, found, msg);
    msg->trade.trade_id_hashed = false;
    msg->trade.price_e4 = (int32_t)found->value[FAST_YES_PRICE];
    msg->trade.count_e2 = found->value[FAST_COUNT];
    msg->trade.block = s->seen & BIT(BLOCK) && found->value[FAST_BLOCK];
    msg->trade.taker_side = s->seen & BIT(OUTCOME_SIDE) ? (uint8_t)found->value[FAST_OUTCOME_SIDE]
                            : s->seen & BIT(BOOK_SIDE)  ? (uint8_t)found->value[FAST_BOOK_SIDE]
                            : s->seen & BIT(TAKER_SIDE) ? (uint8_t)found->value[FAST_TAKER_SIDE]
                                                        : KDP_SIDE_NONE;
    return true;
}

bool
kdpi_decode_fast(struct kdp_decoder *d, const char *frame, size_t len, struct kdp_message *msg)
{
    uint64_t blocks[BLOCKS + 1];
    struct found found;
    struct scan s;

    if (len < FRAME_MIN || len > FRAME_MAX || frame[0] != '{' || frame[len - 1] != '}' ||
        !scan_frame(frame, len, blocks))
        return false;
    s.frame = s.p = frame;
    s.len = len;
    s.blocks = blocks;
    s.quotes = blocks[0];
    s.base = 0;
    s.seen = s.odd = 0;
    found.ticker.len = 0;
    if (!walk_envelope(&s, d, &found) || !(s.seen & BIT(TYPE)) || !(s.seen & BIT(MSG)) ||
        found.ticker.len - 1 >= KDPI_TICKER_MAX ||
        (s.seen & BIT(SID) && found.value[FAST_SID] > UINT32_MAX) ||
        (s.seen & BIT(TS) && !found.ts_is_text && found.value[FAST_TS] > INT64_MAX / KDP_NS_PER_S - 1))
        return false;
    switch (found.kind) {
    case KDP_MESSAGE_DELTA:
        return write_delta(&s, &found, msg);
    case KDP_MESSAGE_TICKER:
        return write_ticker(&s, &found, msg);
    default:
        return write_trade(&s, &found, msg);
    }
}
