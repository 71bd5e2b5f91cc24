// Services and functions: create, get, update, list, code, delete.
'use strict';

const { check, equal, pick, refused } = require('./harness');
const { FUNCTION, SERVICE, SINK, packageBase64 } = require('./setting');

async function create(client) {
  await createService(client);
  const zipFile = packageBase64();
  await createFunctions(client, zipFile);
  await readCode(client, zipFile);
  await listFunctions(client);
}

async function createService(client) {
  const { data: made } = await client.createService(SERVICE, { description: 'made by fc2' });
  equal('create service: answers with the service', made.serviceName, SERVICE);
  check('create service: has an ID', made.serviceId, made);
  equal('get service', (await client.getService(SERVICE)).data.serviceId, made.serviceId);
  await refused('create service twice', 409, 'ServiceAlreadyExists', () => client.createService(SERVICE));
  await client.updateService(SERVICE, { description: 'changed' });
  equal('update service', (await client.getService(SERVICE)).data.description, 'changed');
  const { data } = await client.listServices({ prefix: SERVICE });
  equal('list services: by prefix', data.services.map((service) => service.serviceName), [SERVICE]);
}

async function createFunctions(client, zipFile) {
  const settings = {
    functionName: FUNCTION, runtime: 'nodejs20', handler: 'index.handler', timeout: 60, memorySize: 256,
    environmentVariables: { GREETING: 'hello' },
  };
  const { data: made } = await client.createFunction(SERVICE, { ...settings, code: { zipFile } });
  equal('create function: answers with its settings', pick(made, Object.keys(settings)), settings);
  equal('create function: knows the size of the code', made.codeSize, Buffer.from(zipFile, 'base64').length);
  check('create function: has a checksum of the code', /^\d+$/.test(made.codeChecksum), made);
  equal('get function', (await client.getFunction(SERVICE, FUNCTION)).data.functionId, made.functionId);
  const { data: qualified } = await client.getFunction(SERVICE, FUNCTION, {}, 'LATEST');
  equal('get function: with a qualifier', qualified.functionId, made.functionId);
  await refused('create function twice', 409, 'FunctionAlreadyExists',
    () => client.createFunction(SERVICE, { ...settings, code: { zipFile } }));
  const { data: changed } = await client.updateFunction(SERVICE, FUNCTION, { description: 'changed', timeout: 50 });
  equal('update function: changes what it names', pick(changed, ['description', 'timeout']),
    { description: 'changed', timeout: 50 });
  equal('update function: keeps the rest', changed.memorySize, 256);
  await client.createFunction(SERVICE, { ...settings, functionName: SINK, code: { zipFile } });
}

async function readCode(client, zipFile) {
  const { data: code } = await client.getFunctionCode(SERVICE, FUNCTION);
  const { data: read } = await client.getFunction(SERVICE, FUNCTION);
  equal('get code: checksum', code.checksum, read.codeChecksum);
  const answer = await fetch(code.url);
  const bytes = Buffer.from(await answer.arrayBuffer());
  equal('get code: the URL gives the package', bytes.toString('base64'), zipFile);
}

async function listFunctions(client) {
  const list = async (options) => (await client.listFunctions(SERVICE, options)).data;
  const names = (page) => page.functions.map((found) => found.functionName);
  equal('list functions', names(await list({})), [SINK, FUNCTION]);
  equal('list functions: by prefix', names(await list({ prefix: 'wor' })), [FUNCTION]);
  const first = await list({ limit: 1 });
  equal('list functions: a page', names(first), [SINK]);
  const second = await list({ limit: 1, nextToken: first.nextToken });
  equal('list functions: the next page', names(second), [FUNCTION]);
  check('list functions: no token at the end', !second.nextToken, second);
}

async function remove(client) {
  await refused('delete a service that has functions', 409, 'ServiceNotEmpty', () => client.deleteService(SERVICE));
  for (const name of [FUNCTION, SINK]) {
    await client.deleteFunction(SERVICE, name);
    await refused('get a deleted function', 404, 'FunctionNotFound', () => client.getFunction(SERVICE, name));
  }
  equal('delete service', (await client.deleteService(SERVICE)).data, '');
  await refused('get a deleted service', 404, 'ServiceNotFound', () => client.getService(SERVICE));
}

module.exports = { create, remove };
