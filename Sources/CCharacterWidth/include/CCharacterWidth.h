#ifndef C_CHARACTER_WIDTH_H
#define C_CHARACTER_WIDTH_H

#include <stdint.h>

/// The number of columns of a Unicode character on a terminal by the C library's table for UTF-8, independent of the
/// locale of the process: 0, 1 or 2; -1 if it is not printable, or if the table is not installed. Any thread.
int ccw_columns(uint32_t scalar);

#endif
