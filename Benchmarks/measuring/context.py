"""What every group of cases gets: where the programs are, how long to measure, where data goes."""

import os
import shutil
from dataclasses import dataclass, field

from .load import RedisBenchmark, Wrk


@dataclass
class Context:
    programs: str
    before: str | None
    """Folder of an older build, or none."""
    rounds: int
    seconds: int
    quick: bool
    folder: str
    plots: dict = field(default_factory=dict)
    """The SVG files of the group, by name."""

    def __post_init__(self):
        self.wrk = Wrk(self.folder, self.seconds)
        self.redis_benchmark = RedisBenchmark(self.seconds)

    def fresh(self, name):
        """An empty folder on the file system that is measured."""
        path = os.path.join(self.folder, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path
