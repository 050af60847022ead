"""Load: wrk and redis-benchmark with the same keys and values, and what they found, as numbers.

A key is `key:` and twelve digits, as redis-benchmark makes it; a value is so many times `x`. Keys are chosen at random.
"""

import csv
import io
import json
import os
import re
import sys

from .processes import Failure, run
from .stores import KEYS, VALUE_BYTES

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "Tools"))
import wrk_figures  # noqa: E402


def request_parts(kind, value_bytes):
    """A request before and behind the twelve digits of the key."""
    def with_body(head, before, behind, kind_of_body):
        length = len(before) + 12 + len(behind)
        fields = f"Host: 127.0.0.1\r\nContent-Type: {kind_of_body}\r\nContent-Length: {length}"
        return f"{head} HTTP/1.1\r\n{fields}\r\n\r\n{before}", behind

    value = "x" * value_bytes
    end = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    binary = f"Content-Type: application/octet-stream\r\nContent-Length: {value_bytes}\r\n\r\n{value}"
    kinds = {
        "get": ("GET /kv/get?key=key:", f"{end}\r\n"),
        "set": with_body("POST /kv/set", '{"key":"key:', f'","value":"{value}"}}', "application/json"),
        "put": ("PUT /kv/set?key=key:", end + binary),
        "webdis-get": ("GET /GET/key:", f"{end}\r\n"),
        "webdis-set": ("PUT /SET/key:", end + binary),
        # Both are Base64: a key of 15 bytes, the value as it is.
        "etcd-put": with_body(
            "POST /v3/kv/put", '{"key":"AAAAAAAA', f'","value":"{"eHh4" * (value_bytes // 3)}eA=="}}',
            "application/json"),
    }
    for name in ("get", "set", "put"):
        kinds[f"gateway-{name}"] = (kinds[name][0].replace(" /kv/", " /api/"), kinds[name][1])
    return kinds[kind]


class Wrk:
    """wrk with one thread. Its scripts are made for a kind of request, and kept in a folder."""

    def __init__(self, folder, seconds, wrapper=()):
        self.folder, self.seconds, self.wrapper = folder, seconds, wrapper

    def script(self, kind, keys, value_bytes, pipeline):
        path = os.path.join(self.folder, f"{kind}-{keys}-{value_bytes}-{pipeline}.lua")
        head, tail = request_parts(kind, value_bytes)
        one = f'head .. format("%012d", random(0, {keys - 1})) .. tail'
        with open(path, "w", encoding="ascii") as file:
            file.write(f"local head, tail = {json.dumps(head)}, {json.dumps(tail)}\n"
                       f"local format, random = string.format, math.random\n"
                       f"math.randomseed(1)\n"
                       f"function request() return {' .. '.join([one] * pipeline)} end\n{wrk_figures.DONE}")
        return path

    def command(self, port, kind, connections, keys=KEYS, value_bytes=VALUE_BYTES, pipeline=1, secure=False):
        return [*self.wrapper, "wrk", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "20s", "-s",
                self.script(kind, keys, value_bytes, pipeline), f"http{'s' if secure else ''}://127.0.0.1:{port}"]

    def new_connections(self, server, path, connections):
        """A new connection for each request: the rate in requests per second, without latencies."""
        text = run([*self.wrapper, "wrk", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "20s", "-H",
                    "Connection: close", server.address + path], self.seconds + 60)
        return self.rate(text, path)

    @staticmethod
    def rate(text, kind):
        found = re.search(r"(\d+) requests in .*\n(?:.*\n)*Requests/sec:\s+(\S+)", text)
        if not found or "Socket errors" in text or "Non-2xx" in text:
            raise Failure(f"wrk met errors, or printed no figures ({kind}):\n{text}")
        return {"requests": int(found[1]), "rate": float(found[2])}

    def run(self, port, kind, connections, keys=KEYS, value_bytes=VALUE_BYTES, pipeline=1, secure=False):
        """Rate in requests per second, latencies in milliseconds (of whole pipelines there are none)."""
        text = run(self.command(port, kind, connections, keys, value_bytes, pipeline, secure), self.seconds + 60)
        if "Non-2xx" in text:
            raise Failure(f"wrk met errors ({kind}):\n{text}")
        if pipeline > 1:
            return self.rate(text, kind)
        try:
            figures = wrk_figures.read(text, connections)
        except wrk_figures.NoFigures as error:
            raise Failure(f"{kind}: {error}") from error
        return {"requests": figures.requests, "rate": figures.rate,
                "p50": figures.p50 * 1e3, "p99": figures.p99 * 1e3}


class RedisBenchmark:
    """redis-benchmark, which runs for a number of requests: as many as take about as long as wrk's runs."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.rates = {}

    def run(self, port, operation, connections, keys=KEYS, value_bytes=VALUE_BYTES, pipeline=1):
        """Rate in requests per second, latencies in milliseconds."""
        case = (port, operation, connections, keys, value_bytes, pipeline)
        if case not in self.rates:
            self.once(case, 2_000 + 100 * connections)
            self.once(case, max(1_000, int(self.rates[case] * 0.3)))
        return self.once(case, max(1_000, int(self.rates[case] * self.seconds)))

    def once(self, case, requests):
        port, operation, connections, keys, value_bytes, pipeline = case
        command = ["redis-benchmark", "-p", str(port), "-c", str(connections), "-t", operation, "-r", str(keys), "-d",
                   str(value_bytes), "-P", str(pipeline), "-n", str(requests), "--csv"]
        text = run(command, 20 * self.seconds + 60)
        row = next(csv.DictReader(io.StringIO(text[text.find('"test"'):])), {})
        if "p99_latency_ms" not in row:
            raise Failure(f"redis-benchmark printed no figures:\n{text}")
        self.rates[case] = float(row["rps"])
        return {"requests": requests, "rate": float(row["rps"]),
                "p50": float(row["p50_latency_ms"]), "p99": float(row["p99_latency_ms"])}
