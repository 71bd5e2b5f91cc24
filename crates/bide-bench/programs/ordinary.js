// What most people would write: an HTTP server of the standard library. Prints its port when it listens.
'use strict';

const server = require('http').createServer((request, response) => response.end('ok'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
