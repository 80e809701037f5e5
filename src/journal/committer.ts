/**
 * The journal thread's logic: when rounds are due (sync-round.ts), what is done while the disk refuses, what is told of it. One object in
 * the process, driven by workers/journal.ts.
 *
 * Invariant 1: nothing waits for this thread but replies under `always`, and writes at the gate while the disk is late or broken.
 */
import { GLOBAL, JOURNAL_STATE } from './journal-memory.ts';
import { SyncRound, type SyncRoundParts } from './sync-round.ts';

const TICK_MS = 1000;
const RETRY_MS = 100;

/** What became of the disk; for the log, and for whoever decides whether to go on. */
export interface JournalReport {
  /** Bits of JOURNAL_STATE, now. */
  state: number;
  errno: number;
  shard: number;
}

export interface CommitterParts extends SyncRoundParts {
  /** Called when the state of the disk changed. */
  report: (report: JournalReport) => void;
}

export class Committer {
  private readonly parts: CommitterParts;
  private readonly i32: Int32Array;
  private readonly rounds: SyncRound;
  private nextTickMs: number;
  private nextRetryMs = 0;
  private reportedState = 0;

  constructor(parts: CommitterParts) {
    this.parts = parts;
    this.i32 = new Int32Array(parts.memory.control);
    this.rounds = new SyncRound(parts);
    this.nextTickMs = parts.clock.steadyMs() + TICK_MS;
  }

  private get state(): number {
    return this.rounds.control.state;
  }

  /** One turn: a round if one is wanted or due. Returns how long the thread may sleep, in ms, unless its bell rings. */
  turn(): number {
    const now = this.parts.clock.steadyMs();
    const wanted = Atomics.exchange(this.i32, GLOBAL.syncWanted, 0) === 1;
    const due = now >= this.nextTickMs;
    if (due) this.nextTickMs = this.nextTickMs + TICK_MS > now ? this.nextTickMs + TICK_MS : now + TICK_MS;
    if (this.state === 0) {
      if (wanted || due) this.rounds.run(due, false);
    } else if (now >= this.nextRetryMs) {
      this.nextRetryMs = now + RETRY_MS;
      if (this.writeAgain()) this.rounds.run(true, false);
    }
    this.reportChange();
    if (this.state !== 0) return RETRY_MS;
    return Math.max(0, this.nextTickMs - this.parts.clock.steadyMs());
  }

  /** Everything into the files, synced and sealed; nobody appends any more. False: the disk refused. */
  finish(): boolean {
    if ((this.state & JOURNAL_STATE.writeFailed) !== 0) this.writeAgain();
    if (this.state === 0 && this.rounds.run(true, true)) this.rounds.seal();
    this.reportChange();
    Atomics.store(this.i32, GLOBAL.stop, 2);
    this.rounds.ringLanes();
    return this.state === 0;
  }

  /** After a failed write: tries each refused file again. True: all of them took their bytes, the state is clean. */
  private writeAgain(): boolean {
    let refused = false;
    for (let shard = 0; shard < this.rounds.journals.length; shard++) {
      const words = this.rounds.words[shard];
      while (words.i32[words.writeError] !== 0) {
        if (this.rounds.journals[shard].retryDrain()) continue;
        if (words.i32[words.writeError] === 0) continue;
        refused = true;
        break;
      }
    }
    if (refused) return false;
    Atomics.and(this.i32, GLOBAL.state, ~JOURNAL_STATE.writeFailed);
    // A drain may have failed between the look at its shard and the line above.
    for (const { i32, writeError } of this.rounds.words) {
      if (Atomics.load(i32, writeError) === 0) continue;
      Atomics.or(this.i32, GLOBAL.state, JOURNAL_STATE.writeFailed);
      return false;
    }
    return this.state === 0;
  }

  private reportChange(): void {
    const state = this.state;
    if (state === this.reportedState) return;
    this.reportedState = state;
    this.parts.report({ state, errno: this.i32[GLOBAL.errno], shard: this.i32[GLOBAL.brokenShard] });
  }
}
