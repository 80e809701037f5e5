/**
 * One unit of work under latches: what a data handler sees of the world. One object per thread, reused for every command.
 *
 * Invariant 1: while a handler runs, the latches of all shards in `held` belong to this thread.
 * Invariant 2: journal records of a unit become visible together, after all of them are written (R16).
 */

import { COUNTER } from '../admin/server-counters.ts';
import type { CommandRow } from '../commands/command-table.ts';
import { type Journal, publishTransaction } from '../journal/journal.ts';
import { NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { GENERIC_EVENT, HASH_EVENT, type KeyEvent, LIFE_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { payloadOf } from '../keyspace/rdb-payload.ts';
import type { ReadTracking } from '../pubsub/read-tracking.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { ScriptRuntime } from '../scripting/script-runtime.ts';
import { ANY_RULES, rulesText } from '../shard/rules-text.ts';
import { PROCESS, SHARD, WAIT_BITS } from '../shard/world.ts';
import { type ChangeListeners, ChangeNotes } from './change-notes.ts';
import { DurabilityRules } from './durability-rules.ts';
import { LargeValues } from './large-values.ts';
import { RuledEffects } from './ruled-effects.ts';
import type { Session } from './session.ts';

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
const DURABILITY_RULES = PROCESS.durabilityRules;

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
  /** The unit has more than one command: its records are one transaction. */
  several = false;
  /** A script runs its commands; whether memory allows each of them is for the script's flags to say (src/dispatch/scripts.ts). */
  inScript = false;
  /** Scripts and functions of this thread; null: there are none (tests of other things). */
  scripting: ScriptRuntime | null = null;
  /** Whose command it is, for commands that run on their client's own thread only (CommandSpec.atHome). */
  session: Session | null = null;
  /** A blocking command may park its client; false inside units of several commands. */
  mayBlock = true;
  /** What runs is the command of a client that waited; it may look at the keys of held shards only. */
  serving = false;
  /** Values whose bytes move outside the latch. */
  large = new LargeValues();
  /** Process words, where clients can be paused. */
  process: Int32Array | null = null;
  /** Int32 words of the shard headers, where somebody may listen. */
  headerWords: readonly Int32Array[] = [];
  /** Who hears of changes; null: nobody ever. */
  listeners: ChangeListeners | null = null;
  /** Bits of INTEREST and NOTIFY, as they were when the unit began: who wants to hear of its changes. 0: nobody. */
  listening = 0;
  /** Whose command it is, and whether that client wants to know when the keys change that it reads; null: nobody ever does. */
  reads: ReadTracking | null = null;
  /** What it changed, while somebody listens. */
  readonly notes = new ChangeNotes();
  /** proto-max-bulk-len: the longest string, in bytes. */
  maxBulkBytes = 0;

  /** Durability by key (R21), as they are in force for this unit; null: there are no rules. */
  rules: DurabilityRules | null = null;
  private rulesWord = 0;
  private readonly ruled: RuledEffects = new RuledEffects({
    record: (ks, db, argc) => this.record(ks, db, argc),
    value: (ks, db, buf, start, end) => this.effectKey(ks, db, ks.hasher.hash(buf, start, end), buf, start, end),
  });

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
  /** Fields that `expireFields` removes. */
  private readonly lapsed: number[] = [];

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

  /** What runs is a record of the journal, not a client's command. */
  get replaying(): boolean {
    return !this.journalled;
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
    this.listening = this.listeners === null ? 0 : this.interest();
    if (this.process !== null && this.process[DURABILITY_RULES] !== this.rulesWord) this.readRules(this.process);
  }

  /** The next unit of a run: what `begin` found out still holds, for the latch was not given back since. */
  again(args: Args): void {
    this.args = args;
    this.dirty = 0;
    this.explicit = false;
    this.partCount = 0;
  }

  private readRules(process: Int32Array): void {
    this.rulesWord = process[DURABILITY_RULES];
    const anyRules = this.journalled && (this.rulesWord & ANY_RULES) !== 0;
    this.rules = anyRules ? new DurabilityRules(rulesText(process)) : null;
  }

  /** Is this key of a held shard journalled, if its shard is? */
  private isRuledOut(db: number, buf: Buffer, start: number, end: number): boolean {
    return this.rules?.isNone(db, buf, start, end) ?? false;
  }

  /** DEBUG has it that payloads are taken whatever their checksums say. */
  get skipsChecksums(): boolean {
    return this.process !== null && this.process[PROCESS.checksumsSkipped] !== 0;
  }

  /** Who listens to the held shards (R10, R11, R12); under their latches. */
  private interest(): number {
    const { headerWords, held } = this;
    let bits = this.process === null ? 0 : this.process[PROCESS.notify];
    for (let i = 0; i < this.heldCount; i++) bits |= headerWords[held[i]][SHARD.interest];
    return bits;
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
      if (this.listening !== 0) this.listeners!.missed(this, this.ks, arg);
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
    if (h === 0 && this.listening !== 0) this.listeners!.missed(this, this.ks, arg);
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
    if (this.listening !== 0) this.listeners!.flushing(this, ks, db);
    return ks.flush(db);
  }

  /**
   * Removes an expired entry and journals its deletion. False: a command that only reads leaves it to later, because the
   * journal cannot follow or clients are paused; the entry is as good as absent.
   */
  expireNow(ks: Keyspace, db: number, h: number): boolean {
    if (!this.writes && this.process !== null && (this.process[PROCESS.state] & WAIT_BITS) !== 0) return false;
    ks.key(h);
    const journal = this.journals[ks.shard];
    if (this.journalled && journal.enabled && !this.isRuledOut(db, ks.kBuf, ks.kStart, ks.kEnd)) {
      // a write has waited for the journal at the gate, and must not find the entry in its way
      if (!this.writes && journal.backlogFull()) return false;
      this.openPart(journal);
      journal.command(db, 2);
      journal.argText('DEL');
      journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
    }
    if (this.listening !== 0) {
      ks.key(h);
      this.noteChange(ks, db, ks.kBuf, ks.kStart, ks.kEnd, LIFE_EVENT.expired);
    }
    ks.remove(db, h);
    this.counters[COUNTER.expiredKeys]++;
    return true;
  }

  /**
   * Removes up to `most` fields whose time is over from the hash of a database that has the one due first, journals their
   * deletion, and removes the hash with its last field. Returns how many; 0 where a command that only reads, or upkeep, has to
   * leave them to later because the journal cannot follow.
   */
  expireFields(ks: Keyspace, db: number, most: number): number {
    const journal = this.journals[ks.shard];
    const h = ks.fieldDeadlines.firstEntry(db);
    ks.key(h);
    const isRecorded = this.journalled && journal.enabled && !this.isRuledOut(db, ks.kBuf, ks.kStart, ks.kEnd);
    if (isRecorded && !this.writes && journal.backlogFull()) return 0;
    const { hashes } = ks.values;
    hashes.open(ks.structure(h), ks.encodingOf(h), this.nowMs);
    hashes.collectLapsed(most, this.lapsed);
    const { lapsed } = this;
    if (isRecorded) {
      ks.key(h);
      this.openPart(journal);
      journal.command(db, 2 + lapsed.length);
      journal.argText('HDEL');
      journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
    }
    for (let i = 0; i < lapsed.length; i++) {
      if (isRecorded) {
        hashes.loadField(lapsed[i]);
        journal.arg(hashes.fBuf, hashes.fStart, hashes.fEnd);
      }
      hashes.remove(lapsed[i]);
    }
    ks.fieldDeadlines.settle(db, h);
    ks.setStructure(h, hashes.root, hashes.encoding);
    if (this.listening !== 0) {
      ks.key(h);
      this.noteChange(ks, db, ks.kBuf, ks.kStart, ks.kEnd, HASH_EVENT.hexpired);
      if (hashes.allFields() === 0) this.noteChange(ks, db, ks.kBuf, ks.kStart, ks.kEnd, GENERIC_EVENT.del);
    }
    if (hashes.allFields() === 0) ks.remove(db, h);
    return lapsed.length;
  }

  /**
   * Says that the value of key argument `arg` has changed, and by what; once per key and change. `changes`: how many Redis counts
   * for it (rdb_changes_since_last_save). `db`: where the key is, if not in the database of the command.
   */
  changed(arg: number, event: KeyEvent, changes = 1, db: number = this.db): void {
    this.dirty += changes;
    if (this.listening === 0) return;
    const { args } = this;
    this.noteChange(this.spaces[this.shardOfArg[arg]], db, args.buf, args.starts[arg], args.ends[arg], event);
  }

  /**
   * Says that something happened to a key of a held shard that is no argument (or to one whose change is counted elsewhere). `buf`
   * may be the keyspace's registers.
   */
  noteChange(ks: Keyspace, db: number, buf: Buffer, start: number, end: number, event: KeyEvent | null): void {
    if (this.listening !== 0) this.notes.add(ks, db, buf, start, end, event);
  }

  /** Has the unit tell of keys that were not there before, or no more (letter n of notify-keyspace-events). */
  tellNewKeys(on: boolean): void {
    for (const ks of this.spaces) ks.onNewKey = on ? this.noteNewKey : null;
  }

  private readonly noteNewKey = (ks: Keyspace, db: number, h: number): void => {
    if (this.listening === 0) return;
    const { kBuf, kStart, kEnd } = ks;
    ks.key(h);
    this.noteChange(ks, db, ks.kBuf, ks.kStart, ks.kEnd, LIFE_EVENT.new);
    ks.kBuf = kBuf;
    ks.kStart = kStart;
    ks.kEnd = kEnd;
  };

  /** Before two databases of a held shard change places. */
  noteSwap(ks: Keyspace, a: number, b: number): void {
    if (this.listening !== 0) this.listeners!.swapping(this, ks, a, b);
  }

  /** Does anything go into the journal of key argument `arg`? If not, an effect need not be put together. */
  isJournalled(arg: number): boolean {
    return this.journalled && this.journals[this.shardOfArg[arg]].enabled;
  }

  /** Starts an effect of `argc` arguments in the journal of key argument `arg`, in place of the verbatim command. */
  effect(arg: number, argc: number): EffectRecorder {
    return this.effectIn(this.spaces[this.shardOfArg[arg]], this.db, argc);
  }

  effectIn(ks: Keyspace, db: number, argc: number): EffectRecorder {
    this.explicit = true;
    if (!this.journalled || !this.journals[ks.shard].enabled) return NO_JOURNAL;
    if (this.rules?.hasNone) return this.ruled.begin(this.rules, ks, db, argc);
    return this.record(ks, db, argc);
  }

  private record(ks: Keyspace, db: number, argc: number): EffectRecorder {
    const journal = this.journals[ks.shard];
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

  /**
   * Journals, in its own shard, the value that key argument `arg` has in database `db` by now, or its absence: the effect of
   * what was made out of keys of other shards (R16).
   */
  effectValue(arg: number, db: number = this.db): void {
    const { buf, starts, ends } = this.args;
    this.effectKey(this.spaces[this.shardOfArg[arg]], db, this.hashes[arg], buf, starts[arg], ends[arg]);
  }

  private effectKey(ks: Keyspace, db: number, hash: number, buf: Buffer, start: number, end: number): void {
    const h = ks.find(db, hash, buf, start, end);
    if (h === 0) {
      const effect = this.effectIn(ks, db, 2);
      effect.argText('DEL');
      effect.arg(buf, start, end);
    } else if (ks.typeOf(h) === TYPE_STRING) {
      this.effectString(ks, db, h, buf, start, end);
    } else {
      this.effectStructure(ks, db, h, buf, start, end);
    }
  }

  private effectString(ks: Keyspace, db: number, h: number, buf: Buffer, start: number, end: number): void {
    const deadline = ks.deadlineOf(h);
    const effect = this.effectIn(ks, db, deadline === NO_DEADLINE ? 3 : 5);
    effect.argText('SET');
    effect.arg(buf, start, end);
    ks.value(h);
    effect.arg(ks.vBuf, ks.vStart, ks.vEnd);
    if (deadline === NO_DEADLINE) return;
    effect.argText('PXAT');
    effect.argNumber(deadline);
  }

  private effectStructure(ks: Keyspace, db: number, h: number, buf: Buffer, start: number, end: number): void {
    const deadline = ks.deadlineOf(h);
    const effect = this.effectIn(ks, db, deadline === NO_DEADLINE ? 5 : 6);
    if (effect === NO_JOURNAL) return;
    effect.argText('RESTORE');
    effect.arg(buf, start, end);
    effect.argNumber(Math.max(deadline, 0));
    const payload = payloadOf(ks, h, false);
    effect.arg(payload.buf, 0, payload.pos);
    effect.argText('REPLACE');
    if (deadline !== NO_DEADLINE) effect.argText('ABSTTL');
  }

  private openPart(journal: Journal): void {
    for (let i = 0; i < this.partCount; i++) if (this.parts[i] === journal) return;
    this.parts[this.partCount++] = journal;
    journal.begin(this.nowMs);
    if (this.heldCount > 1 || this.several) journal.transactionOpen();
  }

  /**
   * Journals what the unit changed and makes it visible, then tells the listeners; called once, before the latches are released.
   * True: something was journalled.
   */
  commit(row: CommandRow | null): boolean {
    this.settle(row);
    const journalled = this.publish();
    if (this.notes.count !== 0) {
      this.listeners!.touched(this);
      this.notes.clear();
    }
    return journalled;
  }

  /** Stages what one command changed: the command itself, unless it named its effects. */
  settle(row: CommandRow | null): void {
    this.counters[COUNTER.changes] += this.dirty;
    if (this.dirty > 0 && !this.explicit && row !== null) this.verbatim(row);
    if (this.rules !== null) this.ruled.settle();
  }

  /** The running command has named effects: they are staged. */
  get namesEffects(): boolean {
    return this.explicit;
  }

  /** Within a unit of several commands: the next of them begins. What is staged and noted stays. */
  next(args: Args, db: number, noTouch: boolean): void {
    this.args = args;
    this.db = db;
    this.noTouch = noTouch;
    this.dirty = 0;
    this.explicit = false;
  }

  /** Forgets what is staged and noted: the unit has taken back its changes. */
  forget(): void {
    this.partCount = 0;
    this.dirty = 0;
    this.explicit = false;
    this.notes.clear();
  }

  /** Makes all that is staged visible, as one transaction. False: nothing was. */
  private publish(): boolean {
    if (this.partCount === 0) return false;
    // an open transaction is closed by it
    publishTransaction(this.parts, this.partCount);
    return true;
  }

  /** Bytes that this unit has staged in a journal, which Journal.reserve does not count yet. */
  stagedBytes(journal: Journal): number {
    for (let i = 0; i < this.partCount; i++) if (this.parts[i] === journal) return journal.end() - journal.head();
    return 0;
  }

  private verbatim(row: CommandRow): void {
    const journal = this.journals[this.held[0]];
    if (!this.journalled || !journal.enabled) return;
    if (this.heldCount !== 1) throw new Error(`${row.fullName} changed several shards without naming its effects`);
    const args = this.args;
    if (this.rules?.hasNone && this.ruled.replaces(this.rules, row, args, this.spaces[this.held[0]], this.db)) return;
    this.openPart(journal);
    if (args.frameStart >= 0) {
      journal.verbatim(this.db, args.buf, args.frameStart, args.frameEnd);
      return;
    }
    journal.command(this.db, args.count);
    for (let i = 0; i < args.count; i++) journal.arg(args.buf, args.starts[i], args.ends[i]);
  }
}
