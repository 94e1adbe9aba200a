/* sql_markets.c - see sql_markets.h. */
#include "sql_markets.h"

#include <string.h>

static const char *const parts[] = {
#include "markets_sql.inc"
};

bool
kdp_sql_markets_wanted(const char *text)
{
    return strcasestr(text, "markets_as") != NULL || strcasestr(text, "markets_at") != NULL;
}

bool
kdp_sql_markets_needs(const char *table)
{
    static const char *const tables[] = {"definitions", "lifecycle", "market_terms", "event_terms"};

    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i], table) == 0)
            return true;
    }
    return false;
}

void
kdp_sql_markets_put(FILE *out)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        fputs(parts[i], out);
}
