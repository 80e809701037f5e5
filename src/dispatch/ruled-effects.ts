/**
 * Between a unit and its journals while there are durability rules with `none` (R21): records of such keys are left out. A record that
 * names keys of both kinds is split where that is easy (DEL, MSET); else the values that its other keys have by the end of the command
 * stand in its place. One object per thread.
 *
 * Invariant 1: a record that reaches a journal neither names nor reads a key that is not journalled.
 */
import { keyPositions } from '../commands/command-keys.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { DurabilityRules } from './durability-rules.ts';
import type { EffectRecorder } from './unit.ts';

const FIRST_BYTES = 4096;
/** Outcomes for the keys of a record. */
const KEPT = { all: 0, nothing: 1, some: 2 } as const;
/** Commands whose keys stand for themselves, and how many arguments each takes with it. */
const SPLIT_STEP: Readonly<Record<string, number>> = { del: 1, unlink: 1, mset: 2 };

/** Where effects go. */
export interface EffectSink {
  /** The journal of a shard, as if there were no rules. */
  record(ks: Keyspace, db: number, argc: number): EffectRecorder;
  /** The value that a key has now, or its absence. */
  value(ks: Keyspace, db: number, buf: Buffer, start: number, end: number): void;
}

interface OwedValue {
  ks: Keyspace;
  db: number;
  key: Buffer;
}

export class RuledEffects implements EffectRecorder {
  private readonly sink: EffectSink;
  private rules!: DurabilityRules;
  /** The effect that is collected. */
  private readonly args = new Args();
  private bytes = 0;
  private owedArgs = 0;
  private ks!: Keyspace;
  private db = 0;
  private keys = new Int32Array(64);
  /** Values to be journalled when the command is over. */
  private owed: OwedValue[] = [];

  constructor(sink: EffectSink) {
    this.sink = sink;
    this.args.buf = Buffer.alloc(FIRST_BYTES);
  }

  /** Takes an effect of `argc` arguments. */
  begin(rules: DurabilityRules, ks: Keyspace, db: number, argc: number): EffectRecorder {
    if (this.owedArgs !== 0) throw new Error(`an effect lacks ${this.owedArgs} arguments`);
    this.rules = rules;
    this.ks = ks;
    this.db = db;
    this.args.grow(argc);
    this.args.count = 0;
    this.bytes = 0;
    this.owedArgs = argc;
    return this;
  }

  arg(buf: Buffer, start: number, end: number): void {
    const { args } = this;
    const length = end - start;
    if (this.bytes + length > args.buf.length) {
      const larger = Buffer.alloc(2 * (this.bytes + length));
      args.buf.copy(larger, 0, 0, this.bytes);
      args.buf = larger;
    }
    buf.copy(args.buf, this.bytes, start, end);
    args.starts[args.count] = this.bytes;
    this.bytes += length;
    args.ends[args.count++] = this.bytes;
    if (--this.owedArgs === 0) this.complete();
  }

  argText(latin1: string): void {
    this.arg(Buffer.from(latin1, 'latin1'), 0, latin1.length);
  }

  argNumber(n: number): void {
    this.argText(String(n));
  }

  argBig(n: bigint): void {
    this.argText(n.toString());
  }

  private complete(): void {
    const { args, ks, db } = this;
    const row = COMMANDS.lookup(args);
    const count = row === null ? 0 : this.findKeys(row, args);
    const kept = this.look(args, count, db);
    if (kept === KEPT.all) {
      const to = this.sink.record(ks, db, args.count);
      for (let i = 0; i < args.count; i++) to.arg(args.buf, args.starts[i], args.ends[i]);
    } else if (kept === KEPT.some) {
      const step = SPLIT_STEP[row!.fullName];
      if (step === undefined) this.owe(ks, db, args, count);
      else this.split(args, count, step);
    }
    if (args.buf.length > 2 ** 20) args.buf = Buffer.alloc(FIRST_BYTES);
  }

  private split(args: Args, count: number, step: number): void {
    const { keys, db, rules } = this;
    const kept: number[] = [];
    for (let i = 0; i < count; i++) {
      if (rules.isNone(db, args.buf, args.starts[keys[i]], args.ends[keys[i]])) continue;
      for (let k = 0; k < step; k++) kept.push(keys[i] + k);
    }
    const to = this.sink.record(this.ks, db, 1 + kept.length);
    to.arg(args.buf, args.starts[0], args.ends[0]);
    for (const i of kept) to.arg(args.buf, args.starts[i], args.ends[i]);
  }

  /** A command that names no effects. False: it may be journalled as it is. */
  replaces(rules: DurabilityRules, row: CommandRow, args: Args, ks: Keyspace, db: number): boolean {
    this.rules = rules;
    const target = rules.hasDatabases ? targetDatabase(row, args) : -1;
    if (target >= 0) return this.replacesMove(row, args, ks, db, target);
    const count = this.findKeys(row, args);
    const kept = this.look(args, count, db);
    if (kept === KEPT.all) return false;
    if (kept === KEPT.some) this.owe(ks, db, args, count);
    this.settle();
    return true;
  }

  /** MOVE and COPY to another database, whose rule may be another. */
  private replacesMove(row: CommandRow, args: Args, ks: Keyspace, db: number, target: number): boolean {
    const arg = row.fullName === 'copy' ? 2 : 1;
    const isNone = (where: number, i: number): boolean =>
      this.rules.isNone(where, args.buf, args.starts[i], args.ends[i]);
    const [from, to] = [isNone(db, 1), isNone(target, arg)];
    if (!from && !to) return false;
    if (!from) this.oweKey(ks, db, args, 1);
    if (!to) this.oweKey(ks, target, args, arg);
    this.settle();
    return true;
  }

  /** Journals the values that are owed; at the end of a command. */
  settle(): void {
    if (this.owed.length === 0) return;
    const { owed } = this;
    this.owed = [];
    for (const { ks, db, key } of owed) this.sink.value(ks, db, key, 0, key.length);
  }

  private owe(ks: Keyspace, db: number, args: Args, count: number): void {
    const { keys, rules } = this;
    for (let i = 0; i < count; i++) {
      const key = keys[i];
      if (!rules.isNone(db, args.buf, args.starts[key], args.ends[key])) this.oweKey(ks, db, args, key);
    }
  }

  private oweKey(ks: Keyspace, db: number, args: Args, arg: number): void {
    const key = args.bytes(arg);
    if (!this.owed.some((one) => one.db === db && one.key.equals(key))) this.owed.push({ ks, db, key });
  }

  private findKeys(row: CommandRow, args: Args): number {
    if (this.keys.length < args.count) this.keys = new Int32Array(2 * args.count);
    return Math.max(keyPositions(row, args, this.keys), 0);
  }

  /** Which of the keys are journalled? */
  private look(args: Args, count: number, db: number): number {
    let none = 0;
    for (let i = 0; i < count; i++) {
      const key = this.keys[i];
      if (this.rules.isNone(db, args.buf, args.starts[key], args.ends[key])) none++;
    }
    if (none === 0) return KEPT.all;
    return none === count ? KEPT.nothing : KEPT.some;
  }
}

/** The database that a command names besides its own, -1: none. */
function targetDatabase(row: CommandRow, args: Args): number {
  if (row.fullName === 'move') return parseInteger(args.buf, args.starts[2], args.ends[2]);
  if (row.fullName !== 'copy') return -1;
  for (let i = 3; i + 1 < args.count; i++)
    if (args.equalsIgnoreCase(i, 'db')) return parseInteger(args.buf, args.starts[i + 1], args.ends[i + 1]);
  return -1;
}
