/* pager_rows.c - see pager_rows.h. */
#include "pager_rows.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

#define STRIDE 64u
#define PAUSE_EVERY 16384u

static int
write_spool(struct kdp_pager_rows *pager, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t count = pwrite(pager->fd, bytes, len, (off_t)pager->have);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            int rc = kdpi_fail_errno(errno, "cannot keep the text for going back");

            kdpi_hint(
                "It is kept under TMPDIR: name a folder with more space there, or look at a plain file");
            return rc;
        }
        pager->have += (uint64_t)count;
        bytes += count;
        len -= (size_t)count;
    }
    return 0;
}

static int64_t
read_text(void *arg, void *buf, size_t size)
{
    struct kdp_pager_rows *pager = arg;
    int64_t got;

    if (!pager->spool || pager->at < pager->have) {
        if (pager->spool && size > pager->have - pager->at)
            size = (size_t)(pager->have - pager->at);
        do
            got = pread(pager->fd, buf, size, (off_t)pager->at);
        while (got < 0 && errno == EINTR && kdp_cli_interrupted() == 0);
        if (got < 0)
            return kdpi_fail_errno(errno, "cannot read: %s", pager->preview->input.name);
    } else {
        got = kdp_source_read(pager->preview->input.source, buf, size);
        if (got > 0) {
            int rc = write_spool(pager, buf, (size_t)got);

            if (rc != 0)
                return rc;
        }
        if (got < 0)
            return got;
    }
    pager->at += (uint64_t)got;
    return got;
}

int
kdp_pager_rows_open(struct kdp_pager_rows *pager, struct kdp_preview *preview)
{
    const char *tmp = getenv("TMPDIR");

    memset(pager, 0, sizeof *pager);
    pager->preview = preview;
    pager->stride = STRIDE;
    pager->spool = !preview->input.plain;
    if (pager->spool) {
        char path[4096];

        if (tmp == NULL || *tmp == '\0')
            tmp = "/tmp";
        snprintf(path, sizeof path, "%s/kdp-preview.XXXXXX", tmp);
        pager->fd = mkostemp(path, O_CLOEXEC);
        if (pager->fd >= 0)
            unlink(path);
        if (pager->fd < 0)
            return kdpi_fail_errno(errno, "cannot make a file under %s", tmp);
    } else {
        pager->fd = open(preview->input.name, O_RDONLY | O_CLOEXEC);
        if (pager->fd < 0)
            return kdpi_fail_errno(errno, "cannot open: %s", preview->input.name);
    }
    return kdp_rows_open(&pager->rows, preview->input.name, read_text, pager);
}

static void
drop_window(struct kdp_pager_rows *pager)
{
    for (unsigned i = 0; i < pager->window_count; i++)
        free(pager->window[i]);
    pager->window_count = 0;
}

void
kdp_pager_rows_close(struct kdp_pager_rows *pager)
{
    drop_window(pager);
    kdp_rows_close(pager->rows);
    if (pager->fd >= 0)
        close(pager->fd);
    pager->rows = NULL;
    pager->fd = -1;
}

static void
note_place(struct kdp_pager_rows *pager, const struct kdp_row *row)
{
    if (pager->known % pager->stride != 0)
        return;
    if (pager->place_count == KDP_PAGER_PLACES) {
        for (unsigned i = 0; i < KDP_PAGER_PLACES / 2; i++)
            pager->places[i] = pager->places[2 * i];
        pager->place_count = KDP_PAGER_PLACES / 2;
        pager->stride *= 2;
        if (pager->known % pager->stride != 0)
            return;
    }
    pager->places[pager->place_count].offset = row->offset;
    pager->places[pager->place_count++].number = row->number;
}

/* The next wanted row: its index; UINT64_MAX at the end, or when pause ended it. */
static uint64_t
next_wanted(struct kdp_pager_rows *pager, struct kdp_row *row)
{
    struct kdp_preview *preview = pager->preview;

    for (unsigned looked = 1;; looked++) {
        int got = kdp_rows_next(pager->rows, row);

        if (got != 1) {
            pager->ended = true;
            pager->error = got;
            if (got < 0)
                snprintf(pager->error_text, sizeof pager->error_text, "%s", kdp_error_text());
            return UINT64_MAX;
        }
        kdp_bulk_columns_learn(&preview->columns, pager->rows);
        if (kdp_bulk_filter_row(&preview->filter, &preview->columns, pager->rows, row)) {
            uint64_t index = pager->next_index++;

            if (index == pager->known) {
                note_place(pager, row);
                pager->known++;
            }
            return index;
        }
        if (looked % PAUSE_EVERY == 0 && pager->pause != NULL && pager->pause(pager->pause_arg))
            return UINT64_MAX;
    }
}

/* Makes reading stand before a row that is known, or the first one that is not. */
static void
go_to(struct kdp_pager_rows *pager, uint64_t index)
{
    uint64_t place = index / pager->stride;

    if (pager->next_index <= index && index - pager->next_index < 2 * pager->stride && pager->error == 0 &&
        !pager->ended)
        return;
    if (pager->place_count == 0)
        return; /* nothing read yet */
    if (place >= pager->place_count)
        place = pager->place_count - 1;
    pager->at = pager->places[place].offset;
    pager->next_index = place * pager->stride;
    kdp_rows_at(pager->rows, pager->at, pager->places[place].number);
}

unsigned
kdp_pager_rows_window(struct kdp_pager_rows *pager, uint64_t from, unsigned count)
{
    struct kdp_row row;
    uint64_t index, seen = 0;

    if (count > KDP_PAGER_WINDOW)
        count = KDP_PAGER_WINDOW;
    if (pager->window_count > 0 && pager->window_from == from &&
        (pager->window_count >= count || (pager->ended && from + pager->window_count >= pager->known)))
        return pager->window_count < count ? pager->window_count : count;
    drop_window(pager);
    pager->window_from = from;
    if (pager->ended && from >= pager->known)
        return 0;
    go_to(pager, from);
    while (pager->window_count < count && (index = next_wanted(pager, &row)) != UINT64_MAX) {
        if (index >= from) {
            pager->window[pager->window_count] = kdp_preview_keep(&row);
            if (pager->window[pager->window_count] == NULL)
                break;
            pager->window_count++;
        } else if (++seen % PAUSE_EVERY == 0 && pager->pause != NULL && pager->pause(pager->pause_arg)) {
            break;
        }
    }
    return pager->window_count;
}

bool
kdp_pager_rows_all(struct kdp_pager_rows *pager)
{
    struct kdp_row row;
    uint64_t seen = 0;

    if (pager->ended)
        return true;
    go_to(pager, pager->known);
    while (next_wanted(pager, &row) != UINT64_MAX)
        if (++seen % PAUSE_EVERY == 0 && pager->pause != NULL && pager->pause(pager->pause_arg))
            return false;
    return pager->ended;
}

static bool
holds(const struct kdp_row *row, const char *text, size_t len, bool exact)
{
    if (exact)
        return memmem(row->text, row->len, text, len) != NULL;
    for (size_t i = 0; i + len <= row->len; i++) {
        size_t n = 0;

        while (n < len && tolower((unsigned char)row->text[i + n]) == (unsigned char)text[n])
            n++;
        if (n == len)
            return true;
    }
    return false;
}

static bool
has_capital(const char *text)
{
    for (; *text != '\0'; text++)
        if (isupper((unsigned char)*text))
            return true;
    return false;
}

uint64_t
kdp_pager_rows_search(struct kdp_pager_rows *pager, const char *text, uint64_t from, bool back)
{
    bool exact = has_capital(text);
    size_t len = strlen(text);
    uint64_t found = UINT64_MAX, index, seen = 0, begin, end;
    struct kdp_row row;

    if (!back) {
        go_to(pager, from);
        while ((index = next_wanted(pager, &row)) != UINT64_MAX) {
            if (index >= from && holds(&row, text, len, exact))
                return index;
            if (++seen % PAUSE_EVERY == 0 && pager->pause != NULL && pager->pause(pager->pause_arg))
                return UINT64_MAX;
        }
        return UINT64_MAX;
    }
    for (end = from; end > 0 && found == UINT64_MAX; end = begin) { /* a piece at a time, each read forward */
        uint64_t piece = pager->stride > 4096 ? pager->stride : 4096;

        begin = end > piece ? end - piece : 0;
        go_to(pager, begin);
        while ((index = next_wanted(pager, &row)) != UINT64_MAX && index < end)
            if (index >= begin && holds(&row, text, len, exact))
                found = index;
        if (pager->pause != NULL && pager->pause(pager->pause_arg))
            break;
    }
    return found;
}
