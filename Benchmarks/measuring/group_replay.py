"""How fast kv-service and Redis read their logs back, and the memory that they then have."""

import os
import re
import shutil

from . import servers
from .rounds import at_least, at_most, note, ratio, row
from .stores import append_only_file, entries, import_log

SIZES = (1_000_000, 10_000_000)
# Keys of 15 bytes, as in earlier tables.
DIGITS = 11


def measure_service(context, folder, data, count):
    server = servers.kv_service(context.programs, folder, data=data)
    try:
        seconds = server.document("/admin")["replay"]["duration_seconds"]
        return figures(server, seconds, count)
    finally:
        server.stop()


def measure_redis(folder, data, count):
    server = servers.Redis(folder, data)
    try:
        # The last one: with several files each has its own line before it.
        with open(server.log, encoding="utf-8", errors="replace") as log:
            seconds = float(re.findall(r"DB loaded from append only file: ([0-9.]+) seconds", log.read())[-1])
        return figures(server, seconds, count)
    finally:
        server.stop()


def figures(server, seconds, count):
    resident, most = server.resident_bytes()
    server.stop()
    server.forget_output()
    return {"seconds": seconds, "seconds_per_million": seconds / count * 1e6,
            "bytes_per_entry": resident / count, "most_bytes_per_entry": most / count}


def measure(context):
    results = {}
    for count in SIZES:
        for order in ("in order", "scattered"):
            measure_store(context, results, count, order)
    return rows_of(results), results


def measure_store(context, results, count, order):
    folder = context.fresh("replay")
    note(f"replay: {count:,} entries, keys {order}")

    def made():
        return entries(count, digits=DIGITS, scattered=order == "scattered")

    log = import_log(context.programs, os.path.join(folder, "kv"), made())
    redis = append_only_file(os.path.join(folder, "redis-data"), made())
    for number in range(context.rounds):
        for name in ("kv-service", "Redis") if number % 2 == 0 else ("Redis", "kv-service"):
            found = (measure_service(context, folder, log, count) if name == "kv-service"
                     else measure_redis(folder, redis, count))
            results.setdefault(f"{name} {count} {order}", []).append(found)
            note(f"round {number + 1} of {context.rounds}: {name}: {found['seconds']:.2f} s, "
                 f"{found['bytes_per_entry']:.0f} bytes per entry")
    shutil.rmtree(folder)


def rows_of(results):
    rows = []
    for count in SIZES:
        for order in ("in order", "scattered"):
            pair = (f"kv-service {count} {order}", f"Redis {count} {order}")
            case = f"{count:,} entries, keys {order} / Redis"
            rows.append(ratio(case, results, *pair, "bytes_per_entry", at_most(0.65)))
            # How many times as fast: the peer's time divided by ours.
            faster = [theirs["seconds"] / ours["seconds"] for ours, theirs in zip(results[pair[0]], results[pair[1]])]
            shown = ratio(case, results, *pair, "seconds_per_million")
            target = at_least(6) if count == SIZES[0] else None
            rows.append({**row(case, "replay, times as fast", sorted(faster)[len(faster) // 2], target, faster),
                         "ours": shown["ours"], "peer": shown["peer"]})
    for order in ("in order", "scattered"):
        rows.append(ratio(f"kv-service: replay of {SIZES[1]:,} entries, keys {order} / of {SIZES[0]:,}", results,
                          f"kv-service {SIZES[1]} {order}", f"kv-service {SIZES[0]} {order}", "seconds_per_million",
                          at_most(1.15)))
    return rows
