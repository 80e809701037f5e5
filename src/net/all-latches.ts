/**
 * Changes of facts of the whole server (R3): under the latches of all shards.
 *
 * Invariant 1: who waits for latches holds none (R2): each round takes all or gives back what it took.
 * Invariant 2: after a few rounds the process-wide turn is taken, so that a stream of commands cannot keep us out. From then on
 *              nothing is tried before the turn has come, for a place in its line cannot be given back.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { acquireAllOrBusy, releaseAll } from '../../native-free-shm/latch.ts';
import type { ShardAccess } from '../shard/shard-access.ts';

/** How long this thread spins for a latch before it naps, and how long it naps. */
const SPIN_MICROS = 50;
const NAP_MS = 0.1;
const PAUSE_MS = 1;
const ROUNDS_BEFORE_TURN = 8;

/** What of a thread's access is needed; a seam for tests. */
export type LatchSet = Pick<ShardAccess, 'latches' | 'turn'>;

/**
 * Runs `change` while this thread holds the latches of all shards. Blocks the thread until it has them: for workers and rare
 * changes, never on the way of a client's data command. Where `change` throws, the latches stay with this thread.
 */
export function underAllLatches(access: LatchSet, change: () => void): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; !takeAll(access, round); round++) Atomics.wait(word, 0, 0, NAP_MS);
  change();
  releaseAll(access.latches, access.latches.length);
}

/** The same for the acceptor, whose event loop goes on while it waits: it must see threads die and signals come. */
export async function underAllLatchesSoon(access: LatchSet, change: () => void): Promise<void> {
  for (let round = 0; !takeAll(access, round); round++) await pause(PAUSE_MS);
  change();
  releaseAll(access.latches, access.latches.length);
}

function takeAll({ latches, turn }: LatchSet, round: number): boolean {
  const withTurn = round >= ROUNDS_BEFORE_TURN;
  if (withTurn) {
    if (!turn.request()) return false;
    turn.want(latches, latches.length);
  }
  if (acquireAllOrBusy(latches, latches.length, SPIN_MICROS) !== -1) return false;
  if (withTurn) turn.end();
  return true;
}
