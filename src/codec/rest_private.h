/* rest_private.h - what the files of the REST decoder share: rest.c (pages, trades, books, events), rest_market.c (Market
 * objects), rest_exchange.c (status, limits, errors), rest_time.c (the schedule).
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
};

/* kdpi_rest_begin starts a body. */
void kdpi_rest_begin(struct kdp_rest_reader *reader, const char *body, size_t len);
/* kdpi_rest_refuse names the first refusal of a value of the item under way, whose member has no number in
 * message_private.h. */
void kdpi_rest_refuse(struct kdp_rest_reader *reader, enum kdp_refusal refusal, const char *member,
                      size_t at);
/* kdpi_rest_take_time takes a time; false when it is absent (null, "", or the year 1 or 9999 for never) or refused. */
bool kdpi_rest_take_time(struct kdp_rest_reader *reader, const char *member, int64_t *nsp);

/* kdpi_rest_page walks a body: the objects of its member list, or the one of its member one (NULL: none); item takes the
 * object due and hands it out; it returns false to end the reading. */
struct kdp_rest_page {
    const char *list, *one;
    bool (*item)(struct kdp_rest_page *page, struct kdp_rest_reader *reader);
    union {
        bool (*trade)(void *arg, const struct kdp_message *trade);
        bool (*market)(void *arg, const struct kdp_rest_market *market);
        bool (*book)(void *arg, const struct kdp_rest_book *book);
        bool (*event)(void *arg, const struct kdp_rest_event *event);
    } each;
    void *arg;
    struct kdp_rest_end *end;
};
void kdpi_rest_page(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_page *page);
/* kdpi_rest_wanted says whether the item just read may be handed out, and counts it. */
bool kdpi_rest_wanted(struct kdp_rest_page *page, struct kdp_rest_reader *reader);

/* kdpi_rest_market_names fills the table of member names. */
void kdpi_rest_market_names(uint8_t table[KDPI_MEMBER_SLOTS]);

#endif
