/* test_message_order.c - key order, spaces, escapes and the form of numbers do not matter, and the fast way
 * of decoding says what the general one says. */
#include "kdp_test.h"
#include "message_private.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS_MAX 20

struct form { /* how to write the members down */
    bool spaces, msg_first, escapes, numbers;
};

static uint64_t seed;

static unsigned
pick(unsigned below)
{
    return (unsigned)(kdp_test_random(&seed) % below);
}

static bool
same_text(struct kdp_text a, struct kdp_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void
check_same(const struct kdp_message *a, const struct kdp_message *b, const char *frame)
{
    bool same = a->kind == b->kind && a->refusal == b->refusal && a->trusted == b->trusted &&
                a->position == b->position && strcmp(a->member, b->member) == 0 &&
                same_text(a->type, b->type) && a->has_id == b->has_id && a->has_sid == b->has_sid &&
                a->has_seq == b->has_seq && a->id == b->id && a->sid == b->sid && a->seq == b->seq &&
                a->sending_ts_ms == b->sending_ts_ms && same_text(a->market_ticker, b->market_ticker) &&
                a->ts_ms == b->ts_ms && a->exch_ns == b->exch_ns && a->unknown_members == b->unknown_members;

    if (same && a->kind == KDP_MESSAGE_DELTA)
        same = a->delta.price_e4 == b->delta.price_e4 && a->delta.side == b->delta.side &&
               a->delta.delta_e2 == b->delta.delta_e2;
    else if (same && a->kind == KDP_MESSAGE_TICKER)
        same = a->ticker.price_e4 == b->ticker.price_e4 && a->ticker.bid_e4 == b->ticker.bid_e4 &&
               a->ticker.ask_e4 == b->ticker.ask_e4 &&
               memcmp(&a->ticker.bid_size_e2, &b->ticker.bid_size_e2, 7 * sizeof(int64_t)) == 0;
    else if (same && a->kind == KDP_MESSAGE_TRADE)
        same = memcmp(a->trade.trade_id, b->trade.trade_id, 16) == 0 &&
               a->trade.price_e4 == b->trade.price_e4 && a->trade.count_e2 == b->trade.count_e2 &&
               a->trade.taker_side == b->trade.taker_side && a->trade.block == b->trade.block &&
               a->trade.trade_id_hashed == b->trade.trade_id_hashed;
    if (!same)
        kdp_test_fail(__FILE__, __LINE__, "not the same for %s: %s \"%s\" at %zu, %s \"%s\" at %zu", frame,
                      kdpi_refusal_text(a->refusal), a->member, a->position, kdpi_refusal_text(b->refusal),
                      b->member, b->position);
}

/* Members as name and value pairs, written in random order. */
static size_t
write_object(char *out, size_t size, const char *const (*items)[2], unsigned n, const struct form *form)
{
    unsigned order[ITEMS_MAX];
    size_t len = 0;

    for (unsigned i = 0; i < n; i++)
        order[i] = i;
    for (unsigned i = n; i > 1; i--) {
        unsigned j = pick(i), last = order[i - 1];

        order[i - 1] = order[j];
        order[j] = last;
    }
    out[len++] = '{';
    for (unsigned i = 0; i < n; i++) {
        const char *name = items[order[i]][0], *value = items[order[i]][1];
        bool number = form->numbers && value[0] == '"' && strchr("-0123456789", value[1]) != NULL &&
                      strspn(value + 1, "-.0123456789") == strlen(value) - 2 && name[0] != 't';

        len += (size_t)snprintf(out + len, size - len, "%s%s\"", i > 0 ? "," : "",
                                form->spaces && pick(2) ? " " : "");
        if (form->escapes && pick(3) == 0)
            len += (size_t)snprintf(out + len, size - len, "\\u%04x%s", (unsigned)name[0], name + 1);
        else
            len += (size_t)snprintf(out + len, size - len, "%s", name);
        len += (size_t)snprintf(out + len, size - len, "\"%s:%s", form->spaces && pick(2) ? "\n" : "",
                                form->spaces && pick(2) ? " " : "");
        len += number ? (size_t)snprintf(out + len, size - len, "%.*s", (int)strlen(value) - 2, value + 1)
                      : (size_t)snprintf(out + len, size - len, "%s", value);
    }
    out[len++] = '}';
    out[len] = '\0';
    return len;
}

static const char *const delta_items[][2] = {{"market_ticker", "\"KXDEMO-26DEC01-T3\""},
                                             {"market_id", "\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\""},
                                             {"price_dollars", "\"0.4205\""},
                                             {"delta_fp", "\"-12.50\""},
                                             {"side", "\"no\""},
                                             {"ts", "\"2026-11-20T14:03:07.412345Z\""},
                                             {"ts_ms", "1795183387412"}};
static const char *const ticker_items[][2] = {{"market_ticker", "\"KXDEMO-26DEC01-T3\""},
                                              {"market_id", "\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\""},
                                              {"price_dollars", "\"0.4350\""},
                                              {"yes_bid_dollars", "\"0.4200\""},
                                              {"yes_ask_dollars", "\"0.4400\""},
                                              {"yes_bid_size_fp", "\"87.00\""},
                                              {"yes_ask_size_fp", "\"33.25\""},
                                              {"last_trade_size_fp", "\"12.50\""},
                                              {"volume_fp", "\"91233.75\""},
                                              {"open_interest_fp", "\"40211.00\""},
                                              {"dollar_volume", "39712"},
                                              {"dollar_open_interest", "17410"},
                                              {"ts", "1795183387"},
                                              {"ts_ms", "1795183387412"},
                                              {"time", "\"2026-11-20T14:03:07.412345Z\""}};
static const char *const trade_items[][2] = {{"trade_id", "\"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10\""},
                                             {"market_ticker", "\"KXDEMO-26DEC01-T3\""},
                                             {"yes_price_dollars", "\"0.4350\""},
                                             {"no_price_dollars", "\"0.5650\""},
                                             {"count_fp", "\"12.50\""},
                                             {"taker_side", "\"yes\""},
                                             {"taker_outcome_side", "\"yes\""},
                                             {"taker_book_side", "\"bid\""},
                                             {"is_block_trade", "false"},
                                             {"ts", "1795183387"},
                                             {"ts_ms", "1795183387412"}};

static size_t
write_frame(char *out, size_t size, unsigned kind, const struct form *form)
{
    static const char *const types[] = {"\"orderbook_delta\"", "\"ticker\"", "\"trade\""};
    char body[1500];
    const char *const items[][2] = {{"type", types[kind]},
                                    {"sid", "3"},
                                    {"seq", "41"},
                                    {"msg", body},
                                    {"sending_ts_ms", "1795183387415"}};

    if (kind == 0)
        write_object(body, sizeof body, delta_items, 7, form);
    else if (kind == 1)
        write_object(body, sizeof body, ticker_items, 15, form);
    else
        write_object(body, sizeof body, trade_items, 11, form);
    return write_object(out, size, items, 5, form);
}

KDP_TEST(key_order_and_form_do_not_matter)
{
    struct kdp_decoder *decoder = kdpi_decoder_open();
    static struct kdp_message want, got;
    static char first[2000], frame[2000];

    CHECK(decoder != NULL);
    seed = kdp_test_seed();
    for (unsigned kind = 0; kind < 3; kind++) {
        static const struct form plain = {false, false, false, false};
        size_t len = write_frame(first, sizeof first, kind, &plain);
        char ticker[64];

        CHECK_INT(kdpi_decode(decoder, first, len, &want), KDP_REFUSAL_NONE);
        memcpy(ticker, want.market_ticker.data, want.market_ticker.len);
        for (int round = 0; round < 2000; round++) {
            struct form form = {pick(3) == 0, false, pick(3) == 0, pick(3) == 0};

            len = write_frame(frame, sizeof frame, kind, &form);
            if (kdpi_decode(decoder, frame, len, &got) != KDP_REFUSAL_NONE)
                kdp_test_fail(__FILE__, __LINE__, "%s: %s \"%s\" at %zu", frame,
                              kdpi_refusal_text(got.refusal), got.member, got.position);
            CHECK(got.market_ticker.len == want.market_ticker.len &&
                  memcmp(got.market_ticker.data, ticker, got.market_ticker.len) == 0);
            got.market_ticker = want.market_ticker; /* those of want lie in its own frame */
            got.type = want.type;
            check_same(&want, &got, frame);
        }
    }
    kdpi_decoder_close(decoder);
}

/* Frames with one to three bytes changed: whatever they are now, both ways say the same. */
KDP_TEST(fast_and_general_agree)
{
    static const char bytes[] = "{}[]\",:\\ 0123456789.-+eEabntfsz\n\x80\xff_ABC";
    struct kdp_decoder *one = kdpi_decoder_open(), *other = kdpi_decoder_open();
    static struct kdp_message fast, general;
    static char frame[2000];
    unsigned taken = 0, refused = 0;

    CHECK(one != NULL && other != NULL);
    seed = kdp_test_seed();
    for (int round = 0; round < 200000; round++) {
        static const struct form plain = {false, false, false, false};
        size_t len = write_frame(frame, sizeof frame, pick(3), &plain);
        char *copy;

        for (unsigned changes = pick(4); changes > 0; changes--) {
            size_t at = pick((unsigned)len);

            switch (pick(4)) {
            case 0: /* take one away */
                memmove(frame + at, frame + at + 1, len - at);
                len--;
                break;
            case 1: /* double one */
                memmove(frame + at + 1, frame + at, len - at);
                len++;
                break;
            default:
                frame[at] = bytes[pick(sizeof bytes - 1)];
            }
        }
        copy = malloc(len);
        CHECK(copy != NULL);
        memcpy(copy, frame, len);
        memset(&fast, 0xa5, sizeof fast);
        memset(&general, 0x5a, sizeof general);
        frame[len] = '\0';
        if (kdpi_decode_fast(one, copy, len, &fast)) {
            taken++;
            CHECK_INT(kdpi_decode_general(other, copy, len, &general), KDP_REFUSAL_NONE);
            check_same(&fast, &general, frame);
        } else {
            refused += kdpi_decode_general(other, copy, len, &general) != KDP_REFUSAL_NONE;
        }
        free(copy);
    }
    CHECK(taken > 50000 && refused > 50000);
    kdpi_decoder_close(one);
    kdpi_decoder_close(other);
}

/* The forms the exchange sends are those the fast way takes: else it would be of no use, and nobody would
 * see. */
KDP_TEST(frequent_frames_go_the_fast_way)
{
    static const char spaced[] =
        "{\"type\": \"orderbook_delta\", \"sid\": 2, \"seq\": 41, \"msg\": {\"market_ticker\": \"A\", "
        "\"price_dollars\": \"0.4350\", \"delta_fp\": \"7.00\", \"side\": \"yes\"}}";
    struct kdp_decoder *decoder = kdpi_decoder_open();
    static const struct form plain = {false, false, false, false};
    static struct kdp_message msg;
    static char frame[2000];

    CHECK(decoder != NULL);
    seed = kdp_test_seed();
    for (unsigned i = 0; i < 300; i++) {
        size_t len = write_frame(frame, sizeof frame, i % 3, &plain);

        CHECK(kdpi_decode_fast(decoder, frame, len, &msg));
    }
    /* as written by json.dumps of Python, which many recorders are made of */
    CHECK(kdpi_decode_fast(decoder, spaced, strlen(spaced), &msg));
    CHECK_INT(msg.delta.delta_e2, 700);
    kdpi_decoder_close(decoder);
}
