/* tty.c - see tty.h. */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli_private.h"
#include "error.h"

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define ESCAPE_MS 50 /* the rest of a key's sequence comes at once, or it was the key Esc alone */

static int key_fd = -1;
static bool own_fd;
static volatile sig_atomic_t taken, resized;
static struct termios before;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGHUP};

/* Only what may be called in a signal handler. */
static void
restore(void)
{
    ssize_t written;

    if (!taken)
        return;
    taken = 0;
    written = write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
    (void)written;
    tcsetattr(key_fd, TCSAFLUSH, &before);
}

static void
on_fatal(int sig)
{
    restore();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void
on_resize(int sig)
{
    (void)sig;
    resized = 1;
}

static int
take(void)
{
    struct termios raw = before;
    ssize_t written;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | ISTRIP);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    taken = 1; /* before the change: what interrupts it puts it back */
    if (tcsetattr(key_fd, TCSAFLUSH, &raw) != 0) {
        taken = 0;
        return kdpi_fail_errno(errno, "cannot take the terminal");
    }
    written = write(STDOUT_FILENO, ENTER, sizeof ENTER - 1);
    (void)written;
    return 0;
}

int
kdp_tty_open(void)
{
    static bool registered;
    struct sigaction action = {0};
    int rc;

    key_fd = STDIN_FILENO;
    own_fd = false;
    if (isatty(STDIN_FILENO) == 0) {
        key_fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        own_fd = true;
        if (key_fd < 0)
            return kdpi_fail_errno(errno, "no terminal to read keys from");
    }
    if (tcgetattr(key_fd, &before) != 0)
        return kdpi_fail_errno(errno, "cannot read the terminal's state");
    rc = take();
    if (rc != 0)
        return rc;
    if (!registered)
        atexit(restore);
    registered = true;
    kdp_signal_restore = restore;
    action.sa_handler = on_fatal;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &action, NULL);
    action.sa_handler = on_resize;
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGCONT, &action, NULL);
    return 0;
}

void
kdp_tty_close(void)
{
    restore();
    kdp_signal_restore = NULL;
    if (own_fd && key_fd >= 0)
        close(key_fd);
    key_fd = -1;
    own_fd = false;
}

void
kdp_tty_suspend(void)
{
    restore();
    raise(SIGSTOP);
    take();
    resized = 1;
}

void
kdp_tty_size(unsigned *rowsp, unsigned *columnsp)
{
    struct winsize size;

    *rowsp = 24;
    *columnsp = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        *rowsp = size.ws_row;
        *columnsp = size.ws_col;
    }
}

void
kdp_tty_write(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t count = write(STDOUT_FILENO, text, len);

        if (count < 0 && errno == EINTR && kdp_cli_interrupted() == 0)
            continue;
        if (count <= 0)
            return; /* the next key will show that the terminal is gone */
        text += count;
        len -= (size_t)count;
    }
}

/* A byte, -1 when none comes in time, -2 when the terminal is gone. */
static int
next_byte(int timeout_ms)
{
    struct pollfd poll_fd = {.fd = key_fd, .events = POLLIN};
    unsigned char byte;
    int ready = poll(&poll_fd, 1, timeout_ms);

    if (ready < 0 && errno == EINTR)
        return -1;
    if (ready <= 0)
        return ready == 0 ? -1 : -2;
    if ((poll_fd.revents & POLLIN) == 0)
        return -2;
    return read(key_fd, &byte, 1) == 1 ? byte : -2;
}

static unsigned
letter_key(int c)
{
    switch (c) {
    case 'A':
        return KDP_KEY_UP;
    case 'B':
        return KDP_KEY_DOWN;
    case 'C':
        return KDP_KEY_RIGHT;
    case 'D':
        return KDP_KEY_LEFT;
    case 'H':
        return KDP_KEY_HOME;
    case 'F':
        return KDP_KEY_END;
    default:
        return KDP_KEY_NONE;
    }
}

/* Behind Esc: a key of several bytes, whole. */
static unsigned
escape_key(void)
{
    static const uint32_t numbered[] = {[1] = KDP_KEY_HOME,      [4] = KDP_KEY_END,  [5] = KDP_KEY_PAGE_UP,
                                        [6] = KDP_KEY_PAGE_DOWN, [7] = KDP_KEY_HOME, [8] = KDP_KEY_END};
    int c = next_byte(ESCAPE_MS);
    unsigned number = 0;

    if (c < 0)
        return KDP_KEY_ESCAPE;
    if (c != '[' && c != 'O')
        return KDP_KEY_NONE;
    c = next_byte(ESCAPE_MS);
    while ((c >= '0' && c <= '9') || c == ';') {
        number = c == ';' ? number : (number * 10 + (unsigned)(c - '0')) % 1000;
        c = next_byte(ESCAPE_MS);
    }
    if (c == '~')
        return number < sizeof numbered / sizeof *numbered ? numbered[number] : KDP_KEY_NONE;
    return letter_key(c);
}

unsigned
kdp_tty_key(int timeout_ms)
{
    int c, more;
    unsigned code;

    if (resized) {
        resized = 0;
        return KDP_KEY_RESIZE;
    }
    c = next_byte(timeout_ms);
    if (resized && c == -1) {
        resized = 0;
        return KDP_KEY_RESIZE;
    }
    if (c == -1)
        return KDP_KEY_NONE;
    if (c == -2)
        return KDP_KEY_CLOSED;
    if (c == 0x1b)
        return escape_key();
    if (c < 0x80)
        return (unsigned)c;
    /* a letter of several bytes, for the search */
    more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    code = (unsigned)c & (0x3fu >> more);
    for (; more > 0; more--) {
        c = next_byte(ESCAPE_MS);
        if (c < 0x80 || c > 0xbf)
            return KDP_KEY_NONE;
        code = code << 6 | ((unsigned)c & 0x3f);
    }
    return code < 0x110000 ? code : KDP_KEY_NONE;
}
