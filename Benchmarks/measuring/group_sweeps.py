"""Rate and p99 over the number of connections, the size of values and the number of keys, as plots."""

import statistics

from . import servers
from .plots import plot, short
from .processes import Group
from .rounds import Contender, interleave, note
from .stores import KEYS, VALUE_BYTES, entries

CONNECTIONS = (1, 4, 16, 64, 256, 1024)
SIZES = (16, 64, 256, 1024, 4096, 16_384, 65_536)
KEY_COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
# There are many points.
LONGEST_RUN_SECONDS = 2
# What a store of large values may hold.
STORE_BYTES = 128 << 20


def contenders(context, kv, redis, nginx, connections=64, keys=KEYS, size=VALUE_BYTES):
    wrk, redis_benchmark = context.wrk, context.redis_benchmark
    cases = []
    for operation in ("set", "get"):
        cases += [
            Contender(f"kv-service {operation}", lambda operation=operation:
                      wrk.run(kv.port, operation, connections, keys, size), [kv]),
            Contender(f"Redis {operation}", lambda operation=operation:
                      redis_benchmark.run(redis.port, operation, connections, keys, size), [redis])]
    if nginx:
        cases.append(Contender("nginx get", lambda: wrk.run(nginx.port, "get", connections, keys, size), [nginx]))
    return cases


def over_connections(context):
    folder = context.fresh("sweep-connections")
    with Group() as group:
        kv = group.add(servers.filled_kv_service(context.programs, folder, entries()))
        redis = group.add(servers.filled_redis(folder, entries()))
        nginx = group.add(servers.nginx_static(folder, VALUE_BYTES))
        for connections in CONNECTIONS:
            note(f"sweep: {connections} connections")
            yield connections, interleave(contenders(context, kv, redis, nginx, connections), context.rounds)


def over_sizes(context):
    for size in SIZES:
        note(f"sweep: values of {size} bytes")
        folder = context.fresh("sweep-sizes")
        keys = min(KEYS, STORE_BYTES // size)
        with Group() as group:
            kv = group.add(servers.filled_kv_service(context.programs, folder, entries(keys, size)))
            redis = group.add(servers.filled_redis(folder, entries(keys, size)))
            nginx = group.add(servers.nginx_static(folder, size))
            yield size, interleave(contenders(context, kv, redis, nginx, keys=keys, size=size), context.rounds)
    context.fresh("sweep-sizes")


def over_keys(context):
    for keys in KEY_COUNTS:
        note(f"sweep: {keys:,} keys")
        folder = context.fresh("sweep-keys")
        with Group() as group:
            kv = group.add(servers.filled_kv_service(context.programs, folder, entries(keys, scattered=True)))
            redis = group.add(servers.filled_redis(folder, entries(keys, scattered=True)))
            yield keys, interleave(contenders(context, kv, redis, None, keys=keys), context.rounds)
    context.fresh("sweep-keys")


def draw(context, name, label, points, names_of_x):
    for field, y_label, logarithmic in (("rate", "requests per second", False), ("p99", "p99 in ms", True)):
        series = {}
        for x, results in points:
            for case, runs in results.items():
                values = [run[field] for run in runs]
                series.setdefault(case, []).append((x, statistics.median(values), min(values), max(values)))
        title = f"{'Rate' if field == 'rate' else 'p99'} over {label}"
        context.plots[f"{field}-over-{name}.svg"] = plot(title, label, y_label, series, names_of_x, logarithmic)


def measure(context):
    results = {}
    for name, label, sweep in (("connections", "connections", over_connections),
                               ("value-bytes", "bytes of a value (64 connections)", over_sizes),
                               ("keys", "keys (64 connections)", over_keys)):
        points = list(sweep(context))
        draw(context, name, label, points, {x: short(x) if name == "keys" else f"{x}" for x, _ in points})
        for x, found in points:
            results.update({f"{case}, {name} {x}": runs for case, runs in found.items()})
    return [], results
