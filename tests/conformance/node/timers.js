// Triggers of type timer: create, get, update, list, delete.
'use strict';

const { check, equal, pick, refused } = require('./harness');
const { FUNCTION, SERVICE } = require('./setting');

const TRIGGER = 'nightly';
const CONFIG = { cronExpression: 'CRON_TZ=Asia/Shanghai 0 30 2 * * MON-FRI', payload: 'any text', enable: true };

async function run(client) {
  const create = (triggerName, triggerConfig) => client.createTrigger(SERVICE, FUNCTION, {
    triggerName, triggerType: 'timer', triggerConfig, invocationRole: '', sourceArn: '',
  });
  const { data: made } = await create(TRIGGER, CONFIG);
  equal('create timer: answers with it', pick(made, ['triggerName', 'triggerType', 'qualifier']),
    { triggerName: TRIGGER, triggerType: 'timer', qualifier: 'LATEST' });
  equal('create timer: its configuration', pick(made.triggerConfig, Object.keys(CONFIG)), CONFIG);
  check('create timer: has an ID and its times', made.triggerId && made.createdTime, made);
  equal('get timer', (await client.getTrigger(SERVICE, FUNCTION, TRIGGER)).data, made);
  await refused('create timer twice', 409, 'TriggerAlreadyExists', () => create(TRIGGER, CONFIG));
  await refused('create timer that fires every second', 400, 'InvalidArgument',
    () => create('other', { ...CONFIG, cronExpression: '* * * * * *' }), 'cronExpression');
  const { data: changed } = await client.updateTrigger(SERVICE, FUNCTION, TRIGGER,
    { triggerConfig: { cronExpression: '@every 4m', enable: false } });
  equal('update timer: changes what it names', pick(changed.triggerConfig, Object.keys(CONFIG)),
    { cronExpression: '@every 4m', payload: 'any text', enable: false });
  const { data: listed } = await client.listTriggers(SERVICE, FUNCTION, { prefix: 'night' });
  equal('list timers: sees the update', listed.triggers.map((found) => found.triggerConfig), [changed.triggerConfig]);
  await client.deleteTrigger(SERVICE, FUNCTION, TRIGGER);
  await refused('get a deleted timer', 404, 'TriggerNotFound', () => client.getTrigger(SERVICE, FUNCTION, TRIGGER));
}

module.exports = { run };
