/* rest_fault.c - what can go wrong with a request: faults of answers, bodies and pages, and the stale cache in front of it all. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define STALE_NS (15 * KDP_NS_PER_S)
#define CACHE_SLOTS 64u

struct sim_cache {
    struct {
        char *target;
        struct sim_text out;
        int64_t made_ns;
    } slots[CACHE_SLOTS];
    unsigned next;
};

static const struct kdp_sim_fault *
armed(struct sim_conn *conn, const struct sim_query *query, enum kdp_sim_fault_kind kind)
{
    return sim_is_armed(conn->sim, kind) ? sim_armed_path(conn->sim, kind, query->path) : NULL;
}

/* What the answer will suffer; sim_http_answer and the lists look at it. */
static void
harm(struct sim_conn *conn, const struct sim_query *query)
{
    struct sim_harm *h = &conn->harm;
    const struct kdp_sim_fault *fault;

    h->cut = armed(conn, query, KDP_SIM_FAULT_REST_CUT) != NULL;
    h->shortened = armed(conn, query, KDP_SIM_FAULT_REST_SHORT) != NULL;
    h->chunk_cut = armed(conn, query, KDP_SIM_FAULT_REST_CHUNK_CUT) != NULL;
    h->loop = armed(conn, query, KDP_SIM_FAULT_PAGE_LOOP) != NULL;
    h->turn = armed(conn, query, KDP_SIM_FAULT_PAGE_TURN) != NULL;
    h->empty = armed(conn, query, KDP_SIM_FAULT_PAGE_EMPTY) != NULL;
    h->mixed = armed(conn, query, KDP_SIM_FAULT_PAGE_MIXED) != NULL;
    h->twice = armed(conn, query, KDP_SIM_FAULT_PAGE_TWICE) != NULL;
    fault = armed(conn, query, KDP_SIM_FAULT_REST_BIG);
    h->big = fault != NULL ? (size_t)fault->bytes : 0;
    fault = armed(conn, query, KDP_SIM_FAULT_REST_SLOW);
    if (fault != NULL) {
        conn->slow_bytes = fault->bytes;
        conn->slow_until_ns = INT64_MAX; /* until this answer is out */
        conn->slow_at_ns = conn->sim->mono_ns;
        conn->slow_credit = 0;
    }
    h->any = fault != NULL || h->cut || h->shortened || h->chunk_cut || h->loop || h->turn || h->empty ||
             h->mixed || h->twice || h->big != 0;
}

bool
sim_rest_harmed(struct sim_conn *conn, const struct sim_query *query)
{
    static const char html[] = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
                               "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    struct kdp_sim *sim = conn->sim;
    const char *cursor = sim_query_get(query, "cursor"), *ticker = sim_query_get(query, "ticker");
    const struct kdp_sim_fault *fault;

    if (sim->armed_mask == 0)
        return false;
    if (armed(conn, query, KDP_SIM_FAULT_REST_HANG) != NULL) {
        conn->held = true;
        return true;
    }
    if ((fault = armed(conn, query, KDP_SIM_FAULT_REST_ERROR)) != NULL) {
        if (fault->status == 429)
            sim->stats.rest_limited++;
        sim_http_error(conn, (int)fault->status, fault->status == 404 ? "not_found" : "internal_error",
                       fault->status == 429 ? "too many requests" : "failed on purpose");
        return true;
    }
    if ((fault = armed(conn, query, KDP_SIM_FAULT_REST_HTML)) != NULL) {
        sim_http_answer(conn, (int)fault->status, "Content-Type: text/html\r\n", html, sizeof html - 1);
        return true;
    }
    if (cursor != NULL && cursor[0] != 0 && armed(conn, query, KDP_SIM_FAULT_CURSOR_REFUSED) != NULL) {
        sim_http_error(conn, 400, "bad_request", "invalid cursor");
        return true;
    }
    if (ticker != NULL && ticker[0] != 0 && sim_query_get(query, "min_ts") != NULL &&
        armed(conn, query, KDP_SIM_FAULT_MIN_TS_REFUSED) != NULL) {
        sim_http_error(conn, 400, "bad_request", "min_ts does not go with ticker");
        return true;
    }
    harm(conn, query);
    return false;
}

/* ---- the stale mode: what a cache in front of the exchange would give to those who do not sign ---- */

/* An answer of the cache says so: its Date is that of the exchange's answer, and its Age how long ago that was. */
bool
sim_cache_give(struct sim_conn *conn, struct kdp_http_slice target)
{
    struct sim_cache *cache = conn->sim->cache;

    for (unsigned i = 0; cache != NULL && i < CACHE_SLOTS; i++) {
        const struct sim_text *out = &cache->slots[i].out;
        int64_t age_ns = conn->sim->mono_ns - cache->slots[i].made_ns;
        const char *line;

        if (cache->slots[i].target == NULL || strlen(cache->slots[i].target) != target.len ||
            memcmp(cache->slots[i].target, target.data, target.len) != 0 || age_ns >= STALE_NS)
            continue;
        line = memchr(out->data, '\n', out->len); /* behind the status line */
        KDP_ASSERT(line != NULL);
        sim_put(&conn->out, out->data, (size_t)(line + 1 - out->data));
        sim_putf(&conn->out, "Age: %lld\r\nX-Cache: Hit\r\n", (long long)(age_ns / KDP_NS_PER_S));
        sim_put(&conn->out, line + 1, out->len - (size_t)(line + 1 - out->data));
        return true;
    }
    return false;
}

void
sim_cache_take(struct sim_conn *conn, struct kdp_http_slice target, size_t from)
{
    struct kdp_sim *sim = conn->sim;
    unsigned slot;

    if (sim->cache == NULL)
        sim->cache = calloc(1, sizeof *sim->cache);
    KDP_ASSERT(sim->cache != NULL);
    slot = sim->cache->next++ % CACHE_SLOTS;
    free(sim->cache->slots[slot].target);
    sim->cache->slots[slot].target = strndup(target.data, target.len);
    KDP_ASSERT(sim->cache->slots[slot].target != NULL);
    sim->cache->slots[slot].out.len = 0;
    sim_put(&sim->cache->slots[slot].out, conn->out.data + from, conn->out.len - from);
    sim->cache->slots[slot].made_ns = sim->mono_ns;
}

void
sim_cache_free(struct kdp_sim *sim)
{
    for (unsigned i = 0; sim->cache != NULL && i < CACHE_SLOTS; i++) {
        free(sim->cache->slots[i].target);
        sim_text_free(&sim->cache->slots[i].out);
    }
    free(sim->cache);
}
