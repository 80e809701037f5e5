/**
 * Measures the pauses of the event loops of a server's workers from within: loaded into each of its threads by `--import`. A timer that
 * is due every millisecond is late by what the loop's turn takes; how long the thread had a core meanwhile, and how long it waited for
 * one, tells the server's own work from that of whoever shares the cores. Appends a line of JSON to the file EVENT_LOOP_WATCH names,
 * a second after the other, and begins anew with each; begins at all once that file is there.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { threadName } from 'node:worker_threads';

export interface LoopPause {
  /** The longest time between two turns; what of it the thread ran, and waited for a core. */
  longestMs: number;
  ranMs: number;
  waitedMs: number;
  /** The longest time that the thread ran between two turns. */
  longestRunMs: number;
}

export const REPORT_MS = 1000;
const NANOS_PER_MS = 1e6;
const NONE: LoopPause = { longestMs: 0, ranMs: 0, waitedMs: 0, longestRunMs: 0 };

function watch(file: string): void {
  // time on a core, time spent waiting for one, in nanoseconds
  const times = () => readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ', 2).map(Number);
  let longest = NONE;
  let begun = false;
  let last = performance.now();
  let reported = last;
  let [ran, waited] = times();
  const turn = (): void => {
    const [ranNow, waitedNow] = times();
    const ranMs = (ranNow - ran) / NANOS_PER_MS;
    const waitedMs = (waitedNow - waited) / NANOS_PER_MS;
    const ms = performance.now() - last;
    const longestRunMs = Math.max(longest.longestRunMs, ranMs);
    longest = ms > longest.longestMs ? { longestMs: ms, ranMs, waitedMs, longestRunMs } : { ...longest, longestRunMs };
    if (last - reported < REPORT_MS) return;
    appendFileSync(file, `${JSON.stringify(longest)}\n`);
    longest = NONE;
    reported = last;
  };
  setInterval(() => {
    if (begun) turn();
    else begun = existsSync(file);
    [ran, waited] = times();
    last = performance.now();
  }, 1).unref();
}

const file = process.env['EVENT_LOOP_WATCH'];
if (threadName?.startsWith('skein-worker-') === true && file !== undefined) watch(file);
