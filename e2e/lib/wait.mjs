// Waiting for conditions, each with a deadline that names what did not happen.
import { setTimeout as delay } from "node:timers/promises";

export const SECONDS = 1000;
const PATIENCE = 20 * SECONDS; // a loaded machine with two cores

// within waits for a promise.
export async function within(promise, what, ms = PATIENCE) {
  const timer = new AbortController();
  try {
    return await Promise.race([
      promise,
      delay(ms, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`${what}: not within ${ms} ms`);
      }),
    ]);
  } finally {
    timer.abort();
  }
}

// until asks again and again until condition gives something true, and returns
// that. It may be asynchronous.
export async function until(condition, what, ms = PATIENCE) {
  const deadline = Date.now() + ms;
  for (;;) {
    const got = await condition();
    if (got) return got;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await delay(5);
  }
}

// event waits for one event of an emitter and returns its arguments.
export function event(emitter, name, ms = PATIENCE) {
  return within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `event ${name}`, ms);
}

// record keeps the arguments of every event of that name.
export function record(emitter, name) {
  const list = [];
  emitter.on(name, (...args) => list.push(args));
  return list;
}

// sequence is 0 to n-1, what counters should have brought.
export const sequence = (n) => Array.from({ length: n }, (_, i) => i);
