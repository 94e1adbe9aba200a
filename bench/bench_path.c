/* bench_path.c - the whole way of a frame: its text to the records visible in the ring.
 *
 *   bench_path RECORDING        any file kdp replay accepts, kdp gen's for example
 *
 * Contestants, in turn over the same frames: floor copies the text into the input ring and 72 bytes into the
 * record ring, which nobody can do without; decode parses as well; path is what the plant does.  The frames
 * are played round and round; each round begins with its connection marks, so that the books begin anew.  The
 * last line gives percentiles of single frames. */
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "error.h"
#include "message.h"
#include "plant.h"
#include "recording.h"

struct one {
    struct kdp_input_head head;
    char *text;
};
struct work {
    struct one *inputs;
    size_t count, at;
    struct kdp_ring *ring;
    struct kdp_plant *plant;
    struct kdp_decoder *decoder;
};

static int
load(struct work *work, const char *path)
{
    struct kdp_recording *recording;
    struct kdp_recorded in;
    size_t room = 0;
    int rc = kdp_recording_open(&recording, path);

    while (rc == 0 && kdp_recording_next(recording, &in) > 0 && work->count < 200000) {
        size_t len = in.kind == KDP_INPUT_FRAME || in.kind == KDP_INPUT_COMMAND
                         ? in.len
                         : sizeof(struct kdp_input_line);
        struct one *one;

        if (in.kind == KDP_RECORDED_MALFORMED)
            continue;
        if (work->count == room) {
            room = room == 0 ? 4096 : room * 2;
            work->inputs = realloc(work->inputs, room * sizeof *work->inputs);
            if (work->inputs == NULL)
                return kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
        }
        one = &work->inputs[work->count++];
        one->head = (struct kdp_input_head){.length = (uint32_t)len,
                                            .kind = in.kind,
                                            .flags = in.flags,
                                            .line = in.line,
                                            .recv_ns = in.recv_ns};
        one->text = calloc(1, len + 1);
        if (one->text != NULL && (in.kind == KDP_INPUT_FRAME || in.kind == KDP_INPUT_COMMAND))
            memcpy(one->text, in.text, len);
    }
    if (rc == 0)
        kdp_recording_close(recording);
    return rc != 0 ? rc : work->count > 0 ? 0 : kdpi_fail(KDP_EFORMAT, "no frames in %s", path);
}

static struct kdp_input_head *
next_input(struct work *work)
{
    const struct one *one = &work->inputs[work->at];
    struct kdp_input_head *head = kdp_ring_input_claim(work->ring, one->head.length);

    work->at = work->at + 1 < work->count ? work->at + 1 : 0;
    *head = one->head;
    memcpy(head + 1, one->text, one->head.length);
    kdp_ring_input_commit(work->ring, head);
    return head;
}

static uint64_t
run_floor(void *arg, uint64_t count)
{
    struct work *work = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        const struct kdp_input_head *head = next_input(work);
        struct kdp_level *rec = kdp_ring_claim(work->ring, sizeof *rec);

        memcpy(rec, head, 24);
        rec->head.block_length = sizeof *rec - 8;
        rec->head.template_id = KDP_TEMPLATE_LEVEL;
        rec->head.seq = kdp_ring_next_seq(work->ring);
        kdp_ring_commit(work->ring, sizeof *rec);
        kdp_ring_publish(work->ring);
        sum += head->length;
    }
    return sum;
}

static uint64_t
run_decode(void *arg, uint64_t count)
{
    struct work *work = arg;
    struct kdp_message msg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        const struct kdp_input_head *head = next_input(work);

        kdpi_decode(work->decoder, (const char *)(head + 1), head->length, &msg);
        sum += (uint64_t)msg.kind;
    }
    return sum;
}

static uint64_t
run_path(void *arg, uint64_t count)
{
    struct work *work = arg;

    for (uint64_t i = 0; i < count; i++) {
        const struct kdp_input_head *head = next_input(work);

        kdp_plant_input(work->plant, head, head + 1);
    }
    return kdp_ring_head_seq(work->ring);
}

static int
make(struct work *work, const struct work *from)
{
    struct kdp_ring_config ring = {
        .bytes = 16u << 20, .raw_bytes = 16u << 20, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant = {.max_markets = 262144};
    int rc;

    *work = (struct work){.inputs = from->inputs, .count = from->count};
    rc = kdp_ring_create(&work->ring, &ring);
    plant.ring = work->ring;
    if (rc == 0)
        rc = kdp_plant_open(&work->plant, &plant);
    work->decoder = kdpi_decoder_open();
    return rc;
}

int
main(int argc, char **argv)
{
    struct work loaded = {0}, works[3];
    struct bench_contestant contestants[] = {{.name = "path.floor", .run = run_floor},
                                             {.name = "path.decode", .run = run_decode},
                                             {.name = "path.ring", .run = run_path}};
    static double ns[100000];
    double ticks_per_ns;
    int64_t t0;
    uint64_t k0;

    if (argc != 2) {
        fprintf(stderr, "usage: bench_path RECORDING\n");
        return 2;
    }
    if (load(&loaded, argv[1]) != 0) {
        fprintf(stderr, "bench_path: %s\n", kdp_error_text());
        return 1;
    }
    bench_machine();
    for (unsigned i = 0; i < 3; i++) {
        if (make(&works[i], &loaded) != 0) {
            fprintf(stderr, "bench_path: %s\n", kdp_error_text());
            return 1;
        }
        contestants[i].arg = &works[i];
    }
    bench_compare(contestants, 3, loaded.count < 20000 ? loaded.count : 20000);
    printf("name=path.ratio ring_over_floor=%.2f ring_over_decode=%.2f\n",
           contestants[2].p50 / contestants[0].p50, contestants[2].p50 / contestants[1].p50);
    t0 = bench_now_ns();
    k0 = bench_ticks();
    for (unsigned i = 0; i < 20000; i++) { /* not run_path: callgrind.sh counts its calls */
        const struct kdp_input_head *head = next_input(&works[2]);

        kdp_plant_input(works[2].plant, head, head + 1);
    }
    ticks_per_ns = (double)(bench_ticks() - k0) / (double)(bench_now_ns() - t0);
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        const struct kdp_input_head *head = next_input(&works[2]);
        uint64_t start = bench_ticks();

        kdp_plant_input(works[2].plant, head, head + 1);
        ns[i] = (double)(bench_ticks() - start) / ticks_per_ns;
    }
    bench_samples("path.frame", ns, sizeof ns / sizeof *ns);
    return 0;
}
