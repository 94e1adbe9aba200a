/* fuzz_plant.c - any text as frames into the plant: it never crashes, every record in the ring is valid,
 * sequence has no hole.
 *
 * The input is cut at newlines; a line that begins with '!' is a connection mark for line 1 + its length
 * modulo 3, the rest are frames of line 1.  Each record written is read back and checked by the full checker.
 */
#include <string.h>

#include "error.h"
#include "plant.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kdp_ring *ring;

static void
input(struct kdp_plant *plant, enum kdp_input_kind kind, unsigned line, const void *bytes, size_t len)
{
    struct kdp_input_head *head = kdp_ring_input_claim(ring, len);

    KDP_ASSERT(head != NULL);
    *head = (struct kdp_input_head){.length = (uint32_t)len,
                                    .kind = (uint8_t)kind,
                                    .line = (uint16_t)line,
                                    .recv_ns = INT64_C(1795183387000000000)};
    if (len > 0)
        memcpy(head + 1, bytes, len);
    kdp_ring_input_commit(ring, head);
    KDP_ASSERT(kdp_plant_input(plant, head, head + 1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 20, .raw_bytes = 1 << 18, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {.max_markets = 64, .hash = true};
    struct kdp_input_line mark = {0};
    struct kdp_ring_cursor cursor;
    struct kdp_plant *plant;
    static uint64_t rec[KDP_RECORD_MAX / 8];
    uint64_t seq = 0;
    int got;

    if (size > 60000)
        return 0;
    KDP_ASSERT(kdp_ring_create(&ring, &config) == 0);
    plant_config.ring = ring;
    KDP_ASSERT(kdp_plant_open(&plant, &plant_config) == 0);
    KDP_ASSERT(kdp_ring_seek(&cursor, ring, 1) == 0);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - (data + at)) : size - at;

        if (len > 0 && data[at] == '!')
            input(plant, KDP_INPUT_CONNECTED, 1 + (unsigned)(len % 3), &mark, sizeof mark);
        else
            input(plant, KDP_INPUT_FRAME, 1, data + at, len);
        at += len + 1;
        while ((got = kdp_ring_next(&cursor, rec)) > 0) {
            const struct kdp_head *head = (const struct kdp_head *)(const void *)rec;

            KDP_ASSERT(kdpi_record_size(rec, (size_t)got) == (size_t)got);
            KDP_ASSERT(head->seq == ++seq);
        }
        KDP_ASSERT(got == 0 || got == -KDP_EOVERRUN);
        if (got < 0) {
            kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring) + 1);
            seq = kdp_ring_head_seq(ring);
        }
    }
    kdp_plant_close(plant);
    kdp_ring_close(ring);
    return 0;
}
