/* tape_dict.h - instruments by id: what a tape's dictionaries and Definition records say of them.
 *
 * Ids are handed out densely from 1, but a file may claim anything: pages of 4,096 ids are made when one of them is
 * named, so that memory follows the instruments there are and not the highest id.  What is stored never moves:
 * tickers stay valid until release.  One thread. */
#ifndef KDPI_TAPE_DICT_H
#define KDPI_TAPE_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape.h"

#define KDPI_DICT_PAGE 4096u

struct kdpi_dict_item {
    const char *ticker; /* NUL-terminated; NULL: not known */
    const struct kdp_definition_ranges *ranges;
    uint16_t ticker_len, range_count;
};
struct kdpi_dict_page {
    uint32_t mark[KDPI_DICT_PAGE]; /* the user's: which segment named the id last */
    struct kdpi_dict_item item[KDPI_DICT_PAGE];
};
struct kdpi_dict {
    struct kdpi_dict_page **pages;
    uint32_t page_count;
    uint32_t count, id_max; /* instruments known, and the highest of their ids */
    struct kdpi_dict_chunk *chunks;
    uint32_t *by_ticker; /* hash table of ids, made on the first question */
    uint32_t by_ticker_size, by_ticker_count;
};

void kdpi_dict_init(struct kdpi_dict *dict);
void kdpi_dict_release(struct kdpi_dict *dict);
/* kdpi_dict_put stores an instrument; with keep an entry that is there already stays.  1: stored something new or
 * different, 0: nothing changed, -KDP_ENOMEM. */
int kdpi_dict_put(struct kdpi_dict *dict, const struct kdp_tape_instrument *instrument, bool keep);
/* kdpi_dict_item gives an id's item, NULL when it is not known. */
const struct kdpi_dict_item *kdpi_dict_find(const struct kdpi_dict *dict, uint32_t id);
/* kdpi_dict_mark gives the place of an id's mark (0 at first), NULL when memory is short. */
uint32_t *kdpi_dict_mark(struct kdpi_dict *dict, uint32_t id);
uint32_t kdpi_dict_id(struct kdpi_dict *dict, const char *ticker); /* 0: not known */

/* Entries as they lie in dictionary blocks and footers. */
size_t kdpi_dict_entry_bytes(const struct kdpi_dict_item *item);
void kdpi_dict_encode(uint8_t *at, uint32_t id, const struct kdpi_dict_item *item);
/* kdpi_dict_decode calls each for every entry; NULL, or why the bytes are no dictionary of count entries.  each may be
 * NULL; a value other than 0 from it ends the walk (and is no fault). */
typedef int (*kdpi_dict_each)(void *arg, const struct kdp_tape_instrument *instrument);
const char *kdpi_dict_decode(const void *payload, uint64_t bytes, uint32_t count, kdpi_dict_each each,
                             void *arg);
/* kdpi_dict_of_definition reads what a Definition record says; false when it is no whole Definition with a ticker. */
bool kdpi_dict_of_definition(const void *record, size_t size, struct kdp_tape_instrument *instrument);
/* kdpi_tape_dictionary adds what the newest segment with a number below *belowp (UINT64_MAX to begin) names and dict does
 * not know yet, and sets *belowp to its number: 1, 0 when there is none below, or an error.  Leaves loaded payloads alone. */
int kdpi_tape_dictionary(struct kdp_tape *tape, uint64_t *belowp, struct kdpi_dict *dict);

#endif
