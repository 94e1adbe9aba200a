/* sequence.h - connections, their subscriptions, and one sequence counter for each.
 *
 * seq counts per (connection, sid) over all markets of the subscription and its control replies
 * (docs/exchange.md 4.4); a new connection starts sids and seqs again, so a subscription belongs to one
 * (line, epoch) and dies with it.  Pure memory, one thread, no allocation after open.  What a gap means for
 * books is the plant's business. */
#ifndef KDPI_SEQUENCE_H
#define KDPI_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_SUBS_MAX 8192u /* over all lines at one time */
#define KDP_PENDING_MAX 16 /* subscribe commands per line whose replies are awaited */

enum kdp_seq_verdict {
    KDP_SEQ_NEXT,      /* the number expected */
    KDP_SEQ_GAP,       /* numbers are missing before it */
    KDP_SEQ_DUPLICATE, /* seen already: to be dropped whole */
    KDP_SEQ_RESTART    /* a recording without connection marks: this is a new connection's first message */
};

enum kdp_channel {
    KDP_CHANNEL_UNKNOWN,
    KDP_CHANNEL_BOOK,
    KDP_CHANNEL_TICKER,
    KDP_CHANNEL_TRADE,
    KDP_CHANNEL_LIFECYCLE,
    KDP_CHANNEL_OTHER,
    KDP_CHANNELS
};
const char *kdpi_channel_name(enum kdp_channel channel);
enum kdp_channel kdpi_channel_of(const char *name, size_t len);

enum kdp_leg { /* the scale on which NO prices come */
               KDP_LEG_UNSAID,
               KDP_LEG_NO,
               KDP_LEG_YES
};

struct kdp_sub { /* one subscription; the fields below the line belong to the plant */
    uint32_t sid, epoch;
    uint16_t line;
    bool started;   /* a sequenced message was seen */
    bool announced; /* its subscribed reply came, and no sequenced message since */
    uint64_t last;  /* last seq seen */
    uint32_t hash_next;
    uint32_t line_next, line_prev; /* subscriptions of one line, index + 1 */
    /* ---- */
    uint8_t channel;           /* enum kdp_channel */
    uint8_t leg;               /* enum kdp_leg */
    uint32_t first_instrument; /* books it owns: head of a list of instrument ids */
    uint32_t books;
    uint32_t gap;     /* its open gap in the plant's table + 1, 0: none */
    uint32_t repeats; /* numbers seen before, one after the other */
};

struct kdp_line {
    uint32_t epoch; /* 0: never connected */
    bool connected;
    bool marked; /* its connections are marked in the input, so a new one is never guessed */
    uint8_t leg; /* enum kdp_leg: what the last subscribe command for books said */
    uint8_t pending_next;
    uint32_t first_sub; /* index + 1 */
    uint32_t last_sub;  /* index + 1 of the one used last: a cache */
    uint32_t gap;       /* the plant's: the open gap that ends when it is up again, + 1 */
    bool resumed;       /* the plant's: what the pause before this run cost was told */
    struct {
        int64_t id;
        uint8_t leg;
    } pending[KDP_PENDING_MAX];
};

struct kdp_lines;
struct kdp_lines *kdp_lines_open(void);
void kdp_lines_close(struct kdp_lines *lines);
struct kdp_line *kdp_lines_at(struct kdp_lines *lines, uint16_t line);
/* kdp_lines_end is beyond the highest line ever asked for: the rest never had a connection. */
uint32_t kdp_lines_end(const struct kdp_lines *lines);

/* kdp_sub_find gives the subscription of a line's present epoch, made when it is new (data may overtake its
 * subscribed reply); NULL when the table is full. */
struct kdp_sub *kdp_sub_find(struct kdp_lines *lines, uint16_t line, uint32_t sid);
struct kdp_sub *kdp_sub_at(struct kdp_lines *lines, uint32_t index); /* index as kdp_sub_index gives it */
uint32_t kdp_sub_index(const struct kdp_lines *lines, const struct kdp_sub *sub);
void kdp_sub_free(struct kdp_lines *lines, struct kdp_sub *sub);

/* kdp_sub_track takes the seq of the next message; snapshot says that it is a book snapshot.  After GAP and
 * RESTART the subscription stands at seq.  The first number of a subscription must be 1 when its birth was
 * seen (connection mark or subscribed reply); the tail of a recording may begin anywhere.  *expectedp gets
 * the number expected. */
enum kdp_seq_verdict kdp_sub_track(const struct kdp_line *line, struct kdp_sub *sub, uint64_t seq,
                                   bool snapshot, uint64_t *expectedp);

/* The leg of NO prices: a subscribe command for books is remembered by id until its reply names the sid; data
 * that overtake their reply have what the last command said. */
void kdp_line_command(struct kdp_line *line, int64_t id, enum kdp_leg leg);
enum kdp_leg kdp_line_reply_leg(const struct kdp_line *line, bool has_id, int64_t id);

#endif
