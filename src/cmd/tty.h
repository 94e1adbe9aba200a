/* tty.h - a terminal taken over for a full screen: keys one by one, its size, and its return to what it was whatever ends the
 * program (SIGKILL apart).  Keys come from standard input when that is a terminal, else from /dev/tty, so that data may be
 * piped in.  One at a time. */
#ifndef KDPI_TTY_H
#define KDPI_TTY_H

#include <stdbool.h>
#include <stddef.h>

enum kdp_key { /* what is no character; characters are their code points below 0x110000 */
               KDP_KEY_NONE = 0,
               KDP_KEY_UP = 0x110000,
               KDP_KEY_DOWN,
               KDP_KEY_LEFT,
               KDP_KEY_RIGHT,
               KDP_KEY_PAGE_UP,
               KDP_KEY_PAGE_DOWN,
               KDP_KEY_HOME,
               KDP_KEY_END,
               KDP_KEY_ESCAPE,
               KDP_KEY_RESIZE, /* the window changed, or the program was in the background */
               KDP_KEY_CLOSED  /* the terminal is gone */
};

/* kdp_tty_open switches to the other screen: 0, or an error with words. */
int kdp_tty_open(void);
/* kdp_tty_close gives the terminal back; harmless when it was not taken, and done by itself at exit and in a crash. */
void kdp_tty_close(void);
void kdp_tty_size(unsigned *rowsp, unsigned *columnsp);
/* kdp_tty_key waits at most timeout_ms for a key; KDP_KEY_NONE when none came. */
unsigned kdp_tty_key(int timeout_ms);
void kdp_tty_write(const char *text, size_t len);
/* kdp_tty_suspend stops the program as Ctrl-Z does, and comes back when it goes on. */
void kdp_tty_suspend(void);

#endif
