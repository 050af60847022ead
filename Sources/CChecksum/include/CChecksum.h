#ifndef C_CHECKSUM_H
#define C_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc`; begin with 0.
/// Uses the CPU's instruction if it has one (SSE4.2, ARMv8 CRC), else a table.
uint32_t kv_crc32c(uint32_t crc, const void *bytes, size_t length);

/// Only the table version, to compare the two.
uint32_t kv_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

/// Whether `kv_crc32c` uses the CPU's instruction.
int kv_crc32c_is_accelerated(void);

#endif
