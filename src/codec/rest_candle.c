/* rest_candle.c - candlesticks of REST in all their forms.
 *
 *   one market   {"ticker":T,"candlesticks":[...]}, live and historical
 *   batch        {"markets":[{"market_ticker":T,"candlesticks":[...]}]}
 *   event        {"market_tickers":[T,...],"market_candlesticks":[[...],...],"adjusted_end_ts":N}
 *
 * The name may stand before or behind the candles.  Where it stands behind, the reader looks ahead: it copies its place,
 * steps over the candles to the name, and goes back.  What is between was checked then, so going back is sound. */
#include "rest_private.h"

#include "decimal.h"

#define PRICE_MAX 10000
#define DOLLARS "_dollars"

struct candle_page {
    struct kdp_rest_page page; /* first: a pointer to it is one to the whole */
    struct kdp_text ticker;    /* of the candles under way, in the reader's memory */
    int64_t adjusted_end;
    bool named;              /* tickers stands at the list of an event's markets */
    struct kdp_json tickers; /* reads it beside the lists of candles */
    char scratch[2 * KDPI_JSON_KEY_MAX];
};

/* ---- one candle ---- */

enum { OPEN, HIGH, LOW, CLOSE, PREVIOUS, MIN, MAX, PRICES, MEAN = PRICES, VALUES };
static const char *const value_names[VALUES] = {"open",     "high", "low", "close",
                                                "previous", "min",  "max", "mean"};

struct values {
    int64_t value[VALUES];
};

static int
find_value(struct kdp_text key, bool *dollarsp)
{
    size_t suffix = sizeof DOLLARS - 1;

    *dollarsp = key.len > suffix && memcmp(key.data + key.len - suffix, DOLLARS, suffix) == 0;
    if (*dollarsp)
        key.len -= suffix;
    for (int i = 0; i < VALUES; i++)
        if (kdpi_text_equal(key, value_names[i], strlen(value_names[i])))
            return i;
    return -1;
}

/* A whole JSON number under a name without _dollars: cents before March 2026, dollars in a historical candle.  Which one
 * cannot be told, so only 0, the same in both, is a value. */
static bool
is_of_no_unit(const struct kdp_value *value)
{
    if (value->kind != KDP_JSON_NUMBER || kdpi_text_is(value->text, "0"))
        return false;
    for (size_t i = 0; i < value->text.len; i++)
        if (value->text.data[i] == '.' || value->text.data[i] == 'e' || value->text.data[i] == 'E')
            return false;
    return true;
}

static void
take_value(struct kdp_rest_reader *reader, const char *member, int index, bool dollars, struct values *values)
{
    struct kdp_value value = kdpi_value_take(reader->d, KDP_MEMBER_UNKNOWN);
    int64_t number, max = index == MEAN ? 100 * PRICE_MAX : PRICE_MAX;

    if (kdpi_value_absent(&value) || (!dollars && is_of_no_unit(&value)))
        return;
    if (value.kind != KDP_JSON_NUMBER && value.kind != KDP_JSON_STRING) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, value.at);
        return;
    }
    switch (kdpi_decimal_parse(value.text.data, value.text.len, index == MEAN ? 6 : 4, &number)) {
    case KDP_DECIMAL_OK:
        if (number < 0 || number > max)
            kdpi_rest_refuse(reader, KDP_REFUSAL_RANGE, member, value.at);
        else if (dollars || values->value[index] == KDP_INT64_NULL)
            values->value[index] = number;
        return;
    case KDP_DECIMAL_TOO_FINE:
        if (index != MEAN) /* a mean is a quotient: one that does not fit is null, and its candle stays */
            kdpi_rest_refuse(reader, KDP_REFUSAL_TOO_FINE, member, value.at);
        return;
    case KDP_DECIMAL_TOO_BIG:
        kdpi_rest_refuse(reader, KDP_REFUSAL_RANGE, member, value.at);
        return;
    default:
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, value.at);
        return;
    }
}

/* The object of one side's or the trades' prices, null where there are none. */
static void
take_values(struct kdp_rest_reader *reader, const char *member, struct values *values)
{
    struct kdp_json *json = &reader->d->json;
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;

    if (kdpi_json_null(json))
        return;
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, member, at);
        return;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        bool dollars;
        int index = find_value(key, &dollars);

        if (index >= 0)
            take_value(reader, member, index, dollars, values);
    }
}

static int32_t
price_of(int64_t value)
{
    return value == KDP_INT64_NULL ? KDP_PRICE_NULL : (int32_t)value;
}

static void
put_ohlc(struct kdp_rest_ohlc *ohlc, const struct values *values)
{
    ohlc->open_e4 = price_of(values->value[OPEN]);
    ohlc->high_e4 = price_of(values->value[HIGH]);
    ohlc->low_e4 = price_of(values->value[LOW]);
    ohlc->close_e4 = price_of(values->value[CLOSE]);
}

/* clang-format off */
#define FIELD(name, kind, member) {name, KDP_REST_##kind, 0, offsetof(struct kdp_rest_candle, member)}
static const struct kdp_rest_field fields[] = {
    FIELD("end_period_ts", TIME, end_ns),
    FIELD("volume_fp", SIZE, volume_e2),
    FIELD("volume", OLD_SIZE, volume_e2),
    FIELD("open_interest_fp", SIZE, open_interest_e2),
    FIELD("open_interest", OLD_SIZE, open_interest_e2),
    {NULL, 0, 0, 0},
};
#undef FIELD
/* clang-format on */

static bool
take_candle(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    static const char *const sides[] = {"yes_bid", "yes_ask", "price"};
    struct kdp_json *json = &reader->d->json;
    struct kdp_rest_candle candle = {.ticker = ((struct candle_page *)page)->ticker,
                                     .end_ns = KDP_TIME_NULL,
                                     .volume_e2 = KDP_INT64_NULL,
                                     .open_interest_e2 = KDP_INT64_NULL};
    size_t at = kdpi_json_offset(json);
    struct values values[3];
    struct kdp_text key;

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < VALUES; k++)
            values[i].value[k] = KDP_INT64_NULL;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        const struct kdp_rest_field *field = kdpi_rest_field_find(fields, key);

        if (field != NULL) {
            kdpi_rest_field_take(reader, field, &candle);
            continue;
        }
        for (size_t i = 0; i < 3; i++)
            if (kdpi_text_equal(key, sides[i], strlen(sides[i]))) {
                take_values(reader, sides[i], &values[i]);
                break;
            }
    }
    if (candle.end_ns == KDP_TIME_NULL)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "end_period_ts", at);
    put_ohlc(&candle.bid, &values[0]);
    put_ohlc(&candle.ask, &values[1]);
    put_ohlc(&candle.price, &values[2]);
    candle.mean_e6 = values[2].value[MEAN];
    candle.previous_e4 = price_of(values[2].value[PREVIOUS]);
    candle.min_e4 = price_of(values[2].value[MIN]);
    candle.max_e4 = price_of(values[2].value[MAX]);
    return !kdpi_rest_wanted(page, reader) || page->each.candle(page->arg, &candle);
}

/* ---- whose candles they are ---- */

/* A second reader that stands where the first one does.  It looks for names only; the first one checks all it passes. */
static struct kdp_json
look_from(const struct kdp_rest_reader *reader, struct candle_page *candles)
{
    struct kdp_json ahead = reader->d->json;

    ahead.keys = NULL;
    ahead.scratch = candles->scratch;
    ahead.scratch_size = sizeof candles->scratch;
    ahead.scratch_used = 0;
    return ahead;
}

/* Names that cannot be read refuse the body: no candle may go under another market's name. */
static void
refuse_body(struct kdp_rest_reader *reader, struct candle_page *candles, enum kdp_refusal refusal,
            const char *member, size_t at, const char *why)
{
    if (reader->d->json.refusal == KDP_REFUSAL_NONE)
        candles->page.end->member = member;
    kdpi_json_refuse(&reader->d->json, refusal, at, why);
}

static bool
is_ticker(struct kdp_text key)
{
    return kdpi_text_is(key, "market_ticker") || kdpi_text_is(key, "ticker");
}

/* Takes the ticker due in json, which is the reader's or one that looks ahead.  It is copied: it outlives the items, whose
 * texts begin anew with each. */
static void
take_ticker(struct kdp_rest_reader *reader, struct candle_page *candles, struct kdp_json *json)
{
    size_t at = kdpi_json_offset(json);
    struct kdp_text text;
    enum kdp_json_kind kind = kdpi_json_scalar(json, &text);

    if (kind == KDP_JSON_NONE || kind == KDP_JSON_NULL)
        return;
    if (kind != KDP_JSON_STRING || text.len > sizeof reader->candle_ticker) {
        refuse_body(reader, candles, kind != KDP_JSON_STRING ? KDP_REFUSAL_TYPE : KDP_REFUSAL_TOO_LONG,
                    "ticker", at, "a ticker is a text of at most 200 bytes");
        return;
    }
    memcpy(reader->candle_ticker, text.data, text.len);
    candles->ticker = (struct kdp_text){reader->candle_ticker, text.len};
}

/* Steps to the next member of the object that ahead is in; false behind the last one, and what is no JSON refuses the
 * body. */
static bool
look_on(struct kdp_rest_reader *reader, struct candle_page *candles, struct kdp_json *ahead,
        struct kdp_text *keyp)
{
    ahead->scratch_used = 0;
    if (kdpi_json_member(ahead, keyp))
        return true;
    if (ahead->refusal != KDP_REFUSAL_NONE)
        refuse_body(reader, candles, ahead->refusal, "", ahead->position, ahead->why);
    return false;
}

/* Looks from the candles due to the end of their object for the name. */
static void
look_for_ticker(struct kdp_rest_reader *reader, struct candle_page *candles)
{
    struct kdp_json ahead = look_from(reader, candles);
    struct kdp_text key;

    while (look_on(reader, candles, &ahead, &key))
        if (is_ticker(key))
            take_ticker(reader, candles, &ahead);
}

static bool
take_batch_market(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    struct candle_page *candles = (struct candle_page *)page;
    struct kdp_json *json = &reader->d->json;
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;

    candles->ticker = kdpi_no_text;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        if (is_ticker(key)) {
            take_ticker(reader, candles, json);
        } else if (kdpi_text_is(key, "candlesticks")) {
            if (candles->ticker.len == 0)
                look_for_ticker(reader, candles);
            if (candles->ticker.len > 0 && !kdpi_rest_list(reader, page, "candlesticks", take_candle))
                return false;
        }
    }
    if (json->refusal == KDP_REFUSAL_NONE && candles->ticker.len == 0) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "market_ticker", at);
        kdpi_rest_wanted(page, reader);
    }
    return true;
}

/* ---- the event's lists ---- */

/* How many elements the list due in a copy of a reader has; what is none refuses the body. */
static uint32_t
count_list(struct kdp_rest_reader *reader, struct candle_page *candles, struct kdp_json list,
           const char *member)
{
    uint32_t count = 0;

    if (kdpi_json_null(&list))
        return 0;
    kdpi_json_array(&list);
    while (list.refusal == KDP_REFUSAL_NONE && kdpi_json_element(&list))
        count++;
    if (list.refusal != KDP_REFUSAL_NONE)
        refuse_body(reader, candles, list.refusal, member, list.position, list.why);
    return count;
}

/* Finds the names behind the lists, and holds both to the same length before anything is handed out. */
static uint32_t
look_for_tickers(struct kdp_rest_reader *reader, struct candle_page *candles)
{
    struct kdp_json ahead = look_from(reader, candles);
    size_t at = kdpi_json_offset(&ahead);
    uint32_t lists = count_list(reader, candles, ahead, "market_candlesticks");
    struct kdp_text key;

    while (!candles->named && look_on(reader, candles, &ahead, &key)) {
        candles->named = kdpi_text_is(key, "market_tickers");
        candles->tickers = ahead;
    }
    if (!candles->named)
        refuse_body(reader, candles, KDP_REFUSAL_MISSING, "market_tickers", at, "candles of no market");
    else if (count_list(reader, candles, candles->tickers, "market_tickers") != lists)
        refuse_body(reader, candles, KDP_REFUSAL_CONFLICT, "market_tickers", at,
                    "as many lists of candles as tickers");
    return lists;
}

static bool
take_event_lists(struct kdp_rest_reader *reader, struct candle_page *candles)
{
    struct kdp_json *json = &reader->d->json;
    uint32_t lists = look_for_tickers(reader, candles);
    size_t at;

    if (json->refusal != KDP_REFUSAL_NONE || kdpi_json_null(json))
        return true;
    kdpi_json_array(json);
    if (lists > 0)
        kdpi_json_array(&candles->tickers);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json)) {
        candles->ticker = kdpi_no_text;
        candles->tickers.scratch_used = 0;
        kdpi_json_element(&candles->tickers);
        at = kdpi_json_offset(&candles->tickers);
        take_ticker(reader, candles, &candles->tickers);
        if (candles->ticker.len == 0)
            refuse_body(reader, candles, KDP_REFUSAL_MISSING, "market_tickers", at, "candles of no market");
        else if (!kdpi_rest_list(reader, &candles->page, "market_candlesticks", take_candle))
            return false;
    }
    return true;
}

/* ---- bodies ---- */

static bool
take_other(struct kdp_rest_page *page, struct kdp_rest_reader *reader, struct kdp_text key, bool *therep)
{
    struct candle_page *candles = (struct candle_page *)page;
    struct kdp_json *json = &reader->d->json;

    if (is_ticker(key)) {
        take_ticker(reader, candles, json);
    } else if (kdpi_text_is(key, "candlesticks")) {
        *therep = true;
        if (candles->ticker.len == 0)
            look_for_ticker(reader, candles);
        return json->refusal != KDP_REFUSAL_NONE || kdpi_rest_list(reader, page, "candlesticks", take_candle);
    } else if (kdpi_text_is(key, "market_tickers")) {
        candles->tickers = look_from(reader, candles);
        candles->named = true;
    } else if (kdpi_text_is(key, "market_candlesticks")) {
        *therep = true;
        return take_event_lists(reader, candles);
    } else if (kdpi_text_is(key, "adjusted_end_ts")) {
        kdpi_message_clear(reader->d, &reader->msg);
        kdpi_take_decimal(reader->d, KDP_MEMBER_UNKNOWN, 0, 0, INT64_MAX, &candles->adjusted_end);
    }
    return true;
}

void
kdpi_rest_candles(struct kdp_rest_reader *reader, const char *body, size_t len,
                  bool (*each)(void *arg, const struct kdp_rest_candle *candle), void *arg,
                  struct kdp_rest_end *end, int64_t *adjusted_end_tsp)
{
    struct candle_page candles;

    memset(&candles, 0, offsetof(struct candle_page, scratch));
    candles.page.list = "markets";
    candles.page.item = take_batch_market;
    candles.page.other = take_other;
    candles.page.each.candle = each;
    candles.page.arg = arg;
    candles.page.end = end;
    candles.ticker = kdpi_no_text;
    kdpi_rest_page(reader, body, len, &candles.page);
    if (adjusted_end_tsp != NULL)
        *adjusted_end_tsp = candles.adjusted_end;
}
