/* render_what.c - one record as one line of words for people. */
#include "render.h"
#include "clock.h"
#include "render_out.h"
#include "screen.h"

#include <stdarg.h>
#include <stdio.h>

static void out_format(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
out_format(struct out *out, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    out_str(out, text);
}

/* The word of an enumeration as people write it: "close_date_updated" is "close date updated". */
static void
put_word(struct out *out, const char *name, unsigned value)
{
    for (const char *p = kdpi_enum_word(kdpi_enum_find(name), value); *p != '\0'; p++)
        out_char(out, *p == '_' ? ' ' : *p);
}

/* A state that is not live is shouted: nobody may take such a book for a good one. */
static void
put_state(struct out *out, unsigned state)
{
    bool loud = state == KDP_BOOK_STATE_STALE || state == KDP_BOOK_STATE_RECOVERING;

    for (const char *p = kdpi_enum_word(kdpi_enum_find("book_state"), state); *p != '\0'; p++) {
        char c = *p == '_' ? ' ' : *p;

        out_char(out, loud && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
}

static void
put_text(struct out *out, const char *before, struct kdp_text text)
{
    if (text.len == 0)
        return;
    out_str(out, before);
    kdpi_out_clean(out, text, 0);
}

static void
put_time(struct out *out, const char *before, int64_t ns)
{
    char text[KDPI_TIME_TEXT];

    if (ns == KDP_TIME_NULL)
        return;
    kdpi_time_format(text, ns, ns % KDP_NS_PER_S == 0 ? 0 : 9);
    out_format(out, "%s%s", before, text);
}

/* "0.42 x 1,240 / 0.44 x 20.75"; an empty side is "-" */
static void
put_quote(struct out *out, int32_t bid_e4, int64_t bid_size_e2, int32_t ask_e4, int64_t ask_size_e2)
{
    const struct {
        int32_t price_e4;
        int64_t size_e2;
    } sides[] = {{bid_e4, bid_size_e2}, {ask_e4, ask_size_e2}};
    char price[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT];

    for (int i = 0; i < 2; i++) {
        out_str(out, i > 0 ? " / " : "");
        out_str(out, kdpi_screen_price(price, sides[i].price_e4));
        if (sides[i].price_e4 != KDP_PRICE_NULL && sides[i].size_e2 != KDP_INT64_NULL)
            out_format(out, " x %s", kdpi_screen_size(size, sides[i].size_e2));
    }
}

static void
what_trade(struct out *out, const struct kdp_trade *trade)
{
    char price[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT];

    out_format(out, "%s x %s", kdpi_screen_price(price, trade->price_e4),
               kdpi_screen_size(size, trade->count_e2));
    if (trade->taker_side == KDP_SIDE_YES)
        out_str(out, ", taker YES");
    else if (trade->taker_side == KDP_SIDE_NO && trade->price_e4 >= 0 && trade->price_e4 <= 10000)
        out_format(out, ", taker NO (at %s)", kdpi_screen_price(price, 10000 - trade->price_e4));
    else if (trade->taker_side == KDP_SIDE_NO)
        out_str(out, ", taker NO");
    if (trade->block == KDP_BOOL_YES)
        out_str(out, ", block");
}

static void
what_bbo(struct out *out, const struct kdp_bbo *bbo)
{
    put_quote(out, bbo->bid_e4, bbo->bid_size_e2, bbo->ask_e4, bbo->ask_size_e2);
    if (bbo->book_state != KDP_BOOK_STATE_LIVE) {
        out_str(out, ", ");
        put_state(out, bbo->book_state);
    }
}

static void
what_ticker(struct out *out, const struct kdp_ticker *ticker)
{
    char price[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT];

    out_format(out, "last %s", kdpi_screen_price(price, ticker->price_e4));
    if (ticker->price_e4 != KDP_PRICE_NULL && ticker->last_size_e2 != KDP_INT64_NULL)
        out_format(out, " x %s", kdpi_screen_size(size, ticker->last_size_e2));
    out_str(out, ", ");
    put_quote(out, ticker->bid_e4, ticker->bid_size_e2, ticker->ask_e4, ticker->ask_size_e2);
    if (ticker->volume_e2 != KDP_INT64_NULL)
        out_format(out, ", volume %s", kdpi_screen_size(size, ticker->volume_e2));
    if (ticker->open_interest_e2 != KDP_INT64_NULL)
        out_format(out, ", open interest %s", kdpi_screen_size(size, ticker->open_interest_e2));
}

static void
what_level(struct out *out, const struct kdp_level *level)
{
    char price[KDPI_SCREEN_TEXT], change[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT];

    out_format(out, "%s %s %s, ",
               level->side == KDP_SIDE_YES  ? "bid"
               : level->side == KDP_SIDE_NO ? "ask"
                                            : "?",
               kdpi_screen_price(price, level->price_e4), kdpi_screen_change(change, level->delta_e2));
    if (level->size_e2 == 0)
        out_str(out, "gone");
    else
        out_format(out, "now %s", kdpi_screen_size(size, level->size_e2));
}

static void
what_snapshot(struct out *out, const struct kdp_book_snapshot *snapshot)
{
    char total[KDPI_SCREEN_TEXT];
    uint32_t count;

    kdpi_record_group(snapshot, &count);
    out_format(out, "%s level%s", kdpi_screen_count(total, snapshot->levels_total),
               snapshot->levels_total == 1 ? "" : "s");
    if (snapshot->parts != 1)
        out_format(out, ", part %u of %u with %u", snapshot->part + 1u, snapshot->parts, count);
    out_str(out, ", ");
    put_word(out, "reason", snapshot->reason);
    out_str(out, ", book ");
    put_state(out, snapshot->book_state);
    out_format(out, ", hash %s", kdpi_screen_hash(total, snapshot->book_hash));
}

static void
what_definition(struct out *out, const struct kdp_definition *definition)
{
    const struct kdp_definition_ranges *ranges;
    int32_t least = INT32_MAX, most = 0;
    char from[KDPI_SCREEN_TEXT], to[KDPI_SCREEN_TEXT];
    uint32_t count;

    if (definition->provisional == KDP_BOOL_YES) {
        out_str(out, "provisional: only the ticker is known");
        return;
    }
    put_text(out, "", kdpi_record_text(definition, 3));
    put_text(out, kdpi_record_text(definition, 3).len > 0 ? ": " : "", kdpi_record_text(definition, 4));
    if (kdpi_record_text(definition, 3).len + kdpi_record_text(definition, 4).len > 0)
        out_str(out, ", ");
    put_word(out, "market_status", definition->status);
    ranges = kdpi_record_group(definition, &count);
    for (uint32_t i = 0; i < count; i++) {
        least = ranges[i].step_e4 < least ? ranges[i].step_e4 : least;
        most = ranges[i].step_e4 > most ? ranges[i].step_e4 : most;
    }
    if (count > 0 && least >= most)
        out_format(out, ", ticks %s", kdpi_screen_price(from, least));
    else if (count > 0)
        out_format(out, ", ticks %s to %s", kdpi_screen_price(from, least), kdpi_screen_price(to, most));
    put_time(out, ", closes ", definition->close_ns);
    if (definition->combo == KDP_BOOL_YES)
        out_str(out, ", combination");
}

static void
what_lifecycle(struct out *out, const struct kdp_lifecycle *lifecycle)
{
    char value[KDPI_SCREEN_TEXT];

    put_word(out, "lifecycle_kind", lifecycle->kind);
    if (lifecycle->result != KDP_RESULT_NONE) {
        out_str(out, ": ");
        out_str(out, lifecycle->result == KDP_RESULT_YES ? "YES"
                     : lifecycle->result == KDP_RESULT_NO
                         ? "NO"
                         : kdpi_enum_word(kdpi_enum_find("result"), lifecycle->result));
    }
    if (lifecycle->settlement_value_e6 != KDP_INT64_NULL)
        out_format(out, ", value %s", kdpi_screen_cash(value, lifecycle->settlement_value_e6, 6));
    put_time(out, ", opens ", lifecycle->open_ns);
    put_time(out, ", closes ", lifecycle->close_ns);
    put_time(out, ", at ", lifecycle->at_ns);
}

static void
what_event(struct out *out, const struct kdp_event *event)
{
    char number[KDPI_SCREEN_TEXT];

    put_word(out, "event_kind", event->kind);
    put_text(out, " ", kdpi_record_text(event, 0));
    put_text(out, ": ", kdpi_record_text(event, 2));
    put_text(out, ", ", kdpi_record_text(event, 3));
    put_text(out, ", fee ", kdpi_record_text(event, 5));
    if (event->fee_multiplier_e6 != KDP_INT64_NULL)
        out_format(out, ", multiplier %s", kdpi_screen_cash(number, event->fee_multiplier_e6, 6));
}

static void
put_range(struct out *out, uint64_t from, uint64_t to)
{
    if (to > from)
        out_format(out, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
    else
        out_format(out, "%llu", (unsigned long long)from);
}

static void
what_state(struct out *out, const struct kdp_state *state)
{
    bool book = state->subject == KDP_SUBJECT_INSTRUMENT;

    if (state->subject == KDP_SUBJECT_LINE)
        out_format(out, "connection %u ", state->head.line);
    else if (!book) {
        put_word(out, "subject", state->subject);
        out_char(out, ' ');
    }
    put_state(out, state->state);
    out_str(out, ": ");
    if (state->reason == KDP_REASON_GAP && state->from_seq != 0) {
        out_format(out, "connection %u skipped ", state->head.line);
        put_range(out, state->from_seq, state->to_seq);
    } else if (book && state->state == KDP_BOOK_STATE_LIVE &&
               (state->reason == KDP_REASON_SUBSCRIBE || state->reason == KDP_REASON_RECOVERY)) {
        out_str(out, "snapshot");
    } else if (book && state->state == KDP_BOOK_STATE_SAMPLED && state->reason == KDP_REASON_SAMPLE) {
        out_str(out, "looked at over REST");
    } else if (book && state->state == KDP_BOOK_STATE_STALE && state->reason == KDP_REASON_SAMPLE) {
        out_str(out, "not looked at for 90 s");
    } else {
        put_word(out, "reason", state->reason);
        if (state->from_seq != 0) {
            out_str(out, " at ");
            put_range(out, state->from_seq, state->to_seq);
        }
    }
    put_text(out, ", ", kdpi_record_text(state, 0));
}

static void
what_gap(struct out *out, const struct kdp_gap *gap)
{
    char markets[KDPI_SCREEN_TEXT];

    switch (gap->kind) {
    case KDP_GAP_KIND_SEQUENCE:
        out_format(out, "connection %u ", gap->head.line);
        if (gap->seen > gap->expected) {
            out_str(out, "skipped ");
            put_range(out, gap->expected, gap->seen - 1);
        } else {
            out_format(out, "sent %llu where %llu was due", (unsigned long long)gap->seen,
                       (unsigned long long)gap->expected);
        }
        out_format(out, " of sid %u", gap->sid);
        break;
    case KDP_GAP_KIND_LINE_DOWN:
        out_format(out, "connection %u down", gap->head.line);
        break;
    case KDP_GAP_KIND_UNUSED_RANGE:
        out_str(out, "sequence ");
        put_range(out, gap->expected, gap->seen > gap->expected ? gap->seen - 1 : gap->expected);
        out_str(out, " was never used");
        break;
    case KDP_GAP_KIND_RETENTION:
        out_str(out, "sequence ");
        put_range(out, gap->expected, gap->seen > gap->expected ? gap->seen - 1 : gap->expected);
        out_str(out, " is no longer kept");
        break;
    default:
        put_word(out, "gap_kind", gap->kind);
        break;
    }
    if (gap->markets > 0)
        out_format(out, ", %s book%s stale", kdpi_screen_count(markets, gap->markets),
                   gap->markets == 1 ? "" : "s");
    out_str(out, ", ");
    put_word(out, "gap_status", gap->status);
    if (gap->status == KDP_GAP_STATUS_HEALED && gap->healed_by != KDP_HEALED_BY_NONE) {
        out_str(out, " by ");
        put_word(out, "healed_by", gap->healed_by);
    }
    if (gap->opened_ns != KDP_TIME_NULL && gap->healed_ns != KDP_TIME_NULL &&
        gap->healed_ns >= gap->opened_ns && (gap->opened_ns >= 0 || gap->healed_ns < 0))
        out_format(out, " after %s", kdpi_screen_span(markets, gap->healed_ns - gap->opened_ns));
    put_text(out, ", ", kdpi_record_text(gap, 0));
}

size_t
kdpi_render_what(char *buf, size_t size, const struct kdp_head *rec, const char *ticker)
{
    struct out out = out_open(buf, size);

    (void)ticker; /* stands in a column of its own beside these words */
    switch (rec->template_id) {
    case KDP_TEMPLATE_TRADE:
        what_trade(&out, (const struct kdp_trade *)rec);
        break;
    case KDP_TEMPLATE_BBO:
        what_bbo(&out, (const struct kdp_bbo *)rec);
        break;
    case KDP_TEMPLATE_TICKER:
        what_ticker(&out, (const struct kdp_ticker *)rec);
        break;
    case KDP_TEMPLATE_LEVEL:
        what_level(&out, (const struct kdp_level *)rec);
        break;
    case KDP_TEMPLATE_BOOK_SNAPSHOT:
        what_snapshot(&out, (const struct kdp_book_snapshot *)rec);
        break;
    case KDP_TEMPLATE_DEFINITION:
        what_definition(&out, (const struct kdp_definition *)rec);
        break;
    case KDP_TEMPLATE_LIFECYCLE:
        what_lifecycle(&out, (const struct kdp_lifecycle *)rec);
        break;
    case KDP_TEMPLATE_EVENT:
        what_event(&out, (const struct kdp_event *)rec);
        break;
    case KDP_TEMPLATE_STATE:
        what_state(&out, (const struct kdp_state *)rec);
        break;
    case KDP_TEMPLATE_GAP:
        what_gap(&out, (const struct kdp_gap *)rec);
        break;
    default:
        break; /* not a record: the caller has checked (kdpi_record_size) */
    }
    return out_close(&out);
}
