"""Which number of event loops is best on so many cores: kv-service on 1, 2, 4 cores, and with a quota of one core."""

import os

from . import servers
from .processes import Group
from .rounds import Contender, interleave, note, ratio
from .stores import entries

CONTROL_GROUPS = "/sys/fs/cgroup"


class Quota:
    """A control group that may use one core's time on all cores, if one can be made."""

    def __init__(self):
        if os.path.exists(f"{CONTROL_GROUPS}/cgroup.controllers"):
            self.group, self.limits = f"{CONTROL_GROUPS}/txlog-kv-bench", {"cpu.max": "100000 100000"}
        else:  # version 1
            self.group = f"{CONTROL_GROUPS}/cpu/txlog-kv-bench"
            self.limits = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}

    def __enter__(self):
        try:
            os.makedirs(self.group, exist_ok=True)
            for name, text in self.limits.items():
                with open(f"{self.group}/{name}", "w", encoding="ascii") as file:
                    file.write(text)
            self.usable = True
        except OSError as error:
            note(f"no control group with a quota can be made here: {error}")
            self.usable = False
        return self

    @property
    def wrapper(self):
        return ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs && exec "$@"', "in-quota"]

    def __exit__(self, *_):
        if self.usable:
            os.rmdir(self.group)


def limits(quota):
    """What a server may use: a name, how it is started, and how wrk is, on other cores if there are some."""
    cores = sorted(os.sched_getaffinity(0))
    for count in (1, 2, 4):
        if count <= len(cores):
            mine, others = cores[:count], cores[count:]
            yield (f"{count} {'core' if count == 1 else 'cores'} of {len(cores)}",
                   ["taskset", "-c", ",".join(map(str, mine))],
                   ["taskset", "-c", ",".join(map(str, others))] if others else [])
    if quota.usable and len(cores) > 1:
        yield f"quota of 1 core on {len(cores)}", quota.wrapper, []


def measure(context):
    rows, results = [], {}
    with Quota() as quota:
        for name, wrapper, wrk_wrapper in limits(quota):
            context.wrk.wrapper = wrk_wrapper
            found = measure_limit(context, name, wrapper)
            results.update(found)
            rows += rows_of(name, found)
    context.wrk.wrapper = ()
    return rows, results




def measure_limit(context, name, wrapper):
    folder = context.fresh("event-loops")
    with Group() as group:
        cases = []
        for loops in (1, 2, 4)[:max(2, os.cpu_count().bit_length())]:
            kv = group.add(servers.filled_kv_service(
                context.programs, folder, entries(), f"kv-service-{loops}",
                arguments=["--event-loops", str(loops)], wrapper=wrapper))
            for operation in ("get", "set"):
                cases.append(Contender(f"{name}: {operation}, loops={loops}", lambda kv=kv, operation=operation:
                                       context.wrk.run(kv.port, operation, 64), [kv]))
        return interleave(sorted(cases, key=lambda case: case.name), context.rounds)


def rows_of(name, results):
    cases = [case for case in results if case.startswith(name)]
    rows = []
    for operation in ("get", "set"):
        one = f"{name}: {operation}, loops=1"
        for case in cases:
            if operation in case and case != one:
                rows += [ratio(f"{case} / loops=1", results, case, one, field) for field in ("rate", "p99", "cpu")]
    return rows
