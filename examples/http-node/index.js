// An HTTP function in Node: the request is a readable stream, the response takes text, bytes or a stream.
'use strict';

const { Readable } = require('stream');

exports.handler = async (req, resp, context) => {
  if (req.path === '/count') {
    const text = req.queries.text || (await read(req));
    const words = text.split(/\s+/).filter(Boolean).length;
    resp.setHeader('Content-Type', 'application/json');
    resp.send(JSON.stringify({ words, requestId: context.requestId }));
  } else if (req.path === '/countdown') {
    resp.setHeader('Content-Type', 'text/event-stream');
    resp.send(Readable.from(countdown(Number(req.queries.from || 3))));
  } else {
    resp.setStatusCode(404);
    resp.setHeader('Content-Type', 'text/plain');
    resp.send('try /count?text=some+words or /countdown?from=3\n');
  }
};

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

// Each piece reaches the caller when it is made.
function* countdown(number) {
  for (; number >= 0; number--) yield `data: ${number}\n\n`;
}
