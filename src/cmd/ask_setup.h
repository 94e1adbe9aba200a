/* ask_setup.h - from a command's settings to an open asker: address, roots, and the key when there is one.
 *
 * The command lists base-url, and of ca-file, api-key, private-key, ws-auth-token and test-pace what it takes. */
#ifndef KDPI_ASK_SETUP_H
#define KDPI_ASK_SETUP_H

#include "asker.h"
#include "command.h"
#include "sign.h"

struct kdp_ask {
    struct kdp_asker *asker;
    struct kdp_signer *signer; /* NULL: unsigned */
    const struct kdp_cli *cli;
};
/* kdp_ask_open reads the settings; nothing is connected yet.  wants: parallel, tokens_per_s, tries, budget, timeout_ns, body_max,
 * stopped and seed as of asker.h, the rest of it is filled in here; NULL: all defaults.  0, or the exit code after the words are said (2:
 * settings are missing or do not fit together, 1: the key or the roots cannot be used). */
int kdp_ask_open(struct kdp_ask *ask, const struct kdp_cli *cli, const struct kdp_asker_config *wants);
/* kdp_ask_close also says, when a key was used, that this clock is off. */
void kdp_ask_close(struct kdp_ask *ask);

/* kdp_ask_address looks at base-url (ws-url with websocket): 0, or 2 after the words are said. */
int kdp_ask_address(const struct kdp_cli *cli, const char *name, bool websocket);
/* kdp_ask_credentials reads key and token: 0, or the exit code after the words are said.  *signerp is NULL when there is no key and
 * none is needed, or when there is a token alone.  A key that is half given is an error in any case. */
int kdp_ask_credentials(const struct kdp_cli *cli, bool needed, struct kdp_signer **signerp);

#endif
