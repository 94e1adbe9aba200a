/* instruments.h - DIR/instruments: every id ever given out in a data directory, by line "id ticker checksum".
 *
 * The tape forgets with its segments; this file does not, so that an id never means two things.  The tape
 * agent appends a line before the record that defines the id reaches the tape.  A line with "-" for the
 * ticker says that ids up to it are used up, whoever had them (a ring was lost).  Bytes of a ticker outside
 * printable ASCII, blanks and '%' stand as %XX. */
#ifndef KDPI_INSTRUMENTS_H
#define KDPI_INSTRUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

struct kdpi_instruments;

/* kdpi_instruments_open reads dir's file, cuts a torn tail, and mends a missing or damaged one from the
 * dictionaries of the tape.  *existedp says whether there was one. */
int kdpi_instruments_open(struct kdpi_instruments **logp, const char *dir);
void kdpi_instruments_close(struct kdpi_instruments *log);
/* kdpi_instruments_list gives those with a ticker, ascending by id, as read at open. */
const struct kdp_stream_instrument *kdpi_instruments_list(const struct kdpi_instruments *log, size_t *countp);
/* kdpi_instruments_max gives the highest id used up, those added included. */
uint32_t kdpi_instruments_max(const struct kdpi_instruments *log);
/* kdpi_instruments_add notes an id above the highest, with its ticker (len 0: used up); durable after the
 * next kdpi_instruments_sync, which does nothing when there is nothing. */
int kdpi_instruments_add(struct kdpi_instruments *log, uint32_t id, const char *ticker, size_t len);
int kdpi_instruments_sync(struct kdpi_instruments *log);

#endif
