#ifndef C_GZIP_H
#define C_GZIP_H

#include <stddef.h>

/// Maximum number of bytes that `kv_gzip` writes for `length` bytes.
size_t kv_gzip_bound(size_t length);

/// Compresses `length` bytes into one member of the gzip format (RFC 1952), with zlib's level 1 to 9.
/// Returns the number of bytes written to `output`; 0 if there is no memory or `capacity` is below the bound.
size_t kv_gzip(const void *input, size_t length, void *output, size_t capacity, int level);

#endif
