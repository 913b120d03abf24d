// SPDX-License-Identifier: MIT
//
// An echo server on Node's net, in its usual idiom: the socket piped to itself.
// Port 0 of 127.0.0.1 or argv[2]; ends by SIGTERM, as Node programs do: the
// server stops accepting, and the process ends when the connections have.
'use strict';
const net = require('net');

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
server.on('error', (error) => {
  console.error(error.message);
});
server.listen(Number(process.argv[2] || 0), '127.0.0.1', 4096, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
process.on('SIGTERM', () => server.close());
