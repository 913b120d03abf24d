#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What servers do when things go wrong: teller-echo and others, one script.

    situations.py [--only SITUATION] [--server NAME] [--json] [BUILD_DIR]

Each server is put into the same situations by the same clients, one after
another, in one run. The others are in bench/peers: an echo server on each
library in its usual idiom. One whose library is not here is named, and left
out. Linux; traffic to 127.0.0.1 only; about two minutes.

Exit status: 0 measured, and teller-echo did what it promises, 1 it did not,
2 not measured.
"""
import argparse
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time

from programs import Trouble, build, load, say
from servers import Running, asio, libevent, node, teller

DESCRIPTORS = 40      # the limit, and
CLIENTS = 150         # how many want to be served, each for HOLD seconds
HOLD = 4
HALF_CLOSE = 12 << 20  # bytes sent before the half-close
RESTARTS = 3          # under load, one a second
OWED = 16 << 20       # bytes that each of STOPPED clients would have back
STOPPED = 20
FLOOD = 256 << 20     # bytes that a client which never reads would send
ATTACKERS = 400       # of them while others are served
HONEST = 10           # others

# --- the servers --------------------------------------------------------------


def kinds(only, folder, scratch):
    for name, make in (("teller", lambda: teller(folder)),
                       ("libevent", lambda: libevent(scratch)),
                       ("asio", lambda: asio(scratch)),
                       ("node", lambda: node(scratch))):
        if only in (None, name):
            kind = make()
            if kind is None:
                say(f"{name} is not here, and left out")
            else:
                yield kind


# --- clients ------------------------------------------------------------------


def connect(server, timeout=10):
    return socket.create_connection(("127.0.0.1", server.port), timeout)


def receive_all(sock):
    """Bytes until the end of the stream; and whether it was an end in order."""
    count = 0
    try:
        while True:
            data = sock.recv(1 << 16)
            if not data:
                return count, True
            count += len(data)
    except OSError:
        return count, False


# --- the situations -----------------------------------------------------------


def descriptors(kind):
    """No descriptors left: CPU while clients press, and who is served later."""
    waiting = selectors.DefaultSelector()
    answered = set()
    socks = []

    def look(seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(answered) < CLIENTS:
            for key, _ in waiting.select(0.1):
                try:
                    if key.fileobj.recv(1):
                        answered.add(key.data)
                except OSError:
                    pass
                waiting.unregister(key.fileobj)

    with Running(kind, descriptors=DESCRIPTORS) as server:
        for number in range(CLIENTS):
            sock = connect(server)
            sock.sendall(b"x")
            waiting.register(sock, selectors.EVENT_READ, number)
            socks.append(sock)
        look(1)
        before, since = server.cpu(), time.monotonic()
        look(HOLD)
        share = (server.cpu() - before) / (time.monotonic() - since)
        at_once = len(answered)
        # Whoever was answered leaves, until nobody is left.
        for _ in range(CLIENTS):
            for number in answered:
                socks[number].close()
            had = len(answered)
            look(1.5)
            if len(answered) == had:
                break
        for sock in socks:
            sock.close()
        return {"cpu_percent": round(100 * share, 1), "served_at_once": at_once,
                "never_served": CLIENTS - len(answered),
                "stderr_bytes": server.complaints()}


def half_close(kind):
    """A client sends 12 MiB, half-closes, and reads a second later."""
    with Running(kind) as server, connect(server, 30) as sock:
        def send():
            try:
                sock.sendall(bytes(HALF_CLOSE))
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(1)
        count, _ = receive_all(sock)
        sender.join()
        return {"bytes_back": count, "of": HALF_CLOSE}


def restart(kind):
    """The server is replaced while clients come and go."""
    stop = threading.Event()
    lost = {"refused": 0, "reset": 0, "short": 0}
    done = [0]
    lock = threading.Lock()

    def client(port):
        while not stop.is_set():
            why = None
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as sock:
                    sock.sendall(b"y" * 64)
                    if len(sock.recv(64, socket.MSG_WAITALL)) != 64:
                        why = "short"
            except ConnectionRefusedError:
                why = "refused"
            except OSError:
                why = "reset"
            with lock:
                done[0] += 1
                if why:
                    lost[why] += 1

    with tempfile.TemporaryDirectory() as folder:
        options = ["--takeover", f"{folder}/sock"] \
            if kind.name == "teller" else []
        servers = [Running(kind, *options)]
        port = servers[0].port
        threads = [threading.Thread(target=client, args=(port,))
                   for _ in range(8)]
        try:
            for thread in threads:
                thread.start()
            for _ in range(RESTARTS):
                time.sleep(1)
                if not options:
                    servers[-1].ask_to_stop()
                    try:
                        servers[-1].process.wait(2)
                    except subprocess.TimeoutExpired:
                        servers[-1].end()
                servers.append(Running(kind, *options, port=port))
            time.sleep(1)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for server in servers:
                server.end()
    return {"connections": done[0], "restarts": RESTARTS, **lost}


def at_stop(kind):
    """SIGTERM while clients are owed what they have sent, and read late."""
    with Running(kind) as server:
        socks = [connect(server, 15) for _ in range(STOPPED)]
        for sock in socks:
            sock.setblocking(False)
        # All that the server takes within a second, up to OWED.
        sent = [0] * STOPPED
        until = time.monotonic() + 1
        while time.monotonic() < until and min(sent) < OWED:
            for number, sock in enumerate(socks):
                try:
                    if sent[number] < OWED:
                        sent[number] += sock.send(bytes(OWED - sent[number]))
                except BlockingIOError:
                    pass
            time.sleep(0.001)
        time.sleep(0.2)
        server.ask_to_stop()
        time.sleep(0.3)
        whole = 0
        for number, sock in enumerate(socks):
            sock.settimeout(10)
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            count, in_order = receive_all(sock)
            whole += in_order and count == sent[number]
            sock.close()
        return {"owed": STOPPED, "got_all": whole,
                "cut_off": STOPPED - whole}


def never_reads(kind):
    """Memory while a client sends and never reads."""
    with Running(kind) as server, connect(server) as sock:
        sock.sendall(b"x")
        sock.recv(1)
        before = server.memory()
        sock.setblocking(False)
        sent, last = 0, time.monotonic()
        piece = bytes(1 << 16)
        while sent < FLOOD and time.monotonic() - last < 2:
            try:
                sent += sock.send(piece)
                last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:
                break
        return {"taken_mib": round(sent / 2**20, 1),
                "memory_mib": round((server.memory() - before) / 2**20, 1)}


ATTACK = r"""
import selectors, socket, sys, time
import os
os.nice(19)  # its CPU would be another machine's
port, count = int(sys.argv[1]), int(sys.argv[2])
piece, socks = bytes(1 << 16), []
until = time.monotonic() + float(sys.argv[3])
for _ in range(count):
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setblocking(False)
    socks.append(sock)
print("ready", flush=True)
while time.monotonic() < until:
    for sock in socks:
        try:
            sock.send(piece)
        except OSError:
            pass
    for _ in range(20):  # and some that come and go
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            pass
    time.sleep(0.01)
"""


def attack(kind, folder):
    """p99 of honest clients, without and with others that never read."""
    def p99(server):
        figures = load(folder, f"127.0.0.1:{server.port}", size=64, depth=1,
                       connections=HONEST, duration=3)
        return figures["latency_us"]["p99"] / 1000

    with Running(kind) as server:
        quiet = p99(server)
        before = server.memory()
        attacker = subprocess.Popen(
            [sys.executable, "-c", ATTACK, str(server.port), str(ATTACKERS),
             "8"], stdout=subprocess.PIPE)
        try:
            attacker.stdout.readline()
            attacked = p99(server)
            grown = server.memory() - before
        finally:
            attacker.kill()
            attacker.wait()
        return {"p99_ms_quiet": round(quiet, 2),
                "p99_ms_attacked": round(attacked, 2),
                "ratio": round(attacked / quiet, 1),
                "memory_mib": round(grown / 2**20, 1)}


SITUATIONS = {
    "descriptors": (descriptors, lambda r: r["cpu_percent"] < 2 and
                    r["never_served"] == 0),
    "half-close": (half_close, lambda r: r["bytes_back"] == r["of"]),
    "restart": (restart, lambda r: r["refused"] + r["reset"] + r["short"] == 0),
    "stop": (at_stop, lambda r: r["cut_off"] == 0),
    "never-reads": (never_reads, lambda r: r["memory_mib"] < 8),
    "attack": (attack, lambda r: r["ratio"] <= 5),
}


def run(options, folder, results, scratch):
    for kind in kinds(options.server, folder, scratch):
        for name, (situation, _) in SITUATIONS.items():
            if options.only not in (None, name):
                continue
            say(f"{kind.name} {kind.version}: {situation.__doc__}")
            more = (folder,) if situation is attack else ()
            results.append({"server": kind.name, "version": kind.version,
                            "situation": name, **situation(kind, *more)})


def show(results):
    for name, (situation, _) in SITUATIONS.items():
        rows = [r for r in results if r["situation"] == name]
        if not rows:
            continue
        print(f"\n{situation.__doc__}")
        for row in rows:
            figures = {k: v for k, v in row.items()
                       if k not in ("server", "version", "situation")}
            print(f"  {row['server']:<9} {row['version']:<14}",
                  "  ".join(f"{k} {v}" for k, v in figures.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="BUILD_DIR", nargs="?",
                        help="a build tree of the project")
    parser.add_argument("--only", choices=SITUATIONS, metavar="SITUATION",
                        help=", ".join(SITUATIONS))
    parser.add_argument("--server", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    results = []
    try:
        folder = options.folder or build()
        with tempfile.TemporaryDirectory() as scratch:
            run(options, folder, results, scratch)
    except (Trouble, OSError) as trouble:
        say(trouble)
        return 2
    print(json.dumps(results) if options.json else "", end="")
    if not options.json:
        show(results)
    missed = [r["situation"] for r in results if r["server"] == "teller" and
              not SITUATIONS[r["situation"]][1](r)]
    for name in missed:
        say(f"teller-echo missed what it promises: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
