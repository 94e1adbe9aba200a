/* gen_line.h - generated frames as the lines of a recording, in the forms that replay reads. */
#ifndef KDPI_GEN_LINE_H
#define KDPI_GEN_LINE_H

#include "gen.h"

enum kdp_gen_form {
    KDP_GEN_WRAPPED,   /* {"recv_ns":N,"conn":N,"raw":"..."} and {"recv_ns":N,"conn":N,"event":"connected"} */
    KDP_GEN_BARE,      /* the frame; no marks, no times */
    KDP_GEN_BLUEPRINT, /* {"channel":"...","message":{...}}, a frame in three escaped instead */
    KDP_GEN_RECV_MS    /* {"recv_ms":N,"raw":"..."} */
};

/* kdp_gen_line writes one line with its end to buf, which must have kdp_gen_line_max(frame->len) bytes, and
 * returns its length: 0 when the form has no way to say it (marks and commands outside WRAPPED). */
size_t kdp_gen_line(char *buf, const struct kdp_gen_frame *frame, enum kdp_gen_form form);
#define kdp_gen_line_max(len) (6 * (len) + 192)

#endif
