/* backfill_private.h - what backfill.c (jobs: which ranges, tiers, cutoffs) and backfill_page.c (chains: requests and pages) share. */
#ifndef KDPI_BACKFILL_PRIVATE_H
#define KDPI_BACKFILL_PRIVATE_H

#include "backfill.h"
#include "rest.h"

#define KDPI_BACKFILL_LIVE 1u
#define KDPI_BACKFILL_HISTORY 2u

enum backfill_state {
    BACKFILL_READY,   /* not begun, or its next tier */
    BACKFILL_BETWEEN, /* of a chain: the next page may be asked for */
    BACKFILL_ASKED,
    BACKFILL_LOOK, /* read from live alone: waits for a cutoff read after it */
    BACKFILL_OVER
};

struct backfill_job {
    size_t scope;     /* of backfill->scopes */
    size_t place;     /* in backfill->jobs */
    uint64_t request; /* the one under way */
    enum backfill_state state;
    unsigned tiers; /* still to read, the one under way included */
    unsigned attempt;
    unsigned lossy;   /* tiers in which trades of it came that cannot be kept: it is not whole then */
    bool live_alone;  /* no other tier was or will be asked: a cutoff has to confirm it */
    bool looked;      /* was in LOOK when the cutoff was asked for */
    int64_t start_ns; /* it is to give [start, end) */
    int64_t end_ns;
    int64_t said_ns;  /* [said, end) was said to be whole */
    int64_t whole_ns; /* in the tier under way everything at or after it was seen */
    int64_t sure_ns;  /* live alone: what a cutoff has confirmed of it */
    int64_t look_ns;  /* live alone: whole_ns when the cutoff was asked for */
    double weight;
    struct backfill_chain *chain; /* of the tier under way; NULL in READY, LOOK and OVER */
};

struct backfill_chain {
    char cursor[1024];
    int64_t min_s, max_s; /* as asked, the same on every page */
    bool no_min;
    int64_t last_ns; /* of the trade before, in the order they came; INT64_MAX */
    int64_t
        bound_ns; /* no later trade is to come, as far as pages tell: last_ns, without min_ts that of the page before */
    int64_t from_ns;    /* asked for what is older than this */
    int64_t restart_ns; /* whole_ns when it was begun anew last */
    bool unordered;
    unsigned pages, empty, stuck;
    uint64_t *seen; /* hashes of cursors and pages */
    size_t seen_count, seen_room;
};

struct backfill_row {
    int64_t ns, count_e2;
    uint8_t id[16];
    int32_t price_e4;
    uint32_t name, name_len; /* in names */
    uint8_t taker;
    bool hashed, block, strange;
};

struct kdp_backfill {
    struct kdp_backfill_config config;
    struct kdp_backfill_stats stats;
    struct kdp_rest_reader *reader;
    char **scopes;
    size_t scope_count, scope_room;
    struct backfill_job **jobs;
    size_t job_count, job_room, first_ready, over;
    struct backfill_job **running; /* those with a chain, at most parallel */
    unsigned active;
    uint64_t request; /* number of the last one */
    bool no_min;      /* the exchange refuses min_ts beside ticker */
    bool cursors;     /* some page had one */
    bool look_wanted, look_asked;
    struct { /* the page under way */
        struct backfill_row *rows;
        size_t count, room;
        char *names;
        size_t names_len, names_room;
        const char *scope;
        size_t scope_len;
        bool failed; /* no memory */
    } page;
    struct backfill_lost {
        size_t scope;
        int64_t start_ns, end_ns;
        const char *why;
    } * lost;
    size_t lost_count, lost_room;
};

bool kdpi_backfill_everything(const struct kdp_backfill *backfill, const struct backfill_job *job); /* "*" */
/* kdpi_backfill_insert adds a job behind the others; NULL: no memory. */
struct backfill_job *kdpi_backfill_insert(struct kdp_backfill *backfill, const struct backfill_job *job);
/* kdpi_backfill_give_up ends a job whose rest cannot be had; why is static text. */
int kdpi_backfill_give_up(struct kdp_backfill *backfill, struct backfill_job *job, const char *why);
/* kdpi_backfill_tier gives the tier that a job reads, or will next: live before historical. */
static inline unsigned
kdpi_backfill_tier(const struct backfill_job *job)
{
    return (job->tiers & KDPI_BACKFILL_LIVE) != 0 ? KDPI_BACKFILL_LIVE : KDPI_BACKFILL_HISTORY;
}
/* kdpi_backfill_tier_read: the chain is at its end, everything of the job was seen in this tier. */
int kdpi_backfill_tier_read(struct kdp_backfill *backfill, struct backfill_job *job);
/* kdpi_backfill_settle_job says what is sure of a job under way. */
int kdpi_backfill_settle_job(struct kdp_backfill *backfill, struct backfill_job *job);
/* kdpi_backfill_split makes a job of what is older than ns. */
int kdpi_backfill_split(struct kdp_backfill *backfill, struct backfill_job *job, int64_t ns);
/* kdpi_backfill_unsay takes back what was said of a job. */
int kdpi_backfill_unsay(struct kdp_backfill *backfill, struct backfill_job *job);

int kdpi_backfill_chain_start(struct kdp_backfill *backfill, struct backfill_job *job);
void kdpi_backfill_chain_end(struct kdp_backfill *backfill, struct backfill_job *job);
void kdpi_backfill_path(const struct kdp_backfill *backfill, const struct backfill_job *job, char *path);
/* kdpi_backfill_page takes an answer of a job's chain: a verdict, or an error of the sink. */
int kdpi_backfill_page(struct kdp_backfill *backfill, struct backfill_job *job, int status, const char *body,
                       size_t len, int64_t got_ns);

#endif
