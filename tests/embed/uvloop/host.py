# SPDX-License-Identifier: MIT
"""host.py MODULE MODE: the server beside asyncio, on uvloop's loop, by ctypes.

serve: all the clients, a stop; waited: a stop that blocks, while connections are
open, and then the loop is closed; quit: Python ends with the server alive.

A server has to be stopped before loop.close(), which waits for what keeps the
loop running, and fails while anything is on it that is not uvloop's.
"""
import asyncio
import ctypes
import os
import sys

import uvloop
import uvloop.loop

CLIENTS = 200
SIZE = 40000

# Its libuv, whether linked in or the system's, is to be found by the module.
ctypes.CDLL(uvloop.loop.__file__, ctypes.RTLD_GLOBAL)
module = ctypes.CDLL(sys.argv[1])

LISTENING = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
COUNTED = ctypes.CFUNCTYPE(None, ctypes.c_void_p,
                           ctypes.POINTER(ctypes.c_uint64 * 7))
TRAMPOLINE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                              ctypes.c_void_p)


class Events(ctypes.Structure):
    """struct embed_events"""
    _fields_ = [('listening', LISTENING), ('stats', COUNTED),
                ('stopped', COUNTED), ('trampoline', TRAMPOLINE),
                ('user', ctypes.c_void_p)]


module.embed_start.restype = ctypes.c_void_p
module.embed_start.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint,
                               ctypes.POINTER(Events),
                               ctypes.POINTER(ctypes.c_int)]
module.embed_stop.argtypes = [ctypes.c_void_p, ctypes.c_uint]
module.embed_stop_wait.argtypes = [ctypes.c_void_p, ctypes.c_uint]


def loop_pointer(loop):
    capsule = uvloop.loop.libuv_get_loop_t_ptr(loop)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype = ctypes.c_void_p
    get.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, None)


class Server:
    """uvloop runs its loop without the interpreter's lock; the callbacks, being
    ctypes', take it. They have to live as long as the server does."""

    def __init__(self, loop):
        self.listening = loop.create_future()
        self.stopped = loop.create_future()
        self.told = 0
        self.events = Events(LISTENING(self.on_listening),
                             COUNTED(self.on_stats), COUNTED(self.on_stopped))
        err = ctypes.c_int()
        self.embed = module.embed_start(loop_pointer(loop), 2, 20,
                                        ctypes.byref(self.events),
                                        ctypes.byref(err))
        assert self.embed, err.value

    def on_listening(self, _user, port):
        self.listening.set_result(port)

    def on_stats(self, _user, _counters):
        self.told += 1

    def on_stopped(self, _user, counters):
        self.embed = None
        (accepted, still_open, _refused, _reads, _writes, bytes_in,
         bytes_out) = counters.contents
        self.stopped.set_result((accepted, still_open, bytes_in, bytes_out))

    def stop(self):
        module.embed_stop(self.embed, 10000)

    def stop_wait(self):
        return module.embed_stop_wait(self.embed, 0)


async def client(port):
    """Sends, half-closes, and gets every byte back before the end."""
    sent = os.urandom(SIZE)
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == sent, 'not the bytes that were sent'
    writer.close()


async def tick(ticks):
    while True:
        await asyncio.sleep(0.001)
        ticks.append(1)


async def serve():
    ticks = []
    ticking = asyncio.ensure_future(tick(ticks))
    server = Server(asyncio.get_running_loop())
    port = await server.listening
    await asyncio.gather(*(client(port) for _ in range(CLIENTS)))
    server.stop()
    counted = await server.stopped
    assert counted == (CLIENTS, 0, CLIENTS * SIZE, CLIENTS * SIZE), counted
    assert server.told > 1 and len(ticks) > 1
    ticking.cancel()
    print(f'{CLIENTS} connections x {SIZE} bytes verified, {server.told} '
          f'stats, {len(ticks)} ticks of asyncio\'s own, stopped')


async def busy():
    """A server with connections, and one answer on each."""
    server = Server(asyncio.get_running_loop())
    port = await server.listening
    server.clients = [await asyncio.open_connection('127.0.0.1', port)
                      for _ in range(20)]
    for reader, writer in server.clients:
        writer.write(os.urandom(SIZE))
        await reader.readexactly(SIZE)
        writer.write(os.urandom(SIZE))
    return server


def main():
    loop = uvloop.new_event_loop()
    if sys.argv[2] == 'serve':
        loop.run_until_complete(serve())
        loop.close()
        return
    server = loop.run_until_complete(busy())
    if sys.argv[2] == 'waited':
        assert server.stop_wait() == 0
        loop.close()
    else:
        assert sys.argv[2] == 'quit'


main()
