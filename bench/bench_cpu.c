/* bench_cpu.c - what a command and all its children cost: CPU, wall clock, largest memory.
 *
 *   bench_cpu COMMAND [ARG...] >lines      the command's own stdout goes to stderr
 *
 * CPU time is that of the process and of every descendant it waited for, kernel time included: kdp replay
 * waits for its sealer.  max_rss_kb is the largest of them alone, not their sum. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static long long
ns_of(struct timeval tv)
{
    return (long long)tv.tv_sec * 1000000000 + (long long)tv.tv_usec * 1000;
}

int
main(int argc, char **argv)
{
    struct rusage usage;
    int64_t start = bench_now_ns();
    int status;
    pid_t pid;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_cpu COMMAND [ARG...]\n");
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(argv[1], argv + 1);
        fprintf(stderr, "bench_cpu: cannot run %s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
        perror("bench_cpu");
        return 1;
    }
    printf("name=cpu cpu_ns=%lld user_ns=%lld sys_ns=%lld wall_ns=%lld max_rss_kb=%ld minor_faults=%ld "
           "switches=%ld\n",
           ns_of(usage.ru_utime) + ns_of(usage.ru_stime), ns_of(usage.ru_utime), ns_of(usage.ru_stime),
           (long long)(bench_now_ns() - start), usage.ru_maxrss, usage.ru_minflt,
           usage.ru_nvcsw + usage.ru_nivcsw);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
