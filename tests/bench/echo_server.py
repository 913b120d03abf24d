#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo_server.py FAULT [--slow MS]: a tiny echo server for the checks of bench/run.

FAULT: none; wrong: the 20th piece that it reads goes back with one bit changed;
cut: there it closes the connection; status: it ends with status 3; stays: it does
not end; mute: it never listens; sink: what is longer than a byte it does not send
back. Each piece of the first connection takes MS.
"""
import selectors
import signal
import socket
import sys
import time

FAULT_AT = 20  # pieces: fewer than there are connections


def serve(fault, slow):
    waiting = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
    waiting.register(listener, selectors.EVENT_READ)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    pieces = 0
    first = None
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                conn = listener.accept()[0]
                first = first or conn
                waiting.register(conn, selectors.EVENT_READ)
                continue
            data = bytearray(key.fileobj.recv(65536))
            time.sleep(slow if key.fileobj is first else 0)
            pieces += len(data) > 0
            if data and pieces == FAULT_AT and fault == "wrong":
                data[len(data) // 2] ^= 1
            if not data or (pieces == FAULT_AT and fault == "cut"):
                waiting.unregister(key.fileobj)
                key.fileobj.close()
            elif fault != "sink" or len(data) == 1:
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
    serve(fault, int(sys.argv[3]) / 1000 if sys.argv[2:] else 0)


if __name__ == "__main__":
    main()
