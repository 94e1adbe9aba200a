/* sql_views.c - see sql_views.h. */
#include "sql_views.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "history.h"
#include "sql_markets.h"

#define ATTEMPTS 5

static void
find_holes(struct kdp_sql_views *views, struct kdp_reader *reader, uint64_t floor)
{
    uint64_t from, to = floor;

    views->hole_count = 0;
    while (views->hole_count < KDP_SQL_HOLES_MAX && to < views->cut &&
           kdp_reader_hole(reader, to + 1, views->cut, &from, &to)) {
        views->holes[views->hole_count].from = from;
        views->holes[views->hole_count++].to = to;
    }
}

const char *
kdp_sql_views_table(unsigned index)
{
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);
    const struct kdp_history_table *others;

    if (index < KDP_LAKE_TABLES_MAX)
        return index < count ? tables[index].name : NULL;
    others = kdp_history_tables(&count);
    return index - KDP_LAKE_TABLES_MAX < count ? others[index - KDP_LAKE_TABLES_MAX].name : NULL;
}

/* read_history reads the manifests of the tables without records: what they name is what there is, whatever the cut. */
static int
read_history(struct kdp_sql_views *views, const char *dir)
{
    int rc = 0;

    for (unsigned i = KDP_LAKE_TABLES_MAX; i < KDP_SQL_TABLES_MAX && rc == 0; i++)
        if (kdp_sql_views_table(i) != NULL)
            rc = kdp_manifest_read(&views->manifests[i], dir, kdp_sql_views_table(i));
    return rc;
}

int
kdp_sql_views_read(struct kdp_sql_views *views, const char *dir, uint64_t at_seq, struct kdp_reader *reader)
{
    const struct kdp_lake_table *tables;
    unsigned count;
    int rc;

    tables = kdp_lake_tables(&count);
    memset(views, 0, sizeof *views);
    views->dir = dir;
    views->from_ns = INT64_MIN;
    views->to_ns = INT64_MAX;
    rc = read_history(views, dir);
    if (rc != 0)
        return rc;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t sealed_max = 0, floor = UINT64_MAX, head;

        /* Manifests first: whatever is sealed by then is below the head read after them. */
        for (unsigned i = 0; i < count; i++) {
            kdp_manifest_release(&views->manifests[i]);
            rc = kdp_manifest_read(&views->manifests[i], dir, tables[i].name);
            if (rc != 0)
                return rc;
            if (views->manifests[i].schema_version > KDP_LAKE_SCHEMA_VERSION) {
                rc = kdpi_fail(KDP_EVERSION, "lake schema %u: %s/%s: this kdp reads up to %u",
                               views->manifests[i].schema_version, dir, tables[i].name,
                               KDP_LAKE_SCHEMA_VERSION);
                kdpi_hint("Use a later kdp. Nothing was changed");
                return rc;
            }
            if (views->manifests[i].sealed_seq > sealed_max)
                sealed_max = views->manifests[i].sealed_seq;
            if (views->manifests[i].sealed_seq < floor)
                floor = views->manifests[i].sealed_seq;
        }
        head = kdp_reader_head(reader);
        if (head < sealed_max)
            head = sealed_max; /* the tape is gone, the lake is not */
        if (at_seq > head) {
            rc = kdpi_fail(KDP_ERANGE, "--at-seq %" PRIu64 ": %s: the stream ends at %" PRIu64, at_seq, dir,
                           head);
            kdpi_hint("Leave it out for all there is");
            return rc;
        }
        views->cut = at_seq != 0 ? at_seq : head;
        find_holes(views, reader, floor);
        if (views->hole_count == 0)
            return 0;
        /* Did a sealer move on meanwhile and retention with it?  Then the new manifests tell. */
    }
    return 0;
}

void
kdp_sql_views_release(struct kdp_sql_views *views)
{
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        kdp_manifest_release(&views->manifests[i]);
}

static void
put_path(FILE *out, const struct kdp_sql_views *views, unsigned table, const struct kdp_manifest_file *file)
{
    putc('\'', out);
    for (const char *at = views->dir; *at != '\0'; at++) {
        if (*at == '\'')
            putc('\'', out);
        putc(*at, out);
    }
    fprintf(out, "/%s/%s'", kdp_sql_views_table(table), file->path);
}

/* Rows of history have no place in the stream: they count at every cut. */
static bool
counts(const struct kdp_sql_views *views, const struct kdp_manifest_file *file)
{
    return file->from <= views->cut;
}

/* Files of history have no seq and end at 0: a question for rows from a seq on has none of theirs. */
static bool
outside(const struct kdp_sql_views *views, const struct kdp_manifest_file *file)
{
    return file->ns_max < views->from_ns || file->ns_min >= views->to_ns || file->to < views->from_seq;
}

static void
put_view(FILE *out, const struct kdp_sql_views *views, unsigned index)
{
    const struct kdp_lake_table *table = &kdp_lake_tables(NULL)[index];
    const struct kdp_manifest *manifest = &views->manifests[index];
    unsigned written = 0;

    fprintf(out, "CREATE OR REPLACE VIEW %s AS ", table->name);
    /* files that end below the cut as they are, those beyond it (only with --at-seq) with a condition */
    for (int beyond = 0; beyond < 2; beyond++) {
        unsigned files = 0;

        for (size_t i = 0; i < manifest->count; i++) {
            const struct kdp_manifest_file *file = &manifest->files[i];

            if (!counts(views, file) || (file->to > views->cut) != (beyond == 1) || outside(views, file))
                continue;
            if (files++ == 0)
                fprintf(out, "%sSELECT * FROM read_parquet([", written++ > 0 ? " UNION ALL BY NAME " : "");
            else
                fprintf(out, ",");
            put_path(out, views, index, file);
        }
        if (files > 0)
            fprintf(out, "], hive_partitioning = false)");
        if (files > 0 && beyond == 1)
            fprintf(out, " WHERE seq <= %" PRIu64, views->cut);
    }
    if (written == 0 || manifest->sealed_seq < views->cut) {
        fprintf(out, "%sSELECT ", written > 0 ? " UNION ALL BY NAME " : "");
        for (unsigned i = 0; i < table->column_count; i++) {
            const struct kdp_lake_column *column = &table->columns[i];
            /* words are ENUM in the scan and VARCHAR in the files */
            bool cast = column->kind == KDP_FIELD_ENUM;

            fprintf(out, "%s\"%s\"%s", i > 0 ? ", " : "", column->name, cast ? "::VARCHAR AS " : "");
            if (cast)
                fprintf(out, "\"%s\"", column->name);
        }
        fprintf(out, " FROM kdp_tape(%u, %" PRIu64 ", %" PRIu64 ")", index, manifest->sealed_seq + 1,
                views->cut);
    }
    fprintf(out, ";\n");
}

static void
put_history(FILE *out, const struct kdp_sql_views *views, unsigned index)
{
    const struct kdp_history_table *table = &kdp_history_tables(NULL)[index - KDP_LAKE_TABLES_MAX];

    fprintf(out, "CREATE OR REPLACE VIEW %s AS ", table->name);
    if (table->newest)
        fputs("SELECT * FROM (", out);
    kdp_history_select(out, table, views->dir, &views->manifests[index], views->from_ns, views->to_ns);
    if (table->newest)
        fprintf(out, ") QUALIFY row_number() OVER (PARTITION BY %s ORDER BY seen_ts DESC) = 1", table->key);
    fprintf(out, ";\n");
}

/* mentions looks for a word, letters of either case, whole or not. */
static bool
mentions(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

char *
kdp_sql_views_text(const struct kdp_sql_views *views, const char *text)
{
    unsigned wanted = 0;
    bool all, live, markets;
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);

    if (out == NULL)
        return NULL;
    all = mentions(text, "duckdb_") || mentions(text, "information_schema") || mentions(text, "pg_") ||
          mentions(text, "sqlite_") || mentions(text, "show ");
    markets = all || kdp_sql_markets_wanted(text); /* large, so not for whatever names no table */
    wanted += markets ? 1 : 0;
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        wanted += kdp_sql_views_table(i) != NULL && mentions(text, kdp_sql_views_table(i)) ? 1 : 0;
    all = all || wanted == 0;
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        if (kdp_sql_views_table(i) != NULL && (all || mentions(text, kdp_sql_views_table(i)) ||
                                               (markets && kdp_sql_markets_needs(kdp_sql_views_table(i)))))
            i < KDP_LAKE_TABLES_MAX ? put_view(out, views, i) : put_history(out, views, i);
    live = all || mentions(text, "bbo_live");
    if (live)
        fprintf(out, "CREATE OR REPLACE VIEW bbo_live AS SELECT * FROM bbo WHERE book_state = 'live';\n");
    if (markets)
        kdp_sql_markets_put(out);
    return fclose(out) == 0 ? sql : NULL;
}

char *
kdp_sql_views_files(const struct kdp_sql_views *views)
{
    unsigned written = 0;
    char *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);

    if (out == NULL)
        return NULL;
    putc('[', out);
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        for (size_t f = 0; f < views->manifests[i].count; f++) {
            if (!counts(views, &views->manifests[i].files[f]))
                continue;
            if (written++ > 0)
                putc(',', out);
            put_path(out, views, i, &views->manifests[i].files[f]);
        }
    putc(']', out);
    return fclose(out) == 0 ? list : NULL;
}
