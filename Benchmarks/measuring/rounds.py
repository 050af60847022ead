"""Interleaved rounds, and what they say: medians, spreads, and ratios of two contenders in the same rounds."""

import statistics
import sys
from dataclasses import dataclass
from typing import Callable


def note(text):
    print(text, file=sys.stderr, flush=True)


@dataclass
class Contender:
    """One case of a comparison."""

    name: str
    run: Callable
    """Puts load on it and returns its figures: at least `requests`."""
    servers: list
    """Whose CPU time is divided by the requests."""
    others: tuple = ()
    """Who has to be running too."""


def interleave(contenders, rounds):
    """Runs each contender once per round, in alternating order, so that other load on the machine meets all alike.

    Returns the figures of each by its name, with `cpu` in microseconds per request.
    """
    results = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            before = sum(server.cpu_seconds() for server in contender.servers)
            figures = contender.run()
            for server in (*contender.servers, *contender.others):
                server.check_running()
                server.forget_output()
            used = sum(server.cpu_seconds() for server in contender.servers) - before
            figures["cpu"] = used / figures["requests"] * 1e6
            results[contender.name].append(figures)
            note(f"round {number + 1} of {rounds}: {contender.name}: {figures['rate']:,.0f}/s, "
                 f"{figures['cpu']:.1f} µs of CPU"
                 + (f", p99 {figures['p99']:.2f} ms" if "p99" in figures else ""))
    return results


def median(runs, field):
    return statistics.median(run[field] for run in runs)


@dataclass(frozen=True)
class Target:
    """What a value has to be: at most, or at least."""

    sign: str
    limit: float
    digits: int = 2

    def met(self, value):
        """Whether the value, rounded as it is shown, is within the limit."""
        value = round(value, self.digits)
        return value <= self.limit if self.sign == "≤" else value >= self.limit

    def __str__(self):
        return f"{self.sign} {self.limit:.{self.digits}f}"


def at_most(limit, digits=2):
    return Target("≤", limit, digits)


def at_least(limit, digits=2):
    return Target("≥", limit, digits)


FIELDS = {"cpu": ("CPU per request", "µs", 1), "rate": ("rate", "/s", 0), "p99": ("p99", "ms", 2),
          "seconds_per_million": ("replay of a million", "s", 3), "bytes_per_entry": ("resident per entry", "B", 0)}


def ratio(case, results, ours, peer, field, target=None):
    """A row of the table: the median of the rounds' ratios of two contenders."""
    figure, unit, digits = FIELDS[field]
    ratios = [mine[field] / other[field] for mine, other in zip(results[ours], results[peer])]
    return row(case, figure, statistics.median(ratios), target, ratios,
               *(f"{median(results[name], field):,.{digits}f} {unit}" for name in (ours, peer)))


def row(case, figure, value, target=None, values=(), ours="", peer="", unit=""):
    """A row with a value that may have a target. `values` are those of the rounds."""
    return {
        "case": case, "figure": figure, "ours": ours, "peer": peer, "value": round(value, 4), "unit": unit,
        "least": round(min(values, default=value), 4), "most": round(max(values, default=value), 4),
        "target": str(target) if target else "", "met": bool(target.met(value)) if target else None,
    }
