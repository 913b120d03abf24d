#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo_server.py FAULT: a tiny echo server for the checks of bench/run.

FAULT: none; wrong: the 20th piece that it reads goes back with one bit changed;
cut: there it closes the connection; status: it ends with status 3; stays: it does
not end; mute: it never listens.
"""
import selectors
import signal
import socket
import sys

FAULT_AT = 20  # pieces: fewer than there are connections


def serve(fault):
    waiting = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
    waiting.register(listener, selectors.EVENT_READ)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    pieces = 0
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                waiting.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            data = bytearray(key.fileobj.recv(65536))
            pieces += 1
            if data and pieces == FAULT_AT and fault == "wrong":
                data[len(data) // 2] ^= 1
            if not data or (pieces == FAULT_AT and fault == "cut"):
                waiting.unregister(key.fileobj)
                key.fileobj.close()
            else:
                key.fileobj.sendall(data)


def main():
    fault = sys.argv[1]
    if fault == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        status = 3 if fault == "status" else 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))
    if fault == "mute":
        sys.exit(1)
    serve(fault)


if __name__ == "__main__":
    main()
