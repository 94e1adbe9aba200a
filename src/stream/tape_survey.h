/* tape_survey.h - one segment file looked through from end to end, whatever state it is in. */
#ifndef KDPI_TAPE_SURVEY_H
#define KDPI_TAPE_SURVEY_H

#include "tape_check.h"
#include "tape_dict.h"
#include "tape_format.h"

struct kdpi_survey_block {
    struct kdpi_tape_block_head head;
    bool good; /* payload and head agree with each other and with what came before */
};

struct kdpi_survey {
    uint64_t number;
    char *path;
    bool there, read_only;
    uint64_t size;
    struct kdpi_tape_header header;
    const char *header_fault; /* NULL: whole */
    struct kdpi_tape_trailer trailer;
    const char *trailer_fault;        /* NULL: sealed */
    bool torn;                        /* begun and never written out */
    struct kdpi_survey_block *blocks; /* of records, in order */
    size_t block_count, block_room;
    struct kdpi_tape_hole *holes; /* noted in a whole footer */
    uint32_t hole_count;
    struct kdpi_dict
        dict;     /* what its dictionaries say; mark 1: named by a good record block, 2: described before */
    uint64_t end; /* behind the last whole block */
    uint64_t records, last_seq, unnamed;
    uint64_t first_seq; /* of the header, or of the first block where that is damaged */
    uint64_t session;
    uint64_t first_families[4]; /* what the first good block adds to the counts of the feed families */
    uint64_t damages, notices;  /* found here */
};

/* kdpi_survey_segment fills survey and tells check of what it finds within the file.  done_bytes is what was read of the
 * tape before.  0, -KDP_ESTOPPED, -KDP_EVERSION, or an error of the environment. */
int kdpi_survey_segment(struct kdpi_survey *survey, const char *folder, uint64_t number, bool last,
                        const struct kdp_tape_check *check, struct kdp_tape_totals *totals,
                        uint64_t done_bytes, uint64_t total_bytes);
void kdpi_survey_release(struct kdpi_survey *survey);

#endif
