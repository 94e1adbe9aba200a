/* server_script.c - faults by the clock: lines with AT and EVERY, and a mix in a reproducible order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "log.h"
#include "server_private.h"

/* ---- lines of scripts ---- */
int
sim_fault_line(struct kdp_sim *sim, const char *line)
{
    enum kdp_sim_when when;
    struct kdp_sim_fault fault;
    struct sim_text reply = {0};
    const char *rest;
    int64_t span_ns;
    int rc = kdp_sim_line_when(line, &when, &span_ns, &rest);

    if (rc != 0 || *rest == 0)
        return rc;
    if (when == KDP_SIM_NOW) {
        rc = sim_control_line(sim, rest, &reply);
        sim_text_free(&reply);
        return rc;
    }
    /* judged now, so that a script with an error in it does not start */
    if (strcmp(rest, "quiet") != 0 && strcmp(rest, "go") != 0 && strncmp(rest, "cutoff ", 7) != 0 &&
        (rc = kdp_sim_fault_parse(&fault, rest)) != 0)
        return rc;
    if (sim->timed_count == SIM_TIMED_MAX)
        return kdpi_fail(KDP_EFULL, "more than %u lines with AT or EVERY", SIM_TIMED_MAX);
    sim->timed[sim->timed_count] = (struct sim_timed){.line = strdup(rest),
                                                      .at_ns = sim->mono_ns + span_ns,
                                                      .every_ns = when == KDP_SIM_EVERY ? span_ns : 0};
    if (sim->timed[sim->timed_count].line == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a line");
    sim->timed_count++;
    return 0;
}

int
sim_fault_script(struct kdp_sim *sim, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    unsigned number = 0;
    int rc = 0;

    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot read the script: %s", path);
    while (rc == 0 && fgets(line, sizeof line, file) != NULL) {
        number++;
        line[strcspn(line, "\r\n")] = 0;
        rc = sim_fault_line(sim, line);
    }
    if (rc != 0) {
        char words[512], hint[512];

        snprintf(words, sizeof words, "%s", kdp_error_text());
        snprintf(hint, sizeof hint, "%s", kdp_error_hint());
        rc = kdpi_fail((enum kdp_error) - rc, "%s line %u: %s", path, number, words);
        if (hint[0] != 0)
            kdpi_hint("%s", hint);
    } else if (ferror(file) != 0) {
        rc = kdpi_fail_errno(errno, "cannot read the script: %s", path);
    }
    fclose(file);
    return rc;
}

static void
mix_later(struct kdp_sim *sim, const char *line, int64_t seconds)
{
    uint32_t i = 0;

    while (i < sim->timed_count &&
           sim->timed[i].at_ns != INT64_MAX) /* a line that is done with gives its place */
        i++;
    if (i == SIM_TIMED_MAX)
        return;
    if (i == sim->timed_count)
        sim->timed[sim->timed_count++].line = NULL;
    free(sim->timed[i].line);
    sim->timed[i] = (struct sim_timed){
        .line = strdup(line), .at_ns = sim->mono_ns + seconds * KDP_NS_PER_S, .every_ns = 0};
    KDP_ASSERT(sim->timed[i].line != NULL);
}

/* One fault of the mix, chosen by weight and with other figures than the table's defaults. */
static void
mix_one(struct kdp_sim *sim)
{
    struct kdp_sim_fault fault;
    uint64_t total = 0, at;
    unsigned kind = 0;
    static const uint16_t refusals[] = {401, 503, 429}, failures[] = {500, 503, 429, 504},
                          closes[] = {1000, 1001, 1006, 1011, 1013};

    for (unsigned i = 0; i < KDP_SIM_FAULTS; i++)
        total += kdp_sim_fault_mix((enum kdp_sim_fault_kind)i);
    at = sim_step(&sim->mix_random) % total;
    while (at >= kdp_sim_fault_mix((enum kdp_sim_fault_kind)kind))
        at -= kdp_sim_fault_mix((enum kdp_sim_fault_kind)kind++);
    KDP_ASSERT(kdp_sim_fault_parse(&fault, kdp_sim_fault_word((enum kdp_sim_fault_kind)kind)) == 0);
    at = sim_step(&sim->mix_random);
    if (fault.kind == KDP_SIM_FAULT_GAP) {
        fault.count = 1 + (uint32_t)(at % 14);
        fault.channel = at >> 8 & 3 ? SIM_BOOK : SIM_TRADE;
    } else if (fault.kind == KDP_SIM_FAULT_LOSE || fault.kind == KDP_SIM_FAULT_TAIL) {
        fault.count = 1 + (uint32_t)(at % 4);
    } else if (fault.kind == KDP_SIM_FAULT_OVERFLOW || fault.kind == KDP_SIM_FAULT_CHANNEL_ERROR) {
        fault.channel = at & 1 ? SIM_BOOK : SIM_TRADE;
    } else if (fault.kind == KDP_SIM_FAULT_CLOSE) {
        fault.status = closes[at % 5] == 1006 ? 1012 : closes[at % 5];
    } else if (fault.kind == KDP_SIM_FAULT_REFUSE) {
        fault.status = refusals[1 + at % 2];
        fault.seconds_ns = (int64_t)(1 + at / 4 % 3) * KDP_NS_PER_S;
    } else if (fault.kind == KDP_SIM_FAULT_REST_ERROR || fault.kind == KDP_SIM_FAULT_REST_CUT ||
               fault.kind == KDP_SIM_FAULT_REST_HANG) {
        fault.status = failures[at % 4];
        fault.seconds_ns = (int64_t)(1 + at / 4 % 4) * KDP_NS_PER_S;
    } else if (fault.kind == KDP_SIM_FAULT_STALL) {
        fault.seconds_ns = (int64_t)(2 + at / 4 % 20) * KDP_NS_PER_S;
        fault.pings = (at & 1) != 0;
    } else if (fault.kind == KDP_SIM_FAULT_BURST) {
        fault.count = 200 + (uint32_t)(at % 5000);
    }
    if (fault.kind == KDP_SIM_FAULT_DEACTIVATE) /* what pauses goes on some seconds later */
        mix_later(sim, "activate", 2 + (int64_t)(at % 8));
    if (sim_fault_do(sim, &fault, NULL) != 0)
        sim->faults_missed++; /* nobody there whom it could meet */
    else
        kdpi_log(KDP_LOG_INFO, "fault", "kind=%s count=%u", kdp_sim_fault_word(fault.kind), fault.count);
}

void
sim_fault_work(struct kdp_sim *sim)
{
    if (sim->paused_until_ns != 0 && !sim_paused(sim)) {
        sim->paused_until_ns = 0;
        sim->catching = true;
    }
    for (uint32_t i = sim->armed_count; i-- > 0;) {
        if (sim->armed[i].until_ns <= sim->mono_ns)
            sim_disarm(sim, i);
    }
    for (uint32_t i = 0; i < sim->timed_count; i++) {
        struct sim_timed *timed = &sim->timed[i];
        struct sim_text reply = {0};

        if (timed->at_ns > sim->mono_ns)
            continue;
        if (sim_control_line(sim, timed->line, &reply) != 0) {
            sim->faults_missed++;
            kdpi_log(KDP_LOG_WARNING, "fault_missed", "line=\"%s\" why=\"%s\"", timed->line,
                     kdp_error_text());
        }
        sim_text_free(&reply);
        timed->at_ns = timed->every_ns != 0 ? timed->at_ns + timed->every_ns : INT64_MAX;
    }
    while (sim->mix_rate_e6 != 0 && sim->mix_next_ns <= sim->mono_ns) {
        int64_t mean_ns = INT64_C(1000000) * KDP_NS_PER_S / sim->mix_rate_e6;

        mix_one(sim);
        sim->mix_next_ns += mean_ns / 2 + (int64_t)(sim_step(&sim->mix_random) % (uint64_t)(mean_ns + 1));
    }
}

int64_t
sim_fault_due(const struct kdp_sim *sim)
{
    int64_t due = sim->mix_rate_e6 != 0 ? sim->mix_next_ns : INT64_MAX;

    for (uint32_t i = 0; i < sim->timed_count; i++) {
        if (sim->timed[i].at_ns < due)
            due = sim->timed[i].at_ns;
    }
    return due;
}

void
sim_fault_close(struct kdp_sim *sim)
{
    for (uint32_t i = 0; i < sim->timed_count; i++)
        free(sim->timed[i].line);
}
