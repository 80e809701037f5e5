/**
 * Brings what several commands are about to look at into the processor's caches: first the table buckets of all keys, then the entries
 * that seem to be theirs, then what these name. Each look-up by itself waits two or three times for memory; together the processor has many of these loads under way.
 *
 * Reads shared memory without its latch: whatever it finds is forgotten, and a handle that another thread is just changing leads
 * to a wrong place at worst, or to none.
 */
import { TYPE_MASK, TYPE_SHIFT, WORD_META, WORD_VALUE } from './entry.ts';
import type { Keyspace } from './keyspace.ts';

const OFFSET_MASK = 0x3ffffff;
const NOT_STRING = TYPE_MASK << TYPE_SHIFT;
/** Words of a cache line. */
const LINE_WORDS = 16;

export class MemoryTouch {
  private readonly spaces: Keyspace[] = [];
  private readonly hashes: Int32Array;
  private readonly buckets: Int32Array;
  private count = 0;
  /** What was read goes here, where anybody might look, so that the compiler cannot leave the reading out. */
  seen = 0;

  /** `most`: keys between two calls of `run`. */
  constructor(most: number) {
    this.hashes = new Int32Array(most);
    this.buckets = new Int32Array(most);
  }

  /** Notes a key of database `db` by its hash; every `most` of them are touched at once. */
  add(ks: Keyspace, db: number, hash: number): void {
    const root = ks.root(db);
    if (root === 0) return;
    if (this.count === this.hashes.length) this.run();
    const at = this.count++;
    this.spaces[at] = ks;
    this.hashes[at] = hash;
    this.buckets[at] = ks.table.bucketOf(root, hash);
  }

  /** Touches what was noted, and forgets it. */
  run(): void {
    const { spaces, hashes, buckets, count } = this;
    this.count = 0;
    let seen = 0;
    let structures = 0;
    for (let i = 0; i < count; i++) {
      const bucket = buckets[i];
      const words = spaces[i].arena.i32[bucket >>> 26];
      if (words !== undefined) seen += words[(bucket & OFFSET_MASK) << 2];
    }
    for (let i = 0; i < count; i++) buckets[i] = spaces[i].table.likelyIn(buckets[i], hashes[i]);
    // nothing but loads, so that as many of them as can be are under way: an entry of some dozen bytes may reach into the next line
    for (let i = 0; i < count; i++) {
      const entry = buckets[i];
      const words = spaces[i].arena.i32[entry >>> 26];
      if (words !== undefined) seen += words[((entry & OFFSET_MASK) << 2) + LINE_WORDS / 2];
    }
    for (let i = 0; i < count; i++) {
      const entry = buckets[i];
      buckets[i] = 0;
      const words = spaces[i].arena.i32[entry >>> 26];
      if (entry === 0 || words === undefined) continue;
      const at = (entry & OFFSET_MASK) << 2;
      if ((words[at + WORD_META] & NOT_STRING) === 0) continue;
      buckets[i] = words[at + WORD_VALUE];
      structures++;
    }
    if (structures > 0) seen += this.touchStructures(count);
    this.seen = seen | 0;
  }

  /** `buckets` holds the roots of structures now, and 0. */
  private touchStructures(count: number): number {
    const { spaces, buckets } = this;
    let seen = 0;
    for (let i = 0; i < count; i++) {
      const root = buckets[i];
      const words = spaces[i].arena.i32[root >>> 26];
      if (root === 0 || words === undefined) continue;
      const at = (root & OFFSET_MASK) << 2;
      seen += words[at] + words[at + LINE_WORDS];
    }
    return seen;
  }
}
