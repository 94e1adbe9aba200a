/* exchange_made.h - the generated source of the exchange: its clock and timers; lives of markets are exchange_life.c's. */
#ifndef KDPI_EXCHANGE_MADE_H
#define KDPI_EXCHANGE_MADE_H

#include "exchange_private.h"

enum made_timer { /* what is due */
                  MADE_CLOSE,
                  MADE_DETERMINE,
                  MADE_SETTLE,
                  MADE_SUCCEED,
                  MADE_OPEN,
                  MADE_LIFE,
                  MADE_COMBO_NEW,
                  MADE_COMBO_CLOSE,
                  MADE_COMBO_DETERMINE,
                  MADE_COMBO_SETTLE
};
struct made_due {
    int64_t due_ns;
    uint32_t what, which; /* which: event; of a combo its market */
    uint32_t birth;       /* of the event: a timer of an earlier one in the same place is void */
};

struct made_place { /* of an event */
    uint32_t birth;
    uint32_t next; /* in the queue of settled ones */
    uint8_t room;  /* markets */
    bool heir;     /* its successor is there */
    bool settled;
    int64_t close_s; /* moved or not; the event's own close_s stays, its names are made of it */
};

struct exchange_made {
    struct kdp_exchange *ex;
    struct kdp_gen *gen;
    struct gen_sink sink;
    int64_t next_ns;      /* of the next step of trading, INT64_MAX: none */
    int64_t rest_ns;      /* below a microsecond, not waited yet */
    int64_t pause_ns;     /* mean time of an event between rushes */
    int64_t rush_ns;      /* a rush lasts until then; before it began: when it begins */
    bool rushing, silent; /* silent: nobody is told */
    bool fees;            /* the last change of fees by an act was an override */
    bool renamed;         /* recordings are served too: made names must not be theirs */
    uint32_t *place;      /* market of the generator -> index in the exchange */
    struct made_place *places;
    uint32_t births;
    uint32_t settled_first[OUTCOMES_MAX + 1], settled_last[OUTCOMES_MAX + 1]; /* by room; NOWHERE: none */
    struct made_due *heap;
    size_t heap_count, heap_room;
    /* combinations: a ring of places, the oldest settled one is used again */
    uint32_t combo_max, combo_count, combo_next, *combo;
    uint32_t paused; /* generator's market held out of trading, NOWHERE: none */
};

/* exchange_made.c */
void made_later(struct exchange_made *made, int64_t due_ns, enum made_timer what, uint32_t which);
bool made_is_void(const struct exchange_made *made, const struct made_due *due);
char *made_rename(const struct exchange_made *made, char *begin, char *end); /* returns end */

/* exchange_life.c */
bool made_market_add(struct exchange_made *made, uint32_t index, int64_t created_ns, int64_t open_ns);
void made_lives_begin(struct exchange_made *made);
void made_due(struct exchange_made *made, const struct made_due *due);
void made_combo_trade(struct exchange_made *made);
/* made_combos_room is the number of places for combinations at once. */
uint32_t made_combos_room(uint32_t combo_rate);
void made_ticks(struct exchange_made *made, uint32_t index);
int made_act(struct exchange_made *made, enum kdp_exchange_act act, uint32_t index);

#endif
