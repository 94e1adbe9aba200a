/* book_model.h - an order book as one would write it on the first day: two sorted arrays, everything else
 * worked out anew each time.  The tests and the fuzzer hold the real book against it.
 *
 * Nothing is shared with src/book but the types of kdp/book.h; the level hash is written out a second time.
 */
#ifndef KDP_BOOK_MODEL_H
#define KDP_BOOK_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kdp/book.h"

struct model_side {
    struct kdp_book_level *levels; /* rising prices */
    uint32_t count, room;
};

struct model_book {
    struct model_side sides[2]; /* YES, NO */
    struct kdp_tick_range ranges[KDP_BOOK_RANGES_MAX];
    uint32_t range_count;
    enum kdp_book_state state;
    bool replacing;
    enum kdp_book_verdict refused;
    struct kdp_top last;
    enum kdp_market_state market;
    int64_t since_ns, settled_ns, locked_ns, crossed_ns;
};

void model_open(struct model_book *model);
void model_close(struct model_book *model);
enum kdp_book_verdict model_set_grid(struct model_book *model, const struct kdp_tick_range *ranges,
                                     uint32_t count);
enum kdp_book_verdict model_apply(struct model_book *model, uint8_t side, int32_t price_e4, int64_t delta_e2,
                                  int64_t *size_e2p);
void model_begin(struct model_book *model);
enum kdp_book_verdict model_put(struct model_book *model, uint8_t side, int32_t price_e4, int64_t size_e2);
enum kdp_book_verdict model_commit(struct model_book *model);
void model_set_state(struct model_book *model, enum kdp_book_state state);
bool model_settle(struct model_book *model, int64_t now_ns, struct kdp_top *topp);
int64_t model_size(const struct model_book *model, uint8_t side, int32_t price_e4);

/* model_difference compares the whole state, level by level: NULL when equal, else words for what differs. */
const char *model_difference(const struct model_book *model, const struct kdp_book *book);

/* Every tick structure of the exchange by its name; model_structure_at returns NULL past the end. */
struct model_structure {
    const char *name;
    struct kdp_tick_range ranges[3];
    uint32_t count;
    uint32_t prices; /* on the grid, both ends included */
};
const struct model_structure *model_structure_at(unsigned index);

#endif
