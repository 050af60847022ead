"""Programs that a bench starts: their output, the CPU and memory of all their processes, and waits with a limit."""

import os
import re
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
# How much a person needs of a program that ended early.
LAST_BYTES = 2_000


class Failure(Exception):
    """Something could not be measured; the text says what happened and where."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, seconds, **options):
    """Runs a command to its end and returns its standard output. It is killed after so many seconds."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{command[0]} did not end within {seconds:.0f} s") from error
    except OSError as error:
        raise Failure(f"{command[0]} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-LAST_BYTES:]}")
    return done.stdout


def wait_until(condition, seconds, what):
    """Returns the first result of the condition that is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not after {seconds} s")
        time.sleep(0.02)
    return result


def cpu_seconds_of(pid):
    """User and system time of a process so far, and of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def resident_bytes_of(pid):
    """Now, and the most so far."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        text = status.read()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) * 1024 for name in ("VmRSS", "VmHWM"))


class Process:
    """A running program, its output in a file, with the processes that it starts."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        # Appended, so that `forget_output` can empty the file while the program writes.
        with open(self.log, "ab") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, **(environment or {})})
            except OSError as error:
                raise Failure(f"{command[0]} cannot be started: {error.strerror}") from error
        self.pid = self.process.pid

    def last_output(self):
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - LAST_BYTES))
            return log.read().decode(errors="replace")

    def forget_output(self):
        """Access lines of one run are of no use to the next, and would fill the disk."""
        os.truncate(self.log, 0)

    def check_running(self):
        if (code := self.process.poll()) is not None:
            raise Failure(f"{self.name} ended with {code}, its last output:\n{self.last_output()}")

    def wait_until(self, condition, seconds=60, what="ready"):
        def ended_or_true():
            self.check_running()
            return condition()

        try:
            return wait_until(ended_or_true, seconds, f"{self.name} {what}")
        except Failure as error:
            if self.process.poll() is not None:
                raise
            raise Failure(f"{error}, its last output:\n{self.last_output()}") from error

    def stop(self, seconds=60):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)

    def pids(self):
        """The program itself and all processes below it."""
        found = [self.pid]
        for pid in found:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                        found += [int(child) for child in children.read().split()]
            except FileNotFoundError:  # it has ended meanwhile
                continue
        return found

    def cpu_seconds(self):
        """User and system time so far, with that of all processes below it, ended ones too."""
        seconds = 0.0
        for pid in self.pids():
            try:
                seconds += cpu_seconds_of(pid)
            except FileNotFoundError:  # it has ended meanwhile, and its CPU time is its parent's
                continue
        return seconds

    def resident_bytes(self):
        """Now, and the most so far."""
        return resident_bytes_of(self.pid)


class Group:
    """Processes that are stopped together, the last one first."""

    def __init__(self):
        self.processes = []

    def add(self, process):
        self.processes.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
