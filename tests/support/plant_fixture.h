/* plant_fixture.h - a plant with a ring of its own, inputs in few words, and its records one after the other. */
#ifndef KDP_PLANT_FIXTURE_H
#define KDP_PLANT_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "kdp_test.h"
#include "plant.h"
#include "record.h"
#include "sequence.h"

#define T0 (INT64_C(1795183387) * 1000000000)

extern struct kdp_ring *ring;
extern struct kdp_plant *plant;
extern struct kdp_ring_cursor cursor;
extern int64_t now;                     /* receive time of the next input, a microsecond later each time */
extern int64_t (*clock_of_plant)(void); /* NULL: a replay, which measures no delay */
extern unsigned input_flags;

struct heard { /* a notice, with the texts of it that tests look at */
    struct kdp_notice notice;
    char ticker[64];
    char text[256];
};

void begin(void); /* plant and ring, and a START in an empty directory */
/* listen, called before begin, keeps the notices; heard gives the next one of a kind, others passed over, NULL: none. */
void listen_to_plant(void);
const struct heard *heard(enum kdp_notice_kind kind);
const struct heard *must_hear(enum kdp_notice_kind kind);
/* again_is_the_same plays everything since begin to another plant, to which nobody listens: the same stream. */
void again_is_the_same(void);
/* restart ends the process and begins another one on what stands in the stream; flags of its START. */
void restart(uint32_t flags, int64_t last_ns);
void input(enum kdp_input_kind kind, unsigned line, const void *bytes, size_t len);
void up(unsigned line);
void down(unsigned line);
/* single quotes in fmt become double ones */
void frame(unsigned line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void snapshot(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *yes, const char *no);
void delta(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *side, const char *price,
           const char *change);
void trade(unsigned line, unsigned sid, unsigned seq, const char *ticker, const char *id);
void timer(enum kdp_timer_kind kind, uint32_t arg32, uint64_t arg);
void reload(const char *text);
/* a REST answer with status 200; quotes as in frame */
void answer(enum kdp_rest_kind kind, unsigned number, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The next record of a template (0: any), others passed over; NULL at the head of the stream. */
const void *next(unsigned template_id);
const void *must(unsigned template_id); /* the same where there has to be one */
unsigned count_left(unsigned template_id);
struct kdp_plant_market market(const char *ticker);
struct kdp_plant_totals totals(void);
void state_is(const char *ticker, enum kdp_book_state state);
uint64_t counter(const char *name);

#endif
