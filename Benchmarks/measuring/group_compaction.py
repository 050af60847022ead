"""Sets while a compaction runs all the time, and while none runs, in interleaved rounds."""

import threading
import time
import urllib.error

from . import servers
from .processes import Failure, Group
from .rounds import Contender, at_least, at_most, interleave, note, ratio, row
from .stores import entries

ENTRIES = 1_000_000


class Compactions:
    """Requests one compaction after the other while a load runs, and sees how much of the time one runs."""

    def __init__(self, kv):
        self.kv = kv
        self.over = threading.Event()
        self.samples = []
        self.failure = None
        self.thread = threading.Thread(target=self.loop)

    def loop(self):
        try:
            while not self.over.is_set():
                try:
                    self.kv.document("/admin/compact", b"")
                except urllib.error.HTTPError as error:
                    if error.code != 409:  # 409: one runs already
                        raise
                self.samples.append(servers.metric(self.kv, "kv_compaction_running"))
                self.over.wait(0.05)
        except (OSError, Failure) as error:
            self.failure = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(timeout=60)
        self.kv.wait_until(lambda: servers.metric(self.kv, "kv_compaction_running") == 0, 300, "end of the compaction")

    @property
    def share(self):
        """Of the time, in which a compaction ran."""
        if self.failure or not self.samples:
            raise Failure(f"no compaction could be requested: {self.failure}")
        return sum(self.samples) / len(self.samples)


def measure(context):
    folder = context.fresh("compaction")
    note(f"compaction: {ENTRIES:,} entries")
    with Group() as group:
        # None starts by itself.
        kv = group.add(servers.filled_kv_service(
            context.programs, folder, entries(ENTRIES), arguments=["--compact-min-bytes", "1024GiB"]))

        def with_compactions():
            began = time.monotonic()
            with Compactions(kv) as compactions:
                figures = context.wrk.run(kv.port, "set", 64, keys=ENTRIES)
                figures["seconds"] = time.monotonic() - began
            return {**figures, "share": compactions.share}

        results = interleave([
            Contender("without", lambda: context.wrk.run(kv.port, "set", 64, keys=ENTRIES), [kv]),
            Contender("during", with_compactions, [kv])], context.rounds)
    case = "set, c=64, while compactions run / without"
    shares = [figures["share"] for figures in results["during"]]
    return [ratio(case, results, "during", "without", "p99", at_most(1.25)),
            ratio(case, results, "during", "without", "rate", at_least(0.9)),
            row(case, "share of the time in which one ran", sorted(shares)[len(shares) // 2], None, shares)], results
