#ifndef C_CHARACTER_WIDTH_H
#define C_CHARACTER_WIDTH_H

#include <stdint.h>

/// The columns that a Unicode character takes on a terminal by the C library's table for UTF-8, whatever the locale of the
/// process is: 0, 1 or 2; -1 when it is not printable, or when the table is not installed. Any thread.
int ccw_columns(uint32_t scalar);

#endif
