// Says what it saw of an HTTP call; at /file the body itself.
'use strict';

exports.handler = async (req, resp, context) => {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  const body = Buffer.concat(pieces);
  resp.setHeader('X-Method', req.method);
  resp.setHeader('X-Request', context.requestId);
  if (req.path === '/file') return resp.send(body);
  const headers = { ...req.headers };
  delete headers['content-length'];
  resp.setStatusCode(201);
  resp.setHeader('Content-Type', 'application/json');
  resp.send(JSON.stringify({
    method: req.method,
    target: req.url.replace(/^\/2016-08-15\/proxy\/[^/]*\/[^/]*/, ''),
    headers,
    body: body.toString('base64'),
  }));
};
