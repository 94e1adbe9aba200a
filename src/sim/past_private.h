/* past_private.h - what the files past*.c share. */
#ifndef KDPI_PAST_PRIVATE_H
#define KDPI_PAST_PRIVATE_H

#include "exchange_private.h"
#include "past.h"

struct past_market {
    const char *ticker, *event_ticker, *series_ticker, *title, *sub_title;
    size_t ticker_len;
    uint32_t hash_next;
    const char *raw; /* the recorded object, NULL: none; said_e2 is the volume it has */
    int64_t said_e2;
    uint8_t status; /* enum kdp_market_status; of made-up markets finalized */
    bool combo;
    uint8_t structure;  /* of gen_structures */
    uint8_t result;     /* enum kdp_result */
    int64_t refined_ns; /* until then prices were whole cents, KDP_TIME_NULL: never otherwise */
    int64_t created_ns, open_ns, close_ns, determined_ns, settled_ns, updated_ns;
    int64_t strike_e6, settlement_value_e6;
    uint8_t strike_type;
    /* of all its trades */
    uint64_t trades;
    int64_t volume_e2, cash_e6, last_size_e2;
    int32_t last_e4;
    /* made up: its buckets, and where its first cell stands in past->cells */
    uint32_t bucket, buckets, popularity;
    size_t cell;
    /* recorded: its part of past->numbers */
    uint64_t list;
};

struct past_page {           /* trades of a bucket, or of one market in it, made a while ago */
    uint32_t market, bucket; /* market NOWHERE: all of them */
    bool filled;
    struct kdp_exchange_trade *trades;
    size_t count, room;
};
#define PAST_NOWHERE UINT32_MAX
#define PAST_PAGES 64u /* the first PAST_WHOLE of them for whole buckets */
#define PAST_WHOLE 16u

struct kdp_past {
    struct kdp_past_config config;
    struct past_market *markets;
    size_t market_room;
    uint32_t market_count;
    uint32_t *heads, head_count;
    char **texts; /* to be freed */
    size_t text_count, text_room, text_bytes;
    uint64_t count;

    /* made up: time is cut into buckets of bucket_s seconds from begin_s on; a cell is one market in one bucket */
    int64_t begin_s, end_s, bucket_s;
    uint32_t buckets;
    uint64_t *bucket_first; /* number of its first trade; one more entry at the end */
    uint32_t *cells; /* per market: trades of the market before that bucket; one more entry at the end */
    size_t cell_count;
    struct past_page pages[PAST_PAGES];
    uint64_t *keys; /* to sort a bucket by */
    struct kdp_exchange_trade *unsorted;
    size_t key_room, unsorted_room;

    /* recorded */
    struct kdp_exchange_trade *stored;
    size_t stored_room;
    uint32_t *numbers; /* market by market, the numbers of its trades */
};

/* past.c */
struct past_market *past_market_add(struct kdp_past *past); /* NULL: no memory, or too many */
const char *past_text(struct kdp_past *past, const char *text, size_t len);
int past_name(struct kdp_past *past, uint32_t market); /* its ticker is there: it can be found from here on */
uint64_t past_mix(uint64_t value);

/* past_made.c */
int past_made_open(struct kdp_past *past);
const struct past_page *past_made_page(struct kdp_past *past, uint32_t market, uint32_t bucket);

/* past_read.c */
int past_read_open(struct kdp_past *past);
/* past_file reads a file whole, decompressed; the text is the caller's, with room for a NUL behind it. */
int past_file(const char *path, char **textp, size_t *lenp);

/* past_answers.c */
int past_answers(struct kdp_past *past);

#endif
