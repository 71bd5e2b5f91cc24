// The client, the names and the calls that the sections share.
// `@alicloud/fc2` has no calls for tasks; `Tasks` makes them with the library's generic helpers.
'use strict';

const fs = require('fs');
const path = require('path');

const FC = require('@alicloud/fc2');
const { zip } = require('./zip');

const { BIDE_ENDPOINT, BIDE_ACCOUNT_ID, BIDE_ACCESS_KEY_ID, BIDE_ACCESS_KEY_SECRET } = process.env;

const SERVICE = 'conformance-node';
const FUNCTION = 'worker';
const SINK = 'sink';
const CODE = path.join(__dirname, '..', 'functions', 'node');

const FINAL = ['Succeeded', 'Failed', 'Stopped', 'Expired', 'Invalid'];

function newClient(accessKeyID = BIDE_ACCESS_KEY_ID, accessKeySecret = BIDE_ACCESS_KEY_SECRET) {
  const config = { accessKeyID, accessKeySecret, region: 'local', endpoint: BIDE_ENDPOINT };
  return new FC(BIDE_ACCOUNT_ID, config);
}

function packageBase64() {
  return zip({ 'index.js': fs.readFileSync(path.join(CODE, 'index.js')) }).toString('base64');
}

class Tasks {
  constructor(client, functionName = FUNCTION) {
    this.client = client;
    this.path = `/services/${SERVICE}/functions/${functionName}/stateful-async-invocations`;
  }

  async get(taskId) {
    return (await this.client.get(`${this.path}/${taskId}`)).data;
  }

  async list(query) {
    return (await this.client.get(this.path, query)).data;
  }

  // All pages, one after the other.
  async listAll(query) {
    const found = [];
    let page = {};
    do {
      page = await this.list(page.nextToken ? { ...query, nextToken: page.nextToken } : query);
      found.push(...page.invocations);
    } while (page.nextToken);
    return found;
  }

  stop(taskId) {
    return this.client.put(`${this.path}/${taskId}`);
  }
}

module.exports = {
  BIDE_ACCOUNT_ID, BIDE_ENDPOINT, CODE, FINAL, FUNCTION, SERVICE, SINK, Tasks, newClient, packageBase64,
};
