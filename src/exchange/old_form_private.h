/* old_form_private.h - what old_form.c (finding out what a line is) and old_form_write.c (writing it in today's form) share. */
#ifndef KDPI_OLD_FORM_PRIVATE_H
#define KDPI_OLD_FORM_PRIVATE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "json.h"
#include "old_form.h"

#define TEXTS_BYTES 65536u
#define MARKETS_MAX 4096u /* flat messages with a seq of their own: sids are a table of 8,192 */
#define CONNECTIONS_MAX 256u
#define SID_BASE 0x40000000u /* far above what the exchange gives out */
#define NAME_BYTES 208u
#define PRICE_ONE 10000

enum type { TYPE_OTHER, TYPE_DELTA, TYPE_SNAPSHOT, TYPE_TRADE, TYPE_TICKER };

struct market {
    char ticker[NAME_BYTES];
    bool used;
};

struct connection {
    char name[NAME_BYTES];
    struct {
        char channel[32];
        int64_t sid;
    } channels[8]; /* as its subscribed replies said */
};

struct kdp_old_form {
    uint64_t identity;
    struct kdp_json json, inner;
    struct kdp_json_keys keys, inner_keys;
    char texts[TEXTS_BYTES], inner_texts[TEXTS_BYTES];
    char *out;
    size_t used, room;
    bool no_memory;
    struct market *markets; /* open addressing by ticker; index is the sid's */
    unsigned market_count;
    bool one_seq; /* flat messages count over all markets, as the exchange's do */
    bool decided;
    uint64_t last_seq;
    unsigned last_market;
    struct connection *connections;
    unsigned connection_count;
    /* of the message under way */
    enum kdp_refusal refusal;
    const char *why, *member;
    size_t position;
};

/* A value under one of its names. */
struct value {
    enum kdp_json_kind kind; /* NONE: not given, or null */
    struct kdp_text text;
    size_t at;
    const char *member;
};

static inline struct value
take(struct kdp_json *json, const char *member)
{
    struct value value = {.at = kdpi_json_offset(json), .member = member};

    value.kind = kdpi_json_scalar(json, &value.text);
    if (value.kind == KDP_JSON_NULL || (value.kind == KDP_JSON_STRING && value.text.len == 0))
        value.kind = KDP_JSON_NONE;
    return value;
}

static inline bool
has_point(struct kdp_text text)
{
    return memchr(text.data, '.', text.len) != NULL || memchr(text.data, 'e', text.len) != NULL ||
           memchr(text.data, 'E', text.len) != NULL;
}

#define LEVELS_NONE SIZE_MAX

struct message { /* what was found, under any of its names */
    enum type type;
    struct value ticker, price, no_price, count, delta, side, id, time, ts_ms, bid, ask, bid_size, ask_size,
        volume, open_interest, block;
    bool price_dollars, no_dollars, bid_dollars, ask_dollars;
    size_t yes_at, no_at, bids_at, asks_at; /* arrays, LEVELS_NONE */
    bool odd;                               /* something in it is not in the exchange's own form */
};

/* kdpi_old_put appends to the frame that is made, kdpi_old_text a text as JSON has it. */
void kdpi_old_put(struct kdp_old_form *old, const char *text, size_t len);
void kdpi_old_word(struct kdp_old_form *old, const char *text);
void kdpi_old_text(struct kdp_old_form *old, struct kdp_text text);
/* kdpi_old_message writes the whole frame; head is what stands before msg, flat: the message had no envelope.  What cannot be
 * written is in old's refusal. */
void kdpi_old_message(struct kdp_old_form *old, const struct message *m, const char *head, bool flat,
                      const struct value *seq, uint64_t number);

#endif
