"""What wrk found, as numbers: a script for it that prints them behind its own report, and a reader of that."""

import json
import re
from dataclasses import dataclass

# To be appended to a script of wrk's.
DONE = """
function done(summary, latency, requests)
    local errors = summary.errors
    local counts = {}
    for index = 1, #latency do
        local microseconds, count = latency(index)
        counts[index] = string.format("[%d,%d]", microseconds, count)
    end
    print(string.format('FIGURES {"requests":%d,"microseconds":%d,"p99":%d,"broken":%d,"latencies":[%s]}',
        summary.requests, summary.duration, latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.timeout, table.concat(counts, ",")))
end
"""


class NoFigures(Exception):
    """wrk's report is not what it has to be."""


@dataclass
class Figures:
    requests: int
    seconds: float
    p50: float
    p99: float
    """Of the requests that wrk has sent, in seconds, as the median is."""
    corrected_p99: float
    """With those that it would have sent if an answer had not come late, as wrk itself says it."""

    @property
    def rate(self):
        return self.requests / self.seconds


def read(report, connections):
    """The figures of a run with so many connections.

    Raises NoFigures where a connection broke, or an answer took longer than wrk's time-out: wrk leaves such an answer
    out of its latencies, and counts it as an error only.
    """
    found = re.search(r"^FIGURES (.*)$", report, re.M)
    if not found:
        raise NoFigures(f"wrk printed no figures: {report}")
    wrk = json.loads(found[1])
    if wrk["broken"]:
        raise NoFigures(f"wrk had connections that broke, or answers later than its time-out: {report}")
    counts = sent_counts(wrk, connections)
    return Figures(
        wrk["requests"], wrk["microseconds"] / 1e6, quantile(counts, 0.5), quantile(counts, 0.99), wrk["p99"] / 1e6)


def sent_counts(wrk, connections):
    """How many requests took so many microseconds, without those that wrk's correction has added.

    For each latency of at least two mean intervals of a connection it has added that latency less one interval, less
    two, and so on while more than one is left. So from the largest down every count is known to be of requests sent.
    """
    interval = wrk["microseconds"] // (wrk["requests"] // connections)
    counts = dict(wrk["latencies"])
    for latency in range(max(counts), 2 * interval - 1, -1):
        count = counts.get(latency, 0)
        for added in range(latency - interval, interval, -interval) if count else ():
            counts[added] -= count
    if sum(counts.values()) != wrk["requests"] or min(counts.values()) < 0:
        raise NoFigures(f"wrk has sent {wrk['requests']} requests, and its latencies are of {sum(counts.values())}")
    return counts


def quantile(counts, part):
    """In seconds."""
    left = sum(counts.values()) * part
    for latency in sorted(counts):
        left -= counts[latency]
        if left <= 0:
            return latency / 1e6
    raise NoFigures("wrk has no latencies")
