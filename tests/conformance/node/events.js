// Triggers of types eventbridge and oss: create, get, update, list, delete.
'use strict';

const { equal, refused } = require('./harness');
const { FUNCTION, SERVICE } = require('./setting');

const BUS = {
  triggerEnable: true,
  asyncInvocationType: true,
  eventRuleFilterPattern: '{"source":["acs.shop"],"type":[{"prefix":"order."}]}',
  eventSourceConfig: { eventSourceType: 'Default' },
};
const OSS = { events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'in/', suffix: '.png' } } };
const BUCKET = 'acs:oss:local::pictures';

async function run(client) {
  const create = (triggerName, triggerType, triggerConfig, sourceArn) => client.createTrigger(SERVICE, FUNCTION, {
    triggerName, triggerType, triggerConfig, invocationRole: '', sourceArn,
  });
  const cases = [
    ['eventbridge', BUS, '', { triggerEnable: false }, { ...BUS, triggerEnable: false }],
    ['oss', OSS, BUCKET, { filter: { key: { prefix: 'out/' } } },
      { ...OSS, filter: { key: { prefix: 'out/', suffix: '.png' } } }],
  ];
  for (const [kind, config, source, change, wanted] of cases) {
    const { data: made } = await create(kind, kind, config, source);
    equal(`create ${kind}: answers with it`, [made.triggerType, made.triggerConfig, made.sourceArn],
      [kind, config, source]);
    equal(`get ${kind}`, (await client.getTrigger(SERVICE, FUNCTION, kind)).data, made);
    const { data: changed } = await client.updateTrigger(SERVICE, FUNCTION, kind, { triggerConfig: change });
    equal(`update ${kind}: changes what it names`, changed.triggerConfig, wanted);
    const { data: listed } = await client.listTriggers(SERVICE, FUNCTION, { prefix: kind });
    equal(`list ${kind}: sees the update`, listed.triggers.map((found) => found.triggerConfig), [wanted]);
    await client.deleteTrigger(SERVICE, FUNCTION, kind);
    await refused(`get a deleted ${kind}`, 404, 'TriggerNotFound', () => client.getTrigger(SERVICE, FUNCTION, kind));
  }
  await refused('create oss for an event that never comes', 400, 'InvalidArgument',
    () => create('other', 'oss', { ...OSS, events: ['oss:ObjectCreated:AppendObject'] }, BUCKET), 'AppendObject');
}

module.exports = { run };
