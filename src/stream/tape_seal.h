/* tape_seal.h - finishing a segment: its footer, and what a killed run left unfinished. */
#ifndef KDPI_TAPE_SEAL_H
#define KDPI_TAPE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "tape_dict.h"
#include "tape_format.h"

struct kdpi_seal { /* everything a footer says */
    int fd;
    const char *path, *folder;
    uint64_t number, session;
    uint64_t end; /* where the blocks end and the footer begins */
    const struct kdp_tape_block *blocks;
    size_t block_count;
    const struct kdpi_tape_hole *holes;
    uint32_t hole_count;
    const struct kdpi_dict *dict;
    const uint32_t *ids; /* of the instruments the segment names, in the order of its dictionary blocks */
    uint32_t id_count;
    uint64_t records, last_seq;
    int64_t recv_running_max_ns;
    bool repaired;
    const XXH3_state_t *hash; /* over the bytes before end */
};

/* kdpi_tape_seal writes the footer, syncs, makes the file read-only and syncs the folder.  When the disk is full the file
 * is as before and -KDP_EFULL comes back. */
int kdpi_tape_seal(const struct kdpi_seal *seal, uint8_t hash[16]);

struct kdpi_tape_end { /* where a tape ends: what the next segment's header repeats */
    uint64_t number, last_seq, session;
    uint8_t hash[16];
    int64_t recv_running_max_ns;
    uint64_t family_count[4];
};
/* kdpi_tape_find_end looks at the last segments of folder: removes those without a record, cuts the torn tail of an unsealed
 * one and seals it.  *cutp counts the bytes cut.  An empty tape gives number 0. */
int kdpi_tape_find_end(const char *folder, struct kdpi_tape_end *end, uint64_t *cutp);

#endif
