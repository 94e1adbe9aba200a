/* terms_tape.h - the terms of captured markets, filed out of the raw tape: what REST told the plant is all there, with rules.
 *
 * A pass reads the inputs behind the last filed one and files the answers that hold markets and events; how far it came is a window
 * of the table market_terms (scope "raw tape", numbers of inputs instead of times), named in one replacement with the rows, so that a
 * kill costs nothing and what is filed is a function of the raw tape.  Lists of markets are long and come seldom: the history writer is
 * opened (and its lock taken) only for a pass that has something to file.  One thread; memory as the history writer's. */
#ifndef KDPI_TERMS_TAPE_H
#define KDPI_TERMS_TAPE_H

#include <stdbool.h>
#include <stdint.h>

struct kdp_terms_tape {
    const char *dir, *compression;
    int (*stopped)(void);              /* asked between inputs; NULL: never */
    uint64_t index;                    /* inputs up to here need no look; 0: ask the manifest */
    uint64_t answers, markets, events; /* filed since the beginning */
    uint64_t damaged;                  /* places of the raw tape that could not be read */
    uint64_t refused; /* bodies and items that could not be decoded, as the plant has counted them */
    uint64_t missed_from, missed_to; /* left the raw tape before they were filed (retention); 0: none */
    bool busy;                       /* another process files history: the next pass tries again */
};

/* kdp_terms_tape_pass: 1 when it filed something, 0, or an error; -KDP_ESTOPPED when it was stopped, nothing is lost by that. */
int kdp_terms_tape_pass(struct kdp_terms_tape *tape);

#endif
