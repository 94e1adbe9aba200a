/* backfill.c - jobs: which ranges are read from which tier, by whom, and what is sure; see backfill.h. */
#include "backfill_private.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "memory.h"

#define LOOK_REQUEST UINT64_MAX
#define SPLIT_PAGES 4.0 /* a chain that has fewer before it is not divided */

int
kdp_backfill_open(struct kdp_backfill **backfillp, const struct kdp_backfill_config *config)
{
    struct kdp_backfill *b = calloc(1, sizeof *b);

    *backfillp = NULL;
    if (b == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a backfill");
    b->reader = kdpi_rest_open();
    if (b->reader == NULL) {
        free(b);
        return kdpi_fail(KDP_ENOMEM, "no memory for a backfill");
    }
    b->config = *config;
    if (b->config.parallel == 0)
        b->config.parallel = 4;
    if (b->config.page == 0)
        b->config.page = 1000;
    if (b->config.margin_ns == 0)
        b->config.margin_ns = KDP_NS_PER_DAY;
    b->stats.cutoff_ns = KDP_TIME_NULL;
    b->running = calloc(b->config.parallel, sizeof(struct backfill_job *));
    if (b->running == NULL) {
        kdp_backfill_close(b);
        return kdpi_fail(KDP_ENOMEM, "no memory for a backfill");
    }
    *backfillp = b;
    return 0;
}

void
kdp_backfill_close(struct kdp_backfill *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->job_count; i++) {
        if (b->jobs[i]->chain != NULL)
            kdpi_backfill_chain_end(b, b->jobs[i]);
        free(b->jobs[i]);
    }
    for (size_t i = 0; i < b->scope_count; i++)
        free(b->scopes[i]);
    free(b->jobs);
    free(b->scopes);
    free(b->page.rows);
    free(b->page.names);
    free(b->lost);
    free(b->running);
    kdpi_rest_close(b->reader);
    free(b);
}

/* ---- adding ---- */
static int
find_scope(struct kdp_backfill *b, const char *scope, size_t *indexp)
{
    char **scopes;

    /* ranges of one scope are added one after the other */
    if (b->scope_count > 0 && strcmp(b->scopes[b->scope_count - 1], scope) == 0) {
        *indexp = b->scope_count - 1;
        return 0;
    }
    scopes = kdpi_grow(b->scopes, &b->scope_room, sizeof *scopes, b->scope_count + 1);
    if (scopes == NULL)
        return -KDP_ENOMEM;
    b->scopes = scopes;
    scopes[b->scope_count] = strdup(scope);
    if (scopes[b->scope_count] == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for another market");
    *indexp = b->scope_count++;
    return 0;
}

bool
kdpi_backfill_everything(const struct kdp_backfill *b, const struct backfill_job *job)
{
    return strcmp(b->scopes[job->scope], "*") == 0;
}

struct backfill_job *
kdpi_backfill_insert(struct kdp_backfill *b, const struct backfill_job *from)
{
    struct backfill_job **jobs, *job = malloc(sizeof *job);

    if (job == NULL) {
        kdpi_fail(KDP_ENOMEM, "no memory for another range");
        return NULL;
    }
    if (b->over > 1024 && b->over > b->job_count / 2) { /* those that are over make room */
        size_t kept = 0;

        for (size_t i = 0; i < b->job_count; i++) {
            if (b->jobs[i]->state == BACKFILL_OVER) {
                free(b->jobs[i]);
                continue;
            }
            b->jobs[i]->place = kept;
            b->jobs[kept++] = b->jobs[i];
        }
        b->job_count = kept;
        b->over = b->first_ready = 0;
    }
    jobs = kdpi_grow(b->jobs, &b->job_room, sizeof *jobs, b->job_count + 1);
    if (jobs == NULL) {
        free(job);
        return NULL;
    }
    b->jobs = jobs;
    *job = *from;
    job->chain = NULL;
    job->looked = false;
    job->state = BACKFILL_READY;
    job->said_ns = job->end_ns;
    job->whole_ns = job->end_ns;
    job->sure_ns = job->end_ns;
    job->look_ns = job->end_ns;
    job->place = b->job_count;
    jobs[b->job_count++] = job;
    return job;
}

void
kdp_backfill_cutoff(struct kdp_backfill *b, int64_t cutoff_ns)
{
    b->stats.cutoff_ns = cutoff_ns;
}

int
kdp_backfill_add(struct kdp_backfill *b, const char *scope, int64_t start_ns, int64_t end_ns, double weight,
                 unsigned attempt)
{
    int64_t cutoff_ns = b->stats.cutoff_ns, borders[4] = {start_ns, end_ns, end_ns, end_ns};
    struct backfill_job job = {.attempt = attempt};
    int rc = find_scope(b, scope, &job.scope);

    if (rc != 0)
        return rc;
    if (cutoff_ns != KDP_TIME_NULL && attempt == 0) { /* history alone, both, live alone */
        borders[1] = cutoff_ns - b->config.margin_ns;
        borders[2] = cutoff_ns + b->config.margin_ns;
    } else {
        borders[1] = start_ns;
    }
    b->stats.weight += weight;
    for (int i = 0; i < 3; i++) {
        job.start_ns = borders[i] > start_ns ? borders[i] : start_ns;
        job.end_ns = borders[i + 1] < end_ns ? borders[i + 1] : end_ns;
        if (i == 0)
            job.start_ns = start_ns;
        if (job.start_ns >= job.end_ns)
            continue;
        job.tiers = i == 0   ? KDPI_BACKFILL_HISTORY
                    : i == 1 ? KDPI_BACKFILL_LIVE | KDPI_BACKFILL_HISTORY
                             : KDPI_BACKFILL_LIVE;
        job.live_alone = i == 2;
        job.weight = weight * (double)(job.end_ns - job.start_ns) / (double)(end_ns - start_ns);
        if (kdpi_backfill_insert(b, &job) == NULL)
            return -KDP_ENOMEM;
    }
    return 0;
}

/* ---- what is sure ---- */
/* Says [from, said) of a job. */
static int
say(struct kdp_backfill *b, struct backfill_job *job, int64_t from_ns)
{
    int rc;

    if (from_ns < job->start_ns)
        from_ns = job->start_ns;
    if (from_ns >= job->said_ns)
        return 0;
    rc = b->config.sink.window(b->config.sink.arg, b->scopes[job->scope], from_ns, job->said_ns);
    if (rc == 0)
        job->said_ns = from_ns;
    return rc;
}

int
kdpi_backfill_unsay(struct kdp_backfill *b, struct backfill_job *job)
{
    int64_t from_ns = job->said_ns;

    job->said_ns = job->sure_ns = job->look_ns = job->end_ns;
    if (from_ns == job->end_ns)
        return 0;
    return b->config.sink.forget(b->config.sink.arg, b->scopes[job->scope], from_ns, job->end_ns);
}

static int
over(struct kdp_backfill *b, struct backfill_job *job)
{
    if (job->lossy != 0)
        return kdpi_backfill_give_up(b, job, "some of its trades cannot be kept");
    job->state = BACKFILL_OVER;
    b->over++;
    b->stats.weight_done += job->weight;
    return say(b, job, job->start_ns);
}

int
kdpi_backfill_tier_read(struct kdp_backfill *b, struct backfill_job *job)
{
    unsigned tier = kdpi_backfill_tier(job);

    kdpi_backfill_chain_end(b, job);
    job->tiers &= ~tier;
    job->whole_ns = job->start_ns;
    if (job->tiers != 0) {
        job->whole_ns = job->end_ns;
        job->state = BACKFILL_READY;
        if (job->place < b->first_ready)
            b->first_ready = job->place; /* it comes before those that have not begun */
        return 0;
    }
    if (job->live_alone) {
        job->state = BACKFILL_LOOK;
        return 0;
    }
    return over(b, job);
}

/* Its last tier, as far as it was read. */
int
kdpi_backfill_settle_job(struct kdp_backfill *b, struct backfill_job *job)
{
    if (job->lossy != 0 || (job->chain != NULL && job->chain->unordered))
        return 0;
    if (job->live_alone)
        return say(b, job, job->sure_ns);
    if (job->chain != NULL && (job->tiers & (job->tiers - 1)) == 0)
        return say(b, job, job->whole_ns);
    return 0;
}

int
kdpi_backfill_give_up(struct kdp_backfill *b, struct backfill_job *job, const char *why)
{
    struct backfill_lost *lost = kdpi_grow(b->lost, &b->lost_room, sizeof *lost, b->lost_count + 1);
    int rc = kdpi_backfill_settle_job(b, job);

    if (job->chain != NULL)
        kdpi_backfill_chain_end(b, job);
    job->state = BACKFILL_OVER;
    b->over++;
    b->stats.weight_done += job->weight;
    if (lost == NULL)
        return -KDP_ENOMEM;
    b->lost = lost;
    lost[b->lost_count++] = (struct backfill_lost){job->scope, job->start_ns, job->said_ns, why};
    return rc;
}

int
kdpi_backfill_split(struct kdp_backfill *b, struct backfill_job *job, int64_t ns)
{
    struct backfill_job older = *job;
    double share = (double)(ns - job->start_ns) / (double)(job->end_ns - job->start_ns);

    if (ns <= job->start_ns || ns >= job->whole_ns + 1)
        return 0;
    older.end_ns = ns;
    older.lossy &= ~kdpi_backfill_tier(job); /* in this tier nothing of it was read */
    older.weight = job->weight * share;
    if (kdpi_backfill_insert(b, &older) == NULL)
        return -KDP_ENOMEM;
    job->weight -= older.weight;
    job->start_ns = ns;
    return 0;
}

int
kdp_backfill_settle(struct kdp_backfill *b)
{
    for (size_t i = 0; i < b->job_count; i++) {
        int rc = b->jobs[i]->state == BACKFILL_OVER ? 0 : kdpi_backfill_settle_job(b, b->jobs[i]);

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- the cutoff, read again ---- */
void
kdp_backfill_look(struct kdp_backfill *b)
{
    if (!b->look_asked)
        b->look_wanted = true;
}

bool
kdp_backfill_looking(const struct kdp_backfill *b)
{
    return b->look_wanted || b->look_asked;
}

bool
kdp_backfill_look_due(const struct kdp_backfill *b)
{
    return b->look_wanted && !b->look_asked;
}

static void
mark(struct kdp_backfill *b)
{
    for (size_t i = 0; i < b->job_count; i++) {
        struct backfill_job *job = b->jobs[i];

        job->looked = job->state == BACKFILL_LOOK;
        job->look_ns =
            job->live_alone && job->chain != NULL && !job->chain->unordered ? job->whole_ns : job->end_ns;
    }
}

/* A cutoff read after a part was seen in live: the part is sure when it lies behind the cutoff still.  KDP_TIME_NULL: it could
 * not be read, so nothing is, and the historical tier has to be asked. */
static int
looked(struct kdp_backfill *b, int64_t cutoff_ns)
{
    int rc = 0;

    b->look_asked = false;
    if (cutoff_ns != KDP_TIME_NULL)
        b->stats.cutoff_ns = cutoff_ns;
    for (size_t i = 0; i < b->job_count && rc == 0; i++) {
        struct backfill_job *job = b->jobs[i];

        if (!job->live_alone || job->state == BACKFILL_OVER)
            continue;
        if (cutoff_ns != KDP_TIME_NULL && cutoff_ns <= job->start_ns) {
            if (job->state == BACKFILL_LOOK && job->looked)
                rc = over(b, job);
            else if (job->look_ns < job->sure_ns)
                job->sure_ns = job->look_ns;
            continue;
        }
        if (cutoff_ns == KDP_TIME_NULL && job->state != BACKFILL_LOOK)
            continue; /* the next look may succeed */
        b->stats.moved++;
        job->live_alone = false;
        job->tiers |= KDPI_BACKFILL_HISTORY;
        if (job->state == BACKFILL_LOOK) {
            job->state = BACKFILL_READY;
            job->whole_ns = job->end_ns;
            b->first_ready = 0;
        }
    }
    return rc;
}

/* ---- requests ---- */
/* The job whose older half is worth a chain of its own. */
static struct backfill_job *
longest(struct kdp_backfill *b)
{
    struct backfill_job *best = NULL;
    double most = SPLIT_PAGES;

    for (unsigned i = 0; i < b->active; i++) {
        struct backfill_job *job = b->running[i];
        double pages;

        if (job->chain->pages == 0 || job->chain->unordered || job->whole_ns >= job->end_ns)
            continue;
        pages = (double)job->chain->pages * (double)(job->whole_ns - job->start_ns) /
                (double)(job->end_ns - job->whole_ns);
        if (pages > most) {
            most = pages;
            best = job;
        }
    }
    return best;
}

static struct backfill_job *
ready(struct kdp_backfill *b)
{
    while (b->first_ready < b->job_count && b->jobs[b->first_ready]->state != BACKFILL_READY)
        b->first_ready++;
    return b->first_ready < b->job_count ? b->jobs[b->first_ready] : NULL;
}

static struct backfill_job *
next_job(struct kdp_backfill *b)
{
    struct backfill_job *job, *longer;

    for (unsigned i = 0; i < b->active; i++)
        if (b->running[i]->state == BACKFILL_BETWEEN)
            return b->running[i];
    if (b->active >= b->config.parallel)
        return NULL;
    job = ready(b);
    if (job == NULL && (longer = longest(b)) != NULL &&
        kdpi_backfill_split(b, longer, longer->start_ns + (longer->whole_ns - longer->start_ns) / 2) == 0)
        job = ready(b);
    return job != NULL && kdpi_backfill_chain_start(b, job) == 0 ? job : NULL;
}

bool
kdp_backfill_next(struct kdp_backfill *b, uint64_t *requestp, char *path)
{
    struct backfill_job *job = next_job(b);
    bool waiting = false;

    if (job != NULL && !b->look_wanted) {
        kdpi_backfill_path(b, job, path);
        job->state = BACKFILL_ASKED;
        *requestp = job->request = ++b->request;
        return true;
    }
    for (size_t i = 0; job == NULL && b->active == 0 && i < b->job_count; i++)
        waiting = waiting || b->jobs[i]->state == BACKFILL_LOOK;
    if ((b->look_wanted || waiting) && !b->look_asked) {
        b->look_wanted = false;
        b->look_asked = true;
        mark(b);
        strcpy(path, "/historical/cutoff");
        *requestp = LOOK_REQUEST;
        return true;
    }
    return false;
}

static struct backfill_job *
asked(const struct kdp_backfill *b, uint64_t request)
{
    for (unsigned i = 0; i < b->active; i++)
        if (b->running[i]->request == request && b->running[i]->state == BACKFILL_ASKED)
            return b->running[i];
    return NULL;
}

int
kdp_backfill_answer(struct kdp_backfill *b, uint64_t request, int status, const char *body, size_t len,
                    int64_t got_ns)
{
    struct kdp_rest_cutoff cutoff = {KDP_TIME_NULL, KDP_TIME_NULL};
    struct backfill_job *job = asked(b, request);

    if (request == LOOK_REQUEST && b->look_asked) {
        enum kdp_refusal refusal =
            status == 200 ? kdpi_rest_cutoff(b->reader, body, len, &cutoff) : KDP_REFUSAL_NONE;

        if (refusal != KDP_REFUSAL_NONE && refusal != KDP_REFUSAL_MISSING)
            return KDP_BACKFILL_AGAIN;
        return looked(b, status == 200 ? cutoff.trades_created_ns : KDP_TIME_NULL);
    }
    if (job == NULL)
        return KDP_BACKFILL_TAKEN; /* of nothing that is under way */
    return kdpi_backfill_page(b, job, status, body, len, got_ns);
}

void
kdp_backfill_failed(struct kdp_backfill *b, uint64_t request)
{
    struct backfill_job *job = asked(b, request);

    if (request == LOOK_REQUEST && b->look_asked)
        looked(b, KDP_TIME_NULL);
    else if (job != NULL)
        kdpi_backfill_give_up(b, job, "no answer");
}

bool
kdp_backfill_done(const struct kdp_backfill *b)
{
    return b->over == b->job_count && !b->look_asked;
}

bool
kdp_backfill_given_up(const struct kdp_backfill *b, size_t index, const char **scopep, int64_t *start_nsp,
                      int64_t *end_nsp, const char **whyp)
{
    if (index >= b->lost_count)
        return false;
    *scopep = b->scopes[b->lost[index].scope];
    *start_nsp = b->lost[index].start_ns;
    *end_nsp = b->lost[index].end_ns;
    *whyp = b->lost[index].why;
    return true;
}

void
kdp_backfill_pardon(struct kdp_backfill *b)
{
    b->lost_count = 0;
}

void
kdp_backfill_stats(const struct kdp_backfill *b, struct kdp_backfill_stats *stats)
{
    *stats = b->stats;
    for (unsigned i = 0; i < b->active; i++) {
        const struct backfill_job *job = b->running[i];

        if (job->end_ns > job->start_ns)
            stats->weight_done +=
                job->weight * (double)(job->end_ns - job->whole_ns) / (double)(job->end_ns - job->start_ns);
    }
}
