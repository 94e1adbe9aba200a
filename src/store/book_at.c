/* book_at.c - see book_at.h. */
#include "book_at.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "kdp/reader.h"
#include "record.h"
#include "sql.h"

/* ---- the rule; records of the market, and State records of the plant, in order of seq, only those that count ---- */

static void
book_init(struct kdp_book_at *book)
{
    memset(book, 0, sizeof *book);
    book->changed_ns = book->state_ns = KDP_TIME_NULL;
}

static void
book_snapshot(struct kdp_book_at *book, uint64_t seq, int64_t recv_ns, unsigned part, unsigned reason,
              unsigned state)
{
    if (part == 0) {
        memset(book->size_e2, 0, sizeof book->size_e2);
        book->found = true;
        book->snapshot_seq = seq;
        book->deltas = 0;
    }
    book->seq = seq;
    book->changed_ns = recv_ns;
    if (state != KDP_BOOK_STATE_NONE) {
        book->state = (uint8_t)state;
        book->reason = (uint8_t)reason;
        book->state_ns = recv_ns;
    }
}

/* is_current: shown as it is now, until something says otherwise. */
static bool
is_current(const struct kdp_book_at *book)
{
    return book->state == KDP_BOOK_STATE_LIVE || book->state == KDP_BOOK_STATE_SAMPLED;
}

static void
book_level(struct kdp_book_at *book, unsigned side, int32_t price_e4, int64_t size_e2)
{
    if ((side == KDP_SIDE_YES || side == KDP_SIDE_NO) && price_e4 >= 0 && price_e4 <= KDP_PRICE_MAX)
        book->size_e2[side - KDP_SIDE_YES][price_e4] = size_e2;
}

static void
book_delta(struct kdp_book_at *book, uint64_t seq, int64_t ns, unsigned side, int32_t price_e4,
           int64_t size_e2)
{
    if (!book->found)
        return;
    /* the record carries the size after the change: nothing is summed up, so nothing can drift */
    book_level(book, side, price_e4, size_e2);
    book->seq = seq;
    book->changed_ns = ns;
    book->deltas++;
}

static void
book_state(struct kdp_book_at *book, uint64_t seq, int64_t recv_ns, unsigned state, unsigned reason)
{
    book->seq = seq;
    book->state = (uint8_t)state;
    book->reason = (uint8_t)reason;
    book->state_ns = recv_ns;
}

uint64_t
kdp_book_at_hash(const struct kdp_book_at *book)
{
    uint64_t hash = 0;

    for (int side = 0; side < 2; side++)
        for (int32_t price = 0; price <= KDP_PRICE_MAX; price++)
            if (book->size_e2[side][price] != 0)
                hash += kdp_level_hash((uint8_t)(side + KDP_SIDE_YES), price, book->size_e2[side][price]);
    return hash;
}

/* ---- from the tape ---- */
static void
apply(struct kdp_book_at *book, const struct kdp_head *rec)
{
    int64_t ns = rec->exch_ns != KDP_TIME_NULL ? rec->exch_ns : rec->recv_ns;

    switch (rec->template_id) {
    case KDP_TEMPLATE_BOOK_SNAPSHOT: {
        const struct kdp_book_snapshot *snapshot = (const void *)rec;
        uint32_t count = 0;
        const struct kdp_book_snapshot_levels *level = kdpi_record_group(rec, &count);

        book_snapshot(book, rec->seq, rec->recv_ns, snapshot->part, snapshot->reason, snapshot->book_state);
        for (uint32_t i = 0; i < count; i++)
            book_level(book, level[i].side, level[i].price_e4, level[i].size_e2);
        break;
    }
    case KDP_TEMPLATE_LEVEL: {
        const struct kdp_level *level = (const void *)rec;

        book_delta(book, rec->seq, ns, level->side, level->price_e4, level->size_e2);
        break;
    }
    case KDP_TEMPLATE_STATE: {
        const struct kdp_state *state = (const void *)rec;

        if (state->subject == KDP_SUBJECT_INSTRUMENT)
            book_state(book, rec->seq, rec->recv_ns, state->state, state->reason);
        else if (book->found && is_current(book))
            book_state(book, rec->seq, rec->recv_ns, KDP_BOOK_STATE_STALE, KDP_REASON_RESTART);
        break;
    }
    case KDP_TEMPLATE_DEFINITION: {
        struct kdp_text title = kdpi_record_text(rec, 4);

        if (title.len == 0)
            title = kdpi_record_text(rec, 3);
        snprintf(book->title, sizeof book->title, "%.*s", (int)title.len, title.data);
        break;
    }
    default:
        break;
    }
}

/* counts_for says whether a record has to do with the market: its own, or the plant's start, after which no
 * book of before is live. */
static bool
counts_for(const struct kdp_head *rec, uint32_t instrument)
{
    if (rec->template_id == KDP_TEMPLATE_STATE && rec->instrument == 0) {
        const struct kdp_state *state = (const void *)rec;

        return state->subject == KDP_SUBJECT_PLANT && state->reason == KDP_REASON_RESTART;
    }
    return rec->instrument == instrument;
}

static int
scan(struct kdp_book_at *book, struct kdp_reader *reader, uint32_t instrument, uint64_t cut, int64_t at_ns)
{
    int64_t last_ns = KDP_TIME_NULL;
    bool past = false; /* a record received after the instant was seen */
    const void *run;
    size_t bytes;
    int rc;

    book_init(book);
    kdp_reader_filter(reader,
                      1u << KDP_TEMPLATE_BOOK_SNAPSHOT | 1u << KDP_TEMPLATE_LEVEL | 1u << KDP_TEMPLATE_STATE |
                          1u << KDP_TEMPLATE_DEFINITION,
                      0);
    while ((rc = kdp_reader_run(reader, &run, &bytes)) > 0 || rc == -KDP_ERANGE) {
        const uint8_t *at = run;

        if (rc == -KDP_ERANGE) { /* what cannot be had any more may have changed it */
            if (!past && is_current(book))
                book_state(book, kdp_reader_seq(reader) - 1, last_ns, KDP_BOOK_STATE_STALE, KDP_REASON_GAP);
            continue;
        }

        while (bytes > 0) {
            const struct kdp_head *rec = (const void *)at;
            size_t size = kdpi_record_size_trusted(rec);

            if (rec->seq > cut)
                return 0;
            last_ns = rec->recv_ns;
            past = past || (at_ns != KDP_TIME_NULL && rec->recv_ns > at_ns);
            if (counts_for(rec, instrument) && (at_ns == KDP_TIME_NULL || rec->recv_ns <= at_ns))
                apply(book, rec);
            at += size;
            bytes -= size;
        }
    }
    return rc;
}

int
kdp_book_at_tape(struct kdp_book_at *book, const char *dir, const char *ticker, int64_t at_ns, bool *knownp)
{
    struct kdp_reader *reader = NULL;
    uint32_t instrument;
    uint64_t cut, oldest;
    char midnight[16];
    int rc = kdp_reader_open_seq(&reader, dir, 0, 0);

    book_init(book);
    *knownp = false;
    if (rc != 0)
        return rc;
    cut = kdp_reader_head(reader);
    oldest = kdp_reader_oldest(reader);
    instrument = kdp_reader_instrument(reader, ticker);
    if (instrument == 0 || cut == 0) {
        kdp_reader_close(reader);
        return 0;
    }
    *knownp = true;
    /* the day of the instant has a snapshot of every open book; only when it has none is more of the tape
     * read */
    if (at_ns != KDP_TIME_NULL) {
        struct kdp_reader *day = NULL;

        kdpi_day_format(midnight, kdpi_day_of(at_ns));
        rc = kdp_reader_open(&day, dir, midnight, 0);
        if (rc == 0)
            rc = scan(book, day, instrument, cut, at_ns);
        kdp_reader_close(day);
    }
    if (rc == 0 && !book->found) {
        rc = kdp_reader_seek(reader, oldest);
        if (rc == 0)
            rc = scan(book, reader, instrument, cut, at_ns);
    }
    kdp_reader_close(reader);
    if (rc < 0)
        return rc;
    return book->found || oldest == 1;
}

/* ---- from the lake ---- */
static int64_t
int_of(struct kdp_sql_result *result, unsigned column, int64_t otherwise)
{
    int64_t value;

    return kdp_sql_int(result, column, &value) ? value : otherwise;
}

static unsigned
word_of(struct kdp_sql_result *result, unsigned column, const struct kdp_enum_desc *words)
{
    const char *word = kdp_sql_cell(result, column);

    for (unsigned i = 0; word != NULL && i < words->count; i++)
        if (words->words[i] != NULL && strcmp(words->words[i], word) == 0)
            return i;
    return 0;
}

static const struct kdp_enum_desc *
words_of(unsigned template_id, const char *field)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(template_id);

    for (unsigned i = 0; i < desc->field_count; i++)
        if (strcmp(desc->fields[i].name, field) == 0)
            return desc->fields[i].words;
    return NULL;
}

/* last_snapshot gives the first sequence number of the last whole snapshot: 1, 0 when there is none, or an
 * error. */
static int
last_snapshot(struct kdp_sql *sql, const char *ticker, const char *at, int64_t *firstp)
{
    const char *parameters[] = {ticker, at};
    struct kdp_sql_result *result;
    int rc = kdp_sql_ask(sql,
                         "SELECT max(seq - part) FROM orderbook_snapshots WHERE ticker = $1 AND recv_ts <= "
                         "$2::TIMESTAMP_NS AND part = parts - 1",
                         parameters, 2, &result);

    if (rc != 0)
        return rc;
    rc = kdp_sql_next(result);
    if (rc > 0)
        rc = kdp_sql_int(result, 0, firstp) ? 1 : 0;
    kdp_sql_free(result);
    return rc;
}

static int
replay_rows(struct kdp_book_at *book, struct kdp_sql_result *result)
{
    const struct kdp_enum_desc *states = words_of(KDP_TEMPLATE_STATE, "state");
    const struct kdp_enum_desc *reasons = words_of(KDP_TEMPLATE_STATE, "reason");
    int64_t last_seq = -1;
    int rc;

    while ((rc = kdp_sql_next(result)) > 0) {
        int64_t seq = int_of(result, 1, 0), price = int_of(result, 5, -1), size = int_of(result, 6, 0);
        const char *side_word = kdp_sql_cell(result, 4);
        unsigned side = side_word == NULL ? 0 : strcmp(side_word, "yes") == 0 ? KDP_SIDE_YES : KDP_SIDE_NO;

        switch (int_of(result, 0, 0)) {
        case KDP_TEMPLATE_BOOK_SNAPSHOT:
            if (seq != last_seq)
                book_snapshot(book, (uint64_t)seq, int_of(result, 2, 0), (unsigned)int_of(result, 7, 0),
                              word_of(result, 9, reasons), word_of(result, 8, states));
            if (price >= 0)
                book_level(book, side, (int32_t)price, size);
            break;
        case KDP_TEMPLATE_LEVEL:
            book_delta(book, (uint64_t)seq, int_of(result, 3, 0), side, (int32_t)price, size);
            break;
        case KDP_TEMPLATE_STATE:
            book_state(book, (uint64_t)seq, int_of(result, 2, 0), word_of(result, 8, states),
                       word_of(result, 9, reasons));
            break;
        default: /* a start of the plant, or a hole: no book of before is live */
            if (is_current(book))
                book_state(book, (uint64_t)seq, int_of(result, 2, 0), KDP_BOOK_STATE_STALE,
                           word_of(result, 9, reasons));
            break;
        }
        last_seq = seq;
    }
    return rc;
}

/* read_title gives the market's words as of then, and whether it is known at all: 1, 0, or an error. */
static int
read_title(struct kdp_book_at *book, struct kdp_sql *sql, const char *ticker, const char *at)
{
    const char *parameters[] = {ticker, at}, *title;
    struct kdp_sql_result *result;
    int rc = kdp_sql_ask(
        sql,
        "SELECT arg_max(coalesce(yes_sub_title, title), seq) FILTER (recv_ts <= $2::TIMESTAMP_NS), "
        "count(*) FROM definitions WHERE ticker = $1",
        parameters, 2, &result);

    if (rc != 0)
        return rc;
    rc = kdp_sql_next(result);
    if (rc > 0) {
        rc = int_of(result, 1, 0) > 0;
        title = kdp_sql_cell(result, 0);
        if (title != NULL)
            snprintf(book->title, sizeof book->title, "%s", title);
    }
    kdp_sql_free(result);
    return rc;
}

int
kdp_book_at_lake(struct kdp_book_at *book, struct kdp_sql *sql, const char *ticker, int64_t at_ns,
                 bool *knownp)
{
    /* One list in order of seq; the snapshot's own rows come with it.  $3 is its first sequence number. */
    static const char rows[] =
        "SELECT * FROM ("
        "SELECT 5 AS what, seq, recv_ts, \"timestamp\", side, price, size, part, book_state AS state, reason "
        "FROM orderbook_snapshots WHERE ticker = $1 AND recv_ts <= $2::TIMESTAMP_NS AND seq >= $3::BIGINT "
        "UNION ALL SELECT 4, seq, recv_ts, \"timestamp\", side, price, size, NULL, NULL, NULL "
        "FROM orderbook_deltas WHERE ticker = $1 AND recv_ts <= $2::TIMESTAMP_NS AND seq > $3::BIGINT "
        "UNION ALL SELECT CASE subject WHEN 'plant' THEN 0 ELSE 9 END, seq, recv_ts, \"timestamp\", NULL, "
        "NULL, NULL, "
        "NULL, state, reason FROM states WHERE ((subject = 'instrument' AND ticker = $1) OR (subject = "
        "'plant' AND reason "
        "= 'restart')) AND recv_ts <= $2::TIMESTAMP_NS AND seq > $3::BIGINT "
        /* what the sealer did not get: opened_ts is the time of the last record before it */
        "UNION ALL SELECT 0, seq, recv_ts, \"timestamp\", NULL, NULL, NULL, NULL, 'stale', 'gap' FROM gaps "
        "WHERE kind = 'retention' AND (opened_ts IS NULL OR opened_ts <= $2::TIMESTAMP_NS) AND seq > "
        "$3::BIGINT) "
        "ORDER BY seq";
    struct kdp_sql_result *result = NULL;
    char at[KDPI_TIME_TEXT], first_text[32];
    int64_t first = 0, day_ns;
    int rc;

    book_init(book);
    *knownp = false;
    if (at_ns == KDP_TIME_NULL)
        at_ns = INT64_C(9000000000) * KDP_NS_PER_S;
    kdpi_time_format(at, at_ns, 9);
    at[strlen(at) - 1] = '\0';
    /* snapshots have no time of the exchange: their timestamp is that of receipt, so their day is the day
     * asked for */
    day_ns = kdpi_day_of(at_ns) * KDP_NS_PER_DAY;
    kdp_sql_narrow(sql, day_ns, day_ns + KDP_NS_PER_DAY, 0);
    rc = last_snapshot(sql, ticker, at, &first);
    if (rc == 0) {
        kdp_sql_narrow(sql, INT64_MIN, at_ns, 0);
        rc = last_snapshot(sql, ticker, at, &first);
    }
    if (rc > 0) {
        const char *parameters[] = {ticker, at, first_text};

        snprintf(first_text, sizeof first_text, "%" PRId64, first);
        kdp_sql_narrow(sql, INT64_MIN, INT64_MAX, (uint64_t)first);
        rc = kdp_sql_ask(sql, rows, parameters, 3, &result);
        if (rc == 0)
            rc = replay_rows(book, result);
        kdp_sql_free(result);
    }
    if (rc == 0) {
        kdp_sql_narrow(sql, INT64_MIN, INT64_MAX, 0);
        rc = read_title(book, sql, ticker, at);
        *knownp = rc > 0 || book->found;
    }
    return rc < 0 ? rc : book->found;
}
