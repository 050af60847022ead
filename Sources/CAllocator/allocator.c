#include "CAllocator.h"

#include <malloc.h>
#include <sys/resource.h>

/// If the address space is limited, all memory comes from one pool: the C library would create more, each for some
/// threads and each reserving 64 MiB. Before `main`, because the first of them is created with the second thread.
__attribute__((constructor)) static void use_one_pool(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < (rlim_t)8 << 30) mallopt(M_ARENA_MAX, 1);
}

void allocator_give_back(void) { malloc_trim(0); }
