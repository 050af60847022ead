#ifndef CSYSTEMSUPPORT_H
#define CSYSTEMSUPPORT_H

#include <pthread.h>
#include <time.h>

/// `pthread_cond_clockwait` on CLOCK_MONOTONIC, which is a GNU extension and so not in Swift's view of glibc.
int cs_condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline);

/// How many processors the calling thread may run on (`sched_getaffinity`, which counts what `taskset` and a cpuset
/// leave); 0 when that is not known.
int cs_processor_count(void);

#endif
