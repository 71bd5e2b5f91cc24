// The HTTP function that the Node program deploys: it says what it saw of the request.
'use strict';

exports.handler = async (req, resp, context) => {
  let body = '';
  for await (const piece of req) body += piece;
  if (req.path === '/fail') throw new TypeError('told to fail');
  if (req.path === '/teapot') {
    resp.setStatusCode(418);
    resp.setHeader('Content-Type', 'text/plain');
    return resp.send('short and stout');
  }
  resp.setHeader('Content-Type', 'application/json');
  resp.setHeader('X-Answer', 'yes');
  resp.send(JSON.stringify({
    method: req.method, path: req.path, queries: req.queries, own: req.headers['x-own'] || '', body,
    signed: 'authorization' in req.headers, requestId: context.requestId,
  }));
};
