/* tape_fixture.h - made-up records in memory, written to a tape and compared with what comes back. */
#ifndef KDP_TAPE_FIXTURE_H
#define KDP_TAPE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tape_fixture {
    uint8_t *bytes;
    size_t len;
    uint64_t first_seq, count;
    size_t *offsets; /* of each record, and one more: the end */
    uint64_t session;
};
struct tape_fixture *tape_fixture_new(size_t bytes, uint64_t first_seq, uint32_t instruments);
void tape_fixture_free(struct tape_fixture *f);
/* tape_fixture_write writes all records in calls of about call bytes, each with input index 2 * its first sequence, syncing
 * after each; not sealed, the last segment is left as a killed process leaves it. */
void tape_fixture_write(const struct tape_fixture *f, const char *dir, uint64_t segment_bytes, size_t call,
                        bool sealed);
/* tape_fixture_write_part writes records from to (not including) to of the fixture. */
void tape_fixture_write_part(const struct tape_fixture *f, const char *dir, uint64_t segment_bytes,
                             size_t call, uint64_t from, uint64_t to, bool sealed);
/* tape_fixture_check reads the tape of dir and expects exactly the fixture's records. */
void tape_fixture_check(const struct tape_fixture *f, const char *dir);
/* tape_fixture_read reads what can be read and checks each record against the fixture; returns how many came, *lastp the
 * highest sequence, *errorsp how many loads failed (they are passed over). */
uint64_t tape_fixture_read(const struct tape_fixture *f, const char *dir, uint64_t *lastp, unsigned *errorsp);

#endif
