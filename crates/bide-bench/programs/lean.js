// The least that an interpreter can do: answers requests over the socket that is its standard input.
//
// A request and an answer are a length (4 bytes, little-endian) and as many bytes; the answer repeats the request.
'use strict';

const net = require('net');

const connection = new net.Socket({ fd: 0, readable: true, writable: true });
let data = Buffer.alloc(0);
connection.on('data', (chunk) => {
  data = data.length ? Buffer.concat([data, chunk]) : chunk;
  while (data.length >= 4 && data.length >= 4 + data.readUInt32LE(0)) {
    const end = 4 + data.readUInt32LE(0);
    connection.write(data.subarray(0, end));
    data = data.subarray(end);
  }
});
connection.on('close', () => process.exit(0));
