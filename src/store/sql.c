/* sql.c - see sql.h. */
#include "sql.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "duckdb_api.h"
#include "error.h"
#include "kdp/reader.h"
#include "lake_scan.h"
#include "sql_cell.h"
#include "sql_views.h"

#define ATTEMPTS 3 /* with other manifests, when a sealer has replaced files under a statement */
#define COLUMNS_MAX 4096u
#define CREATE "CREATE OR REPLACE " /* VIEW or MACRO and its name, as sql_views.c begins each line */

struct kdp_sql {
    struct kdp_sql_config config;
    char dir[PATH_MAX];
    const struct kdp_duckdb *duck;
    struct kdp_reader *reader;
    struct kdp_sql_views views;
    uint64_t cut;
    duckdb_database database;
    duckdb_connection connection;
    char *views_made; /* the texts whose views exist, NULL: none yet */
};

struct kdp_sql_result {
    const struct kdp_duckdb *duck;
    duckdb_result result;
    unsigned columns;
    duckdb_logical_type *types;
    duckdb_data_chunk chunk;
    idx_t row, rows; /* of the chunk */
    char *text;      /* of the last cell */
    size_t text_size;
    FILE *buffer;
};

/* keep_words makes error and hint of DuckDB's words: the first line is the error, the rest (candidates, the
 * place in the statement) the hint. */
static int
keep_words(const char *words)
{
    char first[900], rest[900];
    size_t len, used = 0;

    if (words == NULL || words[0] == '\0')
        words = "DuckDB gave no reason";
    len = strcspn(words, "\n");
    snprintf(first, sizeof first, "%.*s", (int)(len < sizeof first ? len : sizeof first - 1), words);
    kdpi_fail(KDP_EINVAL, "%s", first);
    for (words += len; *words != '\0'; words += len) {
        words += strspn(words, "\n ");
        len = strcspn(words, "\n");
        if (len == 0 || words[0] == '^')
            continue;
        if (used + len + 4 < sizeof rest)
            used += (size_t)snprintf(rest + used, sizeof rest - used, "%s%.*s", used > 0 ? "; " : "",
                                     (int)len, words);
    }
    if (used > 0)
        kdpi_hint("%s", rest);
    return -KDP_EINVAL;
}

/* ---- the engine ---- */
static int
quietly(struct kdp_sql *sql, const char *text)
{
    duckdb_result result;
    int rc = 0;

    if (sql->duck->query(sql->connection, text, &result) != DuckDBSuccess)
        rc = keep_words(sql->duck->result_error(&result));
    sql->duck->destroy_result(&result);
    return rc;
}

static void
engine_close(struct kdp_sql *sql)
{
    if (sql->connection != NULL)
        sql->duck->disconnect(&sql->connection);
    if (sql->database != NULL)
        sql->duck->close(&sql->database);
    free(sql->views_made);
    sql->views_made = NULL;
}

/* engine_open starts DuckDB with everything off that could leave the data directory, then locks that. */
static int
engine_open(struct kdp_sql *sql)
{
    const struct kdp_duckdb *duck = sql->duck;
    const char *tmp = getenv("TMPDIR");
    char memory[32], threads[16], temp[PATH_MAX], *files, *error = NULL, *text;
    duckdb_config config;
    uint64_t bytes = sql->config.memory_bytes;
    int rc = 0;

    if (bytes == 0)
        bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE) / 2;
    snprintf(memory, sizeof memory, "%" PRIu64 "B", bytes);
    snprintf(threads, sizeof threads, "%u", sql->config.threads > 0 ? sql->config.threads : 2);
    snprintf(temp, sizeof temp, "%.3000s/kdp-query-%d", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp",
             (int)getpid());
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", temp},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
    };
    if (duck->create_config(&config) != DuckDBSuccess)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        duck->set_config(config, settings[i][0], settings[i][1]);
    if (duck->open_ext(NULL, &sql->database, config, &error) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOLIB, "cannot start DuckDB: %s", error != NULL ? error : "no reason given");
        duck->free(error);
    } else if (duck->connect(sql->database, &sql->connection) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOMEM, "cannot connect to DuckDB");
    }
    duck->destroy_config(&config);
    if (rc == 0)
        rc = kdp_lake_scan_register(duck, sql->connection, sql->dir);
    if (rc != 0)
        return rc;
    files = kdp_sql_views_files(&sql->views);
    text = files != NULL ? malloc(strlen(files) + 256) : NULL;
    if (text == NULL) {
        free(files);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    /* times are UTC everywhere; the sealed files are the only ones that exist for a statement */
    sprintf(text,
            "SET allowed_paths = %s; SET enable_external_access = false; SET lock_configuration = true;",
            files);
    rc = quietly(sql, text);
    free(files);
    free(text);
    return rc;
}

/* make_views creates the views that text may name and that are not there yet. */
static int
make_views(struct kdp_sql *sql, const char *text)
{
    char *create, *line, *rest;
    int rc = 0;

    create = kdp_sql_views_text(&sql->views, text);
    if (create == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (line = create; *line != '\0' && rc == 0; line = rest) {
        const char *word = strchr(line + strlen(CREATE), ' ') + 1;
        char name[64];

        rest = strchr(line, '\n');
        *rest++ = '\0';
        snprintf(name, sizeof name, "|%.*s|", (int)strcspn(word, " ("), word);
        if (sql->views_made != NULL && strstr(sql->views_made, name) != NULL)
            continue;
        rc = quietly(sql, line);
        if (rc == 0) {
            char *made = NULL;

            if (asprintf(&made, "%s%s", sql->views_made != NULL ? sql->views_made : "", name) < 0)
                made = NULL;
            free(sql->views_made);
            sql->views_made = made;
        }
    }
    free(create);
    return rc;
}

int
kdp_sql_open(struct kdp_sql **sqlp, const struct kdp_sql_config *config)
{
    struct kdp_sql *sql = calloc(1, sizeof *sql);
    struct stat st;
    int rc;

    *sqlp = NULL;
    if (sql == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    sql->config = *config;
    rc = kdp_duckdb_load(&sql->duck);
    if (rc == 0 && (stat(config->dir, &st) != 0 || realpath(config->dir, sql->dir) == NULL)) {
        rc = kdpi_fail_errno(errno, "cannot open the data folder %s", config->dir);
        kdpi_hint("Name it with --data DIR; kdp run, replay, record and backfill make one");
    }
    if (rc == 0)
        rc = kdp_reader_open_seq(&sql->reader, sql->dir, 0, 0);
    if (rc == 0)
        rc = kdp_sql_views_read(&sql->views, sql->dir, config->at_seq, sql->reader);
    if (rc == 0) {
        sql->cut = sql->views.cut;
        rc = engine_open(sql);
    }
    if (rc != 0) {
        kdp_sql_close(sql);
        return rc;
    }
    *sqlp = sql;
    return 0;
}

void
kdp_sql_close(struct kdp_sql *sql)
{
    if (sql == NULL)
        return;
    if (sql->duck != NULL)
        engine_close(sql);
    kdp_sql_views_release(&sql->views);
    kdp_reader_close(sql->reader);
    free(sql);
}

uint64_t
kdp_sql_cut(const struct kdp_sql *sql)
{
    return sql->cut;
}

bool
kdp_sql_empty(const struct kdp_sql *sql)
{
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        if (sql->views.manifests[i].count > 0)
            return false;
    return sql->cut == 0;
}

int64_t
kdp_sql_cut_ns(struct kdp_sql *sql)
{
    const struct kdp_head *rec;
    int64_t last = KDP_TIME_NULL;

    if (sql->cut > 0 && kdp_reader_seek(sql->reader, sql->cut) == 0 &&
        kdp_reader_next(sql->reader, &rec) > 0 && rec->seq == sql->cut)
        return rec->recv_ns;
    /* not on the tape any more: the latest time of the lake is the best there is */
    for (unsigned i = 0; i < KDP_LAKE_TABLES_MAX; i++)
        for (size_t f = 0; f < sql->views.manifests[i].count; f++)
            if (sql->views.manifests[i].files[f].ns_max > last &&
                !kdp_manifest_is_history(&sql->views.manifests[i].files[f]) &&
                sql->views.manifests[i].files[f].to <= sql->cut)
                last = sql->views.manifests[i].files[f].ns_max;
    return last;
}

bool
kdp_sql_hole(const struct kdp_sql *sql, unsigned index, uint64_t *fromp, uint64_t *top)
{
    if (index >= sql->views.hole_count)
        return false;
    *fromp = sql->views.holes[index].from;
    *top = sql->views.holes[index].to;
    return true;
}

void
kdp_sql_narrow(struct kdp_sql *sql, int64_t from_ns, int64_t to_ns, uint64_t from_seq)
{
    sql->views.from_ns = from_ns;
    sql->views.to_ns = to_ns;
    sql->views.from_seq = from_seq;
    free(sql->views_made);
    sql->views_made = NULL;
}

/* ---- statements ---- */
/* allowed says whether a user may run a statement: reading, and making things that live in the engine's
 * memory.  The files of the lake are open to DuckDB for reading, so whatever could write one must not pass.
 */
static bool
allowed(duckdb_statement_type type, const char *text)
{
    switch (type) {
    case DUCKDB_STATEMENT_TYPE_SELECT:
    case DUCKDB_STATEMENT_TYPE_INSERT:
    case DUCKDB_STATEMENT_TYPE_UPDATE:
    case DUCKDB_STATEMENT_TYPE_DELETE:
    case DUCKDB_STATEMENT_TYPE_CREATE:
    case DUCKDB_STATEMENT_TYPE_ALTER:
    case DUCKDB_STATEMENT_TYPE_CREATE_FUNC:
    case DUCKDB_STATEMENT_TYPE_DROP:
        return true;
    case DUCKDB_STATEMENT_TYPE_EXPLAIN: /* EXPLAIN ANALYZE runs what it explains */
        return strcasestr(text, "copy") == NULL && strcasestr(text, "export") == NULL &&
               strcasestr(text, "attach") == NULL;
    default:
        return false;
    }
}

static int
execute(struct kdp_sql *sql, duckdb_prepared_statement statement, duckdb_result *result)
{
    const struct kdp_duckdb *duck = sql->duck;
    duckdb_pending_result pending = NULL;
    int rc = 0;

    if (duck->pending_prepared(statement, &pending) != DuckDBSuccess) {
        rc = keep_words(duck->pending_error(pending));
        duck->destroy_pending(&pending);
        return rc;
    }
    for (;;) {
        duckdb_pending_state state = duck->pending_execute_task(pending);

        if (state == DUCKDB_PENDING_RESULT_READY)
            break;
        if (state == DUCKDB_PENDING_ERROR) {
            rc = rc != 0 ? rc : keep_words(duck->pending_error(pending));
            break;
        }
        /* interrupted tasks are run on to their end, which is near: what they hold is freed there */
        if (rc == 0 && sql->config.stopped != NULL && sql->config.stopped() != 0) {
            duck->interrupt(sql->connection);
            rc = kdpi_fail(KDP_ESTOPPED, "stopped");
        }
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL); /* the other thread has the last task */
    }
    if (rc == 0 && duck->execute_pending(pending, result) != DuckDBSuccess) {
        rc = keep_words(duck->result_error(result));
        duck->destroy_result(result);
    }
    duck->destroy_pending(&pending);
    return rc;
}

static int
wrap(struct kdp_sql *sql, duckdb_result *result, struct kdp_sql_result **resultp)
{
    struct kdp_sql_result *wrapped = calloc(1, sizeof *wrapped);
    idx_t columns = sql->duck->column_count(result);

    if (wrapped != NULL && columns <= COLUMNS_MAX)
        wrapped->types = calloc(columns + 1, sizeof(duckdb_logical_type));
    if (wrapped == NULL || wrapped->types == NULL) {
        free(wrapped);
        sql->duck->destroy_result(result);
        return kdpi_fail(KDP_ENOMEM, "no memory for a result of %" PRIu64 " columns", columns);
    }
    wrapped->duck = sql->duck;
    wrapped->result = *result;
    wrapped->columns = (unsigned)columns;
    for (unsigned i = 0; i < wrapped->columns; i++)
        wrapped->types[i] = sql->duck->column_logical_type(&wrapped->result, i);
    wrapped->buffer = open_memstream(&wrapped->text, &wrapped->text_size);
    if (wrapped->buffer == NULL) {
        kdp_sql_free(wrapped);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    *resultp = wrapped;
    return 0;
}

static int
run_all(struct kdp_sql *sql, const char *text, struct kdp_sql_result **resultp)
{
    const struct kdp_duckdb *duck = sql->duck;
    duckdb_extracted_statements statements = NULL;
    idx_t count = duck->extract_statements(sql->connection, text, &statements);
    duckdb_result result;
    bool have = false;
    int rc = 0;

    if (count == 0) {
        const char *words = duck->extract_statements_error(statements);

        rc = words != NULL && words[0] != '\0' ? keep_words(words)
                                               : kdpi_fail(KDP_EINVAL, "no statement in that SQL");
    }
    for (idx_t i = 0; i < count && rc == 0; i++) {
        duckdb_prepared_statement statement = NULL;

        if (have)
            duck->destroy_result(&result);
        have = false;
        if (duck->prepare_extracted_statement(sql->connection, statements, i, &statement) != DuckDBSuccess) {
            rc = keep_words(duck->prepare_error(statement));
        } else if (!allowed(duck->prepared_statement_type(statement), text)) {
            rc = kdpi_fail(
                KDP_EINVAL,
                "kdp query only reads: a statement that writes or reads files, or changes settings, "
                "is refused");
            kdpi_hint("For files: kdp query \"SELECT ...\" --format csv > FILE");
        } else {
            rc = execute(sql, statement, &result);
            have = rc == 0;
        }
        duck->destroy_prepare(&statement);
    }
    duck->destroy_extracted(&statements);
    if (rc == 0)
        return wrap(sql, &result, resultp);
    return rc;
}

static int
ask_one(struct kdp_sql *sql, const char *text, const char *const *parameters, unsigned count,
        struct kdp_sql_result **resultp)
{
    duckdb_prepared_statement statement = NULL;
    duckdb_result result;
    int rc = 0;

    if (sql->duck->prepare(sql->connection, text, &statement) != DuckDBSuccess)
        rc = keep_words(sql->duck->prepare_error(statement));
    for (unsigned i = 0; i < count && rc == 0; i++)
        if (sql->duck->bind_varchar(statement, i + 1, parameters[i]) != DuckDBSuccess)
            rc = kdpi_fail(KDP_EINVAL, "cannot bind parameter %u", i + 1);
    if (rc == 0)
        rc = execute(sql, statement, &result);
    sql->duck->destroy_prepare(&statement);
    return rc == 0 ? wrap(sql, &result, resultp) : rc;
}

/* files_changed reads the manifests again, with the same cut: true when they name other files than before. */
static bool
files_changed(struct kdp_sql *sql)
{
    struct kdp_sql_views now;
    bool changed = false;

    if (kdp_sql_views_read(&now, sql->dir, sql->cut, sql->reader) != 0) {
        kdp_sql_views_release(&now);
        return false;
    }
    now.from_ns = sql->views.from_ns;
    now.to_ns = sql->views.to_ns;
    now.from_seq = sql->views.from_seq;
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
        for (size_t f = 0; f < sql->views.manifests[i].count && !changed; f++)
            changed = kdp_manifest_find(&now.manifests[i], sql->views.manifests[i].files[f].path) == NULL;
    if (changed) {
        kdp_sql_views_release(&sql->views);
        sql->views = now;
    } else {
        kdp_sql_views_release(&now);
    }
    return changed;
}

static int
run(struct kdp_sql *sql, const char *text, const char *const *parameters, unsigned count, bool own,
    struct kdp_sql_result **resultp)
{
    int rc = 0;

    *resultp = NULL;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        char *words, *hint;

        rc = make_views(sql, text);
        if (rc == 0)
            rc = own ? ask_one(sql, text, parameters, count, resultp) : run_all(sql, text, resultp);
        if (rc != -KDP_EINVAL)
            return rc;
        /* Did a sealer replace files meanwhile, and remove the old ones?  Then once more, at the same cut. */
        words = strdup(kdp_error_text());
        hint = strdup(kdp_error_hint());
        if (files_changed(sql)) {
            engine_close(sql);
            rc = engine_open(sql);
            if (rc == 0)
                rc = -KDP_EINVAL;
        } else {
            attempt = ATTEMPTS; /* no: it is the statement's own fault */
        }
        if (rc == -KDP_EINVAL && words != NULL && hint != NULL) {
            kdpi_fail(KDP_EINVAL, "%s", words);
            if (hint[0] != '\0')
                kdpi_hint("%s", hint);
        }
        free(words);
        free(hint);
        if (rc != -KDP_EINVAL)
            return rc;
    }
    if (rc == -KDP_EINVAL && kdp_sql_views_damage(&sql->views) != 0)
        return -KDP_ECHECKSUM;
    return rc;
}

int
kdp_sql_run(struct kdp_sql *sql, const char *text, struct kdp_sql_result **resultp)
{
    return run(sql, text, NULL, 0, false, resultp);
}

int
kdp_sql_ask(struct kdp_sql *sql, const char *text, const char *const *parameters, unsigned count,
            struct kdp_sql_result **resultp)
{
    return run(sql, text, parameters, count, true, resultp);
}

/* ---- results ---- */
unsigned
kdp_sql_columns(const struct kdp_sql_result *result)
{
    return result->columns;
}

const char *
kdp_sql_name(const struct kdp_sql_result *result, unsigned column)
{
    duckdb_result shallow = result->result;
    const char *name = result->duck->column_name(&shallow, column);

    return name != NULL ? name : "";
}

enum kdp_sql_class
kdp_sql_class(const struct kdp_sql_result *result, unsigned column)
{
    switch (result->duck->get_type_id(result->types[column])) {
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL:
        return KDP_SQL_NUMBER;
    case DUCKDB_TYPE_BOOLEAN:
        return KDP_SQL_BOOL;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_MAP:
    case DUCKDB_TYPE_STRUCT:
        return KDP_SQL_NESTED;
    default:
        return KDP_SQL_TEXT;
    }
}

int
kdp_sql_next(struct kdp_sql_result *result)
{
    const char *words;

    if (result->chunk != NULL && ++result->row < result->rows)
        return 1;
    if (result->chunk != NULL)
        result->duck->destroy_data_chunk(&result->chunk);
    do {
        if (result->chunk != NULL)
            result->duck->destroy_data_chunk(&result->chunk);
        result->chunk = result->duck->fetch_chunk(result->result);
        if (result->chunk == NULL) {
            words = result->duck->result_error(&result->result);
            return words != NULL && words[0] != '\0' ? keep_words(words) : 0;
        }
        result->row = 0;
        result->rows = result->duck->data_chunk_get_size(result->chunk);
    } while (result->rows == 0);
    return 1;
}

const char *
kdp_sql_cell(struct kdp_sql_result *result, unsigned column)
{
    duckdb_vector vector = result->duck->data_chunk_get_vector(result->chunk, column);

    rewind(result->buffer);
    if (!kdp_sql_cell_put(result->buffer, result->duck, vector, result->types[column], result->row, false))
        return NULL;
    putc('\0', result->buffer);
    return fflush(result->buffer) == 0 ? result->text : NULL;
}

bool
kdp_sql_int(struct kdp_sql_result *result, unsigned column, int64_t *valuep)
{
    return kdp_sql_cell_int(result->duck, result->duck->data_chunk_get_vector(result->chunk, column),
                            result->types[column], result->row, valuep);
}

void
kdp_sql_free(struct kdp_sql_result *result)
{
    if (result == NULL)
        return;
    if (result->chunk != NULL)
        result->duck->destroy_data_chunk(&result->chunk);
    for (unsigned i = 0; i < result->columns; i++)
        result->duck->destroy_logical_type(&result->types[i]);
    free(result->types);
    result->duck->destroy_result(&result->result);
    if (result->buffer != NULL)
        fclose(result->buffer);
    free(result->text);
    free(result);
}
