/* history_table.c - the tables that only history has.  Adding one is adding its columns here or in a file like
 * history_meta.c: files, views, kdp schema and the documentation follow. */
#include <pthread.h>
#include <string.h>

#include "history_meta.h"
#include "history_private.h"

#define PRICE "DECIMAL(9,4)"
#define SIZE "DECIMAL(18,2)"

static const struct kdp_history_column candle_columns[] = {
    {"ticker", "VARCHAR", "the market", false},
    {"timestamp", "TIMESTAMP_NS", "end of the period, which belongs to it", false},
    {"interval_s", "INTEGER", "length of the period in seconds: 60, 3600 or 86400", false},
    {"yes_bid_open", PRICE, "best bid at the start of the period", false},
    {"yes_bid_high", PRICE, "", false},
    {"yes_bid_low", PRICE, "", false},
    {"yes_bid_close", PRICE, "best bid at its end", false},
    {"yes_ask_open", PRICE, "best offer at the start of the period", false},
    {"yes_ask_high", PRICE, "", false},
    {"yes_ask_low", PRICE, "", false},
    {"yes_ask_close", PRICE, "best offer at its end", false},
    {"price_open", PRICE, "first trade; none: no trade in the period", false},
    {"price_high", PRICE, "", false},
    {"price_low", PRICE, "", false},
    {"price_close", PRICE, "last trade", false},
    {"price_mean", "DECIMAL(18,6)", "mean of the trades' prices", false},
    {"price_previous", PRICE, "last trade before the period", false},
    {"volume", SIZE, "contracts", false},
    {"open_interest", SIZE, "contracts at the end of the period", false},
    {"tier", "VARCHAR", "which of the exchange's tiers gave it: live or historical", false},
    {"seen_ts", "TIMESTAMP_NS", "when it was learnt", true},
};

static const struct kdp_history_table candles = {
    .name = "candles",
    .about = "the exchange's own candles: quotes and trades of a market by minute, hour or day",
    .columns = candle_columns,
    .column_count = sizeof candle_columns / sizeof candle_columns[0],
    .key = "ticker, \"timestamp\", interval_s",
    .sort = "ticker, interval_s, \"timestamp\", seen_ts",
    .by_day = true,
    .newest = true, /* one candle a period: who sums up volumes must not count a corrected one twice */
};

static struct kdp_history_table tables[HISTORY_TABLES_MAX];
static unsigned table_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
build(void)
{
    tables[table_count++] = candles;
    for (unsigned i = 0; i < KDP_META_TABLES; i++)
        tables[table_count++] = kdp_history_meta_tables[i];
    for (unsigned i = 0; i < KDP_BULK_TABLES; i++)
        tables[table_count++] = kdp_history_bulk_tables[i];
}

const struct kdp_history_table *
kdp_history_tables(unsigned *countp)
{
    pthread_once(&once, build);
    if (countp != NULL)
        *countp = table_count;
    return tables;
}

int
kdp_history_table_find(const char *name)
{
    kdp_history_tables(NULL);
    for (unsigned i = 0; i < table_count; i++)
        if (strcmp(tables[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* in_key says whether a key, a list of column names with or without quotes, has a column. */
static bool
in_key(const char *key, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = key; (at = strstr(at, name)) != NULL; at += len)
        if ((at == key || strchr(" ,\"", at[-1]) != NULL) &&
            (at[len] == '\0' || strchr(" ,\"", at[len]) != NULL))
            return true;
    return false;
}

bool
kdp_history_nullable(const struct kdp_history_table *table, unsigned column)
{
    return !table->columns[column].own && !in_key(table->key, table->columns[column].name);
}

static void
put_path(FILE *out, const char *dir, const char *table, const char *path)
{
    putc('\'', out);
    for (; *dir != '\0'; dir++) {
        if (*dir == '\'')
            putc('\'', out);
        putc(*dir, out);
    }
    fprintf(out, "/%s/%s'", table, path);
}

void
kdp_history_select(FILE *out, const struct kdp_history_table *table, const char *dir,
                   const struct kdp_manifest *manifest, int64_t from_ns, int64_t to_ns)
{
    unsigned written = 0;

    /* columns, their order and types, also where there is no file, or only older ones with fewer */
    fputs("SELECT ", out);
    for (unsigned i = 0; i < table->column_count; i++)
        fprintf(out, "%sNULL::%s AS \"%s\"", i > 0 ? ", " : "", table->columns[i].sql,
                table->columns[i].name);
    fputs(" WHERE false", out);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct kdp_manifest_file *file = &manifest->files[i];

        if (table->by_day && (file->ns_max < from_ns || file->ns_min >= to_ns))
            continue;
        fputs(written++ > 0 ? "," : " UNION ALL BY NAME SELECT * FROM read_parquet([", out);
        put_path(out, dir, table->name, file->path);
    }
    if (written > 0)
        fputs("], hive_partitioning = false, union_by_name = true)", out);
}
