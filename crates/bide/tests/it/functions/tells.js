// Does what its event says, {"do": ...}, and notes in the journal what happens to it.
'use strict';

const fs = require('fs');

exports.handler = (event, context, callback) => {
  const order = JSON.parse(event.length ? event.toString() : '{}');
  note({ id: 'ran' });
  ORDERS[order.do || 'nothing'](order, context, callback);
};

exports.initialize = (context, callback) => {
  note({ id: 'initialize', request: context.requestId });
  const mode = begun('initialize') === 1 ? process.env.INITIALIZER || '' : '';
  if (mode === 'fail') callback(new Error('not the first time'));
  else if (mode !== 'hang') callback(null, '');
};

exports.freeze = async (context) => note({ id: 'freeze', request: context.requestId });

exports.stop = (context, callback) => {
  note({ id: 'stop', request: context.requestId });
  callback();
};

function note(fields) {
  if (process.env.JOURNAL) fs.appendFileSync(process.env.JOURNAL, `${JSON.stringify(fields)}\n`);
}

function begun(id) {
  return fs.readFileSync(process.env.JOURNAL, 'utf8').split('\n').filter((line) => line && JSON.parse(line).id === id).length;
}

function describe(order, c, callback) {
  if (order.fails_first && c.retryCount === 0) throw new Error('not the first time');
  callback(null, {
    requestId: c.requestId, retryCount: c.retryCount, taskId: c.taskId,
    function: [c.function.name, c.function.handler, c.function.memory, c.function.timeout],
    service: [c.service.name, c.service.qualifier, c.service.versionId],
    logs: [c.service.logProject, c.service.logStore],
    region: c.region, accountId: c.accountId,
    credentials: [c.credentials.accessKeyId, c.credentials.accessKeySecret, c.credentials.securityToken],
    tracing: [c.tracing.openTracingSpanContext, c.tracing.openTracingSpanBaggages, c.tracing.jaegerEndpoint],
  });
}

function log(order, context, callback) {
  process.stdout.write('printed\n');
  process.stderr.write('on stderr\n');
  console.log('info %d', 1);
  context.logger.warn('warning');
  setTimeout(() => { context.logger.error('of a thread'); callback(); }, 1);
}

const ORDERS = {
  nothing: (order, context, callback) => callback(null, 'done'),
  describe,
  environment: (order, context, callback) => callback(null, { ...process.env }),
  log,
  hang: () => {},
  exit: () => process.exit(3),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  fill: () => { globalThis.kept = Buffer.alloc(400 << 20, 1); },
  layer: (order, context, callback) => callback(null, require('shared') + fs.readFileSync('/opt/data')),
};
