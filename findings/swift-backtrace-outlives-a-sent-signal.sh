#!/usr/bin/env bash
# Swift 6.3.1 on Linux: a program that gets SIGSEGV or SIGABRT from kill(1) reports a crash and then goes on running.
#
# Expected: with SWIFT_BACKTRACE=enable=yes a fatal signal ends a program, after its report, as without backtraces. A
#   supervisor that sends SIGABRT or SIGSEGV to a program that hangs (systemd's watchdog does, for a core dump) gets rid
#   of it.
# Seen: the handler prints "Program crashed" and the backtraces, puts the default action back and returns. The default
#   action is meant to be taken when the instruction that faulted faults again; after a signal from outside nothing
#   faults, so the program continues where it was. The same signal a second time ends it. abort() in the program itself
#   does end it, and so does a real fault.
# Why it matters: a test that kills a service in this way waits for ever, and a supervisor that sends one signal and
#   waits takes the program for stuck. Send SIGKILL after the report, or leave backtraces off (a program that is linked
#   statically finds no swift-backtrace, so it ends at once).
#
# Output seen:
#   SEGV: 1 report, then running; the second one: 139
#   ABRT: 1 report, then running; the second one: 134
#   without backtraces, SEGV: 139
#
# Needs swiftc. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
program=
trap 'if [ -n "$program" ]; then kill -KILL "$program" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
cd "$folder"
cat > ticks.swift <<'SWIFT'
import Glibc
setvbuf(stdout, nil, _IOLBF, 0)
// For a minute at most.
for tick in 0..<600 {
    print("tick \(tick)")
    usleep(100_000)
}
SWIFT
swiftc ticks.swift -o ticks

wait_for() { # COMMAND...: up to 60 s
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "not after a minute: $*"
    exit 1
}
start() { # SETTINGS: of SWIFT_BACKTRACE
    : > output
    SWIFT_BACKTRACE=$1 ./ticks > output 2>&1 &
    program=$!
    wait_for grep -q "tick 1" output
}
reported() { grep -q "Backtrace took" output; }
ticks() { grep -c "^tick" output; }
went_on() { [ "$(ticks)" -gt "$1" ]; }

outcome() { # SIGNAL
    start enable=yes,color=no,symbolicate=off
    kill -"$1" "$program"
    wait_for reported
    wait_for went_on "$(ticks)"
    kill -"$1" "$program"
    local code=0
    wait "$program" || code=$?
    program=
    echo "$1: $(grep -c "Program crashed" output) report, then running; the second one: $code"
}
segv=$(outcome SEGV)
abrt=$(outcome ABRT)
start enable=no
kill -SEGV "$program"
none=0
wait "$program" || none=$?
program=
printf '%s\n%s\n' "$segv" "$abrt"
echo "without backtraces, SEGV: $none"
[ "$segv" = "SEGV: 1 report, then running; the second one: 139" ] \
    && [ "$abrt" = "ABRT: 1 report, then running; the second one: 134" ] && [ "$none" = 139 ]
