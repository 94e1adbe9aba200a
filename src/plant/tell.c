/* tell.c - what the session is told while an input is worked off; see src/exchange/notice.h.
 *
 * Nothing here changes the plant: a replay, in which nobody listens, makes the same records. */
#include "plant_private.h"
#include "rest.h"

static void
tell(struct kdp_plant *plant, struct kdp_notice *notice)
{
    plant->config.notice(plant->config.notice_arg, notice);
}

void
tell_market(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *listed, bool quoted,
            bool was_live)
{
    struct kdp_notice notice = {.kind = KDP_NOTICE_MARKET, .line = plant->input->line, .instrument = id};
    const struct kdp_definition *def;
    const struct kdp_instrument *item;

    if (plant->config.notice == NULL)
        return;
    item = kdp_instruments_at(plant->instruments, id);
    def = (const struct kdp_definition *)(const void *)item->definition;
    notice.market.ticker = (struct kdp_text){item->ticker, item->ticker_len};
    notice.market.open_ns = notice.market.close_ns = KDP_TIME_NULL;
    notice.market.volume_e2 = listed != NULL ? listed->volume_24h_e2 : KDP_INT64_NULL;
    notice.market.listed = listed != NULL;
    notice.market.quoted = quoted;
    notice.market.was_live = was_live;
    notice.market.combo = definition_combo(item);
    if (def != NULL) {
        notice.market.event_ticker = kdpi_record_text(def, 1);
        notice.market.open_ns = def->open_ns;
        notice.market.close_ns = def->close_ns;
        notice.market.status = def->status;
        notice.market.combo = def->combo == KDP_BOOL_YES;
    }
    tell(plant, &notice);
}

void
tell_event(struct kdp_plant *plant, struct kdp_text event_ticker, struct kdp_text series_ticker)
{
    struct kdp_notice notice = {.kind = KDP_NOTICE_EVENT, .line = plant->input->line};

    if (plant->config.notice == NULL || series_ticker.len == 0)
        return;
    notice.event.event_ticker = event_ticker;
    notice.event.series_ticker = series_ticker;
    tell(plant, &notice);
}

/* A subscription that ends says so of its books before it lets go of them. */
static bool
lets_go(enum kdp_reason reason)
{
    return reason == KDP_REASON_DISCONNECTED || reason == KDP_REASON_UNSUBSCRIBED ||
           reason == KDP_REASON_OVERFLOW || reason == KDP_REASON_CHANNEL_ERROR ||
           reason == KDP_REASON_RESTART || reason == KDP_REASON_REPLACED || reason == KDP_REASON_INPUT;
}

void
tell_book(struct kdp_plant *plant, uint32_t id, enum kdp_book_state was, enum kdp_reason reason,
          bool snapshot)
{
    struct kdp_notice notice = {.kind = KDP_NOTICE_BOOK, .line = plant->input->line, .instrument = id};
    const struct kdp_instrument *item;

    if (plant->config.notice == NULL)
        return;
    item = kdp_instruments_at(plant->instruments, id);
    notice.book.state = item->state;
    notice.book.was = (uint8_t)was;
    notice.book.reason = (uint8_t)reason;
    notice.book.snapshot = snapshot;
    if (item->sub != 0) {
        const struct kdp_sub *sub = kdp_sub_at(plant->lines, item->sub - 1);

        notice.line = sub->line;
        notice.sid = sub->sid;
        notice.book.owner = snapshot || !lets_go(reason);
    }
    tell(plant, &notice);
}

void
tell_reply(struct kdp_plant *plant, enum kdp_notice_kind kind, const struct kdp_message *msg,
           enum kdp_channel channel)
{
    struct kdp_notice notice = {.kind = kind, .line = plant->input->line};

    if (plant->config.notice == NULL)
        return;
    notice.sid = msg->has_sid ? msg->sid : 0;
    notice.reply.has_id = msg->has_id;
    notice.reply.id = msg->id;
    notice.reply.channel = (uint8_t)channel;
    if (kind == KDP_NOTICE_OK)
        notice.reply.tickers = msg->ok.count;
    if (kind == KDP_NOTICE_ERROR) {
        notice.reply.code = msg->error.code;
        notice.reply.text = msg->error.text;
    }
    tell(plant, &notice);
}

void
tell_gap(struct kdp_plant *plant, enum kdp_notice_kind kind, const struct kdp_sub *sub, uint64_t expected,
         uint64_t seen)
{
    struct kdp_notice notice = {.kind = kind, .line = sub->line, .sid = sub->sid};

    if (plant->config.notice == NULL)
        return;
    notice.gap.channel = sub->channel;
    notice.gap.expected = expected;
    notice.gap.seen = seen;
    tell(plant, &notice);
}

void
tell_trade(struct kdp_plant *plant, const struct kdp_message *msg)
{
    struct kdp_notice notice = {.kind = KDP_NOTICE_TRADE, .line = plant->input->line};

    if (plant->config.notice == NULL)
        return;
    notice.sid = msg->has_sid ? msg->sid : 0;
    notice.trade.exch_ns = msg->exch_ns;
    tell(plant, &notice);
}
