/**
 * Hash table of entries in an arena, found by their key bytes: keyspace, and later hashes, sets, member indexes.
 *
 *   root (32 bytes)    count, level mask, split, directory, …                              ROOT_FIELDS
 *   directory          handles of bucket pages; a table of up to 1024 buckets has none, its root names the page
 *   bucket page        up to 1024 buckets; the first page grows from 1 bucket, the others are 64 KiB
 *   bucket (64 bytes)  | 12 tags of 1 byte | 12 entry handles | overflow bucket handle |   words 0..2, 3..14, 15
 *   entry              word 0 hash; word 1 bits 0..23 key bytes, bit 28: the key starts at the later of two places
 *
 * The table grows one bucket at a time (linear hashing): the two tables of a rehash share one array of buckets. With n =
 * mask + 1, buckets 0 … split-1 have been divided: their entries are in b or b + n by bit n of the hash; buckets split … n-1
 * have not. A division or merge touches two buckets, so there is never a pause, and memory follows the number of entries.
 *
 * Stateless: a table is a root handle, everything lies in the arena, every method runs under the shard's latch.
 *
 * Invariant 1: there are mask + 1 + split buckets, split <= mask; none (mask 0, page 0) before the first insert.
 *              A directory exists exactly if there are more than 1024 of them.
 * Invariant 2: home(hash) = hash & mask if that is >= split, else hash & (2 mask + 1). An entry lies in its home bucket or in
 *              the overflow chain of it, once.
 * Invariant 3: a slot is free exactly if its tag and its handle are 0; tag = top byte of the hash, 1 instead of 0.
 * Invariant 4: in a chain only the last bucket has free slots, and none of its overflow buckets is empty.
 * Invariant 5: division needs no overflow bucket beyond those of the chain it divides; a merge that would need one is put off.
 *              So only insert allocates: at most growthBytes(root, n) for n inserts.
 */
import type { Arena } from './arena.ts';
import type { LayoutField } from './arena-layout.ts';
import { BucketChains } from './bucket-chains.ts';
import { LastView } from './bytes.ts';

const OFFSET_MASK = 0x3ffffff;
const COUNT = 0;
const MASK = 1;
const SPLIT = 2;
const DIRECTORY = 3;
const DIRECTORY_PAGES = 4;
const FIRST_PAGE_BUCKETS = 5;
const OVERFLOWS = 6;
const RELEASED = 7;
const ROOT_BYTES = 32;

const SLOTS = 12;
const HANDLES = 3;
const OVERFLOW = 15;
const BUCKET_BYTES = 64;
const PAGE_BUCKETS = 1024;
const PAGE_BUCKETS_SHIFT = 10;
const PAGE_BYTES = PAGE_BUCKETS * BUCKET_BYTES;
const FIRST_DIRECTORY_PAGES = 16;

const LOW_BITS = 0x01010101;
const HIGH_BITS = 0x80808080 | 0;

const KEY_BYTES_MASK = 0xffffff;
const HAS_DEADLINE = 1 << 28;
/** Longer keys are compared by one native call. */
const COMPARE_LOOP_LIMIT = 192;

/** Mean number of entries per bucket at which the table grows, and below which it shrinks. */
const GROW_AT = 9;
const SHRINK_AT = 2;
/** Buckets that one insert or removal divides or merges at most. */
const STEPS = 2;
/** Chain length up to which randomEntry is exactly fair. */
const FAIR_CHAIN = 28;
const RANDOM_TRIES = 64;

export const ROOT_FIELDS: readonly LayoutField[] = [
  { at: COUNT, name: 'count', text: 'entries' },
  { at: MASK, name: 'mask', text: 'n - 1, n a power of two: buckets of the level that is being divided' },
  { at: SPLIT, name: 'split', text: 'how many buckets of this level have been divided' },
  { at: DIRECTORY, name: 'directory', text: 'handle of the directory, or of the only page; 0 before the first insert' },
  { at: DIRECTORY_PAGES, name: 'directory pages', text: 'room of the directory in pages, 0 = no directory' },
  { at: FIRST_PAGE_BUCKETS, name: 'first page buckets', text: 'room of the first page in buckets, 1 … 1024' },
  { at: OVERFLOWS, name: 'overflows', text: 'overflow buckets' },
  { at: RELEASED, name: 'released', text: 'buckets that releaseStep has freed' },
];
export const BUCKET_FIELDS: readonly LayoutField[] = [
  { at: 0, name: 'tags', text: '12 bytes: top byte of the hash (1 instead of 0), 0 = free slot' },
  { at: HANDLES, name: 'handles', text: '12 entry handles, 0 = free slot' },
  { at: OVERFLOW, name: 'overflow', text: 'handle of the next bucket of the chain, 0 = none' },
];

export class HashTable {
  private readonly arena: Arena;
  private readonly segments: Int32Array[];
  private readonly chains: BucketChains;
  private readonly views = new LastView();
  private readonly keyWord: number;
  private readonly laterKeyWord: number;

  /** `keyAt`, `laterKeyAt`: bytes of an entry before its key without and with bit 28; multiples of 4. */
  constructor(arena: Arena, keyAt: number, laterKeyAt: number) {
    this.arena = arena;
    this.keyWord = keyAt >> 2;
    this.laterKeyWord = laterKeyAt >> 2;
    this.segments = arena.i32;
    this.chains = new BucketChains(arena);
  }

  /** Bytes that `inserts` inserts into the table may allocate at most, entries not counted; `root` 0: a table to be created. */
  growthBytes(root: number, inserts: number): number {
    const pages = root === 0 ? 0 : this.segments[root >>> 26][((root & OFFSET_MASK) << 2) + DIRECTORY_PAGES];
    // per insert one overflow bucket and an eighth of a bucket; once the growth of the first page (3 pages in all), the next page
    // and the next directories
    return (
      inserts * (BUCKET_BYTES + BUCKET_BYTES / 4) + PAGE_BYTES * 4 + pages * 16 + FIRST_DIRECTORY_PAGES * 8 + ROOT_BYTES
    );
  }

  /** A new, empty table; returns its root. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    for (let i = 0; i < ROOT_BYTES / 4; i++) r[at + i] = 0;
    return root;
  }

  /** The entry whose key is bytes[start … end), or 0. `hash` is the hash of these bytes. */
  find(root: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const segments = this.segments;
    const r = segments[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    let page = r[rootAt + DIRECTORY];
    if (page === 0) return 0;
    const mask = r[rootAt + MASK];
    let home = hash & mask;
    if (home < r[rootAt + SPLIT]) home = hash & ((mask << 1) | 1);
    if (r[rootAt + DIRECTORY_PAGES] !== 0)
      page = segments[page >>> 26][((page & OFFSET_MASK) << 2) + (home >>> PAGE_BUCKETS_SHIFT)];
    let words = segments[page >>> 26];
    let at = ((page & OFFSET_MASK) << 2) + ((home & (PAGE_BUCKETS - 1)) << 4);
    const top = hash >>> 24;
    const tags = Math.imul(top === 0 ? 1 : top, LOW_BITS);
    for (;;) {
      for (let group = 0; group < 3; group++) {
        const differing = words[at + group] ^ tags;
        // the high bit of each byte of `differing` that is 0 (and perhaps of a 1 above it: the hash word tells them apart)
        let hits = (differing - LOW_BITS) & ~differing & HIGH_BITS;
        while (hits !== 0) {
          const slot = (31 - Math.clz32(hits & -hits)) >> 3;
          const entry = words[at + HANDLES + (group << 2) + slot];
          const e = segments[entry >>> 26];
          const entryAt = (entry & OFFSET_MASK) << 2;
          if (e[entryAt] === hash && entry !== 0 && this.hasKey(e, entryAt, entry, bytes, start, end)) return entry;
          hits &= hits - 1;
        }
      }
      const next = words[at + OVERFLOW];
      if (next === 0) return 0;
      words = segments[next >>> 26];
      at = (next & OFFSET_MASK) << 2;
    }
  }

  /** Handle of the home bucket of a hash; looks at no bucket, and needs no latch if the answer is not relied upon. */
  bucketOf(root: number, hash: number): number {
    const r = this.segments[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    const mask = r[rootAt + MASK];
    let home = hash & mask;
    if (home < r[rootAt + SPLIT]) home = hash & ((mask << 1) | 1);
    let page = r[rootAt + DIRECTORY];
    if (r[rootAt + DIRECTORY_PAGES] !== 0) {
      const directory = this.segments[page >>> 26];
      if (directory === undefined) return 0;
      page = directory[((page & OFFSET_MASK) << 2) + (home >>> PAGE_BUCKETS_SHIFT)];
    }
    return page + ((home & (PAGE_BUCKETS - 1)) << 2);
  }

  /** The entry of a bucket whose tag is that of the hash, the first one; 0: none. As bucketOf, without a latch only a guess. */
  likelyIn(bucket: number, hash: number): number {
    const words = this.segments[bucket >>> 26];
    if (words === undefined) return 0;
    const at = (bucket & OFFSET_MASK) << 2;
    const top = hash >>> 24;
    const tags = Math.imul(top === 0 ? 1 : top, LOW_BITS);
    for (let group = 0; group < 3; group++) {
      const differing = words[at + group] ^ tags;
      const hits = (differing - LOW_BITS) & ~differing & HIGH_BITS;
      if (hits !== 0) return words[at + HANDLES + (group << 2) + ((31 - Math.clz32(hits & -hits)) >> 3)];
    }
    return 0;
  }

  /** True: the entry, at word `entryAt` of its segment `e`, has the key bytes[start … end). */
  private hasKey(
    e: Int32Array,
    entryAt: number,
    entry: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const meta = e[entryAt + 1];
    const length = end - start;
    if ((meta & KEY_BYTES_MASK) !== length) return false;
    let word = entryAt + ((meta & HAS_DEADLINE) !== 0 ? this.laterKeyWord : this.keyWord);
    if (length > COMPARE_LOOP_LIMIT) {
      const keyStart = word << 2;
      return this.arena.buf[entry >>> 26].compare(bytes, start, end, keyStart, keyStart + length) === 0;
    }
    const whole = end - (length & 3);
    let i = start;
    const view = this.views.of(bytes);
    for (; i < whole; i += 4, word++) if (e[word] !== view.getInt32(i, true)) return false;
    if (i === end) return true;
    let last = bytes[i];
    let kept = 0xff;
    if (i + 1 < end) {
      last |= bytes[i + 1] << 8;
      kept = 0xffff;
    }
    if (i + 2 < end) {
      last |= bytes[i + 2] << 16;
      kept = 0xffffff;
    }
    return (e[word] & kept) === last;
  }

  /** Puts an entry into the table; the caller knows that its key is absent, and has written its words and key. */
  insert(root: number, hash: number, entry: number): void {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.arena.willChange(root);
    if (r[at + DIRECTORY] === 0) this.openFirstPage(r, at);
    const count = ++r[at + COUNT];
    for (let i = 0; i < STEPS && count > GROW_AT * this.buckets(r, at); i++) this.divide(r, at);
    const chains = this.chains;
    this.goHome(r, at, hash);
    r[at + OVERFLOWS] += chains.add(hash, entry);
  }

  /** Puts `newEntry`, which has the same key, in the place of `oldEntry`. */
  replace(root: number, hash: number, oldEntry: number, newEntry: number): void {
    const at = (root & OFFSET_MASK) << 2;
    this.goHome(this.segments[root >>> 26], at, hash);
    this.chains.exchange(hash, oldEntry, newEntry);
  }

  /** Takes an entry out of the table; its block belongs to the caller. Throws if it is not there. */
  remove(root: number, hash: number, entry: number): void {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.arena.willChange(root);
    this.goHome(r, at, hash);
    r[at + OVERFLOWS] -= this.chains.remove(hash, entry);
    const count = --r[at + COUNT];
    for (let i = 0; i < STEPS && this.isSparse(r, at, count); i++) if (!this.merge(r, at)) break;
  }

  /** Entries. */
  count(root: number): number {
    return this.segments[root >>> 26][((root & OFFSET_MASK) << 2) + COUNT];
  }

  /** Buckets, overflow buckets not counted. */
  bucketCount(root: number): number {
    return this.buckets(this.segments[root >>> 26], (root & OFFSET_MASK) << 2);
  }

  /** True: rehashStep has something to do. */
  rehashing(root: number): boolean {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    return this.isCrowded(r, at) || this.isSparse(r, at, r[at + COUNT]) || this.isRoomy(r, at);
  }

  /** Divides or merges up to `steps` buckets where that is due, as upkeep between commands; true: there is more to do. */
  rehashStep(root: number, steps: number): boolean {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.arena.willChange(root);
    for (let i = 0; i < steps; i++) {
      if (this.isCrowded(r, at)) {
        if (!this.arena.reserve(PAGE_BYTES * 3, PAGE_BYTES * 2)) return false;
        this.divide(r, at);
      } else if (!this.isSparse(r, at, r[at + COUNT])) {
        break;
      } else if (!this.merge(r, at)) {
        return false;
      }
    }
    if (this.isCrowded(r, at) || this.isSparse(r, at, r[at + COUNT])) return true;
    if (this.isRoomy(r, at) && this.arena.reserve(PAGE_BYTES)) this.resizeFirstPage(r, at, this.buckets(r, at));
    return false;
  }

  /**
   * Makes buckets for `entries` entries that the table will have, up to `steps` of them per call; true: there is more to do. While they
   * are empty nothing has to be moved; a division of full ones waits for the hash of each entry.
   */
  prepareStep(root: number, entries: number, steps: number): boolean {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.arena.willChange(root);
    for (let i = 0; i < steps; i++) {
      if (entries <= GROW_AT * this.buckets(r, at) || !this.arena.reserve(this.growthBytes(root, 1))) return false;
      if (r[at + DIRECTORY] === 0) this.openFirstPage(r, at);
      else this.divide(r, at);
    }
    return true;
  }

  /**
   * Visits the entries of one home bucket of the level and of the bucket that was divided off it. `cursor` 0 starts; returns the
   * next cursor (0 … 2^32 - 1), 0 at the end. Whatever is in the table all the time between is visited at least once, however the
   * table grows or shrinks: the cursor counts in reversed binary. `visit` must not change the table.
   */
  scan(root: number, cursor: number, visit: (entry: number) => void): number {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (r[at + DIRECTORY] === 0) return 0;
    const mask = r[at + MASK];
    const home = cursor & mask;
    this.visitBucket(r, at, home, visit);
    if (home < r[at + SPLIT]) this.visitBucket(r, at, home + mask + 1, visit);
    return reverse32((reverse32(cursor | ~mask) + 1) | 0) >>> 0;
  }

  /** A random entry, 0 when the table is empty. Every entry has the same chance, but for chains of more than 28. */
  randomEntry(root: number, random32: () => number): number {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (r[at + COUNT] === 0) return 0;
    const buckets = this.buckets(r, at);
    const chains = this.chains;
    for (let i = 0; i < RANDOM_TRIES; i++) {
      this.goTo(r, at, (random32() >>> 0) % buckets);
      const length = chains.length();
      const pick = (random32() >>> 0) % Math.max(FAIR_CHAIN, length);
      if (pick < length) return chains.entryAt(pick);
    }
    let bucket = (random32() >>> 0) % buckets;
    for (;;) {
      this.goTo(r, at, bucket);
      const length = chains.length();
      if (length > 0) return chains.entryAt((random32() >>> 0) % length);
      bucket = (bucket + 1) % buckets;
    }
  }

  /**
   * Frees a table that nobody uses any more, up to `budget` buckets per call: visits every entry (the caller frees it) and gives
   * buckets back. False when all is freed, the root included.
   */
  releaseStep(root: number, budget: number, visit: (entry: number) => void): boolean {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    const arena = this.arena;
    arena.willChange(root);
    let left = this.buckets(r, at) - r[at + RELEASED];
    for (; left > 0 && budget > 0; left--, budget--) {
      const bucket = left - 1;
      this.visitBucket(r, at, bucket, visit);
      this.goTo(r, at, bucket);
      this.chains.releaseOverflows();
      r[at + RELEASED]++;
      if (bucket >= PAGE_BUCKETS && (bucket & (PAGE_BUCKETS - 1)) === 0) arena.release(this.pageOf(r, at, bucket));
    }
    if (left > 0) return true;
    if (r[at + DIRECTORY] !== 0) arena.release(this.pageOf(r, at, 0));
    if (r[at + DIRECTORY_PAGES] !== 0) arena.release(r[at + DIRECTORY]);
    arena.release(root);
    return false;
  }

  /** Bytes of the table itself: root, directory, pages and overflow buckets, not the entries. */
  bytes(root: number): number {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    let bytes = ROOT_BYTES + r[at + OVERFLOWS] * BUCKET_BYTES;
    if (r[at + DIRECTORY] === 0) return bytes;
    bytes += this.arena.blockBytes(this.pageOf(r, at, 0));
    if (r[at + DIRECTORY_PAGES] !== 0) bytes += this.arena.blockBytes(r[at + DIRECTORY]);
    return bytes + ((this.buckets(r, at) - 1) >>> PAGE_BUCKETS_SHIFT) * PAGE_BYTES;
  }

  /** Walks the whole table and throws on a broken invariant. For tests and DEBUG. */
  check(root: number): void {
    const r = this.segments[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    const mask = r[at + MASK];
    const split = r[at + SPLIT];
    if ((mask & (mask + 1)) !== 0 || split < 0 || split > mask)
      throw new Error(`table ${root}: mask ${mask}, split ${split}`);
    if ((r[at + DIRECTORY_PAGES] !== 0) !== this.buckets(r, at) > PAGE_BUCKETS)
      throw new Error(`table ${root}: directory`);
    let count = 0;
    let overflows = 0;
    for (let bucket = 0; bucket < this.buckets(r, at); bucket++) {
      this.goTo(r, at, bucket);
      const seen = this.chains.check((hash) => homeOf(hash, mask, split) === bucket);
      count += seen;
      overflows += Math.max(Math.ceil(seen / SLOTS) - 1, 0);
    }
    if (count !== r[at + COUNT]) throw new Error(`table ${root}: ${count} entries, root says ${r[at + COUNT]}`);
    if (overflows !== r[at + OVERFLOWS])
      throw new Error(`table ${root}: ${overflows} overflows, root says ${r[at + OVERFLOWS]}`);
  }

  private buckets(r: Int32Array, at: number): number {
    return r[at + DIRECTORY] === 0 ? 0 : r[at + MASK] + 1 + r[at + SPLIT];
  }

  private isCrowded(r: Int32Array, at: number): boolean {
    return r[at + DIRECTORY] !== 0 && r[at + COUNT] > GROW_AT * this.buckets(r, at);
  }

  private isSparse(r: Int32Array, at: number, count: number): boolean {
    const buckets = this.buckets(r, at);
    return buckets > 1 && count < SHRINK_AT * buckets;
  }

  /** True: the first page has at least twice the room that its buckets need. */
  private isRoomy(r: Int32Array, at: number): boolean {
    const buckets = this.buckets(r, at);
    return buckets > 0 && r[at + FIRST_PAGE_BUCKETS] >= 2 * buckets + 2;
  }

  private goHome(r: Int32Array, at: number, hash: number): void {
    this.goTo(r, at, homeOf(hash, r[at + MASK], r[at + SPLIT]));
  }

  /** Points the chain register to a home bucket. */
  private goTo(r: Int32Array, at: number, bucket: number): void {
    this.chains.open(this.pageOf(r, at, bucket), (bucket & (PAGE_BUCKETS - 1)) << 4);
  }

  private pageOf(r: Int32Array, at: number, bucket: number): number {
    const directory = r[at + DIRECTORY];
    if (r[at + DIRECTORY_PAGES] === 0) return directory;
    return this.segments[directory >>> 26][((directory & OFFSET_MASK) << 2) + (bucket >>> PAGE_BUCKETS_SHIFT)];
  }

  private visitBucket(r: Int32Array, at: number, bucket: number, visit: (entry: number) => void): void {
    this.goTo(r, at, bucket);
    this.chains.visit(visit);
  }

  private openFirstPage(r: Int32Array, at: number): void {
    const page = this.arena.allocate(BUCKET_BYTES);
    r[at + DIRECTORY] = page;
    r[at + DIRECTORY_PAGES] = 0;
    r[at + FIRST_PAGE_BUCKETS] = 1;
    r[at + MASK] = 0;
    r[at + SPLIT] = 0;
    this.chains.clear(page, 0);
  }

  /** Divides bucket `split`: its entries with bit n of the hash move to the new last bucket. */
  private divide(r: Int32Array, at: number): void {
    const level = r[at + MASK] + 1;
    const split = r[at + SPLIT];
    const bucket = level + split;
    this.makeRoom(r, at, bucket);
    const chains = this.chains;
    this.goTo(r, at, split);
    chains.gather();
    const freed = chains.divide(level, this.pageOf(r, at, bucket), (bucket & (PAGE_BUCKETS - 1)) << 4);
    r[at + OVERFLOWS] -= freed;
    if (split + 1 === level) {
      r[at + MASK] = level * 2 - 1;
      r[at + SPLIT] = 0;
    } else {
      r[at + SPLIT] = split + 1;
    }
  }

  /** Merges the last bucket into the one it was divided off. False: that would need a block, so not now. */
  private merge(r: Int32Array, at: number): boolean {
    let level = r[at + MASK] + 1;
    let split = r[at + SPLIT];
    if (split === 0) {
      level >>= 1;
      split = level;
    }
    const last = level + split - 1;
    const chains = this.chains;
    const lastPage = this.pageOf(r, at, last);
    this.goTo(r, at, last);
    chains.gather();
    this.goTo(r, at, split - 1);
    if (!chains.gatherMore()) return false;
    r[at + OVERFLOWS] -= chains.fillGathered();
    r[at + MASK] = level - 1;
    r[at + SPLIT] = split - 1;
    if (last >= PAGE_BUCKETS && (last & (PAGE_BUCKETS - 1)) === 0) this.dropLastPage(r, at, last, lastPage);
    return true;
  }

  private dropLastPage(r: Int32Array, at: number, bucket: number, page: number): void {
    this.arena.release(page);
    if (bucket > PAGE_BUCKETS) return;
    const directory = r[at + DIRECTORY];
    r[at + DIRECTORY] = this.pageOf(r, at, 0);
    r[at + DIRECTORY_PAGES] = 0;
    this.arena.release(directory);
  }

  /** Makes sure that there is memory for a bucket number one past the last. */
  private makeRoom(r: Int32Array, at: number, bucket: number): void {
    if (bucket < PAGE_BUCKETS) {
      const room = r[at + FIRST_PAGE_BUCKETS];
      if (bucket >= room) this.resizeFirstPage(r, at, Math.min(room + Math.max(room >> 1, 1), PAGE_BUCKETS));
    } else if ((bucket & (PAGE_BUCKETS - 1)) === 0) {
      this.addPage(r, at, bucket >>> PAGE_BUCKETS_SHIFT);
    }
  }

  /** Moves the first page, the only one, to a block for `buckets` buckets (or what its size class has room for). */
  private resizeFirstPage(r: Int32Array, at: number, buckets: number): void {
    const arena = this.arena;
    const from = r[at + DIRECTORY];
    const used = Math.min(this.buckets(r, at), PAGE_BUCKETS);
    buckets = Math.min(Math.max(buckets, used), PAGE_BUCKETS);
    const to = arena.allocate(buckets * BUCKET_BYTES);
    const start = (from & OFFSET_MASK) << 4;
    arena.buf[from >>> 26].copy(arena.buf[to >>> 26], (to & OFFSET_MASK) << 4, start, start + used * BUCKET_BYTES);
    r[at + DIRECTORY] = to;
    r[at + FIRST_PAGE_BUCKETS] = Math.min(arena.blockBytes(to) / BUCKET_BYTES, PAGE_BUCKETS) | 0;
    arena.release(from);
  }

  private addPage(r: Int32Array, at: number, pageNumber: number): void {
    const arena = this.arena;
    const room = r[at + DIRECTORY_PAGES];
    if (pageNumber >= room) this.growDirectory(r, at, room === 0 ? FIRST_DIRECTORY_PAGES : room * 2);
    const directory = r[at + DIRECTORY];
    arena.willChange(directory);
    this.segments[directory >>> 26][((directory & OFFSET_MASK) << 2) + pageNumber] = arena.allocate(PAGE_BYTES);
  }

  private growDirectory(r: Int32Array, at: number, pages: number): void {
    const arena = this.arena;
    const old = r[at + DIRECTORY];
    const room = r[at + DIRECTORY_PAGES];
    const next = arena.allocate(pages * 4);
    const to = this.segments[next >>> 26];
    const toAt = (next & OFFSET_MASK) << 2;
    if (room === 0) {
      to[toAt] = old;
    } else {
      const from = this.segments[old >>> 26];
      const fromAt = (old & OFFSET_MASK) << 2;
      for (let i = 0; i < room; i++) to[toAt + i] = from[fromAt + i];
      arena.release(old);
    }
    r[at + DIRECTORY] = next;
    r[at + DIRECTORY_PAGES] = pages;
  }
}

function homeOf(hash: number, mask: number, split: number): number {
  const home = hash & mask;
  return home < split ? hash & ((mask << 1) | 1) : home;
}

/** The bits of an int32 in the opposite order. */
function reverse32(v: number): number {
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16);
}
