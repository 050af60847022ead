#include "CGzip.h"

#include <limits.h>
#include <zlib.h>

// 15 bits of window, and 16 for the gzip format instead of zlib's own.
enum { window_bits = 15 + 16, memory_level = 8, header_and_trailer = 18 };

size_t kv_gzip_bound(size_t length) {
    return compressBound(length) + header_and_trailer;
}

size_t kv_gzip(const void *input, size_t length, void *output, size_t capacity, int level) {
    z_stream stream = {0};
    if (length > UINT_MAX || capacity > UINT_MAX) {
        return 0;
    }
    if (deflateInit2(&stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    stream.next_in = (Bytef *)input;
    stream.avail_in = (uInt)length;
    stream.next_out = output;
    stream.avail_out = (uInt)capacity;
    int result = deflate(&stream, Z_FINISH);
    size_t written = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? written : 0;
}
