#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

static char *none[] = {NULL};
static char **kept = none;

char **process_arguments(void) { return kept; }

static void occupy_standard_streams(void) {
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        // It gets the lowest free number, which is this one. The root exists even without /dev, and opened as a path it
        // allows no input or output. If this fails, it cannot be reported, because there may be no stream.
        if (open("/", O_PATH) < 0) _exit(EX_OSERR);
    }
}

static void end_process(int number) { _exit(128 + number); }

// The kernel drops a signal to the first process of a PID namespace, such as a container's, if its action is the
// default one. So it would not end on SIGTERM before the service handles it, nor a command on Ctrl-C at all.
static void take_signals_as_first_process(void) {
    if (getpid() != 1) return;
    const int numbers[] = {SIGINT, SIGTERM};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL) continue;
        action.sa_handler = end_process;
        (void)sigaction(numbers[i], &action, NULL);
    }
}

// glibc passes the arguments of main to constructors. Swift's CommandLine reads /proc/self/cmdline instead, and is
// empty if /proc is not mounted.
__attribute__((constructor)) static void start_process(int count, char **arguments, char **environment) {
    (void)count;
    (void)environment;
    if (arguments != NULL) kept = arguments;
    occupy_standard_streams();
    // A write beyond a limit of the file size then fails with EFBIG, and does not end the program.
    signal(SIGXFSZ, SIG_IGN);
    take_signals_as_first_process();
}
