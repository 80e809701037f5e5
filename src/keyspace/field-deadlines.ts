/**
 * Which hash has a field that is due next: per database a heap of the hashes whose fields have deadlines (encoding 2).
 *
 *   roots word per database    root of the heap, 0 = never needed
 *   root block of a hash       word 2 its place in that heap, -1 = none | word 3 the entry of its key      hash-value.ts
 *
 * Under the shard's latch. The keyspace says when an entry comes, goes or moves; commands call `settle` when they have changed
 * deadlines.
 *
 * Invariant 1: between units a hash of encoding 2 that a key names is in the heap of the key's database, by the deadline of its
 *              field that is due first, and word 3 of its root names the key's entry.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import { HASH_ENCODING, type Hashes } from '../datatypes/hash-value.ts';
import { ENCODING_SHIFT, TYPE_HASH, TYPE_MASK, TYPE_SHIFT, WORD_CLOCK, WORD_META, WORD_VALUE } from './entry.ts';

const OFFSET_MASK = 0x3ffffff;
const ROOT_HEAP = 1;
const ROOT_PLACE = 2;
const ROOT_ENTRY = 3;
const TIMED = HASH_ENCODING.timed;

export class FieldDeadlines {
  private readonly arena: Arena;
  private readonly heap: DeadlineHeap;
  private readonly hashes: Hashes;
  private readonly roots: Int32Array;
  private readonly first: number;

  /** `first`: index of the root word of database 0. */
  constructor(arena: Arena, hashes: Hashes, roots: Int32Array, first: number) {
    this.arena = arena;
    this.hashes = hashes;
    this.heap = new DeadlineHeap(arena, ROOT_PLACE);
    this.roots = roots;
    this.first = first;
  }

  /** Root of the hash that entry `h` holds if its fields have deadlines, else 0. */
  private timedRoot(h: number): number {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    if (((i32[w + WORD_META] >>> TYPE_SHIFT) & TYPE_MASK) !== TYPE_HASH) return 0;
    return i32[w + WORD_CLOCK] >>> ENCODING_SHIFT === TIMED ? i32[w + WORD_VALUE] : 0;
  }

  /** Entry `h` has come into a database. */
  attach(db: number, h: number): void {
    const root = this.timedRoot(h);
    if (root === 0) return;
    const fieldHeap = this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + ROOT_HEAP];
    this.enterHeap(db, h, root, this.hashes.fields.heap.firstDeadline(fieldHeap));
  }

  /** Entry `h` leaves its database. */
  detach(db: number, h: number): void {
    const root = this.timedRoot(h);
    if (root !== 0) this.leaveHeap(db, root);
  }

  private leaveHeap(db: number, root: number): void {
    const i32 = this.arena.i32[root >>> 26];
    const w = (root & OFFSET_MASK) << 2;
    const place = i32[w + ROOT_PLACE];
    if (place < 0) return;
    this.heap.remove(this.roots[this.first + db], place);
    this.arena.willChange(root);
    i32[w + ROOT_PLACE] = -1;
  }

  /**
   * Deadlines of fields of entry `h`, whose hash is open, have changed: puts that right in the heap. A hash without deadlines gets
   * the form of one; the caller notes its root and encoding.
   */
  settle(db: number, h: number): void {
    const { hashes } = this;
    if (hashes.encoding !== TIMED) return;
    const { root } = hashes;
    const first = hashes.firstDeadline();
    if (first === Number.POSITIVE_INFINITY) {
      this.leaveHeap(db, root);
      hashes.makeUntimed();
      return;
    }
    const place = this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + ROOT_PLACE];
    if (place < 0) {
      this.enterHeap(db, h, root, first);
    } else {
      const heapRoot = this.roots[this.first + db];
      if (this.heap.deadlineAtPosition(heapRoot, place) !== first) this.heap.update(heapRoot, place, first);
    }
  }

  private enterHeap(db: number, h: number, root: number, first: number): void {
    const at = this.first + db;
    if (this.roots[at] === 0) this.roots[at] = this.heap.create();
    this.arena.willChange(root);
    this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + ROOT_ENTRY] = h;
    this.heap.push(this.roots[at], first, root);
  }

  /** The earliest deadline of a field in a database, in unix ms; Infinity where there is none. */
  firstDeadline(db: number): number {
    const root = this.roots[this.first + db];
    return root === 0 ? Number.POSITIVE_INFINITY : this.heap.firstDeadline(root);
  }

  /** The entry of the hash that has it, or 0. */
  firstEntry(db: number): number {
    const heapRoot = this.roots[this.first + db];
    const root = heapRoot === 0 ? 0 : this.heap.firstEntry(heapRoot);
    return root === 0 ? 0 : this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + ROOT_ENTRY];
  }

  /** Hashes with field deadlines in a database. */
  count(db: number): number {
    const root = this.roots[this.first + db];
    return root === 0 ? 0 : this.heap.count(root);
  }

  swap(a: number, b: number): void {
    const kept = this.roots[this.first + a];
    this.roots[this.first + a] = this.roots[this.first + b];
    this.roots[this.first + b] = kept;
  }

  /** All entries leave a database at once. */
  flush(db: number): void {
    const at = this.first + db;
    if (this.roots[at] !== 0) this.heap.releaseAll(this.roots[at]);
    this.roots[at] = 0;
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(db: number): void {
    const heapRoot = this.roots[this.first + db];
    if (heapRoot === 0) return;
    this.heap.check(heapRoot);
    for (let i = 0; i < this.heap.count(heapRoot); i++) {
      const root = this.heap.entryAtPosition(heapRoot, i);
      const i32 = this.arena.i32[root >>> 26];
      const w = (root & OFFSET_MASK) << 2;
      if (this.timedRoot(i32[w + ROOT_ENTRY]) !== root)
        throw new Error(`field deadlines: root ${root} has lost its key`);
      if (this.hashes.fields.heap.firstDeadline(i32[w + ROOT_HEAP]) !== this.heap.deadlineAtPosition(heapRoot, i))
        throw new Error(`field deadlines: root ${root} stands at another deadline than its first field's`);
    }
  }
}
