/* bench_cold.c - how fast the newest run of a data folder had its books, as its tape tells it.
 *
 *   bench_cold FOLDER UNIX_NS       UNIX_NS: when the program was started, date +%s%N
 *
 * start is the first record of the run: rings, ids, terms, plan and states of earlier runs are there; then the first and the
 * last definition, and the first and the last book that became live for the first time.  Receive times, not those of writing. */
#include <stdbool.h>

#include "bench.h"
#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "record.h"
#include "tape.h"

#define IDS_MAX (1u << 24)

struct span {
    uint64_t count;
    int64_t first_ns, last_ns;
};

struct cold {
    int64_t start_ns;
    struct span books, definitions;
    uint8_t *live; /* by instrument: it was in this run */
};

static void
fail(void)
{
    fprintf(stderr, "bench_cold: %s\n", kdp_error_text());
    exit(1);
}

static void
extend(struct span *span, int64_t ns)
{
    if (span->count++ == 0)
        span->first_ns = ns;
    span->last_ns = ns;
}

static void
take(struct cold *cold, const struct kdp_head *head)
{
    const struct kdp_state *state = (const void *)head;

    if (head->template_id == KDP_TEMPLATE_DEFINITION)
        extend(&cold->definitions, head->recv_ns);
    if (head->template_id != KDP_TEMPLATE_STATE)
        return;
    if (state->subject == KDP_SUBJECT_PLANT && state->reason == KDP_REASON_RESTART) {
        uint8_t *live = cold->live;

        memset(live, 0, IDS_MAX);
        *cold = (struct cold){.start_ns = head->recv_ns, .live = live};
    } else if (state->subject == KDP_SUBJECT_INSTRUMENT && state->state == KDP_BOOK_STATE_LIVE &&
               head->instrument < IDS_MAX && cold->live[head->instrument] == 0) {
        cold->live[head->instrument] = 1;
        extend(&cold->books, head->recv_ns);
    }
}

int
main(int argc, char **argv)
{
    struct cold cold = {.live = calloc(IDS_MAX, 1)};
    struct kdp_tape *tape;
    double begin_ns;

    if (argc != 3) {
        fprintf(stderr, "usage: bench_cold FOLDER UNIX_NS\n");
        return 2;
    }
    begin_ns = strtod(argv[2], NULL);
    if (cold.live == NULL || kdp_tape_open(&tape, argv[1]) != 0)
        fail();
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);
        const char *records;

        if ((block->template_mask & (1u << KDP_TEMPLATE_STATE | 1u << KDP_TEMPLATE_DEFINITION)) == 0)
            continue;
        if (kdp_tape_load(tape, i, (const void **)&records) != 0)
            fail();
        for (size_t at = 0, size; at < block->bytes; at += size) {
            const struct kdp_head *head = (const void *)(records + at);

            size = kdpi_record_size_trusted(head);
            take(&cold, head);
        }
    }
    printf("name=cold books=%llu start_s=%.3f definitions=%llu definitions_s=%.3f first_s=%.3f last_s=%.3f\n",
           (unsigned long long)cold.books.count, ((double)cold.start_ns - begin_ns) / 1e9,
           (unsigned long long)cold.definitions.count,
           cold.definitions.count > 0 ? ((double)cold.definitions.last_ns - begin_ns) / 1e9 : 0.0,
           cold.books.count > 0 ? ((double)cold.books.first_ns - begin_ns) / 1e9 : 0.0,
           cold.books.count > 0 ? ((double)cold.books.last_ns - begin_ns) / 1e9 : 0.0);
    kdp_tape_close(tape);
    free(cold.live);
    return cold.books.count > 0 ? 0 : 1;
}
