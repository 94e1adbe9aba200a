/* reader.h - one reader over the whole stream of a data directory: tape first, then the ring, without a visible seam.
 *
 * A reader that the ring's writer overtakes goes on from the tape.  A reader never blocks or slows the plant.  Each reader
 * belongs to one thread.  Records are those of <kdp/records.h>, whole and in order of seq; a hole in seq occurs only where
 * a Gap record (kind unused_range or retention) names it, or at the start. */
#ifndef KDP_READER_H
#define KDP_READER_H

#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

struct kdp_reader;

enum kdp_reader_flags {
    KDP_READER_DURABLE = 1, /* never passes durable_seq: for stores */
};

/* kdp_reader_open opens data directory dir at from: "oldest", "now" (after the last record published), a sequence number in
 * digits, or a time as kdp's time arguments take it (the first record received at or after it; see also "@" below).  A bare
 * number of 1 to 9 digits is a sequence number; Unix seconds need 10 digits or a leading '@'.  Works with and without a
 * running plant.  Returns 0 or a negative error (kdp/error.h); *readerp is
 * NULL then.  The caller closes the reader; what it gave out is gone with it. */
int kdp_reader_open(struct kdp_reader **readerp, const char *dir, const char *from, unsigned flags);
int kdp_reader_open_seq(struct kdp_reader **readerp, const char *dir, uint64_t seq, unsigned flags);
void kdp_reader_close(struct kdp_reader *reader);

/* kdp_reader_next gives the next record: its size in bytes, 0 when there is none at the moment, negative on error (damage on
 * the tape; the reader may be asked again and goes on behind it).  *recp is valid until the next call on this reader. */
int kdp_reader_next(struct kdp_reader *reader, const struct kdp_head **recp);
/* kdp_reader_run gives a whole run of records that lie together (a tape block, or one ring record): bytes, 0, or negative.
 * For bulk scans. */
int kdp_reader_run(struct kdp_reader *reader, const void **recordsp, size_t *bytesp);
/* kdp_reader_wait sleeps until there may be more, at most timeout_ms; returns 1 when there is, 0 on timeout. */
int kdp_reader_wait(struct kdp_reader *reader, int timeout_ms);

/* kdp_reader_filter skips tape blocks that hold none of the templates (bit n of mask: template id n) or, when instrument is
 * not 0, not that instrument.  What comes may still hold others: it skips blocks, not records. */
void kdp_reader_filter(struct kdp_reader *reader, uint32_t template_mask, uint32_t instrument);
/* kdp_reader_seek goes to a sequence number (0: oldest). */
int kdp_reader_seek(struct kdp_reader *reader, uint64_t seq);

uint64_t kdp_reader_seq(const struct kdp_reader *reader);   /* of the record that next will give, at least */
uint64_t kdp_reader_head(struct kdp_reader *reader);        /* last sequence number published now, 0: none */
/* kdp_reader_oldest gives the number from which on all that was ever given out can be had, 0: none. */
uint64_t kdp_reader_oldest(struct kdp_reader *reader);
/* kdp_reader_hole finds the first numbers in from..to that were given out and cannot be had any more, because retention was
 * quicker or kdp tape repair noted them as lost; 0: none.  Damage that is not repaired yet is no hole but an error of next. */
int kdp_reader_hole(struct kdp_reader *reader, uint64_t from, uint64_t to, uint64_t *firstp, uint64_t *lastp);
uint64_t kdp_reader_overruns(const struct kdp_reader *reader);

/* kdp_reader_ticker gives the ticker of an instrument id as known so far (dictionaries of the segments, definitions passed
 * or in the ring); NULL when unknown.  Valid until close. */
const char *kdp_reader_ticker(struct kdp_reader *reader, uint32_t instrument);
/* kdp_reader_instrument is the way back; 0 when the ticker is unknown. */
uint32_t kdp_reader_instrument(struct kdp_reader *reader, const char *ticker);
/* kdp_reader_instrument_max gives the highest id known. */
uint32_t kdp_reader_instrument_max(struct kdp_reader *reader);

#endif
