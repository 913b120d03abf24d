// SPDX-License-Identifier: MIT
// node host.js ADDON MODE: the server in Node, in one of the modes below. Exits
// with 0, and by itself but where the mode says otherwise; a crash or a hang is
// for hosts.sh to see.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const net = require('net');
const { Worker, isMainThread, parentPort, workerData } =
  require('worker_threads');

const CLIENTS = 200;
const SIZE = 40000;
const addon = require(isMainThread ? process.argv[2] : workerData.addon);

// One client: sends, half-closes, and gets every byte back before the end.
function client(port) {
  return new Promise((resolve, reject) => {
    const sent = crypto.randomBytes(SIZE);
    const chunks = [];
    const socket = net.connect(port, '127.0.0.1', () => socket.end(sent));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      if (Buffer.concat(chunks).equals(sent)) {
        resolve();
      } else {
        reject(new Error('not the bytes that were sent'));
      }
    });
  });
}

// Clients that never end, whose connections may break: calls back once bytes
// have come back on all of them.
function busy(port, flows) {
  let quiet = 20;
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('data', () => --quiet === 0 && flows(port));
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => socket.destroy());
    socket.write(crypto.randomBytes(SIZE));
  }
}

// The whole of it: all the clients, while the own loop goes on, then a stop.
function serve(done) {
  const told = { listening: 0, stats: 0 };
  let ticks = 0;
  const tick = setInterval(() => ticks++, 1);
  const server = addon.start(2, (event, value) => {
    told[event]++;
    if (event === 'listening') {
      Promise.all(Array.from({ length: CLIENTS }, () => client(value)))
        .then(() => addon.stop(server, 10000));
    } else if (event === 'stopped') {
      clearInterval(tick);
      assert.strictEqual(value.accepted, CLIENTS);
      assert.strictEqual(value.open, 0);
      assert.strictEqual(value.bytesIn, CLIENTS * SIZE);
      assert.strictEqual(value.bytesOut, CLIENTS * SIZE);
      assert.strictEqual(value.emulated, 0);
      assert.strictEqual(told.listening, 1);
      assert(told.stats > 1 && ticks > 1);
      assert.strictEqual(addon.stats(server), undefined); // it is gone
      done(`${CLIENTS} connections x ${SIZE} bytes verified, ` +
        `${told.stats} stats, ${ticks} ticks of Node's own, stopped`);
    }
  });
  assert.strictEqual(addon.stats(server).open, 0);
}

// Never ends by itself: calls back when bytes flow.
function endless(flows) {
  const server = addon.start(2, (event, value) => {
    assert.notStrictEqual(event, 'stopped');
    if (event === 'listening') {
      busy(value, flows);
    }
  });
  return server;
}

function worker(mode) {
  return new Worker(__filename, { workerData: { mode, addon: process.argv[2] } });
}

// A worker thread that serves the main thread's clients; what comes next is told
// by `flows`, and its exit code is checked.
function serving(mode, code, flows) {
  const thread = worker(mode);
  thread.on('message', (port) => busy(port, () => flows(thread)));
  thread.on('exit', (status) => {
    assert.strictEqual(status, code);
    process.exitCode = 0;
  });
  process.exitCode = 1; // unless the thread exits
}

const modes = {
  serve() {
    serve((line) => console.log(line));
  },
  // Node leaves by itself, and the clean-up hook stops the server.
  unref() {
    const server = addon.start(2, (event) =>
      assert.notStrictEqual(event, 'stopped'));
    addon.ref(server);
    addon.unref(server);
  },
  // The same after it has been used, with connections open.
  unref_busy() {
    const server = addon.start(2, (event, port) => {
      if (event !== 'listening') {
        return;
      }
      addon.unref(server);
      let answers = 0;
      const sockets = Array.from({ length: 20 }, () =>
        net.connect(port, '127.0.0.1').on('data', () => {
          if (++answers === 20) {
            sockets.forEach((socket) => socket.unref());
          }
        }));
      sockets.forEach((socket) => socket.write('x'));
    });
  },
  // No hook runs. The server is in the middle of its work.
  exit() {
    endless(() => process.exit(0));
  },
  // An exception that a callback throws is one of Node's, and ends it.
  throws() {
    process.on('uncaughtException', (error) => {
      assert.strictEqual(error.message, 'thrown');
      process.exit(0);
    });
    addon.start(2, () => {
      throw new Error('thrown');
    });
  },
  terminate() {
    serving('endless', 1, (thread) => thread.terminate());
  },
  worker_exit() {
    serving('exit_when_told', 3, (thread) => thread.postMessage('exit'));
  },
  worker_ends() {
    serving('unref_when_told', 0, (thread) => thread.postMessage('unref'));
  },
  main_exit() {
    serving('endless', 1, () => process.exit(0));
  },
  // Before the thread's server has done anything, and before it may exist.
  terminate_at_once() {
    const thread = worker('endless');
    thread.on('online', () => thread.terminate());
  },
  // Three environments, each with its own server and clients.
  several() {
    for (let i = 0; i < 2; i++) {
      const thread = worker('serve');
      thread.on('message', (line) => console.log(line));
      thread.on('exit', (status) => assert.strictEqual(status, 0));
    }
    modes.serve();
  },
};

const threads = {
  serve() {
    serve((line) => parentPort.postMessage(line));
  },
  endless() {
    addon.start(2, (event, value) => {
      if (event === 'listening') {
        parentPort.postMessage(value);
      }
    });
  },
  exit_when_told() {
    threads.endless();
    parentPort.on('message', () => process.exit(3));
  },
  unref_when_told() {
    const server = addon.start(2, (event, value) => {
      if (event === 'listening') {
        parentPort.postMessage(value);
      }
    });
    parentPort.once('message', () => addon.unref(server));
  },
};

process.on('unhandledRejection', (error) => {
  throw error;
});
if (isMainThread) {
  modes[process.argv[3]]();
} else {
  threads[workerData.mode]();
}
