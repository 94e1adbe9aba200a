/* unwrap.h - one line of a recording: what form it has, when and where it was received, and the frame inside.
 *
 * Forms, told apart by their members, which may come in any order:
 *   {"type":...,"sid":...,"msg":{...}}           bare: the line is the frame
 *   {"recv_ns":N,"conn":N,"raw":"..."}           wrapped: the frame as an escaped text, or as an object
 *   {"recv_ms":N,"raw":"..."}                    the same with another name of the receive time;
 *   {"recv_ts_ns":N,"raw":"..."}                 and another
 *   {"recv_ns":N,"conn":N,"event":"connected"}   mark: a connection begins (disconnected, closed: it ends)
 *   {"channel":"...","message":{...}}            message: the frame as an object or an escaped text
 * Beside "message" a receive time may stand under the names above or as ts, timestamp or time.  Members that
 * none of these know are skipped.  One line at a time, no allocation after open; one unwrapper serves one
 * thread. */
#ifndef KDPI_UNWRAP_H
#define KDPI_UNWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* Bytes after the line that must be readable (of any value), and that scratch needs beyond the line's length:
 * the scan takes 64 bytes at a time. */
#define KDPI_UNWRAP_SLACK 64u

enum kdp_line_form { KDP_LINE_BARE, KDP_LINE_WRAPPED, KDP_LINE_MESSAGE, KDP_LINE_MARK };
enum kdp_line_event { KDP_LINE_CONNECTED = 1, KDP_LINE_DISCONNECTED, KDP_LINE_OTHER_EVENT };

struct kdp_unwrapped {
    enum kdp_line_form form;
    enum kdp_line_event event; /* of a mark */
    uint16_t conn;    /* 1 where the line names none; 0 in the line becomes 65535, since line 0 is nobody's */
    int64_t recv_ns;  /* KDP_TIME_NULL where the line has none */
    int64_t exch_ns;  /* of a bare frame: its kdpi_frame_time, found on the way; else KDP_TIME_NULL */
    const char *text; /* the frame: in the line or in scratch */
    size_t len;
    enum kdp_refusal refusal;
    size_t position; /* byte of the line at which it was refused */
    const char *why; /* static words for the refusal */
};

struct kdp_unwrapper;                            /* the JSON reader's memory, about 90 KiB */
struct kdp_unwrapper *kdpi_unwrapper_open(void); /* NULL: no memory */
void kdpi_unwrapper_close(struct kdp_unwrapper *unwrapper);

/* kdpi_unwrap takes one line apart (no line end in it).  A line that is no object of a known form is BARE and
 * whole: what it is worth is the frame decoder's to say.  A line that shows by its members that it is a
 * wrapper and cannot be read is refused; then the form is the wrapper's. */
enum kdp_refusal kdpi_unwrap(struct kdp_unwrapper *unwrapper, const char *line, size_t len, char *scratch,
                             struct kdp_unwrapped *out);

/* kdpi_frame_time gives the exchange's own time in a frame: the latest of sending_ts_ms and, of msg's
 * members, the finest that agrees with ts_ms, else ts or time; KDP_TIME_NULL when there is none or the frame
 * is not whole JSON. */
int64_t kdpi_frame_time(struct kdp_unwrapper *unwrapper, const char *frame, size_t len);

/* kdpi_frame_is_command says whether the frame is a client's command: an object with a member "cmd" and none
 * called "type". */
bool kdpi_frame_is_command(struct kdp_unwrapper *unwrapper, const char *frame, size_t len);

#endif
