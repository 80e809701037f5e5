/**
 * Route and execute: from the arguments of a data command to its shards, their latches, the handler, the journal.
 * One object per thread.
 *
 * Invariant 1: `execute` returns with no latch held, whatever the handler did.
 * Invariant 2: a handler that fails after its first change poisons the shard and ends the process (R5).
 */
import type { Doorbell } from '../../native-free-shm/doorbell.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { enqueueAll, type Latch } from '../../native-free-shm/latch.ts';
import type { Turn } from '../../native-free-shm/turn.ts';
import { COUNTER } from '../admin/server-counters.ts';
import { keyPositions } from '../commands/command-keys.ts';
import { type CommandRow, REACH } from '../commands/command-table.ts';
import { FLAG, SHARD_CHOICE } from '../commands/spec.ts';
import { MAX_KEY_BYTES, MAX_LATCHED_COPY_BYTES } from '../keyspace/entry.ts';
import { MemoryTouch } from '../keyspace/memory-touch.ts';
import { slotMap, slotOf } from '../keyspace/slot.ts';
import type { Listener } from '../pubsub/push-listener.ts';
import type { ReadTracking } from '../pubsub/read-tracking.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { INTEREST, PROCESS, SHARD, SHARD_F64, type ShardHeader } from '../shard/world.ts';
import type { LargeValues } from './large-values.ts';
import { noteWaits } from './ruled-waits.ts';
import type { Unit } from './unit.ts';

/** Outcomes of `execute`. */
export const DONE = 0;
/** A latch stayed busy; nothing has happened. */
export const BUSY = 1;
/** The state of the server changed since the gate; nothing has happened. */
export const GATE = 2;

/** Outcomes of `route` that are no shard. */
export const SEVERAL_SHARDS = -1;
const KEY_TOO_LONG = -2;

/** The error reply for an outcome of `route` below SEVERAL_SHARDS. */
export function routeError(outcome: number): string {
  if (outcome !== KEY_TOO_LONG) throw new Error(`${outcome} is no reason to refuse a command`);
  return `ERR key is too long: ${MAX_KEY_BYTES} bytes at most`;
}

// a constant of this module is an immediate in compiled code, a field of an imported object is not
const NEWEST_MS = SHARD_F64.newestMs;
const MAX_LATCHED_BYTES = MAX_LATCHED_COPY_BYTES;
const DENY_OOM = FLAG.denyoom;
const READONLY = FLAG.readonly;
const SETTLING = INTEREST.settling;

/** How long a thread spins for a busy latch, in microseconds (R1). */
export const SPIN_MICROS = 20;
/** Room that every writing unit has besides its own arguments: table growth, a heap page, small results. */
const UNIT_SLACK_BYTES = 1 << 20;
/** The largest block among these, besides one that holds an argument: a page of the table, with its headers. */
const LARGEST_OWN_BLOCK_BYTES = 128 * 1024;
/** Keys of one command whose places in memory are touched together. */
const KEYS_AHEAD = 32;
/** Room that commands which may be refused for lack of memory leave to those that may not (EXPIRE, RENAME, LTRIM …). */
const EMERGENCY_BYTES = 1 << 20;
export const OUT_OF_ROOM = "OOM command not allowed when used memory > 'maxmemory'.";

export class Executor {
  readonly unit: Unit;
  readonly latches: readonly Latch[];
  private readonly headers: readonly ShardHeader[];
  readonly turn: Turn;
  private readonly doorbell: Doorbell;
  private readonly waitingLatches: Latch[];
  private readonly hasher: HalfSipHash;
  private readonly shards: number;
  private readonly shardOfSlot: Uint8Array;
  readonly awaitJournal: (stamps?: readonly number[]) => void;
  private readonly fail: (error: unknown) => never;
  /** Shards that the running batch touched, each once. */
  readonly touched: Int32Array;
  touchedCount = 0;
  /** The running batch changed something. */
  wrote = false;
  /** State bits that the gate let the running command pass with. */
  gateBits = 0;
  private readonly stateWords: Int32Array;
  readonly f64s: readonly Float64Array[];
  private readonly touchedMark: Uint8Array;
  /** By shard: the batch touched what may have to be on stable storage before its output leaves. With durability rules only. */
  readonly waits: Uint8Array;
  private readonly needed: Uint8Array;
  private keyArgs = new Int32Array(64);
  private readonly ahead = new MemoryTouch(KEYS_AHEAD);
  private clock24Ms = -1;
  private clock24Value = 0;
  /** Clock of the batch. */
  clockMs = 0;
  /** maxmemory in bytes, 0 = unbounded: looked at again under the latch (R3). */
  maxMemoryBytes = 0;
  readonly large: LargeValues;

  constructor(parts: {
    unit: Unit;
    latches: readonly Latch[];
    headers: readonly ShardHeader[];
    /** Process words. */
    process: Int32Array;
    turn: Turn;
    /** This thread's own bell. */
    doorbell: Doorbell;
    hasher: HalfSipHash;
    /** Has this thread rung when the journal has got ahead, and the shards of these pairs of shard and position synced soon. */
    awaitJournal: (stamps?: readonly number[]) => void;
    /** Ends the process; never returns. */
    fail: (error: unknown) => never;
  }) {
    this.unit = parts.unit;
    this.large = parts.unit.large;
    this.latches = parts.latches;
    this.headers = parts.headers;
    this.f64s = parts.headers.map((header) => header.f64);
    this.stateWords = this.unit.process = parts.process;
    this.unit.headerWords = parts.headers.map((header) => header.i32);
    this.turn = parts.turn;
    this.doorbell = parts.doorbell;
    this.waitingLatches = parts.latches.slice();
    this.hasher = parts.hasher;
    this.awaitJournal = parts.awaitJournal;
    this.fail = parts.fail;
    this.shards = parts.latches.length;
    this.shardOfSlot = slotMap(this.shards);
    this.touched = new Int32Array(this.shards);
    this.touchedMark = new Uint8Array(this.shards);
    this.waits = new Uint8Array(this.shards);
    this.needed = new Uint8Array(this.shards);
  }

  /** Computes hash and shard of key argument `arg`; KEY_TOO_LONG. */
  private locate(args: Args, arg: number): number {
    const unit = this.unit;
    const start = args.starts[arg];
    const end = args.ends[arg];
    if (args.located === arg) {
      unit.hashes[arg] = args.keyHash;
      return (unit.shardOfArg[arg] = args.keyShard);
    }
    if (end - start > MAX_KEY_BYTES) return KEY_TOO_LONG;
    unit.hashes[arg] = this.hasher.hash(args.buf, start, end);
    return (unit.shardOfArg[arg] = this.shards === 1 ? 0 : this.shardOfSlot[slotOf(args.buf, start, end)]);
  }

  /** Computes hash and shard of key argument `arg` into `args`, if it is there and no key too long; else -1. */
  locateAhead(args: Args, arg: number): number {
    if (arg >= args.count) return -1;
    const start = args.starts[arg];
    const end = args.ends[arg];
    if (end - start > MAX_KEY_BYTES) return -1;
    args.keyHash = this.hasher.hash(args.buf, start, end);
    args.located = arg;
    return (args.keyShard = this.shards === 1 ? 0 : this.shardOfSlot[slotOf(args.buf, start, end)]);
  }

  /**
   * Finds the shards of a command: fills unit.held and the key registers. Returns the shard if there is just one,
   * SEVERAL_SHARDS, or KEY_TOO_LONG. Where the keys cannot be told from the arguments, it is shard 0.
   */
  route(row: CommandRow, args: Args, db: number): number {
    const unit = this.unit;
    if (row.oneKey) {
      const shard = this.locate(args, row.firstKey);
      if (shard < 0) return shard;
      unit.held[0] = shard;
      unit.heldCount = 1;
      return shard;
    }
    return this.routeMany(row, args, db);
  }

  /** As `route`, for a record of shard `own`'s journal, which concerns that shard alone whatever the command reaches. */
  routeReplay(row: CommandRow, args: Args, db: number, own: number): number {
    if (row.reach === REACH.keys) return this.route(row, args, db);
    if (row.reach === REACH.chosen) this.routeKeys(row, args, db);
    this.unit.held[0] = own;
    this.unit.heldCount = 1;
    return own;
  }

  private routeMany(row: CommandRow, args: Args, db: number): number {
    const unit = this.unit;
    if (row.reach === REACH.all) return this.holdAll();
    if (row.reach === REACH.chosen) {
      const shard = row.spec.shardChoice!(args, unit.spaces, db);
      if (shard === SHARD_CHOICE.all) return this.holdAllWithKeys(row, args, db);
      if (shard !== SHARD_CHOICE.keys) {
        unit.held[0] = shard;
        unit.heldCount = 1;
        return shard;
      }
    }
    return this.routeKeys(row, args, db);
  }

  private routeKeys(row: CommandRow, args: Args, db: number): number {
    const unit = this.unit;
    unit.roomForArgs(args.count);
    if (this.keyArgs.length < args.count) this.keyArgs = new Int32Array(unit.hashes.length);
    const keys = keyPositions(row, args, this.keyArgs);
    if (keys < 0) {
      // the handler says what is wrong with its arguments, before it looks a key up
      unit.held[0] = 0;
      unit.heldCount = 1;
      return 0;
    }
    this.needed.fill(0);
    for (let i = 0; i < keys; i++) {
      const arg = this.keyArgs[i];
      const shard = this.locate(args, arg);
      if (shard < 0) return shard;
      this.needed[shard] = 1;
      if (keys > 1) this.ahead.add(unit.spaces[shard], db, unit.hashes[arg]);
    }
    this.ahead.run();
    unit.heldCount = 0;
    for (let shard = 0; shard < this.shards; shard++) if (this.needed[shard] !== 0) unit.held[unit.heldCount++] = shard;
    if (unit.heldCount === 0) {
      unit.held[0] = 0;
      unit.heldCount = 1;
    }
    return unit.heldCount === 1 ? unit.held[0] : SEVERAL_SHARDS;
  }

  /** All shards; the key registers are filled as well. */
  private holdAllWithKeys(row: CommandRow, args: Args, db: number): number {
    const shard = this.routeKeys(row, args, db);
    return shard === KEY_TOO_LONG ? shard : this.holdAll();
  }

  private holdAll(): number {
    for (let shard = 0; shard < this.shards; shard++) this.unit.held[shard] = shard;
    this.unit.heldCount = this.shards;
    return this.shards === 1 ? 0 : SEVERAL_SHARDS;
  }

  /**
   * True while a write has to wait because a journal cannot follow: too much is not yet written (R4), or what is written is
   * not synced for too long (R18). Tries to write what is there.
   */
  journalLags(): boolean {
    const { held, heldCount, journals } = this.unit;
    for (let i = 0; i < heldCount; i++) {
      const journal = journals[held[i]];
      if (!journal.enabled) continue;
      if (journal.backlogFull()) journal.drain();
      if (journal.backlogFull() || journal.syncLate(this.clockMs)) return true;
    }
    return false;
  }

  /** Takes the latches of unit.held in ascending order, all or none; spins a little for each (R1). */
  acquire(): boolean {
    const unit = this.unit;
    const latches = this.latches;
    for (let i = 0; i < unit.heldCount; i++) {
      const latch = latches[unit.held[i]];
      if (latch.tryAcquire()) continue;
      unit.counters[COUNTER.latchCollisions]++;
      if (latch.acquireSpin(SPIN_MICROS)) continue;
      unit.counters[COUNTER.latchWaits]++;
      while (--i >= 0) latches[unit.held[i]].release();
      return false;
    }
    return true;
  }

  /**
   * As acquire, for a unit that waits: registers this thread for a ring where it fails. `turn`: the unit asks for the right of
   * way (R2), or has it, and gives it up when it has its latches.
   */
  acquireWaiting(turn: boolean): boolean {
    const unit = this.unit;
    const list = this.waitingLatches;
    for (let i = 0; i < unit.heldCount; i++) list[i] = this.latches[unit.held[i]];
    if (turn && this.turn.request()) {
      this.turn.want(list, unit.heldCount);
      unit.counters[COUNTER.latchTurns]++;
    }
    if (!enqueueAll(list, unit.heldCount, this.doorbell)) return false;
    if (turn && this.turn.mine()) this.turn.end();
    return true;
  }

  /** Runs a routed data command. BUSY: a latch stayed taken and nothing happened. */
  execute(row: CommandRow, args: Args, reply: ReplyWriter, db: number, noTouch: boolean): number {
    const unit = this.unit;
    if (row.isWrite) {
      if (this.journalLags()) return BUSY;
      if (this.bringsLargeValues(row, args)) {
        if (!this.acquire()) return BUSY;
        if (!this.bringIn(row, args)) return GATE;
      }
    }
    if (unit.heldCount === 1) {
      const shard = unit.held[0];
      if (!this.latches[shard].tryAcquire() && !this.acquire()) return BUSY;
      return this.runOne(shard, row, args, reply, db, noTouch);
    }
    return this.acquire() ? this.runHeld(row, args, reply, db, noTouch) : BUSY;
  }

  /**
   * As `execute`, for a unit that waited: on BUSY this thread is rung when it is worthwhile to try again. `turn`: this unit has
   * waited so long that it asks for the right of way; one unit of a thread at a time may.
   */
  executeWaiting(row: CommandRow, args: Args, reply: ReplyWriter, db: number, noTouch: boolean, turn: boolean): number {
    if (row.isWrite) {
      if (this.journalLags()) {
        // the right of way is for those who can use it
        if (turn && this.turn.mine()) this.turn.end();
        this.awaitJournal();
        return BUSY;
      }
      if (this.bringsLargeValues(row, args)) {
        if (!this.acquireWaiting(turn)) return BUSY;
        if (!this.bringIn(row, args)) return GATE;
      }
    }
    if (!this.acquireWaiting(turn)) return BUSY;
    if (this.unit.heldCount === 1) return this.runOne(this.unit.held[0], row, args, reply, db, noTouch);
    return this.runHeld(row, args, reply, db, noTouch);
  }

  /** Are there arguments to be stored that are too long to be copied under the latch, and not yet where they belong? */
  private bringsLargeValues(row: CommandRow, args: Args): boolean {
    return row.firstValue !== 0 && args.ends[args.count - 1] - args.starts[0] > MAX_LATCHED_BYTES && !this.large.active;
  }

  /**
   * R4: under the latches of unit.held makes private blocks for long values, gives the latches back and copies the values.
   * Where there is no room the command will find that out itself. False: as stateHolds.
   */
  private bringIn(row: CommandRow, args: Args): boolean {
    if (!this.stateHolds()) return false;
    const unit = this.unit;
    const { first, step } = row.spec.storedValues!;
    for (let arg = first; arg < args.count; arg += step) {
      if (args.length(arg) > MAX_LATCHED_BYTES) {
        const { arena } = unit.spaces[row.oneKey ? unit.held[0] : unit.shardOfArg[arg - 1]];
        if (!this.large.prepare(arena, args, arg)) break;
      }
      if (step === 0) break;
    }
    this.giveBack();
    this.large.fill(args);
    return true;
  }

  /** Without latches: completes a reply with the long values that the unit pinned, and gives up its private blocks. */
  finishLarge(reply: ReplyWriter, mark: number, row: CommandRow): void {
    try {
      this.large.finish(reply);
    } catch (error) {
      this.answerFailure(error, reply, mark, row);
    }
  }

  /**
   * R3: the state that the gate saw must be the state under the latch, for whoever changes it does so under all latches.
   * False: the latches are given back and nothing happened.
   */
  stateHolds(): boolean {
    if (this.isStateKept()) return true;
    this.giveBack();
    return false;
  }

  isStateKept(): boolean {
    return this.stateWords[PROCESS.state] === this.gateBits;
  }

  /** A held shard is settling: somebody has to serve waiters there first (R10). The latches are given back and nothing happened. */
  giveWay(): number {
    this.giveBack();
    return GATE;
  }

  /** Releases the latches of unit.held before the unit has begun. */
  private giveBack(): void {
    for (let i = 0; i < this.unit.heldCount; i++) this.latches[this.unit.held[i]].release();
  }

  /** The way of nearly every command: one shard, whose latch is held. */
  private runOne(shard: number, row: CommandRow, args: Args, reply: ReplyWriter, db: number, noTouch: boolean): number {
    if (!this.stateHolds()) return GATE;
    const unit = this.unit;
    const { arena } = unit.spaces[shard];
    unit.begin(args, reply, db, this.enterOne(shard), noTouch);
    if (unit.rules !== null) this.touchRuled(row, args);
    else if (this.touchedMark[shard] === 0) this.touch(shard);
    if ((unit.listening & SETTLING) !== 0) return this.giveWay();
    const start = reply.pos;
    const mutations = arena.mutations;
    try {
      if ((unit.writes = row.isWrite) && !this.reserve(row, args)) reply.error(OUT_OF_ROOM);
      else row.run!(unit, args, reply);
      if (unit.listening !== 0) this.noteUnsaid(row, args, 0);
      if (unit.reads !== null && unit.reads.readerWorker >= 0) this.noteReads(row, args, unit.reads);
      if (unit.commit(row)) this.wrote = true;
    } catch (error) {
      this.handleFailure(error, arena.mutations !== mutations, reply, start, row);
    }
    this.latches[shard].release();
    if (this.large.active) this.finishLarge(reply, start, row);
    return DONE;
  }

  /** Under the latch of a unit's only shard: the unit's time (R9), which is the shard's newest from now on. */
  enterOne(shard: number): number {
    const f64 = this.f64s[shard];
    const newest = f64[NEWEST_MS];
    let now = this.clockMs;
    if (newest > now) now = newest;
    else if (newest < now) f64[NEWEST_MS] = now;
    this.unit.spaces[shard].clock = this.clock24(now);
    return now;
  }

  /** Unix seconds of `ms` in 24 bits, as access clocks hold them. */
  clock24(ms: number): number {
    if (ms !== this.clock24Ms) {
      this.clock24Ms = ms;
      this.clock24Value = Math.floor(ms / 1000) & 0xffffff;
    }
    return this.clock24Value;
  }

  /** Several shards, whose latches are all held. */
  private runHeld(row: CommandRow, args: Args, reply: ReplyWriter, db: number, noTouch: boolean): number {
    if (!this.stateHolds()) return GATE;
    const unit = this.unit;
    let now = this.clockMs;
    for (let i = 0; i < unit.heldCount; i++) {
      const shard = unit.held[i];
      const f64 = this.headers[shard].f64;
      if (f64[SHARD_F64.newestMs] > now) now = f64[SHARD_F64.newestMs];
    }
    unit.begin(args, reply, db, now, noTouch);
    if (unit.rules !== null) this.touchRuled(row, args);
    else for (let i = 0; i < unit.heldCount; i++) this.touch(unit.held[i]);
    if ((unit.listening & SETTLING) !== 0) return this.giveWay();
    this.enterShards(now);
    const mark = reply.mark();
    const mutations = this.mutations();
    try {
      if ((unit.writes = row.isWrite) && !this.reserve(row, args)) reply.error(OUT_OF_ROOM);
      else row.run!(unit, args, reply);
      if (unit.listening !== 0) this.noteUnsaid(row, args, 0);
      if (unit.reads !== null && unit.reads.readerWorker >= 0) this.noteReads(row, args, unit.reads);
      if (unit.commit(row)) this.wrote = true;
    } catch (error) {
      this.handleFailure(error, this.mutations() !== mutations, reply, mark, row);
    }
    for (let i = 0; i < unit.heldCount; i++) this.latches[unit.held[i]].release();
    if (this.large.active) this.finishLarge(reply, mark, row);
    return DONE;
  }

  /**
   * A command that counts its changes without saying of which keys (`notes` is how much was noted before it): all of its keys count
   * as changed, or who watches one of them would miss it.
   */
  noteUnsaid(row: CommandRow, args: Args, notes: number): void {
    const unit = this.unit;
    if (unit.dirty === 0 || unit.notes.count !== notes) return;
    if (this.keyArgs.length < args.count) this.keyArgs = new Int32Array(unit.hashes.length);
    const keys = keyPositions(row, args, this.keyArgs);
    for (let i = 0; i < keys; i++) {
      const arg = this.keyArgs[i];
      unit.noteChange(unit.spaces[unit.shardOfArg[arg]], unit.db, args.buf, args.starts[arg], args.ends[arg], null);
    }
  }

  /** The client keeps copies of what it reads: registers the keys of the command that has just run (R12, R13). */
  noteReads(row: CommandRow, args: Args, reads: ReadTracking): void {
    if ((row.flagBits & READONLY) === 0) return;
    const unit = this.unit;
    const keys = this.keysOf(row, args);
    for (let i = 0; i < keys; i++) {
      const arg = this.keyArgs[i];
      reads.note(unit.shardOfArg[arg], unit.hashes[arg], args.buf, args.starts[arg], args.ends[arg]);
    }
  }

  /** As noteReads, for a routed command that another thread is about to run for a client of this one. */
  rememberReads(row: CommandRow, args: Args, reads: ReadTracking, listener: Listener): void {
    if ((row.flagBits & READONLY) === 0) return;
    const keys = this.keysOf(row, args);
    for (let i = 0; i < keys; i++) {
      const arg = this.keyArgs[i];
      reads.remember(listener, this.unit.hashes[arg], args.buf, args.starts[arg], args.ends[arg]);
    }
  }

  private keysOf(row: CommandRow, args: Args): number {
    this.unit.roomForArgs(args.count);
    if (this.keyArgs.length < args.count) this.keyArgs = new Int32Array(this.unit.hashes.length);
    return keyPositions(row, args, this.keyArgs);
  }

  /** Notes that the batch shows or made effects in this shard, of whatever keys. */
  touch(shard: number): void {
    this.waits[shard] = 1;
    this.mark(shard);
  }

  /** The same for the keys of a command, of which some may wait for stable storage and others not (R13, R21). */
  private touchRuled(row: CommandRow, args: Args): void {
    const unit = this.unit;
    for (let i = 0; i < unit.heldCount; i++) this.mark(unit.held[i]);
    const keys = this.keysOf(row, args);
    noteWaits(unit, row, args, this.keyArgs, keys, this.waits);
  }

  private mark(shard: number): void {
    if (this.touchedMark[shard] !== 0) return;
    this.touchedMark[shard] = 1;
    this.touched[this.touchedCount++] = shard;
  }

  enterShards(now: number): void {
    const unit = this.unit;
    const clock = this.clock24(now);
    for (let i = 0; i < unit.heldCount; i++) {
      const shard = unit.held[i];
      this.headers[shard].f64[SHARD_F64.newestMs] = now;
      unit.spaces[shard].clock = clock;
    }
  }

  mutations(): number {
    const unit = this.unit;
    let sum = 0;
    for (let i = 0; i < unit.heldCount; i++) sum += unit.spaces[unit.held[i]].arena.mutations;
    return sum;
  }

  /**
   * R4: room for everything that the arguments carry, in every shard the unit holds. A command that may be refused for lack of
   * memory (denyoom) leaves the emergency room to the others; one that only frees asks for none in the arena.
   */
  reserve(row: CommandRow, args: Args): boolean {
    const unit = this.unit;
    const frame = args.ends[args.count - 1] - args.starts[0];
    const deniable = (row.flagBits & DENY_OOM) !== 0;
    if (deniable && this.maxMemoryBytes !== 0 && !this.unit.inScript && this.overMemory()) return false;
    const own = frame - this.large.privateBytes;
    const bytes = own + UNIT_SLACK_BYTES + (deniable ? EMERGENCY_BYTES : 0);
    const largest = own + LARGEST_OWN_BLOCK_BYTES;
    for (let i = 0; i < unit.heldCount; i++) {
      const journal = unit.journals[unit.held[i]];
      if (!unit.spaces[unit.held[i]].reserve(bytes, largest) && row.spec.freesOnly !== true) return false;
      const staged = unit.several ? unit.stagedBytes(journal) : 0;
      if (journal.enabled && !journal.reserve(staged + frame + UNIT_SLACK_BYTES)) return false;
    }
    return true;
  }

  /** More is in use than maxmemory allows, what this command has brought along not counted. Other shards as of a moment ago. */
  private overMemory(): boolean {
    let bytes = -this.large.privateBytes;
    for (const ks of this.unit.spaces) bytes += ks.arena.liveBytes();
    return bytes > this.maxMemoryBytes;
  }

  handleFailure(error: unknown, changed: boolean, reply: ReplyWriter, mark: number, row: CommandRow): void {
    if (changed) this.poison(error);
    this.large.dropReplies();
    this.answerFailure(error, reply, mark, row);
  }

  /** A unit failed after its first change (R5): its shards are not to be used any more, the process ends. */
  poison(error: unknown): never {
    const unit = this.unit;
    for (let i = 0; i < unit.heldCount; i++) this.headers[unit.held[i]].i32[SHARD.poisoned] = 1;
    this.fail(error);
  }

  answerFailure(error: unknown, reply: ReplyWriter, mark: number, row: CommandRow): void {
    reply.rewind(mark);
    const text = error instanceof Error ? error.message : String(error);
    reply.error(`ERR internal error in ${row.fullName}: ${text}`);
  }

  /** Forgets which shards the batch touched. */
  clearTouched(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      this.touchedMark[this.touched[i]] = 0;
      this.waits[this.touched[i]] = 0;
    }
    this.touchedCount = 0;
    this.wrote = false;
  }
}
