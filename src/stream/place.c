/* place.c - a place in the stream as a person writes it. */
#include "place.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"

int
kdpi_place_parse(const char *text, struct kdp_place *place)
{
    size_t len = strlen(text), digits = strspn(text, "0123456789");
    char shown[160];
    int rc;

    *place = (struct kdp_place){.kind = KDP_PLACE_OLDEST};
    if (strcmp(text, "oldest") == 0)
        return 0;
    if (strcmp(text, "now") == 0 || strcmp(text, "end") == 0) {
        place->kind = text[0] == 'n' ? KDP_PLACE_NOW : KDP_PLACE_END;
        return 0;
    }
    if (strncmp(text, "seq:", 4) == 0 && len > 4 && len < 4 + 20 &&
        strspn(text + 4, "0123456789") == len - 4) {
        place->kind = KDP_PLACE_SEQ;
        place->seq = strtoull(text + 4, NULL, 10);
        return 0;
    }
    if (len > 0 && digits == len && len <= 9) {
        place->kind = KDP_PLACE_SEQ;
        place->seq = strtoull(text, NULL, 10);
        return 0;
    }
    place->kind = KDP_PLACE_TIME;
    if (text[0] == '@' && len > 1 && strspn(text + 1, "0123456789.") == len - 1)
        text++, len--;
    if (kdpi_time_parse(text, len, &place->ns) == 0)
        return 0;
    kdpi_escape(shown, sizeof shown, text, len < 100 ? len : 100);
    rc = kdpi_fail(KDP_EUSAGE, "not a place in the stream: \"%s\"", shown);
    kdpi_hint("Write oldest, now, a sequence number, 2026-11-22T15:04:00Z or Unix seconds");
    return rc;
}
