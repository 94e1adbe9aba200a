/* rest_market.c - Market objects of REST: state and quotes of a market, and its terms when they are wanted: else the long
 * texts are stepped over. */
#include "rest_private.h"

#include "decimal.h"

#define WORD_MAX KDPI_REST_WORD_MAX
#define PRICE_MAX 10000

/* What is read of a market, in a lifecycle message by the same functions; the terms are the rows from SUBTITLE on. */
/* clang-format off */
#define MARKET_LIST(X) \
    X(TICKER, "ticker") X(EVENT_TICKER, "event_ticker") X(TITLE, "title") X(YES_SUB_TITLE, "yes_sub_title") \
    X(NO_SUB_TITLE, "no_sub_title") X(STRUCTURE, "price_level_structure") X(RANGES, "price_ranges") \
    X(MVE, "mve_collection_ticker") X(STATUS, "status") X(STRIKE_TYPE, "strike_type") X(RESULT, "result") \
    X(CLOSE_EARLY, "can_close_early") X(EXCHANGE_INDEX, "exchange_index") X(PROVISIONAL, "is_provisional") \
    X(OPEN, "open_time") X(CLOSE, "close_time") X(EXPECTED, "expected_expiration_time") \
    X(LATEST, "latest_expiration_time") X(FLOOR, "floor_strike") X(CAP, "cap_strike") \
    X(SETTLEMENT_VALUE, "settlement_value_dollars") X(SETTLEMENT_TS, "settlement_ts") X(VOLUME_FP, "volume_fp") \
    X(VOLUME, "volume") X(VOLUME_24H_FP, "volume_24h_fp") X(VOLUME_24H, "volume_24h") \
    X(INTEREST_FP, "open_interest_fp") X(INTEREST, "open_interest") X(BID, "yes_bid_dollars") \
    X(ASK, "yes_ask_dollars") X(LAST, "last_price_dollars") X(BID_SIZE, "yes_bid_size_fp") \
    X(ASK_SIZE, "yes_ask_size_fp") X(CREATED, "created_time") X(UPDATED, "updated_time") \
    X(SUBTITLE, "subtitle") X(RULES_1, "rules_primary") X(RULES_2, "rules_secondary") \
    X(EARLY_CLOSE, "early_close_condition") X(EXPIRATION_VALUE, "expiration_value") \
    X(FUNCTIONAL_STRIKE, "functional_strike") X(CUSTOM_STRIKE, "custom_strike") X(LEGS, "mve_selected_legs") \
    X(BOUNDS, "settlement_bounds_type") X(PARTICIPANT, "primary_participant_key")
/* clang-format on */

enum market_member {
    MARKET_UNKNOWN = 0,
#define KDP_X(ident, name) MARKET_##ident,
    MARKET_LIST(KDP_X)
#undef KDP_X
        MARKET_MEMBERS
};

#define FIRST_TERM MARKET_SUBTITLE

static const struct {
    const char *name;
    size_t len;
} names[MARKET_MEMBERS] = {{"", 0},
#define KDP_X(ident, name) {name, sizeof(name) - 1},
                           MARKET_LIST(KDP_X)
#undef KDP_X
};

static const char *const statuses[] = {
    [KDP_MARKET_STATUS_UNKNOWN] = "",
    [KDP_MARKET_STATUS_INITIALIZED] = "initialized",
    [KDP_MARKET_STATUS_ACTIVE] = "active",
    [KDP_MARKET_STATUS_INACTIVE] = "inactive",
    [KDP_MARKET_STATUS_CLOSED] = "closed",
    [KDP_MARKET_STATUS_DETERMINED] = "determined",
    [KDP_MARKET_STATUS_DISPUTED] = "disputed",
    [KDP_MARKET_STATUS_AMENDED] = "amended",
    [KDP_MARKET_STATUS_FINALIZED] = "finalized",
    NULL,
};
static const char *const results[] = {[KDP_RESULT_NONE] = "",
                                      [KDP_RESULT_YES] = "yes",
                                      [KDP_RESULT_NO] = "no",
                                      [KDP_RESULT_SCALAR] = "scalar",
                                      NULL};

void
kdpi_rest_market_names(uint8_t table[KDPI_MEMBER_SLOTS])
{
    for (uint8_t member = 1; member < MARKET_MEMBERS; member++) {
        unsigned slot = kdpi_member_slot(names[member].name, names[member].len);

        while (table[slot] != 0)
            slot = (slot + 1) % KDPI_MEMBER_SLOTS;
        table[slot] = member;
    }
}

static enum market_member
find(const struct kdp_rest_reader *reader, struct kdp_text name)
{
    unsigned slot = kdpi_member_slot(name.data, name.len);
    enum market_member member;

    for (; (member = reader->market_table[slot]) != MARKET_UNKNOWN; slot = (slot + 1) % KDPI_MEMBER_SLOTS) {
        if (kdpi_text_equal(name, names[member].name, names[member].len))
            return member;
    }
    return MARKET_UNKNOWN;
}

static void
clear(struct kdp_rest_reader *reader)
{
    struct kdp_rest_market *m = &reader->market;

    memset(m, 0, offsetof(struct kdp_rest_market, ranges));
    m->ticker = m->event_ticker = m->title = m->yes_sub_title = m->no_sub_title = kdpi_no_text;
    m->structure = m->mve_collection = kdpi_no_text;
    m->subtitle = m->rules_primary = m->rules_secondary = m->early_close_condition = kdpi_no_text;
    m->expiration_value = m->functional_strike = m->custom_strike = m->legs = kdpi_no_text;
    m->settlement_bounds = m->primary_participant = kdpi_no_text;
    m->created_ns = m->updated_ns = KDP_TIME_NULL;
    m->can_close_early = -1;
    m->exchange_index = -1;
    m->open_ns = m->close_ns = m->expiry_ns = m->settlement_ns = KDP_TIME_NULL;
    m->floor_strike_e6 = m->cap_strike_e6 = m->settlement_value_e6 = KDP_INT64_NULL;
    m->volume_e2 = m->volume_24h_e2 = m->open_interest_e2 = KDP_INT64_NULL;
    m->bid_e4 = m->ask_e4 = m->last_e4 = KDP_PRICE_NULL;
    m->bid_size_e2 = m->ask_size_e2 = KDP_INT64_NULL;
}

/* A number at its scale; what kdpi_take_decimal refuses gets this member's name. */
static bool
take_number(struct kdp_rest_reader *reader, enum market_member member, unsigned scale, int64_t max,
            int64_t *outp)
{
    bool whole = reader->msg.refusal == KDP_REFUSAL_NONE;
    bool taken = kdpi_take_decimal(reader->d, KDP_MEMBER_UNKNOWN, scale, 0, max, outp);

    if (whole && reader->msg.refusal != KDP_REFUSAL_NONE)
        reader->msg.member = names[member].name;
    return taken;
}

static void
take_price(struct kdp_rest_reader *reader, enum market_member member, int32_t *pricep)
{
    int64_t price;

    if (take_number(reader, member, 4, PRICE_MAX, &price))
        *pricep = (int32_t)price;
}

/* A size as text, or whole contracts under the old name: the old one never replaces the new one. */
static void
take_size(struct kdp_rest_reader *reader, enum market_member member, bool old, int64_t *sizep)
{
    int64_t size;

    if (take_number(reader, member, 2, INT64_MAX, &size) && (!old || *sizep == KDP_INT64_NULL))
        *sizep = size;
}

static void
take_text(struct kdp_rest_reader *reader, enum market_member member, size_t max, struct kdp_text *textp)
{
    bool whole = reader->msg.refusal == KDP_REFUSAL_NONE;

    kdpi_take_text(reader->d, KDP_MEMBER_UNKNOWN, max, textp);
    if (whole && reader->msg.refusal != KDP_REFUSAL_NONE)
        reader->msg.member = names[member].name;
}

/* A word of a list that the exchange may add to: one we do not know stays 0. */
static void
take_word(struct kdp_rest_reader *reader, enum market_member member, const char *const *words, uint8_t *wordp)
{
    struct kdp_text text = kdpi_no_text;

    take_text(reader, member, WORD_MAX, &text);
    for (uint8_t i = 1; words[i] != NULL; i++) {
        if (kdpi_text_equal(text, words[i], strlen(words[i])))
            *wordp = i;
    }
}

static void
take_bool(struct kdp_rest_reader *reader, enum market_member member, bool *yesp)
{
    size_t at = kdpi_json_offset(&reader->d->json);
    enum kdp_json_kind kind = kdpi_value_take(reader->d, KDP_MEMBER_UNKNOWN).kind;

    if (kind == KDP_JSON_TRUE || kind == KDP_JSON_FALSE)
        *yesp = kind == KDP_JSON_TRUE;
    else if (kind != KDP_JSON_NULL)
        kdpi_rest_refuse(reader, KDP_REFUSAL_TYPE, names[member].name, at);
}

/* clang-format off */
#define FIELD(member, kind, max) \
    {"", KDP_REST_##kind, max, offsetof(struct kdp_rest_market, member)}
static const struct kdp_rest_field terms[MARKET_MEMBERS - FIRST_TERM] = {
    [MARKET_SUBTITLE - FIRST_TERM] = FIELD(subtitle, TEXT, WORD_MAX),
    [MARKET_RULES_1 - FIRST_TERM] = FIELD(rules_primary, TEXT, KDPI_REST_TERMS_MAX),
    [MARKET_RULES_2 - FIRST_TERM] = FIELD(rules_secondary, TEXT, KDPI_REST_TERMS_MAX),
    [MARKET_EARLY_CLOSE - FIRST_TERM] = FIELD(early_close_condition, TEXT, KDPI_REST_TERMS_MAX),
    [MARKET_EXPIRATION_VALUE - FIRST_TERM] = FIELD(expiration_value, TEXT, WORD_MAX),
    [MARKET_FUNCTIONAL_STRIKE - FIRST_TERM] = FIELD(functional_strike, TEXT, WORD_MAX),
    [MARKET_CUSTOM_STRIKE - FIRST_TERM] = FIELD(custom_strike, JSON, 0),
    [MARKET_LEGS - FIRST_TERM] = FIELD(legs, JSON, 0),
    [MARKET_BOUNDS - FIRST_TERM] = FIELD(settlement_bounds, TEXT, WORD_MAX),
    [MARKET_PARTICIPANT - FIRST_TERM] = FIELD(primary_participant, TEXT, WORD_MAX),
};
#undef FIELD
/* clang-format on */

static void
take_term(struct kdp_rest_reader *reader, enum market_member member)
{
    struct kdp_rest_field field = terms[member - FIRST_TERM];

    if (!reader->terms)
        return;
    field.name = names[member].name;
    kdpi_rest_field_take(reader, &field, &reader->market);
}

static void
take_member(struct kdp_rest_reader *reader, enum market_member member, int64_t expiry_ns[2])
{
    struct kdp_rest_market *m = &reader->market;
    struct kdp_decoder *d = reader->d;

    switch (member) {
    case MARKET_TICKER:
        take_text(reader, member, KDPI_TICKER_MAX, &m->ticker);
        return;
    case MARKET_NO_SUB_TITLE:
        take_text(reader, member, WORD_MAX, &m->no_sub_title);
        return;
    case MARKET_MVE:
        take_text(reader, member, KDPI_TICKER_MAX, &m->mve_collection);
        return;
    case MARKET_STATUS:
        take_word(reader, member, statuses, &m->status);
        return;
    case MARKET_RESULT:
        take_word(reader, member, results, &m->result);
        return;
    case MARKET_PROVISIONAL:
        take_bool(reader, member, &m->provisional);
        return;
    case MARKET_OPEN:
        kdpi_rest_take_time(reader, names[member].name, &m->open_ns);
        return;
    case MARKET_CLOSE:
        kdpi_rest_take_time(reader, names[member].name, &m->close_ns);
        return;
    case MARKET_EXPECTED:
        kdpi_rest_take_time(reader, names[member].name, &expiry_ns[0]);
        return;
    case MARKET_LATEST:
        kdpi_rest_take_time(reader, names[member].name, &expiry_ns[1]);
        return;
    case MARKET_CREATED:
        kdpi_rest_take_time(reader, names[member].name, &m->created_ns);
        return;
    case MARKET_UPDATED:
        kdpi_rest_take_time(reader, names[member].name, &m->updated_ns);
        return;
    case MARKET_SETTLEMENT_TS:
        kdpi_rest_take_time(reader, names[member].name, &m->settlement_ns);
        return;
    case MARKET_SETTLEMENT_VALUE:
        take_number(reader, member, 6, INT64_MAX, &m->settlement_value_e6);
        return;
    case MARKET_VOLUME_FP:
    case MARKET_VOLUME:
        take_size(reader, member, member == MARKET_VOLUME, &m->volume_e2);
        return;
    case MARKET_VOLUME_24H_FP:
    case MARKET_VOLUME_24H:
        take_size(reader, member, member == MARKET_VOLUME_24H, &m->volume_24h_e2);
        return;
    case MARKET_INTEREST_FP:
    case MARKET_INTEREST:
        take_size(reader, member, member == MARKET_INTEREST, &m->open_interest_e2);
        return;
    case MARKET_BID:
        take_price(reader, member, &m->bid_e4);
        return;
    case MARKET_ASK:
        take_price(reader, member, &m->ask_e4);
        return;
    case MARKET_LAST:
        take_price(reader, member, &m->last_e4);
        return;
    case MARKET_BID_SIZE:
        take_size(reader, member, false, &m->bid_size_e2);
        return;
    case MARKET_ASK_SIZE:
        take_size(reader, member, false, &m->ask_size_e2);
        return;
    /* as in a lifecycle message */
    case MARKET_EVENT_TICKER:
        kdpi_lifecycle_member(d, KDP_MEMBER_EVENT_TICKER);
        return;
    case MARKET_TITLE:
        kdpi_lifecycle_member(d, KDP_MEMBER_TITLE);
        return;
    case MARKET_YES_SUB_TITLE:
        kdpi_lifecycle_member(d, KDP_MEMBER_YES_SUB_TITLE);
        return;
    case MARKET_STRUCTURE:
        kdpi_lifecycle_member(d, KDP_MEMBER_STRUCTURE);
        return;
    case MARKET_RANGES:
        kdpi_lifecycle_member(d, KDP_MEMBER_RANGES);
        return;
    case MARKET_STRIKE_TYPE:
        kdpi_lifecycle_member(d, KDP_MEMBER_STRIKE_TYPE);
        return;
    case MARKET_FLOOR:
        kdpi_lifecycle_member(d, KDP_MEMBER_FLOOR);
        return;
    case MARKET_CAP:
        kdpi_lifecycle_member(d, KDP_MEMBER_CAP);
        return;
    case MARKET_CLOSE_EARLY:
        kdpi_lifecycle_member(d, KDP_MEMBER_CLOSE_EARLY);
        return;
    case MARKET_EXCHANGE_INDEX:
        kdpi_lifecycle_member(d, KDP_MEMBER_EXCHANGE_INDEX);
        return;
    default:
        if (member >= FIRST_TERM)
            take_term(reader, member);
        return;
    }
}

bool
kdpi_rest_take_market(struct kdp_rest_page *page, struct kdp_rest_reader *reader)
{
    struct kdp_rest_market *m = &reader->market;
    struct kdp_message *msg = &reader->msg;
    struct kdp_json *json = &reader->d->json;
    size_t at = kdpi_json_offset(json);
    int64_t expiry_ns[2] = {KDP_TIME_NULL, KDP_TIME_NULL};
    struct kdp_text key;

    clear(reader);
    msg->kind = KDP_MESSAGE_LIFECYCLE;
    kdpi_body_clear(reader->d);
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        enum market_member member = find(reader, key);

        if (member != MARKET_UNKNOWN)
            take_member(reader, member, expiry_ns);
    }
    if (m->ticker.len == 0)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "ticker", at);
    if (!kdpi_rest_wanted(page, reader))
        return true;
    m->expiry_ns = expiry_ns[0] != KDP_TIME_NULL ? expiry_ns[0] : expiry_ns[1];
    m->event_ticker = msg->lifecycle.event_ticker;
    m->title = msg->lifecycle.title;
    m->yes_sub_title = msg->lifecycle.yes_sub_title;
    m->structure = msg->lifecycle.structure;
    m->strike_type = msg->lifecycle.strike_type;
    m->floor_strike_e6 = msg->lifecycle.floor_strike_e6;
    m->cap_strike_e6 = msg->lifecycle.cap_strike_e6;
    m->can_close_early = msg->lifecycle.can_close_early;
    m->exchange_index = msg->lifecycle.exchange_index;
    m->range_count = msg->lifecycle.range_count;
    memcpy(m->ranges, msg->lifecycle.ranges, m->range_count * sizeof m->ranges[0]);
    return page->each.market(page->arg, m);
}

void
kdpi_rest_want_terms(struct kdp_rest_reader *reader, bool wanted)
{
    reader->terms = wanted;
}

void
kdpi_rest_markets(struct kdp_rest_reader *reader, const char *body, size_t len,
                  bool (*each)(void *arg, const struct kdp_rest_market *market), void *arg,
                  struct kdp_rest_end *end)
{
    struct kdp_rest_page page = {.list = "markets",
                                 .one = "market",
                                 .item = kdpi_rest_take_market,
                                 .each.market = each,
                                 .arg = arg,
                                 .end = end};

    kdpi_rest_page(reader, body, len, &page);
}
