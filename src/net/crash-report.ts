/** What the log gets when the process ends because of a bug or a signal: what happened, where, and how the threads stand. */
import { systemClock } from '../env/clock.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { FIRST_WORKER, type WorldMemory } from '../shard/world.ts';

/**
 * Lines of the report. `error`: what happened, and below it the stack of the thread in which it did, if it is known: Node.js tells no
 * thread where another one is.
 */
export function crashReport(error: string, access: ShardAccess, world: Pick<WorldMemory, 'workers'>): string {
  const [what, ...stack] = error.split('\n');
  const nowMs = systemClock.wallMs();
  const threads = Array.from(
    { length: world.workers },
    (_, worker) => `worker ${worker}: last turn ${access.heartbeats.ageMs(FIRST_WORKER + worker, nowMs)} ms ago`,
  );
  const held = access.latches.flatMap((latch, shard) =>
    latch.holder() === 0 ? [] : [`shard ${shard}: latch held by thread ${latch.holder()}`],
  );
  return [
    `=== ${what}`,
    '------ STACK TRACE ------',
    ...(stack.length === 0 ? ['(not known)'] : stack),
    '------ THREADS ------',
    ...threads,
    ...held,
    '------ END OF REPORT ------',
  ].join('\n');
}
