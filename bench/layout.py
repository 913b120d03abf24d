# SPDX-License-Identifier: MIT
"""Which processors the server has, and which its load."""
import os
import shutil

from programs import Trouble


class Layout:
    """`cores` processors are the server's. The others are teller-load's, which
    has a thread more than the server where it can, so that it is not what is
    measured. Are there not enough of them, or no taskset, all share all."""

    def __init__(self, cores, processors=None):
        mine = sorted(os.sched_getaffinity(0) if processors is None
                      else processors)
        self.cores = cores
        self.pinned = (len(mine) > cores and
                       shutil.which("taskset") is not None)
        self.server = mine[:cores] if self.pinned else mine
        self.client = mine[cores:] if self.pinned else mine
        if cores > len(mine):
            raise Trouble(f"{cores} cores for the server: there are {len(mine)}")
        most = cores + 1 if self.pinned else cores
        self.client_threads = min(len(self.client), most)

    def on_server(self):
        return self._taskset(self.server)

    def on_client(self):
        return self._taskset(self.client)

    def _taskset(self, processors):
        if not self.pinned:
            return []
        return ["taskset", "-c", ",".join(map(str, processors))]

    def __str__(self):
        if not self.pinned:
            return (f"{self.cores} for the server, but processors "
                    f"{self.server} are shared with teller-load "
                    f"({threads(self.client_threads)})")
        return (f"the server on {self.server}, teller-load on {self.client} "
                f"({threads(self.client_threads)})")


def threads(count):
    return f"{count} thread{'s' if count > 1 else ''}"
