/* unwrap.c - see unwrap.h.
 *
 * Nearly every line of a large recording is {"recv_ns":N,"conn":N,"raw":"..."}, and nearly all of it is the
 * frame in quotes, so that form has a way of its own: 64 bytes at a time become a bit mask of the places that
 * need a look, and what lies between two such places is copied 16 bytes at once.  In a recorded frame every
 * eighth byte or so is an escaped quote; a scan that stops to look for each one anew spends its time waiting
 * for its own last answer.  Whatever else a line is, or where that way finds anything odd, the program's JSON
 * reader takes it apart, and refuses it with its words. */
#include "unwrap.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "clock.h"
#include "decimal.h"
#include "json.h"

#define TEXTS_BYTES 8192u /* names and words with escapes */

struct kdp_unwrapper {
    struct kdp_json json;
    struct kdp_json_keys keys;
    char texts[TEXTS_BYTES];
};

struct kdp_unwrapper *
kdpi_unwrapper_open(void)
{
    struct kdp_unwrapper *unwrapper = calloc(1, sizeof *unwrapper);

    if (unwrapper != NULL)
        kdpi_json_init(&unwrapper->json, &unwrapper->keys, unwrapper->texts, sizeof unwrapper->texts);
    return unwrapper;
}

void
kdpi_unwrapper_close(struct kdp_unwrapper *unwrapper)
{
    free(unwrapper);
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

/* The escapes other than \" \\ \/; at is the backslash.  Returns the place after it, NULL when there is no
 * such escape. */
static const char *
rare_escape(const char *at, const char *end, char **outp)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *which;
    int code, low;

    if (end - at < 2 || at[1] == '\0')
        return NULL;
    which = strchr(from, at[1]);
    if (which != NULL) {
        *(*outp)++ = to[which - from];
        return at + 2;
    }
    code = at[1] == 'u' && end - at >= 6 ? hex4(at + 2) : -1;
    if (code < 0 || (code >= 0xdc00 && code < 0xe000))
        return NULL;
    if (code < 0xd800 || code >= 0xe000) {
        *outp = put_utf8(*outp, (unsigned)code);
        return at + 6;
    }
    low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8) : -1;
    if (low < 0xdc00 || low >= 0xe000)
        return NULL;
    *outp = put_utf8(*outp, 0x10000u + ((unsigned)(code - 0xd800) << 10) + (unsigned)(low - 0xdc00));
    return at + 12;
}

/* Copies the text at p (after its opening quote) to out without its escapes and returns the place behind the
 * closing quote, NULL when it is no text.  Reads up to 64 bytes beyond end and writes up to 16 beyond the
 * text, as the slack of both allows. */
static const char *
unescape(const char *p, const char *end, char *out, size_t *lenp)
{
    char *begin = out;
    const char *run = p, *block = p; /* run: first byte not yet copied */

    for (; block < end; block += 64) {
        uint64_t mask = special(block);

        while (mask != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(mask);
            const char *at = block + bit;
            size_t count = (size_t)(at - run);

            if (at >= end)
                return NULL;
            if (count <= 16)
                memcpy(out, run, 16);
            else
                memcpy(out, run, count);
            out += count;
            if (*at == '"') {
                *lenp = (size_t)(out - begin);
                return at + 1;
            }
            if (*at != '\\') /* a control character */
                return NULL;
            if (at[1] == '"' || at[1] == '\\' ||
                at[1] == '/') { /* it stands for itself: it begins the next run */
                run = at + 1;
                if (bit < 63) {
                    mask &= ~(UINT64_C(3) << bit);
                    continue;
                }
                block = at + 2;
            } else {
                run = rare_escape(at, end, &out);
                if (run == NULL)
                    return NULL;
                block = run;
            }
            if (block >= end)
                return NULL;
            mask = special(block);
        }
    }
    return NULL;
}

/* Up to 19 digits; NULL when there is none, too many, or a leading zero. */
static const char *
digits(const char *p, const char *end, uint64_t *valuep)
{
    const char *first = p;
    uint64_t value = 0;

    while (p < end && *p >= '0' && *p <= '9' && p - first < 19)
        value = value * 10 + (uint64_t)(*p++ - '0');
    *valuep = value;
    return p == first || (*first == '0' && p - first > 1) ? NULL : p;
}

/* The common line, to the letter; false when it is another one, and nothing is said of why. */
static bool
read_common(const char *line, size_t len, char *scratch, struct kdp_unwrapped *out)
{
    const char *p = line, *end = line + len;
    uint64_t ns, conn;

    if (len < 32 || memcmp(p, "{\"recv_ns\":", 11) != 0)
        return false;
    p = digits(p + 11, end, &ns);
    if (p == NULL || ns > INT64_MAX || end - p < 8 || memcmp(p, ",\"conn\":", 8) != 0)
        return false;
    p = digits(p + 8, end, &conn);
    if (p == NULL || conn > UINT16_MAX || end - p < 8 || memcmp(p, ",\"raw\":\"", 8) != 0)
        return false;
    p = unescape(p + 8, end, scratch, &out->len);
    if (p == NULL || end - p != 1 || *p != '}')
        return false;
    out->form = KDP_LINE_WRAPPED;
    out->conn = conn == 0 ? UINT16_MAX : (uint16_t)conn;
    out->recv_ns = (int64_t)ns;
    out->text = scratch;
    return true;
}

/* The members that a wrapper may have. */
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
    static const struct {
        const char *name;
        unsigned member;
    } names[] = {{"recv_ns", M_RECV_NS}, {"recv_ts_ns", M_RECV_NS},
                 {"recv_ms", M_RECV_MS}, {"recv_ts_ms", M_RECV_MS},
                 {"conn", M_CONN},       {"raw", M_RAW},
                 {"event", M_EVENT},     {"channel", M_CHANNEL},
                 {"message", M_MESSAGE}, {"ts", M_TIME},
                 {"time", M_TIME},       {"timestamp", M_TIME},
                 {"type", M_FRAME},      {"msg", M_FRAME}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kdpi_text_equal(key, names[i].name, strlen(names[i].name)))
            return names[i].member;
    }
    return 0;
}

static void
read_recv(struct kdp_json *json, unsigned scale, int64_t *nsp)
{
    size_t at = kdpi_json_offset(json);
    int64_t ns;

    if (kdpi_json_null(json) || !kdpi_json_decimal(json, scale, &ns))
        return;
    if (ns < 0)
        kdpi_json_refuse(json, KDP_REFUSAL_RANGE, at, "a time before 1970");
    *nsp = ns;
}

/* A time of unknown unit: seconds, ms, us or ns by its size, or a date; what is none counts as absent. */
static void
read_any_time(struct kdp_json *json, int64_t *nsp)
{
    static const struct {
        int64_t below; /* the year 5138 in that unit, so that every date of ours falls into one row */
        unsigned scale;
    } units[] = {{INT64_C(100000000000), 9},
                 {INT64_C(100000000000000), 6},
                 {INT64_C(100000000000000000), 3},
                 {INT64_MAX, 0}};
    struct kdp_text text = {"", 0};
    enum kdp_json_kind kind = kdpi_json_scalar(json, &text);
    int64_t whole = 0, ns;

    if (kind == KDP_JSON_STRING && kdpi_time_parse(text.data, text.len, &ns) == 0)
        *nsp = ns;
    if (kind != KDP_JSON_NUMBER)
        return;
    for (size_t i = 0;
         i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && whole < INT64_MAX / 10 - 9; i++)
        whole = whole * 10 + (text.data[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (whole < units[i].below) {
            if (kdpi_decimal_parse(text.data, text.len, units[i].scale, &ns) == KDP_DECIMAL_OK && ns >= 0)
                *nsp = ns;
            return;
        }
    }
}

static void
read_conn(struct kdp_json *json, struct kdp_unwrapped *out)
{
    size_t at = kdpi_json_offset(json);
    int64_t conn;

    if (!kdpi_json_int64(json, &conn))
        return;
    if (conn < 0 || conn > UINT16_MAX)
        kdpi_json_refuse(json, KDP_REFUSAL_RANGE, at, "a connection is a number from 1 to 65535");
    out->conn = conn == 0 ? UINT16_MAX : (uint16_t)conn;
}

static void
read_event(struct kdp_json *json, struct kdp_unwrapped *out)
{
    struct kdp_text word;

    if (!kdpi_json_string(json, &word))
        return;
    if (kdpi_text_is(word, "connected") || kdpi_text_is(word, "open") || kdpi_text_is(word, "opened"))
        out->event = KDP_LINE_CONNECTED;
    else if (kdpi_text_is(word, "disconnected") || kdpi_text_is(word, "closed") ||
             kdpi_text_is(word, "close"))
        out->event = KDP_LINE_DISCONNECTED;
    else
        out->event = KDP_LINE_OTHER_EVENT;
}

/* The frame as it lies in the line: a text with its quotes, an object or an array. */
static void
read_frame(struct kdp_json *json, struct kdp_text *frame)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);
    size_t at = kdpi_json_offset(json);

    if (frame->data != NULL)
        kdpi_json_refuse(json, KDP_REFUSAL_CONFLICT, at, "\"raw\" and \"message\" in one line");
    else if (kind != KDP_JSON_STRING && kind != KDP_JSON_OBJECT && kind != KDP_JSON_ARRAY)
        kdpi_json_refuse(json, KDP_REFUSAL_TYPE, at, "neither a text nor an object");
    else
        kdpi_json_raw(json, frame);
}

/* A time that a recording may plausibly carry: one absurd frame must not push the clock of all that follow
 * it. */
static bool
plausible(int64_t ns)
{
    return ns >= INT64_C(1483228800) * KDP_NS_PER_S &&
           ns < INT64_C(4102444800) * KDP_NS_PER_S; /* 2017 to 2099 */
}

static int64_t
latest(int64_t msg_ns, int64_t sending_ns)
{
    int64_t ns = sending_ns > msg_ns ? sending_ns : msg_ns;

    return plausible(ns) ? ns : KDP_TIME_NULL;
}

static int64_t
read_msg_time(struct kdp_json *json)
{
    int64_t ms_ns = KDP_TIME_NULL, text_ns = KDP_TIME_NULL, number_ns = KDP_TIME_NULL;
    struct kdp_text key;

    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "ts_ms"))
            read_any_time(json, &ms_ns);
        else if (kdpi_text_is(key, "ts") || kdpi_text_is(key, "time"))
            read_any_time(json, kdpi_json_peek(json) == KDP_JSON_STRING ? &text_ns : &number_ns);
    }
    if (text_ns != KDP_TIME_NULL &&
        (ms_ns == KDP_TIME_NULL || text_ns / KDP_NS_PER_MS == ms_ns / KDP_NS_PER_MS))
        return text_ns;
    return ms_ns != KDP_TIME_NULL ? ms_ns : number_ns;
}

static bool
read_line(struct kdp_json *json, struct kdp_unwrapped *out, struct kdp_text *frame, unsigned *seenp)
{
    int64_t recv_ns = KDP_TIME_NULL, recv_ms_ns = KDP_TIME_NULL, any_ns = KDP_TIME_NULL;
    int64_t msg_ns = KDP_TIME_NULL, sending_ns = KDP_TIME_NULL; /* when the line is a frame itself */
    struct kdp_text key;

    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        unsigned member = member_of(key);

        *seenp |= member;
        switch (member) {
        case M_RAW:
        case M_MESSAGE:
            read_frame(json, frame);
            break;
        case M_RECV_NS:
            read_recv(json, 0, &recv_ns);
            break;
        case M_RECV_MS:
            read_recv(json, 6, &recv_ms_ns);
            break;
        case M_CONN:
            read_conn(json, out);
            break;
        case M_EVENT:
            read_event(json, out);
            break;
        case M_TIME:
            read_any_time(json, &any_ns);
            break;
        case M_FRAME:
            if (key.len == 3 && kdpi_json_peek(json) == KDP_JSON_OBJECT && kdpi_json_object(json))
                msg_ns = read_msg_time(json);
            break;
        default:
            if (kdpi_text_is(key, "sending_ts_ms"))
                read_any_time(json, &sending_ns);
            break;
        }
    }
    out->exch_ns = latest(msg_ns, sending_ns);
    out->recv_ns = recv_ns != KDP_TIME_NULL ? recv_ns : recv_ms_ns != KDP_TIME_NULL ? recv_ms_ns : any_ns;
    return kdpi_json_end(json);
}

enum kdp_refusal
kdpi_unwrap(struct kdp_unwrapper *unwrapper, const char *line, size_t len, char *scratch,
            struct kdp_unwrapped *out)
{
    struct kdp_json *json = &unwrapper->json;
    struct kdp_text frame = {NULL, 0};
    unsigned seen = 0;
    bool whole;

    *out = (struct kdp_unwrapped){
        .form = KDP_LINE_BARE, .conn = 1, .recv_ns = KDP_TIME_NULL, .exch_ns = KDP_TIME_NULL, .why = ""};
    if (read_common(line, len, scratch, out))
        return KDP_REFUSAL_NONE;
    kdpi_json_begin(json, line, len);
    whole = read_line(json, out, &frame, &seen);
    if ((seen & M_RAW) != 0)
        out->form = KDP_LINE_WRAPPED;
    else if ((seen & M_MESSAGE) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_MESSAGE;
    else if ((seen & M_EVENT) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_MARK;
    else if (!whole && (seen & (M_RECV_NS | M_RECV_MS | M_CONN)) != 0 && (seen & M_FRAME) == 0)
        out->form = KDP_LINE_WRAPPED;
    if (out->form != KDP_LINE_BARE || !whole)
        out->exch_ns = KDP_TIME_NULL;
    out->text = line;
    out->len = len;
    if (out->form == KDP_LINE_BARE) {
        out->recv_ns = KDP_TIME_NULL;
        out->conn = 1;
    } else if (!whole) {
        out->refusal = json->refusal;
        out->position = json->position;
        out->why = json->why;
    } else if (out->form == KDP_LINE_MARK) {
        out->text = "";
        out->len = 0;
    } else if (frame.data[0] == '"') {
        out->text = scratch;
        unescape(frame.data + 1, line + len, scratch, &out->len); /* the reader has passed it */
    } else {
        out->text = frame.data;
        out->len = frame.len;
    }
    return out->refusal;
}

int64_t
kdpi_frame_time(struct kdp_unwrapper *unwrapper, const char *frame, size_t len)
{
    struct kdp_json *json = &unwrapper->json;
    int64_t msg_ns = KDP_TIME_NULL, sending_ns = KDP_TIME_NULL;
    struct kdp_text key;

    kdpi_json_begin(json, frame, len);
    if (!kdpi_json_object(json))
        return KDP_TIME_NULL;
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "msg") && kdpi_json_peek(json) == KDP_JSON_OBJECT && kdpi_json_object(json))
            msg_ns = read_msg_time(json);
        else if (kdpi_text_is(key, "sending_ts_ms"))
            read_any_time(json, &sending_ns);
    }
    if (!kdpi_json_end(json))
        return KDP_TIME_NULL;
    return latest(msg_ns, sending_ns);
}

bool
kdpi_frame_is_command(struct kdp_unwrapper *unwrapper, const char *frame, size_t len)
{
    struct kdp_json *json = &unwrapper->json;
    struct kdp_text key;
    bool found = false;

    /* the exchange writes its frames so; the exact look below is for what begins otherwise and has the word
     * in it */
    if ((len >= 7 && memcmp(frame, "{\"type\"", 7) == 0) || memmem(frame, len, "\"cmd\"", 5) == NULL)
        return false;
    kdpi_json_begin(json, frame, len);
    if (!kdpi_json_object(json))
        return false;
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "type"))
            return false;
        found |= kdpi_text_is(key, "cmd");
    }
    return kdpi_json_end(json) && found;
}
