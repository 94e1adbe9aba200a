/* past_answers.c - market objects out of recorded REST answers: served again as they were.
 *
 * Whatever the file is (a page, one object, lines of polls with something around them), every object in it that has a ticker, an event
 * and a close time is a market; of several of one ticker the last counts.  Its text is kept and given out unchanged; its members
 * are read for filters and tiers. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "clock.h"
#include "error.h"
#include "json.h"
#include "past_private.h"
#include "rest.h"

#define DEEP_MAX 8u      /* objects around a market */
#define FOLDERS_MAX 8u   /* in each other */
#define NESTED_MAX 4096u /* values of one object or array looked into */

struct answers {
    struct kdp_past *past;
    struct kdp_rest_reader *rest;
    const char *raw; /* of the market at hand */
    size_t raw_len;
    uint64_t taken;
    int rc;
};

static bool
on_market(void *arg, const struct kdp_rest_market *in)
{
    struct answers *a = arg;
    struct kdp_past *past = a->past;
    uint32_t index = kdp_past_find(past, in->ticker.data, in->ticker.len);
    size_t series = 0;
    struct past_market *m;

    if (in->ticker.len == 0)
        return true;
    if (index == PAST_NOWHERE) {
        m = past_market_add(past);
        if (m != NULL)
            m->ticker = past_text(past, in->ticker.data, in->ticker.len);
        index = past->market_count - 1;
        if (m == NULL || past_name(past, index) != 0) {
            a->rc = kdpi_fail(KDP_ENOMEM, "no memory for recorded markets, or more than %u",
                              KDP_PAST_MARKETS_MAX);
            return false;
        }
    }
    m = &past->markets[index];
    while (series < in->event_ticker.len && in->event_ticker.data[series] != '-')
        series++;
    m->event_ticker = past_text(past, in->event_ticker.data, in->event_ticker.len);
    m->series_ticker = past_text(past, in->event_ticker.data, series);
    m->title = past_text(past, in->title.data, in->title.len);
    m->sub_title = past_text(past, in->yes_sub_title.data, in->yes_sub_title.len);
    m->raw = past_text(past, a->raw, a->raw_len);
    if (m->event_ticker == NULL || m->series_ticker == NULL || m->title == NULL || m->sub_title == NULL ||
        m->raw == NULL) {
        a->rc = kdpi_fail(KDP_ENOMEM, "no memory for recorded markets");
        return false;
    }
    for (uint8_t s = 0; s < GEN_STRUCTURES; s++)
        if (in->structure.len > 0 &&
            kdpi_text_equal(in->structure, gen_structures[s].name, strlen(gen_structures[s].name)))
            m->structure = s;
    m->status = in->status;
    m->result = in->result;
    m->combo = in->mve_collection.len > 0;
    m->strike_type = in->strike_type;
    m->strike_e6 = in->floor_strike_e6;
    m->settlement_value_e6 = in->settlement_value_e6;
    m->created_ns = in->created_ns != KDP_TIME_NULL ? in->created_ns : in->open_ns;
    m->updated_ns = in->updated_ns;
    m->open_ns = in->open_ns;
    m->close_ns = in->close_ns;
    m->settled_ns = in->settlement_ns;
    if (in->status == KDP_MARKET_STATUS_FINALIZED && m->settled_ns == KDP_TIME_NULL)
        m->settled_ns = in->close_ns;
    m->last_e4 = in->last_e4;
    m->said_e2 = in->volume_e2;
    a->taken++;
    return true;
}

static void
take(struct answers *a, const char *text, size_t len)
{
    struct kdp_rest_end end;
    char *body = malloc(len + 16);
    int n;

    if (body == NULL) {
        a->rc = kdpi_fail(KDP_ENOMEM, "no memory for recorded markets");
        return;
    }
    n = snprintf(body, 16, "{\"market\":");
    memcpy(body + n, text, len);
    body[(size_t)n + len] = '}';
    a->raw = text;
    a->raw_len = len;
    kdpi_rest_markets(a->rest, body, (size_t)n + len + 1, on_market, a, &end);
    free(body);
}

/* Looks through a value; false: it is not whole JSON. */
static bool
look(struct answers *a, const char *text, size_t len, unsigned deep)
{
    struct kdp_json json;
    char scratch[4096];
    struct kdp_text *nested = malloc(NESTED_MAX * sizeof *nested), key;
    unsigned count = 0, marks = 0;
    bool whole;

    if (nested == NULL)
        return false;
    kdpi_json_init(&json, NULL, scratch, sizeof scratch);
    kdpi_json_begin(&json, text, len);
    if (kdpi_json_peek(&json) == KDP_JSON_OBJECT && kdpi_json_object(&json)) {
        while (kdpi_json_member(&json, &key)) {
            marks |= kdpi_text_is(key, "ticker")         ? 1u
                     : kdpi_text_is(key, "event_ticker") ? 2u
                     : kdpi_text_is(key, "close_time")   ? 4u
                                                         : 0u;
            if (count < NESTED_MAX && kdpi_json_peek(&json) >= KDP_JSON_ARRAY)
                count += kdpi_json_raw(&json, &nested[count]);
        }
    } else if (kdpi_json_peek(&json) == KDP_JSON_ARRAY && kdpi_json_array(&json)) {
        while (kdpi_json_element(&json)) {
            if (count < NESTED_MAX && kdpi_json_peek(&json) >= KDP_JSON_ARRAY)
                count += kdpi_json_raw(&json, &nested[count]);
        }
    }
    whole = kdpi_json_end(&json);
    if (whole && marks == 7)
        take(a, text, len);
    else if (whole && deep < DEEP_MAX)
        for (unsigned i = 0; i < count && a->rc == 0; i++)
            look(a, nested[i].data, nested[i].len, deep + 1);
    free(nested);
    return whole;
}

static void
look_lines(struct answers *a, const char *text, size_t len)
{
    while (len > 0 && a->rc == 0) {
        const char *end = memchr(text, '\n', len);
        size_t n = end != NULL ? (size_t)(end - text) : len;

        look(a, text, n, 0);
        n += end != NULL;
        text += n;
        len -= n;
    }
}

static int
read_path(struct answers *a, const char *path, unsigned deep)
{
    struct stat st;
    char *text = NULL;
    size_t len;
    int rc;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        struct dirent **names;
        int count = deep < FOLDERS_MAX ? scandir(path, &names, NULL, alphasort) : 0;

        for (int i = 0; i < count; i++) {
            char inner[4096];

            if (a->rc == 0 && names[i]->d_name[0] != '.' &&
                snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name) < (int)sizeof inner)
                a->rc = read_path(a, inner, deep + 1);
            free(names[i]);
        }
        if (count >= 0 && deep < FOLDERS_MAX)
            free(names);
        return a->rc;
    }
    rc = past_file(path, &text, &len);
    if (rc != 0)
        return rc;
    if (!look(a, text, len, 0))
        look_lines(a, text, len);
    free(text);
    return a->rc;
}

int
past_answers(struct kdp_past *past)
{
    struct answers a = {.past = past, .rest = kdpi_rest_open()};
    int rc = a.rest == NULL ? kdpi_fail(KDP_ENOMEM, "no memory for recorded answers") : 0;

    for (unsigned i = 0; rc == 0 && i < past->config.answer_count; i++) {
        uint64_t before = a.taken;

        rc = read_path(&a, past->config.answers[i], 0);
        if (rc == 0 && a.taken == before) {
            rc = kdpi_fail(KDP_EFORMAT, "no market objects in %s", past->config.answers[i]);
            kdpi_hint("Answers of /markets and the like, as JSON or one a line");
        }
    }
    kdpi_rest_close(a.rest);
    return rc;
}
