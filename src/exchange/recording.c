/* recording.c - see recording.h. */
#include "recording.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "old_form.h"
#include "raw.h"
#include "source.h"
#include "unwrap.h"

#define BUFFER_BYTES (256u << 10) /* stays in the second-level cache */
#define LOOK_LINES 4096u
#define LOOK_BYTES (16u << 20)
#define SHOWN_BYTES 4096u /* of a malformed line */

struct kdp_recording {
    struct kdp_raw_reader *raw; /* a raw tape: then nothing below is used but number */
    struct kdp_source *source;
    char *buffer;
    size_t capacity, begin, end; /* text not yet handed out: [begin, end) */
    bool at_end, array, started, looked;
    bool
        wrappers; /* the last line understood was no bare frame: a line of no form is then a broken wrapper */
    int error;    /* the source's, kept until its text is used up */
    char error_text[512], error_hint[256];
    struct kdp_unwrapper *unwrapper;
    struct kdp_old_form *old; /* NULL: only what the exchange writes */
    char *scratch;
    size_t scratch_size;
    uint64_t number;
    int64_t clock_ns;          /* latest time seen, KDP_TIME_NULL before the first */
    int64_t first_ns;          /* found by looking ahead */
    uint8_t marked[65536 / 8]; /* connections whose beginning was marked */
};

/* An item: a line or an element of an array, as offsets from begin, so that it survives a move of the buffer.
 */
struct item {
    size_t start, len, next;
    uint64_t lines;
};

static void
keep_error(struct kdp_recording *recording, int error)
{
    recording->error = error;
    strncpy(recording->error_text, kdp_error_text(), sizeof recording->error_text - 1);
    strncpy(recording->error_hint, kdp_error_hint(), sizeof recording->error_hint - 1);
}

/* Gets more text behind what is there: 1, 0 when there is no more, or out of memory. */
static int
more(struct kdp_recording *recording)
{
    size_t kept = recording->end - recording->begin;
    int64_t got;

    if (recording->at_end || recording->error != 0)
        return 0;
    if (recording->capacity - recording->end < BUFFER_BYTES / 4) {
        memmove(recording->buffer, recording->buffer + recording->begin, kept);
        recording->begin = 0;
        recording->end = kept;
    }
    if (recording->capacity - recording->end < BUFFER_BYTES / 4) {
        size_t capacity = recording->capacity * 2;
        char *grown = realloc(recording->buffer, capacity + KDPI_UNWRAP_SLACK);

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "cannot read: %s: no memory for a line of %zu bytes",
                             kdp_source_name(recording->source), kept);
        recording->buffer = grown;
        recording->capacity = capacity;
    }
    got = kdp_source_read(recording->source, recording->buffer + recording->end,
                          recording->capacity - recording->end);
    if (got < 0) {
        keep_error(recording, (int)got);
        return 0;
    }
    recording->at_end = got == 0;
    recording->end += (size_t)got;
    memset(recording->buffer + recording->end, 0, KDPI_UNWRAP_SLACK);
    return got > 0;
}

/* The line at offset from: 1, 0 at the end, an error, or 2 when it is longer than any may be. */
static int
find_line(struct kdp_recording *recording, size_t from, struct item *item)
{
    size_t scanned = from;

    for (;;) {
        const char *text = recording->buffer + recording->begin;
        size_t have = recording->end - recording->begin;
        const char *newline = have > scanned ? memchr(text + scanned, '\n', have - scanned) : NULL;
        int rc;

        if (newline != NULL) {
            item->start = from;
            item->len = (size_t)(newline - text) - from;
            item->next = from + item->len + 1;
            return item->len > KDP_RECORDING_LINE_MAX ? 2 : 1;
        }
        scanned = have;
        if (have - from > KDP_RECORDING_LINE_MAX)
            return 2;
        rc = more(recording);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            /* the last line needs no line end, unless the file is cut or damaged: then it is a piece of a
             * line */
            if (recording->error != 0 || have == from)
                return 0;
            *item = (struct item){from, have - from, have, 0};
            return 1;
        }
    }
}

/* The element of an array at offset from: ends where its braces do.  What the element is worth is the
 * decoder's to say. */
static int
find_element(struct kdp_recording *recording, size_t from, struct item *item)
{
    size_t at = from, start = SIZE_MAX;
    unsigned depth = 0;
    bool quoted = false, escaped = false;

    for (;; at++) {
        char c;

        while (at == recording->end - recording->begin) {
            int rc = more(recording);

            if (rc < 0)
                return rc;
            if (rc == 0) {
                if (start == SIZE_MAX || recording->error != 0)
                    return 0;
                *item = (struct item){start, at - start, at, 0};
                return 1;
            }
        }
        c = recording->buffer[recording->begin + at];
        if (start == SIZE_MAX) {
            if (c == ']' || c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')
                continue;
            start = at;
        }
        if (at - start > KDP_RECORDING_LINE_MAX)
            return 2;
        if (quoted) {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth > 0 && (c == '}' || c == ']') && --depth == 0) {
            *item = (struct item){start, at + 1 - start, at + 1, 0};
            return 1;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            *item = (struct item){start, at - start, at, 0};
            return 1;
        }
    }
}

/* Past everything up to the next line end, without keeping it. */
static int
drop_line(struct kdp_recording *recording)
{
    for (;;) {
        const char *text = recording->buffer + recording->begin;
        const char *newline = memchr(text, '\n', recording->end - recording->begin);
        int rc;

        if (newline != NULL) {
            recording->begin += (size_t)(newline - text) + 1;
            return 0;
        }
        recording->begin = recording->end;
        rc = more(recording);
        if (rc <= 0)
            return rc;
    }
}

/* The next line or element that is not blank; item->lines says how many were passed with it. */
static int
find(struct kdp_recording *recording, size_t from, struct item *item)
{
    uint64_t lines = 0;

    for (;;) {
        const char *text;
        int rc = recording->array ? find_element(recording, from, item) : find_line(recording, from, item);

        item->lines = ++lines;
        if (rc != 1)
            return rc;
        text = recording->buffer + recording->begin + item->start;
        while (item->len > 0 &&
               (text[item->len - 1] == '\r' || text[item->len - 1] == ' ' || text[item->len - 1] == '\t'))
            item->len--;
        if (item->len > 0)
            return 1;
        from = item->next;
    }
}

static int
make_scratch(struct kdp_recording *recording, size_t len)
{
    size_t size = recording->scratch_size;
    char *grown;

    if (len + KDPI_UNWRAP_SLACK <= size)
        return 0;
    while (size < len + KDPI_UNWRAP_SLACK)
        size *= 2;
    grown = realloc(recording->scratch, size);
    if (grown == NULL)
        return kdpi_fail(KDP_ENOMEM, "cannot read: %s: no memory for a line of %zu bytes",
                         kdp_source_name(recording->source), len);
    recording->scratch = grown;
    recording->scratch_size = size;
    return 0;
}

static int
open_path(struct kdp_recording *recording, const char *path)
{
    struct stat st;
    const void *head;
    size_t len;
    int rc;

    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return kdp_raw_reader_open(&recording->raw, path);
    rc = kdp_source_open(&recording->source, path);
    if (rc != 0)
        return rc;
    head = kdp_source_head(recording->source, &len);
    if (!kdp_raw_is(head, len))
        return 0;
    if (strcmp(path, "-") == 0) {
        rc = kdpi_fail(KDP_EUNSUPPORTED, "cannot read a raw tape from standard input");
        kdpi_hint("Name the file or its data folder: --input FILE");
        return rc;
    }
    return kdp_raw_reader_open(&recording->raw, path);
}

int
kdp_recording_open(struct kdp_recording **recordingp, const char *path)
{
    struct kdp_recording *recording;
    int rc;

    *recordingp = NULL;
    recording = calloc(1, sizeof *recording);
    if (recording == NULL)
        return kdpi_fail(KDP_ENOMEM, "cannot open: %s: out of memory", path);
    recording->clock_ns = recording->first_ns = KDP_TIME_NULL;
    recording->capacity = BUFFER_BYTES;
    recording->scratch_size = 4096;
    recording->buffer = malloc(recording->capacity + KDPI_UNWRAP_SLACK);
    recording->scratch = malloc(recording->scratch_size);
    recording->unwrapper = kdpi_unwrapper_open();
    if (recording->buffer == NULL || recording->scratch == NULL || recording->unwrapper == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "cannot open: %s: out of memory", path);
        goto err;
    }
    rc = open_path(recording, path);
    if (rc != 0)
        goto err;
    *recordingp = recording;
    return 0;
err:
    kdp_recording_close(recording);
    return rc;
}

int
kdp_recording_old_forms(struct kdp_recording *recording, uint64_t identity)
{
    if (recording->raw != NULL)
        return 0;
    recording->old = kdpi_old_form_open(identity);
    return recording->old != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "cannot read: out of memory");
}

void
kdp_recording_close(struct kdp_recording *recording)
{
    if (recording == NULL)
        return;
    kdp_raw_reader_close(recording->raw);
    kdp_source_close(recording->source);
    kdpi_unwrapper_close(recording->unwrapper);
    kdpi_old_form_close(recording->old);
    free(recording->buffer);
    free(recording->scratch);
    free(recording);
}

void
kdp_recording_progress(const struct kdp_recording *recording, uint64_t *takenp, uint64_t *sizep)
{
    *takenp = *sizep = 0;
    if (recording->raw != NULL) /* it says where it is in a file, not in how many */
        return;
    *takenp = kdp_source_taken(recording->source);
    *sizep = kdp_source_size(recording->source);
}

/* A byte order mark is passed; a '[' before anything else makes the text an array. */
static int
start(struct kdp_recording *recording)
{
    int rc = 1;

    recording->started = true;
    while (recording->end - recording->begin < 3 && rc == 1)
        rc = more(recording);
    if (rc < 0)
        return rc;
    if (recording->end - recording->begin >= 3 &&
        memcmp(recording->buffer + recording->begin, "\xef\xbb\xbf", 3) == 0)
        recording->begin += 3;
    for (size_t at = recording->begin; at < recording->end; at++) {
        char c = recording->buffer[at];

        if (c == '[') {
            recording->array = true;
            recording->begin = at + 1;
        }
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            break;
    }
    return 0;
}

static int64_t
exchange_time(struct kdp_recording *recording, const struct kdp_unwrapped *u)
{
    if (u->form == KDP_LINE_MARK || u->form == KDP_LINE_BARE)
        return u->exch_ns;
    return kdpi_frame_time(recording->unwrapper, u->text, u->len);
}

/* Finds the time that frames before the first known time get.  Reads on in the buffer and consumes nothing.
 */
static int
look_ahead(struct kdp_recording *recording)
{
    size_t from = 0;

    recording->looked = true;
    for (uint64_t lines = 0; lines < LOOK_LINES && from < LOOK_BYTES;) {
        struct kdp_unwrapped u;
        struct item item;
        int rc = find(recording, from, &item);

        if (rc < 0)
            return rc;
        if (rc != 1)
            break;
        rc = make_scratch(recording, item.len);
        if (rc != 0)
            return rc;
        if (kdpi_unwrap(recording->unwrapper, recording->buffer + recording->begin + item.start, item.len,
                        recording->scratch, &u) == KDP_REFUSAL_NONE) {
            recording->first_ns = u.recv_ns;
            if (u.recv_ns == KDP_TIME_NULL)
                recording->first_ns = exchange_time(recording, &u);
            if (recording->first_ns != KDP_TIME_NULL)
                return 0;
        }
        from = item.next;
        lines += item.lines;
    }
    recording->first_ns = 0;
    return 0;
}

static int
hand_malformed(struct kdp_recording *recording, struct kdp_recorded *out, const char *text, size_t len,
               enum kdp_refusal refusal, size_t position, const char *why)
{
    *out = (struct kdp_recorded){.kind = KDP_RECORDED_MALFORMED,
                                 .line = 1,
                                 .number = recording->number,
                                 .recv_ns = recording->clock_ns != KDP_TIME_NULL ? recording->clock_ns
                                                                                 : recording->first_ns,
                                 .text = text,
                                 .len = len < SHOWN_BYTES ? len : SHOWN_BYTES,
                                 .refusal = refusal,
                                 .position = position,
                                 .why = why,
                                 .member = ""};
    return 1;
}

/* The receive time: as recorded, or the latest exchange time so far. */
static void
set_time(struct kdp_recording *recording, const struct kdp_unwrapped *u, struct kdp_recorded *out)
{
    int64_t ns = u->recv_ns;

    if (ns == KDP_TIME_NULL) {
        out->flags |= KDP_INPUT_TS_DERIVED;
        ns = exchange_time(recording, u);
        if (ns == KDP_TIME_NULL || ns < recording->clock_ns)
            ns = recording->clock_ns != KDP_TIME_NULL ? recording->clock_ns : recording->first_ns;
    }
    if (ns > recording->clock_ns)
        recording->clock_ns = ns;
    out->recv_ns = ns;
}

/* One unwrapped line as an input: 1, or 0 when it is none (an event mark of another kind). */
static int
hand_out(struct kdp_recording *recording, const struct kdp_unwrapped *u, struct kdp_recorded *out)
{
    uint8_t *marked = &recording->marked[u->conn / 8];
    uint8_t bit = (uint8_t)(1u << u->conn % 8);

    *out = (struct kdp_recorded){
        .line = u->conn, .number = recording->number, .text = u->text, .len = u->len, .why = ""};
    if (u->form == KDP_LINE_MARK) {
        if (u->event == KDP_LINE_OTHER_EVENT)
            return 0;
        out->kind = u->event == KDP_LINE_CONNECTED ? KDP_INPUT_CONNECTED : KDP_INPUT_DISCONNECTED;
        out->text = "";
        out->len = 0;
        *marked |= bit;
    } else {
        if (u->len > KDPI_FRAME_MAX)
            return hand_malformed(recording, out, u->text, u->len, KDP_REFUSAL_TOO_LONG, KDPI_FRAME_MAX,
                                  "a frame longer than 64 MiB");
        out->kind = kdpi_frame_is_command(recording->unwrapper, u->text, u->len) ? KDP_INPUT_COMMAND
                                                                                 : KDP_INPUT_FRAME;
        if ((*marked & bit) == 0)
            out->flags |= KDP_INPUT_BARE;
    }
    set_time(recording, u, out);
    return 1;
}

static int
next_raw(struct kdp_recording *recording, struct kdp_recorded *out)
{
    const struct kdp_input_head *head;
    uint64_t seq_end;
    int rc;

    do {
        rc = kdp_raw_next(recording->raw, &head);
        if (rc != 1)
            return rc;
    } while (!kdp_raw_counts(recording->raw, &seq_end));
    *out = (struct kdp_recorded){.kind = head->kind,
                                 .flags = head->flags,
                                 .line = head->line,
                                 .number = ++recording->number,
                                 .recv_ns = head->recv_ns,
                                 .text = (const char *)(head + 1),
                                 .len = head->length,
                                 .head = head,
                                 .seq_end = seq_end,
                                 .why = ""};
    return 1;
}

int
kdp_recording_next(struct kdp_recording *recording, struct kdp_recorded *out)
{
    int rc;

    if (recording->raw != NULL)
        return next_raw(recording, out);
    rc = recording->started ? 0 : start(recording);

    if (rc == 0 && !recording->looked)
        rc = look_ahead(recording);
    if (rc != 0)
        return rc;
    for (;;) {
        struct kdp_unwrapped u;
        const char *line, *member = "";
        struct item item;

        rc = find(recording, 0, &item);
        if (rc == 0 && recording->error != 0) {
            rc = kdpi_fail((enum kdp_error) - recording->error, "%s", recording->error_text);
            kdpi_hint("%s", recording->error_hint);
        }
        if (rc <= 0)
            return rc;
        recording->number += item.lines;
        if (rc == 2) {
            rc = drop_line(recording);
            return rc < 0 ? rc
                          : hand_malformed(recording, out, "", 0, KDP_REFUSAL_TOO_LONG,
                                           KDP_RECORDING_LINE_MAX, "a line longer than any frame may be");
        }
        rc = make_scratch(recording, item.len);
        if (rc != 0)
            return rc;
        line = recording->buffer + recording->begin + item.start;
        recording->begin += item.next;
        kdpi_unwrap(recording->unwrapper, line, item.len, recording->scratch, &u);
        if (recording->old != NULL)
            kdpi_old_form(recording->old, line, item.len, recording->number, &u, &member);
        if (u.form == KDP_LINE_BARE && recording->wrappers && line[0] != '{')
            return hand_malformed(recording, out, line, item.len, KDP_REFUSAL_NOT_OBJECT, 0,
                                  "not a JSON object");
        recording->wrappers = u.form != KDP_LINE_BARE;
        if (u.refusal != KDP_REFUSAL_NONE) {
            hand_malformed(recording, out, line, item.len, u.refusal, u.position, u.why);
            out->member = member;
            return 1;
        }
        if (hand_out(recording, &u, out) == 1)
            return 1;
    }
}
