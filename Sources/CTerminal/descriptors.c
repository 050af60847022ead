#define _GNU_SOURCE 1

#include "CTerminal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t terminal_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
    for (size_t index = 0; index < sizeof signals / sizeof signals[0]; index++) sigaddset(&set, signals[index]);
    return set;
}

void ct_block_signals(void) {
    sigset_t set = terminal_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void ct_unblock_signals(void) {
    sigset_t set = terminal_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int ct_signal_descriptor(void) {
    sigset_t set = terminal_signals();
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int ct_next_signal(int descriptor) {
    struct signalfd_siginfo information;
    ssize_t size = read(descriptor, &information, sizeof information);
    return size == sizeof information ? (int)information.ssi_signo : 0;
}

int ct_wake_descriptor(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int ct_memory_file(long size) {
    int file = memfd_create("kvtop", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -1;
    if (ftruncate(file, size) != 0 || fcntl(file, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
        close(file);
        return -1;
    }
    return file;
}
