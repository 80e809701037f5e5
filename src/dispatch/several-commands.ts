/**
 * A unit of several commands (EXEC, scripts): all its latches first, then command after command, then one transaction.
 *
 *   beginCollecting, collect … ──► latchCollected ──► runNested … (tryLatchMore) ──► end, or abandon where nothing was changed
 *
 * `unit.held` is what the running command reaches for; `latched` is what the unit has. One object per thread.
 *
 * Invariant 1: before latchCollected answers DONE nothing is held, and whoever got BUSY or GATE collects again (R2, R3).
 * Invariant 2: a nested command reaches only for latched shards; inside, time stands still (R9) and nothing waits (R6).
 * Invariant 3: records of nested commands stay staged until `end`, which publishes those of all shards together (R16).
 */
import { type CommandRow, REACH } from '../commands/command-table.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { INTEREST, SHARD, SHARD_F64 } from '../shard/world.ts';
import { BUSY, DONE, type Executor, GATE, OUT_OF_ROOM, routeError, SEVERAL_SHARDS } from './executor.ts';
import type { Unit } from './unit.ts';

/** Of `runNested`: the command reaches for shards whose latches the unit does not have; nothing has happened. */
export const NEED_MORE = 3;

const NEWEST_MS = SHARD_F64.newestMs;

export class SeveralCommands {
  /** The latched shards; only the first `latchedCount` count. */
  readonly latched: Int32Array;
  latchedCount = 0;
  private readonly executor: Executor;
  private readonly unit: Unit;
  private readonly shards: number;
  private readonly latchedMark: Uint8Array;

  constructor(executor: Executor) {
    this.executor = executor;
    this.unit = executor.unit;
    this.shards = executor.latches.length;
    this.latched = new Int32Array(this.shards);
    this.latchedMark = new Uint8Array(this.shards);
  }

  /** Forgets what was collected: a unit of several commands is about to be put together. */
  beginCollecting(): void {
    this.latchedMark.fill(0);
    this.latchedCount = 0;
  }

  /** The unit will also touch this shard. */
  collectShard(shard: number): void {
    this.latchedMark[shard] = 1;
  }

  /** The unit will also run the commands of which `markShards` was told. */
  collectMarked(marks: Uint8Array): void {
    const { latchedMark } = this;
    for (let shard = 0; shard < this.shards; shard++) latchedMark[shard] |= marks[shard];
  }

  /**
   * Outside of units: marks the shards that a command will touch, and keeps the place of its key in `args`. What cannot be told before
   * it runs marks every shard.
   */
  markShards(row: CommandRow, args: Args, marks: Uint8Array): void {
    if (row.run === null && !row.isScript) return;
    const { executor, unit } = this;
    if (row.oneKey) {
      if (args.located === row.firstKey || executor.locateAhead(args, row.firstKey) >= 0) marks[args.keyShard] = 1;
      return;
    }
    // where a script goes is known when it is there, and EXEC cannot be taken back
    if (row.reach !== REACH.keys || row.isScript) {
      marks.fill(1);
      return;
    }
    if (executor.route(row, args, 0) < SEVERAL_SHARDS) return;
    for (let i = 0; i < unit.heldCount; i++) marks[unit.held[i]] = 1;
  }

  /**
   * Takes the latches of all collected shards, ascending, all or none, and begins the unit. BUSY and GATE as `execute`: nothing
   * happened, the caller collects again. `waits`: the unit has waited before, and is rung when it is worthwhile to try again; `turn`
   * as in executeWaiting. `writes`: some command may change something.
   */
  latchCollected(reply: ReplyWriter, writes: boolean, waits: boolean, turn: boolean): number {
    const { executor, unit } = this;
    const { latched, latchedMark } = this;
    let count = 0;
    for (let shard = 0; shard < this.shards; shard++) if (latchedMark[shard] !== 0) latched[count++] = shard;
    for (let i = 0; i < count; i++) unit.held[i] = latched[i];
    unit.heldCount = count;
    if (writes && executor.journalLags()) {
      if (waits && turn && executor.turn.mine()) executor.turn.end();
      if (waits) executor.awaitJournal();
      return BUSY;
    }
    if (waits ? !executor.acquireWaiting(turn) : !executor.acquire()) return BUSY;
    if (!executor.stateHolds()) return GATE;
    for (let i = 0; i < count; i++) if (this.isSettling(latched[i])) return executor.giveWay();
    this.latchedCount = count;
    this.beginUnit(reply);
    return DONE;
  }

  /** Waiters have to be served there before anything else runs (R10). */
  private isSettling(shard: number): boolean {
    return (this.unit.headerWords[shard][SHARD.interest] & INTEREST.settling) !== 0;
  }

  private beginUnit(reply: ReplyWriter): void {
    const { executor, unit } = this;
    let now = executor.clockMs;
    for (let i = 0; i < unit.heldCount; i++) {
      const shard = unit.held[i];
      now = Math.max(now, executor.f64s[shard][NEWEST_MS]);
      executor.touch(shard);
    }
    unit.begin(unit.args, reply, 0, now, false);
    unit.several = true;
    unit.mayBlock = false;
    executor.enterShards(now);
  }

  /**
   * Runs one command inside the unit. NEED_MORE: it reaches for shards that are not latched, and nothing has happened. An error before
   * its first change is its reply; what the commands before it did stays. Whoever must be able to take back the whole unit (scripts,
   * R6, R8) captures the arenas of `latched` from latchCollected on and undoes before abandon.
   */
  runNested(row: CommandRow, args: Args, reply: ReplyWriter, db: number, noTouch: boolean): number {
    const { executor, unit } = this;
    const shard = executor.route(row, args, db);
    if (shard < SEVERAL_SHARDS) {
      reply.error(routeError(shard));
      return DONE;
    }
    for (let i = 0; i < unit.heldCount; i++) if (this.latchedMark[unit.held[i]] === 0) return NEED_MORE;
    unit.next(args, db, noTouch);
    const mark = reply.pos;
    const noted = unit.notes.count;
    const pinned = executor.large.pinned;
    const mutations = executor.mutations();
    try {
      if ((unit.writes = row.isWrite) && !executor.reserve(row, args)) reply.error(OUT_OF_ROOM);
      else row.run!(unit, args, reply);
      if (unit.listening !== 0) executor.noteUnsaid(row, args, noted);
      if (unit.reads !== null && unit.reads.readerWorker >= 0) executor.noteReads(row, args, unit.reads);
      unit.settle(row);
    } catch (error) {
      // what is staged cannot be taken back alone
      if (executor.mutations() !== mutations || unit.namesEffects) executor.poison(error);
      executor.large.dropReplies(pinned);
      executor.answerFailure(error, reply, mark, row);
    }
    return DONE;
  }

  /**
   * Tries, without waiting, to latch more shards for the running unit (R6): for a command that found keys out of order. False: all is as
   * before. A shard whose newest time is later than the unit's cannot join it, for time stands still inside a unit (R9).
   */
  tryLatchMore(shards: Int32Array, count: number): boolean {
    const { latched, latchedMark } = this;
    const before = this.latchedCount;
    for (let i = 0; i < count; i++) {
      const shard = shards[i];
      if (latchedMark[shard] !== 0) continue;
      if (!this.executor.latches[shard].tryAcquire()) return this.giveBackFrom(before);
      latched[this.latchedCount++] = shard;
      latchedMark[shard] = 1;
      if (this.executor.f64s[shard][NEWEST_MS] > this.unit.nowMs) return this.giveBackFrom(before);
      if (this.isSettling(shard)) return this.giveBackFrom(before);
    }
    const clock = this.executor.clock24(this.unit.nowMs);
    for (let i = before; i < this.latchedCount; i++) {
      this.executor.f64s[latched[i]][NEWEST_MS] = this.unit.nowMs;
      this.unit.spaces[latched[i]].clock = clock;
      this.unit.listening |= this.unit.headerWords[latched[i]][SHARD.interest];
      this.executor.touch(latched[i]);
    }
    return true;
  }

  private giveBackFrom(before: number): false {
    while (this.latchedCount > before) {
      const shard = this.latched[--this.latchedCount];
      this.latchedMark[shard] = 0;
      this.executor.latches[shard].release();
    }
    return false;
  }

  /** Ends the unit: its changes become visible together, listeners hear of them, the latches are released, long values copied. */
  end(reply: ReplyWriter, row: CommandRow, mark: number): void {
    const { executor, unit } = this;
    try {
      this.holdLatched();
      unit.dirty = 0;
      if (unit.commit(null)) executor.wrote = true;
    } catch (error) {
      executor.poison(error);
    }
    this.abandon();
    if (executor.large.active) executor.finishLarge(reply, mark, row);
  }

  /** Releases the latches of a unit that changed nothing, or took back what it changed. */
  abandon(): void {
    this.unit.several = false;
    this.unit.mayBlock = true;
    this.giveBackFrom(0);
  }

  private holdLatched(): void {
    const { unit } = this;
    for (let i = 0; i < this.latchedCount; i++) unit.held[i] = this.latched[i];
    unit.heldCount = this.latchedCount;
  }
}
