/* download.h - a file of any length read from a server as it comes: constant memory, and a cut is mended.
 *
 * When the connection breaks, or says nothing for stall_ns, the rest is asked for with a Range, on condition that the file is
 * still the same (If-Range with its ETag or date).  A file that changed meanwhile is an error, never a mixture; so is one that a
 * server cannot resume after some tries.  What comes is given as it is: no content coding is asked for.  One thread. */
#ifndef KDPI_DOWNLOAD_H
#define KDPI_DOWNLOAD_H

#include <stddef.h>
#include <stdint.h>

struct kdp_download;
struct kdp_download_config {
    const char *url;      /* http or https */
    const char *ca_file;  /* further roots, NULL: the system's alone */
    int64_t connect_ns;   /* 0: 15 s */
    int64_t stall_ns;     /* so long without a byte is a cut, 0: 30 s */
    unsigned tries;       /* to go on, one after the other without a byte, 0: 5 */
    int64_t wait_ns;      /* before the second of them, doubling, 0: 500 ms */
    int (*stopped)(void); /* asked ten times a second: the caller wants to end; NULL: never */
};
/* kdp_download_open connects and waits for the answer's head: 0, -KDP_ENOENT for 404 and 410, -KDP_EREFUSED for other
 * refusals, -KDP_ENET and the like for no answer, -KDP_ESTOPPED. */
int kdp_download_open(struct kdp_download **downloadp, const struct kdp_download_config *config);
/* kdp_download_read gives up to size bytes: how many, 0 at the end, or an error that says how many bytes were had. */
int64_t kdp_download_read(struct kdp_download *download, void *buf, size_t size);
void kdp_download_close(struct kdp_download *download);
uint64_t kdp_download_size(const struct kdp_download *download);    /* 0: not said */
unsigned kdp_download_resumed(const struct kdp_download *download); /* how often a cut was mended */

#endif
