/* sim_past_fixture.h - a simulator with a past, what REST gives of it, and its own list of its trades. */
#ifndef SIM_PAST_FIXTURE_H
#define SIM_PAST_FIXTURE_H

#include "http.h"
#include "rest.h"
#include "sim_fixture.h"

#define TRADES_MAX 40000u

extern struct sim_fixture fixture;
extern struct kdp_http *http;
extern struct kdp_rest_reader *rest;
extern struct kdp_rest_end end; /* of the last page */

struct seen {
    uint8_t id[16];
    char ticker[48];
    int64_t time_ns, count_e2;
    int32_t price_e4;
    bool block;
};
extern struct seen truth[TRADES_MAX], seen[TRADES_MAX]; /* the simulator's list; what the pages gave */
extern uint32_t truth_count, seen_count;

void open_http(struct kdp_signer *signer);
void begin(uint64_t seed, uint32_t markets, uint64_t trades, int64_t hours);
void finish(void);
struct kdp_http_answer *get(const char *path);
int status_of(const char *path);
void page(const char *path, const char *query, const char *cursor);
void walk(const char *path, const char *query, const char *between);
void read_truth(void);
void same_as_truth(bool once);
int64_t cutoff(void);

#endif
