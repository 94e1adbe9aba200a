/* tape_check.c - kdp tape verify: every segment by itself, then how they fit together. */
#include "tape_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "numbered.h"
#include "tape_survey.h"

struct link { /* what the next segment is held against */
    uint64_t number, last_seq, session;
    uint8_t hash[16];
    bool known, sealed, repaired;
};

struct chain {
    const struct kdp_tape_check *check;
    struct kdp_tape_totals *totals;
    const char *folder;
    struct link previous;
    struct kdpi_dict dict; /* instruments of the whole tape, for their number */
};

static void
found(struct chain *chain, enum kdp_tape_finding_kind kind, const char *path, uint64_t first, uint64_t last,
      const char *what)
{
    struct kdp_tape_finding finding = {kind, path, UINT64_MAX, first, last, what};

    if (kind == KDP_TAPE_DAMAGE)
        chain->totals->damages++;
    else
        chain->totals->notices++;
    if (chain->check != NULL && chain->check->finding != NULL)
        chain->check->finding(chain->check->arg, &finding);
}

/* How a segment follows on the one before it. */
static void
check_link(struct chain *chain, const struct kdpi_survey *survey)
{
    const struct link *previous = &chain->previous;
    const struct kdpi_tape_header *header = &survey->header;
    char path[KDPI_TAPE_PATH];
    uint64_t last;

    if (previous->number == 0 || survey->header_fault != NULL)
        return; /* a tape may begin anywhere */
    for (uint64_t missing = previous->number + 1; missing < survey->number; missing++) {
        kdpi_tape_path(path, sizeof path, chain->folder, missing);
        found(chain, KDP_TAPE_DAMAGE, path, 0, 0, "the segment is missing");
        if (missing - previous->number >= 100) {
            found(chain, KDP_TAPE_DAMAGE, path, 0, 0, "and all up to the next one there");
            break;
        }
    }
    last = header->previous_last_seq;
    if (previous->known && last > previous->last_seq) {
        found(chain, KDP_TAPE_DAMAGE, survey->path, previous->last_seq + 1, last,
              "sequences before this segment are missing");
        chain->totals->lost += last - previous->last_seq;
    } else if (previous->known && last < previous->last_seq) {
        found(chain, KDP_TAPE_DAMAGE, survey->path, 0, 0,
              "the segment before it ends elsewhere than its header says");
    }
    if (header->first_seq > last + 1) {
        chain->totals->unused += header->first_seq - last - 1;
        found(chain, KDP_TAPE_NOTICE, survey->path, last + 1, header->first_seq - 1,
              "numbers never given out");
    }
    if (survey->number == previous->number + 1 && previous->sealed && !previous->repaired &&
        memcmp(header->previous_hash, previous->hash, sizeof previous->hash) != 0)
        found(chain, KDP_TAPE_DAMAGE, survey->path, 0, 0,
              "the segment before it is not the one it was written after");
}

static void
gather(struct chain *chain, const struct kdpi_survey *survey)
{
    struct kdp_tape_totals *totals = chain->totals;

    totals->segments++;
    totals->sealed += survey->trailer_fault == NULL;
    totals->bytes += survey->size;
    totals->damages += survey->damages;
    totals->notices += survey->notices;
    if (survey->session != 0 && survey->session != chain->previous.session)
        totals->sessions++;
    if (totals->first_seq == 0 && survey->records > 0)
        totals->first_seq = survey->first_seq;
    if (survey->last_seq > totals->last_seq)
        totals->last_seq = survey->last_seq;
    for (uint32_t page = 0; page < survey->dict.page_count; page++) {
        for (uint32_t i = 0; survey->dict.pages[page] != NULL && i < KDPI_DICT_PAGE; i++) {
            const struct kdpi_dict_item *item = &survey->dict.pages[page]->item[i];
            struct kdp_tape_instrument instrument = {page * KDPI_DICT_PAGE + i, item->ticker,
                                                     item->ticker_len, NULL, 0};

            if (item->ticker != NULL)
                kdpi_dict_put(&chain->dict, &instrument, true);
        }
    }
    totals->instruments = chain->dict.count;
}

static void
hand_on(struct chain *chain, const struct kdpi_survey *survey)
{
    struct link *link = &chain->previous;

    *link = (struct link){.number = survey->number, .session = survey->session};
    link->sealed = survey->trailer_fault == NULL;
    link->last_seq = link->sealed ? survey->trailer.last_seq : survey->last_seq;
    link->known = link->sealed || survey->records > 0;
    if (link->sealed) {
        link->repaired = survey->trailer.repaired != 0;
        memcpy(link->hash, survey->trailer.hash, sizeof link->hash);
    }
}

int
kdp_tape_verify(const char *dir, const struct kdp_tape_check *check, struct kdp_tape_totals *totals)
{
    uint64_t *numbers = NULL, total_bytes = 0, done_bytes = 0;
    char folder[KDPI_TAPE_PATH], path[KDPI_TAPE_PATH];
    struct chain chain = {.check = check, .totals = totals, .folder = folder};
    size_t count = 0;
    struct stat st;
    int rc;

    memset(totals, 0, sizeof *totals);
    totals->recv_min_ns = totals->recv_max_ns = KDP_TIME_NULL;
    kdpi_dict_init(&chain.dict);
    rc = kdpi_tape_folder(folder, sizeof folder, dir);
    if (rc == 0 && stat(folder, &st) != 0) {
        rc = kdpi_fail(KDP_ENOENT, "no tape: %s", folder);
        kdpi_hint("Name the data folder with --data DIR, or as an argument");
    }
    if (rc == 0)
        rc = kdpi_numbered(folder, ".seg", &numbers, &count);
    for (size_t i = 0; i < count; i++)
        if (kdpi_tape_path(path, sizeof path, folder, numbers[i]) == 0 && stat(path, &st) == 0)
            total_bytes += (uint64_t)st.st_size;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct kdpi_survey survey;

        rc = kdpi_survey_segment(&survey, folder, numbers[i], i + 1 == count, check, totals, done_bytes,
                                 total_bytes);
        if (rc == 0) {
            check_link(&chain, &survey);
            gather(&chain, &survey);
            hand_on(&chain, &survey);
            done_bytes += survey.size;
        } else if (rc == -KDP_ENOENT && !survey.there && chain.previous.number == 0) {
            rc = 0; /* retention took the oldest while we looked */
        }
        kdpi_survey_release(&survey);
    }
    kdpi_dict_release(&chain.dict);
    free(numbers);
    return rc;
}
