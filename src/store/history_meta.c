/* history_meta.c - see history_meta.h.  Words and types are those of the table definitions wherever it has the same column, so
 * that the view markets_asof can compare them. */
#include "history_meta.h"

#define SEEN                                                                          \
    {                                                                                 \
        "seen_ts", "TIMESTAMP_NS", "when the exchange was seen to say so first", true \
    }
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct kdp_history_column series[] = {
    {"series_ticker", "VARCHAR", "the series", false},
    SEEN,
    {"title", "VARCHAR", "", false},
    {"category", "VARCHAR", "", false},
    {"frequency", "VARCHAR", "", false},
    {"tags", "VARCHAR", "JSON array", false},
    {"settlement_sources", "VARCHAR", "JSON array of {name, url}", false},
    {"fee_type", "VARCHAR", "quadratic, quadratic_with_maker_fees, flat ...", false},
    {"fee_multiplier", "DECIMAL(18,6)", "", false},
    {"contract_url", "VARCHAR", "", false},
    {"contract_terms_url", "VARCHAR", "", false},
    {"prohibitions_hash", "UUID", "additional prohibitions, JSON: texts.hash", false},
    {"exchange_index", "UTINYINT", "shard", false},
};

static const struct kdp_history_column event[] = {
    {"event_ticker", "VARCHAR", "the event", false},
    SEEN,
    {"series_ticker", "VARCHAR", "", false},
    {"title", "VARCHAR", "", false},
    {"sub_title", "VARCHAR", "", false},
    {"category", "VARCHAR", "", false},
    {"collateral_return_type", "VARCHAR", "MECNET, DIRECNET", false},
    {"mutually_exclusive", "BOOLEAN", "at most one of its markets ends in yes", false},
    {"strike_date", "TIMESTAMP_NS", "", false},
    {"strike_period", "VARCHAR", "", false},
    {"exchange_index", "UTINYINT", "shard", false},
};

static const struct kdp_history_column market[] = {
    {"ticker", "VARCHAR", "the market", false},
    SEEN,
    {"updated_time", "TIMESTAMP_NS", "when the terms changed last, by the exchange", false},
    {"created_time", "TIMESTAMP_NS", "", false},
    {"event_ticker", "VARCHAR", "", false},
    {"title", "VARCHAR", "", false},
    {"subtitle", "VARCHAR", "", false},
    {"yes_sub_title", "VARCHAR", "YES wins at", false},
    {"no_sub_title", "VARCHAR", "", false},
    {"status", "VARCHAR", "as of seen_ts: an opening or closing by schedule moves no updated_time", false},
    {"strike_type", "VARCHAR", "", false},
    {"floor_strike", "DECIMAL(18,6)", "", false},
    {"cap_strike", "DECIMAL(18,6)", "", false},
    {"functional_strike", "VARCHAR", "", false},
    {"custom_strike", "VARCHAR", "JSON object", false},
    {"mve_collection_ticker", "VARCHAR", "of a combination", false},
    {"legs", "VARCHAR", "of a combination: JSON array", false},
    {"primary_participant", "VARCHAR", "", false},
    {"price_level_structure", "VARCHAR", "", false},
    {"price_ranges", "VARCHAR", "ticks: JSON array, as in definitions", false},
    {"open_time", "TIMESTAMP_NS", "", false},
    {"close_time", "TIMESTAMP_NS", "", false},
    {"expiration_time", "TIMESTAMP_NS", "expected, else latest", false},
    {"can_close_early", "BOOLEAN", "", false},
    {"early_close_hash", "UUID", "the condition: texts.hash", false},
    {"rules_primary_hash", "UUID", "texts.hash", false},
    {"rules_secondary_hash", "UUID", "texts.hash", false},
    {"settlement_bounds", "VARCHAR", "", false},
    {"provisional", "BOOLEAN", "the market may vanish after its determination", false},
    {"exchange_index", "UTINYINT", "shard", false},
    {"result", "VARCHAR", "yes, no, scalar; NULL: none yet", false},
    {"settlement_value", "DECIMAL(18,6)", "of a YES contract, dollars", false},
    {"settlement_time", "TIMESTAMP_NS", "", false},
    {"expiration_value", "VARCHAR", "what was measured, as the exchange words it", false},
};

static const struct kdp_history_column fee_change[] = {
    {"id", "VARCHAR", "of the exchange", false},
    SEEN,
    {"subject", "VARCHAR", "series (scheduled) or event (override)", false},
    {"ticker", "VARCHAR", "the series or the event", false},
    {"scheduled_time", "TIMESTAMP_NS", "when it takes effect", false},
    {"fee_type", "VARCHAR", "NULL: the override ends", false},
    {"fee_multiplier", "DECIMAL(18,6)", "", false},
};

static const struct kdp_history_column text[] = {
    {"hash", "UUID", "XXH3-128 of the text", false},
    SEEN,
    {"text", "VARCHAR", "rules and conditions, each stored once", false},
};

#define TABLE(name, about, columns, key, sort)                        \
    {                                                                 \
        name, about, columns, COUNT(columns), key, sort, false, false \
    }
const struct kdp_history_table kdp_history_meta_tables[KDP_META_TABLES] = {
    [KDP_META_SERIES] =
        TABLE("series_terms", "versions of a series", series, "series_ticker", "series_ticker, seen_ts"),
    [KDP_META_EVENT] =
        TABLE("event_terms", "versions of an event", event, "event_ticker", "event_ticker, seen_ts"),
    [KDP_META_MARKET] = TABLE("market_terms", "versions of a market's terms; see the view markets_asof",
                              market, "ticker", "ticker, seen_ts"),
    [KDP_META_FEE_CHANGE] = TABLE("fee_changes", "fees of a series or an event that change", fee_change, "id",
                                  "ticker, scheduled_time"),
    [KDP_META_TEXT] =
        TABLE("texts", "rules and other long texts, by the hash of their content", text, "hash", "hash"),
};
