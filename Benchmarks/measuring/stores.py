"""Stores that are full when their server starts: a log by `txlog import`, an append-only file for Redis."""

import os
import subprocess

from .processes import LAST_BYTES, Failure

KEYS = 100_000
VALUE_BYTES = 100
# Prime to every power of ten, so that `number * STRIDE % count` visits each number once.
STRIDE = 7_368_787


def entries(count=KEYS, value_bytes=VALUE_BYTES, digits=12, scattered=False):
    """Keys and values as bytes: keys ascend, or are scattered over the whole range."""
    for number in range(count):
        if scattered:
            number = number * STRIDE % count
        yield b"key:%0*d" % (digits, number), b"%0*d" % (value_bytes, number)


def chunks(parts, count=5_000):
    gathered = []
    for part in parts:
        gathered.append(part)
        if len(gathered) == count:
            yield b"".join(gathered)
            gathered.clear()
    yield b"".join(gathered)


def import_log(programs, folder, made):
    """Makes a log in `folder` with these entries, and returns the folder."""
    errors = f"{folder}.log"
    command = [os.path.join(programs, "txlog"), "import", folder, "-", "--format", "ndjson"]
    with open(errors, "wb") as log, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log) as tool:
        try:
            for chunk in chunks(b'{"key":"%s","value":"%s"}\n' % entry for entry in made):
                tool.stdin.write(chunk)
            tool.stdin.close()
        except BrokenPipeError:
            pass
        if tool.wait(timeout=300) != 0:
            with open(errors, encoding="utf-8", errors="replace") as log:
                raise Failure(f"txlog import ended with {tool.returncode}:\n{log.read()[-LAST_BYTES:]}")
    return folder


def append_only_file(folder, made):
    """Makes a folder for Redis with an append-only file of these entries, and returns the folder."""
    os.makedirs(folder)
    with open(os.path.join(folder, "appendonly.aof"), "wb") as file:
        file.write(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
        for chunk in chunks(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value)
                            for key, value in made):
            file.write(chunk)
    return folder
