// The function under test: returns when it was entered, in nanoseconds since 1970, but not before a given time.
//
// The event is that time, in milliseconds since 1970; 0 returns at once.
'use strict';

exports.handler = (event, context, callback) => {
  const entered = performance.timeOrigin + performance.now();
  const answer = () => callback(null, `${Math.round(entered * 1e3)}000`);
  const wait = Number(event) - entered;
  if (wait > 0) setTimeout(answer, wait);
  else answer();
};
