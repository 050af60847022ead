// Loaded with LD_PRELOAD, it makes every sync of a file 2 ms slower, in whatever way the program asks for it.
// SLOW_SYNC_MICROSECONDS changes the time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_a_little(void)
{
    static long microseconds = -1;
    if (microseconds < 0) {
        const char *text = getenv("SLOW_SYNC_MICROSECONDS");
        microseconds = text ? atol(text) : 2000;
    }
    int saved = errno;
    struct timespec rest = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
    errno = saved;
}

static int writes_are_synced(int file)
{
    int flags = fcntl(file, F_GETFL);
    return flags >= 0 && (flags & O_DSYNC);
}

// The function of the C library behind one of ours.
#define NEXT(name)                                                                                                     \
    static __typeof__(name) *next;                                                                                     \
    if (!next)                                                                                                         \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int fdatasync(int file)
{
    NEXT(fdatasync);
    int result = next(file);
    wait_a_little();
    return result;
}

int fsync(int file)
{
    NEXT(fsync);
    int result = next(file);
    wait_a_little();
    return result;
}

// Writes at a place: sockets, which are written without one, cost nothing more.

#define WRITE(name, flags, parameters, arguments)                                                                      \
    ssize_t name parameters                                                                                            \
    {                                                                                                                  \
        NEXT(name);                                                                                                    \
        ssize_t result = next arguments;                                                                               \
        if (((flags) & (RWF_DSYNC | RWF_SYNC)) || writes_are_synced(file))                                             \
            wait_a_little();                                                                                           \
        return result;                                                                                                 \
    }

WRITE(pwrite, 0, (int file, const void *bytes, size_t size, off_t offset), (file, bytes, size, offset))
WRITE(pwrite64, 0, (int file, const void *bytes, size_t size, off64_t offset), (file, bytes, size, offset))
WRITE(pwritev, 0, (int file, const struct iovec *parts, int count, off_t offset), (file, parts, count, offset))
WRITE(pwritev64, 0, (int file, const struct iovec *parts, int count, off64_t offset), (file, parts, count, offset))
WRITE(pwritev2, flags, (int file, const struct iovec *parts, int count, off_t offset, int flags),
      (file, parts, count, offset, flags))
WRITE(pwritev64v2, flags, (int file, const struct iovec *parts, int count, off64_t offset, int flags),
      (file, parts, count, offset, flags))
