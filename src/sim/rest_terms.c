/* rest_terms.c - what markets, events and series are about, over REST (docs/exchange.md 3.2): rules, strikes, sources, fees, and that
 * they change.
 *
 * Texts are made of what the exchange says of a market and of how often its terms were changed; what was changed, and when, is kept
 * here by ticker.  The listener reports every change that the exchange tells, so REST and the stream say the same. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "memory.h"
#include "server_private.h"

#define CHANGED_MAX 65536u /* markets and events whose terms were changed; later ones stay as they are */
#define CHANGED_HEADS 4096u
#define FEES_MAX 4096u /* the newest changes of fees */

struct changed {
    char *name;
    uint32_t next, version; /* next: of the hash chain, UINT32_MAX: none */
    int64_t updated_ns;
    bool has_fee;
    char fee_type[40];
    int64_t fee_e6;
};
struct fee {
    char name[128], type[40]; /* type "": the override ends */
    int64_t multiplier_e6, at_ns;
    bool event;
    uint64_t number;
};
struct sim_terms {
    struct changed *list;
    size_t room;
    uint32_t count, heads[CHANGED_HEADS];
    struct fee *fees; /* a ring */
    uint64_t fee_count;
};

static uint64_t
hash_of(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name != 0; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static struct changed *
find(const struct kdp_sim *sim, const char *name)
{
    if (sim->terms == NULL || name == NULL)
        return NULL;
    for (uint32_t i = sim->terms->heads[hash_of(name) % CHANGED_HEADS]; i != UINT32_MAX;
         i = sim->terms->list[i].next) {
        if (strcmp(sim->terms->list[i].name, name) == 0)
            return &sim->terms->list[i];
    }
    return NULL;
}

static struct changed *
find_or_add(struct kdp_sim *sim, const char *name)
{
    struct changed *found = find(sim, name);
    struct sim_terms *terms = sim->terms;
    uint32_t *head;
    void *grown;

    if (found != NULL)
        return found;
    if (terms == NULL) {
        terms = sim->terms = calloc(1, sizeof *terms);
        KDP_ASSERT(terms != NULL);
        memset(terms->heads, 0xff, sizeof terms->heads);
        terms->fees = calloc(FEES_MAX, sizeof *terms->fees);
        KDP_ASSERT(terms->fees != NULL);
    }
    if (terms->count == CHANGED_MAX)
        return NULL;
    if (terms->count == terms->room) {
        grown = kdpi_grow(terms->list, &terms->room, sizeof *terms->list, terms->count + 1u);
        KDP_ASSERT(grown != NULL);
        terms->list = grown;
    }
    head = &terms->heads[hash_of(name) % CHANGED_HEADS];
    found = &terms->list[terms->count];
    *found = (struct changed){.name = strdup(name), .next = *head, .updated_ns = KDP_TIME_NULL};
    KDP_ASSERT(found->name != NULL);
    *head = terms->count++;
    return found;
}

void
sim_terms_free(struct kdp_sim *sim)
{
    for (uint32_t i = 0; sim->terms != NULL && i < sim->terms->count; i++)
        free(sim->terms->list[i].name);
    if (sim->terms != NULL) {
        free(sim->terms->list);
        free(sim->terms->fees);
    }
    free(sim->terms);
}

/* ---- changes ---- */

void
sim_terms_change(struct kdp_sim *sim, const char *ticker)
{
    struct changed *changed = find_or_add(sim, ticker);

    if (changed == NULL)
        return;
    changed->version++;
    changed->updated_ns = sim->now_ns;
}

int64_t
sim_terms_updated(const struct kdp_sim *sim, const struct kdp_exchange_market *m)
{
    const struct changed *changed = find(sim, m->ticker);
    int64_t ns = m->updated_ns != KDP_TIME_NULL ? m->updated_ns : m->created_ns;

    return changed != NULL && changed->updated_ns > ns ? changed->updated_ns : ns;
}

void
sim_terms_fee(struct kdp_sim *sim, const char *name, bool event, const char *type, int64_t multiplier_e6,
              int64_t at_ns)
{
    struct changed *changed = find_or_add(sim, name);
    struct fee *fee;

    if (strlen(name) >= sizeof fee->name || (type != NULL && strlen(type) >= sizeof fee->type))
        return;
    if (changed != NULL)
        changed->updated_ns = sim->now_ns;
    if (changed != NULL && (event || at_ns <= sim->now_ns)) {
        changed->has_fee = type != NULL;
        changed->fee_e6 = multiplier_e6;
        strcpy(changed->fee_type, type != NULL ? type : "");
    }
    if (sim->terms == NULL)
        return;
    fee = &sim->terms->fees[sim->terms->fee_count % FEES_MAX];
    *fee = (struct fee){
        .multiplier_e6 = multiplier_e6, .at_ns = at_ns, .event = event, .number = ++sim->terms->fee_count};
    strcpy(fee->name, name);
    strcpy(fee->type, type != NULL ? type : "");
}

/* ---- texts ---- */
static void
put_text(struct sim_text *text, const char *key, const char *word)
{
    sim_puts(text, key);
    sim_put_json(text, word != NULL ? word : "", word != NULL ? strlen(word) : 0);
}

/* The multiplier of fees, without zeros behind. */
static void
put_multiplier(struct sim_text *text, int64_t e6)
{
    sim_putf(text, "%lld.%06lld", (long long)(e6 / 1000000), (long long)(e6 % 1000000));
    while (text->data[text->len - 1] == '0')
        text->len--;
    if (text->data[text->len - 1] == '.')
        text->len--;
}

static const char *
market_at_random(const struct kdp_sim *sim, uint64_t draw, struct kdp_exchange_market *m)
{
    uint32_t count = kdp_exchange_market_count(sim->exchange);

    kdp_exchange_market_at(sim->exchange, (uint32_t)(draw % (count < 20 ? count : 20)), m);
    return m->ticker;
}

/* What only some markets have. */
static void
put_kind(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_market *m)
{
    if (m->strike_type == KDP_STRIKE_TYPE_CUSTOM && !m->combo)
        sim_lit(text, ",\"custom_strike\":{\"Word\":\"it\"}");
    if (m->combo) {
        char event[256];
        uint64_t draw = hash_of(m->ticker);
        struct kdp_exchange_market leg;

        sim_lit(text, ",\"is_provisional\":true,\"mve_selected_legs\":[");
        for (unsigned i = 0; i < 2; i++) {
            market_at_random(sim, draw >> (8 * i), &leg); /* its texts take the place of the market's own */
            strncpy(event, leg.event_ticker, sizeof event - 1);
            event[sizeof event - 1] = 0;
            put_text(text, i == 0 ? "{\"event_ticker\":" : ",{\"event_ticker\":", event);
            put_text(text, ",\"market_ticker\":", leg.ticker);
            sim_puts(text, draw >> (20 + i) & 1 ? ",\"side\":\"yes\"}" : ",\"side\":\"no\"}");
        }
        sim_lit(text, "]");
    }
}

/* The terms of a Market object; m is the market as it was just looked at, and not to be used after it. */
void
sim_put_terms(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_market *m)
{
    const struct changed *changed = find(sim, m->ticker);
    uint32_t version = changed != NULL ? changed->version : 0;
    struct sim_text words = {0};

    put_text(text, ",\"subtitle\":", m->yes_sub_title);
    put_text(text, ",\"no_sub_title\":", m->yes_sub_title);
    sim_putf(&words,
             "If \"%s\" comes out as %s, as the source agency has it at the expiration, then the market "
             "resolves to Yes.",
             m->title != NULL ? m->title : "it",
             m->yes_sub_title != NULL && m->yes_sub_title[0] != 0 ? m->yes_sub_title : "said");
    if (version > 0)
        sim_putf(&words, " As amended for the %u. time; revisions after the expiration do not count.",
                 version);
    sim_lit(text, ",\"rules_primary\":");
    sim_put_json(text, words.data, words.len);
    words.len = 0;
    sim_puts(
        &words,
        "Not all of the market's outcomes are equally likely.\nThe market closes at the sooner of its close "
        "time "
        "and the release of the data: the first value that is published counts \xe2\x80\x93 also where it is "
        "preliminary.");
    if (version > 1)
        sim_putf(&words, "\nAn earlier text of these rules (%u) said otherwise.", version - 1);
    sim_lit(text, ",\"rules_secondary\":");
    sim_put_json(text, words.data, words.len);
    sim_text_free(&words);
    sim_lit(text, ",\"can_close_early\":true,\"early_close_condition\":\"This market will close early when "
                  "the outcome is known.\"");
    sim_puts(text, m->result == KDP_RESULT_YES  ? ",\"expiration_value\":\"as said\""
                   : m->result == KDP_RESULT_NO ? ",\"expiration_value\":\"otherwise\""
                                                : ",\"expiration_value\":\"\"");
    sim_lit(text, ",\"settlement_bounds_type\":\"default\"");
    put_kind(sim, text, m);
}

/* ---- events ---- */

/* The last word of a name that has its words between dashes. */
static bool
by_date(const char *event) /* names of most events tell the day */
{
    const char *dash = strchr(event, '-');

    return dash != NULL && dash[1] >= '0' && dash[1] <= '9' && dash[2] >= '0' && dash[2] <= '9';
}

/* An Event object without its end, by one of its markets. */
void
sim_put_event(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_market *m)
{
    const struct changed *changed = find(sim, m->event_ticker);
    uint64_t kind = hash_of(m->series_ticker);
    int64_t updated_ns = m->updated_ns != KDP_TIME_NULL ? m->updated_ns : m->created_ns;

    put_text(text, "{\"event_ticker\":", m->event_ticker);
    put_text(text, ",\"series_ticker\":", m->series_ticker);
    put_text(text, ",\"title\":", m->event_title != NULL ? m->event_title : m->title);
    put_text(text,
             ",\"sub_title\":", strchr(m->event_ticker, '-') != NULL ? strchr(m->event_ticker, '-') + 1 : "");
    sim_puts(text, m->exclusive ? ",\"collateral_return_type\":\"MECNET\",\"mutually_exclusive\":true"
                                : ",\"collateral_return_type\":\"\",\"mutually_exclusive\":false");
    put_text(text, ",\"category\":", sim_category(m->series_ticker));
    sim_puts(
        text,
        kind & 2
            ? ",\"settlement_sources\":null"
            : ",\"settlement_sources\":[{\"name\":\"The agency\",\"url\":\"https://agency.example/data\"}]");
    if (by_date(m->event_ticker) && m->close_ns != KDP_TIME_NULL) {
        sim_lit(text, ",\"strike_date\":");
        sim_put_time(text, m->close_ns, 0);
    } else {
        sim_lit(text, ",\"strike_period\":\"the season\"");
    }
    sim_lit(text, ",\"product_metadata\":{\"competition\":\"simulated\",\"scope\":\"Game\"}");
    if (changed != NULL) {
        updated_ns = changed->updated_ns > updated_ns ? changed->updated_ns : updated_ns;
        sim_lit(text, ",\"fee_type_override\":");
        if (changed->has_fee) {
            sim_put_json(text, changed->fee_type, strlen(changed->fee_type));
            sim_lit(text, ",\"fee_multiplier_override\":");
            put_multiplier(text, changed->fee_e6);
        } else {
            sim_lit(text, "null,\"fee_multiplier_override\":null");
        }
    }
    sim_lit(text, ",\"last_updated_ts\":");
    sim_put_time(text, updated_ns, 0);
    sim_putf(text, ",\"exchange_index\":%d", m->exchange_index >= 0 ? m->exchange_index : 0);
}

/* ---- series ---- */
static const char *const categories[] = {"Climate and Weather", "Crypto", "Economics", "Financials",
                                         "Sports"};

const char *
sim_category(const char *series)
{
    static const struct {
        const char *part;
        unsigned which;
    } parts[] = {{"HIGH", 0}, {"RAIN", 0},  {"SNOW", 0}, {"BTC", 1}, {"ETH", 1}, {"SOL", 1},
                 {"XRP", 1},  {"FED", 2},   {"CPI", 2},  {"GAS", 2}, {"INX", 3}, {"TSA", 2},
                 {"GAME", 4}, {"MATCH", 4}, {"TEAM", 4}, {"MVE", 4}};

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(series, parts[i].part) != NULL)
            return categories[parts[i].which];
    }
    return categories[3];
}

/* A Series object. */
void
sim_put_series(const struct kdp_sim *sim, struct sim_text *text, const char *series, const char *title,
               int64_t volume_e2)
{
    static const char *const spans[] = {"daily", "hourly", "weekly", "custom", "fifteen_min"};
    static const char *const fees[] = {"quadratic", "quadratic_with_maker_fees", "flat", "quadratic"};
    const struct changed *changed = find(sim, series);
    const char *category = sim_category(series);
    uint64_t kind = hash_of(series);

    put_text(text, "{\"ticker\":", series);
    put_text(text, ",\"title\":", title);
    put_text(text, ",\"frequency\":", strstr(series, "15M") != NULL ? spans[4] : spans[kind % 4]);
    put_text(text, ",\"category\":", category);
    put_text(text, ",\"categories\":[", category);
    if (kind & 8)
        put_text(text, "],\"tags\":[", category);
    sim_puts(text, kind & 8 ? "]" : "],\"tags\":null");
    sim_lit(text,
            ",\"settlement_sources\":[{\"name\":\"The agency\",\"url\":\"https://agency.example/data\"}],"
            "\"contract_url\":\"https://contracts.example/");
    sim_puts(text, series);
    sim_lit(text, ".pdf\",\"contract_terms_url\":\"https://contracts.example/terms/");
    sim_puts(text, series);
    sim_lit(text, ".pdf\"");
    if (changed != NULL && changed->has_fee) {
        put_text(text, ",\"fee_type\":", changed->fee_type);
        sim_lit(text, ",\"fee_multiplier\":");
        put_multiplier(text, changed->fee_e6);
    } else {
        put_text(text, ",\"fee_type\":", fees[kind >> 8 & 3]);
        sim_puts(text, kind & 64 ? ",\"fee_multiplier\":0.5" : ",\"fee_multiplier\":1");
    }
    sim_puts(text, kind & 128 ? ",\"additional_prohibitions\":[\"Employees of the agency\"]"
                              : ",\"additional_prohibitions\":null");
    if (volume_e2 >= 0) {
        sim_lit(text, ",\"volume_fp\":\"");
        sim_put_size(text, volume_e2);
        sim_lit(text, "\"");
    }
    if (changed != NULL) {
        sim_lit(text, ",\"last_updated_ts\":");
        sim_put_time(text, changed->updated_ns, 0);
    }
    sim_lit(text, "}");
}

/* ---- changes of fees, the newest first; those of more than a day ago only when asked for ---- */
void
sim_rest_fees(struct sim_conn *conn, const struct sim_query *query, bool events)
{
    const struct kdp_sim *sim = conn->sim;
    const char *all = sim_query_get(query, "show_historical");
    const char *name = sim_query_get(query, events ? "event_ticker" : "series_ticker");
    uint64_t count = sim->terms != NULL ? sim->terms->fee_count : 0;
    uint64_t oldest = count > FEES_MAX ? count - FEES_MAX : 0;
    struct sim_text text = {0};
    bool first = true;

    sim_puts(&text, events ? "{\"event_fee_changes\":[" : "{\"series_fee_change_arr\":[");
    for (uint64_t n = count; n-- > oldest;) {
        const struct fee *fee = &sim->terms->fees[n % FEES_MAX];

        if (fee->event != events || (name != NULL && name[0] != 0 && strcmp(name, fee->name) != 0) ||
            (fee->at_ns < sim->now_ns - KDP_NS_PER_DAY && (all == NULL || strcmp(all, "true") != 0)))
            continue;
        sim_putf(&text, "%s{\"id\":\"fee-%llu\"", first ? "" : ",", (unsigned long long)fee->number);
        first = false;
        put_text(&text, events ? ",\"event_ticker\":" : ",\"series_ticker\":", fee->name);
        sim_puts(&text, events ? ",\"fee_type_override\":" : ",\"fee_type\":");
        if (fee->type[0] != 0)
            sim_put_json(&text, fee->type, strlen(fee->type));
        else
            sim_lit(&text, "null");
        sim_puts(&text, events ? ",\"fee_multiplier_override\":" : ",\"fee_multiplier\":");
        if (fee->type[0] != 0)
            put_multiplier(&text, fee->multiplier_e6);
        else
            sim_lit(&text, "null");
        sim_lit(&text, ",\"scheduled_ts\":");
        sim_put_time(&text, fee->at_ns, 0);
        sim_lit(&text, "}");
    }
    sim_puts(&text, events ? "],\"cursor\":\"\"}" : "]}");
    sim_http_answer(conn, 200, "", text.data, text.len);
    sim_text_free(&text);
}
