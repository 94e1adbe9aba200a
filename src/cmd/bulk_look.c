/* bulk_look.c - see bulk_look.h. */
#include "bulk_look.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "rules.h"

/* Markets of a file: at first room for some thousand, then at once for all that a day may have (3.6 million in 32 MiB).  One
 * step and not many, so that old and new set never add up to much. */
#define SET_FIRST (16u << 10)
#define SET_LAST (4u << 20)

/* ---- members ---- */

static enum kdp_bulk_role
role_of(const char *name)
{
    static const struct {
        const char *name;
        enum kdp_bulk_role role;
    } names[] = {{"ticker_name", KDP_BULK_TICKER},
                 {"ticker", KDP_BULK_TICKER},
                 {"market_ticker", KDP_BULK_TICKER},
                 {"report_ticker", KDP_BULK_SERIES},
                 {"series_ticker", KDP_BULK_SERIES},
                 {"series", KDP_BULK_SERIES},
                 {"create_ts", KDP_BULK_TIME},
                 {"created_time", KDP_BULK_TIME},
                 {"created_ts", KDP_BULK_TIME},
                 {"timestamp", KDP_BULK_TIME},
                 {"ts", KDP_BULK_TIME},
                 {"time", KDP_BULK_TIME},
                 {"status", KDP_BULK_KIND},
                 {"payout_type", KDP_BULK_KIND},
                 {"market_type", KDP_BULK_KIND},
                 {"type", KDP_BULK_KIND},
                 {"result", KDP_BULK_KIND},
                 {"side", KDP_BULK_KIND},
                 {"taker_side", KDP_BULK_KIND},
                 {"taker_outcome_side", KDP_BULK_KIND}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].role;
    return KDP_BULK_OTHER;
}

void
kdp_bulk_columns_learn(struct kdp_bulk_columns *columns, const struct kdp_rows *rows)
{
    for (; columns->known < kdp_rows_columns(rows); columns->known++)
        columns->role[columns->known] = (uint8_t)role_of(kdp_rows_column(rows, columns->known));
}

bool
kdp_bulk_time(const struct kdp_field *field, int64_t *nsp)
{
    char text[48];
    size_t len = field->len;

    if ((field->kind != KDP_JSON_STRING && field->kind != KDP_JSON_NUMBER) || len == 0 ||
        len + 4 > sizeof text)
        return false;
    if (kdpi_time_parse(field->data, len, nsp) == 0)
        return true;
    /* "2026-09-19 13:00:00.25+00", "... UTC": as databases write it */
    memcpy(text, field->data, len);
    if (len > 10 && text[10] == ' ')
        text[10] = 'T';
    if (len > 4 && memcmp(text + len - 4, " UTC", 4) == 0) {
        len -= 4;
        text[len++] = 'Z';
    } else if (len > 13 && (text[len - 3] == '+' || text[len - 3] == '-') && memchr(text, ':', len) != NULL) {
        memcpy(text + len, ":00", 3);
        len += 3;
    } else if (len > 10 && text[len - 1] != 'Z' && memchr(text + 11, '+', len - 11) == NULL &&
               memchr(text + 11, '-', len - 11) == NULL) {
        text[len++] = 'Z';
    }
    return kdpi_time_parse(text, len, nsp) == 0;
}

/* Whole numbers of few digits and decimals of few places, which nearly all are; false: the general way has to look. */
static inline bool
short_number(const char *text, size_t len, int64_t *valuep)
{
    static const int64_t powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t value = 0;
    size_t i = 0;

    for (; i < len && (unsigned)(text[i] - '0') < 10; i++)
        value = value * 10 + (text[i] - '0');
    if (i == 0 || i > 9 || (text[0] == '0' && i > 1))
        return false;
    if (i == len) {
        *valuep = value * 1000000;
        return true;
    }
    if (text[i] != '.' || len - i - 1 == 0 || len - i - 1 > 6)
        return false;
    {
        size_t places = len - i - 1;

        for (i++; i < len; i++) {
            if ((unsigned)(text[i] - '0') >= 10)
                return false;
            value = value * 10 + (text[i] - '0');
        }
        *valuep = value * powers[places];
    }
    return true;
}

int
kdp_bulk_number(const struct kdp_field *field, int64_t *valuep)
{
    if (field->kind != KDP_JSON_NUMBER && (field->kind != KDP_JSON_STRING || field->len == 0 ||
                                           ((unsigned)(*field->data - '0') >= 10 && *field->data != '-')))
        return 0;
    if (short_number(field->data, field->len, valuep))
        return 1;
    switch (kdpi_decimal_parse(field->data, field->len, 6, valuep)) {
    case KDP_DECIMAL_OK:
        return 1;
    case KDP_DECIMAL_TOO_FINE:
    case KDP_DECIMAL_TOO_BIG:
        return -1;
    default:
        return 0;
    }
}

/* ---- which rows ---- */

static int
read_where(struct kdp_bulk_filter *filter, struct kdp_cli *cli, const char *text)
{
    static const struct {
        const char *sign;
        int op;
    } signs[] = {{"!=", KDP_WHERE_NE}, {"<=", KDP_WHERE_LE}, {">=", KDP_WHERE_GE}, {"==", KDP_WHERE_EQ},
                 {"=", KDP_WHERE_EQ},  {"<", KDP_WHERE_LT},  {">", KDP_WHERE_GT},  {"~", KDP_WHERE_GLOB}};
    struct kdp_bulk_where *where = &filter->where[filter->where_count];
    size_t len = strcspn(text, "!=<>~ "), sign_at = len + strspn(text + len, " "), which = 0;
    const char *value;

    while (which < sizeof signs / sizeof *signs &&
           strncmp(text + sign_at, signs[which].sign, strlen(signs[which].sign)) != 0)
        which++;
    if (filter->where_count == KDP_BULK_WHERE_MAX)
        return kdp_cli_usage(cli, NULL, "more than %d --where", KDP_BULK_WHERE_MAX);
    if (len == 0 || which == sizeof signs / sizeof *signs)
        return kdp_cli_usage(
            cli,
            "Write a member's name, = != < <= > >= or ~ (with * and ?), and a value: --where 'price >= 90'",
            "--where \"%s\" is no comparison", text);
    value = text + sign_at + strlen(signs[which].sign);
    value += strspn(value, " ");
    if (len >= sizeof where->column || strlen(value) >= sizeof where->value)
        return kdp_cli_usage(cli, NULL, "--where \"%.60s...\" is too long", text);
    memcpy(where->column, text, len);
    where->column[len] = '\0';
    snprintf(where->value, sizeof where->value, "%s", value);
    where->op = (__typeof__(where->op))signs[which].op;
    where->numeric = where->op != KDP_WHERE_GLOB &&
                     kdpi_decimal_parse(value, strlen(value), 6, &where->number) == KDP_DECIMAL_OK;
    filter->where_count++;
    return 0;
}

int
kdp_bulk_filter_read(struct kdp_bulk_filter *filter, struct kdp_cli *cli)
{
    const char *const *wheres;
    unsigned count = kdp_cli_list(cli, "where", &wheres);
    int64_t day_ns;
    int code;

    memset(filter, 0, sizeof *filter);
    filter->ticker_count = kdp_cli_list(cli, "ticker", &filter->tickers);
    filter->series_count = kdp_cli_list(cli, "series", &filter->series);
    code = kdp_cli_range(cli, &filter->start_ns, &filter->end_ns);
    if (code == 0 && kdp_cli_given(cli, "date") &&
        (kdp_cli_text(cli, "file") != NULL || kdp_cli_text(cli, "url") != NULL)) {
        if (filter->start_ns != INT64_MIN || filter->end_ns != INT64_MAX)
            return kdp_cli_usage(cli, NULL, "--date beside --start or --end");
        if (kdp_cli_time(cli, "date", &day_ns) != 0)
            return KDP_EXIT_USAGE;
        filter->start_ns = (int64_t)kdpi_day_of(day_ns) * KDP_NS_PER_DAY;
        filter->end_ns = filter->start_ns + KDP_NS_PER_DAY;
    }
    for (unsigned i = 0; i < count && code == 0; i++)
        code = read_where(filter, cli, wheres[i]);
    filter->any = filter->ticker_count + filter->series_count + filter->where_count > 0 ||
                  filter->start_ns != INT64_MIN || filter->end_ns != INT64_MAX;
    return code;
}

/* A member's text as it is compared: unescaped; of null nothing. */
static struct kdp_text
text_of(const struct kdp_field *field, char *buf, size_t size)
{
    return field->kind == KDP_JSON_STRING ? kdp_rows_text(field, buf, size)
                                          : (struct kdp_text){field->data, field->len};
}

static bool
where_holds(const struct kdp_bulk_where *where, const struct kdp_field *field)
{
    char buf[1024];
    struct kdp_text text;
    int64_t number = 0;
    int order;

    if (field->kind ==
        KDP_JSON_NULL) /* as in SQL it is neither equal nor more nor less; but it can be asked for */
        return where->op == KDP_WHERE_EQ && strcmp(where->value, "null") == 0;
    text = text_of(field, buf, sizeof buf);
    if (where->op == KDP_WHERE_GLOB)
        return kdp_glob_match(where->value, text);
    if (where->numeric && kdp_bulk_number(field, &number) == 1) {
        order = number < where->number ? -1 : number > where->number;
    } else {
        size_t len = strlen(where->value), common = text.len < len ? text.len : len;

        order = memcmp(text.data, where->value, common);
        order = order != 0 ? order : text.len < len ? -1 : text.len > len;
    }
    switch (where->op) {
    case KDP_WHERE_EQ:
        return order == 0;
    case KDP_WHERE_NE:
        return order != 0;
    case KDP_WHERE_LT:
        return order < 0;
    case KDP_WHERE_LE:
        return order <= 0;
    case KDP_WHERE_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool
one_of(const char *const *globs, unsigned count, const struct kdp_field *field)
{
    char buf[1024];
    struct kdp_text text = text_of(field, buf, sizeof buf);

    for (unsigned i = 0; i < count; i++)
        if (kdp_glob_match(globs[i], text))
            return true;
    return false;
}

/* A row's time: of its time member, else of its day. */
static bool
row_time(const struct kdp_bulk_columns *columns, const struct kdp_rows *rows, const struct kdp_row *row,
         int64_t *nsp)
{
    for (unsigned i = 0; i < row->count; i++)
        if (columns->role[row->fields[i].column] == KDP_BULK_TIME)
            return kdp_bulk_time(&row->fields[i], nsp);
    for (unsigned i = 0; i < row->count; i++)
        if (strcmp(kdp_rows_column(rows, row->fields[i].column), "date") == 0)
            return kdp_bulk_time(&row->fields[i], nsp);
    return false;
}

bool
kdp_bulk_filter_row(const struct kdp_bulk_filter *filter, const struct kdp_bulk_columns *columns,
                    const struct kdp_rows *rows, const struct kdp_row *row)
{
    unsigned wanted = filter->where_count, held = 0;

    if (!filter->any)
        return true;
    wanted += filter->ticker_count > 0;
    wanted += filter->series_count > 0;
    for (unsigned i = 0; i < row->count; i++) {
        const struct kdp_field *field = &row->fields[i];

        if (filter->ticker_count > 0 && columns->role[field->column] == KDP_BULK_TICKER) {
            if (!one_of(filter->tickers, filter->ticker_count, field))
                return false;
            held++;
        } else if (filter->series_count > 0 && columns->role[field->column] == KDP_BULK_SERIES) {
            if (!one_of(filter->series, filter->series_count, field))
                return false;
            held++;
        }
        for (unsigned w = 0; w < filter->where_count; w++) {
            if (strcmp(kdp_rows_column(rows, field->column), filter->where[w].column) != 0)
                continue;
            if (!where_holds(&filter->where[w], field))
                return false;
            held++;
        }
    }
    if (held < wanted) /* a member that is not there fits no wish */
        return false;
    if (filter->start_ns != INT64_MIN || filter->end_ns != INT64_MAX) {
        int64_t ns;

        return row_time(columns, rows, row, &ns) && ns >= filter->start_ns && ns < filter->end_ns;
    }
    return true;
}

static bool
has_role(const struct kdp_bulk_columns *columns, enum kdp_bulk_role role)
{
    for (unsigned i = 0; i < columns->known; i++)
        if (columns->role[i] == role)
            return true;
    return false;
}

const char *
kdp_bulk_filter_lacks(const struct kdp_bulk_filter *filter, const struct kdp_bulk_columns *columns,
                      const struct kdp_rows *rows, const char **whatp)
{
    if (filter->ticker_count > 0 && !has_role(columns, KDP_BULK_TICKER)) {
        *whatp = "ticker_name or ticker";
        return "--ticker";
    }
    if (filter->series_count > 0 && !has_role(columns, KDP_BULK_SERIES)) {
        *whatp = "report_ticker or series_ticker";
        return "--series";
    }
    for (unsigned i = 0; i < filter->where_count; i++) {
        if (kdp_rows_column_find(rows, filter->where[i].column) < 0) {
            *whatp = filter->where[i].column;
            return "--where";
        }
    }
    if ((filter->start_ns != INT64_MIN || filter->end_ns != INT64_MAX) && !has_role(columns, KDP_BULK_TIME) &&
        kdp_rows_column_find(rows, "date") < 0) {
        *whatp = "create_ts, timestamp or date";
        return "a range of time";
    }
    return NULL;
}

/* ---- what they say ---- */

int
kdp_bulk_look_open(struct kdp_bulk_look *look)
{
    memset(look, 0, sizeof *look);
    look->first_ns = look->last_ns = KDP_TIME_NULL;
    look->set_size = SET_FIRST;
    look->set = calloc(look->set_size, sizeof *look->set);
    if (look->set == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory for the set of markets");
    for (unsigned i = 0; i < KDP_ROWS_COLUMNS_MAX; i++) {
        look->columns[i].min_e6 = INT64_MAX;
        look->columns[i].max_e6 = INT64_MIN;
    }
    return 0;
}

void
kdp_bulk_look_close(struct kdp_bulk_look *look)
{
    free(look->set);
    look->set = NULL;
}

static bool
put_in_set(uint64_t *set, size_t size, uint64_t hash)
{
    size_t at = hash & (size - 1);

    for (; set[at] != 0; at = (at + 1) & (size - 1))
        if (set[at] == hash)
            return false;
    set[at] = hash;
    return true;
}

static void
note_market(struct kdp_bulk_look *look, struct kdp_text ticker)
{
    uint64_t hash = XXH3_64bits(ticker.data, ticker.len);

    hash += hash == 0;
    if (look->markets * 8 >= look->set_size * 7) {
        uint64_t *set = look->set_size < SET_LAST ? calloc(SET_LAST, sizeof *set) : NULL;

        if (set == NULL) { /* as many as a day never had: from here on they are told as "more than" */
            size_t at = hash & (look->set_size - 1);

            for (; look->set[at] != 0 && look->set[at] != hash; at = (at + 1) & (look->set_size - 1))
                ;
            look->markets_more = look->markets_more || look->set[at] == 0;
            return;
        }
        for (size_t i = 0; i < look->set_size; i++)
            if (look->set[i] != 0)
                put_in_set(set, SET_LAST, look->set[i]);
        free(look->set);
        look->set = set;
        look->set_size = SET_LAST;
    }
    look->markets += put_in_set(look->set, look->set_size, hash);
}

static void
note_example(struct kdp_bulk_column *column, const struct kdp_field *field)
{
    char buf[KDP_BULK_EXAMPLE_BYTES * 2];
    struct kdp_text text = text_of(field, buf, sizeof buf);
    size_t len = text.len < KDP_BULK_EXAMPLE_BYTES - 1 ? text.len : KDP_BULK_EXAMPLE_BYTES - 1;

    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a letter */
    for (unsigned i = 0; i < column->example_count; i++)
        if (strlen(column->examples[i]) == len && memcmp(column->examples[i], text.data, len) == 0)
            return;
    memcpy(column->examples[column->example_count], text.data, len);
    column->examples[column->example_count++][len] = '\0';
}

static void
note_value(struct kdp_bulk_column *column, const struct kdp_field *field)
{
    char buf[KDP_BULK_EXAMPLE_BYTES * 2];
    struct kdp_text text = text_of(field, buf, sizeof buf);

    for (unsigned i = 0; i < column->value_count; i++) {
        if (strncmp(column->values[i].text, text.data, text.len) == 0 &&
            column->values[i].text[text.len] == '\0') {
            column->values[i].rows++;
            return;
        }
    }
    if (column->value_count == KDP_BULK_VALUES || text.len >= KDP_BULK_EXAMPLE_BYTES) {
        column->other_values++;
        return;
    }
    memcpy(column->values[column->value_count].text, text.data, text.len);
    column->values[column->value_count].text[text.len] = '\0';
    column->values[column->value_count++].rows = 1;
}

void
kdp_bulk_look_row(struct kdp_bulk_look *look, const struct kdp_bulk_columns *columns,
                  const struct kdp_row *row)
{
    look->rows++;
    look->left_out += row->left_out;
    for (unsigned i = 0; i < row->count; i++) {
        const struct kdp_field *field = &row->fields[i];
        struct kdp_bulk_column *column = &look->columns[field->column];
        enum kdp_bulk_role role = (enum kdp_bulk_role)columns->role[field->column];
        int64_t value = 0, ns;
        char buf[256];
        int numeric = 0;

        if (field->kind == KDP_JSON_NULL) {
            column->nulls++;
            continue;
        }
        if (column->example_count < KDP_BULK_EXAMPLES)
            note_example(column, field);
        switch (field->kind) {
        case KDP_JSON_NUMBER:
            column->numbers++;
            numeric = kdp_bulk_number(field, &value);
            break;
        case KDP_JSON_STRING:
            numeric = role == KDP_BULK_OTHER ? kdp_bulk_number(field, &value) : 0;
            column->number_texts += numeric != 0;
            column->texts += numeric == 0;
            break;
        case KDP_JSON_TRUE:
        case KDP_JSON_FALSE:
            column->bools++;
            break;
        default:
            column->nested++;
            break;
        }
        if (numeric > 0) {
            column->sum_e6 += value;
            column->min_e6 = value < column->min_e6 ? value : column->min_e6;
            column->max_e6 = value > column->max_e6 ? value : column->max_e6;
        }
        column->unsummed += numeric < 0;
        if (role == KDP_BULK_TICKER && field->kind == KDP_JSON_STRING)
            note_market(look, kdp_rows_text(field, buf, sizeof buf));
        else if (role == KDP_BULK_KIND)
            note_value(column, field);
        else if (role == KDP_BULK_TIME && kdp_bulk_time(field, &ns)) {
            look->first_ns = look->first_ns == KDP_TIME_NULL || ns < look->first_ns ? ns : look->first_ns;
            look->last_ns = look->last_ns == KDP_TIME_NULL || ns > look->last_ns ? ns : look->last_ns;
        }
    }
}

void
kdp_bulk_look_type(const struct kdp_bulk_column *column, char *buf, size_t size)
{
    const struct {
        const char *word;
        uint64_t count;
    } types[] = {{"number", column->numbers},
                 {"number in text", column->number_texts},
                 {"text", column->texts},
                 {"true/false", column->bools},
                 {"nested", column->nested}};
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].count > 0)
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", types[i].word);
    if (used == 0)
        snprintf(buf, size, "null");
}

void
kdp_bulk_sum_text(kdp_int128 sum_e6, bool commas, char *buf, size_t size)
{
    char digits[64], *p = digits + sizeof digits;
    bool minus = sum_e6 < 0;
    kdp_int128 whole = (minus ? -sum_e6 : sum_e6) / 1000000;
    unsigned fraction = (unsigned)((minus ? -sum_e6 : sum_e6) % 1000000), places = 6, count = 0;

    *--p = '\0';
    if (fraction != 0) {
        while (fraction % 10 == 0) {
            fraction /= 10;
            places--;
        }
        if (places == 1) { /* 0.5 of a contract reads as 0.50 everywhere else */
            fraction *= 10;
            places = 2;
        }
        for (unsigned i = 0; i < places; i++, fraction /= 10)
            *--p = (char)('0' + fraction % 10);
        *--p = '.';
    }
    do {
        if (commas && count > 0 && count % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + (int)(whole % 10));
        whole /= 10;
        count++;
    } while (whole != 0);
    if (minus)
        *--p = '-';
    snprintf(buf, size, "%s", p);
}
