/* json.c - walking a JSON text; see json.h.  Tokens are in json_scan.c. */
#include "json.h"

#include "decimal.h"
#include "error.h"
#include "json_scan.h"

#define TABLE_SIZE (2u * KDPI_JSON_KEYS_MAX)
#define SLOT_MASK 0x7fffu
#define ESCAPED 0x8000u

static_assert(TABLE_SIZE <= SLOT_MASK + 1u, "a slot and its flag share 16 bits");
static_assert((TABLE_SIZE & (TABLE_SIZE - 1)) == 0, "the hash is masked");

void
kdpi_json_init(struct kdp_json *json, struct kdp_json_keys *keys, char *scratch, size_t scratch_size)
{
    json->keys = keys;
    json->scratch = scratch;
    json->scratch_size = scratch_size;
    kdpi_json_begin(json, "", 0);
}

/* Keys leave in the reverse order of their coming, so that taking one away never cuts a chain of the table.
 */
static void
forget_keys(struct kdp_json_keys *keys, uint32_t base)
{
    while (keys->used > base)
        keys->table[keys->key[--keys->used].slot & SLOT_MASK] = 0;
}

void
kdpi_json_begin(struct kdp_json *json, const char *text, size_t len)
{
    json->refusal = KDP_REFUSAL_NONE;
    json->position = 0;
    json->why = "";
    json->text = json->at = text;
    json->end = text + len;
    json->scratch_used = 0;
    json->depth = 0;
    json->due = true;
    if (json->keys != NULL)
        forget_keys(json->keys, 0); /* a text refused half-way leaves its keys behind */
    if (len > UINT32_MAX)
        kdpi_json_refuse(json, KDP_REFUSAL_TOO_LONG, 0, "a text is less than 4 GiB");
}

bool
kdpi_json_refuse(struct kdp_json *json, enum kdp_refusal refusal, size_t position, const char *why)
{
    if (json->refusal == KDP_REFUSAL_NONE) {
        json->refusal = refusal;
        json->position = position;
        json->why = why;
    }
    json->due = false;
    return false;
}

static bool
refuse_at(struct kdp_json *json, enum kdp_refusal refusal, const char *why)
{
    return kdpi_json_refuse(json, refusal, (size_t)(json->at - json->text), why);
}

static void
skip_space(struct kdp_json *json)
{
    const char *p = json->at;

    while (p < json->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    json->at = p;
}

/* Steps over spaces to the next byte; false, refused, at the end of the text. */
static bool
next_token(struct kdp_json *json, const char *expected)
{
    skip_space(json);
    return json->at < json->end || refuse_at(json, KDP_REFUSAL_TRUNCATED, expected);
}

static uint64_t
load(const char *p, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, p, len);
    return word;
}

/* Multiply and fold, over eight bytes a step; the verdict never depends on it, only the time does. */
static uint32_t
hash_key(const char *p, size_t len, uint32_t depth)
{
    uint64_t h = (len + 1) * 0x9e3779b97f4a7c15u + depth * 0xd6e8feb86659fd93u;

    for (; len > 8; p += 8, len -= 8)
        h = (h ^ load(p, 8)) * 0xa0761d6478bd642fu, h ^= h >> 32;
    h = (h ^ load(p, len)) * 0xe7037ed1a0b428dbu;
    return (uint32_t)(h ^ h >> 32);
}

static bool
same_key(const struct kdp_json *json, const struct kdp_json_key *key, const char *text, size_t len)
{
    char buf[KDPI_JSON_KEY_MAX];
    const char *raw = json->text + key->offset;

    if ((key->slot & ESCAPED) == 0)
        return key->len == len && memcmp(raw, text, len) == 0;
    return kdpi_scan_unescape(buf, sizeof buf, raw, raw + key->len) == len && memcmp(buf, text, len) == 0;
}

/* Notes the key written at raw, or refuses it. */
static bool
note_key(struct kdp_json *json, const char *raw, size_t raw_len, bool escaped)
{
    struct kdp_json_keys *keys = json->keys;
    char buf[KDPI_JSON_KEY_MAX];
    const char *text = raw;
    size_t len = raw_len, position = (size_t)(raw - json->text) - 1;
    uint32_t hash, base = json->open[json->depth - 1].keys;
    uint32_t slot, index;

    if (escaped) {
        text = buf;
        len = raw_len <= 6 * sizeof buf ? kdpi_scan_unescape(buf, sizeof buf, raw, raw + raw_len) : SIZE_MAX;
    }
    if (len > KDPI_JSON_KEY_MAX)
        return kdpi_json_refuse(json, KDP_REFUSAL_TOO_LONG, position, "a key has at most 1,024 bytes");
    hash = hash_key(text, len, json->depth);
    for (slot = hash % TABLE_SIZE; (index = keys->table[slot]) != 0; slot = (slot + 1) % TABLE_SIZE) {
        const struct kdp_json_key *key = &keys->key[index - 1];

        if (key->hash == hash && index > base && same_key(json, key, text, len))
            return kdpi_json_refuse(json, KDP_REFUSAL_DUPLICATE_KEY, position,
                                    "this key stands in its object already");
    }
    if (keys->used == KDPI_JSON_KEYS_MAX)
        return kdpi_json_refuse(json, KDP_REFUSAL_TOO_LONG, position,
                                "at most 4,096 keys in the objects open at a time");
    keys->key[keys->used].hash = hash;
    keys->key[keys->used].offset = (uint32_t)(raw - json->text);
    keys->key[keys->used].len = (uint16_t)raw_len;
    keys->key[keys->used].slot = (uint16_t)(slot | (escaped ? ESCAPED : 0));
    keys->table[slot] = (uint16_t)++keys->used;
    return true;
}

static bool
unescape(struct kdp_json *json, const char *raw, const char *raw_end, struct kdp_text *textp)
{
    size_t left = json->scratch_size - json->scratch_used;
    char *out = left != 0 ? json->scratch + json->scratch_used : NULL;
    size_t len = left != 0 ? kdpi_scan_unescape(out, left, raw, raw_end) : SIZE_MAX;

    if (len == SIZE_MAX)
        return kdpi_json_refuse(json, KDP_REFUSAL_TOO_LONG, (size_t)(raw - json->text) - 1,
                                "a text with escapes is longer than the memory for it");
    json->scratch_used += len;
    textp->data = out;
    textp->len = len;
    return true;
}

static enum kdp_json_kind
kind_of(char c)
{
    switch (c) {
    case '"':
        return KDP_JSON_STRING;
    case '{':
        return KDP_JSON_OBJECT;
    case '[':
        return KDP_JSON_ARRAY;
    case 't':
        return KDP_JSON_TRUE;
    case 'f':
        return KDP_JSON_FALSE;
    case 'n':
        return KDP_JSON_NULL;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? KDP_JSON_NUMBER : KDP_JSON_NONE;
    }
}

enum kdp_json_kind
kdpi_json_peek(struct kdp_json *json)
{
    enum kdp_json_kind kind;

    if (!json->due || !next_token(json, "the text ends where a value should stand"))
        return KDP_JSON_NONE;
    kind = kind_of(*json->at);
    if (kind == KDP_JSON_NONE) {
        bool number = *json->at == '+' || *json->at == '.';

        refuse_at(json, number ? KDP_REFUSAL_NUMBER : KDP_REFUSAL_SYNTAX,
                  number ? "a number begins with a digit or a minus" : "expected a value");
    }
    return kind;
}

static bool
expect(struct kdp_json *json, enum kdp_json_kind wanted, const char *why)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);

    if (kind == wanted)
        return true;
    return kind != KDP_JSON_NONE ? refuse_at(json, KDP_REFUSAL_TYPE, why) : false;
}

static bool
enter(struct kdp_json *json, bool object)
{
    if (json->depth == KDPI_JSON_DEPTH_MAX)
        return refuse_at(json, KDP_REFUSAL_DEPTH, "at most 32 levels");
    json->open[json->depth].keys = json->keys != NULL ? (uint16_t)json->keys->used : 0;
    json->open[json->depth].object = object;
    json->open[json->depth].started = false;
    json->depth++;
    json->at++;
    json->due = false;
    return true;
}

static bool
leave(struct kdp_json *json)
{
    json->depth--;
    json->at++;
    if (json->keys != NULL)
        forget_keys(json->keys, json->open[json->depth].keys);
    return false;
}

bool
kdpi_json_object(struct kdp_json *json)
{
    return expect(json, KDP_JSON_OBJECT, "expected an object") && enter(json, true);
}

bool
kdpi_json_array(struct kdp_json *json)
{
    return expect(json, KDP_JSON_ARRAY, "expected an array") && enter(json, false);
}

/* Steps over the comma before the next item; false at the closing bracket, which is taken, or after a
 * refusal. */
static bool
next_item(struct kdp_json *json, char closing, const char *expected)
{
    if (json->refusal != KDP_REFUSAL_NONE || !next_token(json, expected))
        return false;
    if (*json->at == closing)
        return leave(json);
    if (json->open[json->depth - 1].started) {
        if (*json->at != ',')
            return refuse_at(json, KDP_REFUSAL_SYNTAX, expected);
        json->at++;
        if (!next_token(json, expected))
            return false;
    }
    json->open[json->depth - 1].started = true;
    return true;
}

bool
kdpi_json_member(struct kdp_json *json, struct kdp_text *keyp)
{
    const char *raw, *raw_end;
    bool escaped;

    if (json->due && !kdpi_json_skip(json))
        return false;
    if (json->refusal != KDP_REFUSAL_NONE)
        return false;
    KDP_ASSERT(json->depth > 0 && json->open[json->depth - 1].object);
    if (!next_item(json, '}', "expected \",\" or \"}\""))
        return false;
    if (*json->at != '"')
        return refuse_at(json, KDP_REFUSAL_SYNTAX, "expected a key in quotes");
    raw = json->at + 1;
    raw_end = kdpi_scan_string(json, raw, &escaped);
    if (raw_end == NULL || (json->keys != NULL && !note_key(json, raw, (size_t)(raw_end - raw), escaped)))
        return false;
    json->at = raw_end + 1;
    if (!next_token(json, "expected \":\""))
        return false;
    if (*json->at != ':')
        return refuse_at(json, KDP_REFUSAL_SYNTAX, "expected \":\"");
    json->at++;
    json->due = true;
    if (keyp == NULL)
        return true;
    keyp->data = raw;
    keyp->len = (size_t)(raw_end - raw);
    return !escaped || unescape(json, raw, raw_end, keyp);
}

bool
kdpi_json_element(struct kdp_json *json)
{
    if (json->due && !kdpi_json_skip(json))
        return false;
    if (json->refusal != KDP_REFUSAL_NONE)
        return false;
    KDP_ASSERT(json->depth > 0 && !json->open[json->depth - 1].object);
    if (!next_item(json, ']', "expected \",\" or \"]\""))
        return false;
    json->due = true;
    return true;
}

/* Takes a scalar of the kind peeked; textp may be NULL. */
static bool
take_scalar(struct kdp_json *json, enum kdp_json_kind kind, struct kdp_text *textp)
{
    static const char *const words[] = {
        [KDP_JSON_NULL] = "null", [KDP_JSON_FALSE] = "false", [KDP_JSON_TRUE] = "true"};
    const char *first = json->at, *p;
    bool escaped = false;

    if (kind == KDP_JSON_STRING) {
        p = kdpi_scan_string(json, ++first, &escaped);
    } else if (kind == KDP_JSON_NUMBER) {
        p = kdpi_scan_number(json, first);
    } else {
        p = kdpi_scan_literal(json, first, words[kind]);
    }
    if (p == NULL)
        return false;
    json->at = kind == KDP_JSON_STRING ? p + 1 : p;
    json->due = false;
    if (textp == NULL)
        return true;
    textp->data = first;
    textp->len = (size_t)(p - first);
    return !escaped || unescape(json, first, p, textp);
}

bool
kdpi_json_string(struct kdp_json *json, struct kdp_text *textp)
{
    return expect(json, KDP_JSON_STRING, "expected a string") && take_scalar(json, KDP_JSON_STRING, textp);
}

bool
kdpi_json_number(struct kdp_json *json, struct kdp_text *textp)
{
    return expect(json, KDP_JSON_NUMBER, "expected a number") && take_scalar(json, KDP_JSON_NUMBER, textp);
}

bool
kdpi_json_decimal(struct kdp_json *json, unsigned scale, int64_t *valuep)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);
    size_t position = (size_t)(json->at - json->text);
    struct kdp_text text;

    if (kind == KDP_JSON_NONE)
        return false;
    if (kind != KDP_JSON_NUMBER && kind != KDP_JSON_STRING)
        return refuse_at(json, KDP_REFUSAL_TYPE, "expected a number");
    if (!take_scalar(json, kind, &text))
        return false;
    switch (kdpi_decimal_parse(text.data, text.len, scale, valuep)) {
    case KDP_DECIMAL_OK:
        return true;
    case KDP_DECIMAL_TOO_FINE:
        return kdpi_json_refuse(json, KDP_REFUSAL_TOO_FINE, position,
                                "more digits behind the point than are kept");
    case KDP_DECIMAL_TOO_BIG:
        return kdpi_json_refuse(json, KDP_REFUSAL_RANGE, position, "too big");
    default:
        return kdpi_json_refuse(json, KDP_REFUSAL_TYPE, position, "expected a number");
    }
}

bool
kdpi_json_int64(struct kdp_json *json, int64_t *valuep)
{
    return kdpi_json_decimal(json, 0, valuep);
}

bool
kdpi_json_bool(struct kdp_json *json, bool *valuep)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);

    if (kind == KDP_JSON_NONE)
        return false;
    if (kind != KDP_JSON_TRUE && kind != KDP_JSON_FALSE)
        return refuse_at(json, KDP_REFUSAL_TYPE, "expected true or false");
    *valuep = kind == KDP_JSON_TRUE;
    return take_scalar(json, kind, NULL);
}

bool
kdpi_json_null(struct kdp_json *json)
{
    return kdpi_json_peek(json) == KDP_JSON_NULL && take_scalar(json, KDP_JSON_NULL, NULL);
}

bool
kdpi_json_skip(struct kdp_json *json)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);
    uint32_t base = json->depth;

    if (kind == KDP_JSON_NONE)
        return false;
    if (kind < KDP_JSON_ARRAY)
        return take_scalar(json, kind, NULL);
    if (!enter(json, kind == KDP_JSON_OBJECT))
        return false;
    while (json->depth > base) {
        bool object = json->open[json->depth - 1].object;

        if (!(object ? kdpi_json_member(json, NULL) : kdpi_json_element(json))) {
            if (json->refusal != KDP_REFUSAL_NONE)
                return false;
            continue;
        }
        kind = kdpi_json_peek(json);
        if (kind == KDP_JSON_NONE)
            return false;
        if (!(kind < KDP_JSON_ARRAY ? take_scalar(json, kind, NULL) : enter(json, kind == KDP_JSON_OBJECT)))
            return false;
    }
    return true;
}

enum kdp_json_kind
kdpi_json_scalar(struct kdp_json *json, struct kdp_text *textp)
{
    enum kdp_json_kind kind = kdpi_json_peek(json);

    textp->data = "";
    textp->len = 0;
    if (kind == KDP_JSON_NONE)
        return KDP_JSON_NONE;
    return (kind < KDP_JSON_ARRAY ? take_scalar(json, kind, textp) : kdpi_json_skip(json)) ? kind
                                                                                           : KDP_JSON_NONE;
}

bool
kdpi_json_raw(struct kdp_json *json, struct kdp_text *textp)
{
    if (kdpi_json_peek(json) == KDP_JSON_NONE)
        return false;
    textp->data = json->at;
    if (!kdpi_json_skip(json))
        return false;
    textp->len = (size_t)(json->at - textp->data);
    return true;
}

bool
kdpi_json_end(struct kdp_json *json)
{
    if (json->due)
        kdpi_json_skip(json);
    while (json->refusal == KDP_REFUSAL_NONE && json->depth > 0) {
        if (json->open[json->depth - 1].object)
            kdpi_json_member(json, NULL);
        else
            kdpi_json_element(json);
    }
    if (json->refusal != KDP_REFUSAL_NONE)
        return false;
    skip_space(json);
    return json->at == json->end || refuse_at(json, KDP_REFUSAL_TRAILING, "text after the end");
}

size_t
kdpi_json_offset(const struct kdp_json *json)
{
    const char *p = json->at;

    while (p < json->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return (size_t)(p - json->text);
}

void
kdpi_json_seek(struct kdp_json *json, size_t offset)
{
    KDP_ASSERT(json->refusal == KDP_REFUSAL_NONE && json->depth == 0 &&
               offset < (size_t)(json->end - json->text));
    json->at = json->text + offset;
    json->due = true;
}
