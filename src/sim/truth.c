/* truth.c - the simulator's own list of its trades, for tests to compare with: not through REST, and told where the tiers part. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"
#include "setting.h"

static void
put_row(const struct kdp_sim *sim, const struct kdp_exchange_trade *trade, bool json, struct sim_text *text)
{
    size_t len;
    const char *ticker = sim_market_ticker(sim, trade->market, &len);
    bool yes = trade->taker_side == KDP_SIDE_YES;

    if (json) {
        sim_lit(text, "{\"trade_id\":\"");
        sim_put_uuid(text, trade->trade_id);
        sim_lit(text, "\",\"ticker\":");
        sim_put_json(text, ticker, len);
        sim_lit(text, ",\"yes_price\":\"");
        sim_put_price(text, trade->yes_price_e4);
        sim_lit(text, "\",\"count\":\"");
        sim_put_size(text, trade->count_e2);
        sim_puts(text, yes ? "\",\"taker\":\"yes\"" : "\",\"taker\":\"no\"");
        sim_puts(text, trade->block ? ",\"block\":true,\"time_ns\":" : ",\"block\":false,\"time_ns\":");
        sim_put_int(text, trade->time_ns);
        sim_lit(text, "}\n");
        return;
    }
    sim_put_uuid(text, trade->trade_id);
    sim_lit(text, ",");
    sim_put(text, ticker, len);
    sim_lit(text, ",");
    sim_put_price(text, trade->yes_price_e4);
    sim_lit(text, ",");
    sim_put_size(text, trade->count_e2);
    sim_puts(text, yes ? ",yes," : ",no,");
    sim_puts(text, trade->block ? "true," : "false,");
    sim_put_int(text, trade->time_ns);
    sim_lit(text, "\n");
}

/* Everything from from_ns on and before to_ns, oldest first; into a file when there is one, else into the reply. */
static int
write_trades(const struct kdp_sim *sim, FILE *file, bool json, int64_t from_ns, int64_t to_ns,
             struct sim_text *reply)
{
    uint64_t count = 0, blocks = 0, historical = 0, total = sim_trade_count(sim);
    int64_t cutoff_ns = sim_cutoff_ns(sim), sum_e2 = 0, cash_e6 = 0;
    struct sim_text text = {0};

    if (file != NULL && !json)
        sim_lit(&text, "trade_id,ticker,yes_price,count,taker,block,time_ns\n");
    for (uint64_t n = sim_trade_from(sim, from_ns); n < total; n++) {
        struct kdp_exchange_trade trade;

        if (!sim_trade_at(sim, n, &trade))
            continue; /* forgotten */
        if (trade.time_ns >= to_ns)
            break;
        count++;
        blocks += trade.block;
        historical += trade.time_ns < cutoff_ns;
        sum_e2 += trade.count_e2;
        cash_e6 += trade.count_e2 * trade.yes_price_e4;
        put_row(sim, &trade, json, file != NULL ? &text : reply);
        if (file != NULL && text.len > 1u << 20) {
            fwrite(text.data, 1, text.len, file);
            text.len = 0;
        }
    }
    if (file == NULL)
        return 0;
    if (text.len > 0) /* of nothing there is no memory */
        fwrite(text.data, 1, text.len, file);
    sim_text_free(&text);
    if (fflush(file) != 0 || ferror(file) != 0)
        return -1;
    sim_putf(reply, "{\"trades\":%llu,\"historical\":%llu,\"blocks\":%llu,\"contracts\":\"",
             (unsigned long long)count, (unsigned long long)historical, (unsigned long long)blocks);
    sim_put_size(reply, sum_e2);
    sim_lit(reply, "\",\"dollars_e6\":");
    sim_put_int(reply, cash_e6);
    sim_lit(reply, "}\n");
    return 0;
}

static const char *
word(const char *at, char *buf, size_t size) /* the next one; where the rest begins */
{
    size_t len = strcspn(at, " ");

    buf[0] = 0;
    if (len < size) {
        memcpy(buf, at, len);
        buf[len] = 0;
    }
    return at + len + strspn(at + len, " ");
}

static int
read_time(const char *text, int64_t fallback, int64_t *outp)
{
    char *end;
    long long ns = strtoll(text, &end, 10);

    *outp = fallback;
    if (text[0] == 0)
        return 0;
    if (*end == 0 && end - text > 11) { /* nanoseconds, as these lines have them */
        *outp = ns;
        return 0;
    }
    if (kdpi_time_parse(text, strlen(text), outp) != 0)
        return kdpi_fail(KDP_EUSAGE, "trades: not a time: %s", text);
    return 0;
}

int
sim_truth(const struct kdp_sim *sim, const char *line, struct sim_text *reply)
{
    char path[1024], from[64], to[64];
    int64_t from_ns = 0, to_ns;
    size_t len;
    FILE *file;
    int rc;

    line = word(line, path, sizeof path);
    if (path[0] == 0 || path[strspn(path, "0123456789")] == 0) /* no file, only since when */
        return (rc = read_time(strcmp(path, "0") == 0 ? "" : path, 0, &from_ns)) != 0
                   ? rc
                   : write_trades(sim, NULL, true, from_ns, INT64_MAX, reply);
    word(word(line, from, sizeof from), to, sizeof to);
    if ((rc = read_time(from, 0, &from_ns)) != 0 || (rc = read_time(to, INT64_MAX, &to_ns)) != 0)
        return rc;
    len = strlen(path);
    file = fopen(path, "we");
    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    rc = write_trades(sim, file, !(len > 4 && strcmp(path + len - 4, ".csv") == 0), from_ns, to_ns, reply);
    if (fclose(file) != 0 || rc != 0)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    return 0;
}

/* cutoff [+SPAN | TIME | now]: says where the tiers part, after it has moved on. */
int
sim_cutoff_line(struct kdp_sim *sim, const char *line, struct sim_text *reply)
{
    int64_t at_ns = sim_cutoff_ns(sim), ns = 0;

    if (line[0] == '+') {
        if (kdpi_parse_span(line + 1, &ns) != 0 || ns < 0)
            return kdpi_fail(KDP_EUSAGE, "cutoff: not a span of time: %s", line);
    } else if (strcmp(line, "now") == 0) {
        ns = sim->now_ns - at_ns;
    } else if (line[0] != 0) {
        if (kdpi_time_parse(line, strlen(line), &ns) != 0)
            return kdpi_fail(KDP_EUSAGE, "cutoff: neither a time nor +SPAN nor now: %s", line);
        ns -= at_ns;
        if (ns < 0)
            return kdpi_fail(KDP_EUSAGE, "the cutoff never goes back");
    }
    sim_cutoff_move(sim, ns);
    sim_put_time(reply, sim_cutoff_ns(sim), 0);
    reply->data[--reply->len] = '\n'; /* instead of its last quote */
    memmove(reply->data, reply->data + 1, reply->len);
    return 0;
}
