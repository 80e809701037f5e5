/**
 * One bucket and its overflow buckets: the moves that HashTable makes inside and between chains.
 *
 *   home bucket → overflow bucket → overflow bucket      each | tags 3 words | handles 12 words | next 1 word |
 *
 * A register machine without allocation: `open` points it to a home bucket, the other methods work on that chain. `gather`
 * collects a chain's entries and overflow buckets in private scratch arrays, `divide` and `fillGathered` write them out again.
 *
 * Invariant 1: the entries of a chain fill its buckets from the front: only the last bucket has free slots.
 * Invariant 2: an overflow bucket has at least one entry.
 * Invariant 3: dividing m entries into a + b needs no more overflow buckets than the m entries had.
 */
import type { Arena } from './arena.ts';

const OFFSET_MASK = 0x3ffffff;
const SLOTS = 12;
const HANDLES = 3;
const NEXT = 15;
const BUCKET_WORDS = 16;
const BUCKET_BYTES = 64;

export class BucketChains {
  private readonly arena: Arena;
  private readonly segments: Int32Array[];
  /** The open chain: the block of its home bucket (a page) and the bucket's first word inside that block. */
  private home = 0;
  private homeWord = 0;
  private entries = new Int32Array(64);
  private entryCount = 0;
  private overflows = new Int32Array(16);
  private overflowCount = 0;
  /** Overflow buckets that `fill` has taken so far. */
  private overflowsUsed = 0;

  constructor(arena: Arena) {
    this.arena = arena;
    this.segments = arena.i32;
  }

  /** Opens the chain whose home bucket begins at word `word` of the block `page`. */
  open(page: number, word: number): void {
    this.home = page;
    this.homeWord = word;
  }

  /** The bucket at word `at` of the segment, in this block, is about to change: of a page only that. */
  private bucketChanges(block: number, at: number): void {
    this.arena.willChangePart(block, (at - ((block & OFFSET_MASK) << 2)) << 2, BUCKET_BYTES);
  }

  /** Makes a bucket empty without reading it. */
  clear(page: number, word: number): void {
    const words = this.segments[page >>> 26];
    const at = ((page & OFFSET_MASK) << 2) + word;
    for (let i = 0; i < BUCKET_WORDS; i++) words[at + i] = 0;
  }

  /** Adds an entry; returns how many overflow buckets that took (0 or 1). */
  add(hash: number, entry: number): number {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    let words = this.segments[block >>> 26];
    while (words[at + NEXT] !== 0) {
      block = words[at + NEXT];
      at = (block & OFFSET_MASK) << 2;
      words = this.segments[block >>> 26];
    }
    this.bucketChanges(block, at);
    const used = this.slotsUsed(words, at);
    if (used < SLOTS) {
      this.put(words, at, used, tagOf(hash), entry);
      return 0;
    }
    const next = this.arena.allocate(BUCKET_BYTES);
    this.clear(next, 0);
    this.put(this.segments[next >>> 26], (next & OFFSET_MASK) << 2, 0, tagOf(hash), entry);
    words[at + NEXT] = next;
    return 1;
  }

  /** Puts `newEntry` in the place of `oldEntry`. */
  exchange(hash: number, oldEntry: number, newEntry: number): void {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    for (;;) {
      const words = this.segments[block >>> 26];
      const slot = this.slotOf(words, at, oldEntry);
      if (slot >= 0) {
        this.bucketChanges(block, at);
        words[at + HANDLES + slot] = newEntry;
        return;
      }
      block = words[at + NEXT];
      if (block === 0) throw notInTable(hash, oldEntry);
      at = (block & OFFSET_MASK) << 2;
    }
  }

  /** Takes an entry out and closes the gap with the chain's last one; returns how many overflow buckets were freed (0 or 1). */
  remove(hash: number, entry: number): number {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    let words = this.segments[block >>> 26];
    let slot = this.slotOf(words, at, entry);
    while (slot < 0) {
      block = words[at + NEXT];
      if (block === 0) throw notInTable(hash, entry);
      at = (block & OFFSET_MASK) << 2;
      words = this.segments[block >>> 26];
      slot = this.slotOf(words, at, entry);
    }
    let last = block;
    let lastAt = at;
    let lastWords = words;
    let before = 0;
    let beforeAt = 0;
    while (lastWords[lastAt + NEXT] !== 0) {
      before = last;
      beforeAt = lastAt;
      last = lastWords[lastAt + NEXT];
      lastAt = (last & OFFSET_MASK) << 2;
      lastWords = this.segments[last >>> 26];
    }
    const lastSlot = this.slotsUsed(lastWords, lastAt) - 1;
    this.bucketChanges(block, at);
    this.bucketChanges(last, lastAt);
    this.put(words, at, slot, this.tagAt(lastWords, lastAt, lastSlot), lastWords[lastAt + HANDLES + lastSlot]);
    this.put(lastWords, lastAt, lastSlot, 0, 0);
    if (lastSlot > 0 || last === this.home) return 0;
    this.unlinkLast(last, before, beforeAt);
    return 1;
  }

  /** Frees the emptied last bucket of the chain; `before` names the bucket before it where that is known. */
  private unlinkLast(last: number, before: number, beforeAt: number): void {
    if (before === 0) {
      before = this.home;
      beforeAt = ((before & OFFSET_MASK) << 2) + this.homeWord;
      while (this.segments[before >>> 26][beforeAt + NEXT] !== last) {
        before = this.segments[before >>> 26][beforeAt + NEXT];
        beforeAt = (before & OFFSET_MASK) << 2;
      }
    }
    this.bucketChanges(before, beforeAt);
    this.segments[before >>> 26][beforeAt + NEXT] = 0;
    this.arena.release(last);
  }

  /** Entries in the chain. */
  length(): number {
    let words = this.segments[this.home >>> 26];
    let at = ((this.home & OFFSET_MASK) << 2) + this.homeWord;
    let length = 0;
    for (let next = words[at + NEXT]; next !== 0; next = words[at + NEXT]) {
      length += SLOTS;
      words = this.segments[next >>> 26];
      at = (next & OFFSET_MASK) << 2;
    }
    return length + this.slotsUsed(words, at);
  }

  /** The entry at place `index` of the chain, which must have that many. */
  entryAt(index: number): number {
    let words = this.segments[this.home >>> 26];
    let at = ((this.home & OFFSET_MASK) << 2) + this.homeWord;
    for (; index >= SLOTS; index -= SLOTS) {
      const next = words[at + NEXT];
      words = this.segments[next >>> 26];
      at = (next & OFFSET_MASK) << 2;
    }
    return words[at + HANDLES + index];
  }

  visit(visit: (entry: number) => void): void {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    while (block !== 0) {
      const words = this.segments[block >>> 26];
      for (let slot = 0; slot < SLOTS && words[at + HANDLES + slot] !== 0; slot++) visit(words[at + HANDLES + slot]);
      block = words[at + NEXT];
      at = (block & OFFSET_MASK) << 2;
    }
  }

  /** Frees the chain's overflow buckets and leaves their entries to the caller. */
  releaseOverflows(): void {
    let next = this.segments[this.home >>> 26][((this.home & OFFSET_MASK) << 2) + this.homeWord + NEXT];
    while (next !== 0) {
      const block = next;
      next = this.segments[block >>> 26][((block & OFFSET_MASK) << 2) + NEXT];
      this.arena.release(block);
    }
  }

  /** Collects the open chain's entries and overflow buckets. */
  gather(): void {
    this.entryCount = 0;
    this.overflowCount = 0;
    this.overflowsUsed = 0;
    this.collect();
  }

  /** Collects another chain as well; false if all entries together would not fit into one home and the overflow buckets at hand. */
  gatherMore(): boolean {
    this.collect();
    return this.entryCount <= SLOTS * (this.overflowCount + 1);
  }

  private collect(): void {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    for (;;) {
      const words = this.segments[block >>> 26];
      if (this.entryCount + SLOTS > this.entries.length) this.entries = longer(this.entries);
      for (let slot = 0; slot < SLOTS && words[at + HANDLES + slot] !== 0; slot++) {
        this.entries[this.entryCount++] = words[at + HANDLES + slot];
      }
      block = words[at + NEXT];
      if (block === 0) return;
      if (this.overflowCount === this.overflows.length) this.overflows = longer(this.overflows);
      this.overflows[this.overflowCount++] = block;
      at = (block & OFFSET_MASK) << 2;
    }
  }

  /**
   * Writes the gathered entries back: those without hash bit `bit` to the open chain, the others to the bucket at word `word` of
   * block `page`, which holds nothing yet. Returns how many overflow buckets were freed.
   */
  divide(bit: number, page: number, word: number): number {
    const { entries, segments } = this;
    let stay = 0;
    // stable partition in place: movers are swapped to the end
    let end = this.entryCount;
    while (stay < end) {
      const entry = entries[stay];
      if ((segments[entry >>> 26][(entry & OFFSET_MASK) << 2] & bit) === 0) {
        stay++;
      } else {
        entries[stay] = entries[--end];
        entries[end] = entry;
      }
    }
    this.fill(this.home, this.homeWord, 0, stay);
    this.fill(page, word, stay, this.entryCount);
    return this.releaseUnused();
  }

  /** Writes all gathered entries to the open chain; returns how many overflow buckets were freed. */
  fillGathered(): number {
    this.fill(this.home, this.homeWord, 0, this.entryCount);
    return this.releaseUnused();
  }

  private fill(page: number, word: number, from: number, to: number): void {
    let block = page;
    for (;;) {
      const words = this.segments[block >>> 26];
      const at = ((block & OFFSET_MASK) << 2) + word;
      const until = Math.min(from + SLOTS, to);
      this.bucketChanges(block, at);
      this.clear(block, word);
      for (let slot = 0; from < until; slot++, from++) {
        const entry = this.entries[from];
        const hash = this.segments[entry >>> 26][(entry & OFFSET_MASK) << 2];
        this.put(words, at, slot, tagOf(hash), entry);
      }
      if (from === to) return;
      block = this.overflows[this.overflowsUsed++];
      words[at + NEXT] = block;
      word = 0;
    }
  }

  private releaseUnused(): number {
    for (let i = this.overflowsUsed; i < this.overflowCount; i++) this.arena.release(this.overflows[i]);
    return this.overflowCount - this.overflowsUsed;
  }

  /** Checks the chain's invariants and every entry's home; returns the number of entries. */
  check(isHome: (hash: number) => boolean): number {
    let block = this.home;
    let at = ((block & OFFSET_MASK) << 2) + this.homeWord;
    let count = 0;
    for (;;) {
      const words = this.segments[block >>> 26];
      const used = this.slotsUsed(words, at);
      for (let slot = 0; slot < SLOTS; slot++) {
        const entry = words[at + HANDLES + slot];
        const tag = this.tagAt(words, at, slot);
        if (slot >= used) {
          if (entry !== 0 || tag !== 0) throw new Error(`bucket in ${block}: slot ${slot} is half free`);
          continue;
        }
        if (this.arena.blockBytes(entry) < 16) throw new Error(`entry ${entry} is no block`);
        const hash = this.segments[entry >>> 26][(entry & OFFSET_MASK) << 2];
        if (tag !== tagOf(hash) || !isHome(hash))
          throw new Error(`bucket in ${block}: entry ${entry} is in the wrong place`);
      }
      count += used;
      const next = words[at + NEXT];
      if (next !== 0 && used < SLOTS) throw new Error(`bucket in ${block}: gap before an overflow bucket`);
      if (used === 0 && block !== this.home) throw new Error(`overflow bucket ${block} is empty`);
      if (next === 0) return count;
      block = next;
      at = (block & OFFSET_MASK) << 2;
    }
  }

  private slotsUsed(words: Int32Array, at: number): number {
    let used = 0;
    while (used < SLOTS && words[at + HANDLES + used] !== 0) used++;
    return used;
  }

  private slotOf(words: Int32Array, at: number, entry: number): number {
    for (let slot = 0; slot < SLOTS; slot++) if (words[at + HANDLES + slot] === entry) return slot;
    return -1;
  }

  private tagAt(words: Int32Array, at: number, slot: number): number {
    return (words[at + (slot >> 2)] >>> ((slot & 3) << 3)) & 255;
  }

  private put(words: Int32Array, at: number, slot: number, tag: number, entry: number): void {
    const shift = (slot & 3) << 3;
    words[at + (slot >> 2)] = (words[at + (slot >> 2)] & ~(255 << shift)) | (tag << shift);
    words[at + HANDLES + slot] = entry;
  }
}

function tagOf(hash: number): number {
  const top = hash >>> 24;
  return top === 0 ? 1 : top;
}

function longer(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const next = new Int32Array(array.length * 2);
  next.set(array);
  return next;
}

function notInTable(hash: number, entry: number): Error {
  return new Error(`table: entry ${entry} with hash ${hash} is not in its home chain`);
}
