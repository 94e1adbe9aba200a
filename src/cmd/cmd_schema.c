/* cmd_schema.c - kdp schema: the tables of the lake, their columns, and the records of the stream that they
 * are made from. All of it comes from schema/records.xml through the tables that the build makes, and from the
 * descriptions that the history writer works by, so it cannot differ from the files. */
#include "command.h"
#include "commands.h"
#include "error.h"
#include "history.h"
#include "lake_table.h"
#include "record.h"
#include "table.h"
#include "words.h"

#include <string.h>

static int
end(const struct kdp_cli *cli, struct kdp_table *out)
{
    return kdp_table_end(out) != 0 ? kdp_cli_error(cli, -KDP_ENOMEM) : KDP_EXIT_DONE;
}

static int
list_tables(const struct kdp_cli *cli)
{
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);
    const struct kdp_history_table *others;
    struct kdp_table *out = kdp_table_new(stdout, kdp_cli_format(cli));
    char number[16];

    kdp_table_column(out, "TABLE", "table", KDP_COLUMN_TEXT);
    kdp_table_column(out, "COLUMNS", "columns", KDP_COLUMN_NUMBER);
    kdp_table_column(out, "WHAT", "about", KDP_COLUMN_TEXT);
    for (unsigned i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%u", tables[i].column_count);
        kdp_table_cell(out, tables[i].name, NULL);
        kdp_table_cell(out, number, NULL);
        kdp_table_cell(out, tables[i].about, NULL);
    }
    others = kdp_history_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%u", others[i].column_count);
        kdp_table_cell(out, others[i].name, NULL);
        kdp_table_cell(out, number, NULL);
        kdp_table_cell(out, others[i].about, NULL);
    }
    return end(cli, out);
}

static struct kdp_table *
columns_of(const struct kdp_cli *cli)
{
    struct kdp_table *out = kdp_table_new(stdout, kdp_cli_format(cli));

    kdp_table_column(out, "COLUMN", "column", KDP_COLUMN_TEXT);
    kdp_table_column(out, "TYPE", "type", KDP_COLUMN_TEXT);
    kdp_table_column(out, "NULL", "nullable", KDP_COLUMN_TEXT);
    kdp_table_column(out, "WHAT", "about", KDP_COLUMN_TEXT);
    return out;
}

static int
list_history_columns(const struct kdp_cli *cli, const struct kdp_history_table *table)
{
    struct kdp_table *out = columns_of(cli);

    for (unsigned i = 0; i < table->column_count; i++) {
        const struct kdp_history_column *column = &table->columns[i];

        kdp_table_cell(out, column->name, NULL);
        kdp_table_cell(out, column->sql, NULL);
        kdp_table_cell(out, kdp_history_nullable(table, i) ? "yes" : "no", NULL);
        kdp_table_cell(out, column->about, NULL);
    }
    return end(cli, out);
}

static int
list_columns(const struct kdp_cli *cli, const struct kdp_lake_table *table)
{
    struct kdp_table *out = columns_of(cli);

    for (unsigned i = 0; i < table->column_count; i++) {
        const struct kdp_lake_column *column = &table->columns[i];

        kdp_table_cell(out, column->name, NULL);
        kdp_table_cell(out, column->sql, NULL);
        kdp_table_cell(out, column->nullable ? "yes" : "no", NULL);
        kdp_table_cell(out, column->about, NULL);
    }
    return end(cli, out);
}

static int
list_records(const struct kdp_cli *cli)
{
    struct kdp_table *out = kdp_table_new(stdout, kdp_cli_format(cli));
    char number[16];

    kdp_table_column(out, "ID", "id", KDP_COLUMN_NUMBER);
    kdp_table_column(out, "RECORD", "record", KDP_COLUMN_TEXT);
    kdp_table_column(out, "TABLE", "table", KDP_COLUMN_TEXT);
    kdp_table_column(out, "STREAM", "stream", KDP_COLUMN_NUMBER);
    kdp_table_column(out, "BYTES", "bytes", KDP_COLUMN_NUMBER);
    kdp_table_column(out, "WHAT", "about", KDP_COLUMN_TEXT);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        if (desc == NULL)
            continue;
        snprintf(number, sizeof number, "%u", id);
        kdp_table_cell(out, number, NULL);
        kdp_table_cell(out, desc->name, NULL);
        kdp_table_cell(out, desc->table, NULL);
        snprintf(number, sizeof number, "%u", desc->stream_id);
        kdp_table_cell(out, desc->stream_id != 0 ? number : NULL, NULL);
        snprintf(number, sizeof number, "%u", desc->block_length + 8u); /* with its message header */
        kdp_table_cell(out, number, NULL);
        kdp_table_cell(out, desc->about, NULL);
    }
    return end(cli, out);
}

/* name_of gives the name of table number index, those of history behind those of records; NULL behind the last. */
static const char *
name_of(unsigned index)
{
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);
    const struct kdp_history_table *others;

    if (index < count)
        return tables[index].name;
    index -= count;
    others = kdp_history_tables(&count);
    return index < count ? others[index].name : NULL;
}

int
kdp_cmd_schema(struct kdp_cli *cli)
{
    const char *const *args;
    unsigned count = kdp_cli_positional(cli, &args), least = 1000;
    const char *nearest = NULL, *name;
    char hint[128];
    int found;

    if (kdp_cli_switch(cli, "records"))
        return count == 0 ? list_records(cli) : kdp_cli_usage(cli, NULL, "--records takes no table");
    if (count == 0)
        return list_tables(cli);
    found = kdp_lake_table_find(args[0]);
    if (found >= 0)
        return list_columns(cli, &kdp_lake_tables(NULL)[found]);
    found = kdp_history_table_find(args[0]);
    if (found >= 0)
        return list_history_columns(cli, &kdp_history_tables(NULL)[found]);
    for (unsigned i = 0; (name = name_of(i)) != NULL; i++) {
        unsigned distance = kdpi_word_distance(args[0], name);

        if (distance < least && kdpi_word_near(args[0], name, distance)) {
            least = distance;
            nearest = name;
        }
    }
    if (strcmp(args[0], "markets_asof") == 0 || strcmp(args[0], "bbo_live") == 0) {
        snprintf(hint, sizeof hint, "Its columns: kdp query \"DESCRIBE %s\"", args[0]);
        return kdp_cli_usage(cli, hint, "%s is a view, no table", args[0]);
    }
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "Did you mean %s?", nearest);
    else
        snprintf(hint, sizeof hint, "kdp schema lists the tables");
    return kdp_cli_usage(cli, hint, "no table %s", args[0]);
}
