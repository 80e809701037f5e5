/**
 * Makes the buckets of hash tables before the keys of a file come, by what the file says about their number: a table that grows while it
 * is filled touches every entry again with each doubling, and waits for memory each time.
 *
 * A file may hold the keys of all shards mixed, or those of one shard (then it says the number for each anew), or of some, if it was
 * written with another number of shards. So the first keys are looked at: shards that none of them is in get nothing.
 */
import type { Latch } from '../../native-free-shm/latch.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';

const KEYS_LOOKED_AT_PER_SHARD = 8;
const BUCKETS_PER_STEP = 2048;
/** No entry of a file takes less: form, length of the key, length of the value. What a damaged file says must not take much memory. */
const MIN_ENTRY_BYTES = 3;
const SPIN_MICROS = 20;

export class TablePlan {
  /** By shard: whether a key of it was met since `expect`. */
  readonly met: Uint8Array;
  private readonly spaces: readonly Keyspace[];
  private readonly latches: readonly Latch[];
  private readonly owns: (shard: number) => boolean;
  private db = 0;
  private expected = 0;
  private unseen = 0;
  /** Keys that each table of `pending` will have, and the shards whose tables are not ready for them. */
  private readonly totals: number[];
  private pending: number[] = [];

  constructor(spaces: readonly Keyspace[], latches: readonly Latch[], owns: (shard: number) => boolean) {
    this.spaces = spaces;
    this.latches = latches;
    this.owns = owns;
    this.met = new Uint8Array(spaces.length);
    this.totals = spaces.map(() => 0);
  }

  /** So many keys of database `db` follow, says a file that has so many bytes left. */
  expect(db: number, keys: number, bytesLeft: number): void {
    this.db = db;
    this.expected = Math.min(keys, bytesLeft / MIN_ENTRY_BYTES);
    this.unseen = KEYS_LOOKED_AT_PER_SHARD * this.met.length;
    this.pending = [];
    this.met.fill(0);
  }

  /** So many keys were met. */
  note(keys: number): void {
    if (this.unseen > 0 && (this.unseen -= keys) <= 0) this.share();
  }

  private share(): void {
    let met = 0;
    for (const one of this.met) met += one;
    for (let shard = 0; shard < this.met.length; shard++) {
      if (this.met[shard] === 0 || !this.owns(shard)) continue;
      this.totals[shard] = this.spaces[shard].count(this.db) + Math.floor(this.expected / met);
      this.pending.push(shard);
    }
  }

  /** Makes some buckets; true: it did, and may have to go on. */
  step(): boolean {
    if (this.pending.length === 0) return false;
    const shard = this.pending[this.pending.length - 1];
    const ks = this.spaces[shard];
    const latch = this.latches[shard];
    while (!latch.acquireSpin(SPIN_MICROS));
    const goesOn =
      ks.reserve(ks.table.growthBytes(0, 1)) &&
      ks.table.prepareStep(ks.openRoot(this.db), this.totals[shard], BUCKETS_PER_STEP);
    latch.release();
    if (!goesOn) this.pending.pop();
    return true;
  }
}
