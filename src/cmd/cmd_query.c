/* cmd_query.c - kdp query: SQL over the lake and the stream's tail, at one cut. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "error.h"
#include "sql.h"
#include "sql_say.h"
#include "table.h"

#define TERMINAL_ROWS 200u
#define SQL_MAX ((size_t)16 << 20)
#define RESULT_COLUMNS 256u /* what a struct kdp_table takes */

/* read_sql reads all of stdin; the caller frees it, NULL after an error. */
static char *
read_sql(void)
{
    size_t len = 0, room = 1 << 16;
    char *text = malloc(room);

    while (text != NULL) {
        size_t got = fread(text + len, 1, room - len - 1, stdin);

        len += got;
        if (got == 0)
            break;
        if (len + 1 == room) {
            char *more = room < SQL_MAX ? realloc(text, room * 2) : NULL;

            if (more == NULL)
                free(text);
            text = more;
            room *= 2;
        }
    }
    if (text == NULL) {
        kdpi_fail(KDP_ERANGE, "the SQL on stdin is over %zu bytes", SQL_MAX);
        return NULL;
    }
    if (ferror(stdin)) {
        kdpi_fail_errno(errno, "cannot read the SQL from stdin");
        free(text);
        return NULL;
    }
    text[len] = '\0';
    if (memchr(text, '\0', len) != NULL) {
        kdpi_fail(KDP_EFORMAT, "the SQL on stdin holds a zero byte");
        free(text);
        return NULL;
    }
    return text;
}

/* answer prints the result; *rowsp counts all rows, *shownp those printed. */
static int
answer(const struct kdp_cli *cli, struct kdp_sql_result *result, uint64_t *rowsp, uint64_t *shownp)
{
    enum kdp_format format = kdp_cli_format(cli);
    uint64_t rows_max = format == KDP_FORMAT_TABLE && kdp_cli_width(stdout) > 0 ? TERMINAL_ROWS : UINT64_MAX;
    struct kdp_table *table;
    unsigned columns = kdp_sql_columns(result);
    int rc;

    if (columns > RESULT_COLUMNS)
        return kdpi_fail(KDP_ERANGE, "the result has %u columns, %u are the most", columns, RESULT_COLUMNS);
    table = kdp_table_new(stdout, format);
    kdp_table_width(table, 0); /* cells are values to the digit: nothing is cut */
    for (unsigned i = 0; i < columns; i++) {
        enum kdp_sql_class kind = kdp_sql_class(result, i);
        /* in json, numbers, booleans and nested values stand as they are; in a table only numbers go right */
        bool bare = kind == KDP_SQL_NUMBER || (format == KDP_FORMAT_JSON && kind != KDP_SQL_TEXT);

        kdp_table_column(table, kdp_sql_name(result, i), kdp_sql_name(result, i),
                         bare ? KDP_COLUMN_NUMBER : KDP_COLUMN_TEXT);
    }
    kdp_table_rule(table);
    while ((rc = kdp_sql_next(result)) > 0) {
        if (++*rowsp > rows_max)
            continue;
        for (unsigned i = 0; i < columns; i++) {
            const char *cell = kdp_sql_cell(result, i);

            if (cell == NULL && format == KDP_FORMAT_TABLE)
                cell = "NULL";
            else if (cell != NULL && format == KDP_FORMAT_JSON &&
                     kdp_sql_class(result, i) == KDP_SQL_NUMBER &&
                     !isdigit((unsigned char)cell[cell[0] == '-']))
                cell = NULL; /* nan and inf have no JSON form */
            kdp_table_cell(table, cell, cell);
        }
        ++*shownp;
        if (kdp_cli_output_failed() || kdp_cli_interrupted() != 0)
            break;
    }
    return kdp_table_end(table) != 0 ? -KDP_ENOMEM : rc < 0 ? rc : 0;
}

int
kdp_cmd_query(struct kdp_cli *cli)
{
    struct kdp_sql_config config = {.dir = kdp_cli_text(cli, "data"),
                                    .at_seq = (uint64_t)kdp_cli_count(cli, "at-seq"),
                                    .stopped = kdp_cli_interrupted};
    int64_t started_ns = kdpi_mono_ns();
    struct kdp_sql_result *result = NULL;
    uint64_t rows = 0, shown = 0;
    const char *const *args;
    struct kdp_sql *sql;
    char *typed = NULL, part[80];
    int rc;

    kdp_cli_positional(cli, &args);
    if (strcmp(args[0], "-") == 0) {
        typed = read_sql();
        if (typed == NULL)
            return kdp_cli_error(cli, -KDP_EIO);
    }
    rc = kdp_sql_open(&sql, &config);
    if (rc != 0) {
        free(typed);
        return kdp_cli_error(cli, rc);
    }
    if (kdp_sql_empty(sql))
        kdp_cli_notice(cli,
                       "Name the data folder with --data DIR; kdp run and kdp replay bring data into one",
                       "no data in %s: its tables are empty", config.dir);
    kdp_sql_say_hole(cli, sql);
    rc = kdp_sql_run(sql, typed != NULL ? typed : args[0], &result);
    if (rc == 0)
        rc = answer(cli, result, &rows, &shown);
    if (rc == 0) {
        part[0] = '\0';
        if (shown < rows)
            snprintf(part, sizeof part, " (%" PRIu64 " shown, csv gives all)", shown);
        kdp_sql_say_cut(cli, sql, kdpi_mono_ns() - started_ns, NULL, "%" PRIu64 " %s%s", rows,
                        rows == 1 ? "row" : "rows", part);
    }
    kdp_sql_free(result);
    kdp_sql_close(sql);
    free(typed);
    if (rc == -KDP_ESTOPPED || kdp_cli_interrupted() != 0)
        return kdp_cli_stopped(cli);
    return rc == 0 ? KDP_EXIT_DONE : kdp_cli_error(cli, rc);
}
