/* ws_peer.h - the other end of a WebSocket, for tests: a thread that listens on a free port of 127.0.0.1, answers upgrades and
 * plain requests, and does what a test's script says.  Blocking, plain TCP, one thread for each connection. */
#ifndef KDP_WS_PEER_H
#define KDP_WS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws.h"

struct ws_peer;
struct ws_talk; /* one connection after its upgrade */

struct ws_peer_config {
    /* after the upgrade of the nth connection, from 1; returning ends it with a close of TCP */
    void (*serve)(struct ws_talk *talk, unsigned n, void *arg);
    /* a request that is no upgrade: fills body, returns the status; NULL: 404 */
    int (*answer)(const char *target, char *body, size_t size, void *arg);
    int refuse; /* status of upgrades, 0: accepted */
    bool mute;  /* takes connections and says nothing at all */
    void *arg;
};
struct ws_peer *ws_peer_open(const struct ws_peer_config *config);
uint16_t ws_peer_port(const struct ws_peer *peer);
void ws_peer_close(struct ws_peer *peer); /* ends all connections, waits for their threads */

/* These end the talk (false) when the connection is over. */
bool ws_talk_put(struct ws_talk *talk, enum kdp_ws_kind kind, const void *data, size_t len);
bool ws_talk_close(struct ws_talk *talk, uint16_t code, const char *reason);
/* ws_talk_next waits for a message; data is valid until the next call. */
bool ws_talk_next(struct ws_talk *talk, struct kdp_ws_message *message);
void ws_talk_reset(struct ws_talk *talk);                                /* a TCP RST at the end */
void ws_talk_bytes(struct ws_talk *talk, const void *bytes, size_t len); /* as they are */

#endif
