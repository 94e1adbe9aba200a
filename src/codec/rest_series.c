/* rest_series.c - Series objects of REST, changes of fees, and what requests cost. */
#include "rest_private.h"

#define COST_DEFAULT 10

/* ---- series ---- */

/* clang-format off */
#define FIELD(name, kind, member, max) {name, KDP_REST_##kind, max, offsetof(struct kdp_rest_series, member)}
static const struct kdp_rest_field series_fields[] = {
    FIELD("ticker", TEXT, ticker, KDPI_TICKER_MAX),
    FIELD("title", TEXT, title, KDPI_REST_WORD_MAX),
    FIELD("category", TEXT, category, KDPI_REST_WORD_MAX),
    FIELD("frequency", TEXT, frequency, KDPI_REST_WORD_MAX),
    FIELD("fee_type", TEXT, fee_type, KDPI_REST_WORD_MAX),
    FIELD("contract_url", TEXT, contract_url, KDPI_REST_WORD_MAX),
    FIELD("contract_terms_url", TEXT, contract_terms_url, KDPI_REST_WORD_MAX),
    FIELD("tags", JSON, tags, 0),
    FIELD("settlement_sources", JSON, settlement_sources, 0),
    FIELD("additional_prohibitions", JSON, additional_prohibitions, 0),
    FIELD("fee_multiplier", DOUBLE, fee_multiplier_e6, 0),
    FIELD("volume_fp", SIZE, volume_e2, 0),
    FIELD("volume", OLD_SIZE, volume_e2, 0),
    FIELD("exchange_index", INDEX, exchange_index, 0),
    {NULL, 0, 0, 0},
};
#undef FIELD
/* clang-format on */

static bool
take_series(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    struct kdp_rest_series series = {
        .fee_multiplier_e6 = KDP_INT64_NULL, .volume_e2 = KDP_INT64_NULL, .exchange_index = -1};

    kdpi_rest_fields(reader, series_fields, &series);
    if (series.ticker.len == 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "ticker", at);
    return !kdpi_rest_wanted(page, reader) || page->each.series(page->arg, &series);
}

void
kdpi_rest_series(struct kdp_rest_reader *reader, const char *body, size_t len,
                 bool (*each)(void *arg, const struct kdp_rest_series *series), void *arg,
                 struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {
        .list = "series", .one = "series", .item = take_series, .each.series = each, .arg = arg, .end = end};

    kdpi_rest_page(reader, body, len, &page);
}

/* ---- changes of fees ---- */

struct fee_row {
    struct kdp_rest_fee_change change;
    struct kdp_text series, event;
};

/* clang-format off */
#define FIELD(name, kind, member, max) {name, KDP_REST_##kind, max, offsetof(struct fee_row, member)}
static const struct kdp_rest_field fee_fields[] = {
    FIELD("id", TEXT, change.id, KDPI_TICKER_MAX),
    FIELD("series_ticker", TEXT, series, KDPI_TICKER_MAX),
    FIELD("event_ticker", TEXT, event, KDPI_TICKER_MAX),
    FIELD("fee_type", TEXT, change.fee_type, KDPI_REST_WORD_MAX),
    FIELD("fee_multiplier", DOUBLE, change.fee_multiplier_e6, 0),
    FIELD("scheduled_ts", TIME, change.scheduled_ns, 0),
    {NULL, 0, 0, 0},
};
/* of an event: both null where an override ends */
static const struct kdp_rest_field override_fields[] = {
    FIELD("id", TEXT, change.id, KDPI_TICKER_MAX),
    FIELD("event_ticker", TEXT, event, KDPI_TICKER_MAX),
    FIELD("fee_type_override", TEXT, change.fee_type, KDPI_REST_WORD_MAX),
    FIELD("fee_multiplier_override", DOUBLE, change.fee_multiplier_e6, 0),
    FIELD("scheduled_ts", TIME, change.scheduled_ns, 0),
    {NULL, 0, 0, 0},
};
#undef FIELD
/* clang-format on */

static bool
take_fee_change(struct kdp_rest_page *page, struct kdp_rest_reader *reader, bool event)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    struct fee_row row = {.change = {.fee_multiplier_e6 = KDP_INT64_NULL, .scheduled_ns = KDP_TIME_NULL},
                          .series = kdpi_no_text,
                          .event = kdpi_no_text};

    kdpi_rest_fields(reader, event ? override_fields : fee_fields, &row);
    row.change.event = event;
    row.change.ticker = event ? row.event : row.series;
    if (row.change.ticker.len == 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, event ? "event_ticker" : "series_ticker", at);
    return !kdpi_rest_wanted(page, reader) || page->each.fee_change(page->arg, &row.change);
}

static bool
take_series_fee(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    return take_fee_change(page, reader, false);
}

static bool
take_event_fee(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    return take_fee_change(page, reader, true);
}

static bool
take_event_fees(struct kdp_rest_page *page, struct kdp_rest_reader *reader, struct kdp_text key, bool *therep)
{
    if (!kdpi_text_is(key, "event_fee_changes") && !kdpi_text_is(key, "event_fee_change_arr"))
        return true;
    *therep = true;
    return kdpi_rest_list(reader, page, "event_fee_changes", take_event_fee);
}

void
kdpi_rest_fee_changes(struct kdp_rest_reader *reader, const char *body, size_t len,
                      bool (*each)(void *arg, const struct kdp_rest_fee_change *change), void *arg,
                      struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {.list = "series_fee_change_arr",
                                 .item = take_series_fee,
                                 .other = take_event_fees,
                                 .each.fee_change = each,
                                 .arg = arg,
                                 .end = end};

    kdpi_rest_page(reader, body, len, &page);
}

/* ---- costs ---- */

struct cost_page {
    struct kdp_rest_page page; /* first: a pointer to it is one to the whole */
    int64_t default_cost;
};

/* clang-format off */
#define FIELD(name, kind, member, max) {name, KDP_REST_##kind, max, offsetof(struct kdp_rest_cost, member)}
static const struct kdp_rest_field cost_fields[] = {
    FIELD("method", TEXT, method, KDPI_REST_WORD_MAX),
    FIELD("path", TEXT, path, KDPI_REST_WORD_MAX),
    FIELD("cost", WHOLE, cost, 0),
    {NULL, 0, 0, 0},
};
#undef FIELD
/* clang-format on */

static bool
take_cost(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    struct kdp_rest_cost cost = {.cost = -1};

    kdpi_rest_fields(reader, cost_fields, &cost);
    if (cost.path.len == 0 || cost.cost < 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, cost.cost < 0 ? "cost" : "path", at);
    return !kdpi_rest_wanted(page, reader) || page->each.cost(page->arg, &cost);
}

static bool
take_default_cost(struct kdp_rest_page *page, struct kdp_rest_reader *reader, struct kdp_text key,
                  bool *therep)
{
    struct cost_page *costs = (struct cost_page *)page;

    if (!kdpi_text_is(key, "default_cost"))
        return true;
    *therep = true;
    kdpi_message_clear(reader->d, &reader->msg);
    kdpi_take_decimal(reader->d, KDP_MEMBER_UNKNOWN, 0, 0, INT64_MAX, &costs->default_cost);
    return true;
}

void
kdpi_rest_costs(struct kdp_rest_reader *reader, const char *body, size_t len,
                bool (*each)(void *arg, const struct kdp_rest_cost *cost), void *arg,
                struct kdp_rest_end *end, int64_t *default_costp)
{
    struct cost_page costs = {.page = {.list = "endpoint_costs",
                                       .item = take_cost,
                                       .other = take_default_cost,
                                       .each.cost = each,
                                       .arg = arg,
                                       .end = end},
                              .default_cost = COST_DEFAULT};

    kdpi_rest_page(reader, body, len, &costs.page);
    *default_costp = costs.default_cost;
}
