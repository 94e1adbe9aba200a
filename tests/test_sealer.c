/* test_sealer.c - the lake's child that dies is started again, later each time.
 *
 * The child is this program's own file, which does not know the word "seal" and ends at once. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "sealer.h"

#define S KDP_NS_PER_S

static struct kdp_sealer sealer;

/* Looks until it is found dead, for ten seconds at most; mono_ns stands still meanwhile. */
static void
dies(int64_t mono_ns)
{
    const struct timespec look = {.tv_nsec = 2 * KDP_NS_PER_MS};
    int64_t until_ns = kdpi_mono_ns() + 10 * S;

    while (kdp_sealer_check(&sealer, mono_ns) != 1) {
        CHECK(kdpi_mono_ns() < until_ns);
        nanosleep(&look, NULL);
    }
    CHECK_INT(sealer.pid, 0);
}

KDP_TEST(one_that_dies_is_started_again_later_each_time)
{
    int64_t t = 1000 * S, wait = S;

    CHECK_INT(kdp_sealer_start(&sealer, "nowhere", false, t), 0);
    for (unsigned i = 0; i < 8; i++) {
        CHECK(sealer.pid > 0);
        dies(t);
        CHECK(sealer.words[0] != '\0');
        CHECK_INT(kdp_sealer_check(&sealer, t + wait - 1), 0);
        CHECK_INT(sealer.pid, 0);
        t += wait;
        CHECK_INT(kdp_sealer_check(&sealer, t), 2);
        CHECK_INT(sealer.restarts, i + 1);
        wait = wait * 2 < 60 * S ? wait * 2 : 60 * S;
    }
    dies(t + 200 * S); /* it ran well for a while: the waits begin anew */
    CHECK_INT(kdp_sealer_check(&sealer, t + 201 * S - 1), 0);
    CHECK_INT(kdp_sealer_check(&sealer, t + 201 * S), 2);
    CHECK(kdp_sealer_end(&sealer) != 0); /* what it leaves unsealed is no quiet end */
    CHECK_INT(sealer.pid, 0);
    CHECK_INT(kdp_sealer_end(&sealer), 0);
}

KDP_TEST(one_that_is_killed_while_it_ends_gets_a_successor)
{
    CHECK_INT(kdp_sealer_start(&sealer, "nowhere", false, 1000 * S), 0);
    CHECK_INT(kill(sealer.pid, SIGKILL), 0);
    CHECK(kdp_sealer_end(&sealer) != 0);
    /* what is told is the successor's end, which does not know the word, not the signal */
    if (strstr(kdp_error_text(), "ended with code") == NULL)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    CHECK_INT(sealer.pid, 0);
}
