/* demo_draw.c - kdp demo's answer as a page for people; see demo.h. */
#include "demo.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "record.h"
#include "screen.h"
#include "table.h"

#define MARKETS_SHOWN 20 /* in a table; csv and json have all */
#define YES_COLUMNS 24   /* what an outcome's words keep before columns go */
#define SPARK 20         /* cells */
#define SPARK_LEAST 6    /* less says nothing */

/* Prose in width columns (0: one line), what goes on indented. */
static void
put_wrapped(const char *text, int width, int indent)
{
    int column = 0, blanks = 0;

    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        char one[KDP_DEMO_WORDS];
        int columns_of_it;

        snprintf(one, sizeof one, "%.*s", len, text);
        columns_of_it = (int)kdp_text_columns(one);
        if (width > 0 && column > indent && column + blanks + columns_of_it > width) {
            putchar('\n');
            blanks = indent;
            column = 0;
        }
        printf("%*s%s", blanks, "", one);
        column += blanks + columns_of_it;
        text += len;
        blanks = (int)strspn(text, " ");
        text += blanks;
    }
    putchar('\n');
}

static void
put_minute(char *buf, size_t size, int64_t ns, bool with_day)
{
    char time[KDPI_TIME_TEXT];

    kdpi_time_format(time, ns, 0);
    snprintf(buf, size, "%.*s%s%.5s", with_day ? 10 : 0, time, with_day ? " " : "", time + 11);
}

/* ---- the event ---- */

/* "closes in 13 h 56 min", by the markets' own times. */
static void
put_close(const struct kdp_demo *demo, char *buf, size_t size)
{
    int64_t first = INT64_MAX, last = INT64_MIN, opens = INT64_MAX, closed = INT64_MIN;
    char span[KDPI_SCREEN_TEXT], minute[KDPI_TIME_TEXT + 8];
    bool waiting = false;

    for (uint32_t i = 0; i < demo->market_count; i++) {
        const struct kdp_demo_market *m = &demo->markets[i];

        if (m->close_ns == KDP_TIME_NULL)
            continue;
        closed = m->close_ns > closed ? m->close_ns : closed;
        if (m->status == KDP_MARKET_STATUS_INITIALIZED && m->open_ns != KDP_TIME_NULL) {
            waiting = true;
            opens = m->open_ns < opens ? m->open_ns : opens;
        }
        if (m->status != KDP_MARKET_STATUS_ACTIVE || m->close_ns <= demo->now_ns)
            continue;
        first = m->close_ns < first ? m->close_ns : first;
        last = m->close_ns > last ? m->close_ns : last;
    }
    if (first != INT64_MAX) {
        snprintf(buf, size, "%s in %s", first == last ? "closes" : "first market closes",
                 kdpi_screen_span(span, first - demo->now_ns));
    } else if (waiting && opens > demo->now_ns) {
        snprintf(buf, size, "opens in %s", kdpi_screen_span(span, opens - demo->now_ns));
    } else if (closed != INT64_MIN) {
        put_minute(minute, sizeof minute, closed, true);
        snprintf(buf, size, "%s %s UTC", closed <= demo->now_ns ? "closed" : "not open; was to close",
                 minute);
    } else {
        snprintf(buf, size, "not open");
    }
}

static void
put_event(const struct kdp_demo *demo, int width)
{
    char name[2 * KDP_DEMO_WORDS], tail[256], close[128], count[KDPI_SCREEN_TEXT];

    put_close(demo, close, sizeof close);
    kdpi_screen_count(count, demo->market_all);
    snprintf(name, sizeof name, "%s%s%s", demo->about.ticker, demo->about.title[0] != '\0' ? "  " : "",
             demo->about.title);
    if (demo->about.exclusive == 1 && demo->market_all > 1)
        snprintf(tail, sizeof tail, "%s, 1 winner of %s", close, count);
    else
        snprintf(tail, sizeof tail, "%s, %s market%s", close, count, demo->market_all == 1 ? "" : "s");
    if (kdp_cli_switch(demo->cli, "simulated"))
        printf("%sSIMULATED%s  ", kdp_cli_paint(demo->cli, stdout, KDP_PAINT_HEAD),
               kdp_cli_paint(demo->cli, stdout, KDP_PAINT_OFF));
    if (width == 0 || kdp_text_columns(name) + 3 + kdp_text_columns(tail) +
                              (kdp_cli_switch(demo->cli, "simulated") ? 11 : 0) <=
                          (size_t)width) {
        printf("%s   %s\n", name, tail);
        return;
    }
    put_wrapped(name, kdp_cli_switch(demo->cli, "simulated") ? width - 11 : width, 2);
    printf("  ");
    put_wrapped(tail, width - 2, 0);
}

/* ---- its markets ---- */

enum { TICKER, YES, STATUS, BID, ASK, LAST, VOLUME, INTEREST, COLUMNS };
static const struct {
    const char *heading;
    enum kdp_column_kind kind;
} columns[COLUMNS] = {
    {"MARKET", KDP_COLUMN_TICKER},   {"YES WINS AT", KDP_COLUMN_TICKER},
    {"STATUS", KDP_COLUMN_TEXT},     {"BID", KDP_COLUMN_DOT},
    {"ASK", KDP_COLUMN_DOT},         {"LAST", KDP_COLUMN_DOT},
    {"VOLUME 24 H", KDP_COLUMN_DOT}, {"OPEN INT.", KDP_COLUMN_DOT},
};

struct row {
    char cell[COLUMNS][KDP_DEMO_WORDS]; /* "-": absent */
};

static void
make_row(struct row *row, const struct kdp_demo_market *m)
{
    snprintf(row->cell[TICKER], sizeof row->cell[TICKER], "%s", m->ticker);
    snprintf(row->cell[YES], sizeof row->cell[YES], "%s", m->yes[0] != '\0' ? m->yes : m->title);
    snprintf(row->cell[STATUS], sizeof row->cell[STATUS], "%s%s%s", kdp_demo_word("market_status", m->status),
             m->result != KDP_RESULT_NONE ? ", " : "",
             m->result != KDP_RESULT_NONE ? kdp_demo_word("result", m->result) : "");
    kdpi_screen_price(row->cell[BID], m->bid_e4);
    kdpi_screen_price(row->cell[ASK], m->ask_e4);
    kdpi_screen_price(row->cell[LAST], m->last_e4);
    kdpi_screen_size(row->cell[VOLUME], m->volume_24h_e2);
    kdpi_screen_size(row->cell[INTEREST], m->open_interest_e2);
}

/* What all outcomes cost together, where one of them wins: 1.00 but for the spreads.  No bid is worth nothing; without an
 * offer not all can be bought. */
static bool
make_sum(struct row *row, const struct kdp_demo *demo)
{
    int64_t bids = 0, asks = 0;
    uint32_t open = 0;
    bool all = true;

    for (uint32_t i = 0; i < demo->market_count; i++) {
        const struct kdp_demo_market *m = &demo->markets[i];

        if (m->status != KDP_MARKET_STATUS_ACTIVE)
            continue;
        open++;
        bids += m->bid_e4 != KDP_PRICE_NULL ? m->bid_e4 : 0;
        asks += m->ask_e4 != KDP_PRICE_NULL ? m->ask_e4 : 0;
        all &= m->ask_e4 != KDP_PRICE_NULL;
    }
    if (demo->about.exclusive != 1 || open < 2 || demo->market_all != demo->market_count)
        return false;
    memset(row, 0, sizeof *row);
    snprintf(row->cell[TICKER], sizeof row->cell[TICKER], "sum of all");
    kdpi_screen_price(row->cell[BID], (int32_t)bids);
    kdpi_screen_price(row->cell[ASK], all ? (int32_t)asks : KDP_PRICE_NULL);
    return true;
}

static size_t
column_width(const struct row *rows, uint32_t count, unsigned column)
{
    size_t whole = 0, parts = 0, heading = kdp_text_columns(columns[column].heading);

    for (uint32_t i = 0; i < count; i++) {
        const char *text = rows[i].cell[column], *point = strchr(text, '.');
        size_t width = kdp_text_columns(text),
               before =
                   columns[column].kind == KDP_COLUMN_DOT && point != NULL ? (size_t)(point - text) : width;

        whole = before > whole ? before : whole;
        parts = width - before > parts ? width - before : parts;
    }
    if (column == YES && whole > YES_COLUMNS)
        whole = YES_COLUMNS; /* the table cuts the middle of the rest */
    return whole + parts > heading ? whole + parts : heading;
}

/* As the terminal narrows, open interest, volume and last go first, then names lose their middle. */
static void
choose_columns(const struct row *rows, uint32_t count, int width, bool shown[COLUMNS])
{
    static const unsigned go[] = {INTEREST, VOLUME, LAST};
    size_t total = 0;

    for (unsigned i = 0; i < COLUMNS; i++)
        total += shown[i] ? column_width(rows, count, i) + 2 : 0;
    for (unsigned i = 0; i < sizeof go / sizeof *go && width > 0 && total > (size_t)width + 2; i++) {
        total -= column_width(rows, count, go[i]) + 2;
        shown[go[i]] = false;
    }
}

static bool
busier(const struct kdp_demo_market *a, const struct kdp_demo_market *b)
{
    return a->volume_24h_e2 != b->volume_24h_e2 ? a->volume_24h_e2 > b->volume_24h_e2
                                                : a->volume_e2 > b->volume_e2;
}

/* Whether a market is among the busiest of a long list. */
static bool
is_shown(const struct kdp_demo *demo, const struct kdp_demo_market *m)
{
    uint32_t before = 0;

    if (demo->market_count <= MARKETS_SHOWN || m == demo->busiest)
        return true;
    for (uint32_t i = 0; i < demo->market_count; i++)
        before += busier(&demo->markets[i], m) || (&demo->markets[i] < m && !busier(m, &demo->markets[i]));
    return before < MARKETS_SHOWN;
}

static void
put_markets(const struct kdp_demo *demo, int width)
{
    static struct row rows[MARKETS_SHOWN + 2];
    struct kdp_table *table = kdp_table_new(stdout, KDP_FORMAT_TABLE);
    bool shown[COLUMNS] = {true, true, false, true, true, true, true, true};
    uint32_t count = 0, listed;
    char words[128];

    for (uint32_t i = 0; i < demo->market_count; i++) {
        if (is_shown(demo, &demo->markets[i]))
            make_row(&rows[count++], &demo->markets[i]);
        shown[STATUS] |= demo->markets[i].status != KDP_MARKET_STATUS_ACTIVE;
    }
    listed = count;
    count += make_sum(&rows[count], demo);
    choose_columns(rows, count, width, shown);
    for (unsigned i = 0; i < COLUMNS; i++)
        if (shown[i])
            kdp_table_column(table, columns[i].heading, columns[i].heading, columns[i].kind);
    for (uint32_t row = 0; row < count; row++)
        for (unsigned i = 0; i < COLUMNS; i++)
            if (shown[i])
                kdp_table_cell(table, rows[row].cell[i], NULL);
    kdp_table_end(table);
    if (listed < demo->market_all) {
        snprintf(words, sizeof words,
                 "%u of %u markets, those with most volume in 24 hours; all: --format csv", listed,
                 demo->market_all);
        put_wrapped(words, width, 2);
    }
}

/* ---- the book and the trades of one market ---- */

static void
put_book(const struct kdp_demo *demo, uint32_t depth, int width)
{
    const struct kdp_demo_market *m = demo->busiest;
    uint32_t bids = demo->bid_count < depth ? demo->bid_count : depth,
             offers = demo->offer_count < depth ? demo->offer_count : depth;
    char words[2 * KDP_DEMO_WORDS], best[64] = "";

    if (bids < demo->bid_count || offers < demo->offer_count)
        snprintf(best, sizeof best, "best %u of ", depth);
    if (demo->no_book)
        snprintf(words, sizeof words, "Book of %s%s%s: the exchange serves none", m->ticker,
                 m->yes[0] != '\0' ? ", " : "", m->yes);
    else
        snprintf(words, sizeof words, "Book of %s%s%s: %s%u NO and %u YES levels", m->ticker,
                 m->yes[0] != '\0' ? ", " : "", m->yes, best, demo->offer_count, demo->bid_count);
    put_wrapped(words, width, 2);
    if (!demo->no_book)
        kdp_ladder_draw(demo->cli, demo->bids, bids, demo->offers, offers);
}

/* The way of the price, from the oldest trade to the newest; the last trade of each cell counts. */
static void
put_spark(const struct kdp_demo *demo, char *out, uint32_t most, int32_t low, int32_t high)
{
    static const char *const eighths[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint32_t cells = demo->trade_count < most ? demo->trade_count : most;

    *out = '\0';
    for (uint32_t i = 0; i < cells; i++) {
        uint32_t newest = demo->trade_count - (i + 1) * demo->trade_count / cells;
        int32_t above = demo->trades[newest].price_e4 - low;
        int level = high > low ? (above * 14 / (high - low) + 1) / 2 : 3;

        if (kdp_cli_utf8())
            out = stpcpy(out, eighths[level]);
        else
            out += sprintf(out, "%d", level + 1);
    }
}

static bool
same_day(int64_t a_ns, int64_t b_ns)
{
    return kdpi_day_of(a_ns) == kdpi_day_of(b_ns);
}

static void
put_trades_line(const struct kdp_demo *demo, int width)
{
    const struct kdp_demo_trade *newest = &demo->trades[0], *oldest = &demo->trades[demo->trade_count - 1];
    int32_t low = newest->price_e4, high = low;
    char from[KDPI_TIME_TEXT + 8], to[KDPI_TIME_TEXT + 8], low_text[KDPI_SCREEN_TEXT],
        high_text[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT], spark[4 * SPARK + 1],
        when[2 * KDPI_TIME_TEXT + 32], words[512];
    bool day = !same_day(newest->at_ns, demo->now_ns) || !same_day(oldest->at_ns, demo->now_ns);
    int64_t sum_e2 = 0;
    int room;

    for (uint32_t i = 0; i < demo->trade_count; i++) {
        int32_t price = demo->trades[i].price_e4;

        low = price < low ? price : low;
        high = price > high ? price : high;
        sum_e2 += demo->trades[i].count_e2;
    }
    put_minute(from, sizeof from, oldest->at_ns, day);
    put_minute(to, sizeof to, newest->at_ns, day);
    if (strcmp(from, to) == 0)
        snprintf(when, sizeof when, "%s UTC", to);
    else
        snprintf(when, sizeof when, "%s to %s UTC", from, to);
    kdpi_screen_price(low_text, low);
    kdpi_screen_price(high_text, high);
    kdpi_screen_size(size, sum_e2);
    if (demo->trade_count == 1)
        snprintf(words, sizeof words, "The only trade, %s", when);
    else if (low == high)
        snprintf(words, sizeof words, "Last %u trades, %s, all at %s", demo->trade_count, when, low_text);
    else
        snprintf(words, sizeof words, "Last %u trades, %s, %s to %s", demo->trade_count, when, low_text,
                 high_text);
    room = width == 0 ? SPARK : width - (int)(strlen(words) + 4 + strlen(size) + strlen(" contracts"));
    put_spark(demo, spark, room < SPARK ? (uint32_t)(room > 0 ? room : 1) : SPARK, low, high);
    if (demo->trade_count < 2 || (room < SPARK_LEAST && room < (int)demo->trade_count)) {
        snprintf(words + strlen(words), sizeof words - strlen(words), ", %s contract%s", size,
                 sum_e2 == 100 ? "" : "s");
        put_wrapped(words, width, 2);
        return;
    }
    printf("%s  %s  %s contracts\n", words, spark, size);
}

static void
put_trades(const struct kdp_demo *demo, uint32_t rows, int width)
{
    uint32_t count = demo->trade_count < rows ? demo->trade_count : rows;
    struct kdp_table *table;
    bool day = false;

    if (demo->trade_count == 0) {
        printf("No trades of %s yet\n", demo->busiest->ticker);
        return;
    }
    put_trades_line(demo, width);
    for (uint32_t i = 0; i < count; i++)
        day |= !same_day(demo->trades[i].at_ns, demo->now_ns);
    table = kdp_table_new(stdout, KDP_FORMAT_TABLE);
    kdp_table_column(table, "TIME (UTC)", "time", KDP_COLUMN_TEXT);
    kdp_table_column(table, "PRICE", "price", KDP_COLUMN_DOT);
    kdp_table_column(table, "COUNT", "count", KDP_COLUMN_DOT);
    kdp_table_column(table, "TAKER BOUGHT", "taker_bought", KDP_COLUMN_TEXT);
    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_demo_trade *t = &demo->trades[i];
        char time[KDPI_TIME_TEXT], text[KDPI_SCREEN_TEXT], other[KDPI_SCREEN_TEXT], bought[80];

        kdpi_time_format(time, t->at_ns, 6);
        time[10] = ' ';
        time[strlen(time) - 1] = '\0';
        kdp_table_cell(table, day ? time : time + 11, NULL);
        kdp_table_cell(table, kdpi_screen_price(text, t->price_e4), NULL);
        kdp_table_cell(table, kdpi_screen_size(text, t->count_e2), NULL);
        if (t->taker_side == KDP_SIDE_YES)
            snprintf(bought, sizeof bought, "YES%s", t->block ? ", block trade" : "");
        else
            snprintf(bought, sizeof bought, "NO (at %s)%s", kdpi_screen_price(other, 10000 - t->price_e4),
                     t->block ? ", block trade" : "");
        kdp_table_cell(table, bought, NULL);
    }
    kdp_table_end(table);
}

void
kdp_demo_table(const struct kdp_demo *demo, uint32_t depth, uint32_t rows)
{
    int width = kdp_cli_width(stdout);

    put_event(demo, width);
    put_markets(demo, width);
    put_book(demo, depth, width);
    put_trades(demo, rows, width);
}
