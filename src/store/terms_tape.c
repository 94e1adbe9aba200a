/* terms_tape.c - see terms_tape.h. */
#include "terms_tape.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "history_meta.h"
#include "manifest.h"
#include "raw.h"
#include "terms.h"

#define SCOPE "raw tape"
#define MEMORY_BYTES (UINT64_C(96) << 20) /* beside the sealer's own */

struct pass {
    struct kdp_terms_tape *tape;
    struct kdp_history *history; /* NULL: nothing to file yet */
    struct kdp_terms *terms;
    struct kdp_rest_reader *reader;
    uint64_t filed; /* by the manifest, when the pass began */
    int rc;
};

static const char *
table(void)
{
    return kdp_history_meta_tables[KDP_META_MARKET].name;
}

/* Up to which input all is filed, by the manifest. */
static int
filed_up_to(const char *dir, uint64_t *indexp)
{
    const struct kdp_manifest_window *windows;
    struct kdp_manifest manifest;
    size_t count = 0;
    int rc = kdp_manifest_read(&manifest, dir, table());

    *indexp = 0;
    if (rc == 0) {
        windows = kdp_manifest_scope(&manifest, SCOPE, &count);
        if (count > 0)
            *indexp = (uint64_t)windows[count - 1].end_ns - 1;
    }
    kdp_manifest_release(&manifest);
    return rc;
}

static bool
on_market(void *arg, const struct kdp_rest_market *market)
{
    struct pass *pass = arg;

    pass->rc = kdp_terms_market(pass->terms, market);
    pass->tape->markets += pass->rc == 0;
    return pass->rc == 0;
}

static bool
on_event(void *arg, const struct kdp_rest_event *event)
{
    struct pass *pass = arg;

    pass->rc = kdp_terms_event(pass->terms, event);
    pass->tape->events += pass->rc == 0;
    return pass->rc == 0;
}

static bool
begins(const char *path, size_t len, const char *word)
{
    size_t size = strlen(word);

    return len > size && memcmp(path, word, size) == 0;
}

/* What a path asks for: a page of markets, an event, or nothing of ours. */
static char
kind_of(const char *path, size_t len)
{
    if (begins(path, len, "/markets?"))
        return 'm';
    if (begins(path, len, "/events/") && memchr(path + 8, '/', len - 8) == NULL &&
        !begins(path, len, "/events/fee_changes"))
        return 'e';
    return 0;
}

static int
begin_filing(struct pass *pass)
{
    struct kdp_history_config config = {
        .dir = pass->tape->dir, .compression = pass->tape->compression, .memory_bytes = MEMORY_BYTES};
    int rc;

    if (pass->history != NULL)
        return 0;
    rc = kdp_history_open(&pass->history, &config);
    if (rc == 0)
        rc = kdp_terms_open(&pass->terms, pass->history);
    if (rc == 0 && (pass->reader = kdpi_rest_open()) == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    if (rc == 0)
        kdpi_rest_want_terms(pass->reader, true);
    return rc;
}

/* All answers up to an input have been given: with the rows that becomes known. */
static int
settle(struct pass *pass, uint64_t last)
{
    int rc = 0;

    if (last > pass->filed)
        rc = kdp_history_window(pass->history, table(), SCOPE, (int64_t)pass->filed + 1, (int64_t)last + 1);
    return rc == 0 ? kdp_history_flush(pass->history) : rc;
}

static int
take(struct pass *pass, const struct kdp_input_head *head)
{
    const uint8_t *payload = (const uint8_t *)(head + 1);
    struct kdp_input_rest rest;
    struct kdp_rest_end end = {0};
    const char *path, *body;
    size_t len;
    char kind;

    if (head->kind != KDP_INPUT_REST || head->length < sizeof rest)
        return 0;
    memcpy(&rest, payload, sizeof rest);
    if (rest.status != 200 || rest.path_len > head->length - sizeof rest)
        return 0;
    path = (const char *)payload + sizeof rest;
    kind = kind_of(path, rest.path_len);
    if (kind == 0)
        return 0;
    pass->rc = begin_filing(pass);
    if (pass->rc != 0)
        return pass->rc;
    body = path + rest.path_len;
    len = head->length - sizeof rest - rest.path_len;
    kdp_history_seen(pass->history, head->recv_ns);
    if (kind == 'm')
        kdpi_rest_markets(pass->reader, body, len, on_market, pass, &end);
    else
        kdpi_rest_events(pass->reader, body, len, on_event, pass, &end);
    pass->tape->refused += end.refused + (pass->rc == 0 && end.refusal != KDP_REFUSAL_NONE);
    pass->tape->answers++;
    if (pass->rc == 0 && kdp_history_full(pass->history))
        pass->rc = settle(pass, head->index);
    return pass->rc;
}

/* Reads from behind the last filed input; *lastp: the last one read. */
static int
read_on(struct pass *pass, struct kdp_raw_reader *raw, uint64_t *lastp)
{
    struct kdp_terms_tape *tape = pass->tape;
    const struct kdp_input_head *head;
    bool first = true;
    int rc;

    kdp_raw_reader_from(raw, *lastp + 1);
    for (;;) {
        rc = kdp_raw_next(raw, &head);
        if (rc == 0)
            return 0;
        if (rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT || rc == -KDP_ETRUNCATED) {
            tape->damaged++; /* kdp tape check names it; what is behind it can be read */
            continue;
        }
        if (rc < 0)
            return rc;
        if (tape->stopped != NULL && tape->stopped() != 0)
            return kdpi_fail(KDP_ESTOPPED, "stopped");
        if (head->index <= *lastp)
            continue;
        if (first && head->index > *lastp + 1) {
            tape->missed_from = *lastp + 1;
            tape->missed_to = head->index - 1;
        }
        first = false;
        rc = take(pass, head);
        if (rc != 0)
            return rc;
        *lastp = head->index;
    }
}

int
kdp_terms_tape_pass(struct kdp_terms_tape *tape)
{
    struct pass pass = {.tape = tape};
    struct kdp_raw_reader *raw;
    uint64_t last = 0, before = tape->answers;
    int rc = kdp_raw_reader_open(&raw, tape->dir);

    tape->busy = false;
    if (rc != 0)
        return rc == -KDP_ENOENT ? 0 : rc;
    rc = filed_up_to(tape->dir, &pass.filed);
    if (rc == 0) {
        last = tape->index > pass.filed ? tape->index : pass.filed;
        rc = read_on(&pass, raw, &last);
    }
    kdp_raw_reader_close(raw);
    if ((rc == 0 || rc == -KDP_ESTOPPED) && pass.terms != NULL) {
        int settled = settle(&pass, last); /* stopped: the next pass goes on there */

        rc = settled != 0 ? settled : rc;
    }
    kdp_terms_close(pass.terms);
    kdp_history_close(pass.history);
    kdpi_rest_close(pass.reader);
    if (rc == -KDP_EBUSY) {
        tape->busy = true;
        return 0;
    }
    if (rc == 0 || rc == -KDP_ESTOPPED)
        tape->index = last; /* stopped, too, had it nothing to file: or it would begin there again */
    if (rc != 0)
        return rc;
    return tape->answers > before ? 1 : 0;
}
