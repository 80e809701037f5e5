/**
 * Which workers have clients that keep a copy of a key: per shard a table from the key's hash to a bit per worker. Whoever
 * changes a key finds it here, takes it out and appends an invalidation to the event log; which clients those are, and how the
 * key is spelled, their workers know (tracking-clients.ts). Keys with equal hashes are invalidated together: that costs a client a
 * read, never the truth.
 *
 *   table of a shard    slots of three Int32: hash | workers 0 … 31 | workers 32 … 63        both 0: a free slot
 *   counts              one Int32 line per shard: keys in its table | where eviction goes on
 *
 * Linear probing; removal moves later slots of the run back, so there are no tombstones.
 *
 * Invariant 1: a shard's table is touched under that shard's latch only; its count may be read without.
 * Invariant 2: a key is registered inside the unit that reads it and invalidated inside the unit that changes it. So a client either
 *   reads what is newer, or its key is found here.
 */
const SLOT_WORDS = 3;
const LINE_WORDS = 16;
const COUNT = 0;
const HAND = 1;
/** Slots of one shard's table; memory is committed as they are used. */
const SLOTS = 1 << 21;
const FULL_AT = SLOTS / 2;

export interface TrackingMemory {
  tables: SharedArrayBuffer[];
  counts: SharedArrayBuffer;
  /** Int32 per worker, behind them one for all: see TRACKED. */
  clients: SharedArrayBuffer;
}

/** Words of a worker: clients that track, pairs of key and client, prefixes. */
export const TRACKED = { clients: 0, items: 1, prefixes: 2 } as const;
const WORKER_WORDS = 16;

export function createTrackingTable(workers: number, shards: number): TrackingMemory {
  return {
    tables: Array.from({ length: shards }, () => new SharedArrayBuffer(SLOTS * SLOT_WORDS * 4)),
    counts: new SharedArrayBuffer(shards * LINE_WORDS * 4),
    clients: new SharedArrayBuffer(workers * WORKER_WORDS * 4),
  };
}

export class TrackingTable {
  private readonly tables: readonly Int32Array[];
  private readonly counts: Int32Array;
  private readonly clients: Int32Array;
  private readonly slots: number;

  constructor(memory: TrackingMemory) {
    this.tables = memory.tables.map((table) => new Int32Array(table));
    this.counts = new Int32Array(memory.counts);
    this.clients = new Int32Array(memory.clients);
    this.slots = this.tables[0].length / SLOT_WORDS;
  }

  /** Keys in the table of a shard; a plain read. */
  countOf(shard: number): number {
    return this.counts[shard * LINE_WORDS + COUNT];
  }

  /** Keys in all tables, as of a moment ago. */
  keys(): number {
    let sum = 0;
    for (let shard = 0; shard < this.tables.length; shard++) sum += this.countOf(shard);
    return sum;
  }

  /** Adds to a worker's figure (TRACKED); only its own thread writes it. */
  addTo(worker: number, figure: number, by: number): void {
    this.clients[worker * WORKER_WORDS + figure] += by;
  }

  /** A figure over all workers; plain reads. */
  figure(figure: number): number {
    let sum = 0;
    for (let at = figure; at < this.clients.length; at += WORKER_WORDS) sum += this.clients[at];
    return sum;
  }

  // ---- under the shard's latch

  /** True: there is no room for another key; somebody has to be evicted first. */
  isFull(shard: number): boolean {
    return this.countOf(shard) >= FULL_AT;
  }

  /** Notes that clients of a worker keep a copy of the key with this hash. */
  register(shard: number, hash: number, worker: number): void {
    const table = this.tables[shard];
    const at = this.slotOf(table, hash);
    if ((table[at + 1] | table[at + 2]) === 0) {
      table[at] = hash;
      this.counts[shard * LINE_WORDS + COUNT]++;
    }
    table[at + 1 + (worker >>> 5)] |= 1 << (worker & 31);
  }

  /** Takes the key with this hash out; false: nobody has a copy. */
  take(shard: number, hash: number): boolean {
    if (this.countOf(shard) === 0) return false;
    const table = this.tables[shard];
    const at = this.slotOf(table, hash);
    if ((table[at + 1] | table[at + 2]) === 0) return false;
    this.free(shard, at / SLOT_WORDS);
    return true;
  }

  /** Empties a shard's table; for FLUSHALL, whose invalidation names no key. */
  clear(shard: number): void {
    if (this.countOf(shard) === 0) return;
    this.tables[shard].fill(0);
    this.counts[shard * LINE_WORDS + COUNT] = 0;
  }

  /** Takes some key out and returns its hash; null: there is none. */
  evict(shard: number): number | null {
    if (this.countOf(shard) === 0) return null;
    const table = this.tables[shard];
    const hand = shard * LINE_WORDS + HAND;
    let slot = this.counts[hand];
    while ((table[slot * SLOT_WORDS + 1] | table[slot * SLOT_WORDS + 2]) === 0) slot = (slot + 1) % this.slots;
    this.counts[hand] = slot;
    const hash = table[slot * SLOT_WORDS];
    this.free(shard, slot);
    return hash;
  }

  /** Word of the slot that has this hash, or of the free one where it belongs. */
  private slotOf(table: Int32Array, hash: number): number {
    let slot = this.home(hash);
    for (;;) {
      const at = slot * SLOT_WORDS;
      if ((table[at + 1] | table[at + 2]) === 0 || table[at] === hash) return at;
      slot = (slot + 1) % this.slots;
    }
  }

  private home(hash: number): number {
    return (hash >>> 0) % this.slots;
  }

  /** Frees a slot and moves back what probing would not find any more. */
  private free(shard: number, freed: number): void {
    const table = this.tables[shard];
    this.counts[shard * LINE_WORDS + COUNT]--;
    let hole = freed;
    for (let slot = (hole + 1) % this.slots; ; slot = (slot + 1) % this.slots) {
      const at = slot * SLOT_WORDS;
      if ((table[at + 1] | table[at + 2]) === 0) break;
      const home = this.home(table[at]);
      // stays where it is if its home lies behind the hole, in the circle up to the slot
      const isBehind = hole <= slot ? home > hole && home <= slot : home > hole || home <= slot;
      if (isBehind) continue;
      table.copyWithin(hole * SLOT_WORDS, at, at + SLOT_WORDS);
      hole = slot;
    }
    table.fill(0, hole * SLOT_WORDS, (hole + 1) * SLOT_WORDS);
  }
}
