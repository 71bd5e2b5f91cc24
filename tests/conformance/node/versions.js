// Versions and aliases: publish, list, delete, weights, and calls and configurations that name them.
'use strict';

const { equal, pick, refused } = require('./harness');
const { FUNCTION, SERVICE } = require('./setting');

async function run(client) {
  await publish(client);
  await aliases(client);
  await calls(client);
  await remove(client);
}

async function publish(client) {
  const { data: before } = await client.getFunction(SERVICE, FUNCTION);
  const { data: first } = await client.publishVersion(SERVICE, 'first');
  equal('publish: answers with the version', pick(first, ['versionId', 'description']),
    { versionId: '1', description: 'first' });
  await client.updateFunction(SERVICE, FUNCTION, { description: 'after version 1' });
  equal('publish again: the next number', (await client.publishVersion(SERVICE)).data.versionId, '2');
  const description = async (version) => (await client.getFunction(SERVICE, FUNCTION, {}, version)).data.description;
  equal('get function: of a version, as it was published', [await description('1'), await description('2')],
    [before.description, 'after version 1']);
  const list = async (options) => (await client.listVersions(SERVICE, options)).data;
  const ids = (page) => page.versions.map((version) => version.versionId);
  const page = await list({ limit: 1 });
  equal('list versions: the newest first', ids(page), ['2']);
  equal('list versions: the next page', ids(await list({ limit: 1, nextToken: page.nextToken })), ['1']);
  equal('list versions: forward', ids(await list({ direction: 'FORWARD' })), ['1', '2']);
  await refused('call a version that does not exist', 404, 'VersionNotFound',
    () => client.invokeFunction(SERVICE, FUNCTION, 'x', {}, '9'));
}

async function aliases(client) {
  await refused('an alias of a version that does not exist', 404, 'VersionNotFound',
    () => client.createAlias(SERVICE, 'prod', '9'));
  const options = { description: 'main', additionalVersionWeight: { 2: 0.25 } };
  const wanted = { aliasName: 'prod', versionId: '1', ...options };
  const { data: made } = await client.createAlias(SERVICE, 'prod', '1', { ...options });
  equal('create alias: answers with it', pick(made, Object.keys(wanted)), wanted);
  await refused('create alias twice', 409, 'AliasAlreadyExists', () => client.createAlias(SERVICE, 'prod', '1'));
  equal('get alias', pick((await client.getAlias(SERVICE, 'prod')).data, Object.keys(wanted)), wanted);
  const { data: changed } = await client.updateAlias(SERVICE, 'prod', '2', { additionalVersionWeight: {} });
  equal('update alias', pick(changed, ['versionId', 'additionalVersionWeight']),
    { versionId: '2', additionalVersionWeight: {} });
  const { data: listed } = await client.listAliases(SERVICE, { prefix: 'pr' });
  equal('list aliases: by prefix', listed.aliases.map((alias) => alias.aliasName), ['prod']);
  await refused('delete a version that an alias names', 409, 'VersionInUse', () => client.deleteVersion(SERVICE, '2'));
}

async function calls(client) {
  const answer = await client.invokeFunction(SERVICE, FUNCTION, '{"do":"describe"}', {}, 'prod');
  equal('call an alias: the version that ran', answer.headers['x-fc-invocation-service-version'], '2');
  equal('call an alias: the function sees it', JSON.parse(answer.data).qualifier, 'prod');
  const { data: made } = await client.putFunctionAsyncConfig(SERVICE, FUNCTION, 'prod', { maxAsyncRetryAttempts: 0 });
  equal('put configuration of an alias', made.qualifier, 'prod');
  await client.deleteFunctionAsyncConfig(SERVICE, FUNCTION, 'prod');
}

async function remove(client) {
  await refused('delete a service that has versions', 409, 'ServiceNotEmpty', () => client.deleteService(SERVICE));
  await client.deleteAlias(SERVICE, 'prod');
  await refused('get a deleted alias', 404, 'AliasNotFound', () => client.getAlias(SERVICE, 'prod'));
  for (const version of ['1', '2']) {
    await client.deleteVersion(SERVICE, version);
  }
  equal('list versions: none is left', (await client.listVersions(SERVICE)).data.versions, []);
}

module.exports = { run };
