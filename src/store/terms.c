/* terms.c - see terms.h. */
#include "terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "history_meta.h"
#include "record.h"

#define CELLS_MAX 48u
#define E6_END INT64_C(1000000000000000000) /* of DECIMAL(18,6), in millionths */
#define KNOWN (1u << 15) /* hashes of texts already given; an older one gives way, and is then given again */

struct kdp_terms {
    struct kdp_history *history;
    unsigned tables[KDP_META_TABLES]; /* their numbers */
    const struct kdp_enum_desc *statuses, *strikes, *results;
    struct kdp_terms_totals totals;
    /* the row being made */
    const char *cells[CELLS_MAX];
    unsigned count;
    char *room;
    size_t used, size;
    XXH128_hash_t known[KNOWN];
};

int
kdp_terms_open(struct kdp_terms **termsp, struct kdp_history *history)
{
    struct kdp_terms *terms = calloc(1, sizeof *terms);

    *termsp = NULL;
    if (terms == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    terms->history = history;
    for (unsigned i = 0; i < KDP_META_TABLES; i++) {
        int number = kdp_history_table_find(kdp_history_meta_tables[i].name);

        KDP_ASSERT(number >= 0);
        terms->tables[i] = (unsigned)number;
    }
    terms->statuses = kdpi_enum_find("market_status");
    terms->strikes = kdpi_enum_find("strike_type");
    terms->results = kdpi_enum_find("result");
    KDP_ASSERT(terms->statuses != NULL && terms->strikes != NULL && terms->results != NULL);
    *termsp = terms;
    return 0;
}

void
kdp_terms_close(struct kdp_terms *terms)
{
    if (terms == NULL)
        return;
    free(terms->room);
    free(terms);
}

void
kdp_terms_totals(const struct kdp_terms *terms, struct kdp_terms_totals *totals)
{
    *totals = terms->totals;
}

void
kdp_terms_hash(char buf[33], const char *text, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(text, len);

    snprintf(buf, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

/* ---- cells ----
 * Their texts lie in room until the row is given; it has been made large enough before the first of them. */

/* A row's texts with their NULs and the forms of its numbers and times. */
static int
row_start(struct kdp_terms *terms, size_t texts)
{
    size_t need = texts + (size_t)CELLS_MAX * 48 + 4096;

    if (need > terms->size) {
        char *room = realloc(terms->room, need * 2);

        if (room == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory");
        terms->room = room;
        terms->size = need * 2;
    }
    terms->count = 0;
    terms->used = 0;
    return 0;
}

static void
put(struct kdp_terms *terms, const char *cell)
{
    KDP_ASSERT(terms->count < CELLS_MAX);
    terms->cells[terms->count++] = cell;
}

/* A text; absent and empty are the same here, since the exchange writes both for nothing. */
static void
put_text(struct kdp_terms *terms, struct kdp_text text)
{
    char *cell = terms->room + terms->used;

    if (text.len == 0) {
        put(terms, NULL);
        return;
    }
    KDP_ASSERT(terms->used + text.len + 1 <= terms->size);
    for (size_t i = 0; i < text.len; i++)
        cell[i] = text.data[i] != '\0' ? text.data[i] : ' ';
    cell[text.len] = '\0';
    terms->used += text.len + 1;
    put(terms, cell);
}

static void
put_time(struct kdp_terms *terms, int64_t ns)
{
    char *cell = terms->room + terms->used;

    if (ns == KDP_TIME_NULL) {
        put(terms, NULL);
        return;
    }
    KDP_ASSERT(terms->used + KDPI_TIME_TEXT <= terms->size);
    kdpi_time_format(cell, ns, 9);
    terms->used += KDPI_TIME_TEXT;
    put(terms, cell);
}

/* One that the column cannot hold is not known: as an error it would keep all other terms from being filed, for ever. */
static void
put_e6(struct kdp_terms *terms, int64_t value)
{
    char *cell = terms->room + terms->used;

    if (value == KDP_INT64_NULL || value >= E6_END || value <= -E6_END) {
        put(terms, NULL);
        return;
    }
    KDP_ASSERT(terms->used + KDPI_DECIMAL_TEXT <= terms->size);
    kdpi_decimal_format(cell, value, 6);
    terms->used += KDPI_DECIMAL_TEXT;
    put(terms, cell);
}

static void
put_bool(struct kdp_terms *terms, int value) /* -1: not said */
{
    put(terms, value < 0 ? NULL : value > 0 ? "true" : "false");
}

static void
put_index(struct kdp_terms *terms, int value)
{
    char *cell = terms->room + terms->used;

    if (value < 0 || value > UINT8_MAX) {
        put(terms, NULL);
        return;
    }
    terms->used += (size_t)snprintf(cell, terms->size - terms->used, "%d", value) + 1;
    put(terms, cell);
}

/* The words of value 0 ("none", "unknown") mean that nothing was said. */
static void
put_word(struct kdp_terms *terms, const struct kdp_enum_desc *words, unsigned value)
{
    put(terms, value != 0 ? kdpi_enum_word(words, value) : NULL);
}

static int
give(struct kdp_terms *terms, enum kdp_meta_table table)
{
    return kdp_history_row(terms->history, terms->tables[table], terms->cells, terms->count);
}

/* ---- texts ---- */

/* name_text writes a text's hash into buf, after the text was given to the table texts; "" for an empty one.  It makes a row
 * of its own, so it comes before the row that names the text. */
static int
name_text(struct kdp_terms *terms, char buf[33], struct kdp_text text)
{
    XXH128_hash_t hash, *known;
    int rc;

    buf[0] = '\0';
    if (text.len == 0)
        return 0;
    rc = row_start(terms, text.len);
    if (rc != 0)
        return rc;
    put(terms, buf);
    put_text(terms, text); /* the hash is of what is stored */
    kdp_terms_hash(buf, terms->cells[1], text.len);
    hash = XXH3_128bits(terms->cells[1], text.len);
    known = &terms->known[hash.low64 % KNOWN];
    if (XXH128_isEqual(*known, hash)) {
        terms->totals.texts_again++;
        return 0;
    }
    rc = give(terms, KDP_META_TEXT);
    if (rc == 0) {
        *known = hash;
        terms->totals.texts++;
        terms->totals.text_bytes += text.len;
    }
    return rc;
}

static void
put_name(struct kdp_terms *terms, const char *hash)
{
    put(terms, hash[0] != '\0' ? hash : NULL);
}

/* ---- rows ---- */

/* The form of definitions.price_ranges, so that both can be compared. */
static void
put_ranges(struct kdp_terms *terms, const struct kdp_rest_market *market)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(KDP_TEMPLATE_DEFINITION);
    char *cell = terms->room + terms->used, number[KDPI_DECIMAL_TEXT];
    size_t room = terms->size - terms->used, used = 0;

    if (market->range_count == 0) {
        put(terms, NULL);
        return;
    }
    for (uint32_t i = 0; i < market->range_count && i < 16; i++) {
        const uint8_t *item = (const uint8_t *)&market->ranges[i];
        bool first = true;

        used += (size_t)snprintf(cell + used, room - used, "%s{", i > 0 ? "," : "[");
        for (unsigned f = 0; f < desc->group_field_count; f++) {
            const struct kdp_field_desc *field = &desc->group_fields[f];
            int32_t value;

            KDP_ASSERT(field->kind == KDP_FIELD_PRICE);
            memcpy(&value, item + field->offset, sizeof value);
            kdpi_decimal_format(number, value, field->scale);
            used += (size_t)snprintf(cell + used, room - used, "%s\"%s\":\"%s\"", first ? "" : ",",
                                     field->column != NULL ? field->column : field->name, number);
            first = false;
        }
        used += (size_t)snprintf(cell + used, room - used, "}");
    }
    used += (size_t)snprintf(cell + used, room - used, "]");
    KDP_ASSERT(used < room);
    terms->used += used + 1;
    put(terms, cell);
}

int
kdp_terms_market(struct kdp_terms *terms, const struct kdp_rest_market *market)
{
    const struct kdp_rest_market *m = market;
    char early[33], primary[33], secondary[33];
    size_t texts = m->ticker.len + m->event_ticker.len + m->title.len + m->subtitle.len +
                   m->yes_sub_title.len + m->no_sub_title.len + m->functional_strike.len +
                   m->custom_strike.len + m->mve_collection.len + m->legs.len + m->primary_participant.len +
                   m->structure.len + m->settlement_bounds.len + m->expiration_value.len;
    int rc = name_text(terms, early, m->early_close_condition);

    if (rc == 0)
        rc = name_text(terms, primary, m->rules_primary);
    if (rc == 0)
        rc = name_text(terms, secondary, m->rules_secondary);
    if (rc == 0)
        rc = row_start(terms, texts);
    if (rc != 0)
        return rc;
    put_text(terms, m->ticker);
    put_time(terms, m->updated_ns);
    put_time(terms, m->created_ns);
    put_text(terms, m->event_ticker);
    put_text(terms, m->title);
    put_text(terms, m->subtitle);
    put_text(terms, m->yes_sub_title);
    put_text(terms, m->no_sub_title);
    put_word(terms, terms->statuses, m->status);
    put_word(terms, terms->strikes, m->strike_type);
    put_e6(terms, m->floor_strike_e6);
    put_e6(terms, m->cap_strike_e6);
    put_text(terms, m->functional_strike);
    put_text(terms, m->custom_strike);
    put_text(terms, m->mve_collection);
    put_text(terms, m->legs);
    put_text(terms, m->primary_participant);
    put_text(terms, m->structure);
    put_ranges(terms, m);
    put_time(terms, m->open_ns);
    put_time(terms, m->close_ns);
    put_time(terms, m->expiry_ns);
    put_bool(terms, m->can_close_early);
    put_name(terms, early);
    put_name(terms, primary);
    put_name(terms, secondary);
    put_text(terms, m->settlement_bounds);
    put_bool(terms, m->provisional);
    put_index(terms, m->exchange_index);
    put_word(terms, terms->results, m->result);
    put_e6(terms, m->settlement_value_e6);
    put_time(terms, m->settlement_ns);
    put_text(terms, m->expiration_value);
    rc = give(terms, KDP_META_MARKET);
    terms->totals.markets += rc == 0;
    return rc;
}

int
kdp_terms_event(struct kdp_terms *terms, const struct kdp_rest_event *event)
{
    const struct kdp_rest_event *e = event;
    int rc = row_start(terms, e->event_ticker.len + e->series_ticker.len + e->title.len + e->sub_title.len +
                                  e->category.len + e->collateral.len + e->strike_period.len);

    if (rc != 0)
        return rc;
    put_text(terms, e->event_ticker);
    put_text(terms, e->series_ticker);
    put_text(terms, e->title);
    put_text(terms, e->sub_title);
    put_text(terms, e->category);
    put_text(terms, e->collateral);
    put_bool(terms, e->mutually_exclusive);
    put_time(terms, e->strike_date_ns);
    put_text(terms, e->strike_period);
    put_index(terms, e->exchange_index);
    rc = give(terms, KDP_META_EVENT);
    terms->totals.events += rc == 0;
    return rc;
}

int
kdp_terms_series(struct kdp_terms *terms, const struct kdp_rest_series *series)
{
    const struct kdp_rest_series *s = series;
    static const struct kdp_text none = {"", 0};
    char prohibitions[33];
    bool empty = s->additional_prohibitions.len <= 2; /* [] */
    int rc = name_text(terms, prohibitions, empty ? none : s->additional_prohibitions);

    if (rc == 0)
        rc = row_start(terms, s->ticker.len + s->title.len + s->category.len + s->frequency.len +
                                  s->tags.len + s->settlement_sources.len + s->fee_type.len +
                                  s->contract_url.len + s->contract_terms_url.len);
    if (rc != 0)
        return rc;
    put_text(terms, s->ticker);
    put_text(terms, s->title);
    put_text(terms, s->category);
    put_text(terms, s->frequency);
    put_text(terms, s->tags);
    put_text(terms, s->settlement_sources);
    put_text(terms, s->fee_type);
    put_e6(terms, s->fee_multiplier_e6);
    put_text(terms, s->contract_url);
    put_text(terms, s->contract_terms_url);
    put_name(terms, prohibitions);
    put_index(terms, s->exchange_index);
    rc = give(terms, KDP_META_SERIES);
    terms->totals.series += rc == 0;
    return rc;
}

int
kdp_terms_fee_change(struct kdp_terms *terms, const struct kdp_rest_fee_change *change)
{
    const struct kdp_rest_fee_change *c = change;
    int rc = row_start(terms, c->id.len + c->ticker.len + c->fee_type.len);

    if (rc != 0)
        return rc;
    put_text(terms, c->id);
    put(terms, c->event ? "event" : "series");
    put_text(terms, c->ticker);
    put_time(terms, c->scheduled_ns);
    put_text(terms, c->fee_type);
    put_e6(terms, c->fee_multiplier_e6);
    rc = give(terms, KDP_META_FEE_CHANGE);
    terms->totals.fee_changes += rc == 0;
    return rc;
}
