/* market_show.c - the terms of a market as a person reads them; see market_show.h. */
#include "market_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "json.h"
#include "screen.h"
#include "table.h"

#define LABEL 11
#define WIDTH 80 /* of a pipe, and the widest that prose is set */
#define WORDS 4096

/* ---- lines ---- */

struct page {
    const struct kdp_cli *cli;
    const struct kdp_market *market;
    int width;
    const char *label; /* of the next line, "" when it has been said */
};

/* Bytes of text whose columns fit room, ended at a blank where there is one; a line end ends it too. */
static size_t
fitting(const char *text, size_t room)
{
    size_t columns = 0, len = 0, blank = 0;

    while (text[len] != '\0' && text[len] != '\n') {
        if (((unsigned char)text[len] & 0xc0) != 0x80 && columns++ == room)
            return blank > 0 ? blank : len;
        if (text[len] == ' ')
            blank = len;
        len++;
    }
    return len;
}

/* Prints a paragraph or several behind the label, wrapped; control characters of the exchange do nothing. */
static void
put(struct page *page, const char *text)
{
    size_t room = (size_t)(page->width - LABEL);

    if (page->width < LABEL + 20)
        room = 20;
    do {
        size_t len = fitting(text, room);
        char safe[1024];

        printf("%-*s%s\n", LABEL, page->label,
               kdpi_escape(safe, sizeof safe, text, len < sizeof safe / 5 ? len : sizeof safe / 5));
        page->label = "";
        text += len;
        while (*text == ' ')
            text++;
        /* an empty line between paragraphs costs room and tells nothing */
        while (*text == '\n')
            text++;
    } while (*text != '\0');
}

static void say(struct page *page, const char *label, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(struct page *page, const char *label, const char *fmt, ...)
{
    char words[WORDS];
    va_list args;

    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    page->label = label;
    put(page, words);
}

/* 2026-11-22T15:04:00.000000000Z as people read it; the zone stands behind the last of a line. */
static const char *
when(char buf[KDPI_TIME_TEXT], const char *cell)
{
    size_t len;

    snprintf(buf, KDPI_TIME_TEXT, "%s", cell != NULL ? cell : "-");
    len = strlen(buf);
    if (len < 20 || buf[10] != 'T')
        return buf;
    buf[10] = ' ';
    buf[--len] = '\0'; /* Z */
    while (len > 19 && (buf[len - 1] == '0' || buf[len - 1] == '.'))
        if (buf[--len] == '.') {
            buf[len] = '\0';
            break;
        } else {
            buf[len] = '\0';
        }
    return buf;
}

/* A decimal without the zeros that say nothing: 51.500000 is 51.5. */
static const char *
plain(char buf[KDPI_DECIMAL_TEXT], const char *cell)
{
    size_t len;

    snprintf(buf, KDPI_DECIMAL_TEXT, "%s", cell);
    len = strlen(buf);
    if (strchr(buf, '.') == NULL)
        return buf;
    while (len > 1 && buf[len - 1] == '0')
        buf[--len] = '\0';
    if (buf[len - 1] == '.')
        buf[len - 1] = '\0';
    return buf;
}

/* ---- parts ---- */

static void
show_strike(struct page *page)
{
    const char *type = kdp_market_now(page->market, "strike_type");
    const char *floor = kdp_market_now(page->market, "floor_strike");
    const char *cap = kdp_market_now(page->market, "cap_strike");
    const char *custom = kdp_market_now(page->market, "custom_strike");
    const char *functional = kdp_market_now(page->market, "functional_strike");
    char low[KDPI_DECIMAL_TEXT], high[KDPI_DECIMAL_TEXT];

    if (type != NULL && floor != NULL && cap != NULL)
        say(page, "strike", "%s %s and %s", type, plain(low, floor), plain(high, cap));
    else if (type != NULL && (floor != NULL || cap != NULL))
        say(page, "strike", "%s %s", type, plain(low, floor != NULL ? floor : cap));
    else if (functional != NULL)
        say(page, "strike", "%s", functional);
    else if (custom != NULL)
        say(page, "strike", "%s %s", type != NULL ? type : "custom", custom);
    if (kdp_market_now(page->market, "legs") != NULL)
        say(page, "legs", "%s", kdp_market_now(page->market, "legs"));
}

/* A price keeps two decimals on a screen, and the third and fourth only where they are not zero. */
static int
price_len(struct kdp_text price)
{
    const char *point = memchr(price.data, '.', price.len);
    size_t len = price.len;

    while (point != NULL && len > (size_t)(point - price.data) + 3 && price.data[len - 1] == '0')
        len--;
    return (int)len;
}

/* The bands of [{"start":"0.0000","end":"1.0000","step":"0.0100"}], a line each. */
static void
show_ticks(struct page *page)
{
    const char *ranges = kdp_market_now(page->market, "price_ranges");
    const char *name = kdp_market_now(page->market, "price_level_structure");
    struct kdp_json_keys *keys = calloc(1, sizeof *keys);
    struct kdp_json json;
    struct kdp_text key;
    char scratch[64];
    bool first = true;

    if (ranges == NULL || keys == NULL) {
        free(keys);
        return;
    }
    kdpi_json_init(&json, keys, scratch, sizeof scratch);
    kdpi_json_begin(&json, ranges, strlen(ranges));
    if (kdpi_json_array(&json)) {
        while (kdpi_json_element(&json) && kdpi_json_object(&json)) {
            struct kdp_text start = {"", 0}, end = {"", 0}, step = {"", 0}, value;

            while (kdpi_json_member(&json, &key)) {
                if (!kdpi_json_string(&json, &value))
                    break;
                if (kdpi_text_is(key, "start"))
                    start = value;
                else if (kdpi_text_is(key, "end"))
                    end = value;
                else if (kdpi_text_is(key, "step"))
                    step = value;
            }
            say(page, first ? "ticks" : "", "%.*s from %.*s to %.*s%s%s", price_len(step), step.data,
                price_len(start), start.data, price_len(end), end.data, first && name != NULL ? "   " : "",
                first && name != NULL ? name : "");
            first = false;
        }
    }
    free(keys);
}

static void
show_times(struct page *page)
{
    const struct kdp_market *market = page->market;
    const char *early = kdp_market_now(market, "can_close_early");
    char text[KDPI_TIME_TEXT];

    page->label = "times";
    if (kdp_market_now(market, "open_time") != NULL)
        say(page, page->label, "opens    %s UTC", when(text, kdp_market_now(market, "open_time")));
    if (kdp_market_now(market, "close_time") != NULL)
        say(page, page->label, "closes   %s UTC%s", when(text, kdp_market_now(market, "close_time")),
            early != NULL && strcmp(early, "true") == 0 ? ", may close early" : "");
    if (kdp_market_now(market, "expiration_time") != NULL)
        say(page, page->label, "expires  %s UTC", when(text, kdp_market_now(market, "expiration_time")));
    if (page->market->early_close != NULL)
        say(page, "early", "%s", page->market->early_close);
}

static void
show_fee_change(struct page *page, size_t row, const char *word)
{
    const struct kdp_market_rows *fees = &page->market->fees;
    const char *type = kdp_market_cell(fees, row, "fee_type");
    const char *multiplier = kdp_market_cell(fees, row, "fee_multiplier");
    char time[KDPI_TIME_TEXT], number[KDPI_DECIMAL_TEXT];

    when(time, kdp_market_cell(fees, row, "scheduled_time"));
    if (type == NULL && multiplier == NULL)
        say(page, page->label, "%s %s UTC: the %s's own end (%s)", word, time,
            kdp_market_cell(fees, row, "subject"), kdp_market_cell(fees, row, "ticker"));
    else
        say(page, page->label, "%s %s UTC: %s%s%s, of the %s %s", word, time, type != NULL ? type : "",
            multiplier != NULL ? " x " : "", multiplier != NULL ? plain(number, multiplier) : "",
            kdp_market_cell(fees, row, "subject"), kdp_market_cell(fees, row, "ticker"));
}

static void
show_fees(struct page *page)
{
    const struct kdp_market *market = page->market;
    const char *type = kdp_market_cell(&market->series, 0, "fee_type");
    const char *multiplier = kdp_market_cell(&market->series, 0, "fee_multiplier");
    char number[KDPI_DECIMAL_TEXT], at[KDPI_TIME_TEXT];

    kdpi_time_format(at, market->at_ns, 9);
    page->label = "fees";
    if (type != NULL)
        say(page, page->label, "%s%s%s, of the series", type, multiplier != NULL ? " x " : "",
            multiplier != NULL ? plain(number, multiplier) : "");
    for (size_t i = 0; i < market->fees.count; i++) {
        const char *time = kdp_market_cell(&market->fees, i, "scheduled_time");

        show_fee_change(page, i, time != NULL && strcmp(time, at) <= 0 ? "since" : "from");
    }
}

static void
show_outcome(struct page *page)
{
    const struct kdp_market *market = page->market;
    const char *result = kdp_market_now(market, "result");
    const char *value = kdp_market_now(market, "settlement_value");
    const char *time = kdp_market_now(market, "settlement_time");
    const char *measured = kdp_market_now(market, "expiration_value");
    char number[KDPI_DECIMAL_TEXT], text[KDPI_TIME_TEXT];

    if (result == NULL)
        return;
    say(page, "result", "%s%s%s%s%s%s%s%s", result, value != NULL ? ", settlement value " : "",
        value != NULL ? plain(number, value) : "", time != NULL ? ", settled " : "",
        time != NULL ? when(text, time) : "", time != NULL ? " UTC" : "",
        measured != NULL ? "; expiration value " : "", measured != NULL ? measured : "");
}

/* A cell for a sentence: "" where there is none, and what stands before it then too. */
static const char *
word(const struct kdp_market_rows *rows, const char *name)
{
    const char *cell = kdp_market_cell(rows, 0, name);

    return cell != NULL ? cell : "";
}

static void
show_above(struct page *page)
{
    const struct kdp_market *market = page->market;
    const struct kdp_market_rows *event = &market->event, *series = &market->series;
    const char *name = kdp_market_now(market, "event_ticker"),
               *collateral = word(event, "collateral_return_type");

    if (name != NULL)
        say(page, "event", "%s%s%s%s%s%s", name, event->count > 0 ? "  " : "", word(event, "title"),
            strcmp(word(event, "mutually_exclusive"), "true") == 0 ? ", one winner at most" : "",
            collateral[0] != '\0' ? ", collateral " : "", collateral);
    name = kdp_market_now(market, "series_ticker");
    if (name == NULL)
        return;
    say(page, "series", "%s%s%s", name, series->count > 0 ? "  " : "", word(series, "title"));
    if (word(series, "category")[0] != '\0')
        say(page, "", "%s%s%s", word(series, "category"), word(series, "frequency")[0] != '\0' ? ", " : "",
            word(series, "frequency"));
    if (word(series, "contract_terms_url")[0] != '\0')
        say(page, "", "%s", word(series, "contract_terms_url"));
}

/* ---- versions ---- */

/* What is different, "close_time 2026-11-22 15:00:00 to 2026-11-22 14:00:00; result yes"; long texts only by name. */
static void
put_changes(FILE *out, const struct kdp_market *market, size_t version)
{
    const struct kdp_market_rows *rows = &market->versions;
    unsigned said = 0;

    for (unsigned i = 0; i < rows->columns; i++) {
        const char *was = version > 0 ? rows->cells[(version - 1) * rows->columns + i] : NULL;
        const char *is = rows->cells[version * rows->columns + i], *name = rows->names[i];
        const char *hash = strstr(name, "_hash");
        char from[KDPI_TIME_TEXT], to[KDPI_TIME_TEXT];

        if (!kdp_market_changed(market, version, i))
            continue;
        fprintf(out, "%s%.*s", said++ > 0 ? "; " : "", hash != NULL ? (int)(hash - name) : 64, name);
        if (hash != NULL || strcmp(name, "price_ranges") == 0 || (is != NULL && strlen(is) > 60) ||
            (was != NULL && strlen(was) > 60))
            continue;
        if (strstr(name, "_time") != NULL) {
            is = is != NULL ? when(to, is) : NULL;
            was = was != NULL ? when(from, was) : NULL;
        }
        if (is == NULL)
            fprintf(out, " %s taken away", was);
        else if (was == NULL)
            fprintf(out, " %s", is);
        else
            fprintf(out, " %s to %s", was, is);
    }
}

static char *
changes(const struct kdp_market *market, size_t version)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    if (version == 0)
        fputs(strcmp(kdp_market_cell(&market->versions, 0, "assumed"), "true") == 0
                  ? "assumed: the first version's terms without its outcome"
                  : "first seen",
              out);
    else if (version == 1 && strcmp(kdp_market_cell(&market->versions, 0, "assumed"), "true") == 0)
        fputs("first version", out);
    else
        put_changes(out, market, version);
    return fclose(out) == 0 ? text : NULL;
}

static void
show_version(struct page *page)
{
    const struct kdp_market *market = page->market;
    const char *assumed = kdp_market_now(market, "assumed"), *source = kdp_market_now(market, "source");
    char from[KDPI_TIME_TEXT], seen[KDPI_TIME_TEXT], *changed = changes(market, market->shown);

    say(page, "version", "%zu of %zu, valid from %s, seen %s UTC (%s)%s", market->shown + 1,
        market->versions.count, when(from, kdp_market_now(market, "valid_from")),
        when(seen, kdp_market_now(market, "seen_ts")),
        source != NULL && strcmp(source, "rest") == 0 ? "asked over REST" : "captured",
        strcmp(assumed, "true") == 0 ? "; ASSUMED: the first that was seen, without what may have come later"
                                     : "");
    if (changed != NULL && market->shown > 0 && strcmp(changed, "first version") != 0)
        say(page, "changed", "%s", changed);
    free(changed);
    if (market->event_later || market->series_later)
        say(page, "note", "%s: as first seen, after the time asked about",
            market->event_later && market->series_later ? "event and series"
            : market->event_later                       ? "event"
                                                        : "series");
}

/* status_then follows the clock where the exchange says nothing: open and close come by schedule. */
static const char *
status_then(const struct kdp_market *market)
{
    const char *status = kdp_market_now(market, "status"), *open = kdp_market_now(market, "open_time");
    const char *close = kdp_market_now(market, "close_time");
    char at[KDPI_TIME_TEXT];

    kdpi_time_format(at, market->at_ns, 9);
    if (status == NULL)
        return "status not known";
    if (strcmp(status, "initialized") == 0 && open != NULL && strcmp(open, at) <= 0)
        status = "active";
    if (strcmp(status, "active") == 0 && close != NULL && strcmp(close, at) <= 0)
        status = "closed";
    return status;
}

void
kdp_market_show(const struct kdp_cli *cli, const struct kdp_market *market)
{
    struct page page = {.cli = cli, .market = market, .width = kdp_cli_width(stdout)};
    const char *wins = kdp_market_now(market, "yes_sub_title"), *title = kdp_market_now(market, "title");

    if (page.width == 0 || page.width > WIDTH)
        page.width = WIDTH;
    printf("%s%s%s  %s\n", kdp_cli_paint(cli, stdout, KDP_PAINT_HEAD), market->ticker,
           kdp_cli_paint(cli, stdout, KDP_PAINT_OFF), status_then(market));
    if (title != NULL)
        say(&page, "title", "%s", title);
    if (wins != NULL)
        say(&page, "YES wins", "%s", wins);
    show_strike(&page);
    page.label = "rules";
    if (market->rules_primary != NULL)
        put(&page, market->rules_primary);
    if (market->rules_secondary != NULL)
        put(&page, market->rules_secondary);
    show_times(&page);
    show_ticks(&page);
    show_fees(&page);
    show_outcome(&page);
    show_above(&page);
    show_version(&page);
}

int
kdp_market_list(const struct kdp_cli *cli, const struct kdp_market *market)
{
    struct kdp_table *table = kdp_table_new(stdout, kdp_cli_format(cli));
    char text[KDPI_TIME_TEXT];

    kdp_table_column(table, "VALID FROM (UTC)", "valid_from", KDP_COLUMN_TEXT);
    kdp_table_column(table, "SEEN (UTC)", "seen_ts", KDP_COLUMN_TEXT);
    kdp_table_column(table, "BY", "source", KDP_COLUMN_TEXT);
    kdp_table_column(table, "WHAT CHANGED", "changed", KDP_COLUMN_TEXT);
    for (size_t i = 0; i < market->versions.count; i++) {
        char *changed = changes(market, i);

        kdp_table_cell(table, when(text, kdp_market_cell(&market->versions, i, "valid_from")), NULL);
        kdp_table_cell(table, when(text, kdp_market_cell(&market->versions, i, "seen_ts")), NULL);
        kdp_table_cell(table, kdp_market_cell(&market->versions, i, "source"), NULL);
        kdp_table_cell(table, changed != NULL ? changed : "", NULL);
        free(changed);
    }
    return kdp_table_end(table);
}
