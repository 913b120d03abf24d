# SPDX-License-Identifier: MIT
"""What is asked of a server, and the questions that this answers."""
import sys

# Where sessions come from: an address has some 28,000 ports, which short sessions
# use up within a second, and what is measured then is the search for the next one:
# of model_epoll_threads --threads 2 15,000 sessions a second, where 35,000 were
# possible (teller-load --session 1 --threads 2 --duration 3, without --source and
# with 16 of them). Linux has all of 127.0.0.0/8 by itself.
SOURCES = [f"127.0.0.{i}" for i in range(2, 10)]


def sources(session):
    return ({"source": ",".join(SOURCES)}
            if session and sys.platform == "linux" else {})


class Workload:
    """Options of teller-load, beside `idle` connections that are silent.

    What a workload shall do more (a time to think, say) is one more option.
    One that thinks has no latency in the open loop, which knows no thinking.
    """

    def __init__(self, name, title, idle=0, connections=50, **more):
        self.name = name
        self.title = title
        self.idle = idle
        self.load = {"connections": connections, **more,
                     **sources(more.get("session", 0))}
        if not self.streams:  # which has no messages
            self.load = {"size": 64, "depth": 1, **self.load}

    @property
    def streams(self):
        return self.load.get("mode") == "stream"

    @property
    def session(self):
        return self.load.get("session", 0)

    @property
    def thinks(self):
        return "think" in self.load

    @property
    def open_together(self):
        """Connections that stay open together. Of sessions none: those wait that
        cannot be served yet."""
        return self.idle + (0 if self.session else self.load["connections"])

    @property
    def unit(self):
        return "MiB" if self.streams else "round trip"


def by_name(workloads):
    return {workload.name: workload for workload in workloads}


SPEED = by_name([
    Workload("64x50", "64 B × 50"),
    Workload("64x1000", "64 B × 1,000", connections=1000),
    # To think bounds the rate: what is compared is CPU and latency.
    Workload("think1", "64 B × 1,000, thinking 1 ms", connections=1000,
             think="1ms"),
    Workload("think10", "64 B × 1,000, thinking 10 ms", connections=1000,
             think="10ms"),
    Workload("16kx50", "16 KiB × 50", size=16384),
    Workload("depth16", "64 B × 50, depth 16", depth=16),
    Workload("session1", "sessions of 1, 50 at a time", session=1),
    Workload("session10", "sessions of 10, 50 at a time", session=10),
    Workload("session100", "sessions of 100, 50 at a time", session=100),
    Workload("session1000", "sessions of 1,000, 50 at a time", session=1000),
    Workload("stream10", "stream × 10", connections=10, mode="stream"),
    Workload("idle10000", "10,000 idle connections, 50 busy ones", idle=10000),
])
QUICK = ("64x50", "16kx50", "session1")
QUICK_COUNTED = ("64x50", "session1")

CROSSING_SESSIONS = (1, 10, 100, 1000, 10000)
CROSSING_CONNECTIONS = (1, 16, 64, 256, 1024, 4096)
CROSSING = by_name(
    Workload(f"session{session}x{connections}",
             f"sessions of {session:,}, {connections:,} at a time",
             session=session, connections=connections)
    for session in CROSSING_SESSIONS for connections in CROSSING_CONNECTIONS)
CROSSING_SERVERS = ("thread", "thread_pool", "epoll", "epoll_threads",
                    "teller-echo")

SILENT = (100, 1000, 10000, 19000)
QUICK_SILENT = (1000,)

# Each measurement belongs to one of these.
QUESTIONS = {
    "speed": "How fast is each server?",
    "crossing": "1. Where do the lines cross?",
    "slow": "2. What does a slow customer cost?",
    "scaling": "3. How does it scale?",
    "memory": "4. What does an open, silent connection cost in memory?",
    "layers": "5. What does libuv cost, and teller over it?",
    "sharing": "6. How evenly are connections shared?",
    "buffers": "How large shall the read buffer be?",
    "profile": "Where does the CPU go?",
    "goals": "Speeds to reach",
}
