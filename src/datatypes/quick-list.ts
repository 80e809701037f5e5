/**
 * Long lists: a chain of nodes, each of them a compact list.
 *
 *   root (16 bytes):  | first node | last node | elements | nodes |
 *   node:             | previous node, 0 = none | next node, 0 = none | … | compact list |              list-nodes.ts
 *
 * Stateless over an arena: a list is the handle of its root, which never changes. A *place* is a node and an offset in its compact
 * list; methods that move or change leave one in `node` and `at`. Every other place is void after a change.
 *
 * Invariant 1: no node is empty; a root without nodes exists only inside of the command that made or emptied it.
 * Invariant 2: a node grows only within the limits of the settings; an element that is longer than a node may be is alone in its own.
 * Invariant 3: root and neighbours name a node by its present handle: whoever gets another one for a node calls `moved`.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { LIST_NODE, LIST_NODE_LEAD_BYTES, ListNodes } from './list-nodes.ts';
import type { SizeLimits } from './size-limits.ts';

const OFFSET_MASK = 0x3ffffff;
const ROOT_BYTES = 16;
const FIRST = 0;
const LAST = 1;
const ELEMENTS = 2;
const NODES = 3;
const PREV = LIST_NODE.prev;
const NEXT = LIST_NODE.next;
const NODE_LEAD_BYTES = LIST_NODE_LEAD_BYTES;
/** Fewer nodes than these are freed at once where a range goes. */
const DETACHED_NODES = 64;
/** For readers of the blocks. */
export const QUICK_ROOT = { first: FIRST, nodes: NODES } as const;
/** Place of the first element of a compact list. */
const FIRST_PLACE = 6;
/** Limits in bytes by -list-max-listpack-size; longer ones count as the last. */
const BYTES_BY_LIMIT = [0, 4096, 8192, 16384, 32768, 65536];
/** Where elements are limited, a node has no more bytes than these nevertheless. */
const SAFE_BYTES = 8192;
const MAX_LIMIT_ELEMENTS = 32767;

/** No more than a list with this setting may have in one compact list, in bytes. */
function limitBytes(limit: number): number {
  return limit < 0 ? BYTES_BY_LIMIT[Math.min(-limit, 5)] : SAFE_BYTES;
}

/** The same in elements. */
function limitElements(limit: number): number {
  return limit < 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.min(limit, MAX_LIMIT_ELEMENTS));
}

/** Bytes that a text takes in a compact list beyond its own, at most. */
export function elementOverhead(bytes: number): number {
  return bytes < 64 ? 2 : bytes < 4096 ? 4 : 10;
}

export class QuickList {
  readonly nodes: ListNodes;
  /** Registers: the place. */
  node = 0;
  at = 0;
  /** Registers of `seekNode`: elements and nodes before the node. */
  private before = 0;
  private ordinal = 0;
  private readonly arena: Arena;
  private readonly limits: SizeLimits;

  constructor(arena: Arena, limits: SizeLimits) {
    this.arena = arena;
    this.limits = limits;
    this.nodes = new ListNodes(arena);
  }

  create(): number {
    return this.arena.allocateZeroed(ROOT_BYTES);
  }

  count(root: number): number {
    return this.word(root, ELEMENTS);
  }

  nodeCount(root: number): number {
    return this.word(root, NODES);
  }

  first(root: number): number {
    return this.word(root, FIRST);
  }

  last(root: number): number {
    return this.word(root, LAST);
  }

  next(node: number): number {
    return this.word(node, NEXT);
  }

  prev(node: number): number {
    return this.word(node, PREV);
  }

  private word(h: number, i: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + i];
  }

  private setWord(h: number, i: number, value: number): void {
    this.arena.willChange(h);
    this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + i] = value;
  }

  // ---- limits

  /** Is one compact list of so many bytes and elements too much? Redis asks this when a listpack is about to become a quicklist. */
  exceeds(bytes: number, elements: number): boolean {
    const limit = this.limits.listMaxListpackSize;
    return bytes > limitBytes(limit) || elements > limitElements(limit);
  }

  /** Is one compact list small enough to be the whole list again? Half the limits: lists do not change to and fro. */
  isHalfFilled(bytes: number, elements: number): boolean {
    const limit = this.limits.listMaxListpackSize;
    if (limit < 0) return bytes <= limitBytes(limit) / 2;
    // no limit of bytes here, but an element that is too long to share a node keeps the list as it is
    return elements <= Math.floor(limitElements(limit) / 2) && (elements > 1 || bytes <= SAFE_BYTES);
  }

  /** May so many bytes of compact list and elements stand in one node? */
  private fitsNode(bytes: number, elements: number): boolean {
    const limit = this.limits.listMaxListpackSize;
    // with the lead: blocks of 8 KiB are cut without a rest, longer ones are not
    return bytes + NODE_LEAD_BYTES <= limitBytes(limit) && elements <= limitElements(limit);
  }

  /** May a node take one more element, of `bytes` bytes? */
  private takes(node: number, bytes: number): boolean {
    const { nodes } = this;
    const limit = this.limits.listMaxListpackSize;
    const all = nodes.bytes(node) + bytes + elementOverhead(bytes) + NODE_LEAD_BYTES;
    return all <= limitBytes(limit) && (limit < 0 || nodes.count(node) < limitElements(limit));
  }

  // ---- the chain

  /** A node has come from handle `old` to `node`, its lead with it. */
  private moved(root: number, old: number, node: number): void {
    if (old === node) return;
    const prev = this.prev(node);
    const next = this.next(node);
    if (prev === 0) this.setWord(root, FIRST, node);
    else this.setWord(prev, NEXT, node);
    if (next === 0) this.setWord(root, LAST, node);
    else this.setWord(next, PREV, node);
  }

  /** Links a new node behind `prev`; 0: as the first. Its elements are not counted. */
  private link(root: number, prev: number, node: number): void {
    const next = prev === 0 ? this.first(root) : this.next(prev);
    const i32 = this.arena.i32[node >>> 26];
    const w = (node & OFFSET_MASK) << 2;
    i32[w + PREV] = prev;
    i32[w + NEXT] = next;
    if (prev === 0) this.setWord(root, FIRST, node);
    else this.setWord(prev, NEXT, node);
    if (next === 0) this.setWord(root, LAST, node);
    else this.setWord(next, PREV, node);
    this.setWord(root, NODES, this.nodeCount(root) + 1);
  }

  /** Takes a node out of the chain and frees it. Its elements are not counted. */
  private unlink(root: number, node: number): void {
    const prev = this.prev(node);
    const next = this.next(node);
    if (prev === 0) this.setWord(root, FIRST, next);
    else this.setWord(prev, NEXT, next);
    if (next === 0) this.setWord(root, LAST, prev);
    else this.setWord(next, PREV, prev);
    this.setWord(root, NODES, this.nodeCount(root) - 1);
    this.arena.release(node);
  }

  private changeCount(root: number, change: number): void {
    this.setWord(root, ELEMENTS, this.count(root) + change);
  }

  /** A node, not linked, that holds one element. */
  private newNode(buf: Buffer, start: number, end: number): number {
    const { nodes } = this;
    const node = nodes.create(FIRST_PLACE + 1 + nodes.elementBytes(buf, start, end));
    return nodes.append(node, buf, start, end);
  }

  /** Appends all elements of a compact list (bytes that are known to be sound, at least one element) as one node. */
  appendNode(root: number, buf: Buffer, start: number, end: number): void {
    const node = this.nodes.createFrom(buf, start, end);
    this.link(root, this.last(root), node);
    this.changeCount(root, this.nodes.count(node));
  }

  // ---- elements. Bytes that are to be written must not lie in this list

  push(root: number, atFront: boolean, buf: Buffer, start: number, end: number): void {
    const { nodes } = this;
    const node = atFront ? this.first(root) : this.last(root);
    if (node !== 0 && this.takes(node, end - start)) {
      const grown = atFront ? nodes.prepend(node, buf, start, end) : nodes.append(node, buf, start, end);
      this.moved(root, node, grown);
    } else {
      this.link(root, atFront ? 0 : node, this.newNode(buf, start, end));
    }
    this.changeCount(root, 1);
  }

  /** Inserts behind the element at a place, or before it. */
  insert(root: number, node: number, at: number, after: boolean, buf: Buffer, start: number, end: number): void {
    const { nodes } = this;
    const bytes = end - start;
    this.changeCount(root, 1);
    if (this.takes(node, bytes)) {
      this.moved(root, node, nodes.insert(node, after ? nodes.next(node, at) : at, buf, start, end));
      return;
    }
    const isEdge = after ? nodes.next(node, at) === 0 : at === FIRST_PLACE;
    if (!isEdge) return this.insertSplitting(root, node, after ? nodes.next(node, at) : at, after, buf, start, end);
    const neighbour = after ? this.next(node) : this.prev(node);
    if (neighbour !== 0 && this.takes(neighbour, bytes)) {
      const grown = after ? nodes.prepend(neighbour, buf, start, end) : nodes.append(neighbour, buf, start, end);
      this.moved(root, neighbour, grown);
    } else {
      this.link(root, after ? node : this.prev(node), this.newNode(buf, start, end));
    }
  }

  /** Divides a node before `at`, which is inside of it, and puts an element between the halves: into the one it goes by, if it can. */
  private insertSplitting(
    root: number,
    node: number,
    at: number,
    toTail: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const { nodes } = this;
    const head = nodes.split(node, at);
    const tail = nodes.placed;
    this.moved(root, node, head);
    this.link(root, head, tail);
    const half = toTail ? tail : head;
    let centre = half;
    if (this.takes(half, end - start)) {
      centre = toTail ? nodes.prepend(half, buf, start, end) : nodes.append(half, buf, start, end);
      this.moved(root, half, centre);
    } else {
      centre = this.newNode(buf, start, end);
      this.link(root, head, centre);
    }
    this.mergeAround(root, centre);
  }

  /** Joins the nodes around one with each other as far as the limits allow. */
  private mergeAround(root: number, centre: number): void {
    const prev = this.prev(centre);
    if (prev !== 0 && this.prev(prev) !== 0) this.mergeWithNext(root, this.prev(prev));
    const next = this.next(centre);
    if (next !== 0) this.mergeWithNext(root, next);
    const before = this.prev(centre);
    if (before !== 0) centre = this.mergeWithNext(root, before) ?? centre;
    this.mergeWithNext(root, centre);
  }

  /** The node that holds the elements of both, or null where that is too much or there is no next one. */
  private mergeWithNext(root: number, node: number): number | null {
    const { nodes } = this;
    const next = this.next(node);
    if (next === 0) return null;
    const bytes = nodes.bytes(node) + nodes.bytes(next) - FIRST_PLACE - 1;
    if (!this.fitsNode(bytes, nodes.count(node) + nodes.count(next))) return null;
    const grown = nodes.concatenate(node, next);
    this.moved(root, node, grown);
    this.unlink(root, next);
    return grown;
  }

  /** Puts other bytes in the place of an element. */
  replace(root: number, node: number, at: number, buf: Buffer, start: number, end: number): void {
    const { nodes } = this;
    const bytes = end - start;
    const count = nodes.count(node);
    const oldBytes = nodes.sizeAt(node, at);
    const grownBytes = nodes.bytes(node) - oldBytes + bytes + elementOverhead(bytes);
    if (count === 1) {
      // one that was long does not keep its block
      this.link(root, node, this.newNode(buf, start, end));
      this.unlink(root, node);
    } else if (bytes + elementOverhead(bytes) <= oldBytes || this.fitsNode(grownBytes, count)) {
      this.moved(root, node, nodes.replace(node, at, buf, start, end));
    } else {
      const rest = nodes.remove(node, at);
      this.moved(root, node, rest);
      this.changeCount(root, -1);
      const isBehind = nodes.atEnd(rest, at);
      this.insert(root, rest, isBehind ? nodes.last(rest) : at, isBehind, buf, start, end);
    }
  }

  /**
   * Removes `count` elements from a place on, fewer where the node ends before; returns how many. The place is then that of what
   * stood behind them, node 0 at the end of the list.
   */
  removeAt(root: number, node: number, at: number, count: number): number {
    const { nodes } = this;
    const before = nodes.count(node);
    let removed = before;
    if (at === FIRST_PLACE && count >= before) {
      this.toNext(node);
      this.unlink(root, node);
    } else {
      const rest = nodes.remove(node, at, count);
      this.moved(root, node, rest);
      removed = before - nodes.count(rest);
      this.node = rest;
      this.at = at;
      if (nodes.atEnd(rest, at)) this.toNext(rest);
    }
    this.changeCount(root, -removed);
    return removed;
  }

  /** Removes `count` elements from index `index` on, which exist. */
  removeRange(root: number, index: number, count: number): void {
    if (count > 0) this.seek(root, index);
    while (count > 0) count -= this.removeAt(root, this.node, this.at, count);
  }

  /**
   * The same for many elements: their nodes become a list of their own, which is the caller's to free, in steps. Its root; 0: there is
   * none, all of them are freed already.
   */
  cutRange(root: number, index: number, count: number): number {
    const cut = this.arena.reserve(ROOT_BYTES) ? this.detach(root, index, index + count) : 0;
    this.removeRange(root, index, cut === 0 ? count : count - this.count(cut));
    return cut;
  }

  /** Takes the nodes that lie within elements index … end - 1 as a whole out of the chain; the root of theirs, 0: they are few. */
  private detach(root: number, index: number, end: number): number {
    if (end - index < DETACHED_NODES) return 0;
    this.seekNode(root, index);
    const startsBefore = this.before < index;
    const first = startsBefore ? this.next(this.node) : this.node;
    const firstOrdinal = startsBefore ? this.ordinal + 1 : this.ordinal;
    const before = startsBefore ? this.before + this.nodes.count(this.node) : this.before;
    this.seekNode(root, end - 1);
    let behind = this.before + this.nodes.count(this.node);
    const endsBehind = behind > end;
    if (endsBehind) behind = this.before;
    const last = endsBehind ? this.prev(this.node) : this.node;
    const count = (endsBehind ? this.ordinal : this.ordinal + 1) - firstOrdinal;
    if (count < DETACHED_NODES) return 0;
    const prev = this.prev(first);
    const next = this.next(last);
    this.setWord(prev === 0 ? root : prev, prev === 0 ? FIRST : NEXT, next);
    this.setWord(next === 0 ? root : next, next === 0 ? LAST : PREV, prev);
    this.setWord(root, NODES, this.nodeCount(root) - count);
    this.changeCount(root, before - behind);
    this.setWord(first, PREV, 0);
    this.setWord(last, NEXT, 0);
    const cut = this.create();
    this.setWord(cut, FIRST, first);
    this.setWord(cut, LAST, last);
    this.setWord(cut, NODES, count);
    this.changeCount(cut, behind - before);
    return cut;
  }

  // ---- places

  /** The node of element `index`, how many elements stand before it and how many nodes, from the nearer end of the chain. */
  private seekNode(root: number, index: number): void {
    const { nodes } = this;
    const all = this.count(root);
    const fromFront = index < all >> 1;
    let node = fromFront ? this.first(root) : this.last(root);
    let ordinal = fromFront ? 0 : this.nodeCount(root) - 1;
    let before = fromFront ? 0 : all - nodes.count(node);
    for (; index >= before + nodes.count(node); node = this.next(node), ordinal++) before += nodes.count(node);
    for (; index < before; ordinal--) {
      node = this.prev(node);
      before -= nodes.count(node);
    }
    this.node = node;
    this.before = before;
    this.ordinal = ordinal;
  }

  /** The place of the first element behind a node. */
  private toNext(node: number): void {
    this.node = this.next(node);
    this.at = FIRST_PLACE;
  }

  /** The place of element `index`, 0 … count - 1, from the nearer end of the chain. */
  seek(root: number, index: number): void {
    const { nodes } = this;
    const count = this.count(root);
    let node: number;
    if (index < count >> 1) {
      node = this.first(root);
      for (let n = nodes.count(node); index >= n; n = nodes.count(node)) {
        index -= n;
        node = this.next(node);
      }
    } else {
      let back = count - 1 - index;
      node = this.last(root);
      let n = nodes.count(node);
      for (; back >= n; n = nodes.count(node)) {
        back -= n;
        node = this.prev(node);
      }
      index = n - 1 - back;
    }
    this.node = node;
    this.at = nodes.seek(node, index);
  }

  // ---- the whole

  /** Frees up to `budget` nodes; true while there are more. The last call frees the root. Allocates nothing. */
  releaseStep(root: number, budget: number): boolean {
    let node = this.first(root);
    for (; node !== 0 && budget > 0; budget--) {
      const next = this.next(node);
      this.arena.release(node);
      node = next;
    }
    if (node !== 0) {
      this.setWord(root, FIRST, node);
      return true;
    }
    this.arena.release(root);
    return false;
  }

  /** Bytes of all blocks; `samples` nodes (0: all) stand for the others. */
  bytes(root: number, samples: number): number {
    let bytes = 0;
    let seen = 0;
    for (let node = this.first(root); node !== 0 && (samples === 0 || seen < samples); node = this.next(node)) {
      bytes += this.arena.blockBytes(node);
      seen++;
    }
    return ROOT_BYTES + (seen === 0 ? 0 : Math.round((bytes / seen) * this.nodeCount(root)));
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number): void {
    const { nodes } = this;
    let count = 0;
    let elements = 0;
    let prev = 0;
    for (let node = this.first(root); node !== 0; node = this.next(node)) {
      nodes.check(node);
      if (nodes.count(node) === 0) throw new Error('quick list: an empty node');
      if (this.prev(node) !== prev) throw new Error('quick list: the chain backwards is another');
      elements += nodes.count(node);
      count++;
      prev = node;
    }
    if (this.last(root) !== prev) throw new Error('quick list: the last node is another');
    if (count !== this.nodeCount(root)) throw new Error(`quick list: ${count} nodes, ${this.nodeCount(root)} counted`);
    if (elements !== this.count(root)) throw new Error(`quick list: ${elements} elements, ${this.count(root)} counted`);
  }
}
