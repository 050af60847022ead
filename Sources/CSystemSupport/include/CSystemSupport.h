#ifndef CSYSTEMSUPPORT_H
#define CSYSTEMSUPPORT_H

#include <pthread.h>
#include <time.h>

/// `pthread_cond_clockwait` with CLOCK_MONOTONIC, a GNU extension that Swift's module of glibc lacks.
int cs_condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline);

/// The number of processors that the calling thread may use (`sched_getaffinity`, which respects `taskset` and a
/// cpuset); 0 if unknown.
int cs_processor_count(void);

/// Loads the memory at `address` into the processor's caches while the caller goes on. The address need not be valid.
static inline void cs_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
