// Asynchronous invocations in task mode: phases, deferral, duplicates, stop, retries, destinations.
'use strict';

const { RETRIES } = require('./config');
const { check, equal, fail, pick, refused, waitFor } = require('./harness');
const { FINAL, FUNCTION, SERVICE, SINK, Tasks } = require('./setting');

const DELAY_MS = 2000;
const TASK_ID = 'x-fc-stateful-async-invocation-id';

function submit(client, event, taskId, headers = {}) {
  const id = taskId === undefined ? {} : { [TASK_ID]: taskId };
  return client.invokeFunction(SERVICE, FUNCTION, event, { 'x-fc-invocation-type': 'Async', ...id, ...headers });
}

function waitFinal(tasks, taskId) {
  return waitFor(`task ${taskId} ends`, async () => {
    const task = await tasks.get(taskId);
    return FINAL.includes(task.status) ? task : undefined;
  });
}

const statuses = (task) => task.events.map((event) => event.status);

async function run(client) {
  const tasks = new Tasks(client);
  await deferred(client, tasks);
  await immediate(client, tasks);
  await duplicate(client, tasks);
  await stopDeferred(client, tasks);
  await stopRunning(client, tasks);
  await retries(client, tasks);
}

async function deferred(client, tasks) {
  const before = performance.now();
  const accepted = await submit(client, '{"n":1}', 'deferred-1', { 'x-fc-async-delay': String(DELAY_MS / 1000) });
  equal('submit: empty body', accepted.data, '');
  equal('submit: repeats the task ID', accepted.headers[TASK_ID], 'deferred-1');
  let looks = 0;
  const task = await waitFor('the deferred task ends', async () => {
    const seen = await tasks.get('deferred-1');
    if (performance.now() - before < DELAY_MS) {
      looks += 1;
      if (seen.status !== 'Enqueued') {
        fail('a deferred task is Enqueued until it is due', seen);
      }
    }
    return FINAL.includes(seen.status) ? seen : undefined;
  });
  check('a deferred task is Enqueued until it is due', looks > 0, looks);
  equal('events: one per phase', statuses(task), ['Enqueued', 'Dequeued', 'Running', 'Succeeded']);
  const times = task.events.map((event) => event.timestamp);
  check('never early: Running only after the delay', times[2] - times[0] >= DELAY_MS, times);
  const wanted = {
    serviceName: SERVICE, functionName: FUNCTION, qualifier: 'LATEST', invocationId: 'deferred-1',
    requestId: accepted.headers['x-fc-request-id'], status: 'Succeeded', alreadyRetriedTimes: 0,
    invocationPayload: '{"n":1}',
  };
  equal('task: its fields', pick(task, Object.keys(wanted)), wanted);
  check('task: ends after it started', task.endTime >= task.startedTime && task.startedTime > 0, task);
  const { requestContext, responsePayload } = await destinationRecord(client, wanted.requestId, 'success');
  equal('success destination: what happened', pick(requestContext, ['condition', 'approximateInvokeCount']),
    { condition: '', approximateInvokeCount: 1 });
  equal('success destination: the result as text', responsePayload, '{"n":1}');
}

// The one record about `requestId` that the destination function was invoked with.
async function destinationRecord(client, requestId, kind) {
  const sink = new Tasks(client, SINK);
  const records = await waitFor(`the ${kind} destination is invoked`, async () => {
    const found = (await sink.listAll({ includePayload: true })).map((task) => JSON.parse(task.invocationPayload));
    const about = found.filter((record) => record.requestContext.requestId === requestId);
    return about.length > 0 ? about : undefined;
  });
  equal(`${kind} destination: one record`, records.length, 1);
  return records[0];
}

async function immediate(client, tasks) {
  const accepted = await submit(client, 'now');
  const taskId = accepted.headers[TASK_ID];
  equal('without a task ID the request ID is used', taskId, accepted.headers['x-fc-request-id']);
  equal('an immediate task succeeds', (await waitFinal(tasks, taskId)).status, 'Succeeded');
}

async function duplicate(client, tasks) {
  await submit(client, 'first', 'twice');
  await refused('the same task ID again', 409, 'StatefulAsyncInvocationAlreadyExists',
    () => submit(client, 'second', 'twice'));
  const task = await waitFinal(tasks, 'twice');
  equal('the first submission ran', task.invocationPayload, 'first');
  equal('the first submission ran once', statuses(task).filter((status) => status === 'Running').length, 1);
}

async function stopDeferred(client, tasks) {
  await submit(client, 'never', 'stopped-early', { 'x-fc-async-delay': '3600' });
  await tasks.stop('stopped-early');
  const task = await waitFinal(tasks, 'stopped-early');
  equal('stop of a deferred task: Stopped', task.status, 'Stopped');
  check('stop of a deferred task: it never ran', !statuses(task).includes('Running'), task);
}

async function stopRunning(client, tasks) {
  await submit(client, JSON.stringify({ do: 'sleep', seconds: 45 }), 'stopped-late');
  await waitFor('the task runs',
    async () => ((await tasks.get('stopped-late')).status === 'Running' ? true : undefined));
  await tasks.stop('stopped-late');
  const { status } = await tasks.get('stopped-late');
  check('stop of a running task: Stopping, then Stopped', ['Stopping', 'Stopped'].includes(status), status);
  const task = await waitFinal(tasks, 'stopped-late');
  equal('stop of a running task: its events', statuses(task),
    ['Enqueued', 'Dequeued', 'Running', 'Stopping', 'Stopped']);
  equal('after a stop the function still answers', (await client.invokeFunction(SERVICE, FUNCTION, 'a')).data, 'a');
}

async function retries(client, tasks) {
  const accepted = await submit(client, JSON.stringify({ do: 'fail' }), 'fails-always');
  const task = await waitFinal(tasks, 'fails-always');
  equal('a task that always fails', pick(task, ['status', 'alreadyRetriedTimes']),
    { status: 'Failed', alreadyRetriedTimes: RETRIES });
  equal('a task that always fails: its events', statuses(task),
    ['Enqueued', 'Dequeued', 'Running', 'Retrying', 'Running', 'Failed']);
  const record = await destinationRecord(client, accepted.headers['x-fc-request-id'], 'failure');
  equal('failure destination: what happened', pick(record.requestContext, ['condition', 'approximateInvokeCount']),
    { condition: 'HandledInvocationError', approximateInvokeCount: 1 + RETRIES });
  equal('failure destination: the answer', record.responseContext,
    { statusCode: 200, functionError: 'HandledInvocationError' });
  equal('failure destination: the error', JSON.parse(record.responsePayload).errorMessage, 'told to fail');
}

// Task mode for a single call of a function that has no configuration.
async function forOneCall(client) {
  const tasks = new Tasks(client);
  const plain = await submit(client, 'plain', 'plain-1');
  check('without task mode: no task ID', !(TASK_ID in plain.headers), plain.headers);
  await refused('without task mode: no record', 404, 'StatefulAsyncInvocationNotFound', () => tasks.get('plain-1'));
  const accepted = await submit(client, 'once', 'once-1', { 'x-fc-stateful-async-invocation-enable': 'true' });
  equal('task mode for one call: repeats the task ID', accepted.headers[TASK_ID], 'once-1');
  equal('task mode for one call: has a record', (await waitFinal(tasks, 'once-1')).status, 'Succeeded');
}

module.exports = { forOneCall, run, submit, waitFinal };
