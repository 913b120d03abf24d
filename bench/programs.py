# SPDX-License-Identifier: MIT
"""Starts teller-echo and runs teller-load, for the benchmarks here.

A server is a group of processes of its own with a time limit, so that nothing
is left behind whatever happens, and listens on a free port of 127.0.0.1. So
this is for Unix.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER_LIMIT = 300  # seconds a server may live


class Trouble(Exception):
    """Something could not be measured."""


class Fault(Trouble):
    """A server did something wrong; or even sent back what is wrong."""

    def __init__(self, reason, wrong_bytes=False):
        super().__init__(reason)
        self.wrong_bytes = wrong_bytes


def say(sentence):
    print(f"{Path(sys.argv[0]).stem}: {sentence}", file=sys.stderr, flush=True)


def telling_pid(command):
    """A command that prints its pid first, and is the given one from then on."""
    return ["sh", "-c", 'echo "$$" && exec "$@"', "sh", *command]


def exit_status(waited):
    """What Popen would make of the status of wait(2)."""
    if os.WIFSIGNALED(waited):
        return -os.WTERMSIG(waited)
    return os.WEXITSTATUS(waited)


def build():
    """Builds the preset bench, and returns its folder."""
    folder = ROOT / "build" / "bench"
    say(f"building in {folder}")
    for command in (["--preset", "bench"],
                    ["--build", "--preset", "bench", "--parallel",
                     str(os.cpu_count())]):
        done = subprocess.run(["cmake", *command], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Trouble(f"cmake failed:\n{done.stdout}")
    return folder


class Server:
    """with Server(command) as server: a process that does not outlive SERVER_LIMIT.

    What it prints is in self.process.stdout.
    """

    def __init__(self, command, **how):
        try:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True,
                stdin=subprocess.DEVNULL, start_new_session=True, **how)
        except OSError as error:
            raise Trouble(f"cannot start {command[0]}: {error}") from error
        self.pid = self.process.pid
        self.watchdog = threading.Timer(SERVER_LIMIT, self._kill)
        self.watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def ask_to_stop(self):
        os.kill(self.pid, signal.SIGTERM)

    def end(self):
        self.watchdog.cancel()
        if self.process.poll() is None:
            self._kill()
            self.process.wait()
        self.process.stdout.close()

    def _kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)


class Echo(Server):
    """with Echo(folder) as echo: ... echo.address ... echo.stop()

    `prefix` is a command to run it under. One that makes it a child of its own
    (as strace does) has to say so with `forks`: signals then go to the child.
    """

    def __init__(self, folder, *options, prefix=(), forks=False, env=None):
        command = [str(Path(folder) / "src" / "echo" / "teller-echo"),
                   "--listen", "127.0.0.1:0", "--json", *options]
        if forks:
            command = telling_pid(command)
        super().__init__([*prefix, *command],
                         env={**os.environ, **(env or {})})
        try:
            if forks:
                self.pid = int(self.process.stdout.readline())
            self.address = json.loads(
                self.process.stdout.readline())["addresses"][0]
        except (ValueError, LookupError) as error:
            self.end()
            raise Trouble("the server did not start") from error

    def stop(self):
        """Lets it drain, and returns its last counters."""
        self.ask_to_stop()
        lines = self.process.stdout.read().splitlines()
        if self.process.wait() != 0:
            raise Trouble(f"the server ended with {self.process.returncode}")
        return json.loads(lines[-1])["total"]


def load(folder, address, *, connections, size, depth, **limits):
    """Runs teller-load and returns its figures; every byte has come back.

    `limits`: round_trips (of each connection) or duration (seconds).
    """
    return run_load(load_command(folder, address, connections=connections,
                                 size=size, depth=depth, **limits))


def load_command(folder, address, **options):
    command = [str(Path(folder) / "src" / "load" / "teller-load"), address,
               "--json", "--quiet"]
    for name, value in {"timeout": 60, **options}.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def run_load(command):
    """Its figures. In trouble, unless every byte has come back: a Fault if that
    is the server's."""
    try:
        done = subprocess.run(command, text=True, capture_output=True,
                              timeout=SERVER_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Trouble(f"teller-load: {error}") from error
    return figures_of(done)


@contextlib.contextmanager
def load_until(command, told):
    """with load_until(command, told): it runs meanwhile, and its figures are added
    to `told`."""
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            yield
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SERVER_LIMIT)
        except BaseException:
            process.kill()
            raise
    told.append(figures_of(subprocess.CompletedProcess(
        command, process.returncode, out, err)))


def figures_of(done):
    try:
        figures = json.loads(done.stdout)
    except ValueError as error:
        raise Trouble(f"teller-load: {done.stderr or error}") from error
    errors = figures["errors"]
    if done.returncode == 0 and figures["verified"]:
        return figures
    told = (done.stderr or done.stdout).strip().split("\n")[0]
    if errors["total"] > 0 and errors["total"] == errors["machine"]:
        raise Trouble(f"this machine is out of something: {told}")
    causes = ", ".join(f"{count} × {cause.replace('_', ' ')}"
                       for cause, count in errors.items()
                       if count > 0 and cause != "total")
    raise Fault(f"{causes or 'not verified'}: {told}",
                errors["wrong_byte"] + errors["too_many_bytes"] > 0)
