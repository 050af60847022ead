#define _GNU_SOURCE 1

#include "CSystemSupport.h"

#include <errno.h>
#include <sched.h>

int cs_processor_count(void) {
    // The kernel refuses a set that is smaller than its own (EINVAL); the largest possible one of Linux has 8,192.
    for (int processors = CPU_SETSIZE; processors <= 65536; processors *= 2) {
        cpu_set_t *set = CPU_ALLOC(processors);
        if (set == NULL) return 0;
        const size_t bytes = CPU_ALLOC_SIZE(processors);
        const int failure = sched_getaffinity(0, bytes, set) == 0 ? 0 : errno;
        const int count = failure == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (failure != EINVAL) return count;
    }
    return 0;
}
