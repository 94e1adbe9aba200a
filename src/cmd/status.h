/* status.h - what kdp status found out, collected before anything is printed: lines for people, facts for programs.
 *
 * A part is one of exchange, key, plant, stores, questdb.  Its lines stand below each other on the screen; its facts are the
 * members of its object in json and the rows of csv.  Facts between kdp_status_list and kdp_status_list_end are members of the
 * list's objects: in json an array, in csv rows named LIST.NUMBER.NAME. */
#ifndef KDPI_STATUS_H
#define KDPI_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "rest.h"

#define KDP_STATUS_LINES 64u
#define KDP_STATUS_FACTS 400u

struct kdp_status_line {
    const char *part; /* "" goes on with the part above */
    char state[24];
    char words[512];
    bool bad;
};

enum kdp_status_kind { KDP_STATUS_TEXT, KDP_STATUS_NUMBER, KDP_STATUS_SWITCH, KDP_STATUS_NOTHING };
struct kdp_status_fact {
    const char *part, *name;
    const char *list; /* NULL: of the part itself */
    unsigned row;     /* of the list, from 1; 0: the list is empty */
    enum kdp_status_kind kind;
    char value[512];
};

struct kdp_status {
    struct kdp_cli *cli;
    unsigned lines, facts;
    struct kdp_status_line line[KDP_STATUS_LINES];
    struct kdp_status_fact fact[KDP_STATUS_FACTS];
    const char *list; /* the one begun */
    unsigned row;
    bool bad;    /* something that is set up is not well */
    bool paused; /* the exchange pauses by its schedule */
};

void kdp_status_line(struct kdp_status *status, const char *part, const char *state, bool bad,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void kdp_status_text(struct kdp_status *status, const char *part, const char *name,
                     const char *value); /* NULL: null */
void kdp_status_number(struct kdp_status *status, const char *part, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void kdp_status_switch(struct kdp_status *status, const char *part, const char *name, bool value);
void kdp_status_time(struct kdp_status *status, const char *part, const char *name, int64_t ns);

/* A list's facts: kdp_status_row before those of each object. */
void kdp_status_list(struct kdp_status *status, const char *part, const char *list);
void kdp_status_row(struct kdp_status *status);
void kdp_status_list_end(struct kdp_status *status);

/* The parts; each adds its lines and facts.  The exchange is asked for at most five seconds, unless Ctrl-C ends it before
 * (kdp_cli_interrupted). */
void kdp_status_exchange(struct kdp_status *status);
void kdp_status_plant(struct kdp_status *status);
void kdp_status_stores(struct kdp_status *status);

/* Of the exchange's part: "Thu 26 Nov 08:00 to 10:00 UTC (here 09:00 to 11:00 CET)", with start_ns null the end alone; lines and lists
 * of its pauses and shards. */
void kdp_status_span(char *buf, size_t size, int64_t start_ns, int64_t end_ns);
void kdp_status_pauses(struct kdp_status *status, const struct kdp_rest_pause *pauses, uint32_t count,
                       int64_t now_ns);
void kdp_status_list_pauses(struct kdp_status *status, const struct kdp_rest_pause *pauses, uint32_t count,
                            int64_t now_ns);
void kdp_status_shards(struct kdp_status *status, const struct kdp_rest_status *exchange, bool paused);
void kdp_status_list_shards(struct kdp_status *status, const struct kdp_rest_status *exchange);

#endif
