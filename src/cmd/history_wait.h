/* history_wait.h - opens the history writer for a command that a person waits for.
 *
 * The lake's child of a live run holds the writer's lock for the few seconds in which it files the terms of a listing; who comes then
 * waits, at most wait_ns, and says so once. */
#ifndef KDPI_HISTORY_WAIT_H
#define KDPI_HISTORY_WAIT_H

#include "command.h"
#include "history.h"

#define KDP_HISTORY_WAIT_NS (INT64_C(10) * 1000000000)

/* kdp_history_open_waiting: as kdp_history_open; -KDP_EBUSY after wait_ns, -KDP_ESTOPPED by Ctrl-C meanwhile. */
int kdp_history_open_waiting(const struct kdp_cli *cli, struct kdp_history **historyp,
                             const struct kdp_history_config *config, int64_t wait_ns);

#endif
