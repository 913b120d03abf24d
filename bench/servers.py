# SPDX-License-Identifier: MIT
"""The servers that are measured: kinds of them, and running ones.

teller-echo, the models of this build tree, and the peers of bench/peers and of
bench/proxies.py. A peer that is not here is None: it is named and left out, by
whoever asks.
"""
import copy
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import processes
import summary
from programs import (ROOT, Fault, Server, Trouble, exit_status,
                      telling_pid)

PEERS = ROOT / "bench" / "peers"
START_LIMIT = 10  # seconds until a server listens, and
STOP_LIMIT = 10   # until it has ended
BUILD_LIMIT = 300  # until a peer is built


class Kind:
    """One of the servers.

    command(port, options, cores) starts it; `cores` (least, most) are how many
    threads it can make use of, `most` how many connections it serves together,
    both None for any number, and `limit` what of this machine that is, if it is.
    `silent`: it does not say where it listens, and cannot find a port. `behind`:
    the kind of server that it is in front of, whose port is its first option.
    `stopped`: its exit status after SIGTERM. `model`: it is one of bench/models,
    with their options, and `ways` are those of its --balance. `apart`: only for questions that say so.
    """

    def __init__(self, name, command, version, *, cores=(1, None), most=None,
                 limit=None, silent=False, behind=None, stopped=0, model=False,
                 ways=(), apart=False):
        self.name = name
        self.command = command
        self.version = version
        self.cores = cores
        self.most = most
        self.limit = limit
        self.silent = silent
        self.behind = behind
        self.stopped = stopped
        self.model = model
        self.ways = ways
        self.apart = apart

    def by_way(self):
        """A kind for each way to balance, or only itself."""
        for way in self.ways:
            one = copy.copy(self)
            one.name = f"{self.name} {way}"
            one.command = (lambda port, options, cores, way=way: self.command(
                port, ("--balance", way, *options), cores))
            yield one
        if not self.ways:
            yield self

    def again(self):
        """The same, as a control."""
        one = copy.copy(self)
        one.name = summary.control(self.name)
        return one

    def uses(self, cores):
        least, most = self.cores
        return least <= cores and (most is None or cores <= most)


class Running(Server):
    """with Running(kind) as server: a process of one of the servers.

    `pinned` is a command to run it under; so is `counted`, which makes it a child
    of its own, whose pid is self.pid.
    """

    def __init__(self, kind, *options, port=0, descriptors=None, cores=1,
                 pinned=(), counted=()):
        self.behind = None
        if kind.behind is not None:
            self.behind = Running(kind.behind, cores=cores, pinned=pinned)
            options = (self.behind.port, *options)
        if kind.silent and port == 0:
            port = free_port()
        command = [str(word) for word in kind.command(port, options, cores)]
        self.line = [*pinned, *command]  # as told
        if counted:
            command = [*counted, *telling_pid(command)]
        self.errors = tempfile.TemporaryFile()
        try:
            super().__init__(
                [*pinned, *command], stderr=self.errors,
                preexec_fn=None if descriptors is None else lambda:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors,) * 2))
        except Trouble:
            self._let_go()
            raise
        try:
            if counted:
                self.pid = int(self.process.stdout.readline() or 0)
            self.port = port if kind.silent else self._told_port()
            if kind.silent:
                self._await_port()
        except (ValueError, OSError, Fault) as error:
            self.end()
            raise Fault(f"{kind.name} did not start: {error}") from error
        self.address = f"127.0.0.1:{self.port}"
        # What it prints later must not fill a pipe.
        self.told = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.told.append(line)

    def _told_port(self):
        for line in self.process.stdout:
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
            if found:
                return int(found.group(1))
        raise Fault(self.complaint())

    def _await_port(self):
        until = time.monotonic() + START_LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if (self.process.poll() is not None or
                        time.monotonic() > until):
                    raise Fault(self.complaint()) from None
                time.sleep(0.01)

    def stop(self, connections=0):
        """Asks it to end, which may take longer the more connections it had.
        Returns its exit status, as Popen has it, and what it and those it waited
        for have used in all (getrusage); None, None if it does not end."""
        until = time.monotonic() + STOP_LIMIT + connections / 1000
        self.ask_to_stop()
        while time.monotonic() < until:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.process.returncode = exit_status(status)
                return self.process.returncode, usage
            time.sleep(0.002)
        return None, None

    def end(self):
        try:
            self._kill()  # its children too, which may have outlived it
        except ProcessLookupError:
            pass
        if hasattr(self, "reader"):
            self.reader.join()
        super().end()
        self._let_go()

    def _let_go(self):
        self.errors.close()
        if self.behind is not None:
            self.behind.end()

    def cpu(self):
        """Seconds of CPU so far."""
        return processes.cpu(self.pid)

    def memory(self):
        """Resident bytes."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def complaints(self):
        """Bytes it has written to stderr."""
        return os.fstat(self.errors.fileno()).st_size

    def complaint(self):
        """The end of them."""
        self.errors.seek(max(0, self.complaints() - 1000))
        lines = self.errors.read().decode(errors="replace").split("\n")
        return " ".join(lines[-3:]).strip() or "it ended and said nothing"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# --- ours ---------------------------------------------------------------------


def teller(folder, name="teller", *more, **how):
    program = Path(folder) / "src" / "echo" / "teller-echo"
    return Kind(name, lambda port, options, cores=2: [
        program, "--listen", f"127.0.0.1:{port}", "--loops", cores, *more,
        *options], output_of(program, "--version").split()[1], **how)


def tasks_most():
    """Processes or threads that this machine lets one server have, about."""
    most = [resource.getrlimit(resource.RLIMIT_NPROC)[0]]
    for name in ("pid_max", "threads-max"):
        try:
            most.append(int(Path(f"/proc/sys/kernel/{name}").read_text()))
        except OSError:
            pass
    known = [n for n in most if n != resource.RLIM_INFINITY]
    return max(1, min(known) - 1000) if known else None  # others have some


# What bounds who has a process or a thread for each connection.
OF_TASKS = {"most": tasks_most(), "limit": "of processes and threads"}
OF_DESCRIPTORS = "of descriptors"
POOL = 64  # threads of model_thread_pool unless told otherwise
MODELS = {  # what is not so of all of them
    "iterative": {"most": 1, "cores": (1, 1)},
    "thread_pool": {"most": POOL},
    # A set has room for 1,024 descriptors.
    "select": {"most": 1000, "cores": (1, 1)},
    "accept_and_io": {"cores": (1, 2)},
    "epoll_threads": {"cores": (2, None), "ways": ("reuseport", "exclusive")},
    "epoll_shared": {"cores": (2, None)},
    # Serves as teller-echo does, and is measured where that cannot be.
    "teller": {"apart": True, "ways": ("least", "rr", "reuseport")},
    "fork": OF_TASKS, "thread": OF_TASKS,
}
WITH_THREADS = ("epoll_threads", "epoll_shared", "teller")


def models(folder):
    """Those that were built, by name."""
    found = {}
    for program in sorted((Path(folder) / "bench" / "models").glob("model_*")):
        if program.is_file() and os.access(program, os.X_OK):
            name = program.stem[len("model_"):]
            found[name] = model(name, program)
    return found


def model(name, program):
    def command(port, options, cores):
        threads = ["--threads", cores] if name in WITH_THREADS else []
        return [program, "--listen", f"127.0.0.1:{port}", *threads, *options]
    return Kind(name, command, output_of(program, "--version").split()[1],
                model=True, **MODELS.get(name, {"cores": (1, 1)}))


# --- others -------------------------------------------------------------------


def output_of(*command):
    """What it prints; "" if there is no such program, or it fails."""
    try:
        done = subprocess.run([str(word) for word in command], text=True,
                              stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def build_once(program, source, command, limit, **how):
    """Whether there is such a program now, and newer than its source; in trouble
    after `limit` seconds."""
    if is_newer(program, source):
        return True
    program.parent.mkdir(parents=True, exist_ok=True)
    try:
        building = subprocess.Popen(
            [str(word) for word in command], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **how)
    except OSError:
        return False
    try:
        return building.wait(limit) == 0
    except subprocess.TimeoutExpired:
        os.killpg(building.pid, signal.SIGKILL)  # those it has started, too
        building.wait()
        raise Trouble(f"it takes more than {limit:.0f} s to build, which is all "
                      "the time there is") from None


def is_newer(program, source):
    return (program.exists() and
            program.stat().st_mtime > source.stat().st_mtime)


def compiled(name, source, compiler, library, version, folder, limit):
    """A peer to be compiled, on one thread; None: it cannot be."""
    program = Path(folder) / name
    if not build_once(program, PEERS / source, [
            *compiler, "-O2", "-o", program, PEERS / source, *library], limit):
        return None
    found = subprocess.run([*compiler, "-E", "-P", "-"], text=True,
                           capture_output=True, input=version)
    lines = found.stdout.split("\n")
    number = "".join(lines[-2].split()).strip('"') if len(lines) > 1 else "?"
    return Kind(name, lambda port, options, cores=1: [program, port], number,
                cores=(1, 1))


def libevent(folder, limit=BUILD_LIMIT):
    return compiled("libevent", "libevent_echo.c", ["cc", "-xc"], ["-levent"],
                    "#include <event2/event-config.h>\nEVENT__VERSION\n",
                    folder, limit)


def libev(folder, limit=BUILD_LIMIT):
    return compiled("libev", "libev_echo.c", ["cc", "-xc"], ["-lev"],
                    "#include <ev.h>\nEV_VERSION_MAJOR.EV_VERSION_MINOR\n",
                    folder, limit)


def asio(folder, limit=BUILD_LIMIT):
    kind = compiled("asio", "asio_echo.cpp", ["c++", "-xc++"], ["-lpthread"],
                    "#include <asio/version.hpp>\nASIO_VERSION\n", folder,
                    limit)
    if kind is not None and kind.version.isdigit():
        number = int(kind.version)  # 102201: 1.22.1
        kind.version = (f"{number // 100000}.{number // 100 % 1000}."
                        f"{number % 100}")
    return kind


def node(*_):
    program = shutil.which("node") or shutil.which("nodejs")
    if program is None:
        return None
    return Kind("node", lambda port, options, cores=1: [
        program, PEERS / "node_echo.js", port],
        output_of(program, "--version").strip().lstrip("v"), cores=(1, 1))


def go(folder, limit=BUILD_LIMIT):
    program = Path(folder).resolve() / "go"
    if not build_once(
            program, PEERS / "go_echo.go",
            ["go", "build", "-o", program, PEERS / "go_echo.go"], limit,
            env={**os.environ, "GO111MODULE": "off", "GOFLAGS": "",
                 "GOCACHE": str(program.parent / "go-cache")}):
        return None
    # io.Copy keeps a pipe for each connection that it copies to itself.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 3 - 100
    return Kind("go", lambda port, options, cores: [
        "env", f"GOMAXPROCS={cores}", program, port],
        output_of("go", "version").split()[2][len("go"):], most=most,
        limit=OF_DESCRIPTORS)


TOKIO_TAKES = 90  # seconds, about, of two processors: tokio is built with it
CRATES = Path("/usr/share/cargo/registry")  # Debian's packages librust-*-dev
CARGO = {
    "Cargo.toml": """[package]
name = "tokio"
version = "0.0.0"
edition = "2021"
[[bin]]
name = "echo"
path = "{source}"
[dependencies.tokio]
version = "1"
features = ["io-util", "net", "rt-multi-thread", "signal"]
""",
    ".cargo/config.toml": """[source.crates-io]
replace-with = "packages"
[source.packages]
directory = "{crates}"
"""}


def tokio(folder, limit=BUILD_LIMIT):
    """Built of packages alone, by the compiler that is packaged with them where
    it is here. What there is of the user's for cargo is left alone."""
    versions = [found.name[len("tokio-"):]
                for found in CRATES.glob("tokio-[0-9]*")]
    if not versions or shutil.which("cargo") is None:
        return None
    work = Path(folder).resolve() / "tokio"
    source = PEERS / "tokio_echo.rs"
    program = work / "target" / "release" / "echo"
    if limit < TOKIO_TAKES and not is_newer(program, source):
        raise Trouble(f"it takes some {TOKIO_TAKES} s to build: for that there "
                      "is no time")
    for name, text in CARGO.items():
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(source=source, crates=CRATES))
    path = f"/usr/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not build_once(
            program, source, ["cargo", "build", "--offline", "--release"],
            limit, cwd=work, env={**os.environ, "PATH": path,
                                  "CARGO_HOME": str(work / "home"),
                                  "CARGO_TARGET_DIR": str(work / "target")}):
        return None
    return Kind("tokio", lambda port, options, cores: [program, port, cores],
                versions[0])
