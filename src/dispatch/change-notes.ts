/**
 * What a unit changed, for those who listen: watches and waiters of its keys, keyspace events, tracking clients. Filled by
 * Unit.noteChange while handlers run, read by the unit's listeners at its end, before its latches are released.
 *
 *   bytes   | key | key | key | …      each note copies its key, for the arguments of a nested command do not last
 *             ^starts[i] ^ends[i]
 *
 * Invariant 1: nothing is noted while nobody listens (Unit.listening is 0).
 * Invariant 2: a note stands for a key of a shard that the unit holds.
 */
import type { KeyEvent } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Unit } from './unit.ts';

const FIRST_BYTES = 4096;
/** Room for keys that is kept for the next unit. */
const KEPT_BYTES = 1 << 20;

export class ChangeNotes {
  count = 0;
  readonly spaces: Keyspace[] = [];
  readonly dbs: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** What happened to the key; null: something that has no event of its own. */
  readonly events: (KeyEvent | null)[] = [];
  /** The keys; valid until `clear`. */
  bytes: Buffer = Buffer.alloc(FIRST_BYTES);
  private used = 0;

  add(ks: Keyspace, db: number, buf: Buffer, start: number, end: number, event: KeyEvent | null): void {
    const at = this.used;
    const until = at + end - start;
    if (until > this.bytes.length) this.grow(until);
    buf.copy(this.bytes, at, start, end);
    const i = this.count++;
    this.spaces[i] = ks;
    this.dbs[i] = db;
    this.starts[i] = at;
    this.ends[i] = this.used = until;
    this.events[i] = event;
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.alloc(FIRST_BYTES);
  }

  private grow(needed: number): void {
    const bytes = Buffer.alloc(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(bytes, 0, 0, this.used);
    this.bytes = bytes;
  }
}

/** Who hears of changes. All of it happens under the latches of the unit: none of it waits (R6, R7). */
export interface ChangeListeners {
  /** A database of a held shard is about to be emptied. */
  flushing(unit: Unit, ks: Keyspace, db: number): void;
  /** Two databases of a held shard are about to change places. */
  swapping(unit: Unit, ks: Keyspace, a: number, b: number): void;
  /** A command has looked for key argument `arg` to read it, and there is none. */
  missed(unit: Unit, ks: Keyspace, arg: number): void;
  /** The unit has noted changes, and they are published; called before its latches are released. Later notes are seen too. */
  touched(unit: Unit): void;
}
