/* sequence.c - see sequence.h. */
#include "sequence.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define BUCKETS 4096u

struct kdp_lines {
    struct kdp_line lines[65536];
    uint32_t lines_end;        /* the highest asked for + 1: a walk over all would touch 18 MB */
    struct kdp_sub subs[KDP_SUBS_MAX];
    uint32_t buckets[BUCKETS]; /* index + 1 */
    uint32_t free_next;        /* never used from here on */
    uint32_t free_list;        /* index + 1, through hash_next */
};

const char *
kdpi_channel_name(enum kdp_channel channel)
{
    static const char *const names[KDP_CHANNELS] = {[KDP_CHANNEL_UNKNOWN] = "unknown",
                                                    [KDP_CHANNEL_BOOK] = "orderbook_delta",
                                                    [KDP_CHANNEL_TICKER] = "ticker",
                                                    [KDP_CHANNEL_TRADE] = "trade",
                                                    [KDP_CHANNEL_LIFECYCLE] = "market_lifecycle",
                                                    [KDP_CHANNEL_OTHER] = "other"};

    return channel < KDP_CHANNELS ? names[channel] : "unknown";
}

enum kdp_channel
kdpi_channel_of(const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum kdp_channel channel;
    } known[] = {{"orderbook_delta", KDP_CHANNEL_BOOK},
                 {"ticker", KDP_CHANNEL_TICKER},
                 {"trade", KDP_CHANNEL_TRADE},
                 {"market_lifecycle_v2", KDP_CHANNEL_LIFECYCLE},
                 {"multivariate_market_lifecycle", KDP_CHANNEL_LIFECYCLE}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
            return known[i].channel;
    return KDP_CHANNEL_OTHER;
}

struct kdp_lines *
kdp_lines_open(void)
{
    return calloc(1, sizeof(struct kdp_lines));
}

void
kdp_lines_close(struct kdp_lines *lines)
{
    free(lines);
}

struct kdp_line *
kdp_lines_at(struct kdp_lines *lines, uint16_t line)
{
    if (line >= lines->lines_end)
        lines->lines_end = line + 1u;
    return &lines->lines[line];
}

uint32_t
kdp_lines_end(const struct kdp_lines *lines)
{
    return lines->lines_end;
}

static uint32_t *
bucket_of(struct kdp_lines *lines, uint16_t line, uint32_t sid)
{
    return &lines->buckets[(((uint32_t)line * 0x9e3779b1u) ^ (sid * 0x85ebca6bu)) >> 20];
}

uint32_t
kdp_sub_index(const struct kdp_lines *lines, const struct kdp_sub *sub)
{
    return (uint32_t)(sub - lines->subs);
}

struct kdp_sub *
kdp_sub_at(struct kdp_lines *lines, uint32_t index)
{
    KDP_ASSERT(index < KDP_SUBS_MAX);
    return &lines->subs[index];
}

struct kdp_sub *
kdp_sub_find(struct kdp_lines *lines, uint16_t line, uint32_t sid)
{
    struct kdp_line *owner = &lines->lines[line];
    uint32_t *bucket, index;
    struct kdp_sub *sub;

    if (owner->last_sub != 0 && lines->subs[owner->last_sub - 1].sid == sid)
        return &lines->subs[owner->last_sub - 1];
    bucket = bucket_of(lines, line, sid);
    for (index = *bucket; index != 0; index = lines->subs[index - 1].hash_next) {
        sub = &lines->subs[index - 1];
        if (sub->line == line && sub->sid == sid) {
            owner->last_sub = index;
            return sub;
        }
    }
    if (lines->free_list != 0) {
        index = lines->free_list;
        lines->free_list = lines->subs[index - 1].hash_next;
    } else if (lines->free_next < KDP_SUBS_MAX) {
        index = ++lines->free_next;
    } else {
        return NULL;
    }
    sub = &lines->subs[index - 1];
    *sub = (struct kdp_sub){.sid = sid, .epoch = owner->epoch, .line = line, .leg = owner->leg};
    sub->hash_next = *bucket;
    *bucket = index;
    sub->line_next = owner->first_sub;
    if (owner->first_sub != 0)
        lines->subs[owner->first_sub - 1].line_prev = index;
    owner->first_sub = index;
    owner->last_sub = index;
    return sub;
}

void
kdp_sub_free(struct kdp_lines *lines, struct kdp_sub *sub)
{
    struct kdp_line *owner = &lines->lines[sub->line];
    uint32_t index = kdp_sub_index(lines, sub) + 1, *link = bucket_of(lines, sub->line, sub->sid);

    while (*link != index)
        link = &lines->subs[*link - 1].hash_next;
    *link = sub->hash_next;
    if (sub->line_prev != 0)
        lines->subs[sub->line_prev - 1].line_next = sub->line_next;
    else
        owner->first_sub = sub->line_next;
    if (sub->line_next != 0)
        lines->subs[sub->line_next - 1].line_prev = sub->line_prev;
    owner->last_sub = 0;
    *sub = (struct kdp_sub){.hash_next = lines->free_list};
    lines->free_list = index;
}

enum kdp_seq_verdict
kdp_sub_track(const struct kdp_line *line, struct kdp_sub *sub, uint64_t seq, bool snapshot,
              uint64_t *expectedp)
{
    enum kdp_seq_verdict verdict;
    bool announced = sub->announced;

    sub->announced = false;
    *expectedp = sub->last + 1;
    if (!sub->started) {
        sub->started = true;
        if (!announced && !line->marked)
            *expectedp = seq; /* the tail of a recording: it begins where it begins */
    }
    if (seq == *expectedp)
        verdict = KDP_SEQ_NEXT;
    else if (seq > *expectedp)
        verdict = KDP_SEQ_GAP;
    else if (seq == 1 && !line->marked && sub->last > 1 && (announced || snapshot))
        verdict = KDP_SEQ_RESTART;
    else
        return KDP_SEQ_DUPLICATE;
    sub->last = seq;
    return verdict;
}

void
kdp_line_command(struct kdp_line *line, int64_t id, enum kdp_leg leg)
{
    line->leg = (uint8_t)leg;
    line->pending[line->pending_next].id = id;
    line->pending[line->pending_next].leg = (uint8_t)leg;
    line->pending_next = (uint8_t)((line->pending_next + 1) % KDP_PENDING_MAX);
}

enum kdp_leg
kdp_line_reply_leg(const struct kdp_line *line, bool has_id, int64_t id)
{
    if (has_id && id != 0)
        for (unsigned i = 0; i < KDP_PENDING_MAX; i++)
            if (line->pending[i].id == id)
                return (enum kdp_leg)line->pending[i].leg;
    return (enum kdp_leg)line->leg;
}
