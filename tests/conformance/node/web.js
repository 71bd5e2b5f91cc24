// Functions over HTTP: triggers, signed and unsigned calls, asynchronous ones, custom domains.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');

const { equal, pick, refused } = require('./harness');
const { BIDE_ENDPOINT, CODE, SERVICE, Tasks, newClient } = require('./setting');
const { waitFinal } = require('./tasks');
const { zip } = require('./zip');

const WEB = 'web';
const TRIGGER = 'http';
const DOMAIN = 'node.example.com';
const PROXY = `/proxy/${SERVICE}/${WEB}`;

async function run(client) {
  const zipFile = zip({ 'web.js': fs.readFileSync(path.join(CODE, 'web.js')) }).toString('base64');
  const settings = { functionName: WEB, runtime: 'nodejs20', handler: 'web.handler', timeout: 60 };
  await client.createFunction(SERVICE, { ...settings, code: { zipFile } });
  await createTrigger(client);
  await signedCalls(client);
  await asynchronousCall(client);
  await updateTrigger(client);
  await customDomain(client);
  await remove(client);
}

async function createTrigger(client) {
  const rules = { authType: 'function', methods: ['GET', 'POST', 'PUT', 'DELETE'] };
  const create = (triggerName) => client.createTrigger(SERVICE, WEB, {
    triggerName, triggerType: 'http', triggerConfig: rules, sourceArn: '', invocationRole: '', qualifier: 'LATEST',
  });
  const { data: made } = await create(TRIGGER);
  equal('create trigger: answers with it', pick(made, ['triggerName', 'triggerType', 'qualifier']),
    { triggerName: TRIGGER, triggerType: 'http', qualifier: 'LATEST' });
  equal('create trigger: and with its rules', pick(made.triggerConfig, Object.keys(rules)), rules);
  await refused('create a trigger twice', 409, 'TriggerAlreadyExists', () => create(TRIGGER));
  equal('get trigger', (await client.getTrigger(SERVICE, WEB, TRIGGER)).data.triggerId, made.triggerId);
  const { data: listed } = await client.listTriggers(SERVICE, WEB, { limit: 10 });
  equal('list triggers', listed.triggers.map((trigger) => trigger.triggerName), [TRIGGER]);
  await refused('get an unknown trigger', 404, 'TriggerNotFound', () => client.getTrigger(SERVICE, WEB, 'nobody'));
}

async function signedCalls(client) {
  const query = { z: '1 2', a: 'ü', many: ['1', '2'] };
  const answer = await client.get(`${PROXY}/a/c`, query, { 'x-own': 'yes' });
  const { requestId, ...seen } = answer.data;
  equal('signed call: the request ID', requestId, answer.headers['x-fc-request-id']);
  equal('signed call: a header of the function', answer.headers['x-answer'], 'yes');
  equal('signed call: what the function sees', seen, {
    method: 'GET', path: '/a/c', queries: query, own: 'yes', body: '', signed: false,
  });
  equal('signed call: POST', (await client.post(`${PROXY}/`, 'a body', {}, {})).data.body, 'a body');
  equal('signed call: PUT', (await client.put(`${PROXY}/`, { a: 1 })).data.body, '{"a":1}');
  equal('signed call: DELETE', (await client.delete(`${PROXY}/`)).data.method, 'DELETE');
  await refused('signed call: the function\'s own status', 418, undefined, () => client.get(`${PROXY}/teapot`));
  await refused('a function that throws', 502, undefined, () => client.get(`${PROXY}/fail`), 'told to fail');
  await refused('a method that is not listed', 403, 'AccessDenied',
    () => client.request('PATCH', `${PROXY}/`, {}, null));
  await refused('a wrong secret', 403, 'SignatureNotMatch', () => newClient(undefined, 'wrong').get(`${PROXY}/`));
  await refused('an unknown function', 404, 'FunctionNotFound', () => client.get(`/proxy/${SERVICE}/nobody/`));
  equal('unsigned call: refused', (await unsigned(`/2016-08-15${PROXY}/`)).status, 400);
}

// Status and body of a call without signature, by path or to a host of its own.
function unsigned(target, host) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${BIDE_ENDPOINT}${target}`, { headers: host ? { host } : {} }, async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve({ status: response.statusCode, body });
    });
    request.on('error', reject);
  });
}

async function asynchronousCall(client) {
  const answer = await client.post(`${PROXY}/later`, 'later', {
    'x-fc-invocation-type': 'Async', 'x-fc-stateful-async-invocation-id': 'web-1',
    'x-fc-stateful-async-invocation-enable': 'true', 'x-own': 'later',
  }, { q: '1' });
  equal('asynchronous call: an empty body', answer.data, '');
  const task = await waitFinal(new Tasks(client, WEB), 'web-1');
  const { requestId, ...seen } = JSON.parse(task.returnPayload);
  equal('asynchronous call: the request ID', requestId, answer.headers['x-fc-request-id']);
  equal('asynchronous call: what the function sees', seen, {
    method: 'POST', path: '/later', queries: { q: '1' }, own: 'later', body: 'later', signed: false,
  });
}

async function updateTrigger(client) {
  const { headers } = await client.getTrigger(SERVICE, WEB, TRIGGER);
  const triggerConfig = { authType: 'anonymous', methods: ['GET'] };
  const { data: changed } = await client.updateTrigger(SERVICE, WEB, TRIGGER, { triggerConfig });
  equal('update trigger', pick(changed.triggerConfig, ['authType', 'methods']), triggerConfig);
  await refused('update trigger with an old ETag', 412, 'PreconditionFailed',
    () => client.updateTrigger(SERVICE, WEB, TRIGGER, { triggerConfig }, { 'if-match': headers.etag }));
  equal('unsigned call: an anonymous trigger answers', (await unsigned(`/2016-08-15${PROXY}/`)).status, 200);
  await refused('a method that is listed no more', 403, 'AccessDenied', () => client.post(`${PROXY}/`, 'x', {}, {}));
}

async function customDomain(client) {
  const routeConfig = { routes: [{ path: '/*', serviceName: SERVICE, functionName: WEB, qualifier: 'LATEST' }] };
  const { data: made } = await client.createCustomDomain(DOMAIN, { protocol: 'HTTP', routeConfig });
  equal('create custom domain', pick(made, ['domainName', 'protocol']), { domainName: DOMAIN, protocol: 'HTTP' });
  const seen = JSON.parse((await unsigned('/x?q=1', DOMAIN)).body);
  equal('custom domain: leads to the function', [seen.path, seen.queries], ['/x', { q: '1' }]);
  routeConfig.routes[0].path = '/only';
  await client.updateCustomDomain(DOMAIN, { routeConfig });
  equal('update custom domain', (await client.getCustomDomain(DOMAIN)).data.routeConfig.routes[0].path, '/only');
  equal('update custom domain: no route', (await unsigned('/x', DOMAIN)).status, 404);
  const { data: listed } = await client.listCustomDomains({ prefix: 'node.' });
  equal('list custom domains', listed.customDomains.map((domain) => domain.domainName), [DOMAIN]);
  await client.deleteCustomDomain(DOMAIN);
  await refused('get a deleted custom domain', 404, 'DomainNameNotFound', () => client.getCustomDomain(DOMAIN));
}

async function remove(client) {
  await client.deleteTrigger(SERVICE, WEB, TRIGGER);
  await refused('get a deleted trigger', 404, 'TriggerNotFound', () => client.getTrigger(SERVICE, WEB, TRIGGER));
  equal('delete trigger: the address is gone', (await unsigned(`/2016-08-15${PROXY}/`)).status, 404);
  await client.deleteFunction(SERVICE, WEB);
}

module.exports = { run };
