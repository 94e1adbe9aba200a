/* timer.c - inputs of our own: time that passed, and what the session decided. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "plant_private.h"
#include "screen.h"

/* Our open and close timers: the exchange says nothing when a market opens or closes.  Once for the times that
 * its Definition has.  A close leaves the book as it is: orders are cancelled after it, and the exchange's own
 * empty snapshot or determination closes it. */
static void
opens_or_closes(struct kdp_plant *plant, uint32_t id, bool opens)
{
    struct kdp_instrument *item;
    const struct kdp_definition *def;
    struct kdp_lifecycle *rec;

    if (id == 0 || id > kdp_instruments_max(plant->instruments))
        return;
    item = kdp_instruments_at(plant->instruments, id);
    if (item->ticker == NULL || (opens ? item->open_told : item->close_told))
        return;
    market_announce(plant, id);
    rec = emit_start(plant, KDP_TEMPLATE_LIFECYCLE, id, NULL);
    if (rec == NULL)
        return;
    def = (const struct kdp_definition *)(const void *)item->definition;
    rec->head.flags |= KDP_FLAGS_LAST;
    rec->kind = opens ? KDP_LIFECYCLE_KIND_OPENED : KDP_LIFECYCLE_KIND_CLOSED;
    rec->open_ns = def != NULL ? def->open_ns : KDP_TIME_NULL;
    rec->close_ns = def != NULL ? def->close_ns : KDP_TIME_NULL;
    rec->at_ns = KDP_TIME_NULL;
    rec->settlement_value_e6 = KDP_INT64_NULL;
    emit_end(plant, rec, sizeof *rec);
    if (opens)
        item->open_told = true;
    else
        item->close_told = true;
}

__attribute__((format(printf, 4, 5))) static void
plant_state(struct kdp_plant *plant, enum kdp_book_state state, enum kdp_reason reason, const char *fmt, ...)
{
    char words[160];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    emit_state(plant, KDP_SUBJECT_PLANT, 0, state, reason, NULL, 0, 0,
               (struct kdp_text){words, len < 0                      ? 0
                                        : (size_t)len < sizeof words ? (size_t)len
                                                                     : sizeof words - 1});
}

static void
paused(struct kdp_plant *plant, uint64_t resume_ns)
{
    char when[KDPI_TIME_TEXT] = "";

    plant->paused = true;
    if (resume_ns != 0)
        kdpi_time_format(when, (int64_t)resume_ns, 0);
    plant_state(
        plant, KDP_BOOK_STATE_EXCHANGE_PAUSED, KDP_REASON_PAUSED, "%s%s",
        resume_ns != 0 ? "trading is to resume at " : "the exchange does not say when trading resumes", when);
}

/* Gives what the plant's own State says besides its reason: the exchange may be in a pause meanwhile. */
static enum kdp_book_state
standing(const struct kdp_plant *plant)
{
    return plant->paused ? KDP_BOOK_STATE_EXCHANGE_PAUSED : KDP_BOOK_STATE_LIVE;
}

static void
recovering(struct kdp_plant *plant, uint32_t id)
{
    if (id != 0 && id <= kdp_instruments_max(plant->instruments) &&
        kdp_instruments_at(plant->instruments, id)->state == KDP_BOOK_STATE_STALE)
        market_state(plant, id, KDP_BOOK_STATE_RECOVERING, KDP_REASON_RECOVERY, NULL, 0, 0);
}

void
timer_input(struct kdp_plant *plant, const struct kdp_input_timer *timer)
{
    char span[KDPI_SCREEN_TEXT];

    switch ((enum kdp_timer_kind)timer->kind) {
    case KDP_TIMER_TICK: /* the time itself was taken with the input */
        restart_tick(plant);
        gap_tick(plant);
        sample_tick(plant);
        break;
    case KDP_TIMER_OPEN:
    case KDP_TIMER_CLOSE:
        opens_or_closes(plant, timer->arg32, timer->kind == KDP_TIMER_OPEN);
        break;
    case KDP_TIMER_AUDIT:
        audit_begin(plant, timer->arg32);
        break;
    case KDP_TIMER_PAUSED:
        paused(plant, timer->arg);
        break;
    case KDP_TIMER_RESUMED:
        plant->paused = false;
        plant_state(plant, KDP_BOOK_STATE_LIVE, KDP_REASON_PAUSED, "trading has resumed");
        break;
    case KDP_TIMER_CLOCK_STEP: {
        int64_t step_ns = (int64_t)timer->arg;
        uint64_t size_ns = step_ns < 0 ? 0 - (uint64_t)step_ns : (uint64_t)step_ns;

        plant_state(plant, standing(plant), KDP_REASON_CLOCK_STEP,
                    "the wall clock was moved %s by %llu.%03llu s", step_ns < 0 ? "back" : "forward",
                    (unsigned long long)(size_ns / KDP_NS_PER_S),
                    (unsigned long long)(size_ns % KDP_NS_PER_S / KDP_NS_PER_MS));
        break;
    }
    case KDP_TIMER_TAPE_WAITED:
        plant_state(plant, standing(plant), KDP_REASON_DISK_FULL, "capture waited %s for the tape",
                    kdpi_screen_span(span, timer->arg > INT64_MAX ? INT64_MAX : (int64_t)timer->arg));
        break;
    case KDP_TIMER_LISTED:
        gap_listed(plant, (int64_t)timer->arg);
        break;
    case KDP_TIMER_TRADES_HEALED:
    case KDP_TIMER_TRADES_LOST:
        gap_trades(plant, timer->arg > INT64_MAX ? INT64_MAX : (int64_t)timer->arg,
                   timer->kind == KDP_TIMER_TRADES_HEALED);
        break;
    case KDP_TIMER_TRADES_BEHIND:
        gap_trades_behind(plant, (int64_t)timer->arg);
        break;
    case KDP_TIMER_RECOVERING:
        recovering(plant, timer->arg32);
        break;
    case KDP_TIMER_RETENTION: {
        struct plant_gap gap = {
            .kind = KDP_GAP_KIND_RETENTION, .expected = timer->arg, .opened_ns = plant->input->recv_ns};
        char words[64];

        snprintf(words, sizeof words, "store %u was too far behind the tape", timer->arg32);
        emit_gap(plant, &gap, KDP_GAP_STATUS_LOST, KDP_HEALED_BY_NONE, words);
        break;
    }
    default:
        plant_count(plant, COUNT_INPUTS_IGNORED, 1);
        break;
    }
}

/* A changed plan, line by line; see input.h. */
void
reload_input(struct kdp_plant *plant, const char *text, size_t len)
{
    const char *end = text + len;
    bool all = false, rules = false, keyless = false;

    plant->planning = true;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        struct kdp_text line = {text, (size_t)((stop != NULL ? stop : end) - text)};

        text = stop != NULL ? stop + 1 : end;
        if (line.len > 1 && (line.data[0] == '+' || line.data[0] == '-')) {
            struct kdp_text ticker = {line.data + 1, line.len - 1};
            uint32_t id = line.data[0] == '+' ? market_of(plant, ticker)
                                              : kdp_instruments_find(plant->instruments, ticker);

            if (id != 0)
                market_plan(plant, id, line.data[0] == '+');
        } else if (line.len == 3 && memcmp(line.data, "all", 3) == 0) {
            all = true;
        } else if (line.len == 7 && memcmp(line.data, "keyless", 7) == 0) {
            keyless = true;
        } else if (line.len > 6 && memcmp(line.data, "rules ", 6) == 0) {
            rules = true;
            plant_state(plant, standing(plant), KDP_REASON_NONE, "%.*s", (int)line.len, line.data);
        } else if (line.len > 0) {
            plant_count(plant, COUNT_INPUTS_IGNORED, 1);
        }
    }
    if (keyless)
        gap_trades_polled(plant);
    plant->plan_all = all || (plant->plan_all && !rules);
}
