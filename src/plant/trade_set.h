/* trade_set.h - which trades stand in the stream already: a fixed-size set of trade ids over at least the
 * last 2 hours.
 *
 * Two generations: ids go into the young one; when it is full or spans a day it becomes the old one and the
 * oldest ids are forgotten, so memory is bounded and an id is remembered for a day or two (less past capacity
 * trades a day; less than 2 hours is what the evictions counter tells).  Times are those of the inputs. */
#ifndef KDPI_TRADE_SET_H
#define KDPI_TRADE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "plant.h" /* KDP_TRADES_SPAN_NS */

struct kdp_trade_set;
/* capacity: ids per generation, rounded up to a power of two; NULL when the system refuses the address space.
 */
struct kdp_trade_set *kdp_trade_set_open(uint32_t capacity);
void kdp_trade_set_close(struct kdp_trade_set *set);
/* kdp_trade_set_add returns true when the id is new. */
bool kdp_trade_set_add(struct kdp_trade_set *set, const uint8_t id[16], int64_t recv_ns);
/* kdp_trade_set_early counts generations that were full before they spanned 2 hours. */
uint64_t kdp_trade_set_early(const struct kdp_trade_set *set);

#endif
