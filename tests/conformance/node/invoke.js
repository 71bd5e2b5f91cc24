// Synchronous invocations: results, errors, logs, and what the function sees.
'use strict';

const { check, equal, fail } = require('./harness');
const { BIDE_ACCOUNT_ID, FUNCTION, SERVICE } = require('./setting');

const REPLY_HEADERS = [
  'x-fc-request-id', 'x-fc-invocation-duration', 'x-fc-max-memory-usage', 'x-fc-instance-id', 'x-fc-code-checksum',
];

async function run(client) {
  await echo(client);
  await context(client);
  await logs(client);
  await failures(client);
  await asynchronousHandler(client);
}

function order(client, fields, headers) {
  return client.invokeFunction(SERVICE, FUNCTION, JSON.stringify(fields), headers);
}

async function echo(client) {
  const answer = await client.invokeFunction(SERVICE, FUNCTION, '{"n":1}');
  equal('invoke: returns the result', answer.data, '{"n":1}');
  for (const name of REPLY_HEADERS) {
    check(`invoke: answers with ${name}`, answer.headers[name], answer.headers);
  }
  check('invoke: no log unless asked for', !('x-fc-log-result' in answer.headers), answer.headers);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const raw = await client.invokeFunction(SERVICE, FUNCTION, everyByte, {}, undefined, { rawBuf: true });
  equal('invoke: any bytes pass unchanged', raw.data.toString('hex'), everyByte.toString('hex'));
  equal('invoke: no event at all', (await client.invokeFunction(SERVICE, FUNCTION, null)).data, '');
  equal('invoke: with a qualifier', (await client.invokeFunction(SERVICE, FUNCTION, 'a', {}, 'LATEST')).data, 'a');
  const traced = await client.invokeFunction(SERVICE, FUNCTION, 'a', { 'x-fc-trace-id': 'chosen-by-the-caller' });
  equal('invoke: a trace ID becomes the request ID', traced.headers['x-fc-request-id'], 'chosen-by-the-caller');
}

async function context(client) {
  const answer = await order(client, { do: 'describe' });
  equal('context: says who runs what', JSON.parse(answer.data), {
    requestId: answer.headers['x-fc-request-id'], accountId: BIDE_ACCOUNT_ID, service: SERVICE, qualifier: 'LATEST',
    function: FUNCTION, handler: 'index.handler', memory: 256, timeout: 50,
  });
  equal("environment: has the function's variables",
    (await order(client, { do: 'environment', name: 'GREETING' })).data, 'hello');
}

async function logs(client) {
  const answer = await order(client, { do: 'log', line: 'a line of the log' }, { 'x-fc-log-type': 'Tail' });
  const tail = Buffer.from(answer.headers['x-fc-log-result'], 'base64').toString();
  check('log tail: has what was printed', tail.includes('a line of the log'), tail);
}

// A failed run is no error to this library: the header tells, and the body is text.
async function failed(what, type, call) {
  const answer = await call();
  if (answer.headers['x-fc-error-type'] !== type) {
    fail(`${what}: ${type}`, answer);
  }
  return JSON.parse(answer.data);
}

async function failures(client) {
  let error = await failed('callback', 'HandledInvocationError', () => order(client, { do: 'fail' }));
  equal('an error given to the callback is handled', error.errorMessage, 'told to fail');
  equal('an error given to the callback: its type', error.errorType, 'RangeError');
  error = await failed('throw', 'UnhandledInvocationError', () => order(client, { do: 'throw' }));
  equal('an error thrown is unhandled', error.errorMessage, 'told to throw');
  check('an error thrown: its stack', Array.isArray(error.stackTrace), error);
  error = await failed('exit', 'UnhandledInvocationError', () => order(client, { do: 'exit' }));
  check('a function whose process ends: says so',
    error.errorMessage.toLowerCase().includes('process exited unexpectedly'), error);
  await client.updateFunction(SERVICE, FUNCTION, { timeout: 1 });
  error = await failed('timeout', 'UnhandledInvocationError', () => order(client, { do: 'sleep', seconds: 30 }));
  check('a function that takes too long: says so', error.errorMessage.includes('timed out after 1 second'), error);
  await client.updateFunction(SERVICE, FUNCTION, { timeout: 50 });
  equal('after all that, the function still answers', (await order(client, { do: 'other' })).data, '{"do":"other"}');
}

async function asynchronousHandler(client) {
  await client.updateFunction(SERVICE, FUNCTION, { handler: 'index.asynchronous' });
  equal('an async handler: its result as JSON', JSON.parse((await order(client, {})).data), { received: '{}' });
  const error = await failed('reject', 'UnhandledInvocationError', () => order(client, { do: 'throw' }));
  equal('an async handler that rejects is unhandled', error.errorMessage, 'told to throw');
  await client.updateFunction(SERVICE, FUNCTION, { handler: 'index.handler' });
}

module.exports = { run };
