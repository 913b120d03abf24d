# SPDX-License-Identifier: MIT
"""Connections that come at a steady rate, whatever becomes of those before: how
long each waits from when it was due until its round trip is over."""
import contextlib
import os
import selectors
import socket
import time

from connections import told_of, where
from programs import Fault

SIZE = 64
LIMIT = 10  # seconds that one may take


@contextlib.contextmanager
def pinned(processors):
    """What this thread does meanwhile is done there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Newcomer:
    """One of them: connects, says 64 B, hears them, and goes."""

    def __init__(self, host, port, due):
        self.due = due
        self.message = os.urandom(SIZE)
        self.back = b""
        self.sock = socket.socket()
        self.sock.setblocking(False)
        try:
            self.sock.connect((host, port))
        except BlockingIOError:
            pass  # as it should be

    def speak(self):
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error != 0:
            raise OSError(error, os.strerror(error))
        self.sock.send(self.message)

    def hear(self):
        """Whether all is back."""
        more = self.sock.recv(SIZE)
        self.back += more
        if not more:
            raise Fault("it closed a new connection early")
        if self.back != self.message[:len(self.back)]:
            raise Fault("a new connection got a wrong byte", True)
        return len(self.back) == SIZE


class Newcomers:
    """waits(): opens `rate` connections a second for so many seconds."""

    def __init__(self, address, rate, seconds):
        self.where = where(address)
        self.rate = rate
        self.count = round(rate * seconds)
        self.opened = 0
        self.found = []
        self.waiting = selectors.DefaultSelector()

    def waits(self):
        """Seconds that each waited, in the order of their ends."""
        self.began = time.monotonic()
        try:
            while self.opened < self.count or self.waiting.get_map():
                self._open_due()
                self._serve()
        except OSError as error:
            raise told_of(error, "a new connection") from error
        finally:
            for key in list(self.waiting.get_map().values()):
                key.fileobj.close()
            self.waiting.close()
        return self.found

    def _due(self):
        return self.began + self.opened / self.rate

    def _open_due(self):
        while self.opened < self.count and self._due() <= time.monotonic():
            one = Newcomer(*self.where, self._due())
            self.waiting.register(one.sock, selectors.EVENT_WRITE, one)
            self.opened += 1

    def _serve(self):
        left = LIMIT
        if self.opened < self.count:
            left = max(0, self._due() - time.monotonic())
        ready = self.waiting.select(left)
        if not ready and left == LIMIT:
            raise Fault(f"a new connection was not served within {LIMIT} s")
        for key, _ in ready:
            one = key.data
            if key.events == selectors.EVENT_WRITE:
                one.speak()
                self.waiting.modify(one.sock, selectors.EVENT_READ, one)
            elif one.hear():
                self.found.append(time.monotonic() - one.due)
                self.waiting.unregister(one.sock)
                one.sock.close()
