#define _GNU_SOURCE 1

#include "CSystemSupport.h"

int cs_condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline) {
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, deadline);
}
