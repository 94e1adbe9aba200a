/* sealer.c - see sealer.h. */
#include "sealer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "error.h"

extern char **environ;

static int
spawn(struct kdp_sealer *sealer)
{
    char self[4096], name[] = "kdp", command[] = "seal", follow[] = "--follow", option[] = "--data",
                     terms[] = "--terms", no_terms[] = "--no-terms";
    char *argv[] = {name, command, follow, option, sealer->dir, sealer->terms ? terms : no_terms, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    int ends[2], rc;

    if (len <= 0)
        return kdpi_fail_errno(errno, "cannot find this program's own file");
    self[len] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return kdpi_fail_errno(errno, "cannot make a pipe for the sealer");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    /* a process group of its own: Ctrl-C is for us, and we end the sealer when it has had everything */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    rc = posix_spawn(&sealer->pid, self, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    if (rc != 0) {
        close(ends[1]);
        sealer->pid = 0;
        return kdpi_fail_errno(rc, "cannot start the sealer: %s", self);
    }
    sealer->input = ends[1];
    return 0;
}

int
kdp_sealer_start(struct kdp_sealer *sealer, const char *dir, bool terms, int64_t mono_ns)
{
    *sealer = (struct kdp_sealer){
        .input = -1, .terms = terms, .started_mono = mono_ns, .backoff_ns = KDP_SEALER_BACKOFF_MIN_NS};
    if (snprintf(sealer->dir, sizeof sealer->dir, "%s", dir) >= (int)sizeof sealer->dir)
        return kdpi_fail(KDP_EINVAL, "path of the data directory is too long: %.64s...", dir);
    return spawn(sealer);
}

/* Takes note of how it ended. */
static void
ended(struct kdp_sealer *sealer, int status)
{
    snprintf(sealer->words, sizeof sealer->words, "%s %d", WIFSIGNALED(status) ? "signal" : "code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    sealer->no_sql = WIFEXITED(status) && WEXITSTATUS(status) == KDP_EXIT_NO_SQL;
    close(sealer->input);
    sealer->input = -1;
    sealer->pid = 0;
}

int
kdp_sealer_check(struct kdp_sealer *sealer, int64_t mono_ns)
{
    int status;

    if (sealer->pid != 0) {
        if (waitpid(sealer->pid, &status, WNOHANG) != sealer->pid)
            return 0;
        ended(sealer, status);
        if (sealer->no_sql)
            return 0; /* without DuckDB the sealer has said so, and sealing waits for the next run */
        if (mono_ns - sealer->started_mono > 2 * KDP_SEALER_BACKOFF_MAX_NS)
            sealer->backoff_ns = KDP_SEALER_BACKOFF_MIN_NS; /* it ran well for a while */
        sealer->again_mono = mono_ns + sealer->backoff_ns;
        sealer->backoff_ns = sealer->backoff_ns * 2 < KDP_SEALER_BACKOFF_MAX_NS ? sealer->backoff_ns * 2
                                                                                : KDP_SEALER_BACKOFF_MAX_NS;
        return 1;
    }
    if (sealer->again_mono == 0 || mono_ns < sealer->again_mono)
        return 0;
    sealer->started_mono = mono_ns;
    sealer->again_mono = 0;
    if (spawn(sealer) != 0) { /* no memory, no process: it is tried again */
        sealer->again_mono = mono_ns + sealer->backoff_ns;
        return 0;
    }
    sealer->restarts++;
    return 2;
}

int
kdp_sealer_end(struct kdp_sealer *sealer)
{
    int status = 0;
    pid_t got;

    if (sealer->pid == 0 && sealer->again_mono == 0)
        return 0; /* there was none, or DuckDB is not there */
    /* one more for what a killed one left, be it killed before or now */
    for (unsigned tries = 0; tries < 2; tries++) {
        if (sealer->pid == 0 && spawn(sealer) != 0)
            return -KDP_EINCOMPLETE;
        close(sealer->input); /* its sign to seal up to the head and end */
        sealer->input = -1;
        do
            got = waitpid(sealer->pid, &status, 0);
        while (got < 0 && errno == EINTR);
        sealer->pid = 0;
        sealer->again_mono = 0;
        if (got <= 0 || !WIFSIGNALED(status))
            break;
    }
    if (got > 0 && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KDP_EXIT_NO_SQL))
        return 0;
    kdpi_fail(KDP_EINCOMPLETE, "the lake was not sealed: the sealer ended with %s %d",
              WIFSIGNALED(status) ? "signal" : "code",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    kdpi_hint("Nothing is lost, the tape has it: kdp seal --data DIR seals what is missing");
    return -KDP_EINCOMPLETE;
}
