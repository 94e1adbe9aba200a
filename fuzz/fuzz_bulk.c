/* Rows of bulk files from any bytes: in one piece and in small ones the same rows, each of them JSON to the program's other
 * reader too, and reading on at any of them gives it again. */
#include <stdlib.h>

#include "error.h"
#include "rows.h"

struct text {
    const uint8_t *bytes;
    size_t len, at, piece;
};

static int64_t
read_text(void *arg, void *buf, size_t size)
{
    struct text *text = arg;
    size_t left = text->len - text->at, count = left < size ? left : size;

    if (count > text->piece)
        count = text->piece;
    memcpy(buf, text->bytes + text->at, count);
    text->at += count;
    return (int64_t)count;
}

static void
check_row(const struct kdp_row *row)
{
    static struct kdp_json_keys keys;
    static char scratch[1 << 16];
    struct kdp_json json;
    struct kdp_text raw;
    char buf[256];

    kdpi_json_init(&json, &keys, scratch, sizeof scratch);
    kdpi_json_begin(&json, row->text, row->len);
    kdpi_json_raw(&json, &raw);
    if (!kdpi_json_end(&json) && json.refusal != KDP_REFUSAL_DUPLICATE_KEY &&
        json.refusal != KDP_REFUSAL_TOO_LONG && json.refusal != KDP_REFUSAL_DEPTH)
        abort(); /* keys within nested values are not compared here, and its bounds are other ones */
    for (unsigned i = 0; i < row->count; i++) {
        if (row->fields[i].data < row->text ||
            row->fields[i].data + row->fields[i].len > row->text + row->len)
            abort();
        if (row->fields[i].kind == KDP_JSON_STRING)
            kdp_rows_text(&row->fields[i], buf, sizeof buf);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text whole = {data, size, 0, size + 1}, pieces = {data, size, 0, size % 13 + 1};
    struct kdp_rows *a, *b;
    struct kdp_row row, other;
    uint64_t last_offset = 0, last_number = 0;
    int rc, other_rc;

    if (kdp_rows_open(&a, "a", read_text, &whole) != 0 || kdp_rows_open(&b, "a", read_text, &pieces) != 0)
        abort();
    do {
        char words[640];

        rc = kdp_rows_next(a, &row);
        strncpy(words, kdp_error_text(), sizeof words - 1);
        words[sizeof words - 1] = '\0';
        other_rc = kdp_rows_next(b, &other);
        if (rc != other_rc || (rc < 0 && strcmp(words, kdp_error_text()) != 0))
            abort();
        if (rc != 1)
            break;
        if (row.number != other.number || row.offset != other.offset || row.len != other.len ||
            row.count != other.count || memcmp(row.text, other.text, row.len) != 0 ||
            memcmp(row.text, data + row.offset, row.len) != 0)
            abort();
        check_row(&row);
        last_offset = row.offset;
        last_number = row.number;
    } while (1);
    if (last_number > 0) {
        whole.at = last_offset;
        kdp_rows_at(a, last_offset, last_number);
        if (kdp_rows_next(a, &row) != 1 || row.offset != last_offset || row.number != last_number)
            abort();
    }
    kdp_rows_close(a);
    kdp_rows_close(b);
    return 0;
}
