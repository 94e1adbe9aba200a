/* tape_check.h - what kdp tape verify, info and repair do, for use by the command and by tests.
 *
 * Verify trusts nothing: it walks each segment's blocks from the start, recomputes every checksum, count, filter and hash, and
 * compares header, blocks, footer and neighbours.  Repair never writes into a segment: it writes a new file from what is
 * whole, notes what is lost in it, and keeps the damaged one beside it as NAME.damaged. */
#ifndef KDPI_TAPE_CHECK_H
#define KDPI_TAPE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

enum kdp_tape_finding_kind {
    KDP_TAPE_NOTICE, /* worth knowing, nothing is wrong: a torn tail that the next start cuts, a noted loss */
    KDP_TAPE_DAMAGE, /* a checksum, a count, or something missing */
};
struct kdp_tape_finding {
    enum kdp_tape_finding_kind kind;
    const char *path;
    uint64_t offset;              /* in the file; UINT64_MAX: of the file as a whole */
    uint64_t first_seq, last_seq; /* 0: none, or not known */
    const char *what;             /* a few words */
};

struct kdp_tape_totals {
    uint64_t segments, sealed, blocks, records, bytes, payload_bytes, sessions, instruments, dictionary_bytes;
    uint64_t first_seq, last_seq, unused, lost; /* sequence numbers never given out; lost and noted or not */
    uint64_t by_template[KDP_TEMPLATE_MAX + 1];
    int64_t recv_min_ns, recv_max_ns;
    uint64_t damages, notices;
};

struct kdp_tape_check {
    /* any may be NULL */
    void (*finding)(void *arg, const struct kdp_tape_finding *finding);
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    bool (*stop)(void *arg); /* asked between blocks */
    void *arg;
};

/* kdp_tape_verify reads the whole tape of dir (a data directory or its tape folder).  0 whether or not there is damage (see
 * totals->damages), -KDP_ESTOPPED, or an error of the environment. */
int kdp_tape_verify(const char *dir, const struct kdp_tape_check *check, struct kdp_tape_totals *totals);

/* What repair would do or has done to one segment. */
struct kdp_tape_mend {
    const char *path;               /* of the segment; it may be missing */
    const char *kept;               /* where the damaged file stays, NULL: there was none */
    uint64_t blocks, records;       /* saved */
    uint64_t lost_first, lost_last; /* 0: nothing is lost; else the range that the losses lie in */
    uint64_t lost;                  /* sequence numbers */
};
/* kdp_tape_repair goes through the tape of dir and mends what verify calls damage, when write is set; each is told of every
 * segment concerned.  Returns how many, 0: nothing to do, or an error: -KDP_EBUSY when a plant runs there. */
int kdp_tape_repair(const char *dir, bool write, void (*each)(void *arg, const struct kdp_tape_mend *mend),
                    void *arg);

#endif
