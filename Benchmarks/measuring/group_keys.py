"""Gets and sets with 10,000,000 keys beside the same with 100,000."""

from . import servers
from .processes import Group
from .rounds import Contender, at_least, interleave, note, ratio
from .stores import entries

FEW, MANY = 100_000, 10_000_000


def measure(context):
    folder = context.fresh("keys")
    with Group() as group:
        cases = []
        for keys in (FEW, MANY):
            note(f"keys: {keys:,} entries")
            kv = group.add(servers.filled_kv_service(
                context.programs, folder, entries(keys, scattered=True), f"kv-service-{keys}"))
            for operation in ("get", "set"):
                cases.append(Contender(f"{operation} {keys} keys", lambda kv=kv, operation=operation, keys=keys:
                                       context.wrk.run(kv.port, operation, 64, keys=keys), [kv]))
        results = interleave(sorted(cases, key=lambda case: case.name), context.rounds)
    rows = []
    for operation in ("get", "set"):
        for field, target in (("rate", at_least(0.85)), ("cpu", None), ("p99", None)):
            rows.append(ratio(f"{operation} with {MANY:,} keys / with {FEW:,}", results, f"{operation} {MANY} keys",
                              f"{operation} {FEW} keys", field, target))
    return rows, results
