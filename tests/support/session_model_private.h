/* session_model_private.h - what the two files of the model share: session_model.c runs it, session_model_exchange.c is the
 * exchange that answers commands and requests. */
#ifndef KDP_SESSION_MODEL_PRIVATE_H
#define KDP_SESSION_MODEL_PRIVATE_H

#include "session_model.h"

enum event_kind { EVENT_UP, EVENT_REFUSED, EVENT_REPLY, EVENT_SNAPSHOT, EVENT_ANSWER, EVENT_PONG };
struct model_event {
    int64_t at_ns;
    uint64_t order;
    uint8_t kind, reply; /* enum kdp_notice_kind */
    uint16_t line;
    uint32_t epoch, sid, market, tickers;
    int64_t id;
    int code;
    uint8_t channel;
    uint64_t request;
    char *path;
};

#define MODEL_CHANNELS 5u
extern const char *const model_channels[MODEL_CHANNELS];

bool model_chance(struct model *m, uint32_t in_thousand);
struct kdp_text model_text(const char *words);
void model_names(const struct model *m, uint32_t market, char event[32], char series[32]);
void model_tell_market(struct model *m, uint32_t index, bool listed);
void model_tell_book(struct model *m, uint32_t index, uint8_t state, uint8_t reason, bool snapshot,
                     bool owner);
struct model_sub *model_sub_by_sid(struct model *m, uint16_t line, uint32_t sid);
void model_sub_end(struct model *m, uint16_t line, struct model_sub *sub, uint8_t reason);
bool model_speaks(const struct model_line *line);
void model_reply(struct model *m, uint16_t line, uint8_t kind, int64_t id, uint32_t sid, unsigned channel,
                 int code);
void model_snapshot(struct model *m, uint16_t line, uint32_t sid, uint32_t market);
void model_command(struct model *m, uint16_t line, const char *json);
void model_answer_get(struct model *m, const struct model_event *event);

#endif
