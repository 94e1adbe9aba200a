/* fuzz_plant.c - any text as inputs of the plant: it never crashes, every record in the ring is valid, sequence
 * has no hole, and the totals fit together.
 *
 * The input is cut at newlines; the first byte of a line says what it is:
 *   !      a connection mark for line 1 + its length modulo 3; ~ the end of that connection
 *   ?      a REST answer: a digit for its kind, the path, a tab, the body
 *   @      a timer: a letter for its kind from 'a', a digit for the instrument, the rest (a number) its argument
 *   =      a plan, ';' for line ends
 * All else is a frame of line 1.  A second passes with each line.  Each record written is read back and checked by
 * the full checker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "plant.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kdp_ring *ring;
static int64_t now_ns;

static void
input(struct kdp_plant *plant, enum kdp_input_kind kind, unsigned line, const void *bytes, size_t len)
{
    struct kdp_input_head *head = kdp_ring_input_claim(ring, len);

    KDP_ASSERT(head != NULL);
    *head = (struct kdp_input_head){
        .length = (uint32_t)len, .kind = (uint8_t)kind, .line = (uint16_t)line, .recv_ns = now_ns};
    if (len > 0)
        memcpy(head + 1, bytes, len);
    kdp_ring_input_commit(ring, head);
    KDP_ASSERT(kdp_plant_input(plant, head, head + 1) == 0);
}

static void
answer(struct kdp_plant *plant, const uint8_t *text, size_t len)
{
    static uint8_t bytes[65536];
    const uint8_t *tab = memchr(text, '\t', len);
    struct kdp_input_rest rest = {.status = 200};
    size_t path = tab != NULL ? (size_t)(tab - text) : len, body = tab != NULL ? len - path - 1 : 0;

    if (len < 2)
        return;
    rest.request = KDP_REST_REQUEST((unsigned)(text[1] - '0') % 8, 1);
    rest.path_len = (uint32_t)(path > 2 ? path - 2 : 0);
    memcpy(bytes, &rest, sizeof rest);
    memcpy(bytes + sizeof rest, text + 2, rest.path_len);
    if (body > 0)
        memcpy(bytes + sizeof rest + rest.path_len, tab + 1, body);
    input(plant, KDP_INPUT_REST, 0, bytes, sizeof rest + rest.path_len + body);
}

static void
timer(struct kdp_plant *plant, const uint8_t *text, size_t len)
{
    struct kdp_input_timer what = {.kind = len > 1 ? 1u + (text[1] - 'a') % 13u : 1,
                                   .arg32 = len > 2 ? (uint32_t)(text[2] - '0') : 0};
    char number[24] = "";

    if (len > 3)
        snprintf(number, sizeof number, "%.*s", (int)(len - 3), (const char *)text + 3);
    what.arg = strtoull(number, NULL, 10);
    input(plant, KDP_INPUT_TIMER, 0, &what, sizeof what);
}

static void
plan(struct kdp_plant *plant, const uint8_t *text, size_t len)
{
    static char words[65536];

    for (size_t i = 1; i < len; i++)
        words[i - 1] = text[i] == ';' ? '\n' : (char)text[i];
    input(plant, KDP_INPUT_RELOAD, 0, words, len - 1);
}

static void
hear(void *arg, const struct kdp_notice *notice)
{
    (void)arg;
    (void)notice;
}

static void
check_totals(const struct kdp_plant *plant)
{
    struct kdp_plant_totals totals;
    struct kdp_plant_market market;
    uint64_t live = 0;

    kdp_plant_totals(plant, &totals);
    for (uint32_t i = 0; kdp_plant_market_at(plant, i, &market); i++)
        live += market.state == KDP_BOOK_STATE_LIVE;
    KDP_ASSERT(totals.planned_live <= totals.planned && totals.planned_live <= live);
    KDP_ASSERT(totals.gaps_healed <= totals.gaps);
    KDP_ASSERT(totals.disagreements <= totals.audits && totals.drifts <= totals.disagreements);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 20, .raw_bytes = 1 << 18, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {.max_markets = 64, .hash = true, .notice = hear};
    struct kdp_input_line mark = {0};
    struct kdp_ring_cursor cursor;
    struct kdp_plant *plant;
    static uint64_t rec[KDP_RECORD_MAX / 8];
    uint64_t seq = 0;
    int got;

    if (size > 60000)
        return 0;
    now_ns = INT64_C(1795183387000000000);
    KDP_ASSERT(kdp_ring_create(&ring, &config) == 0);
    plant_config.ring = ring;
    KDP_ASSERT(kdp_plant_open(&plant, &plant_config) == 0);
    KDP_ASSERT(kdp_ring_seek(&cursor, ring, 1) == 0);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - (data + at)) : size - at;

        if (len > 0 && data[at] == '!')
            input(plant, KDP_INPUT_CONNECTED, 1 + (unsigned)(len % 3), &mark, sizeof mark);
        else if (len > 0 && data[at] == '~')
            input(plant, KDP_INPUT_DISCONNECTED, 1 + (unsigned)(len % 3), &mark, sizeof mark);
        else if (len > 0 && data[at] == '?')
            answer(plant, data + at, len);
        else if (len > 0 && data[at] == '@')
            timer(plant, data + at, len);
        else if (len > 0 && data[at] == '=')
            plan(plant, data + at, len);
        else
            input(plant, KDP_INPUT_FRAME, 1, data + at, len);
        at += len + 1;
        now_ns += INT64_C(1000000000);
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
    check_totals(plant);
    kdp_plant_close(plant);
    kdp_ring_close(ring);
    return 0;
}
