# SPDX-License-Identifier: MIT
"""Connections that are held open, from this process."""
import contextlib
import errno
import resource
import socket
import struct

from programs import Fault, Trouble

RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # no TIME_WAIT is left behind
SPEAKS = 50     # one in so many silent connections, when it is opened
OURS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOMEM,
        errno.ENOBUFS)  # this machine is out of something


def allow_descriptors(wanted):
    """Lets this process, and those it starts, have so many; or is in trouble."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Trouble(f"needs {wanted} descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def where(address):
    """(host, port) of "HOST:PORT", as sockets have it."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def opened(address):
    """A connection that is reset when it is closed."""
    conn = socket.create_connection(where(address), timeout=30)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    return conn


def speak(conn):
    """A round trip of one byte."""
    conn.sendall(b"x")
    if conn.recv(1) != b"x":
        raise Fault("the server does not echo", True)


def told_of(error, what):
    """An OSError of a connection, as Trouble of this machine or a Fault."""
    kind = Trouble if error.errno in OURS else Fault
    return kind(f"{what}: {error}")


def hold(address, count, speak_every):
    """Opens `count` connections and keeps them all.

    Yields how many there are each time one has had its round trip, as the last one
    always has: a server that accepts in order then has all of them.
    """
    held = []
    try:
        for i in range(count):
            conn = opened(address)
            held.append(conn)
            if i % speak_every == 0 or i == count - 1:
                speak(conn)
                yield len(held)
    except OSError as error:
        raise told_of(error, f"with {len(held)} connections") from error
    finally:
        for conn in held:
            conn.close()


@contextlib.contextmanager
def silent(address, count):
    """with silent(address, count): so many connections are open. One in so many
    has had its round trip, and the last one: who accepts in order has all, and
    the queue of those to accept is never full."""
    holding = hold(address, count, SPEAKS)
    try:
        for held in holding:
            if held == count:
                break
        yield
    finally:
        holding.close()
