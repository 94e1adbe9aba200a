/* test_record.c - records as bytes: layout, round trips at the extremes, refusals, descriptions. */
#include "kdp_test.h"
#include "record.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

/* The layout as it was promised, written by hand: the generator may not move anything. */
static_assert(KDP_SCHEMA_ID == 27000 && KDP_SCHEMA_VERSION == 1 && KDP_RECORD_MAX == 1376, "schema");
static_assert(KDP_TEMPLATE_TRADE == 1 && KDP_TEMPLATE_BBO == 2 && KDP_TEMPLATE_TICKER == 3 &&
                  KDP_TEMPLATE_LEVEL == 4 && KDP_TEMPLATE_BOOK_SNAPSHOT == 5 &&
                  KDP_TEMPLATE_DEFINITION == 6 && KDP_TEMPLATE_LIFECYCLE == 7 && KDP_TEMPLATE_EVENT == 8 &&
                  KDP_TEMPLATE_STATE == 9 && KDP_TEMPLATE_GAP == 10 && KDP_TEMPLATE_MAX == 10,
              "templates");
static_assert(sizeof(struct kdp_head) == 48 && sizeof(struct kdp_group_size) == 8, "heads");
static_assert(sizeof(struct kdp_trade) == 80 && sizeof(struct kdp_bbo) == 88 &&
                  sizeof(struct kdp_ticker) == 120 && sizeof(struct kdp_level) == 72 &&
                  sizeof(struct kdp_book_snapshot) == 72 && sizeof(struct kdp_book_snapshot_levels) == 16 &&
                  sizeof(struct kdp_definition) == 96 && sizeof(struct kdp_definition_ranges) == 16 &&
                  sizeof(struct kdp_lifecycle) == 88 && sizeof(struct kdp_event) == 64 &&
                  sizeof(struct kdp_state) == 80 && sizeof(struct kdp_gap) == 96,
              "sizes");
#define AT(record, field, byte) \
    static_assert(offsetof(struct kdp_##record, field) == (byte), #record "." #field)
AT(head, block_length, 0);
AT(head, template_id, 2);
AT(head, schema_id, 4);
AT(head, version, 6);
AT(head, seq, 8);
AT(head, exch_ns, 16);
AT(head, recv_ns, 24);
AT(head, instrument, 32);
AT(head, pub_delay_ns, 36);
AT(head, src_seq, 40);
AT(head, line, 44);
AT(head, flags, 46);
AT(head, origin, 47);
AT(group_size, count, 2);
AT(trade, trade_id, 48);
AT(trade, price_e4, 64);
AT(trade, taker_side, 68);
AT(trade, block, 69);
AT(trade, count_e2, 72);
AT(bbo, bid_e4, 48);
AT(bbo, ask_e4, 52);
AT(bbo, bid_size_e2, 56);
AT(bbo, ask_size_e2, 64);
AT(bbo, book_hash, 72);
AT(bbo, book_state, 80);
AT(ticker, price_e4, 48);
AT(ticker, bid_e4, 52);
AT(ticker, ask_e4, 56);
AT(ticker, bid_size_e2, 64);
AT(ticker, ask_size_e2, 72);
AT(ticker, last_size_e2, 80);
AT(ticker, volume_e2, 88);
AT(ticker, open_interest_e2, 96);
AT(ticker, dollar_volume, 104);
AT(ticker, dollar_open_interest, 112);
AT(level, price_e4, 48);
AT(level, side, 52);
AT(level, delta_e2, 56);
AT(level, size_e2, 64);
AT(book_snapshot, book_hash, 48);
AT(book_snapshot, levels_total, 56);
AT(book_snapshot, part, 60);
AT(book_snapshot, parts, 62);
AT(book_snapshot, reason, 64);
AT(book_snapshot, book_state, 65);
AT(book_snapshot_levels, side, 4);
AT(book_snapshot_levels, size_e2, 8);
AT(definition, open_ns, 48);
AT(definition, close_ns, 56);
AT(definition, expiry_ns, 64);
AT(definition, floor_strike_e6, 72);
AT(definition, cap_strike_e6, 80);
AT(definition, strike_type, 88);
AT(definition, exchange_index, 93);
AT(definition_ranges, end_e4, 4);
AT(definition_ranges, step_e4, 8);
AT(lifecycle, kind, 48);
AT(lifecycle, result, 49);
AT(lifecycle, open_ns, 56);
AT(lifecycle, settlement_value_e6, 80);
AT(event, kind, 48);
AT(event, fee_multiplier_e6, 56);
AT(state, subject, 48);
AT(state, reason, 50);
AT(state, sid, 52);
AT(state, epoch, 56);
AT(state, from_seq, 64);
AT(state, to_seq, 72);
AT(gap, kind, 48);
AT(gap, healed_by, 50);
AT(gap, sid, 52);
AT(gap, markets, 60);
AT(gap, expected, 64);
AT(gap, healed_ns, 88);

struct memory {
    alignas(8) uint8_t bytes[KDP_RECORD_MAX + 8];
};

static struct kdp_text
text_of(const char *text)
{
    return (struct kdp_text){text, strlen(text)};
}

/* Every byte behind the record keeps its mark: the builder writes nothing past its end. */
static size_t
finish(struct kdp_builder *b, const struct memory *memory)
{
    size_t size = kdpi_build_finish(b);

    CHECK(size % 8 == 0 && size <= KDP_RECORD_MAX);
    for (size_t i = size; i < sizeof memory->bytes; i++)
        CHECK_INT(memory->bytes[i], 0xa5);
    CHECK_INT(kdpi_record_size(memory->bytes, size), (long long)size);
    CHECK_INT(kdpi_record_size(memory->bytes, sizeof memory->bytes), (long long)size);
    CHECK_INT(kdpi_record_size_trusted(memory->bytes), (long long)size);
    return size;
}

/* A record of any template with count items and texts of len bytes each. */
static size_t
build_any(struct memory *memory, unsigned id, uint32_t count, size_t len, uint64_t *random)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(id);
    struct kdp_builder b;
    char *text = malloc(len + 1);

    memset(memory, 0xa5, sizeof *memory);
    CHECK(text != NULL);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + kdp_test_random(random) % 26);
    CHECK(kdpi_build_start(&b, memory->bytes, (uint8_t)id) == memory->bytes);
    if (desc->group != NULL && count > 0) {
        uint8_t *items = kdpi_build_group(&b, count);

        for (uint32_t i = 0; i < count; i++)
            memcpy(items + (size_t)i * desc->group_item, &i, sizeof i);
    }
    for (unsigned i = 0; i < desc->text_count && len > 0; i++)
        kdpi_build_text(&b, (struct kdp_text){text, len});
    free(text);
    return finish(&b, memory);
}

KDP_TEST(every_template_round_trips)
{
    uint64_t random = kdp_test_seed();

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);
        uint32_t max = kdpi_build_group_max(id);
        const uint32_t counts[] = {0, 1, 7, max};

        CHECK_INT(desc->group != NULL, max > 0);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (size_t len = 0; len < 24; len++) {
                struct memory memory;
                const struct kdp_head *head = (const struct kdp_head *)memory.bytes;
                size_t size = build_any(&memory, id, counts[c], len, &random);
                uint32_t got;
                const uint8_t *items = kdpi_record_group(memory.bytes, &got);

                CHECK_INT(head->template_id, id);
                CHECK_INT(head->block_length, desc->block_length);
                CHECK_INT(head->schema_id, KDP_SCHEMA_ID);
                CHECK_INT(got, desc->group != NULL ? counts[c] : 0);
                CHECK((items != NULL) == (desc->group != NULL));
                for (uint32_t i = 0; i < got; i++)
                    CHECK_MEM(items + (size_t)i * desc->group_item, &i, sizeof i);
                for (unsigned i = 0; i < desc->text_count; i++) {
                    struct kdp_text text = kdpi_record_text(memory.bytes, i);

                    CHECK(text.len == len || (size > KDP_RECORD_MAX - 8 && text.len < len));
                    for (size_t k = 0; k < text.len; k++)
                        CHECK(text.data[k] >= 'a' && text.data[k] <= 'z');
                }
                CHECK_INT(kdpi_record_text(memory.bytes, desc->text_count).len, 0);
                if (desc->group == NULL && desc->text_count == 0)
                    break;
            }
            if (desc->group == NULL)
                break;
        }
    }
}

KDP_TEST(a_full_record_has_exactly_the_longest_size)
{
    uint64_t random = kdp_test_seed();
    struct memory memory;

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        if (kdpi_record_desc(id)->text_count > 0) {
            CHECK_INT(build_any(&memory, id, 0, 4000, &random), KDP_RECORD_MAX);
            CHECK_INT(build_any(&memory, id, kdpi_build_group_max(id), 4000, &random), KDP_RECORD_MAX);
        }
    }
    /* 72 + 8 + 81 * 16 = 1376: a part of a snapshot has up to 81 levels */
    CHECK_INT(kdpi_build_group_max(KDP_TEMPLATE_BOOK_SNAPSHOT), 81);
    CHECK_INT(build_any(&memory, KDP_TEMPLATE_BOOK_SNAPSHOT, 81, 0, &random), KDP_RECORD_MAX);
    CHECK_INT(kdpi_build_group_max(KDP_TEMPLATE_TRADE), 0);
    CHECK_INT(kdpi_build_group_max(0), 0);
    CHECK_INT(kdpi_build_group_max(KDP_TEMPLATE_MAX + 1), 0);
}

KDP_TEST(every_truncation_is_refused)
{
    uint64_t random = kdp_test_seed();

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        struct memory memory;
        size_t size = build_any(&memory, id, kdpi_build_group_max(id) > 0 ? 5 : 0, 13, &random);

        for (size_t avail = 0; avail < size; avail++) {
            /* exactly avail bytes of memory: a sanitizer sees the first byte read behind them */
            uint8_t *copy = malloc(avail + (avail == 0));

            CHECK(copy != NULL);
            memcpy(copy, memory.bytes, avail);
            CHECK_INT(kdpi_record_size(copy, avail), 0);
            free(copy);
        }
    }
}

KDP_TEST(texts_are_cut_at_a_character)
{
    /* State: 80 bytes fixed, 2 of length: 1294 bytes of text fit */
    const size_t room = KDP_RECORD_MAX - 80 - 2;
    static const char *const chars[] = {"\xc2\xb0", "\xe2\x82\xac", "\xf0\x9f\x8e\xb2"};

    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(chars[c]);

        for (size_t shift = 0; shift < width; shift++) {
            struct memory memory;
            struct kdp_builder b;
            char text[2000];
            size_t len = shift;
            struct kdp_text got;

            memset(text, 'x', shift);
            for (; len + width <= sizeof text; len += width)
                memcpy(text + len, chars[c], width);
            memset(&memory, 0xa5, sizeof memory);
            kdpi_build_start(&b, memory.bytes, KDP_TEMPLATE_STATE);
            kdpi_build_text(&b, (struct kdp_text){text, len});
            finish(&b, &memory);
            got = kdpi_record_text(memory.bytes, 0);
            CHECK_INT(got.len, (long long)(shift + (room - shift) / width * width));
            CHECK_MEM(got.data, text, got.len);
        }
    }
}

KDP_TEST(texts_that_are_no_utf8_are_cut_where_the_room_ends)
{
    struct memory memory;
    struct kdp_builder b;
    char text[2000];

    memset(text, 0x80, sizeof text);
    memset(&memory, 0xa5, sizeof memory);
    kdpi_build_start(&b, memory.bytes, KDP_TEMPLATE_STATE);
    kdpi_build_text(&b, (struct kdp_text){text, sizeof text});
    finish(&b, &memory);
    CHECK_INT(kdpi_record_text(memory.bytes, 0).len, KDP_RECORD_MAX - 80 - 2);
}

KDP_TEST(a_long_text_leaves_room_for_the_lengths_of_those_behind_it)
{
    struct memory memory;
    struct kdp_builder b;
    char text[2000];

    memset(text, 'a', sizeof text);
    memset(&memory, 0xa5, sizeof memory);
    kdpi_build_start(&b, memory.bytes, KDP_TEMPLATE_EVENT);
    kdpi_build_text(&b, text_of("EV"));
    kdpi_build_text(&b, (struct kdp_text){text, sizeof text});
    kdpi_build_text(&b, text_of("title"));
    finish(&b, &memory);
    CHECK_INT(kdpi_record_text(memory.bytes, 0).len, 2);
    CHECK_INT(kdpi_record_text(memory.bytes, 1).len, KDP_RECORD_MAX - 64 - 4 - 2 - 4 * 2);
    for (unsigned i = 2; i < 6; i++)
        CHECK_INT(kdpi_record_text(memory.bytes, i).len, 0);
}

KDP_TEST(a_nul_in_a_text_becomes_a_space)
{
    struct memory memory;
    struct kdp_builder b;
    struct kdp_text got;

    memset(&memory, 0xa5, sizeof memory);
    kdpi_build_start(&b, memory.bytes, KDP_TEMPLATE_GAP);
    kdpi_build_text(&b, (struct kdp_text){"\0a\0\0", 4});
    finish(&b, &memory);
    got = kdpi_record_text(memory.bytes, 0);
    CHECK_INT(got.len, 4);
    CHECK_MEM(got.data, " a  ", 4);
}

/* One byte of a valid record changed: refused. */
static void
refuses(const struct memory *memory, size_t size, size_t at, uint8_t value)
{
    struct memory copy = *memory;

    CHECK(copy.bytes[at] != value);
    copy.bytes[at] = value;
    if (kdpi_record_size(copy.bytes, size) != 0)
        kdp_test_fail(__FILE__, __LINE__, "byte %zu as 0x%02x is taken", at, value);
}

KDP_TEST(heads_of_another_schema_are_refused)
{
    uint64_t random = kdp_test_seed();

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        struct memory memory;
        size_t size = build_any(&memory, id, 0, 3, &random);

        for (size_t at = 0; at < 8; at++) {
            for (unsigned value = 0; value < 256; value++) {
                const struct kdp_record_desc *other = at == 2 ? kdpi_record_desc(value) : NULL;

                /* the bytes of one template may well be those of another of the same length */
                if (memory.bytes[at] != value &&
                    (other == NULL || other->block_length != kdpi_record_desc(id)->block_length))
                    refuses(&memory, size, at, (uint8_t)value);
            }
        }
    }
}

KDP_TEST(reserved_and_padding_bytes_must_be_zero)
{
    uint64_t random = kdp_test_seed();
    struct memory memory;
    size_t size, reserved = 0;

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);
        bool used[KDP_RECORD_MAX] = {false};

        size = build_any(&memory, id, 0, 0, &random);
        memset(used, 1, sizeof(struct kdp_head));
        for (unsigned i = 0; i < desc->field_count; i++) {
            static const uint8_t widths[] = {1, 2, 4, 8, 4, 8, 8, 4, 8, 8, 8, 16, 1, 1};

            memset(used + desc->fields[i].offset, 1, widths[desc->fields[i].kind]);
        }
        for (size_t at = 0; at < 8u + desc->block_length; at++) {
            if (!used[at]) {
                refuses(&memory, size, at, 1);
                refuses(&memory, size, at, 0x80);
                reserved++;
            } else if (at >= 8) {
                memory.bytes[at] ^= 0xff;
                CHECK_INT(kdpi_record_size(memory.bytes, size), (long long)size);
            }
        }
    }
    CHECK_INT(reserved, 2 + 7 + 4 + 3 + 6 + 2 + 6 + 6 + 5 + 1);
    /* bytes 5 to 7 of each level of a snapshot, 12 to 15 of each range */
    size = build_any(&memory, KDP_TEMPLATE_BOOK_SNAPSHOT, 3, 0, &random);
    for (size_t at = 5; at < 8; at++)
        refuses(&memory, size, 80 + 2 * 16 + at, 1);
    size = build_any(&memory, KDP_TEMPLATE_DEFINITION, 3, 1, &random);
    for (size_t at = 12; at < 16; at++)
        refuses(&memory, size, 104 + 16 + at, 0xff);
    /* a text of 3 bytes leaves 3 of padding */
    size = build_any(&memory, KDP_TEMPLATE_STATE, 0, 3, &random);
    CHECK_INT(size, 88);
    for (size_t at = 85; at < 88; at++)
        refuses(&memory, size, at, 1);
}

KDP_TEST(groups_and_texts_past_the_end_are_refused)
{
    uint64_t random = kdp_test_seed();
    struct memory memory;
    size_t size = build_any(&memory, KDP_TEMPLATE_BOOK_SNAPSHOT, 3, 0, &random);

    refuses(&memory, size, 72, 24); /* another item length */
    refuses(&memory, size, 74, 4);  /* one item too many */
    refuses(&memory, size, 75, 0xff);
    refuses(&memory, size, 76, 1); /* groups within an item */
    refuses(&memory, size, 78, 1); /* texts within an item */
    memory.bytes[74] = 2;          /* one fewer is a shorter record */
    CHECK_INT(kdpi_record_size(memory.bytes, size), (long long)size - 16);
    size = build_any(&memory, KDP_TEMPLATE_STATE, 0, 6, &random);
    refuses(&memory, size, 80, 7);
    refuses(&memory, size, 81, 1);
    refuses(&memory, size, 82, 0); /* a NUL in the text */
    /* as many items as fit, and one more */
    size = build_any(&memory, KDP_TEMPLATE_BOOK_SNAPSHOT, 81, 0, &random);
    memset(memory.bytes + size, 0, sizeof memory.bytes - size);
    memory.bytes[74] = 82;
    CHECK_INT(kdpi_record_size(memory.bytes, sizeof memory.bytes), 0);
}

KDP_TEST(random_bytes_are_never_longer_than_they_are)
{
    uint64_t random = kdp_test_seed();
    struct memory memory;
    unsigned taken = 0;

    for (int round = 0; round < 20000; round++) {
        unsigned id = 1 + (unsigned)(kdp_test_random(&random) % KDP_TEMPLATE_MAX);
        uint32_t count = kdpi_build_group_max(id) > 0 ? 4 : 0;
        size_t size = build_any(&memory, id, count, kdp_test_random(&random) % 30, &random), got;

        for (int flips = 0; flips < 3; flips++)
            memory.bytes[kdp_test_random(&random) % size] ^= (uint8_t)(1u << kdp_test_random(&random) % 8);
        got = kdpi_record_size(memory.bytes, size);
        CHECK(got <= size && got % 8 == 0);
        if (got != 0) {
            CHECK_INT(kdpi_record_size_trusted(memory.bytes), (long long)got);
            taken++;
        }
    }
    CHECK(taken > 1000); /* flips in values do not harm */
}

KDP_TEST(descriptions_agree_with_the_structs)
{
    const struct kdp_record_desc *trade = kdpi_record_desc(KDP_TEMPLATE_TRADE);
    const struct kdp_record_desc *definition = kdpi_record_desc(KDP_TEMPLATE_DEFINITION);

    CHECK_STR(trade->name, "trade");
    CHECK_STR(trade->table, "trades");
    CHECK_INT(trade->stream_id, 1001);
    CHECK_INT(trade->block_length, 72);
    CHECK_INT(trade->field_count, 5);
    CHECK_STR(trade->fields[1].name, "price_e4");
    CHECK_STR(trade->fields[1].column, "price");
    CHECK_INT(trade->fields[1].kind, KDP_FIELD_PRICE);
    CHECK_INT(trade->fields[1].scale, 4);
    CHECK_INT(trade->fields[1].nullable, 1);
    CHECK_INT(trade->fields[1].offset, 64);
    CHECK_STR(trade->fields[4].column, "volume");
    CHECK_INT(trade->fields[4].nullable, 0);
    CHECK(trade->group == NULL && trade->text_count == 0);
    CHECK_STR(definition->group, "ranges");
    CHECK_INT(definition->group_item, 16);
    CHECK_INT(definition->group_field_count, 3);
    CHECK_STR(definition->group_fields[2].column, "step");
    CHECK_INT(definition->text_count, 6);
    CHECK_STR(definition->texts[1].name, "event_ticker");
    CHECK_INT(definition->texts[1].offset, 1);
    CHECK_INT(definition->texts[1].kind, KDP_FIELD_TEXT);
    CHECK(definition->texts[0].column == NULL);
    CHECK(kdpi_record_desc(0) == NULL && kdpi_record_desc(KDP_TEMPLATE_MAX + 1) == NULL);
    CHECK(kdpi_record_desc(0xffff) == NULL);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        for (unsigned i = 0; i < desc->field_count; i++) {
            CHECK(strncmp(desc->fields[i].name, "reserved", 8) != 0);
            CHECK((desc->fields[i].words != NULL) ==
                  (desc->fields[i].kind == KDP_FIELD_ENUM || desc->fields[i].kind == KDP_FIELD_BOOL));
        }
    }
}

KDP_TEST(columns_have_the_names_of_the_tables)
{
    static const struct {
        unsigned id;
        const char *columns;
    } expect[] = {
        {KDP_TEMPLATE_TRADE, "trade_id price taker_side is_block volume "},
        {KDP_TEMPLATE_BBO, "yes_bid yes_ask yes_bid_size yes_ask_size book_hash book_state "},
        {KDP_TEMPLATE_TICKER,
         "price yes_bid yes_ask yes_bid_size yes_ask_size last_trade_size volume open_interest "
         "dollar_volume dollar_open_interest "},
        {KDP_TEMPLATE_LEVEL, "price side delta_size size "},
        {KDP_TEMPLATE_BOOK_SNAPSHOT, "book_hash levels_total - - reason book_state price side size "},
        {KDP_TEMPLATE_DEFINITION,
         "open_time close_time expiration_time floor_strike cap_strike strike_type status provisional "
         "combo can_close_early exchange_index start end step - event_ticker series_ticker title "
         "yes_sub_title price_level_structure "},
        {KDP_TEMPLATE_LIFECYCLE, "event_type result open_time close_time at_time settlement_value "},
        {KDP_TEMPLATE_EVENT,
         "event_type exchange_index fee_multiplier event_ticker series_ticker title sub_title "
         "collateral_return_type fee_type "},
        {KDP_TEMPLATE_STATE, "subject state reason sid epoch from_seq to_seq detail "},
        {KDP_TEMPLATE_GAP,
         "kind status healed_by sid epoch markets expected seen opened_ts healed_ts detail "},
    };

    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(expect[i].id);
        char got[512] = "";
        size_t len = 0;

        for (unsigned k = 0; k < desc->field_count; k++)
            len += (size_t)snprintf(got + len, sizeof got - len, "%s ",
                                    desc->fields[k].column ? desc->fields[k].column : "-");
        for (unsigned k = 0; k < desc->group_field_count; k++)
            len += (size_t)snprintf(got + len, sizeof got - len, "%s ",
                                    desc->group_fields[k].column ? desc->group_fields[k].column : "-");
        for (unsigned k = 0; k < desc->text_count; k++)
            len += (size_t)snprintf(got + len, sizeof got - len, "%s ",
                                    desc->texts[k].column ? desc->texts[k].column : "-");
        CHECK_STR(got, expect[i].columns);
    }
}

KDP_TEST(words_of_enumerations)
{
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("side"), KDP_SIDE_NO), "no");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("origin"), KDP_ORIGIN_REST_REFILL), "rest_refill");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("origin"), KDP_ORIGIN_TIMER), "timer");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("origin"), 8), "?");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("reason"), KDP_REASON_INPUT), "input");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("book_state"), KDP_BOOK_STATE_EXCHANGE_PAUSED),
              "exchange_paused");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("gap_kind"), KDP_GAP_KIND_TRADES), "trades");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("flags"), 7), "last");
    CHECK_STR(kdpi_enum_word(kdpi_enum_find("flags"), 0), "?");
    CHECK_STR(kdpi_enum_word(NULL, 1), "?");
    CHECK(kdpi_enum_find("no such enumeration") == NULL);
}

KDP_TEST(nulls_are_those_of_sbe)
{
    CHECK(KDP_TIME_NULL == INT64_MIN && KDP_INT64_NULL == INT64_MIN && KDP_PRICE_NULL == INT32_MIN);
}
