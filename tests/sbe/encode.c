/* encode.c - every message, encoded by the C that the official SBE tool makes of schema/records.xml.  It is a
 * file of its own because that C has the names of ours. */
#include "values.h"

#include "kdp/bbo.h"
#include "kdp/bookSnapshot.h"
#include "kdp/definition.h"
#include "kdp/event.h"
#include "kdp/gap.h"
#include "kdp/level.h"
#include "kdp/lifecycle.h"
#include "kdp/state.h"
#include "kdp/ticker.h"
#include "kdp/trade.h"

#define BEGIN(m)                                                \
    struct kdp_##m c;                                           \
    struct kdp_messageHeader header;                            \
    struct kdp_head head;                                       \
    kdp_##m##_wrap_and_apply_header(&c, buf, 0, size, &header); \
    put_head(kdp_head_wrap(&head, kdp_##m##_mut_buffer(&c),     \
                           kdp_##m##_offset(&c) + kdp_##m##_head_encoding_offset(), 0, size))
#define U32(m, f) kdp_##m##_set_##f(&c, (uint32_t)value_next())
#define U16(m, f) kdp_##m##_set_##f(&c, (uint16_t)value_next())
#define U8(m, f) kdp_##m##_set_##f(&c, (uint8_t)value_next())
#define U64(m, f) kdp_##m##_set_##f(&c, value_next())
#define I32(m, f) kdp_##m##_set_##f(&c, (int32_t)value_next())
#define I64(m, f) kdp_##m##_set_##f(&c, (int64_t)value_next())
#define WORD(m, f, t) kdp_##m##_set_##f(&c, (enum kdp_##t)VALUE_WORD())
#define TEXT(m, f) kdp_##m##_put_##f(&c, text, (uint16_t)value_text(text))
#define END(m) return 8 + kdp_##m##_encoded_length(&c)

static void
put_head(struct kdp_head *head)
{
    struct kdp_flags flags;
    uint64_t bits;

    kdp_head_set_seq(head, value_next());
    kdp_head_set_exchNs(head, (int64_t)value_next());
    kdp_head_set_recvNs(head, (int64_t)value_next());
    kdp_head_set_instrument(head, (uint32_t)value_next());
    kdp_head_set_pubDelayNs(head, (uint32_t)value_next());
    kdp_head_set_srcSeq(head, (uint32_t)value_next());
    kdp_head_set_line(head, (uint16_t)value_next());
    bits = value_next();
    kdp_flags_wrap(&flags, kdp_head_mut_buffer(head),
                   kdp_head_offset(head) + kdp_head_flags_encoding_offset(), 0, kdp_head_buffer_length(head));
    kdp_flags_clear(&flags);
    kdp_flags_set_maybeBadBook(&flags, bits >> 2 & 1);
    kdp_flags_set_badTsRecv(&flags, bits >> 3 & 1);
    kdp_flags_set_mbp(&flags, bits >> 4 & 1);
    kdp_flags_set_snapshot(&flags, bits >> 5 & 1);
    kdp_flags_set_tob(&flags, bits >> 6 & 1);
    kdp_flags_set_last(&flags, bits >> 7 & 1);
    kdp_head_set_origin(head, (enum kdp_origin)VALUE_WORD());
}

static size_t
encode_trade(char *buf, size_t size)
{
    uint64_t id[2];
    BEGIN(trade);

    id[0] = value_next();
    id[1] = value_next();
    kdp_trade_put_tradeId(&c, (const char *)id);
    I32(trade, priceE4);
    WORD(trade, takerSide, side);
    WORD(trade, block, bool);
    I64(trade, countE2);
    END(trade);
}

static size_t
encode_bbo(char *buf, size_t size)
{
    BEGIN(bbo);

    I32(bbo, bidE4);
    I32(bbo, askE4);
    I64(bbo, bidSizeE2);
    I64(bbo, askSizeE2);
    U64(bbo, bookHash);
    WORD(bbo, bookState, bookState);
    END(bbo);
}

static size_t
encode_ticker(char *buf, size_t size)
{
    BEGIN(ticker);

    I32(ticker, priceE4);
    I32(ticker, bidE4);
    I32(ticker, askE4);
    I64(ticker, bidSizeE2);
    I64(ticker, askSizeE2);
    I64(ticker, lastSizeE2);
    I64(ticker, volumeE2);
    I64(ticker, openInterestE2);
    I64(ticker, dollarVolume);
    I64(ticker, dollarOpenInterest);
    END(ticker);
}

static size_t
encode_level(char *buf, size_t size)
{
    BEGIN(level);

    I32(level, priceE4);
    WORD(level, side, side);
    I64(level, deltaE2);
    I64(level, sizeE2);
    END(level);
}

static size_t
encode_book_snapshot(char *buf, size_t size)
{
    struct kdp_bookSnapshot_levels levels;
    uint16_t count;
    BEGIN(bookSnapshot);

    U64(bookSnapshot, bookHash);
    U32(bookSnapshot, levelsTotal);
    U16(bookSnapshot, part);
    U16(bookSnapshot, parts);
    WORD(bookSnapshot, reason, reason);
    WORD(bookSnapshot, bookState, bookState);
    count = (uint16_t)VALUE_GROUP();
    kdp_bookSnapshot_levels_set_count(&c, &levels, count);
    for (uint16_t i = 0; i < count; i++) {
        kdp_bookSnapshot_levels_next(&levels);
        kdp_bookSnapshot_levels_set_priceE4(&levels, (int32_t)value_next());
        kdp_bookSnapshot_levels_set_side(&levels, (enum kdp_side)VALUE_WORD());
        kdp_bookSnapshot_levels_set_sizeE2(&levels, (int64_t)value_next());
    }
    END(bookSnapshot);
}

static size_t
encode_definition(char *buf, size_t size)
{
    struct kdp_definition_ranges ranges;
    char text[32];
    uint16_t count;
    BEGIN(definition);

    I64(definition, openNs);
    I64(definition, closeNs);
    I64(definition, expiryNs);
    I64(definition, floorStrikeE6);
    I64(definition, capStrikeE6);
    WORD(definition, strikeType, strikeType);
    WORD(definition, status, marketStatus);
    WORD(definition, provisional, bool);
    WORD(definition, combo, bool);
    WORD(definition, canCloseEarly, bool);
    U8(definition, exchangeIndex);
    count = (uint16_t)VALUE_GROUP();
    kdp_definition_ranges_set_count(&c, &ranges, count);
    for (uint16_t i = 0; i < count; i++) {
        kdp_definition_ranges_next(&ranges);
        kdp_definition_ranges_set_startE4(&ranges, (int32_t)value_next());
        kdp_definition_ranges_set_endE4(&ranges, (int32_t)value_next());
        kdp_definition_ranges_set_stepE4(&ranges, (int32_t)value_next());
    }
    TEXT(definition, ticker);
    TEXT(definition, eventTicker);
    TEXT(definition, seriesTicker);
    TEXT(definition, title);
    TEXT(definition, yesSubTitle);
    TEXT(definition, priceLevelStructure);
    END(definition);
}

static size_t
encode_lifecycle(char *buf, size_t size)
{
    BEGIN(lifecycle);

    WORD(lifecycle, kind, lifecycleKind);
    WORD(lifecycle, result, result);
    I64(lifecycle, openNs);
    I64(lifecycle, closeNs);
    I64(lifecycle, atNs);
    I64(lifecycle, settlementValueE6);
    END(lifecycle);
}

static size_t
encode_event(char *buf, size_t size)
{
    char text[32];
    BEGIN(event);

    WORD(event, kind, eventKind);
    U8(event, exchangeIndex);
    I64(event, feeMultiplierE6);
    TEXT(event, eventTicker);
    TEXT(event, seriesTicker);
    TEXT(event, title);
    TEXT(event, subTitle);
    TEXT(event, collateralReturnType);
    TEXT(event, feeType);
    END(event);
}

static size_t
encode_state(char *buf, size_t size)
{
    char text[32];
    BEGIN(state);

    WORD(state, subject, subject);
    WORD(state, state, bookState);
    WORD(state, reason, reason);
    U32(state, sid);
    U32(state, epoch);
    U64(state, fromSeq);
    U64(state, toSeq);
    TEXT(state, detail);
    END(state);
}

static size_t
encode_gap(char *buf, size_t size)
{
    char text[32];
    BEGIN(gap);

    WORD(gap, kind, gapKind);
    WORD(gap, status, gapStatus);
    WORD(gap, healedBy, healedBy);
    U32(gap, sid);
    U32(gap, epoch);
    U32(gap, markets);
    U64(gap, expected);
    U64(gap, seen);
    I64(gap, openedNs);
    I64(gap, healedNs);
    TEXT(gap, detail);
    END(gap);
}

size_t
sbe_encode(unsigned id, char *buf, size_t size)
{
    static size_t (*const encoders[])(char *buf, size_t size) = {
        NULL,         encode_trade,         encode_bbo,        encode_ticker,
        encode_level, encode_book_snapshot, encode_definition, encode_lifecycle,
        encode_event, encode_state,         encode_gap};

    return id < sizeof encoders / sizeof *encoders && encoders[id] != NULL ? encoders[id](buf, size) : 0;
}
