/* exchange_recorded.c - recordings as a source of the exchange. */
#include "exchange_private.h"

#include "error.h"

int
exchange_recorded_open(struct kdp_exchange *ex)
{
    return kdpi_fail(KDP_EUSAGE, "no recording can be served: %s", ex->config.inputs[0]);
}

void
exchange_recorded_close(struct kdp_exchange *ex)
{
    (void)ex;
}

int64_t
exchange_recorded_due(const struct kdp_exchange *ex)
{
    (void)ex;
    return INT64_MAX;
}

int
exchange_recorded_step(struct kdp_exchange *ex)
{
    (void)ex;
    return 0;
}

size_t
exchange_recorded_memory(const struct kdp_exchange *ex)
{
    (void)ex;
    return 0;
}

const char *
exchange_recorded_ticker(const struct recorded_market *rec, size_t *lenp)
{
    (void)rec;
    *lenp = 0;
    return "";
}

void
exchange_recorded_look(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out)
{
    (void)ex, (void)index, (void)out;
}

void
exchange_recorded_cancel(struct kdp_exchange *ex, uint32_t index)
{
    (void)ex, (void)index;
}

void
exchange_recorded_ticks(struct kdp_exchange *ex, uint32_t index)
{
    (void)ex, (void)index;
}

void
exchange_recorded_trade(struct kdp_exchange *ex, uint32_t index)
{
    (void)ex, (void)index;
}
