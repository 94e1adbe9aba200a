/* crc32c.h - CRC-32C (Castagnoli), the checksum of every block and line on disk. */
#ifndef KDPI_CRC32C_H
#define KDPI_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* kdpi_crc32c continues crc (0 at the start) over len bytes; "123456789" gives 0xe3069283.  Uses the
 * processor's instruction where there is one. */
uint32_t kdpi_crc32c(uint32_t crc, const void *bytes, size_t len);
/* kdpi_crc32c_portable is the same without it, for tests and other machines. */
uint32_t kdpi_crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
