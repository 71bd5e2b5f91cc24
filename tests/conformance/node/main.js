// bide driven by the official Node client, @alicloud/fc2, unmodified.
// Needs BIDE_ENDPOINT, BIDE_ACCOUNT_ID, BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET, and a server without our service.
// Run it with `cargo xtask conformance node`.
'use strict';

const catalog = require('./catalog');
const config = require('./config');
const events = require('./events');
const invoke = require('./invoke');
const listing = require('./listing');
const refusals = require('./refusals');
const scaling = require('./scaling');
const tasks = require('./tasks');
const timers = require('./timers');
const versions = require('./versions');
const web = require('./web');
const { newClient } = require('./setting');

async function main() {
  const client = newClient();
  await catalog.create(client);
  await refusals.catalog(client);
  await invoke.run(client);
  await tasks.forOneCall(client);
  await timers.run(client);
  await events.run(client);
  await config.putAndRead(client);
  await tasks.run(client);
  await listing.run(client);
  await refusals.run(client);
  await web.run(client);
  await scaling.run(client);
  await versions.run(client);
  await config.remove(client);
  await catalog.remove(client);
}

main().catch((error) => {
  console.log(error.message.startsWith('not ok') ? error.message : error.stack);
  process.exitCode = 1;
});
