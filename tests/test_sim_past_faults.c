/* test_sim_past_faults.c - what goes wrong on command where history is served: pages, bodies, the tokens of an account. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "kdp_test.h"
#include "rest.h"
#include "sim_past_fixture.h"

/* ---- what goes wrong ---- */
KDP_TEST(pages_go_wrong_on_command)
{
    char cursor[64], first[64];
    uint32_t twice = 0;

    begin(6, 20, 4000, 48);
    free(sim_tell(&fixture, "cutoff now"));
    read_truth();
    page("/historical/trades", "", "");
    snprintf(cursor, sizeof cursor, "%s", end.cursor);
    free(sim_tell(&fixture, "page-loop count=1"));
    page("/historical/trades", "", cursor);
    CHECK_STR(end.cursor, cursor);
    page("/historical/trades", "", cursor);
    CHECK(strcmp(end.cursor, cursor) != 0);
    /* two pages in turn: each leads to the other, and never on */
    page("/historical/trades", "", "");
    snprintf(cursor, sizeof cursor, "%s", end.cursor);
    page("/historical/trades", "", cursor);
    snprintf(first, sizeof first, "%s", end.cursor);
    free(sim_tell(&fixture, "page-turn count=3"));
    page("/historical/trades", "", first);
    CHECK_STR(end.cursor, cursor);
    page("/historical/trades", "", cursor);
    CHECK_STR(end.cursor, first);
    page("/historical/trades", "", first);
    CHECK_STR(end.cursor, cursor);
    free(sim_tell(&fixture, "page-empty count=1"));
    seen_count = 0;
    page("/historical/trades", "", "");
    CHECK_INT(seen_count, 0);
    snprintf(first, sizeof first, "%s", end.cursor);
    CHECK(first[0] != 0);
    page("/historical/trades", "", first); /* it goes on where it began */
    while (end.cursor[0] != 0) {
        snprintf(cursor, sizeof cursor, "%s", end.cursor);
        page("/historical/trades", "", cursor);
    }
    same_as_truth(true);
    seen_count = 0;
    free(sim_tell(&fixture, "page-mixed count=1"));
    page("/historical/trades", "", "");
    CHECK(seen[0].time_ns < seen[seen_count - 1].time_ns);
    free(sim_tell(&fixture, "page-twice seconds=0"));
    seen_count = 0;
    walk("/historical/trades", "", NULL);
    twice = seen_count - truth_count;
    CHECK(twice >= 7);
    same_as_truth(false);
    free(sim_tell(&fixture, "clear"));
    free(sim_tell(&fixture, "cursor-refused count=1"));
    snprintf(first, sizeof first, "/historical/trades?limit=5&cursor=%s", cursor);
    CHECK_INT(status_of(first), 400);
    CHECK_INT(status_of(first), 200);
    free(sim_tell(&fixture, "min-ts-refused count=1"));
    CHECK_INT(status_of("/historical/trades?ticker=KXA&min_ts=1"), 400);
    CHECK_INT(status_of("/historical/trades?ticker=KXA&min_ts=1"), 200);
    free(sim_tell(&fixture, "unknown-ticker 404"));
    CHECK_INT(status_of("/historical/trades?ticker=KXA"), 404);
    free(sim_tell(&fixture, "unknown-ticker 400"));
    CHECK_INT(status_of("/historical/trades?ticker=KXA"), 400);
    finish();
}

KDP_TEST(bodies_go_wrong_on_command)
{
    const char *path = "/historical/trades?limit=400";
    struct kdp_http_answer *answer;
    size_t whole;
    int64_t began_ns;

    begin(6, 20, 4000, 48);
    free(sim_tell(&fixture, "cutoff now"));
    answer = get(path);
    whole = answer->len;
    CHECK_INT(answer->status, 200);
    kdp_http_answer_free(answer);
    free(sim_tell(&fixture, "rest-short count=1"));
    answer = get(path);
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->len, whole / 2);
    kdp_http_answer_free(answer);
    free(sim_tell(&fixture, "rest-chunk-cut count=1"));
    CHECK_INT(status_of(path), 0); /* no answer, as curl has it */
    free(sim_tell(&fixture, "rest-cut count=1"));
    CHECK_INT(status_of(path), 0);
    free(sim_tell(&fixture, "rest-html status=200 count=1"));
    answer = get(path);
    CHECK_INT(answer->status, 200);
    CHECK(strncmp(answer->body, "<html>", 6) == 0);
    kdp_http_answer_free(answer);
    free(sim_tell(&fixture, "rest-html count=1"));
    CHECK_INT(status_of(path), 502);
    free(sim_tell(&fixture, "rest-big bytes=1M count=1"));
    answer = get(path);
    CHECK_INT(answer->len, whole + (1u << 20));
    kdp_http_answer_free(answer);
    free(sim_tell(&fixture, "rest-slow bytes=100000 count=1"));
    began_ns = kdpi_mono_ns();
    answer = get(path);
    CHECK_INT(answer->len, whole);
    kdp_http_answer_free(answer);
    CHECK(kdpi_mono_ns() - began_ns > (int64_t)(whole - 30000) * 10000); /* a quarter of a second at once */
    free(sim_tell(&fixture, "rest-error status=429 seconds=0 count=3"));
    for (unsigned i = 0; i < 3; i++)
        CHECK_INT(status_of(path), 429);
    CHECK_INT(status_of(path), 200);
    finish();
}

KDP_TEST(a_tier_has_its_bucket)
{
    struct kdp_signer *signer;
    struct kdp_http_answer *answer;
    struct kdp_rest_limits limits;
    char path[600], key[64] = "", line[256];
    unsigned good = 0, limited = 0;
    FILE *file;

    fixture.config.tier = "basic";
    begin(6, 5, 100, 48);
    kdp_http_close(http);
    snprintf(path, sizeof path, "%s/sim.env", fixture.dir);
    file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "KALSHI_API_KEY=%63s", key) != 1)
        ;
    fclose(file);
    snprintf(path, sizeof path, "%s/ed25519.pem", fixture.dir);
    CHECK_INT(kdp_signer_open(&signer, key, path), 0);
    open_http(signer);
    answer = get("/account/limits");
    CHECK_INT(kdpi_rest_limits(rest, answer->body, answer->len, &limits), KDP_REFUSAL_NONE);
    CHECK_STR(limits.tier, "basic");
    CHECK_INT(limits.read_refill, 200);
    CHECK_INT(limits.read_capacity, 600);
    kdp_http_answer_free(answer);
    for (unsigned i = 0; i < 90; i++) {
        int status = status_of("/exchange/status");

        good += status == 200;
        limited += status == 429;
    }
    CHECK(good >= 59 && limited > 0); /* 60 at once, 20 more each second */
    CHECK_INT(good + limited, 90);
    kdp_http_close(http);
    kdp_signer_close(signer);
    open_http(NULL);
    for (unsigned i = 0; i < 90; i++)
        CHECK_INT(status_of("/exchange/status"), 200); /* who does not sign takes none */
    finish();
}
