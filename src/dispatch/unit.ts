/**
 * One unit of work under latches: what a data handler sees of the world. One object per thread, reused for every command.
 *
 * Invariant 1: while a handler runs, the latches of all shards in `held` belong to this thread.
 * Invariant 2: journal records of a unit become visible together, after all of them are written (R16).
 */

import { COUNTER } from '../admin/server-counters.ts';
import type { CommandRow } from '../commands/command-table.ts';
import { type Journal, publishTransaction } from '../journal/journal.ts';
import type { KeyEvent } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { LargeValues } from './large-values.ts';

/** Takes the arguments of one effect; the journal of the shard, or nothing where there is no journal. */
export interface EffectRecorder {
  arg(buf: Buffer, start: number, end: number): void;
  argText(latin1: string): void;
  argNumber(n: number): void;
  argBig(n: bigint): void;
}

// constants of this module are immediates in compiled code
const HITS = COUNTER.keyspaceHits;
const MISSES = COUNTER.keyspaceMisses;

const NO_JOURNAL: EffectRecorder = { arg() {}, argText() {}, argNumber() {}, argBig() {} };

export class Unit {
  readonly spaces: readonly Keyspace[];
  readonly journals: readonly Journal[];
  /** This thread's counters. */
  readonly counters: Float64Array;
  private readonly random: () => number;

  /** Unix ms; stands still inside a unit and never runs backwards within a shard (R9). */
  nowMs = 0;
  db = 0;
  args: Args;
  reply: ReplyWriter;
  /** Keyspace of the last look-up. */
  ks: Keyspace;
  /** Entry of the last typed look-up, 0 = absent. */
  entry = 0;
  /** Number of changes; 0: nothing is journalled. */
  dirty = 0;
  noTouch = false;
  /** The running command may change something. */
  writes = false;
  /** Values whose bytes move outside the latch. */
  readonly large = new LargeValues();
  /** proto-max-bulk-len: the longest string, in bytes. */
  maxBulkBytes = 0;

  /** By argument index: hash and shard of the keys. */
  hashes = new Int32Array(64);
  shardOfArg = new Int32Array(64);
  /** Shards this unit holds, ascending. */
  readonly held: Int32Array;
  heldCount = 0;

  private readonly journalled: boolean;
  private explicit = false;
  private readonly parts: Journal[] = [];
  private partCount = 0;

  constructor(
    spaces: readonly Keyspace[],
    journals: readonly Journal[],
    counters: Float64Array,
    args: Args,
    reply: ReplyWriter,
    random32: () => number,
    /** False: replaying, nothing is journalled. */
    journalled = true,
  ) {
    this.journalled = journalled;
    this.spaces = spaces;
    this.journals = journals;
    this.counters = counters;
    this.args = args;
    this.reply = reply;
    this.ks = spaces[0];
    this.held = new Int32Array(spaces.length);
    this.random = random32;
  }

  get shards(): number {
    return this.spaces.length;
  }

  /** A random integer of 32 bits, unsigned. */
  readonly random32 = (): number => this.random();

  /** Prepares the unit for a command; the caller fills `held` and the key registers. */
  begin(args: Args, reply: ReplyWriter, db: number, nowMs: number, noTouch: boolean): void {
    this.args = args;
    this.reply = reply;
    this.db = db;
    this.nowMs = nowMs;
    this.noTouch = noTouch;
    this.dirty = 0;
    this.explicit = false;
    this.partCount = 0;
  }

  /** Makes the key registers hold at least `count` arguments. */
  roomForArgs(count: number): void {
    if (this.hashes.length >= count) return;
    const size = 1 << (32 - Math.clz32(count - 1));
    this.hashes = new Int32Array(size);
    this.shardOfArg = new Int32Array(size);
  }

  holds(shard: number): boolean {
    for (let i = 0; i < this.heldCount; i++) if (this.held[i] === shard) return true;
    return false;
  }

  /** Keyspace of key argument `arg`. */
  space(arg: number): Keyspace {
    return (this.ks = this.spaces[this.shardOfArg[arg]]);
  }

  spaceOf(shard: number): Keyspace {
    return this.spaces[shard];
  }

  hashOf(arg: number): number {
    return this.hashes[arg];
  }

  /** Room for `bytes` in the shard of the last look-up (R4). */
  reserve(bytes: number): boolean {
    return this.ks.reserve(bytes);
  }

  /** The entry of key argument `arg` or 0; expired keys are removed; counts a hit or a miss and touches the access clock. */
  findRead(arg: number): number {
    const h = this.findWriteIn(this.db, arg);
    if (h === 0) {
      this.counters[MISSES]++;
      return 0;
    }
    this.counters[HITS]++;
    if (!this.noTouch) this.ks.touch(h);
    return h;
  }

  /** As findRead, without touching the access clock. */
  findPeek(arg: number): number {
    const h = this.findWriteIn(this.db, arg);
    this.counters[h === 0 ? COUNTER.keyspaceMisses : COUNTER.keyspaceHits]++;
    return h;
  }

  /** As findRead, for a write: counts nothing. */
  findWrite(arg: number): number {
    return this.findWriteIn(this.db, arg);
  }

  findWriteIn(db: number, arg: number): number {
    const ks = (this.ks = this.spaces[this.shardOfArg[arg]]);
    const args = this.args;
    const h = ks.find(db, this.hashes[arg], args.buf, args.starts[arg], args.ends[arg]);
    if (h === 0 || !this.isExpired(ks, h)) return h;
    this.expireNow(ks, db, h);
    return 0;
  }

  isExpired(ks: Keyspace, h: number): boolean {
    const deadline = ks.deadlineOf(h);
    return deadline >= 0 && deadline <= this.nowMs;
  }

  /** Empties a database of a held shard; its memory is given back in steps. Returns the number of keys it had. */
  flush(ks: Keyspace, db: number): number {
    return ks.flush(db);
  }

  /**
   * Removes an expired entry and journals its deletion. False: a command that only reads leaves it to later, because the
   * journal cannot follow; the entry is as good as absent.
   */
  expireNow(ks: Keyspace, db: number, h: number): boolean {
    ks.key(h);
    const journal = this.journals[ks.shard];
    if (this.journalled && journal.enabled) {
      // a write has waited for the journal at the gate, and must not find the entry in its way
      if (!this.writes && journal.backlogFull()) return false;
      this.openPart(journal);
      journal.command(db, 2);
      journal.argText('DEL');
      journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
    }
    ks.remove(db, h);
    this.counters[COUNTER.expiredKeys]++;
    return true;
  }

  /**
   * Says that the value of key argument `arg` has changed, and by what; once per key and change. `changes`: how many Redis counts
   * for it (rdb_changes_since_last_save).
   */
  changed(_arg: number, _event: KeyEvent, changes = 1): void {
    this.dirty += changes;
  }

  /** Starts an effect of `argc` arguments in the journal of key argument `arg`, in place of the verbatim command. */
  effect(arg: number, argc: number): EffectRecorder {
    return this.effectIn(this.spaces[this.shardOfArg[arg]], this.db, argc);
  }

  effectIn(ks: Keyspace, db: number, argc: number): EffectRecorder {
    this.explicit = true;
    const journal = this.journals[ks.shard];
    if (!this.journalled || !journal.enabled) return NO_JOURNAL;
    this.openPart(journal);
    journal.command(db, argc);
    return journal;
  }

  /** The effect `DEL key`. */
  effectDelete(arg: number): void {
    const effect = this.effect(arg, 2);
    effect.argText('DEL');
    effect.arg(this.args.buf, this.args.starts[arg], this.args.ends[arg]);
  }

  private openPart(journal: Journal): void {
    for (let i = 0; i < this.partCount; i++) if (this.parts[i] === journal) return;
    this.parts[this.partCount++] = journal;
    journal.begin(this.nowMs);
    if (this.heldCount > 1) journal.transactionOpen();
  }

  /**
   * Journals what the unit changed and makes it visible; called once, before the latches are released. True: something was
   * journalled.
   */
  commit(row: CommandRow | null): boolean {
    this.counters[COUNTER.changes] += this.dirty;
    if (this.dirty > 0 && !this.explicit && row !== null) this.verbatim(row);
    if (this.partCount === 0) return false;
    if (this.partCount === 1) {
      const journal = this.parts[0];
      if (this.heldCount > 1) journal.transactionClose();
      journal.publish();
    } else {
      publishTransaction(this.parts, this.partCount);
    }
    return true;
  }

  private verbatim(row: CommandRow): void {
    const journal = this.journals[this.held[0]];
    if (!this.journalled || !journal.enabled) return;
    if (this.heldCount !== 1) throw new Error(`${row.fullName} changed several shards without naming its effects`);
    this.openPart(journal);
    const args = this.args;
    if (args.frameStart >= 0) {
      journal.verbatim(this.db, args.buf, args.frameStart, args.frameEnd);
      return;
    }
    journal.command(this.db, args.count);
    for (let i = 0; i < args.count; i++) journal.arg(args.buf, args.starts[i], args.ends[i]);
  }
}
