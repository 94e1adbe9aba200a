/* sim_fixture.h - a simulator on a thread of its own and a client that keeps books, for tests of the server.
 *
 * The client is as plain as can be: it applies what comes, in order, and remembers what a test asks about. */
#ifndef KDP_SIM_FIXTURE_H
#define KDP_SIM_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "message.h"
#include "server.h"
#include "ws_connect.h"

struct sim_fixture {
    struct kdp_sim_config config;
    struct kdp_sim *sim;
    pthread_t thread;
    _Atomic bool stop;
    char dir[512], base[64], url[128];
};
/* sim_start opens the simulator in a folder of the test's own and serves it; config.exchange, faults and so on are set before. */
void sim_start(struct sim_fixture *fixture);
void sim_stop(struct sim_fixture *fixture);
/* sim_tell sends a control line and fails the test when it is refused; the answer is the caller's. */
char *sim_tell(struct sim_fixture *fixture, const char *line);

#define SIM_BOOKS_MAX 2048
struct sim_book {
    char ticker[201];
    int64_t size_e2[2][10001]; /* by price in its leg: YES bids, NO bids */
    bool seen;
    uint64_t snapshots, deltas;
};
struct sim_client {
    struct kdp_ws_connected link;
    struct kdp_ws_connect how;
    struct kdp_tls_context *context;
    struct kdp_signer *signer;
    struct kdp_decoder *decoder;
    bool yes_price;
    struct sim_book *books; /* of the markets in the order in which they were first seen */
    uint32_t book_count;
    uint64_t seq[16], gaps, missed, negative, refused, trades, tickers, lives, events, unknown, frames;
    uint64_t kinds[KDP_MESSAGE_KINDS];
    int64_t error_code, last_id; /* of the last error; of the last reply or snapshot with an id */
    uint32_t last_sid;
    uint64_t records; /* reads that gave bytes */
    bool closed;
    uint16_t close_code;
    char last_text[4096]; /* the last frame that is no data */
};
/* sim_connect connects with the RSA key (or ed25519): 0, or the error of kdp_ws_connect. */
int sim_connect(struct sim_client *client, struct sim_fixture *fixture, bool ed25519, bool deflate);
void sim_disconnect(struct sim_client *client);
void sim_send(struct sim_client *client, const char *text);
/* sim_read takes what comes within ms; the number of frames. */
unsigned sim_read(struct sim_client *client, int ms);
/* sim_until reads until *counter has reached want; false after ten seconds. */
bool sim_until(struct sim_client *client, const uint64_t *counter, uint64_t want);
struct sim_book *sim_book_of(struct sim_client *client, const char *ticker);
/* sim_tickers writes the first count tickers of the simulator as JSON strings with commas. */
void sim_tickers(struct sim_fixture *fixture, unsigned count, char *buf, size_t size);

#endif
