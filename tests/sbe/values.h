/* values.h - the same values for both encoders: field after field in the order of the schema. */
#ifndef KDP_SBE_VALUES_H
#define KDP_SBE_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* a splitmix64 step; check.c starts it anew for each encoder */
uint64_t value_next(void);
/* an enumeration's value, of those that all of them have */
#define VALUE_WORD() (value_next() % 2)
#define VALUE_GROUP() (value_next() % 6)
/* writes a text of 0 to 19 bytes and returns its length */
size_t value_text(char *buf);

/* sbe_encode writes a message with the official tool's code into zeroed memory and returns its length, 0: no
 * such id. */
size_t sbe_encode(unsigned id, char *buf, size_t size);

#endif
