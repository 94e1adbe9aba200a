/* Lines of a recording put into today's form: whatever comes in, what comes out is one frame that the decoder reads whole, or a
 * refusal with a reason.  One translator sees many lines, as in a file. */
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "old_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_unwrapper *unwrapper;
    static struct kdp_decoder *decoder;
    struct kdp_old_form *old = kdpi_old_form_open(7);
    char *text = calloc(1, size + KDPI_UNWRAP_SLACK), *scratch = malloc(size + KDPI_UNWRAP_SLACK);
    uint64_t number = 0;

    if (unwrapper == NULL) {
        unwrapper = kdpi_unwrapper_open();
        decoder = kdpi_decoder_open();
    }
    if (old == NULL || text == NULL || scratch == NULL || unwrapper == NULL || decoder == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    for (size_t at = 0; at < size;) {
        char *end = memchr(text + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - text) - at : size - at;
        struct kdp_unwrapped u;
        struct kdp_message msg;
        const char *member = NULL;

        kdpi_unwrap(unwrapper, text + at, len, scratch, &u);
        kdpi_old_form(old, text + at, len, ++number, &u, &member);
        if (member == NULL || (u.refusal != KDP_REFUSAL_NONE && (u.why == NULL || u.why[0] == '\0')))
            abort();
        if (u.refusal == KDP_REFUSAL_NONE && u.form != KDP_LINE_MARK) {
            kdpi_decode(decoder, u.text, u.len, &msg);
            /* memory of neither the line nor the scratch: it was made, so it must be whole; a payload that is a text is passed on */
            if (memmem(text + at, len, "payload_json", 12) == NULL && !msg.trusted &&
                !(u.text >= text && u.text <= text + size) &&
                !(u.text >= scratch && u.text <= scratch + size) &&
                msg.refusal != KDP_REFUSAL_DUPLICATE_KEY && msg.refusal != KDP_REFUSAL_TOO_LONG &&
                msg.refusal != KDP_REFUSAL_DEPTH)
                abort();
        }
        at += len + 1;
    }
    kdpi_old_form_close(old);
    free(text);
    free(scratch);
    return 0;
}
