// Bad input: each a clear error with the documented code, and the server goes on.
'use strict';

const { equal, refused } = require('./harness');
const { BIDE_ACCOUNT_ID, FUNCTION, SERVICE, Tasks, newClient } = require('./setting');
const { submit, waitFinal } = require('./tasks');

const ASYNC_BYTES_MAX = 131072;

async function catalog(client) {
  await refused('get an unknown service', 404, 'ServiceNotFound', () => client.getService('no-such-service'));
  await refused('get an unknown function', 404, 'FunctionNotFound',
    () => client.getFunction(SERVICE, 'no-such-function'));
  await refused('a path that nothing answers to', 400, 'PathNotSupported', () => client.get('/no-such-operation'));
  const broken = { functionName: 'broken', runtime: 'nodejs20', handler: 'index.handler' };
  await refused('a package that is no zip', 400, 'InvalidArgument',
    () => client.createFunction(SERVICE, { ...broken, code: { zipFile: Buffer.from('no zip').toString('base64') } }));
  await refused('a package that is not base64', 400, 'InvalidArgument',
    () => client.createFunction(SERVICE, { ...broken, code: { zipFile: '***' } }));
}

async function run(client) {
  await targets(client);
  await submissions(client);
  await sizes(client);
  await credentials();
  equal('after all that, the server goes on', (await client.invokeFunction(SERVICE, FUNCTION, 'a')).data, 'a');
}

async function targets(client) {
  const tasks = new Tasks(client);
  await refused('invoke a function of an unknown service', 404, 'ServiceNotFound',
    () => client.invokeFunction('no-such-service', FUNCTION, ''));
  await refused('invoke an unknown function', 404, 'FunctionNotFound',
    () => client.invokeFunction(SERVICE, 'no-such-function', ''));
  await refused('invoke an unknown version', 404, 'VersionNotFound',
    () => client.invokeFunction(SERVICE, FUNCTION, '', {}, '7'));
  await refused('get an unknown task', 404, 'StatefulAsyncInvocationNotFound', () => tasks.get('no-such-task'));
  await refused('stop an unknown task', 404, 'StatefulAsyncInvocationNotFound', () => tasks.stop('no-such-task'));
}

async function submissions(client) {
  for (const delay of ['-1', '3601', '1.5', 'x']) {
    await refused(`a delay of ${delay}`, 400, 'InvalidArgument',
      () => submit(client, '', undefined, { 'x-fc-async-delay': delay }), 'x-fc-async-delay');
  }
  await client.putFunctionAsyncConfig(SERVICE, FUNCTION, 'LATEST', { maxAsyncEventAgeInSeconds: 60 });
  await refused('a delay as long as the event may get old', 400, 'InvalidArgument',
    () => submit(client, '', undefined, { 'x-fc-async-delay': '60' }), 'event age');
  for (const taskId of ['1digit', '-hyphen', 'dot.ted', 'a'.repeat(129)]) {
    await refused(`the task ID ${taskId.slice(0, 12)}`, 400, 'InvalidArgument',
      () => submit(client, '', taskId), 'x-fc-stateful-async-invocation-id');
  }
}

async function sizes(client) {
  await submit(client, 'x'.repeat(ASYNC_BYTES_MAX), 'largest-event');
  const task = await waitFinal(new Tasks(client), 'largest-event');
  equal('an async event of 131072 bytes runs', task.status, 'Succeeded');
  await refused('an async event of 131073 bytes', 400, 'EntityTooLarge',
    () => submit(client, 'x'.repeat(ASYNC_BYTES_MAX + 1), 'too-large-event'), String(ASYNC_BYTES_MAX));
}

async function credentials() {
  await refused('a wrong secret', 403, 'SignatureNotMatch', () => newClient(undefined, 'wrong').getService(SERVICE));
  await refused('an unknown key', 403, 'InvalidAccessKeyID', () => newClient('nobody', 'wrong').getService(SERVICE));
  const foreign = newClient();
  foreign.accountid = `${BIDE_ACCOUNT_ID}0`;
  await refused('the key of another account', 403, 'AccessDenied', () => foreign.getService(SERVICE));
}

module.exports = { catalog, run };
