/* cli.c - one invocation as commands see it: values, errors, terminal, signals, the end. */
#include "cli_private.h"
#include "clock.h"
#include "error.h"
#include "kdp/records.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- values ------------------------------------------------------------------------------------- */

static const struct kdp_setting *
row(const struct kdp_cli *cli, const char *name)
{
    const struct kdp_setting *setting = kdpi_setting_find(name);

    KDP_ASSERT(setting != NULL);
    KDP_ASSERT(kdp_command_takes(cli->command, setting));
    return setting;
}

const char *
kdp_cli_text(const struct kdp_cli *cli, const char *name)
{
    return kdpi_settings_text(cli->settings, row(cli, name));
}

void
kdp_cli_origin(const struct kdp_cli *cli, const char *name, char *buf, size_t size)
{
    kdpi_settings_origin(cli->settings, row(cli, name), buf, size);
}

bool
kdp_cli_given(const struct kdp_cli *cli, const char *name)
{
    return kdpi_settings_given(cli->settings, row(cli, name));
}

bool
kdp_cli_switch(const struct kdp_cli *cli, const char *name)
{
    return kdpi_settings_switch(cli->settings, row(cli, name));
}

int64_t
kdp_cli_count(const struct kdp_cli *cli, const char *name)
{
    return kdpi_settings_count(cli->settings, row(cli, name));
}

void
kdp_cli_shell_word(char *buf, size_t size, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-+,:=@%";
    size_t len = 0;

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        snprintf(buf, size, "%s", word);
        return;
    }
    buf[len++] = '\'';
    for (; *word != '\0' && len + 6 < size; word++)
        len += (size_t)snprintf(buf + len, size - len, *word == '\'' ? "'\\''" : "%c", *word);
    snprintf(buf + len, size - len, "'");
}

/* One option of a typed command: " --NAME VALUE", for a list once for each value. */
static void
put_typed(FILE *out, const struct kdp_cli *cli, const struct kdp_setting *setting)
{
    char word[4200];

    kdp_cli_origin(cli, setting->name, word, sizeof word);
    if (strncmp(word, "--", 2) != 0) /* the environment and the settings file are there the next time */
        return;
    if (setting->type == KDP_SETTING_SWITCH) {
        fprintf(out, " --%s%s", kdp_cli_switch(cli, setting->name) ? "" : "no-", setting->name);
    } else if (setting->type == KDP_SETTING_LIST) {
        const char *const *values;
        unsigned count = kdp_cli_list(cli, setting->name, &values);

        for (unsigned i = 0; i < count; i++) {
            kdp_cli_shell_word(word, sizeof word, values[i]);
            fprintf(out, " --%s %s", setting->name, word);
        }
    } else {
        kdp_cli_shell_word(word, sizeof word, kdp_cli_text(cli, setting->name));
        fprintf(out, " --%s %s", setting->name, word);
    }
}

void
kdp_cli_typed(FILE *out, const struct kdp_cli *cli, const char *names)
{
    while (names[strspn(names, " ")] != '\0') {
        char name[32];
        const struct kdp_setting *setting;
        size_t len;

        names += strspn(names, " ");
        len = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)len, names);
        names += len;
        setting = kdpi_setting_find(name);
        if (setting != NULL && kdp_command_takes(cli->command, setting))
            put_typed(out, cli, setting);
    }
}

/* The index in the row's choices, -1 when not given. */
static int
choice_of(const struct kdp_cli *cli, const char *name)
{
    const struct kdp_setting *setting = row(cli, name);
    const char *text = kdpi_settings_text(cli->settings, setting);

    return text != NULL ? kdpi_choice_index(setting->choices, text) : -1;
}

unsigned
kdp_cli_list(const struct kdp_cli *cli, const char *name, const char *const **valuesp)
{
    return kdpi_settings_list(cli->settings, row(cli, name), valuesp);
}

int
kdp_cli_time(const struct kdp_cli *cli, const char *name, int64_t *nsp)
{
    const char *text = kdp_cli_text(cli, name);

    *nsp = KDP_TIME_NULL;
    return text != NULL ? kdpi_time_parse(text, strlen(text), nsp) : 0;
}

int
kdp_cli_range(const struct kdp_cli *cli, int64_t *start_nsp, int64_t *end_nsp)
{
    const char *start = kdp_cli_text(cli, "start"), *end = kdp_cli_text(cli, "end");
    char day[KDPI_TIME_TEXT], next[KDPI_TIME_TEXT];

    kdp_cli_time(cli, "start", start_nsp);
    kdp_cli_time(cli, "end", end_nsp);
    if (end == NULL)
        *end_nsp = INT64_MAX;
    if (start == NULL || end == NULL || *start_nsp < *end_nsp)
        return 0;
    kdpi_day_format(day, kdpi_day_of(*end_nsp));
    kdpi_day_format(next, kdpi_day_of(*end_nsp) + 1);
    kdpi_fail(KDP_EUSAGE, "--start %s is not before --end %s", start, end);
    kdpi_hint("One day is --start %s --end %s", day, next);
    return kdp_cli_error(cli, -KDP_EUSAGE);
}

unsigned
kdp_cli_positional(const struct kdp_cli *cli, const char *const **argsp)
{
    *argsp = cli->positional;
    return cli->positional_count;
}

enum kdp_format
kdp_cli_format(const struct kdp_cli *cli)
{
    int choice = choice_of(cli, "format");

    return choice < 0 ? KDP_FORMAT_TABLE : (enum kdp_format)choice;
}

bool
kdp_cli_quiet(const struct kdp_cli *cli)
{
    return cli->settings != NULL && kdpi_settings_switch(cli->settings, kdpi_setting_find("quiet"));
}

/* ---- terminal ----------------------------------------------------------------------------------- */

bool
kdp_cli_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int
kdp_cli_width(FILE *stream)
{
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    int fd = fileno(stream);
    int64_t n;

    if (fd < 0 || !isatty(fd))
        return 0;
    if (columns == NULL || kdpi_parse_count(columns, &n) != 0 || n < 1 || n > 10000)
        n = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    return n < 20 ? 20 : (int)n;
}

bool
kdp_cli_color(const struct kdp_cli *cli, FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    const struct kdp_setting *setting = kdpi_setting_find("color");
    const char *when = cli->settings != NULL ? kdpi_settings_text(cli->settings, setting) : NULL;
    int choice = when != NULL ? kdpi_choice_index(setting->choices, when) : 0;

    if (choice > 0)
        return choice == 1;
    if (no_color != NULL && *no_color != '\0')
        return false;
    return term != NULL && strcmp(term, "dumb") != 0 && kdp_cli_width(stream) > 0;
}

const char *
kdp_cli_paint(const struct kdp_cli *cli, FILE *stream, enum kdp_paint paint)
{
    /* blue and orange, told apart with every kind of colour blindness; never red against green */
    static const char *const codes[] = {"\033[0m", "\033[38;5;32m", "\033[38;5;166m", "\033[7m", "\033[1m"};

    return kdp_cli_color(cli, stream) ? codes[paint] : "";
}

/* ---- words on stderr ---------------------------------------------------------------------------- */

static void
put_words(const char *kind, const char *text, const char *hint)
{
    char shown[2048];

    fflush(stdout); /* so that an answer's beginning stands before what is said about its end */
    kdpi_escape(shown, sizeof shown, text, strlen(text));
    fprintf(stderr, "kdp: %s%s\n", kind, shown);
    if (hint != NULL && *hint != '\0')
        fprintf(stderr, "  %s\n", hint);
}

int
kdp_cli_error(const struct kdp_cli *cli, int code)
{
    (void)cli;
    put_words("error: ", kdp_error_text(), kdp_error_hint());
    return code == -KDP_EUSAGE || code == KDP_EUSAGE ? KDP_EXIT_USAGE : KDP_EXIT_FAILED;
}

int
kdp_cli_usage(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    kdpi_fail(KDP_EUSAGE, "%s", text);
    if (hint != NULL)
        kdpi_hint("%s", hint);
    else if (cli->command != NULL)
        kdpi_hint("kdp help %s", cli->command->name);
    return kdp_cli_error(cli, -KDP_EUSAGE);
}

void
kdp_cli_warning(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    if (kdp_cli_quiet(cli))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_words("warning: ", text, hint);
}

void
kdp_cli_notice(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    if (kdp_cli_quiet(cli))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_words("notice: ", text, hint);
}

void
kdp_cli_say(const struct kdp_cli *cli, const char *fmt, ...)
{
    va_list args;

    if (kdp_cli_quiet(cli))
        return;
    fflush(stdout);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- signals ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t caught;
volatile int kdp_bar_drawn;
void (*volatile kdp_signal_restore)(void);

static void
on_signal(int sig)
{
    if (caught != 0) {
        if (kdp_bar_drawn) {
            ssize_t ignored = write(STDERR_FILENO, "\r\033[K", 4);

            (void)ignored;
        }
        if (kdp_signal_restore != NULL)
            kdp_signal_restore();
        _exit(128 + sig);
    }
    caught = sig;
    alarm(1);
}

/* A signal may come just before a read that then waits for ever; being asked again each second ends that wait too. */
static void
on_alarm(int sig)
{
    (void)sig;
    alarm(1);
}

void
kdp_signals_install(void)
{
    struct sigaction action = {0};

    /* no SA_RESTART: a read from a silent pipe must come back, or the first Ctrl-C would do nothing */
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL); /* a limit on file sizes is a full disk, which can be waited out */
}

int
kdp_cli_interrupted(void)
{
    return caught;
}

int
kdp_cli_stopped(const struct kdp_cli *cli)
{
    (void)cli;
    return caught != 0 ? 128 + caught : KDP_EXIT_FAILED;
}

/* ---- the end ------------------------------------------------------------------------------------ */

static int output_errno;

bool
kdp_cli_output_failed(void)
{
    if (!ferror(stdout))
        return false;
    if (output_errno == 0)
        output_errno = errno;
    return true;
}

static bool
reader_gone(void)
{
    struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};

    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

int
kdp_cli_finish(const struct kdp_cli *cli, int code)
{
    bool failed = ferror(stdout) != 0;

    /* stdio forgets why an earlier write failed; a closed pipe can be asked for, and a full disk stays full
     */
    errno = 0;
    if (fflush(stdout) != 0) {
        failed = true;
        output_errno = errno;
    }
    if (!failed)
        return code;
    if (output_errno == EPIPE || reader_gone())
        return code == KDP_EXIT_FAILED ? KDP_EXIT_FAILED : KDP_EXIT_DONE;
    if (output_errno == EINTR && caught != 0)
        return kdp_cli_stopped(cli);
    kdpi_fail_errno(output_errno != 0 ? output_errno : EIO, "cannot write the output");
    fprintf(stderr, "kdp: error: %s\n", kdp_error_text());
    return KDP_EXIT_FAILED;
}

void
kdp_cli_csv_text(FILE *out, const char *text, size_t len)
{
    bool quote = false;

    for (size_t i = 0; i < len && !quote; i++)
        quote = text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (!quote) {
        fwrite(text, 1, len, out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            fputc('"', out);
        fputc(text[i], out);
    }
    fputc('"', out);
}
