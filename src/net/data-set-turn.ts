/**
 * Who works on the files of the data set as a whole: rewrites the journal, switches it on or off, reads it anew. One at a time, or a
 * rewrite would name files of a data set that another thread has just replaced.
 *
 * Invariant 1: who has the turn gives it back whatever happened; nobody waits for it under a latch.
 */
import { PROCESS } from '../shard/world.ts';

/** What the turn is taken for; 0: nobody has it. */
export const WORK = { rewrite: 1, journalSwitch: 2, reload: 3, renewal: 4 } as const;
export type Work = (typeof WORK)[keyof typeof WORK];

/** Takes the turn. 0: this thread has it now; else what another one does. */
export function takeTurn(process: Int32Array, work: Work): number {
  return Atomics.compareExchange(process, PROCESS.dataSetTurn, 0, work);
}

/** What somebody does with the data set now; 0: nothing. */
export function workUnderWay(process: Int32Array): number {
  return Atomics.load(process, PROCESS.dataSetTurn);
}

export function endTurn(process: Int32Array): void {
  Atomics.store(process, PROCESS.dataSetTurn, 0);
}
