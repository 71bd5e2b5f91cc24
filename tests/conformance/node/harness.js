// What every section uses: checks that print, refusals, bounded waits.
// The first wrong thing ends the program. Waits look at a condition until it holds, and never longer than their deadline.
'use strict';

const { isDeepStrictEqual } = require('util');
const { setTimeout: pause } = require('timers/promises');

const LOOK_INTERVAL_MS = 20;
const WAIT_MS_MAX = 30000;

class Wrong extends Error {}

function fail(what, seen) {
  throw new Wrong(`not ok - ${what}\n  saw: ${JSON.stringify(seen)}`);
}

function check(what, holds, seen) {
  if (!holds) {
    fail(what, seen);
  }
  console.log(`ok - ${what}`);
}

function equal(what, seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) {
    fail(`${what}\n  wanted: ${JSON.stringify(wanted)}`, seen);
  }
  console.log(`ok - ${what}`);
}

// Checks that `call` is refused as the library tells it: the code as a property, the rest in the message.
async function refused(what, status, code, call, mentions = '') {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    if (error instanceof Wrong) {
      throw error;
    }
    equal(`${what}: ${status} ${code}`, error.code, code);
    if (!error.message.includes(`failed with ${status}. requestid: `) || error.message.includes('requestid: undefined')) {
      fail(`${what}: the status and a request ID`, error.message);
    }
    if (!error.message.toLowerCase().includes(mentions.toLowerCase())) {
      fail(`${what}: the message mentions ${mentions}`, error.message);
    }
    return;
  }
  fail(`${what}: must be refused with ${status} ${code}`, answer.data);
}

// Calls `look` until it gives something other than undefined, and returns that.
async function waitFor(what, look) {
  const deadline = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) {
      return seen;
    }
    if (Date.now() > deadline) {
      fail(`${what} within ${WAIT_MS_MAX} ms`);
    }
    await pause(LOOK_INTERVAL_MS);
  }
}

// The named fields of an object.
function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

module.exports = { check, equal, fail, pick, refused, waitFor };
