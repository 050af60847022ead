#!/usr/bin/env bash
# libfaketime 0.9.10 (Debian 12: 0.9.10-2.1) moves the deadlines of condition variables that wait by CLOCK_MONOTONIC,
# although it is told to leave the monotonic clock alone.
#
# Expected: with DONT_FAKE_MONOTONIC=1 only the wall clock is shifted. clock_gettime(CLOCK_MONOTONIC) keeps to that, so a
#   pthread_cond_timedwait of one second on a condition whose attribute is CLOCK_MONOTONIC (pthread_condattr_setclock)
#   ends after one second, whatever the offset.
# Seen: it ends at once, for an offset of +3h and of -3h alike: the deadline is shifted although the clock is not.
#   pthread_cond_clockwait, which names its clock in the call, is not touched and ends after one second.
# Why it matters: a program that is right looks wrong when a stepped wall clock is tried on it with this tool; loops that
#   wait so spin. Try it with pthread_cond_clockwait, or with a clock that is really set.
#
# Output seen (glibc 2.36):
#   without: timedwait 1.0 s, clockwait 1.0 s
#   +3h: timedwait 0.0 s, clockwait 1.0 s
#   -3h: timedwait 0.0 s, clockwait 1.0 s
#
# Needs gcc and apt-get. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet=2 libfaketime=0.9.10-2.1
dpkg-deb --extract libfaketime_*.deb package
library=$(find "$folder/package" -name libfaketimeMT.so.1)

cat > wait.c <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(void) {
    pthread_condattr_t attribute;
    pthread_cond_t condition;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec deadline;
    pthread_condattr_init(&attribute);
    pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
    pthread_cond_init(&condition, &attribute);
    pthread_mutex_lock(&mutex);
    double began = seconds();
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += 1;
    pthread_cond_timedwait(&condition, &mutex, &deadline);
    double timed = seconds() - began;
    began = seconds();
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += 1;
    pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &deadline);
    printf("timedwait %.1f s, clockwait %.1f s\n", timed, seconds() - began);
}
C
gcc -o wait wait.c -pthread

seen=$(
    echo "without: $(./wait)"
    for offset in +3h -3h; do
        echo "$offset: $(LD_PRELOAD=$library FAKETIME=$offset DONT_FAKE_MONOTONIC=1 timeout 20 ./wait)"
    done
)
echo "$seen"
expected="without: timedwait 1.0 s, clockwait 1.0 s
+3h: timedwait 0.0 s, clockwait 1.0 s
-3h: timedwait 0.0 s, clockwait 1.0 s"
[ "$seen" = "$expected" ]
