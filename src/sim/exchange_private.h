/* exchange_private.h - the exchange's insides, shared by the files exchange*.c. */
#ifndef KDPI_EXCHANGE_PRIVATE_H
#define KDPI_EXCHANGE_PRIVATE_H

#include "exchange.h"
#include "gen_private.h"

#define LOG_MAX (UINT64_C(1) << 21) /* trades kept */
#define DAY_PARTS 8                 /* of volume_24h: it looks back 21 to 24 hours */
#define NOWHERE UINT32_MAX

struct recorded_market; /* exchange_recorded.c */

struct exchange_market {
    uint32_t hash_next;
    uint32_t made; /* index in the generator, NOWHERE: recorded */
    uint8_t state; /* enum kdp_market_status, but for what time alone tells (open, close) */
    uint8_t result;
    bool combo, held; /* held: taken out of trading by a deactivation */
    int64_t created_ns, open_ns, close_ns, determined_ns, settled_ns, updated_ns, settlement_value_e6;
    uint64_t trades;
    uint64_t trades_end;         /* number after its last trade in the log, 0: none there */
    int64_t part_e2[DAY_PARTS];  /* traded in the last parts of a day */
    int32_t part;                /* number of the newest part */
    struct recorded_market *rec; /* of a recorded one */
};

struct exchange_made;     /* exchange_made.c */
struct exchange_recorded; /* exchange_recorded.c */

struct exchange_texts { /* of the market looked at last */
    char event_ticker[256], series_ticker[256], title[512], event_title[512], yes_sub_title[256];
    struct kdp_exchange_level levels[2][LEVELS_MAX];
};

struct kdp_exchange {
    struct kdp_exchange_config config;
    kdp_exchange_listener listener;
    void *listener_arg;
    int64_t clock_ns; /* what run was last told */
    int64_t last_ns;  /* of the last event */
    uint64_t told;    /* events so far */
    int error;        /* of a source, kept */

    struct exchange_market *markets;
    size_t market_room;
    uint32_t market_count;
    uint32_t *heads; /* of the tickers' hash chains */
    uint32_t head_count;

    struct kdp_exchange_trade *log; /* LOG_MAX of them, a ring by number */
    uint64_t *log_before; /* beside it: one more than the number of the same market's trade before, 0: none */
    uint64_t log_count, log_oldest;

    struct exchange_made *made;
    struct exchange_recorded *recorded;
    struct exchange_texts *texts;
    struct kdp_exchange_stats stats;
};

/* exchange_add adds up to what fits: recordings may say anything. */
static inline void
exchange_add(int64_t *sump, int64_t more)
{
    if (__builtin_add_overflow(*sump, more, sump))
        *sump = INT64_MAX;
}

/* exchange.c */
/* exchange_market_add makes the next market, named later by exchange_name: its index, NOWHERE when there is no memory. */
uint32_t exchange_market_add(struct kdp_exchange *ex);
/* The ticker's place in the hash: after the market's own source has its name; before that name goes. */
void exchange_name(struct kdp_exchange *ex, uint32_t index);
void exchange_unname(struct kdp_exchange *ex, uint32_t index);
/* exchange_forget makes sure that no trade in the log names the market. */
void exchange_forget(struct kdp_exchange *ex, uint32_t index);
/* Telling: each event's time is made not to go back. */
void exchange_tell(struct kdp_exchange *ex, struct kdp_exchange_event *event);
void exchange_tell_delta(struct kdp_exchange *ex, uint32_t index, int64_t time_ns, unsigned side,
                         int32_t price_e4, int64_t delta_e2);
void exchange_tell_life(struct kdp_exchange *ex, uint32_t index, int64_t time_ns, uint8_t kind);
void exchange_tell_market(struct kdp_exchange *ex, enum kdp_exchange_event_kind kind, uint32_t index,
                          int64_t time_ns);
void exchange_tell_trade(struct kdp_exchange *ex, struct kdp_exchange_trade *trade, bool silent);

/* exchange_made.c: the generated source */
int exchange_made_open(struct kdp_exchange *ex);
void exchange_made_close(struct kdp_exchange *ex);
int64_t exchange_made_due(const struct kdp_exchange *ex); /* time of its next step, INT64_MAX: none */
void exchange_made_step(struct kdp_exchange *ex);
size_t exchange_made_memory(const struct kdp_exchange *ex);
const char *exchange_made_ticker(const struct kdp_exchange *ex, uint32_t made, size_t *lenp);
void exchange_made_look(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out);
void exchange_made_cancel(struct kdp_exchange *ex, uint32_t index);
void exchange_made_ticks(struct kdp_exchange *ex, uint32_t index);
void exchange_made_burst(struct kdp_exchange *ex, unsigned events);
void exchange_made_trade(struct kdp_exchange *ex, uint32_t index);
int exchange_made_act(struct kdp_exchange *ex, enum kdp_exchange_act act, uint32_t index);

/* exchange_recorded.c: recordings */
int exchange_recorded_open(struct kdp_exchange *ex);
void exchange_recorded_close(struct kdp_exchange *ex);
int64_t exchange_recorded_due(const struct kdp_exchange *ex);
int exchange_recorded_step(struct kdp_exchange *ex);
size_t exchange_recorded_memory(const struct kdp_exchange *ex);
const char *exchange_recorded_ticker(const struct recorded_market *rec, size_t *lenp);
void exchange_recorded_look(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out);
void exchange_recorded_cancel(struct kdp_exchange *ex, uint32_t index);
void exchange_recorded_ticks(struct kdp_exchange *ex, uint32_t index);
void exchange_recorded_trade(struct kdp_exchange *ex, uint32_t index);

#endif
