import { acquireAllOrBusy } from '../../native-free-shm/latch.ts';
import type { ShardAccess } from '../shard/shard-access.ts';

/** How long this thread spins for a latch before it naps, and how long it naps. */
const SPIN_MICROS = 50;
const NAP_MS = 0.1;

/**
 * Runs `change` while this thread holds the latches of all shards. Blocks the thread until it has them: for rare changes of
 * facts of the whole server (R3), never on the way of a client's data command.
 */
export function underAllLatches(access: ShardAccess, change: () => void): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  // all or none in each round: who waits for the rest of its latches must not find that we hold one of them
  while (acquireAllOrBusy(access.latches, access.latches.length, SPIN_MICROS) !== -1) Atomics.wait(word, 0, 0, NAP_MS);
  change();
  for (const latch of access.latches) latch.release();
}
