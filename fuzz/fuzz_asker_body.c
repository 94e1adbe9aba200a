/* fuzz_asker_body.c - bodies from anywhere: what the JSON reader takes as an object is whole, and no part of it is.
 *
 * The first byte says where the text is cut. */
#include "asker_private.h"

#include "json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_json_keys keys;
    struct kdp_json json;
    size_t len, last, cut;
    char *text;
    bool object;

    if (size < 2 || size > 1u << 16)
        return 0;
    len = size - 1;
    text = malloc(len); /* of its own, so that a byte read beyond it is seen */
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, len);
    kdpi_json_init(&json, &keys, NULL, 0);
    kdpi_json_begin(&json, text, len);
    object = kdpi_json_peek(&json) == KDP_JSON_OBJECT && kdpi_json_end(&json);
    if (asker_whole(text, len)) {
        for (last = len - 1; text[last] != '}'; last--)
            ;
        cut = last * data[0] / 256;
        if (asker_whole(text, cut) || asker_whole(text, last))
            abort(); /* a part of it passes for the whole */
    } else if (object) {
        abort();
    }
    free(text);
    return 0;
}
