/* json.h - the program's one JSON reader: strict, pulling, allocation-free.
 *
 * It reads RFC 8259 texts held whole in memory and gives slices of them; a text with escapes is written,
 * unescaped, to the scratch the caller gave.  Refused, with the byte and a reason: anything RFC 8259 does not
 * allow, UTF-8 that is not well-formed, escaped lone surrogates, a key given twice in one object (after
 * unescaping), more than KDPI_JSON_DEPTH_MAX levels, keys and texts past their bounds, anything behind the
 * end (docs/design/json.md).
 *
 * A refusal is sticky: every later call returns false (or KDP_JSON_NONE), so a caller may check once, at
 * kdpi_json_end. One reader serves one thread.  A value not taken is skipped, and checked, by the next call:
 *
 *     kdpi_json_begin(&json, text, len);
 *     kdpi_json_object(&json);
 *     while (kdpi_json_member(&json, &key)) {
 *         if (kdpi_text_is(key, "name"))
 *             kdpi_json_string(&json, &name);
 *         else if (kdpi_text_is(key, "files") && kdpi_json_array(&json))
 *             while (kdpi_json_element(&json))
 *                 kdpi_json_int64(&json, &file[n++ % FILES_MAX]);
 *     }
 *     if (!kdpi_json_end(&json))
 *         report(json.position, json.why);
 */
#ifndef KDPI_JSON_H
#define KDPI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "message.h"

#define KDPI_JSON_DEPTH_MAX 32u
#define KDPI_JSON_KEYS_MAX 4096u /* keys of the objects open at one time, all together */
#define KDPI_JSON_KEY_MAX 1024u  /* bytes of one key */

enum kdp_json_kind {
    KDP_JSON_NONE = 0, /* refused, or nothing there */
    KDP_JSON_NULL,
    KDP_JSON_FALSE,
    KDP_JSON_TRUE,
    KDP_JSON_NUMBER,
    KDP_JSON_STRING,
    KDP_JSON_ARRAY,
    KDP_JSON_OBJECT
};

/* Memory for the keys of open objects (about 80 KiB): zeroed once, then it serves any number of texts, one at
 * a time. */
struct kdp_json_keys {
    struct kdp_json_key {
        uint32_t hash;
        uint32_t offset; /* of the key in the text, behind its quote */
        uint16_t len;    /* as written */
        uint16_t slot;   /* of table; top bit: the key has escapes */
    } key[KDPI_JSON_KEYS_MAX];
    uint16_t table[2u * KDPI_JSON_KEYS_MAX]; /* open addressing; index into key plus 1, 0: free */
    uint32_t used;
};

struct kdp_json {
    enum kdp_refusal refusal; /* NONE while all is well */
    size_t position;          /* byte of the text at which it was refused */
    const char *why;          /* static words: what was expected or which bound was passed */

    /* the rest is the reader's own */
    const char *text, *at, *end;
    struct kdp_json_keys *keys;
    char *scratch;
    size_t scratch_size, scratch_used;
    uint32_t depth;
    bool due; /* a value stands at `at` and was not taken yet */
    struct {
        uint16_t keys; /* keys used when it was opened */
        bool object, started;
    } open[KDPI_JSON_DEPTH_MAX];
};

/* kdpi_json_init ties a reader to its memories, once.  keys must be zeroed before its first use; NULL
 * switches the check for keys given twice off and is for texts that were read whole before.  scratch may be
 * NULL when no text with escapes is asked for (it is then refused as TOO_LONG). */
void kdpi_json_init(struct kdp_json *json, struct kdp_json_keys *keys, char *scratch, size_t scratch_size);
/* kdpi_json_begin starts a text of less than 4 GiB; texts given before, if they had escapes, are gone with
 * it. */
void kdpi_json_begin(struct kdp_json *json, const char *text, size_t len);
/* kdpi_json_end is true when the text held one whole value and nothing more, and nothing was refused; it
 * skips what was not taken. */
bool kdpi_json_end(struct kdp_json *json);

/* kdpi_json_peek says what the value due is, by its first byte, without taking it. */
enum kdp_json_kind kdpi_json_peek(struct kdp_json *json);

/* Entering and walking: object and array take the value due (another kind is refused as TYPE); member and
 * element step to the next value, false behind the last one.  keyp may be NULL. */
bool kdpi_json_object(struct kdp_json *json);
bool kdpi_json_member(struct kdp_json *json, struct kdp_text *keyp);
bool kdpi_json_array(struct kdp_json *json);
bool kdpi_json_element(struct kdp_json *json);

/* Taking the value due; a value of another kind is refused as TYPE.  Numbers may be JSON numbers or strings
 * that hold one: the exchange sends both.  int64 refuses a fraction (TOO_FINE) and what does not fit (RANGE),
 * as decimal does at its scale. */
bool kdpi_json_string(struct kdp_json *json, struct kdp_text *textp);
bool kdpi_json_number(struct kdp_json *json, struct kdp_text *textp);
bool kdpi_json_int64(struct kdp_json *json, int64_t *valuep);
bool kdpi_json_decimal(struct kdp_json *json, unsigned scale, int64_t *valuep);
bool kdpi_json_bool(struct kdp_json *json, bool *valuep);
/* kdpi_json_null takes the value and is true when it is null, else it leaves it where it is. */
bool kdpi_json_null(struct kdp_json *json);
/* kdpi_json_scalar takes whatever value is due: *textp is the unescaped text of a string or a number as
 * written; arrays and objects are skipped.  Returns its kind. */
enum kdp_json_kind kdpi_json_scalar(struct kdp_json *json, struct kdp_text *textp);
/* kdpi_json_raw takes any value and gives it as written, checked. */
bool kdpi_json_raw(struct kdp_json *json, struct kdp_text *textp);
bool kdpi_json_skip(struct kdp_json *json);

/* kdpi_json_offset is the byte at which the value due, or the next token, stands. */
size_t kdpi_json_offset(const struct kdp_json *json);
/* kdpi_json_seek makes the value at offset due again, at the outermost level; it must have been read whole
 * before. */
void kdpi_json_seek(struct kdp_json *json, size_t offset);
/* kdpi_json_refuse refuses the text for a reason of the caller's; why must be static.  The first refusal
 * stays. */
bool kdpi_json_refuse(struct kdp_json *json, enum kdp_refusal refusal, size_t position, const char *why);

static inline bool
kdpi_text_equal(struct kdp_text text, const char *word, size_t len)
{
    return text.len == len && memcmp(text.data, word, len) == 0;
}
/* kdpi_text_is compares with a string literal. */
#define kdpi_text_is(text, literal) kdpi_text_equal((text), "" literal "", sizeof(literal) - 1)

#endif
