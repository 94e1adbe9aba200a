/* old_form.h - messages that recorders of other making wrote, put into the exchange's form of today.
 *
 * Taken (docs/design/record.md): flat messages ({"type":"orderbook_delta","ticker":"X","side":"yes","price":0.68,"delta":500,
 * "seq":7}, also with bids and asks), the type in the wrapper's channel alone, prices as floating point numbers, names of before
 * March 2026, and the envelope {"event_type","sequence_number","connection_id","local_recv_ns","payload_json"}.  A frame in the
 * exchange's own form, old or new, is left as it is.  Nothing is rounded: what is finer than the exchange's units is refused.
 *
 * Prices: a number written whole is cents; with a point it is dollars up to 1 and cents above.  NO prices are in the NO leg, asks
 * on the YES scale become NO bids at 1 - price. */
#ifndef KDPI_OLD_FORM_H
#define KDPI_OLD_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwrap.h"

struct kdp_old_form;
/* identity names the recording: ids of trades that have none are made of it and of the line's number. */
struct kdp_old_form *kdpi_old_form_open(uint64_t identity); /* NULL: no memory */
void kdpi_old_form_close(struct kdp_old_form *old);

/* kdpi_old_form looks at one line after kdpi_unwrap: *u is left alone, or made to hold the frame in today's form (in memory of old,
 * valid until the next call), a mark, or a refusal whose place is in u->text as it was.  member names what was refused, "". */
void kdpi_old_form(struct kdp_old_form *old, const char *line, size_t len, uint64_t number,
                   struct kdp_unwrapped *u, const char **memberp);

#endif
