#ifndef C_CHECKSUM_H
#define C_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc`; begin with 0.
/// Uses the CPU's instruction where there is one (SSE4.2, ARMv8 CRC), else a table.
uint32_t kv_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The table form alone, for comparing the two.
uint32_t kv_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

/// Whether `kv_crc32c` runs on the CPU's own instruction.
int kv_crc32c_is_accelerated(void);

#endif
