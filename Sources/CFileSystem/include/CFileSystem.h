#ifndef C_FILE_SYSTEM_H
#define C_FILE_SYSTEM_H

#include <stdint.h>

/// Asks a file system that copies on write (btrfs) to overwrite this file in place; the file must be empty still. Where
/// there is no such attribute nothing happens.
/// Returns 0, or the error number of a file system that has the attribute and did not take it.
int kv_disable_copy_on_write(int descriptor);

/// Where the first byte of a file lies on the device, after a sync of its data (Documentation/filesystems/fiemap.rst of
/// Linux).
/// Returns 0 and sets `offset`, or -1 when the file system does not say it, or the byte has no place of its own.
int kv_physical_offset(int descriptor, uint64_t *offset);

/// The number that `statfs` gives the file system which holds an open file (linux/magic.h).
/// Returns 0 and sets `number`, or -1.
int kv_file_system_number(int descriptor, uint64_t *number);

#endif
