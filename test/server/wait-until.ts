/**
 * The one place of the tests that lets time pass: everything else waits for a condition.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** Resolves once `condition` holds; throws with `what` after `withinMs`. Asks again every `everyMs`. */
export async function waitUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
  everyMs = 5,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await pause(everyMs);
  }
}

/** Waits until the wall clock shows `unixMs` or later. */
export async function waitForClock(unixMs: number): Promise<void> {
  for (let left = unixMs - Date.now(); left > 0; left = unixMs - Date.now()) await pause(left);
}

/** The promise's value, or a rejection that names `what` after `withinMs`. The promise itself goes on. */
export async function within<T>(what: string, promise: Promise<T>, withinMs: number): Promise<T> {
  const stop = new AbortController();
  const late = pause(withinMs, undefined, { signal: stop.signal, ref: true }).then(
    () => {
      throw new Error(`no answer in ${withinMs} ms: ${what}`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
