/* asker_fixture.c - see asker_fixture.h. */
#include "asker_fixture.h"

#include <stdio.h>
#include <string.h>

#include "kdp_test.h"

struct net_server *server;
struct kdp_asker *asker;
char url[64];

void
open_both(net_handler handler, struct kdp_asker_config config)
{
    server = net_server_open(handler, NULL, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/trade-api/v2", net_server_port(server));
    config.base_url = url;
    if (config.pace_percent == 0)
        config.pace_percent = 1;
    if (config.tokens_per_s == 0 && config.signer == NULL)
        config.tokens_per_s = INT64_MAX;
    CHECK_INT(kdp_asker_open(&asker, &config), 0);
}

void
close_both(void)
{
    kdp_asker_close(asker);
    net_server_close(server);
}

void
put(struct net_conn *conn, const char *text)
{
    net_send(conn, text, strlen(text));
}
