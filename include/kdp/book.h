/* book.h - one market's resting size by price level, exact, and its best prices.
 *
 * Pure memory: no I/O, no clock, no allocation after kdp_book_pool_open.  All prices are on the YES scale, in 1e-4
 * dollar (0..10000); sizes in 1e-2 contract.  Side YES holds bids, side NO holds offers for YES: a resting NO bid at q
 * in the exchange's NO leg stands here at 10000 - q.  A book is dense over its market's own tick grid (a storage hint,
 * never a filter: a price off the grid widens the storage and is applied) with an occupancy bitmap.
 * One thread writes and reads a pool's books; other threads read the records made from them. */
#ifndef KDP_BOOK_H
#define KDP_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

#define KDP_PRICE_MAX 10000     /* 1e-4 dollar */
#define KDP_BOOK_RANGES_MAX 16u /* bands of one grid */

struct kdp_book;
struct kdp_book_pool;

enum kdp_book_verdict {
    KDP_BOOK_APPLIED = 0,
    KDP_BOOK_OFF_GRID, /* applied; the price is not on the market's known grid: count it */
    KDP_BOOK_NOT_LIVE, /* ignored: the book waits for a snapshot */
    KDP_BOOK_NEGATIVE, /* refused: the level would go below zero; the book is stale from now on */
    KDP_BOOK_BAD_LEVEL, /* refused: price outside 0..10000, side unknown, a snapshot level with size < 0 or given
                           twice, a size or a side's total beyond int64; the book is stale from now on */
    KDP_BOOK_NO_MEMORY /* refused: the pool is used up; the book is stale from now on */
};

enum kdp_market_state { KDP_MARKET_NORMAL = 0, KDP_MARKET_LOCKED, KDP_MARKET_CROSSED };

struct kdp_top { /* best prices; sides without a level have price KDP_PRICE_NULL and size 0 */
    int32_t bid_e4, ask_e4;
    int64_t bid_size_e2, ask_size_e2;
};

struct kdp_book_level {
    int32_t price_e4;
    int64_t size_e2;
};

struct kdp_tick_range { /* bands are contiguous with inclusive ends, steps count from the band's start */
    int32_t start_e4, end_e4, step_e4;
};

/* kdp_book_pool_open reserves address space for books_max books and bytes_max bytes of levels (pages are taken as they
 * are used), NULL when the system refuses.  The caller closes it when no book of it is used any more. */
struct kdp_book_pool *kdp_book_pool_open(uint32_t books_max, size_t bytes_max);
void kdp_book_pool_close(struct kdp_book_pool *pool);
/* kdp_book_pool_used gives the bytes of the pool in use, tables included. */
size_t kdp_book_pool_used(const struct kdp_book_pool *pool);

/* kdp_book_new takes an empty book out of the pool, state STALE, laid out at whole cents with no grid known (so that
 * nothing is off it); NULL when the pool is used up.  kdp_book_free gives it back. */
struct kdp_book *kdp_book_new(struct kdp_book_pool *pool);
void kdp_book_free(struct kdp_book_pool *pool, struct kdp_book *book);

/* kdp_book_set_grid makes the given bands (any order, at most KDP_BOOK_RANGES_MAX) the market's known grid, lays the
 * book out for them and keeps every level.  Ranges that are empty, overlap or do not fit 0..10000 return BAD_LEVEL; a
 * pool that has no room for one more kind of grid returns NO_MEMORY.  Either leaves the grid as it was.  The book's state
 * never changes here. */
enum kdp_book_verdict kdp_book_set_grid(struct kdp_book *book, const struct kdp_tick_range *ranges,
                                        uint32_t count);

/* kdp_book_apply adds delta_e2 to one level of a live book; a level at exactly 0 is gone.  *size_e2p gets the size
 * after it (when applied).  A refused delta changes no level. */
enum kdp_book_verdict kdp_book_apply(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t delta_e2,
                                     int64_t *size_e2p);

/* kdp_book_prefetch asks for the memory that an apply at this price will touch; useful as soon as market and price of a
 * message are known and other work remains to be done.  Never faults, whatever side and price are. */
void kdp_book_prefetch(const struct kdp_book *book, uint8_t side, int32_t price_e4);

/* kdp_book_begin, _put and _commit replace the whole book: begin empties both sides, put adds one level, commit makes
 * the book live.  A put of size 0 adds nothing: it can only mean "no level here", and to refuse it would keep a
 * market dark for ever.  A refused put leaves the book empty and stale; every put after it and commit return that
 * verdict.  Between begin and commit the book takes no delta. */
void kdp_book_begin(struct kdp_book *book);
enum kdp_book_verdict kdp_book_put(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t size_e2);
enum kdp_book_verdict kdp_book_commit(struct kdp_book *book);

/* kdp_book_settle is called once after each message: it compares the best prices with those of the last call, writes
 * them to *topp, follows how long the market is locked or crossed (now_ns, non-decreasing), and returns true when any
 * of the four numbers changed.  A new book's last ones are two empty sides.  The comparison does not look at the
 * state; locked and crossed time is that of a live book only and ends with the last settle before it left that state. */
bool kdp_book_settle(struct kdp_book *book, int64_t now_ns, struct kdp_top *topp);

enum kdp_book_state kdp_book_state(const struct kdp_book *book);
void kdp_book_set_state(struct kdp_book *book, enum kdp_book_state state);

void kdp_book_top(const struct kdp_book *book, struct kdp_top *topp);
/* kdp_book_hash is the sum modulo 2^64 of kdp_level_hash over all levels, kept as the book changes; 0 when empty.
 * kdp_level_hash, all modulo 2^64, side 1 (YES) or 2 (NO), price on the YES scale:
 *   x = size_e2 + 0x9e3779b97f4a7c15 * (side * 65536 + price_e4)
 *   x = (x xor (x >> 30)) * 0xbf58476d1ce4e5b9
 *   x = (x xor (x >> 27)) * 0x94d049bb133111eb
 *   hash = x xor (x >> 31) */
uint64_t kdp_book_hash(const struct kdp_book *book);
uint64_t kdp_level_hash(uint8_t side, int32_t price_e4, int64_t size_e2);
uint32_t kdp_book_level_count(const struct kdp_book *book, uint8_t side);
int64_t kdp_book_size_total(const struct kdp_book *book, uint8_t side);
/* kdp_book_depth copies up to max levels of a side, best first (bids downwards, offers upwards), and returns how many. */
uint32_t kdp_book_depth(const struct kdp_book *book, uint8_t side, struct kdp_book_level *levels,
                        uint32_t max);
/* kdp_book_mid_e5 and kdp_book_spread_e4: mid in 1e-5 dollar (exact), spread may be negative when crossed;
 * KDP_PRICE_NULL when a side is empty. */
int32_t kdp_book_mid_e5(const struct kdp_book *book);
int32_t kdp_book_spread_e4(const struct kdp_book *book);
/* kdp_book_market_state gives the state since *since_nsp (KDP_TIME_NULL when normal) and the total time spent locked
 * and crossed until the last settle, in ns. */
enum kdp_market_state kdp_book_market_state(const struct kdp_book *book, int64_t *since_nsp,
                                            int64_t *locked_nsp, int64_t *crossed_nsp);

#endif
