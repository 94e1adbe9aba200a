/* sql_views.h - from manifests and a cut to the views of one engine; see sql.h. */
#ifndef KDPI_SQL_VIEWS_H
#define KDPI_SQL_VIEWS_H

#include "kdp/reader.h"
#include "lake_table.h"
#include "manifest.h"

#define KDP_SQL_HOLES_MAX 8
#define KDP_SQL_TABLES_MAX \
    (KDP_LAKE_TABLES_MAX + 16u) /* those of records, then those that only history has */

struct kdp_sql_views {
    const char *dir; /* absolute */
    uint64_t cut;
    struct { /* numbers that are neither in the lake nor on the tape; more than these are not told */
        uint64_t from, to;
    } holes[KDP_SQL_HOLES_MAX];
    unsigned hole_count;
    int64_t from_ns, to_ns; /* files outside are left out of the views */
    uint64_t from_seq;
    struct kdp_manifest manifests[KDP_SQL_TABLES_MAX];
};

/* kdp_sql_views_table gives the name of the table of a manifest, NULL where there is none. */
const char *kdp_sql_views_table(unsigned index);
/* kdp_sql_views_read reads the manifests, then fixes the cut (at_seq, or the head when 0) and looks whether
 * the tape still reaches down to what is sealed; when retention was quicker it starts over. */
int kdp_sql_views_read(struct kdp_sql_views *views, const char *dir, uint64_t at_seq,
                       struct kdp_reader *reader);
void kdp_sql_views_release(struct kdp_sql_views *views);
/* kdp_sql_views_text gives CREATE VIEW statements for the tables that text may mean: those whose names occur
 * in it, all when none does or when it looks at the catalogue (a view costs the opening of a file).  The
 * caller frees it; NULL: no memory. */
char *kdp_sql_views_text(const struct kdp_sql_views *views, const char *text);
/* kdp_sql_views_files gives the list of all files as SQL text ['a','b'] for the sandbox. */
char *kdp_sql_views_files(const struct kdp_sql_views *views);
/* kdp_sql_views_damage, called after DuckDB gave an error: when one of the files is missing, of another length than its
 * manifest says, no Parquet, or named by those words, -KDP_ECHECKSUM with words that say so instead; else 0. */
int kdp_sql_views_damage(const struct kdp_sql_views *views);

#endif
