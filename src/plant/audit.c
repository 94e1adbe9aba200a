/* audit.c - books compared with what REST says of them.
 *
 * REST lags the line by seconds, so that one instant proves nothing: a book keeps its hashes from its AUDIT
 * timer on, and a REST book that equals any of them agrees.  Three disagreements in a row are drift. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "plant_private.h"
#include "rest.h"

#define BOOKS 64u
#define HASHES 4096u /* of one book */
#define DRIFT_AFTER 3u

struct plant_audits {
    uint32_t instruments[BOOKS]; /* 0: free */
    uint32_t counts[BOOKS];      /* hashes since its timer */
    uint32_t next;               /* the one to give up when all are in use */
    uint64_t *hashes;            /* BOOKS x HASHES, touched as they are used */
};

#define HASH_BYTES ((size_t)BOOKS * HASHES * sizeof(uint64_t))

bool
audit_open(struct kdp_plant *plant)
{
    plant->audits = calloc(1, sizeof *plant->audits);
    if (plant->audits == NULL)
        return false;
    plant->audits->hashes = kdpi_reserve(HASH_BYTES);
    return plant->audits->hashes != NULL;
}

void
audit_close(struct kdp_plant *plant)
{
    if (plant->audits == NULL)
        return;
    kdpi_unreserve(plant->audits->hashes, HASH_BYTES);
    free(plant->audits);
}

void
audit_push(struct kdp_plant *plant, const struct kdp_instrument *item)
{
    struct plant_audits *audits = plant->audits;
    uint32_t slot = item->audit - 1u;

    audits->hashes[slot * HASHES + audits->counts[slot] % HASHES] = kdp_book_hash(item->book);
    audits->counts[slot]++;
}

static void
end_audit(struct kdp_plant *plant, uint32_t slot)
{
    uint32_t id = plant->audits->instruments[slot];

    if (id != 0)
        kdp_instruments_at(plant->instruments, id)->audit = 0;
    plant->audits->instruments[slot] = 0;
    plant->audits->counts[slot] = 0;
}

void
audit_begin(struct kdp_plant *plant, uint32_t id)
{
    struct plant_audits *audits = plant->audits;
    struct kdp_instrument *item;
    uint32_t slot;

    if (id == 0 || id > kdp_instruments_max(plant->instruments))
        return;
    item = kdp_instruments_at(plant->instruments, id);
    if (item->book == NULL)
        return;
    if (item->audit != 0)
        end_audit(plant, item->audit - 1u);
    for (slot = 0; slot < BOOKS && audits->instruments[slot] != 0; slot++)
        ;
    if (slot == BOOKS) { /* an answer that never came */
        slot = audits->next;
        audits->next = (audits->next + 1) % BOOKS;
        end_audit(plant, slot);
        plant_count(plant, COUNT_AUDITS_UNKNOWN, 1);
    }
    audits->instruments[slot] = id;
    item->audit = (uint8_t)(slot + 1);
    audit_push(plant, item);
}

static uint64_t
hash_of(const struct kdp_rest_book *book)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < book->count; i++) {
        const struct kdp_message_level *level = &book->levels[i];

        if (level->size_e2 != 0)
            hash += kdp_level_hash(level->side,
                                   level->side == KDP_SIDE_NO ? KDP_PRICE_MAX - level->price_e4
                                                              : level->price_e4,
                                   level->size_e2);
    }
    return hash;
}

void
audit_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    struct kdp_notice notice = {
        .kind = KDP_NOTICE_AUDIT, .line = plant->input->line, .instrument = id, .audit = {.agrees = true}};
    struct plant_audits *audits = plant->audits;
    uint32_t slot, kept;
    uint64_t hash;
    bool found = false, whole;

    if (item->audit == 0) /* nobody asked, or its history had to make room */
        return;
    slot = item->audit - 1u;
    hash = hash_of(book);
    whole = audits->counts[slot] <= HASHES && item->state == KDP_BOOK_STATE_LIVE;
    kept = audits->counts[slot] < HASHES ? audits->counts[slot] : HASHES;
    for (uint32_t i = 0; i < kept && !found; i++)
        found = audits->hashes[slot * HASHES + i] == hash;
    end_audit(plant, slot);
    plant->totals.audits++;
    plant_count(plant, COUNT_AUDITS, 1);
    if (found) {
        item->disagreed = 0;
    } else if (!whole) { /* it may have been equal to what is no longer known, or it is known to be wrong */
        plant_count(plant, COUNT_AUDITS_UNKNOWN, 1);
    } else {
        notice.audit.agrees = false;
        plant->totals.disagreements++;
        plant_count(plant, COUNT_DISAGREEMENTS, 1);
        if (++item->disagreed >= DRIFT_AFTER) {
            item->disagreed = 0;
            notice.audit.drift = true;
            plant->totals.drifts++;
            plant_count(plant, COUNT_DRIFTS, 1);
            market_drift(plant, id);
        }
    }
    if (plant->config.notice != NULL)
        plant->config.notice(plant->config.notice_arg, &notice);
}
