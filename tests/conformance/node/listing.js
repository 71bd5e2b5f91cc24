// Lists of tasks: filters, order, pages, payloads.
'use strict';

const { check, equal } = require('./harness');
const { Tasks } = require('./setting');
const { submit, waitFinal } = require('./tasks');

const PREFIX = 'list-';
const IDS = [0, 1, 2, 3, 4].map((number) => `${PREFIX}${number}`);
const FAILING = IDS[2];

async function run(client) {
  const tasks = new Tasks(client);
  for (const taskId of IDS) {
    const order = taskId === FAILING ? { do: 'fail' } : { id: taskId };
    await submit(client, JSON.stringify(order), taskId);
  }
  for (const taskId of IDS) {
    await waitFinal(tasks, taskId);
  }
  const found = async (query) => {
    const all = await tasks.listAll({ invocationIdPrefix: PREFIX, ...query });
    return all.map((task) => task.invocationId);
  };
  await filters(found);
  await pages(tasks, found);
  await payloads(tasks);
}

async function filters(found) {
  equal('list: by prefix', (await found({})).sort(), IDS);
  equal('list: by prefix and status', (await found({ status: 'Succeeded' })).sort(),
    IDS.filter((taskId) => taskId !== FAILING));
  equal('list: the one that failed', await found({ status: 'Failed' }), [FAILING]);
  equal('list: none of a status', await found({ status: 'Enqueued' }), []);
}

async function pages(tasks, found) {
  equal('list: oldest first', await found({ sortOrderByTime: 'asc' }), IDS);
  equal('list: newest first', await found({ sortOrderByTime: 'desc' }), [...IDS].reverse());
  equal('list: pages of 2', await found({ sortOrderByTime: 'asc', limit: 2 }), IDS);
  const page = await tasks.list({ invocationIdPrefix: PREFIX, limit: 2 });
  check('list: a page has its limit and a token', page.invocations.length === 2 && page.nextToken, page);
}

async function payloads(tasks) {
  const query = { invocationIdPrefix: PREFIX, sortOrderByTime: 'asc' };
  const bare = await tasks.list(query);
  check('list: no payloads unless asked for', bare.invocations.every((task) => !task.invocationPayload), bare);
  const full = await tasks.list({ ...query, includePayload: true });
  equal('list: payloads when asked for', full.invocations[0].invocationPayload, JSON.stringify({ id: IDS[0] }));
}

module.exports = { run };
