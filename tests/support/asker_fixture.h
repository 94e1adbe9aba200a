/* asker_fixture.h - an asker and a server that answers it as a test wants. */
#ifndef ASKER_FIXTURE_H
#define ASKER_FIXTURE_H

#include "asker.h"
#include "net_server.h"

extern struct net_server *server;
extern struct kdp_asker *asker;
extern char url[64]; /* the server's base address */

/* open_both: waits take a hundredth of theirs unless config says otherwise; without a signer there is no budget. */
void open_both(net_handler handler, struct kdp_asker_config config);
void close_both(void);
void put(struct net_conn *conn, const char *text);

#endif
