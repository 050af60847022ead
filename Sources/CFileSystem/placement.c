#include "CFileSystem.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

int kv_disable_copy_on_write(int descriptor) {
    int flags = 0;
    if (ioctl(descriptor, FS_IOC_GETFLAGS, &flags) != 0 || (flags & FS_NOCOW_FL) != 0) return 0;
    flags |= FS_NOCOW_FL;
    if (ioctl(descriptor, FS_IOC_SETFLAGS, &flags) == 0) return 0;
    return errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL ? 0 : errno;
}

int kv_physical_offset(int descriptor, uint64_t *offset) {
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } request;
    memset(&request, 0, sizeof request);
    request.map.fm_length = 1;
    request.map.fm_flags = FIEMAP_FLAG_SYNC;
    request.map.fm_extent_count = 1;
    if (ioctl(descriptor, FS_IOC_FIEMAP, &request) != 0 || request.map.fm_mapped_extents != 1) return -1;
    struct fiemap_extent extent;
    memcpy(&extent, request.room + sizeof(struct fiemap), sizeof extent);
    if (extent.fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE)) return -1;
    *offset = extent.fe_physical;
    return 0;
}

int kv_file_system_number(int descriptor, uint64_t *number) {
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0) return -1;
    *number = (uint32_t)status.f_type;
    return 0;
}
