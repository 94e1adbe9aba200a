/* recording.h - a recording as a sequence of the plant's inputs, whatever form it has.
 *
 * FILE or "-", plain or compressed (by content), in any of the line forms of unwrap.h, even mixed; a JSON
 * array of frames; or a raw tape of our own (a file of it, or a data directory), whose inputs pass through
 * unchanged; those that a killed run logged and never applied are left out, where the directory tells.  Blank lines, CRLF and a byte order mark are tolerated.  A line that cannot be read is handed
 * out as malformed and never ends the reading.
 *
 * Times: where a line says when it was received, that stands.  Elsewhere the receive time is derived from the
 * messages, so that the same recording gives the same stream everywhere: the latest exchange time seen so far
 * (kdpi_frame_time), and before the first one that first one, as far as 4,096 lines ahead; a recording with
 * no time at all gets 1970-01-01. */
#ifndef KDPI_RECORDING_H
#define KDPI_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "message.h"

/* The longest line: a frame of KDPI_FRAME_MAX bytes, every second one an escape at worst, and what is around
 * it. */
#define KDP_RECORDING_LINE_MAX (2u * KDPI_FRAME_MAX + 4096u)
#define KDP_RECORDED_MALFORMED 0 /* kind of a line that is no input */

struct kdp_recorded {
    uint8_t kind;    /* KDP_RECORDED_MALFORMED, or of enum kdp_input_kind FRAME, CONNECTED, DISCONNECTED,
                        COMMAND; any from a    raw tape */
    uint8_t flags;   /* KDP_INPUT_TS_DERIVED, KDP_INPUT_BARE: no "connected" mark came before on this line */
    uint16_t line;   /* the connection */
    uint64_t number; /* of the line in the file (element of an array, input of a raw tape), from 1 */
    int64_t recv_ns;
    const char *text; /* the frame, or the malformed line (at most its first 4,096 bytes); valid until the
                         next call */
    size_t len;
    const struct kdp_input_head
        *head;        /* from a raw tape: the input as it lies there, payload at text; else NULL */
    uint64_t seq_end; /* from a raw tape: records from this number on its run never gave out, see raw.h */
    enum kdp_refusal refusal; /* of a malformed line: why */
    size_t position;          /* and at which byte of the line */
    const char *why;          /* static words */
    const char *member;       /* the member refused, "" where there is none */
};

struct kdp_recording;

int kdp_recording_open(struct kdp_recording **recordingp, const char *path);
/* kdp_recording_old_forms makes messages of other recorders be read too (old_form.h); identity names the recording.  Before the
 * first kdp_recording_next. */
int kdp_recording_old_forms(struct kdp_recording *recording, uint64_t identity);
/* kdp_recording_next gives the next input: 1, 0 at the end, or an error (a damaged or cut file, after
 * everything readable). */
int kdp_recording_next(struct kdp_recording *recording, struct kdp_recorded *out);
void kdp_recording_close(struct kdp_recording *recording);

/* Bytes of the file read so far and its size (0: unknown), for a progress bar. */
void kdp_recording_progress(const struct kdp_recording *recording, uint64_t *takenp, uint64_t *sizep);

#endif
