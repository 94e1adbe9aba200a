/* rest_private.h - what the files of the REST decoder share: rest.c (pages, trades, books), rest_market.c (Market objects),
 * rest_event.c, rest_series.c (series, fees, costs), rest_candle.c, rest_exchange.c (status, cutoff, limits, errors),
 * rest_time.c (the schedule), rest_field.c (objects read by a table).
 *
 * A REST object holds the same values as a frame's msg under mostly the same names, so single values, legs and levels are
 * taken by the frame decoder's own functions (message_private.h) and cannot come to differ from it. */
#ifndef KDPI_REST_PRIVATE_H
#define KDPI_REST_PRIVATE_H

#include "message_private.h"
#include "rest.h"

#define KDPI_REST_HOURS_MAX 16u   /* of standard_hours: each holds until its end_time */
#define KDPI_REST_SESSIONS_MAX 8u /* of one day */

struct kdp_rest_hours {
    int64_t start_ns, end_ns;
    struct {
        bool given; /* an absent day says nothing: no pause is made of it */
        uint8_t count;
        struct {
            int16_t open, close; /* minutes of the day; close may lie in the next one */
        } sessions[KDPI_REST_SESSIONS_MAX];
    } days[7]; /* from Sunday */
};

struct kdp_rest_schedule {
    uint32_t count;
    struct kdp_rest_hours entries[KDPI_REST_HOURS_MAX];
};

struct kdp_rest_reader {
    struct kdp_decoder *d;
    struct kdp_message msg; /* the item under way */
    struct kdp_rest_market market;
    uint8_t market_table[KDPI_MEMBER_SLOTS]; /* of rest_market.c */
    struct kdp_rest_schedule schedule;
    bool terms;                          /* wanted of markets */
    char candle_ticker[KDPI_TICKER_MAX]; /* of the candles under way */
};

/* kdpi_rest_begin starts a body. */
void kdpi_rest_begin(struct kdp_rest_reader *reader, const char *body, size_t len);
/* kdpi_rest_refuse names the first refusal of a value of the item under way, whose member has no number in
 * message_private.h. */
void kdpi_rest_refuse(struct kdp_rest_reader *reader, enum kdp_refusal refusal, const char *member,
                      size_t at);
/* kdpi_rest_take_time takes a time; false when it is absent (null, "", or the year 1 or 9999 for never) or refused. */
bool kdpi_rest_take_time(struct kdp_rest_reader *reader, const char *member, int64_t *nsp);

/* kdpi_rest_page walks a body: the objects of its member list, or the one of its member one (NULL: none; the same name as
 * list: either); item takes the object due and hands it out; it returns false to end the reading.  other (NULL: none) is
 * shown the other members and takes what it knows; it says through *therep that this was what was asked for. */
struct kdp_rest_page {
    const char *list, *one;
    bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader);
    bool (*other)(struct kdp_rest_page *page, struct kdp_rest_reader *reader, struct kdp_text key,
                  bool *therep);
    union {
        bool (*trade)(void *arg, const struct kdp_message *trade);
        bool (*market)(void *arg, const struct kdp_rest_market *market);
        bool (*book)(void *arg, const struct kdp_rest_book *book);
        bool (*event)(void *arg, const struct kdp_rest_event *event);
        bool (*series)(void *arg, const struct kdp_rest_series *series);
        bool (*fee_change)(void *arg, const struct kdp_rest_fee_change *change);
        bool (*candle)(void *arg, const struct kdp_rest_candle *candle);
        bool (*cost)(void *arg, const struct kdp_rest_cost *cost);
    } each;
    void *arg;
    struct kdp_rest_end *end;
};
void kdpi_rest_page(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_page *page);
/* kdpi_rest_list takes the list due by item, kdpi_rest_item the object due; what is no object is refused under the name
 * member.  false: the reading is to end. */
bool kdpi_rest_list(struct kdp_rest_reader *reader, struct kdp_rest_page *page, const char *member,
                    bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader));
bool kdpi_rest_item(struct kdp_rest_reader *reader, struct kdp_rest_page *page, const char *member,
                    bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader));
/* kdpi_rest_wanted says whether the item just read may be handed out, and counts it. */
bool kdpi_rest_wanted(struct kdp_rest_page *page, struct kdp_rest_reader *reader);
/* kdpi_rest_take_market is the item of a Market. */
bool kdpi_rest_take_market(struct kdp_rest_page *page, struct kdp_rest_reader *reader);

#define KDPI_REST_WORD_MAX 4096u        /* of a word, a title, an address */
#define KDPI_REST_TERMS_MAX (64u << 10) /* of the rules of a market */

enum kdp_rest_kind {
    KDP_REST_TEXT,     /* struct kdp_text */
    KDP_REST_JSON,     /* struct kdp_text: any value as it came; empty for null */
    KDP_REST_TIME,     /* int64_t, ns */
    KDP_REST_SIZE,     /* int64_t, 1e-2 contract */
    KDP_REST_OLD_SIZE, /* the same under the name of before March 2026, or of a historical candle */
    KDP_REST_WHOLE,    /* int64_t */
    KDP_REST_DOUBLE,   /* int64_t, 1e-6; what does not fit is left null: it describes, and is no money */
    KDP_REST_INDEX,    /* int16_t, 0 to 255 */
    KDP_REST_FLAG      /* int8_t, 0 or 1 */
};
struct kdp_rest_field {
    const char *name; /* NULL ends a table */
    uint8_t kind;     /* enum kdp_rest_kind */
    uint32_t max;     /* bytes of a text */
    size_t offset;
};
/* kdpi_rest_fields reads the object due into object, whose members stand as they are to be when absent; its texts are
 * emptied first.  A value that cannot be kept refuses the item under its name. */
void kdpi_rest_fields(struct kdp_rest_reader *reader, const struct kdp_rest_field *fields, void *object);
/* The same for objects that hold more than a table says: the row of a name (NULL: none), and its value taken. */
const struct kdp_rest_field *kdpi_rest_field_find(const struct kdp_rest_field *fields, struct kdp_text name);
void kdpi_rest_field_take(struct kdp_rest_reader *reader, const struct kdp_rest_field *field, void *object);

/* kdpi_rest_market_names fills the table of member names. */
void kdpi_rest_market_names(uint8_t table[KDPI_MEMBER_SLOTS]);

#endif
