/* duckdb_api.h - DuckDB's C interface as far as kdp uses it, found at run time.
 *
 * Own short prototypes instead of DuckDB's header: kdp builds without DuckDB on the machine, and says what is
 * missing when SQL is asked for.  tests/lake/duckdb_api.sh holds them to the real header wherever one can be
 * had.  The names are DuckDB's own; a function duckdb_x is member x of struct kdp_duckdb.  Written for 1.5,
 * also right for 1.4. */
#ifndef KDPI_DUCKDB_API_H
#define KDPI_DUCKDB_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef KDP_DUCKDB_REAL_HEADER
typedef uint64_t idx_t;
typedef uint32_t sel_t;
/* opaque handles; the pointed-to structs are DuckDB's */
typedef struct _duckdb_database *duckdb_database;
typedef struct _duckdb_connection *duckdb_connection;
typedef struct _duckdb_config *duckdb_config;
typedef struct _duckdb_prepared_statement *duckdb_prepared_statement;
typedef struct _duckdb_extracted_statements *duckdb_extracted_statements;
typedef struct _duckdb_pending_result *duckdb_pending_result;
typedef struct _duckdb_logical_type *duckdb_logical_type;
typedef struct _duckdb_data_chunk *duckdb_data_chunk;
typedef struct _duckdb_vector *duckdb_vector;
typedef struct _duckdb_selection_vector *duckdb_selection_vector;
typedef struct _duckdb_value *duckdb_value;
typedef struct _duckdb_table_function *duckdb_table_function;
typedef struct _duckdb_scalar_function *duckdb_scalar_function;
typedef struct _duckdb_bind_info *duckdb_bind_info;
typedef struct _duckdb_init_info *duckdb_init_info;
typedef struct _duckdb_function_info *duckdb_function_info;
typedef void (*duckdb_delete_callback_t)(void *data);
typedef void (*duckdb_table_function_bind_t)(duckdb_bind_info info);
typedef void (*duckdb_table_function_init_t)(duckdb_init_info info);
typedef void (*duckdb_table_function_t)(duckdb_function_info info, duckdb_data_chunk output);

typedef void (*duckdb_scalar_function_t)(duckdb_function_info info, duckdb_data_chunk input,
                                         duckdb_vector output);

typedef enum { DuckDBSuccess = 0, DuckDBError = 1 } duckdb_state;
typedef enum {
    DUCKDB_PENDING_RESULT_READY = 0,
    DUCKDB_PENDING_RESULT_NOT_READY = 1,
    DUCKDB_PENDING_ERROR = 2,
    DUCKDB_PENDING_NO_TASKS_AVAILABLE = 3
} duckdb_pending_state;
typedef enum {
    DUCKDB_TYPE_INVALID = 0,
    DUCKDB_TYPE_BOOLEAN = 1,
    DUCKDB_TYPE_TINYINT = 2,
    DUCKDB_TYPE_SMALLINT = 3,
    DUCKDB_TYPE_INTEGER = 4,
    DUCKDB_TYPE_BIGINT = 5,
    DUCKDB_TYPE_UTINYINT = 6,
    DUCKDB_TYPE_USMALLINT = 7,
    DUCKDB_TYPE_UINTEGER = 8,
    DUCKDB_TYPE_UBIGINT = 9,
    DUCKDB_TYPE_FLOAT = 10,
    DUCKDB_TYPE_DOUBLE = 11,
    DUCKDB_TYPE_TIMESTAMP = 12,
    DUCKDB_TYPE_DATE = 13,
    DUCKDB_TYPE_TIME = 14,
    DUCKDB_TYPE_INTERVAL = 15,
    DUCKDB_TYPE_HUGEINT = 16,
    DUCKDB_TYPE_VARCHAR = 17,
    DUCKDB_TYPE_BLOB = 18,
    DUCKDB_TYPE_DECIMAL = 19,
    DUCKDB_TYPE_TIMESTAMP_S = 20,
    DUCKDB_TYPE_TIMESTAMP_MS = 21,
    DUCKDB_TYPE_TIMESTAMP_NS = 22,
    DUCKDB_TYPE_ENUM = 23,
    DUCKDB_TYPE_LIST = 24,
    DUCKDB_TYPE_STRUCT = 25,
    DUCKDB_TYPE_MAP = 26,
    DUCKDB_TYPE_UUID = 27,
    DUCKDB_TYPE_TIMESTAMP_TZ = 31,
    DUCKDB_TYPE_UHUGEINT = 32,
    DUCKDB_TYPE_ARRAY = 33,
    DUCKDB_TYPE_SQLNULL = 36
} duckdb_type;
typedef enum {
    DUCKDB_STATEMENT_TYPE_INVALID = 0,
    DUCKDB_STATEMENT_TYPE_SELECT = 1,
    DUCKDB_STATEMENT_TYPE_INSERT = 2,
    DUCKDB_STATEMENT_TYPE_UPDATE = 3,
    DUCKDB_STATEMENT_TYPE_EXPLAIN = 4,
    DUCKDB_STATEMENT_TYPE_DELETE = 5,
    DUCKDB_STATEMENT_TYPE_CREATE = 7,
    DUCKDB_STATEMENT_TYPE_ALTER = 9,
    DUCKDB_STATEMENT_TYPE_CREATE_FUNC = 14,
    DUCKDB_STATEMENT_TYPE_DROP = 15
} duckdb_statement_type;

typedef struct {
    uint64_t lower;
    int64_t upper;
} duckdb_hugeint;
typedef struct {
    int32_t months;
    int32_t days;
    int64_t micros;
} duckdb_interval;
typedef struct {
    uint64_t offset;
    uint64_t length;
} duckdb_list_entry;
/* a VARCHAR: up to 12 bytes lie in it, longer ones behind ptr */
typedef struct {
    union {
        struct {
            uint32_t length;
            char prefix[4];
            char *ptr;
        } pointer;
        struct {
            uint32_t length;
            char inlined[12];
        } inlined;
    } value;
} duckdb_string_t;
typedef struct {
    idx_t deprecated_column_count;
    idx_t deprecated_row_count;
    idx_t deprecated_rows_changed;
    void *deprecated_columns;
    char *deprecated_error_message;
    void *internal_data;
} duckdb_result;
#endif

#define KDP_DUCKDB_FUNCTIONS(X)                                                                              \
    X(const char *, library_version, (void))                                                                 \
    X(duckdb_state, create_config, (duckdb_config * out))                                                    \
    X(duckdb_state, set_config, (duckdb_config config, const char *name, const char *option))                \
    X(void, destroy_config, (duckdb_config * config))                                                        \
    X(duckdb_state, open_ext, (const char *path, duckdb_database *out, duckdb_config config, char **error))  \
    X(void, close, (duckdb_database * database))                                                             \
    X(duckdb_state, connect, (duckdb_database database, duckdb_connection * out))                            \
    X(void, disconnect, (duckdb_connection * connection))                                                    \
    X(void, interrupt, (duckdb_connection connection))                                                       \
    X(duckdb_state, query, (duckdb_connection connection, const char *query, duckdb_result *out))            \
    X(void, destroy_result, (duckdb_result * result))                                                        \
    X(const char *, result_error, (duckdb_result * result))                                                  \
    X(const char *, column_name, (duckdb_result * result, idx_t col))                                        \
    X(idx_t, column_count, (duckdb_result * result))                                                         \
    X(duckdb_logical_type, column_logical_type, (duckdb_result * result, idx_t col))                         \
    X(duckdb_data_chunk, fetch_chunk, (duckdb_result result))                                                \
    X(idx_t, extract_statements,                                                                             \
      (duckdb_connection connection, const char *query, duckdb_extracted_statements *out))                   \
    X(const char *, extract_statements_error, (duckdb_extracted_statements statements))                      \
    X(void, destroy_extracted, (duckdb_extracted_statements * statements))                                   \
    X(duckdb_state, prepare_extracted_statement,                                                             \
      (duckdb_connection connection, duckdb_extracted_statements statements, idx_t index,                    \
       duckdb_prepared_statement * out))                                                                     \
    X(duckdb_state, prepare,                                                                                 \
      (duckdb_connection connection, const char *query, duckdb_prepared_statement *out))                     \
    X(const char *, prepare_error, (duckdb_prepared_statement statement))                                    \
    X(void, destroy_prepare, (duckdb_prepared_statement * statement))                                        \
    X(duckdb_statement_type, prepared_statement_type, (duckdb_prepared_statement statement))                 \
    X(idx_t, nparams, (duckdb_prepared_statement statement))                                                 \
    X(duckdb_state, bind_varchar, (duckdb_prepared_statement statement, idx_t index, const char *value))     \
    X(duckdb_state, bind_int64, (duckdb_prepared_statement statement, idx_t index, int64_t value))           \
    X(duckdb_state, pending_prepared, (duckdb_prepared_statement statement, duckdb_pending_result * out))    \
    X(duckdb_pending_state, pending_execute_task, (duckdb_pending_result pending))                           \
    X(const char *, pending_error, (duckdb_pending_result pending))                                          \
    X(duckdb_state, execute_pending, (duckdb_pending_result pending, duckdb_result * out))                   \
    X(void, destroy_pending, (duckdb_pending_result * pending))                                              \
    X(void, free, (void *ptr))                                                                               \
    X(idx_t, vector_size, (void))                                                                            \
    X(duckdb_logical_type, create_logical_type, (duckdb_type type))                                          \
    X(duckdb_logical_type, create_decimal_type, (uint8_t width, uint8_t scale))                              \
    X(duckdb_logical_type, create_enum_type, (const char **names, idx_t count))                              \
    X(void, destroy_logical_type, (duckdb_logical_type * type))                                              \
    X(duckdb_type, get_type_id, (duckdb_logical_type type))                                                  \
    X(uint8_t, decimal_scale, (duckdb_logical_type type))                                                    \
    X(duckdb_type, decimal_internal_type, (duckdb_logical_type type))                                        \
    X(duckdb_type, enum_internal_type, (duckdb_logical_type type))                                           \
    X(uint32_t, enum_dictionary_size, (duckdb_logical_type type))                                            \
    X(char *, enum_dictionary_value, (duckdb_logical_type type, idx_t index))                                \
    X(duckdb_logical_type, list_type_child_type, (duckdb_logical_type type))                                 \
    X(duckdb_logical_type, array_type_child_type, (duckdb_logical_type type))                                \
    X(idx_t, array_type_array_size, (duckdb_logical_type type))                                              \
    X(duckdb_logical_type, map_type_key_type, (duckdb_logical_type type))                                    \
    X(duckdb_logical_type, map_type_value_type, (duckdb_logical_type type))                                  \
    X(idx_t, struct_type_child_count, (duckdb_logical_type type))                                            \
    X(char *, struct_type_child_name, (duckdb_logical_type type, idx_t index))                               \
    X(duckdb_logical_type, struct_type_child_type, (duckdb_logical_type type, idx_t index))                  \
    X(idx_t, data_chunk_get_column_count, (duckdb_data_chunk chunk))                                         \
    X(duckdb_vector, data_chunk_get_vector, (duckdb_data_chunk chunk, idx_t col))                            \
    X(idx_t, data_chunk_get_size, (duckdb_data_chunk chunk))                                                 \
    X(void, data_chunk_set_size, (duckdb_data_chunk chunk, idx_t size))                                      \
    X(void, destroy_data_chunk, (duckdb_data_chunk * chunk))                                                 \
    X(duckdb_vector, create_vector, (duckdb_logical_type type, idx_t capacity))                              \
    X(void, destroy_vector, (duckdb_vector * vector))                                                        \
    X(void *, vector_get_data, (duckdb_vector vector))                                                       \
    X(uint64_t *, vector_get_validity, (duckdb_vector vector))                                               \
    X(void, vector_ensure_validity_writable, (duckdb_vector vector))                                         \
    X(void, vector_assign_string_element_len,                                                                \
      (duckdb_vector vector, idx_t index, const char *str, idx_t len))                                       \
    X(duckdb_vector, list_vector_get_child, (duckdb_vector vector))                                          \
    X(duckdb_vector, struct_vector_get_child, (duckdb_vector vector, idx_t index))                           \
    X(duckdb_vector, array_vector_get_child, (duckdb_vector vector))                                         \
    X(void, slice_vector, (duckdb_vector vector, duckdb_selection_vector sel, idx_t len))                    \
    X(void, vector_reference_vector, (duckdb_vector to, duckdb_vector from))                                 \
    X(duckdb_selection_vector, create_selection_vector, (idx_t size))                                        \
    X(void, destroy_selection_vector, (duckdb_selection_vector sel))                                         \
    X(sel_t *, selection_vector_get_data_ptr, (duckdb_selection_vector sel))                                 \
    X(duckdb_table_function, create_table_function, (void))                                                  \
    X(void, destroy_table_function, (duckdb_table_function * function))                                      \
    X(void, table_function_set_name, (duckdb_table_function function, const char *name))                     \
    X(void, table_function_add_parameter, (duckdb_table_function function, duckdb_logical_type type))        \
    X(void, table_function_set_extra_info,                                                                   \
      (duckdb_table_function function, void *extra, duckdb_delete_callback_t destroy))                       \
    X(void, table_function_set_bind, (duckdb_table_function function, duckdb_table_function_bind_t bind))    \
    X(void, table_function_set_init, (duckdb_table_function function, duckdb_table_function_init_t init))    \
    X(void, table_function_set_local_init,                                                                   \
      (duckdb_table_function function, duckdb_table_function_init_t init))                                   \
    X(void, table_function_set_function, (duckdb_table_function function, duckdb_table_function_t call))     \
    X(void, table_function_supports_projection_pushdown, (duckdb_table_function function, bool pushdown))    \
    X(duckdb_state, register_table_function, (duckdb_connection connection, duckdb_table_function function)) \
    X(void *, bind_get_extra_info, (duckdb_bind_info info))                                                  \
    X(void, bind_add_result_column, (duckdb_bind_info info, const char *name, duckdb_logical_type type))     \
    X(duckdb_value, bind_get_parameter, (duckdb_bind_info info, idx_t index))                                \
    X(void, bind_set_bind_data, (duckdb_bind_info info, void *data, duckdb_delete_callback_t destroy))       \
    X(void, bind_set_cardinality, (duckdb_bind_info info, idx_t cardinality, bool exact))                    \
    X(void, bind_set_error, (duckdb_bind_info info, const char *error))                                      \
    X(void *, init_get_bind_data, (duckdb_init_info info))                                                   \
    X(void *, init_get_extra_info, (duckdb_init_info info))                                                  \
    X(void, init_set_init_data, (duckdb_init_info info, void *data, duckdb_delete_callback_t destroy))       \
    X(idx_t, init_get_column_count, (duckdb_init_info info))                                                 \
    X(idx_t, init_get_column_index, (duckdb_init_info info, idx_t index))                                    \
    X(void, init_set_max_threads, (duckdb_init_info info, idx_t threads))                                    \
    X(void, init_set_error, (duckdb_init_info info, const char *error))                                      \
    X(void *, function_get_bind_data, (duckdb_function_info info))                                           \
    X(void *, function_get_init_data, (duckdb_function_info info))                                           \
    X(void *, function_get_local_init_data, (duckdb_function_info info))                                     \
    X(void *, function_get_extra_info, (duckdb_function_info info))                                          \
    X(void, function_set_error, (duckdb_function_info info, const char *error))                              \
    X(duckdb_scalar_function, create_scalar_function, (void))                                                \
    X(void, destroy_scalar_function, (duckdb_scalar_function * function))                                    \
    X(void, scalar_function_set_name, (duckdb_scalar_function function, const char *name))                   \
    X(void, scalar_function_set_volatile, (duckdb_scalar_function function))                                 \
    X(void, scalar_function_add_parameter, (duckdb_scalar_function function, duckdb_logical_type type))      \
    X(void, scalar_function_set_return_type, (duckdb_scalar_function function, duckdb_logical_type type))    \
    X(void, scalar_function_set_extra_info,                                                                  \
      (duckdb_scalar_function function, void *extra, duckdb_delete_callback_t destroy))                      \
    X(void, scalar_function_set_function, (duckdb_scalar_function function, duckdb_scalar_function_t call))  \
    X(duckdb_state, register_scalar_function,                                                                \
      (duckdb_connection connection, duckdb_scalar_function function))                                       \
    X(void *, scalar_function_get_extra_info, (duckdb_function_info info))                                   \
    X(int64_t, get_int64, (duckdb_value value))                                                              \
    X(void, destroy_value, (duckdb_value * value))

struct kdp_duckdb {
    void *library;
#define KDP_X(type, name, args) type(*name) args;
    KDP_DUCKDB_FUNCTIONS(KDP_X)
#undef KDP_X
};

/* kdp_duckdb_load finds and opens libduckdb.so once per process: the file KDP_DUCKDB_LIB names, else lib/
 * beside the program's own file, else the system's.  0 with *duckp set, or -KDP_ENOLIB with words that say
 * how to get it.  It stays loaded until the process ends.  Any thread, but not two at once the first time. */
int kdp_duckdb_load(const struct kdp_duckdb **duckp);

/* kdp_duckdb_string gives the bytes of a VARCHAR of a vector. */
static inline const char *
kdp_duckdb_string(const duckdb_string_t *string, uint32_t *lenp)
{
    uint32_t len = string->value.inlined.length;

    *lenp = len;
    return len <= 12 ? string->value.inlined.inlined : string->value.pointer.ptr;
}

#endif
