"""Sets while every sync takes 2 ms longer, for both servers alike."""

import os

from . import servers
from .processes import Failure, Group, run
from .rounds import Contender, at_least, interleave, ratio
from .stores import entries

MILLISECONDS = 2


def slow_sync(folder):
    """The environment with which a program's syncs are slow."""
    library = os.path.abspath(os.path.join(folder, "slow_sync.so"))
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_sync.c")
    run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], 60)
    return {"LD_PRELOAD": library, "SLOW_SYNC_MICROSECONDS": str(MILLISECONDS * 1000)}


def measure(context):
    folder = context.fresh("slow-disk")
    environment = slow_sync(folder)
    with Group() as group:
        kv = group.add(servers.filled_kv_service(context.programs, folder, entries(), environment=environment))
        redis = group.add(servers.filled_redis(folder, entries(), environment))
        for name, figures in (("kv-service", context.wrk.run(kv.port, "set", 1)),
                              ("Redis", context.redis_benchmark.run(redis.port, "set", 1))):
            if figures["p50"] < MILLISECONDS:
                raise Failure(
                    f"a single set of {name} takes {figures['p50']:.2f} ms: the delay does not reach its syncs")
        cases = []
        for connections in (64, 256):
            cases += [
                Contender(f"set Redis c={connections}", lambda connections=connections:
                          context.redis_benchmark.run(redis.port, "set", connections), [redis]),
                Contender(f"set kv-service c={connections}", lambda connections=connections:
                          context.wrk.run(kv.port, "set", connections), [kv])]
        results = interleave(cases, context.rounds)
    rows = []
    for connections in (64, 256):
        case = f"set, c={connections}, syncs {MILLISECONDS} ms slower / Redis `always`"
        pair = (f"set kv-service c={connections}", f"set Redis c={connections}")
        rows += [ratio(case, results, *pair, "rate", at_least(1.5)), ratio(case, results, *pair, "p99")]
    return rows, results
