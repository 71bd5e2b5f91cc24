// Asynchronous invocation configurations: put, get, list, delete.
'use strict';

const { check, equal, pick, refused } = require('./harness');
const { FUNCTION, SERVICE, SINK } = require('./setting');

const RETRIES = 1;
// As deployment tools write it: region and account left to the server.
const SINK_ARN = `acs:fc:::services/${SERVICE}.LATEST/functions/${SINK}`;

// What stands for them is in the settings of the server under test.
const RESOURCES = [
  'acs:mns:::/queues/results/messages',
  'acs:mns:::/topics/results/messages',
  'acs:eventbridge:::eventbus/results',
  'acs:mq:::/instances/MQ_INST_1/topics/results',
];

async function putResources(client) {
  const put = (destination) => client.putFunctionAsyncConfig(SERVICE, SINK, 'LATEST',
    { destinationConfig: { onFailure: { destination } } });
  for (const resource of RESOURCES) {
    await put(resource);
    const { data: read } = await client.getFunctionAsyncConfig(SERVICE, SINK, 'LATEST');
    equal(`put configuration with ${resource}`, read.destinationConfig.onFailure.destination, resource);
  }
  await refused('put configuration with a queue that nothing stands for', 400, 'InvalidArgument',
    () => put('acs:mns:::/queues/elsewhere/messages'), '[[destinations]]');
  equal('put configuration without a destination again', (await put('')).data.destinationConfig, {});
}

async function putAndRead(client) {
  const put = (fields) => client.putFunctionAsyncConfig(SERVICE, FUNCTION, 'LATEST', fields);
  const get = () => client.getFunctionAsyncConfig(SERVICE, FUNCTION, 'LATEST');
  await refused('get a configuration that was never put', 404, 'AsyncConfigNotExists', get);
  const settings = { maxAsyncRetryAttempts: RETRIES, maxAsyncEventAgeInSeconds: 3700, statefulInvocation: true };
  const destinationConfig = { onSuccess: { destination: SINK_ARN }, onFailure: { destination: SINK_ARN } };
  const { data: made } = await put({ ...settings, destinationConfig });
  const wanted = { service: SERVICE, function: FUNCTION, qualifier: 'LATEST', ...settings };
  equal('put configuration: answers with it', pick(made, Object.keys(wanted)), wanted);
  const { data: read } = await get();
  equal('get configuration', pick(read, Object.keys(wanted)), wanted);
  equal('get configuration: its destination', read.destinationConfig.onFailure.destination, SINK_ARN);
  const { data: unqualified } = await client.getFunctionAsyncConfig(SERVICE, FUNCTION);
  equal('get configuration: LATEST when no qualifier is given', unqualified.qualifier, 'LATEST');
  await client.putFunctionAsyncConfig(SERVICE, SINK, 'LATEST', { statefulInvocation: true });
  await putResources(client);
  const { data: listed } = await client.listFunctionAsyncConfigs(SERVICE, FUNCTION);
  equal('list configurations', listed.configs.map((config) => config.qualifier), ['LATEST']);
  await refused('put configuration with 9 retries', 400, 'InvalidArgument',
    () => put({ maxAsyncRetryAttempts: 9 }), 'maxAsyncRetryAttempts');
  await refused('put configuration with a destination that is none', 400, 'InvalidArgument',
    () => put({ destinationConfig: { onSuccess: { destination: 'nowhere' } } }), 'destination');
  equal('a refused put changes nothing', (await get()).data.maxAsyncRetryAttempts, RETRIES);
  check('the configuration has its times', read.createdTime && read.lastModifiedTime, read);
}

async function remove(client) {
  await client.deleteFunctionAsyncConfig(SERVICE, FUNCTION, 'LATEST');
  await refused('get a deleted configuration', 404, 'AsyncConfigNotExists',
    () => client.getFunctionAsyncConfig(SERVICE, FUNCTION, 'LATEST'));
  const { data: listed } = await client.listFunctionAsyncConfigs(SERVICE, FUNCTION);
  equal('list configurations: it is gone', listed.configs, []);
}

module.exports = { RETRIES, putAndRead, remove };
