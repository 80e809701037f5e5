/**
 * Lists of one shard.
 *
 *   encoding 0, "listpack"   root = a compact list, up to the limit of list-max-listpack-size
 *   encoding 1, "quicklist"  root of a chain of compact lists                                          quick-list.ts
 *
 * One list is open at a time (`open`, `create`); what changes it leaves its root and encoding, which may be others, in `root` and
 * `encoding`. The cursor is at one of its elements: `node` (the compact list it is in) and `at`; a change that does not say where the
 * cursor goes makes it void.
 *
 * Invariant 1: encoding 0 turns to 1 before a change that passes the limit (`expect`), 1 to 0 after one that leaves a single node with
 *              half the limit or less (`settle`), as in Redis.
 * Invariant 2: an empty list exists only inside of the command that made or emptied it.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { CompactList } from './compact-list.ts';
import { ElementReader } from './element-reader.ts';
import { QuickList } from './quick-list.ts';
import type { SizeLimits } from './size-limits.ts';
import type { ValueKind } from './value-kind.ts';

export const LIST_ENCODING = { compact: 0, quick: 1 } as const;

const COMPACT = 0;
const QUICK = 1;
const EMPTY_BYTES = 7;
/** A node with one short element: its block and what its neighbours cost. */
const NODE_BYTES = 48;
/** What a change costs besides what is pushed: nodes that are divided, copied or joined. */
const CHANGE_BYTES = 512 * 1024;
/** So many times its bytes the block of a new list may have. */
const NEW_LIST_SLACK = 1.2;
/** Place of the first element of a compact list. */
const FIRST_PLACE = 6;

export class Lists implements ValueKind {
  readonly compact: CompactList;
  readonly quick: QuickList;
  /** For whoever reads many elements. */
  readonly reader: ElementReader;
  /** The open list. */
  root = 0;
  encoding: number = COMPACT;
  /** How to read `node`. */
  list: CompactList;
  /** The cursor. */
  node = 0;
  at = 0;
  private readonly arena: Arena;

  constructor(arena: Arena, limits: SizeLimits) {
    this.arena = arena;
    this.compact = new CompactList(arena);
    this.quick = new QuickList(arena, limits);
    this.reader = new ElementReader(arena);
    this.list = this.compact;
  }

  // ---- ValueKind

  encodingName(encoding: number): string {
    return encoding === COMPACT ? 'listpack' : 'quicklist';
  }

  count(root: number, encoding: number): number {
    return encoding === COMPACT ? this.compact.count(root) : this.quick.count(root);
  }

  freeEffort(root: number, encoding: number): number {
    return encoding === COMPACT ? 1 : this.quick.nodeCount(root) + 1;
  }

  releaseStep(root: number, encoding: number, budget: number): boolean {
    if (encoding !== COMPACT) return this.quick.releaseStep(root, budget);
    this.arena.release(root);
    return false;
  }

  memoryBytes(root: number, encoding: number, samples: number): number {
    return encoding === COMPACT ? this.arena.blockBytes(root) : this.quick.bytes(root, samples);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number, encoding: number): void {
    if (encoding === COMPACT) this.compact.check(root);
    else this.quick.check(root);
  }

  // ---- the open list

  open(root: number, encoding: number): void {
    this.root = root;
    this.encoding = encoding;
    this.list = encoding === COMPACT ? this.compact : this.quick.nodes;
  }

  /** Opens a new, empty list that will get so many elements of so many bytes together, which take `listBytes` in a compact list. */
  create(elements: number, bytes: number, listBytes: number): void {
    if (this.quick.exceeds(EMPTY_BYTES + bytes, elements)) this.open(this.quick.create(), QUICK);
    else this.open(this.compact.create(EMPTY_BYTES + listBytes), COMPACT);
  }

  /** Opens a new list made of the bytes of a compact list, which is known to be sound and not empty. */
  createFromList(bytes: Buffer, start: number, end: number): void {
    this.open(this.compact.createFrom(bytes, start, end), COMPACT);
    this.expect(0, 0);
  }

  length(): number {
    return this.encoding === COMPACT ? this.compact.count(this.root) : this.quick.count(this.root);
  }

  /** Bytes that pushing so many elements of so many bytes together may allocate at most, a change of form included. */
  growthBytes(elements: number, bytes: number): number {
    return bytes * 2 + elements * NODE_BYTES + CHANGE_BYTES;
  }

  /** A new list has all its elements: integers among them take less than was reckoned with, and the rest is given back. */
  cutNew(): void {
    const { root, compact } = this;
    if (this.encoding !== COMPACT || compact.bytes(root) * NEW_LIST_SLACK > this.arena.blockBytes(root)) return;
    this.root = compact.cut(root);
  }

  /** Bytes that an element takes in a compact list. */
  elementBytes(buf: Buffer, start: number, end: number): number {
    return this.compact.elementBytes(buf, start, end);
  }

  /** So many elements of so many bytes together are about to come: a compact list that would pass the limit becomes a chain. */
  expect(elements: number, bytes: number): void {
    if (this.encoding !== COMPACT) return;
    const { compact, root } = this;
    if (!this.quick.exceeds(compact.bytes(root) + bytes, compact.count(root) + elements)) return;
    const chain = this.quick.create();
    const start = compact.base(root);
    if (compact.first(root) !== 0)
      this.quick.appendNode(chain, this.arena.buf[root >>> 26], start, start + compact.bytes(root));
    this.arena.release(root);
    this.open(chain, QUICK);
  }

  /** Elements went or shrank: a chain of one node that is small enough becomes a compact list. */
  settle(): void {
    if (this.encoding === COMPACT) return;
    const { quick, root } = this;
    if (quick.nodeCount(root) !== 1) return;
    const node = quick.first(root);
    const bytes = quick.nodes.bytes(node);
    if (!quick.isHalfFilled(bytes, quick.nodes.count(node))) return;
    this.becomeCompact();
  }

  /** As settle, for a list that has just been read: it need not be half filled. */
  settleLoaded(): void {
    const { quick, root } = this;
    if (this.encoding === COMPACT || quick.nodeCount(root) !== 1) return;
    const node = quick.first(root);
    if (!quick.exceeds(quick.nodes.bytes(node), quick.nodes.count(node))) this.becomeCompact();
  }

  private becomeCompact(): void {
    const { quick, root, arena } = this;
    const node = quick.first(root);
    const bytes = quick.nodes.bytes(node);
    // always room: what is freed right behind it is as long
    if (!arena.reserve(bytes)) return;
    const start = quick.nodes.base(node);
    const list = this.compact.createFrom(arena.buf[node >>> 26], start, start + bytes);
    quick.releaseStep(root, 1);
    this.open(list, COMPACT);
  }

  push(atFront: boolean, buf: Buffer, start: number, end: number): void {
    if (this.encoding !== COMPACT) this.quick.push(this.root, atFront, buf, start, end);
    else if (atFront) this.root = this.compact.prepend(this.root, buf, start, end);
    else this.root = this.compact.append(this.root, buf, start, end);
  }

  /** Removes `count` elements from index `index` on, which exist. */
  removeRange(index: number, count: number): void {
    if (this.encoding !== COMPACT) this.quick.removeRange(this.root, index, count);
    else if (count > 0) this.root = this.compact.remove(this.root, this.compact.seek(this.root, index), count);
  }

  /** The same, but many elements are only taken out: the root of a list of encoding `quick` that is the caller's to drop; 0: there is none. */
  cutRange(index: number, count: number): number {
    if (this.encoding !== COMPACT) return this.quick.cutRange(this.root, index, count);
    this.removeRange(index, count);
    return 0;
  }

  // ---- the cursor

  /** Puts the cursor on element `index`, negative ones count from the end; false: there is none. */
  seek(index: number): boolean {
    if (this.encoding === COMPACT) {
      this.node = this.root;
      this.at = this.compact.seek(this.root, index);
      return this.at !== 0;
    }
    const count = this.quick.count(this.root);
    if (index < 0) index += count;
    if (index < 0 || index >= count) return false;
    this.quick.seek(this.root, index);
    this.node = this.quick.node;
    this.at = this.quick.at;
    return true;
  }

  /** To the next element; false: the cursor stood on the last one. */
  next(): boolean {
    this.at = this.list.next(this.node, this.at);
    return this.at !== 0 || this.nextNode();
  }

  /** To the first element of the next node; false: there is none. */
  nextNode(): boolean {
    if (this.encoding === COMPACT) return false;
    this.node = this.quick.next(this.node);
    this.at = FIRST_PLACE;
    return this.node !== 0;
  }

  prev(): boolean {
    this.at = this.list.prev(this.node, this.at);
    if (this.at !== 0) return true;
    if (this.encoding === COMPACT) return false;
    this.node = this.quick.prev(this.node);
    if (this.node === 0) return false;
    this.at = this.list.last(this.node);
    return true;
  }

  /** The element at the cursor into the registers of `list` (vBuf, vStart, vEnd …). */
  load(): void {
    this.list.read(this.node, this.at);
  }

  equals(buf: Buffer, start: number, end: number): boolean {
    return this.list.equals(this.node, this.at, buf, start, end);
  }

  /** Moves the cursor, unless it is there, to the next element that is buf[start, end); false: there is none. */
  find(buf: Buffer, start: number, end: number): boolean {
    for (;;) {
      const at = this.list.find(this.node, this.at, buf, start, end, 0);
      if (at !== 0) {
        this.at = at;
        return true;
      }
      if (!this.nextNode()) return false;
    }
  }

  /** Places of the same node between the cursor and `at`, which is not before it. */
  distance(at: number): number {
    let elements = 0;
    for (let place = this.at; place !== at; place = this.list.next(this.node, place)) elements++;
    return elements;
  }

  /** Inserts behind the element at the cursor or before it. The bytes must not lie in this list. The cursor is void. */
  insert(after: boolean, buf: Buffer, start: number, end: number): void {
    const { node, at, compact } = this;
    if (this.encoding === COMPACT)
      this.root = compact.insert(node, after ? compact.next(node, at) : at, buf, start, end);
    else this.quick.insert(this.root, node, at, after, buf, start, end);
  }

  /** Puts other bytes in the place of the element at the cursor. They must not lie in this list. The cursor is void. */
  replace(buf: Buffer, start: number, end: number): void {
    if (this.encoding === COMPACT) this.root = this.compact.replace(this.node, this.at, buf, start, end);
    else this.quick.replace(this.root, this.node, this.at, buf, start, end);
  }

  /** Removes the element at the cursor, which is then on the one behind it; false: there is none. */
  remove(): boolean {
    const { compact, quick } = this;
    if (this.encoding === COMPACT) {
      this.node = this.root = compact.remove(this.node, this.at);
      return !compact.atEnd(this.root, this.at);
    }
    quick.removeAt(this.root, this.node, this.at, 1);
    this.node = quick.node;
    this.at = quick.at;
    return this.node !== 0;
  }

  /** Removes the element at the cursor, which is then on the one before it; false: there is none. */
  removeBackwards(): boolean {
    const { node, at, list } = this;
    const isLastOfNode = list.next(node, at) === 0;
    const isThere = this.prev();
    const before = this.node;
    const beforeAt = this.at;
    this.node = node;
    this.at = at;
    const isBehind = this.remove();
    if (!isThere) return false;
    // it keeps its offset; its node, if it is the one that lost an element, may have another handle
    if (before !== node) this.node = before;
    else if (this.encoding !== COMPACT && isLastOfNode)
      this.node = isBehind ? this.quick.prev(this.node) : this.quick.last(this.root);
    this.at = beforeAt;
    return true;
  }
}
