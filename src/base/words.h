/* words.h - small things with words: the nearest of a list, for "Did you mean", and text as JSON has it. */
#ifndef KDPI_WORDS_H
#define KDPI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* kdpi_word_distance counts the edits (insert, delete, change, swap of neighbours; letter case and - against _ cost
 * nothing) between two words of at most 63 bytes; longer ones give a large number. */
unsigned kdpi_word_distance(const char *a, const char *b);
/* kdpi_word_near says whether distance is small enough for words of these lengths to be a slip of the finger. */
int kdpi_word_near(const char *typed, const char *meant, unsigned distance);

/* kdpi_hide writes stars over each place where secret stands in text; one of less than four characters is none, NULL neither. */
void kdpi_hide(char *text, size_t len, const char *secret);

/* kdpi_json_text writes text with quotes and escapes. */
void kdpi_json_text(FILE *out, const char *text, size_t len);
/* kdpi_utf8_whole says whether bytes are well-formed UTF-8. */
bool kdpi_utf8_whole(const char *text, size_t len);

#endif
