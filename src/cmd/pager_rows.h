/* pager_rows.h - any row of a bulk file by its number, in constant memory.
 *
 * A plain file is read again where the wanted rows lie: the place of every so-manieth row is remembered, and when there are
 * 32,768 of them every second one is forgotten.  What cannot be read twice (compressed, a pipe, an address) is copied, as text,
 * into a file without a name under TMPDIR on its way, and read again from there. */
#ifndef KDPI_PAGER_ROWS_H
#define KDPI_PAGER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "preview.h"

#define KDP_PAGER_PLACES 32768u
#define KDP_PAGER_WINDOW 1024u /* rows held at once, at most */

struct kdp_pager_rows {
    struct kdp_preview *preview;
    struct kdp_rows *rows;
    int fd;
    bool spool;
    uint64_t at, have;                             /* next byte of the text to be read; bytes in the spool */
    uint64_t known;                                /* wanted rows found so far */
    uint64_t next_offset, next_number, next_index; /* where reading stands: of the row to come */
    bool ended;                                    /* known is all there are */
    int error;                                     /* what ended them, its words below */
    char error_text[640];
    uint64_t stride;
    unsigned place_count;
    struct {
        uint64_t offset, number;
    } places[KDP_PAGER_PLACES]; /* of row i * stride */
    uint64_t window_from;       /* index of window[0] */
    unsigned window_count;
    struct kdp_preview_row *window[KDP_PAGER_WINDOW];
    bool (*pause)(void *arg); /* asked while much is read: true ends it */
    void *pause_arg;
};

int kdp_pager_rows_open(struct kdp_pager_rows *pager, struct kdp_preview *preview);
void kdp_pager_rows_close(struct kdp_pager_rows *pager);
/* kdp_pager_rows_window makes rows from index on (from 0, of the wanted ones) be in window: how many of count are, fewer at
 * the end of the file or after pause. */
unsigned kdp_pager_rows_window(struct kdp_pager_rows *pager, uint64_t from, unsigned count);
/* kdp_pager_rows_all finds the end: false when pause ended it. */
bool kdp_pager_rows_all(struct kdp_pager_rows *pager);
/* kdp_pager_rows_search looks for text from a row on, or back from it (the row itself not), without regard to case when text
 * has no capital: the index, or UINT64_MAX. */
uint64_t kdp_pager_rows_search(struct kdp_pager_rows *pager, const char *text, uint64_t from, bool back);

#endif
