// The function that the Node program deploys: it does what its event says.
// An event that is no order is returned as it is.
'use strict';

function parse(event) {
  try {
    return JSON.parse(event.toString());
  } catch {
    return null;
  }
}

// The fields of the context that a caller knows too.
function describe(context) {
  return {
    requestId: context.requestId,
    accountId: context.accountId,
    service: context.service.name,
    qualifier: context.service.qualifier,
    function: context.function.name,
    handler: context.function.handler,
    memory: context.function.memory,
    timeout: context.function.timeout,
  };
}

exports.handler = (event, context, callback) => {
  const order = parse(event);
  switch (order && order.do) {
    case 'fail':
      return callback(new RangeError('told to fail'));
    case 'throw':
      throw new TypeError('told to throw');
    case 'exit':
      return process.exit(3);
    case 'sleep':
      return setTimeout(() => callback(null, 'slept'), order.seconds * 1000);
    case 'log':
      console.log(order.line);
      return callback(null, 'logged');
    case 'environment':
      return callback(null, process.env[order.name] || '');
    case 'describe':
      return callback(null, describe(context));
    default:
      return callback(null, event);
  }
};

// Node functions may also be asynchronous and return their result.
exports.asynchronous = async (event) => {
  const order = parse(event);
  if (order && order.do === 'throw') {
    throw new TypeError('told to throw');
  }
  return { received: event.toString() };
};
