/* bulk_input.h - where kdp preview reads from: a file, standard input, an address, or a day of the exchange's bucket. */
#ifndef KDPI_BULK_INPUT_H
#define KDPI_BULK_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "download.h"
#include "rows.h"
#include "source.h"

struct kdp_bulk_input {
    struct kdp_source *source;
    struct kdp_download *download; /* NULL: a file */
    struct kdp_rows *rows;
    char name[1200]; /* path or address */
    bool plain;      /* a file that can be read again at any place: rows' offsets are its own */
};

/* kdp_bulk_input_open opens what --file, --url or --date with --what say, 0 or an error with words; of --date without either
 * kind of file both addresses were tried.  The caller closes it in any case. */
int kdp_bulk_input_open(struct kdp_bulk_input *input, const struct kdp_cli *cli);
void kdp_bulk_input_close(struct kdp_bulk_input *input);
/* kdp_bulk_input_name gives the last part of the name, without a query. */
void kdp_bulk_input_name(const struct kdp_bulk_input *input, char *buf, size_t size);

#endif
