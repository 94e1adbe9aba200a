/* history_limit.c - up to which time the past is ours to file: behind it the plant may still bring trades. */
#include <string.h>

#include "clock.h"
#include "error.h"
#include "history_private.h"
#include "kdp/reader.h"
#include "record.h"

/* How far the plant may reach back behind what is sealed: docs/design/history.md works it out. */
#define REACH_NS (900 * KDP_NS_PER_S)
#define REACH_START_NS (5 * KDP_NS_PER_S)
#define QUIET_NS (7200 * KDP_NS_PER_S)

struct stream_ends {
    int64_t start_ns;  /* receive time of the first record */
    int64_t sealed_ns; /* of the last one that is sealed */
    int64_t trade_ns;  /* exchange time of the newest trade that is sealed, KDP_TIME_NULL */
    int64_t hole_ns;   /* since when the oldest hole in the trades is open, KDP_TIME_NULL: none is */
};

/* What the lake alone can tell of a stream whose tape is gone: times of its sealed files. */
static int
ends_of_files(const char *dir, struct stream_ends *ends)
{
    const struct kdp_lake_table *tables;
    bool sealed = ends->sealed_ns != KDP_TIME_NULL;
    unsigned count;
    int rc = 0;

    tables = kdp_lake_tables(&count);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        struct kdp_manifest manifest;

        rc = kdp_manifest_read(&manifest, dir, tables[i].name);
        for (size_t f = 0; f < manifest.count && rc == 0; f++) {
            const struct kdp_manifest_file *file = &manifest.files[f];

            if (kdp_manifest_is_history(file))
                continue;
            if (ends->start_ns == KDP_TIME_NULL || file->ns_min < ends->start_ns)
                ends->start_ns = file->ns_min;
            if (!sealed && file->ns_max > ends->sealed_ns) /* null is the least number */
                ends->sealed_ns = file->ns_max;
        }
        kdp_manifest_release(&manifest);
    }
    return rc;
}

/* Holes in the trades as a start of the plant takes them up (topology.c): filled from the oldest on, so that one that is
 * filled, or lost for good, ends all before it. */
static int
find_hole(struct kdp_reader *reader, struct stream_ends *ends)
{
    const struct kdp_head *rec;
    int64_t newest_ns = 0;
    int rc = kdp_reader_seek(reader, 0);

    if (rc != 0)
        return rc;
    kdp_reader_filter(reader, 1u << KDP_TEMPLATE_GAP, 0);
    for (;;) {
        const struct kdp_gap *gap;
        struct kdp_text of;

        rc = kdp_reader_next(reader, &rec);
        if (rc == -KDP_ERANGE)
            continue; /* retention was quicker */
        if (rc <= 0)
            return rc;
        if (rec->template_id != KDP_TEMPLATE_GAP)
            continue;
        gap = (const void *)rec;
        of = kdpi_record_text(rec, 0);
        if (gap->kind != KDP_GAP_KIND_TRADES &&
            !(gap->kind == KDP_GAP_KIND_SEQUENCE && of.len == 5 && memcmp(of.data, "trade", 5) == 0))
            continue;
        if (gap->status == KDP_GAP_STATUS_OPEN) {
            if (ends->hole_ns == KDP_TIME_NULL)
                ends->hole_ns = gap->opened_ns;
            newest_ns = gap->opened_ns;
        } else if (gap->opened_ns >= newest_ns) {
            ends->hole_ns = KDP_TIME_NULL;
        } else if (ends->hole_ns != KDP_TIME_NULL && gap->opened_ns > ends->hole_ns) {
            ends->hole_ns = gap->opened_ns;
        }
    }
}

static int
find_ends(const char *dir, struct stream_ends *ends)
{
    struct kdp_manifest manifest;
    struct kdp_reader *reader = NULL;
    const struct kdp_head *rec;
    int64_t first_ns = INT64_MAX;
    uint64_t head = 0;
    int rc;

    *ends = (struct stream_ends){KDP_TIME_NULL, KDP_TIME_NULL, KDP_TIME_NULL, KDP_TIME_NULL};
    rc = kdp_manifest_read(&manifest, dir, "trades");
    for (size_t i = 0; i < manifest.count && rc == 0; i++) {
        if (kdp_manifest_is_history(&manifest.files[i]))
            continue;
        if (manifest.files[i].ns_max > ends->trade_ns)
            ends->trade_ns = manifest.files[i].ns_max;
        if (manifest.files[i].ns_min < first_ns)
            first_ns = manifest.files[i].ns_min;
    }
    if (rc == 0)
        rc = kdp_reader_open_seq(&reader, dir, 0, 0);
    if (rc == 0)
        head = kdp_reader_head(reader);
    if (rc == 0 && (head > 0 || manifest.sealed_seq > 0)) {
        bool first = false;

        if (head > 0 && kdp_reader_next(reader, &rec) > 0) {
            ends->start_ns = rec->recv_ns;
            first = rec->seq == 1;
        }
        if (manifest.sealed_seq > 0 && kdp_reader_seek(reader, manifest.sealed_seq) == 0 &&
            kdp_reader_next(reader, &rec) > 0 && rec->seq == manifest.sealed_seq)
            ends->sealed_ns = rec->recv_ns;
        if (manifest.sealed_seq > 0 && (!first || ends->sealed_ns == KDP_TIME_NULL))
            rc = ends_of_files(dir, ends);
        /* a trade from before it: the clock of that time was ahead of the exchange's */
        if (first_ns < ends->start_ns)
            ends->start_ns = first_ns;
        if (rc == 0)
            rc = find_hole(reader, ends);
    }
    kdp_reader_close(reader);
    kdp_manifest_release(&manifest);
    return rc < 0 ? rc : 0;
}

int
kdp_history_limit(const struct kdp_history *history, int64_t *nsp)
{
    struct stream_ends ends;
    int64_t ns;
    int rc = find_ends(history->config.dir, &ends);

    *nsp = KDP_TIME_NULL;
    if (rc != 0 || ends.start_ns == KDP_TIME_NULL)
        return rc;
    ns = ends.sealed_ns != KDP_TIME_NULL ? ends.sealed_ns : ends.start_ns;
    /* a start of the plant asks from its newest trade on, if that is not older than 2 hours */
    if (ends.trade_ns != KDP_TIME_NULL && ends.trade_ns < ns)
        ns = ends.trade_ns > ns - QUIET_NS ? ends.trade_ns : ns - QUIET_NS;
    if (ends.hole_ns != KDP_TIME_NULL && ends.hole_ns < ns)
        ns = ends.hole_ns;
    ns -= REACH_NS;
    if (ns < ends.start_ns - REACH_START_NS)
        ns = ends.start_ns - REACH_START_NS;
    *nsp = ns;
    return 0;
}
