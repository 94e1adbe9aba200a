/* net_server.h - a small HTTP server on a loopback port, plain or TLS, for tests of what asks one.
 *
 * Each connection has a thread; a test's handler gets one request head at a time and writes the answer's bytes itself, so
 * that it can cut, delay and garble them.  Certificates are made on the spot. */
#ifndef KDP_NET_SERVER_H
#define KDP_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_server;
struct net_conn;

/* A handler answers one request and says whether the connection is kept.  It may run on several threads at once. */
typedef bool (*net_handler)(void *arg, struct net_conn *conn, const char *head);

/* net_server_open listens on 127.0.0.1; cert and key NULL: plain. */
struct net_server *net_server_open(net_handler handler, void *arg, const char *cert_file,
                                   const char *key_file);
/* net_server_close ends every connection and joins its threads. */
void net_server_close(struct net_server *server);
uint16_t net_server_port(const struct net_server *server);
unsigned net_server_connections(struct net_server *server); /* accepted so far */
unsigned net_server_requests(struct net_server *server);

void net_send(struct net_conn *conn, const void *bytes, size_t len);
/* net_answer sends a whole answer: "200 OK", further header lines ("" or "Name: value\r\n"...), a body. */
void net_answer(struct net_conn *conn, const char *status, const char *headers, const char *body);
/* net_reset makes the end of this connection a TCP RST. */
void net_reset(struct net_conn *conn);
/* net_wait_gone blocks until the client is gone or the server closes. */
void net_wait_gone(struct net_conn *conn);
unsigned net_number(const struct net_conn *conn); /* of the connection, from 0 */
/* net_target copies the request target ("/a?b=c") of a head. */
void net_target(const char *head, char *buf, size_t size);
/* net_header copies a header's value, "" when it is not there; false then. */
bool net_header(const char *head, const char *name, char *buf, size_t size);

/* net_certificates writes ca.pem, cert.pem and key.pem into dir: a root called ca_name and a certificate of it for host (a
 * name, with 127.0.0.1 when host is localhost) from days_from to days_to, in days from now. */
void net_certificates(const char *dir, const char *ca_name, const char *host, int days_from, int days_to);

#endif
