/**
 * Commands of this thread's clients that wait for the end of CLIENT PAUSE, or for memory that a snapshot needs (R8). They hold nothing and have begun nothing: when the pause
 * is over each goes through the dispatcher again as if it had just come, in the order of their coming.
 *
 * Invariant 1: a session in this list is parked and in no other place.
 */
import { CLIENT_FLAG } from '../admin/client-records.ts';
import { COUNTER } from '../admin/server-counters.ts';
import type { Args } from '../resp/args.ts';
import { STATE, WAIT_BITS } from '../shard/world.ts';
import type { Session } from './session.ts';

interface Paused {
  session: Session;
  args: Args;
  /** Bits of WAIT_BITS that it met. */
  bits: number;
}

export class PausedCommands {
  private list: Paused[] = [];
  /** This thread's. */
  private readonly counters: Float64Array;

  constructor(counters: Float64Array) {
    this.counters = counters;
  }

  /** Parks the session with a copy of its arguments; `bits` is the state that pauses it. */
  add(session: Session, args: Args, bits: number): void {
    session.park();
    session.server.clients.setFlag(session.record, CLIENT_FLAG.waiting, true);
    this.list.push({ session, args: args.copyOwned(), bits: bits & WAIT_BITS });
    if ((bits & STATE.snapshotFull) !== 0) this.counters[COUNTER.throttledWrites]++;
  }

  /** Hands back what may have another try now that the state is `bits`; sessions that ended meanwhile are dropped. */
  resume(bits: number, run: (session: Session, args: Args) => void): void {
    if (this.list.length === 0) return;
    const list = this.list;
    this.list = [];
    for (const item of list) {
      const { session, args } = item;
      if ((bits & item.bits) === item.bits && session.peer !== null) {
        this.list.push(item);
        continue;
      }
      if ((item.bits & STATE.snapshotFull) !== 0) this.counters[COUNTER.admittedWrites]++;
      if (session.peer === null) continue;
      session.parked = false;
      session.server.clients.setFlag(session.record, CLIENT_FLAG.waiting, false);
      run(session, args);
    }
  }
}
