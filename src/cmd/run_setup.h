/* run_setup.h - what can be said about the settings of kdp run before anything is opened or asked. */
#ifndef KDPI_RUN_SETUP_H
#define KDPI_RUN_SETUP_H

#include "command.h"
#include "sign.h"

/* kdp_run_credentials reads key and token: 0, or the exit code after the words are said (2: settings are missing or do not fit
 * together, 1: the key cannot be used).  *signerp is NULL when there is a token and no key. */
int kdp_run_credentials(const struct kdp_cli *cli, struct kdp_signer **signerp);
/* kdp_run_keyless says that a key is not used, should there be one; *signerp keeps the exchange's clock and signs nothing. */
int kdp_run_keyless(const struct kdp_cli *cli, struct kdp_signer **signerp);
/* kdp_run_addresses looks at base-url and, but for --keyless, ws-url: 0 or 2. */
int kdp_run_addresses(const struct kdp_cli *cli);
/* kdp_run_names looks up the hosts of both: 0, or 1 when one has no address, which is a slip in a setting far more often than
 * a network that will come.  Later in the run a name that is gone is asked for again. */
int kdp_run_names(const struct kdp_cli *cli);
/* kdp_run_rings makes the default sizes of the rings fit what /dev/shm has (64 MB in most containers), with a notice; sizes that
 * were given are left alone. */
void kdp_run_rings(struct kdp_cli *cli);

#endif
