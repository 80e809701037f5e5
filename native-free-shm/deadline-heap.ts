/**
 * Which entry is due next: a heap with four children per node, over pages in an arena.
 *
 *   root (32 bytes)   count, directory, directory pages, room of the first page                    HEAP_ROOT_FIELDS
 *   directory         handles of pages; a heap of up to 4096 entries has none, its root names the page
 *   page (48 KiB)     4096 deadlines (float64, unix ms) | 4096 entry handles (int32)
 *   first page        the same for 4, 8, … 4096 nodes
 *   entry             word `backWord` = position of its node in the heap
 *
 * Stateless, under the shard's latch. The deadline of an entry is written by the caller; the heap keeps a copy to compare.
 *
 * Invariant 1: deadline(position) >= deadline((position - 1) >> 2) for every position > 0.
 * Invariant 2: the entry at a position has this position in its back word.
 * Invariant 3: pages exist for positions 0 … count - 1 and at most one page beyond.
 */
import type { Arena } from './arena.ts';
import type { LayoutField } from './arena-layout.ts';

const OFFSET_MASK = 0x3ffffff;
const COUNT = 0;
const DIRECTORY = 1;
const DIRECTORY_PAGES = 2;
const FIRST_ROOM = 3;
const PAGES = 4;
const ROOT_BYTES = 32;

const PAGE_NODES = 4096;
const PAGE_SHIFT = 12;
const NODE_BYTES = 12;
const PAGE_BYTES = PAGE_NODES * NODE_BYTES;
const FIRST_NODES = 4;
const FIRST_DIRECTORY_PAGES = 16;

export const HEAP_ROOT_FIELDS: readonly LayoutField[] = [
  { at: COUNT, name: 'count', text: 'entries' },
  { at: DIRECTORY, name: 'directory', text: 'handle of the directory, or of the only page; 0 while there is no page' },
  { at: DIRECTORY_PAGES, name: 'directory pages', text: 'room of the directory in pages, 0 = no directory' },
  { at: FIRST_ROOM, name: 'first room', text: 'room of the first page in nodes' },
  { at: PAGES, name: 'pages', text: 'pages that exist' },
];

export class DeadlineHeap {
  private readonly arena: Arena;
  private readonly backWord: number;
  /** Registers of `goTo`: where the node of a position lies. */
  private page = 0;
  private deadlines: Float64Array;
  private deadlineAt = 0;
  private handles: Int32Array;
  private handleAt = 0;

  /** `backWord`: the word of an entry that takes its position. */
  constructor(arena: Arena, backWord: number) {
    this.arena = arena;
    this.backWord = backWord;
    this.deadlines = arena.f64[0];
    this.handles = arena.i32[0];
  }

  /** A new, empty heap; returns its root. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    for (let i = 0; i < ROOT_BYTES / 4; i++) r[at + i] = 0;
    return root;
  }

  /** Bytes that `pushes` pushes may allocate at most; `root` 0: a heap to be created. */
  growthBytes(root: number, pushes: number): number {
    const pages = root === 0 ? 0 : this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + DIRECTORY_PAGES];
    return pushes * NODE_BYTES + PAGE_BYTES * 4 + pages * 16 + FIRST_DIRECTORY_PAGES * 8 + ROOT_BYTES;
  }

  /** Adds an entry with a deadline in unix ms and writes its position into the entry. */
  push(root: number, deadline: number, entry: number): void {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.arena.willChange(root);
    const position = r[at + COUNT];
    this.makeRoom(r, at, position);
    r[at + COUNT] = position + 1;
    this.siftUp(r, at, position, deadline, entry);
  }

  /** Gives the entry at `position` another deadline. */
  update(root: number, position: number, deadline: number): void {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    this.goTo(r, at, position);
    this.settle(r, at, position, this.deadlines[this.deadlineAt], deadline, this.handles[this.handleAt]);
  }

  /** Takes out the entry at `position`. */
  remove(root: number, position: number): void {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    const last = r[at + COUNT] - 1;
    if (position < 0 || position > last) throw new Error(`heap ${root}: no position ${position} of ${last + 1}`);
    this.arena.willChange(root);
    this.goTo(r, at, position);
    const removed = this.deadlines[this.deadlineAt];
    this.goTo(r, at, last);
    const deadline = this.deadlines[this.deadlineAt];
    const entry = this.handles[this.handleAt];
    r[at + COUNT] = last;
    if (position !== last) this.settle(r, at, position, removed, deadline, entry);
    this.dropRoom(r, at, last);
  }

  /** The entry at `position` has moved to another block; its deadline is the same. */
  moved(root: number, position: number, newEntry: number): void {
    this.goTo(this.arena.i32[root >>> 26], (root & OFFSET_MASK) << 2, position);
    this.put(position, this.deadlines[this.deadlineAt], newEntry);
  }

  /** The earliest deadline, Infinity when the heap is empty. */
  firstDeadline(root: number): number {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (r[at + COUNT] === 0) return Number.POSITIVE_INFINITY;
    this.goTo(r, at, 0);
    return this.deadlines[this.deadlineAt];
  }

  /** The entry with the earliest deadline, 0 when the heap is empty. */
  firstEntry(root: number): number {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (r[at + COUNT] === 0) return 0;
    this.goTo(r, at, 0);
    return this.handles[this.handleAt];
  }

  /** The deadline at a position below count, in no order beyond invariant 1: for sampling. */
  deadlineAtPosition(root: number, position: number): number {
    this.goTo(this.arena.i32[root >>> 26], (root & OFFSET_MASK) << 2, position);
    return this.deadlines[this.deadlineAt];
  }

  /** The entry at a position below count. */
  entryAtPosition(root: number, position: number): number {
    this.goTo(this.arena.i32[root >>> 26], (root & OFFSET_MASK) << 2, position);
    return this.handles[this.handleAt];
  }

  count(root: number): number {
    return this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + COUNT];
  }

  /** Bytes of root, directory and pages. */
  bytes(root: number): number {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    let bytes = ROOT_BYTES;
    if (r[at + DIRECTORY_PAGES] !== 0) bytes += this.arena.blockBytes(r[at + DIRECTORY]);
    for (let page = 0; page < r[at + PAGES]; page++) bytes += this.arena.blockBytes(this.pageOf(r, at, page));
    return bytes;
  }

  /** Frees the heap, its root included; the entries belong to the caller. About 100 ns per 4096 entries. */
  releaseAll(root: number): void {
    const arena = this.arena;
    const r = arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    for (let page = 0; page < r[at + PAGES]; page++) arena.release(this.pageOf(r, at, page));
    if (r[at + DIRECTORY_PAGES] !== 0) arena.release(r[at + DIRECTORY]);
    arena.release(root);
  }

  /** Walks the whole heap and throws on a broken invariant. For tests and DEBUG. */
  check(root: number): void {
    const r = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    const count = r[at + COUNT];
    for (let position = 0; position < count; position++) {
      this.goTo(r, at, position);
      const deadline = this.deadlines[this.deadlineAt];
      const entry = this.handles[this.handleAt];
      const back = this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + this.backWord];
      if (back !== position) throw new Error(`heap ${root}: entry ${entry} at ${position} says ${back}`);
      if (position === 0) continue;
      this.goTo(r, at, (position - 1) >> 2);
      if (!(this.deadlines[this.deadlineAt] <= deadline)) throw new Error(`heap ${root}: order broken at ${position}`);
    }
    const needed = Math.ceil(count / PAGE_NODES);
    if (r[at + PAGES] < needed || r[at + PAGES] > needed + 1)
      throw new Error(`heap ${root}: ${r[at + PAGES]} pages for ${count}`);
  }

  /** Writes an entry that replaces one with deadline `before` at `position` to where it belongs. */
  private settle(r: Int32Array, at: number, position: number, before: number, deadline: number, entry: number): void {
    if (deadline < before) this.siftUp(r, at, position, deadline, entry);
    else this.siftDown(r, at, position, deadline, entry);
  }

  private siftUp(r: Int32Array, at: number, position: number, deadline: number, entry: number): void {
    while (position > 0) {
      const parent = (position - 1) >> 2;
      this.goTo(r, at, parent);
      const above = this.deadlines[this.deadlineAt];
      if (above <= deadline) break;
      const moving = this.handles[this.handleAt];
      this.goTo(r, at, position);
      this.put(position, above, moving);
      position = parent;
    }
    this.goTo(r, at, position);
    this.put(position, deadline, entry);
  }

  private siftDown(r: Int32Array, at: number, position: number, deadline: number, entry: number): void {
    const count = r[at + COUNT];
    for (;;) {
      const first = position * 4 + 1;
      if (first >= count) break;
      const end = Math.min(first + 4, count);
      let least = deadline;
      let leastAt = position;
      let leastEntry = 0;
      for (let child = first; child < end; child++) {
        this.goTo(r, at, child);
        if (this.deadlines[this.deadlineAt] >= least) continue;
        least = this.deadlines[this.deadlineAt];
        leastAt = child;
        leastEntry = this.handles[this.handleAt];
      }
      if (leastAt === position) break;
      this.goTo(r, at, position);
      this.put(position, least, leastEntry);
      position = leastAt;
    }
    this.goTo(r, at, position);
    this.put(position, deadline, entry);
  }

  /** Writes the node at `position`, to which the registers point, and the entry's back word. */
  private put(position: number, deadline: number, entry: number): void {
    const arena = this.arena;
    const start = (this.page & OFFSET_MASK) << 4;
    arena.willChangePart(this.page, this.deadlineAt * 8 - start, 8);
    arena.willChangePart(this.page, this.handleAt * 4 - start, 4);
    this.deadlines[this.deadlineAt] = deadline;
    this.handles[this.handleAt] = entry;
    arena.willChange(entry);
    arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + this.backWord] = position;
  }

  private goTo(r: Int32Array, at: number, position: number): void {
    const number = position >>> PAGE_SHIFT;
    const page = this.pageOf(r, at, number);
    const index = position & (PAGE_NODES - 1);
    const start = (page & OFFSET_MASK) << 2;
    this.page = page;
    this.deadlines = this.arena.f64[page >>> 26];
    this.deadlineAt = (start >> 1) + index;
    this.handles = this.arena.i32[page >>> 26];
    this.handleAt = start + (number === 0 ? r[at + FIRST_ROOM] : PAGE_NODES) * 2 + index;
  }

  private pageOf(r: Int32Array, at: number, number: number): number {
    const directory = r[at + DIRECTORY];
    if (r[at + DIRECTORY_PAGES] === 0) return directory;
    return this.arena.i32[directory >>> 26][((directory & OFFSET_MASK) << 2) + number];
  }

  /** Makes sure that there is memory for `position`, which is one past the last. */
  private makeRoom(r: Int32Array, at: number, position: number): void {
    if (position < PAGE_NODES) {
      const room = r[at + FIRST_ROOM];
      if (position >= room) this.resizeFirstPage(r, at, position, room === 0 ? FIRST_NODES : room * 2);
    } else if (position >>> PAGE_SHIFT === r[at + PAGES]) {
      this.addPage(r, at);
    }
  }

  /** Gives back what `count` entries do not need: all pages but one spare, the first page when it is empty. Allocates nothing. */
  private dropRoom(r: Int32Array, at: number, count: number): void {
    const pages = r[at + PAGES];
    if (pages > 1) {
      if (count > (pages - 2) * PAGE_NODES + PAGE_NODES / 2) return;
      this.arena.release(this.pageOf(r, at, pages - 1));
      r[at + PAGES] = pages - 1;
      if (pages === 2) this.dropDirectory(r, at);
    } else if (count === 0) {
      this.arena.release(r[at + DIRECTORY]);
      r[at + DIRECTORY] = 0;
      r[at + FIRST_ROOM] = 0;
      r[at + PAGES] = 0;
    }
  }

  private dropDirectory(r: Int32Array, at: number): void {
    const directory = r[at + DIRECTORY];
    r[at + DIRECTORY] = this.pageOf(r, at, 0);
    r[at + DIRECTORY_PAGES] = 0;
    this.arena.release(directory);
  }

  private resizeFirstPage(r: Int32Array, at: number, used: number, room: number): void {
    const arena = this.arena;
    const page = arena.allocate(room * NODE_BYTES);
    const toDeadlines = arena.f64[page >>> 26];
    const toHandles = arena.i32[page >>> 26];
    const start = (page & OFFSET_MASK) << 2;
    for (let position = 0; position < used; position++) {
      this.goTo(r, at, position);
      toDeadlines[(start >> 1) + position] = this.deadlines[this.deadlineAt];
      toHandles[start + room * 2 + position] = this.handles[this.handleAt];
    }
    if (r[at + DIRECTORY] !== 0) arena.release(r[at + DIRECTORY]);
    r[at + DIRECTORY] = page;
    r[at + FIRST_ROOM] = room;
    r[at + PAGES] = 1;
  }

  private addPage(r: Int32Array, at: number): void {
    const arena = this.arena;
    const pages = r[at + PAGES];
    const room = r[at + DIRECTORY_PAGES];
    if (pages >= room) this.growDirectory(r, at, room === 0 ? FIRST_DIRECTORY_PAGES : room * 2);
    const directory = r[at + DIRECTORY];
    arena.willChange(directory);
    arena.i32[directory >>> 26][((directory & OFFSET_MASK) << 2) + pages] = arena.allocate(PAGE_BYTES);
    r[at + PAGES] = pages + 1;
  }

  private growDirectory(r: Int32Array, at: number, room: number): void {
    const arena = this.arena;
    const next = arena.allocate(room * 4);
    const to = arena.i32[next >>> 26];
    const toAt = (next & OFFSET_MASK) << 2;
    for (let page = 0; page < r[at + PAGES]; page++) to[toAt + page] = this.pageOf(r, at, page);
    if (r[at + DIRECTORY_PAGES] !== 0) arena.release(r[at + DIRECTORY]);
    r[at + DIRECTORY] = next;
    r[at + DIRECTORY_PAGES] = room;
  }
}
