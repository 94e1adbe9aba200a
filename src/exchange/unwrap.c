/* unwrap.c - see unwrap.h.
 *
 * A line is scanned once.  The texts "raw" and "message", nearly all of the bytes, are freed of their escapes
 * on the way: 64 bytes at a time become a bit mask of the places that need a look, and what lies between two
 * such places is copied 16 bytes at once.  In a recorded frame every eighth byte or so is an escaped quote,
 * so a scan that stops to look for each one anew spends its time waiting for its own last answer; the mask
 * gives eight answers at once. */
#include "unwrap.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "clock.h"
#include "decimal.h"

#define DEPTH_MAX 32 /* as the frame decoder */
#define KEY_MAX 32   /* a longer key is none of ours */
#define NAME_IS(name, literal) \
    ((name).len == sizeof(literal) - 1 && memcmp((name).data, (literal), sizeof(literal) - 1) == 0)

struct cursor {
    const char *p, *end;
    enum kdp_refusal refusal;
    const char *why;
};

static bool
refuse(struct cursor *c, const char *at, enum kdp_refusal refusal, const char *why)
{
    c->p = at < c->end ? at : c->end;
    c->refusal = at < c->end || refusal != KDP_REFUSAL_SYNTAX ? refusal : KDP_REFUSAL_TRUNCATED;
    c->why = c->refusal == KDP_REFUSAL_TRUNCATED ? "the line ends too early" : why;
    return false;
}

static void
skip_space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

/* special marks which of the 64 bytes from p on are a quote, a backslash or a control character. */
static inline uint64_t
special(const char *p)
{
    uint64_t mask = 0;

#ifdef __SSE2__
    for (unsigned i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i hit =
            _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));

        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
        mask |= (uint64_t)(unsigned)_mm_movemask_epi8(hit) << (16 * i);
    }
#else
    for (unsigned i = 0; i < 64; i++)
        mask |= (uint64_t)(p[i] == '\\' || p[i] == '"' || (unsigned char)p[i] < 0x20) << i;
#endif
    return mask;
}

static int
hex4(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i], digit;

        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (c | 32) - 'a' + 10;
        else
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *
put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 63));
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* The escapes other than \" \\ \/; at is the backslash.  Returns the place after it, NULL when it is refused.
 */
static const char *
rare_escape(struct cursor *c, const char *at, char **outp)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *which;
    int code, low;

    if (at + 1 >= c->end) {
        refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
        return NULL;
    }
    which = at[1] != '\0' ? strchr(from, at[1]) : NULL;
    if (which != NULL) {
        *(*outp)++ = to[which - from];
        return at + 2;
    }
    if (at[1] != 'u') {
        refuse(c, at, KDP_REFUSAL_ESCAPE, "no such escape");
        return NULL;
    }
    if (c->end - at < 6) {
        refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
        return NULL;
    }
    code = hex4(at + 2);
    if (code >= 0xd800 && code < 0xdc00) {
        low = c->end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8) : -1;
        if (low >= 0xdc00 && low < 0xe000) {
            *outp = put_utf8(*outp, 0x10000u + ((unsigned)(code - 0xd800) << 10) + (unsigned)(low - 0xdc00));
            return at + 12;
        }
        code = -1;
    }
    if (code < 0 || (code >= 0xdc00 && code < 0xe000)) {
        refuse(c, at, KDP_REFUSAL_ESCAPE, "not a \\u escape of a character");
        return NULL;
    }
    *outp = put_utf8(*outp, (unsigned)code);
    return at + 6;
}

/* Copies the text at c->p (after its opening quote) to out without its escapes; c->p gets behind the closing
 * quote.  Reads up to 64 bytes beyond the line's end and writes up to 16 beyond the text's, which the slack
 * of both buffers allows. */
static bool
unescape(struct cursor *c, char *out, size_t *lenp)
{
    char *begin = out;
    const char *run = c->p, *block = c->p; /* run: first byte not yet copied */

    for (;;) {
        uint64_t mask = special(block);

        while (mask != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(mask);
            const char *at = block + bit;
            size_t count = (size_t)(at - run);

            if (at >= c->end)
                return refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
            if (count <= 16)
                memcpy(out, run, 16);
            else
                memcpy(out, run, count);
            out += count;
            if (*at == '"') {
                c->p = at + 1;
                *lenp = (size_t)(out - begin);
                return true;
            }
            if (*at != '\\')
                return refuse(c, at, KDP_REFUSAL_CONTROL, "a control character in a text");
            if (at[1] == '"' || at[1] == '\\' ||
                at[1] == '/') { /* the character stands for itself: it begins the next run */
                run = at + 1;
                if (bit == 63) {
                    block = at + 2;
                    mask = special(block);
                } else {
                    mask &= ~(UINT64_C(3) << bit);
                }
            } else {
                run = rare_escape(c, at, &out);
                if (run == NULL)
                    return false;
                block = run;
                mask = special(block);
            }
        }
        block += 64;
        if (block >= c->end)
            return refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
    }
}

/* Passes a text at its opening quote, escapes checked; *textp is what lies between the quotes. */
static bool
skip_text(struct cursor *c, struct kdp_text *textp, bool *escapedp)
{
    const char *p = c->p + 1;

    *escapedp = false;
    textp->data = p;
    for (; p < c->end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return refuse(c, p, KDP_REFUSAL_CONTROL, "a control character in a text");
        if (*p == '\\') {
            char sink[8], *out = sink;

            *escapedp = true;
            if (p + 1 < c->end && (p[1] == '"' || p[1] == '\\' || p[1] == '/')) {
                p++;
                continue;
            }
            p = rare_escape(c, p, &out);
            if (p == NULL)
                return false;
            p--;
        }
    }
    if (p >= c->end)
        return refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
    textp->len = (size_t)(p - textp->data);
    c->p = p + 1;
    return true;
}

static bool
skip_number(struct cursor *c)
{
    const char *first = c->p, *p = first, *digits;

    p += *p == '-';
    digits = p;
    while (p < c->end && *p >= '0' && *p <= '9')
        p++;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return refuse(c, p < c->end && p == digits ? p : first,
                      p < c->end ? KDP_REFUSAL_NUMBER : KDP_REFUSAL_SYNTAX, "not a number");
    if (p < c->end && *p == '.') {
        digits = ++p;
        while (p < c->end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return refuse(c, p, KDP_REFUSAL_SYNTAX, "not a number");
    }
    if (p < c->end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < c->end && (*p == '+' || *p == '-');
        digits = p;
        while (p < c->end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return refuse(c, p, KDP_REFUSAL_SYNTAX, "not a number");
    }
    c->p = p;
    return true;
}

static bool
skip_word(struct cursor *c)
{
    static const char *const words[] = {"null", "true", "false"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(c->end - c->p) >= len && memcmp(c->p, words[i], len) == 0) {
            c->p += len;
            return true;
        }
    }
    return refuse(c, c->p, KDP_REFUSAL_SYNTAX, "no value begins so");
}

/* A key and its colon.  A key with escapes counts as one that nobody knows, unless it fits buf (KEY_MAX bytes
 * and slack). */
static bool
read_key(struct cursor *c, struct kdp_text *key, char *buf)
{
    bool escaped;

    if (c->p >= c->end || *c->p != '"')
        return refuse(c, c->p, KDP_REFUSAL_SYNTAX, "a member's name is missing");
    if (!skip_text(c, key, &escaped))
        return false;
    if (escaped && key->len <= KEY_MAX) {
        char copy[KEY_MAX + 1 + KDPI_UNWRAP_SLACK];
        struct cursor inner = {copy, copy + key->len + 1, KDP_REFUSAL_NONE, ""};

        memset(copy, 0, sizeof copy);
        memcpy(copy, key->data, key->len);
        copy[key->len] = '"';
        key->data = buf;
        unescape(&inner, buf, &key->len);
    }
    skip_space(c);
    if (c->p >= c->end || *c->p != ':')
        return refuse(c, c->p, KDP_REFUSAL_SYNTAX, "a colon is missing");
    c->p++;
    skip_space(c);
    return true;
}

/* Passes any value, checked as strictly as the frame decoder does but for double keys and UTF-8. */
static bool
skip_value(struct cursor *c)
{
    char open[DEPTH_MAX];
    unsigned depth = 0;
    struct kdp_text text;
    bool escaped;

    for (;;) {
        char first;

        skip_space(c);
        if (c->p >= c->end)
            return refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
        first = *c->p;
        if (first == '{' || first == '[') {
            if (depth == DEPTH_MAX)
                return refuse(c, c->p, KDP_REFUSAL_DEPTH, "nested too deep");
            open[depth++] = first;
            c->p++;
            skip_space(c);
            if (c->p < c->end && *c->p == (first == '{' ? '}' : ']')) {
                c->p++;
                depth--;
            } else {
                char buf[KEY_MAX + KDPI_UNWRAP_SLACK];

                if (first == '{' && !read_key(c, &text, buf))
                    return false;
                continue;
            }
        } else if (first == '"') {
            if (!skip_text(c, &text, &escaped))
                return false;
        } else if (first == '-' || (first >= '0' && first <= '9')) {
            if (!skip_number(c))
                return false;
        } else if (!skip_word(c)) {
            return false;
        }
        /* the value is done: on to the next one, or out of what it ends */
        while (depth > 0) {
            skip_space(c);
            if (c->p >= c->end)
                return refuse(c, c->end, KDP_REFUSAL_SYNTAX, "");
            if (*c->p == ',') {
                char buf[KEY_MAX + KDPI_UNWRAP_SLACK];

                c->p++;
                skip_space(c);
                if (open[depth - 1] == '{' && !read_key(c, &text, buf))
                    return false;
                break;
            }
            if (*c->p != (open[depth - 1] == '{' ? '}' : ']'))
                return refuse(c, c->p, KDP_REFUSAL_SYNTAX, "a comma or an end is missing");
            c->p++;
            depth--;
        }
        if (depth == 0)
            return true;
    }
}

/* After a member's value: true when another one follows; *donep when the object ended. */
static bool
after_member(struct cursor *c, bool *donep)
{
    skip_space(c);
    *donep = c->p < c->end && *c->p == '}';
    if (*donep || (c->p < c->end && *c->p == ',')) {
        c->p++;
        skip_space(c);
        return true;
    }
    return refuse(c, c->p, KDP_REFUSAL_SYNTAX, "a comma or an end is missing");
}

/* The value at c->p as a decimal, written as a number or as a text. */
static bool
read_decimal(struct cursor *c, unsigned scale, int64_t *outp)
{
    const char *first = c->p;
    struct kdp_text text;
    bool escaped;

    if (c->p < c->end && *c->p == '"') {
        if (!skip_text(c, &text, &escaped))
            return false;
    } else {
        if (c->p >= c->end || (*c->p != '-' && (*c->p < '0' || *c->p > '9')))
            return refuse(c, c->p, KDP_REFUSAL_TYPE, "not a number");
        text.data = c->p;
        if (scale == 0) { /* nearly always: up to 18 digits without a sign */
            int64_t value = 0;
            const char *p = c->p;

            while (p < c->end && *p >= '0' && *p <= '9' && p - first < 18)
                value = value * 10 + (*p++ - '0');
            if (p < c->end && (*p == ',' || *p == '}') && p > first && (*first != '0' || p == first + 1)) {
                c->p = p;
                *outp = value;
                return true;
            }
        }
        if (!skip_number(c))
            return false;
        text.len = (size_t)(c->p - text.data);
    }
    switch (kdpi_decimal_parse(text.data, text.len, scale, outp)) {
    case KDP_DECIMAL_OK:
        return true;
    case KDP_DECIMAL_TOO_FINE:
        return refuse(c, first, KDP_REFUSAL_TOO_FINE, "finer than a nanosecond");
    case KDP_DECIMAL_TOO_BIG:
        return refuse(c, first, KDP_REFUSAL_RANGE, "out of range");
    default:
        return refuse(c, first, KDP_REFUSAL_NUMBER, "not a number");
    }
}

static bool
read_recv(struct cursor *c, unsigned scale, int64_t *nsp)
{
    const char *first = c->p;
    int64_t ns;

    if (c->end - c->p >= 4 && memcmp(c->p, "null", 4) == 0) {
        c->p += 4;
        return true;
    }
    if (!read_decimal(c, scale, &ns))
        return false;
    if (ns < 0)
        return refuse(c, first, KDP_REFUSAL_RANGE, "a time before 1970");
    *nsp = ns;
    return true;
}

/* A time of unknown unit beside "message": seconds, ms, us or ns by its size, or a date; what is none counts
 * as absent. */
static bool
read_any_time(struct cursor *c, int64_t *nsp)
{
    static const struct {
        int64_t
            below; /* in whole units: year 5138 in the unit, so that every date of ours falls into one row */
        unsigned scale;
    } units[] = {{INT64_C(100000000000), 9},
                 {INT64_C(100000000000000), 6},
                 {INT64_C(100000000000000000), 3},
                 {INT64_MAX, 0}};
    const char *first = c->p;
    struct kdp_text text;
    int64_t whole = 0, ns;
    bool escaped;

    if (c->p < c->end && *c->p == '"') {
        if (!skip_text(c, &text, &escaped))
            return false;
        if (kdpi_time_parse(text.data, text.len, &ns) == 0)
            *nsp = ns;
        return true;
    }
    if (!skip_value(c) || *first < '0' || *first > '9')
        return c->refusal == KDP_REFUSAL_NONE;
    text = (struct kdp_text){first, (size_t)(c->p - first)};
    for (size_t i = 0;
         i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && whole < INT64_MAX / 10 - 9; i++)
        whole = whole * 10 + (text.data[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (whole < units[i].below) {
            if (kdpi_decimal_parse(text.data, text.len, units[i].scale, &ns) == KDP_DECIMAL_OK)
                *nsp = ns;
            break;
        }
    }
    return true;
}

/* The frame: a text in quotes, an object or an array. */
static bool
read_frame(struct cursor *c, char *scratch, struct kdp_unwrapped *out)
{
    const char *first = c->p;

    if (first < c->end && *first == '"') {
        c->p++;
        out->text = scratch;
        return unescape(c, scratch, &out->len);
    }
    if (first < c->end && *first != '{' && *first != '[')
        return refuse(c, first, KDP_REFUSAL_TYPE, "neither a text nor an object");
    if (!skip_value(c))
        return false;
    out->text = first;
    out->len = (size_t)(c->p - first);
    return true;
}

static bool
read_conn(struct cursor *c, struct kdp_unwrapped *out)
{
    const char *first = c->p;
    int64_t conn;

    if (!read_decimal(c, 0, &conn))
        return false;
    if (conn < 0 || conn > UINT16_MAX)
        return refuse(c, first, KDP_REFUSAL_RANGE, "a connection is a number from 1 to 65535");
    out->conn = conn == 0 ? UINT16_MAX : (uint16_t)conn;
    return true;
}

static bool
read_event(struct cursor *c, struct kdp_unwrapped *out)
{
    struct kdp_text word;
    bool escaped;

    if (c->p >= c->end || *c->p != '"')
        return refuse(c, c->p, KDP_REFUSAL_TYPE, "an event is a word in quotes");
    if (!skip_text(c, &word, &escaped))
        return false;
    if (NAME_IS(word, "connected") || NAME_IS(word, "open") || NAME_IS(word, "opened"))
        out->event = KDP_LINE_CONNECTED;
    else if (NAME_IS(word, "disconnected") || NAME_IS(word, "closed") || NAME_IS(word, "close"))
        out->event = KDP_LINE_DISCONNECTED;
    else
        out->event = KDP_LINE_OTHER_EVENT;
    return true;
}

/* The members that a wrapper may have; each may stand once. */
enum member {
    M_RECV_NS = 1,
    M_RECV_MS = 2,
    M_CONN = 4,
    M_RAW = 8,
    M_EVENT = 16,
    M_CHANNEL = 32,
    M_MESSAGE = 64,
    M_TIME = 128,
    M_FRAME = 256 /* "type" or "msg": the line is a frame itself */
};

static unsigned
member_of(struct kdp_text key)
{
    switch (key.len) {
    case 2:
        return NAME_IS(key, "ts") ? M_TIME : 0;
    case 3:
        return NAME_IS(key, "raw") ? M_RAW : NAME_IS(key, "msg") ? M_FRAME : 0;
    case 4:
        return NAME_IS(key, "conn")   ? M_CONN
               : NAME_IS(key, "type") ? M_FRAME
               : NAME_IS(key, "time") ? M_TIME
                                      : 0;
    case 5:
        return NAME_IS(key, "event") ? M_EVENT : 0;
    case 7:
        return NAME_IS(key, "recv_ns")   ? M_RECV_NS
               : NAME_IS(key, "recv_ms") ? M_RECV_MS
               : NAME_IS(key, "channel") ? M_CHANNEL
               : NAME_IS(key, "message") ? M_MESSAGE
                                         : 0;
    case 9:
        return NAME_IS(key, "timestamp") ? M_TIME : 0;
    case 10:
        return NAME_IS(key, "recv_ts_ns") ? M_RECV_NS : NAME_IS(key, "recv_ts_ms") ? M_RECV_MS : 0;
    default:
        return 0;
    }
}

static bool
read_line(struct cursor *c, char *scratch, struct kdp_unwrapped *out, unsigned *seenp)
{
    int64_t recv_ns = KDP_TIME_NULL, recv_ms_ns = KDP_TIME_NULL, any_ns = KDP_TIME_NULL;
    bool done;

    skip_space(c);
    if (c->p >= c->end || *c->p != '{')
        return refuse(c, c->p, KDP_REFUSAL_NOT_OBJECT, "not a JSON object");
    c->p++;
    skip_space(c);
    done = c->p < c->end && *c->p == '}';
    if (done)
        c->p++;
    while (!done) {
        char buf[KEY_MAX + KDPI_UNWRAP_SLACK];
        const char *name = c->p;
        struct kdp_text key;
        unsigned member;
        bool ok;

        if (!read_key(c, &key, buf))
            return false;
        member = member_of(key);
        if ((*seenp & member & ~(unsigned)(M_TIME | M_FRAME)) != 0)
            return refuse(c, name, KDP_REFUSAL_DUPLICATE_KEY, "a member is given twice");
        *seenp |= member;
        switch (member) {
        case M_RAW:
        case M_MESSAGE:
            if ((*seenp & (M_RAW | M_MESSAGE)) == (M_RAW | M_MESSAGE)) /* scratch holds one frame */
                return refuse(c, name, KDP_REFUSAL_CONFLICT, "\"raw\" and \"message\" in one line");
            ok = read_frame(c, scratch, out);
            break;
        case M_RECV_NS:
            ok = read_recv(c, 0, &recv_ns);
            break;
        case M_RECV_MS:
            ok = read_recv(c, 6, &recv_ms_ns);
            break;
        case M_CONN:
            ok = read_conn(c, out);
            break;
        case M_EVENT:
            ok = read_event(c, out);
            break;
        case M_TIME:
            ok = read_any_time(c, &any_ns);
            break;
        default:
            ok = skip_value(c);
            break;
        }
        if (!ok || !after_member(c, &done))
            return false;
    }
    skip_space(c);
    if (c->p != c->end)
        return refuse(c, c->p, KDP_REFUSAL_TRAILING, "text after the end");
    out->recv_ns = recv_ns != KDP_TIME_NULL ? recv_ns : recv_ms_ns != KDP_TIME_NULL ? recv_ms_ns : any_ns;
    return true;
}

enum kdp_refusal
kdpi_unwrap(const char *line, size_t len, char *scratch, struct kdp_unwrapped *out)
{
    struct cursor c = {line, line + len, KDP_REFUSAL_NONE, ""};
    unsigned seen = 0;
    bool whole;

    *out = (struct kdp_unwrapped){.form = KDP_LINE_BARE, .conn = 1, .recv_ns = KDP_TIME_NULL, .why = ""};
    whole = read_line(&c, scratch, out, &seen);
    if ((seen & M_RAW) != 0)
        out->form = KDP_LINE_WRAPPED;
    else if ((seen & M_MESSAGE) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_MESSAGE;
    else if ((seen & M_EVENT) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_MARK;
    else if (!whole && (seen & (M_RECV_NS | M_RECV_MS | M_CONN)) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_WRAPPED;
    if (out->form == KDP_LINE_BARE) {
        out->text = line;
        out->len = len;
        out->recv_ns = KDP_TIME_NULL;
        out->conn = 1;
        return KDP_REFUSAL_NONE;
    }
    if (!whole) {
        out->refusal = c.refusal;
        out->position = (size_t)(c.p - line);
        out->why = c.why;
        out->text = line;
        out->len = len;
    }
    return out->refusal;
}

/* A time that a recording may plausibly carry: one absurd frame must not push the clock of all that follow
 * it. */
static bool
plausible(int64_t ns)
{
    return ns >= INT64_C(1483228800) * KDP_NS_PER_S &&
           ns < INT64_C(4102444800) * KDP_NS_PER_S; /* 2017 to 2099 */
}

static bool
read_msg_time(struct cursor *c, int64_t *nsp)
{
    int64_t ms_ns = KDP_TIME_NULL, text_ns = KDP_TIME_NULL, number_ns = KDP_TIME_NULL;
    bool done;

    c->p++;
    skip_space(c);
    done = c->p < c->end && *c->p == '}';
    if (done)
        c->p++;
    while (!done) {
        char buf[KEY_MAX + KDPI_UNWRAP_SLACK];
        struct kdp_text key;
        const char *first;

        if (!read_key(c, &key, buf))
            return false;
        first = c->p;
        if (NAME_IS(key, "ts_ms")) {
            if (!read_any_time(c, &ms_ns))
                return false;
        } else if (NAME_IS(key, "ts") || NAME_IS(key, "time")) {
            if (!read_any_time(c, *first == '"' ? &text_ns : &number_ns))
                return false;
        } else if (!skip_value(c)) {
            return false;
        }
        if (!after_member(c, &done))
            return false;
    }
    if (text_ns != KDP_TIME_NULL &&
        (ms_ns == KDP_TIME_NULL || text_ns / KDP_NS_PER_MS == ms_ns / KDP_NS_PER_MS))
        *nsp = text_ns;
    else
        *nsp = ms_ns != KDP_TIME_NULL ? ms_ns : number_ns;
    return true;
}

int64_t
kdpi_frame_time(const char *frame, size_t len)
{
    struct cursor c = {frame, frame + len, KDP_REFUSAL_NONE, ""};
    int64_t msg_ns = KDP_TIME_NULL, sending_ns = KDP_TIME_NULL;
    bool done = false;

    skip_space(&c);
    if (c.p >= c.end || *c.p != '{')
        return KDP_TIME_NULL;
    c.p++;
    skip_space(&c);
    while (!done) {
        char buf[KEY_MAX + KDPI_UNWRAP_SLACK];
        struct kdp_text key;

        if (!read_key(&c, &key, buf))
            return KDP_TIME_NULL;
        if (NAME_IS(key, "msg") && c.p < c.end && *c.p == '{') {
            if (!read_msg_time(&c, &msg_ns))
                return KDP_TIME_NULL;
        } else if (NAME_IS(key, "sending_ts_ms")) {
            if (!read_any_time(&c, &sending_ns))
                return KDP_TIME_NULL;
        } else if (!skip_value(&c)) {
            return KDP_TIME_NULL;
        }
        if (!after_member(&c, &done))
            return KDP_TIME_NULL;
    }
    if (sending_ns > msg_ns)
        msg_ns = sending_ns;
    return plausible(msg_ns) ? msg_ns : KDP_TIME_NULL;
}

bool
kdpi_frame_is_command(const char *frame, size_t len)
{
    struct cursor c = {frame, frame + len, KDP_REFUSAL_NONE, ""};
    bool done = false, found = false;

    /* the exchange writes its frames so; the exact look below is for what begins otherwise and has the word
     * in it */
    if (len >= 7 && memcmp(frame, "{\"type\"", 7) == 0)
        return false;
    if (memmem(frame, len, "\"cmd\"", 5) == NULL)
        return false;
    skip_space(&c);
    if (c.p >= c.end || *c.p != '{')
        return false;
    c.p++;
    skip_space(&c);
    while (!done) {
        char buf[KEY_MAX + KDPI_UNWRAP_SLACK];
        struct kdp_text key;

        if (!read_key(&c, &key, buf))
            return false;
        if (NAME_IS(key, "type"))
            return false;
        found |= NAME_IS(key, "cmd");
        if (!skip_value(&c) || !after_member(&c, &done))
            return false;
    }
    return found;
}
