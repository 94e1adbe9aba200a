/* rest_event.c - Event objects of REST, and the markets that come inside or beside them. */
#include "rest_private.h"

/* clang-format off */
#define FIELD(name, kind, member, max) {name, KDP_REST_##kind, max, offsetof(struct kdp_rest_event, member)}
static const struct kdp_rest_field fields[] = {
    FIELD("event_ticker", TEXT, event_ticker, KDPI_TICKER_MAX),
    FIELD("series_ticker", TEXT, series_ticker, KDPI_TICKER_MAX),
    FIELD("title", TEXT, title, KDPI_REST_WORD_MAX),
    FIELD("sub_title", TEXT, sub_title, KDPI_REST_WORD_MAX),
    FIELD("category", TEXT, category, KDPI_REST_WORD_MAX),
    FIELD("collateral_return_type", TEXT, collateral, KDPI_REST_WORD_MAX),
    FIELD("strike_period", TEXT, strike_period, KDPI_REST_WORD_MAX),
    FIELD("strike_date", TIME, strike_date_ns, 0),
    FIELD("mutually_exclusive", FLAG, mutually_exclusive, 0),
    FIELD("exchange_index", INDEX, exchange_index, 0),
    {NULL, 0, 0, 0},
};
#undef FIELD
/* clang-format on */

static bool
take_event(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    struct kdp_rest_event event = {
        .strike_date_ns = KDP_TIME_NULL, .mutually_exclusive = -1, .exchange_index = -1};

    kdpi_rest_fields(reader, fields, &event);
    if (event.event_ticker.len == 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "event_ticker", at);
    return !kdpi_rest_wanted(page, reader) || page->each.event(page->arg, &event);
}

void
kdpi_rest_events(struct kdp_rest_reader *reader, const char *body, size_t len,
                 bool (*each)(void *arg, const struct kdp_rest_event *event), void *arg,
                 struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {
        .list = "events", .one = "event", .item = take_event, .each.event = each, .arg = arg, .end = end};

    kdpi_rest_page(reader, body, len, &page);
}

/* ---- the markets of events ---- */

/* The page's first member: a pointer to it is one to the whole. */
struct nested_page {
    struct kdp_rest_page page;
    bool inside, beside; /* where markets were found: the same ones are not handed out twice */
};

static bool
take_inside(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    struct nested_page *nested = (struct nested_page *)page;
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key;

    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        if (!kdpi_text_is(key, "markets") || nested->beside)
            continue;
        nested->inside = true;
        if (!kdpi_rest_list(reader, page, "markets", kdpi_rest_take_market))
            return false;
    }
    return true;
}

static bool
take_beside(struct kdp_rest_page *page, struct kdp_rest_reader *reader, struct kdp_text key, bool *therep)
{
    struct nested_page *nested = (struct nested_page *)page;

    (void)therep; /* without its event this is no such body */
    if (!kdpi_text_is(key, "markets") || nested->inside)
        return true;
    nested->beside = true;
    return kdpi_rest_list(reader, page, "markets", kdpi_rest_take_market);
}

void
kdpi_rest_event_markets(struct kdp_rest_reader *reader, const char *body, size_t len,
                        bool (*each)(void *arg, const struct kdp_rest_market *market), void *arg,
                        struct kdp_rest_end *end)
{
    struct nested_page nested = {.page = {.list = "events",
                                          .one = "event",
                                          .item = take_inside,
                                          .other = take_beside,
                                          .each.market = each,
                                          .arg = arg,
                                          .end = end}};

    kdpi_rest_page(reader, body, len, &nested.page);
}
