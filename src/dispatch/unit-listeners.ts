/**
 * Who hears of a unit's changes, in order: watches and waiters of the keys, then subscribers and clients with copies. Runs under the unit's latches, after its effects are
 * published, and waits for nothing.
 */
import { type KeyEvent, LIFE_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { PushHub } from '../pubsub/push-hub.ts';
import type { InterestTable } from '../shard/interest-table.ts';
import { INTEREST, SHARD } from '../shard/world.ts';
import type { ChangeListeners } from './change-notes.ts';
import type { ReadyWaiters } from './ready-waiters.ts';
import type { Unit } from './unit.ts';

const NO_KEY = Buffer.alloc(0);
/** Stands for the end of a whole database; it is told to nobody by this name. */
const FLUSHED: KeyEvent = { name: 'flushed', classBit: 0, index: -1 };

export class UnitListeners implements ChangeListeners {
  private readonly tables: readonly InterestTable[];
  private readonly pushes: PushHub;
  private readonly waiters: ReadyWaiters;
  /** The running unit has emptied databases. */
  private flushed = false;

  /** `tables`: by shard. */
  constructor(tables: readonly InterestTable[], pushes: PushHub, waiters: ReadyWaiters) {
    this.tables = tables;
    this.pushes = pushes;
    this.waiters = waiters;
  }

  flushing(unit: Unit, ks: Keyspace, db: number): void {
    if (this.watchesIn(unit, ks.shard)) this.tables[ks.shard].flushing(db);
    this.pushes.changes.forgetShard(ks.shard);
    const { anyTracking } = this.pushes.changes;
    this.readyAll(unit, ks, db);
    if (this.flushed || !anyTracking) return;
    this.flushed = true;
    // a note without a key, so that `touched` is called when the effects are published
    unit.noteChange(ks, db, NO_KEY, 0, 0, FLUSHED);
  }

  swapping(unit: Unit, ks: Keyspace, a: number, b: number): void {
    if (this.watchesIn(unit, ks.shard)) this.tables[ks.shard].swapping(a, b, unit.nowMs);
    this.readyAll(unit, ks, a);
    this.readyAll(unit, ks, b);
  }

  /** All keys of a database may become others: who waits for one is served, if he can be, when the effects are published. */
  private readyAll(unit: Unit, ks: Keyspace, db: number): void {
    if (!waitersIn(unit, ks.shard) || !this.waiters.changedAll(ks.shard, db)) return;
    unit.noteChange(ks, db, NO_KEY, 0, 0, FLUSHED);
  }

  touched(unit: Unit): void {
    const { notes } = unit;
    for (let i = 0; i < notes.count; i++) {
      const ks = notes.spaces[i];
      const event = notes.events[i];
      if (event === FLUSHED) continue;
      const start = notes.starts[i];
      const end = notes.ends[i];
      const hash = ks.hasher.hash(notes.bytes, start, end);
      if (this.watchesIn(unit, ks.shard)) this.tables[ks.shard].touched(notes.dbs[i], hash, notes.bytes, start, end);
      if (waitersIn(unit, ks.shard)) this.waiters.changed(ks.shard, notes.dbs[i], hash, notes.bytes, start, end);
      const by = event === LIFE_EVENT.expired ? -1 : this.pushes.reads.client;
      this.pushes.changes.changed(ks.shard, notes.dbs[i], event, hash, notes.bytes, start, end, by);
    }
    if (this.flushed) {
      this.flushed = false;
      this.pushes.changes.tellAll();
    }
    notes.clear();
    this.waiters.serve();
  }

  missed(unit: Unit, ks: Keyspace, arg: number): void {
    const { args } = unit;
    const start = args.starts[arg];
    this.pushes.changes.changed(ks.shard, unit.db, LIFE_EVENT.keymiss, 0, args.buf, start, args.ends[arg], -1);
  }

  private watchesIn(unit: Unit, shard: number): boolean {
    return (unit.headerWords[shard][SHARD.interest] & INTEREST.watches) !== 0;
  }
}

function waitersIn(unit: Unit, shard: number): boolean {
  return (unit.headerWords[shard][SHARD.interest] & INTEREST.waiters) !== 0;
}
