#ifndef C_FILE_SYSTEM_H
#define C_FILE_SYSTEM_H

#include <stdint.h>

/// Requests that a file system that copies on write (btrfs) overwrites this file in place; the file must be empty.
/// Without such an attribute, nothing happens.
/// Returns 0, or the error number if the file system has the attribute but refused it.
int kv_disable_copy_on_write(int descriptor);

/// The position of the first byte of a file on the device, after a sync of its data
/// (Documentation/filesystems/fiemap.rst of Linux).
/// Returns 0 and sets `offset`, or -1 if the file system does not report it, or the byte has no own position.
int kv_physical_offset(int descriptor, uint64_t *offset);

/// The number of the file system of an open file, from `statfs` (linux/magic.h).
/// Returns 0 and sets `number`, or -1.
int kv_file_system_number(int descriptor, uint64_t *number);

#endif
