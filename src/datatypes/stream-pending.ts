/**
 * Entries that were delivered to a consumer of a group and are not acknowledged.
 *
 *   block (32 bytes)  | id, 4 words | consumer | delivered ms, low | ms high, 16 bits; times high, 16 bits | times, low |
 *
 * Two trees name each block, by id: the group's (`tree`) and its consumer's (`own`). `delivered`: when it was delivered last;
 * `times`: how often. Both have 48 bits; greater numbers become the greatest.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { OrderedTree } from '../../native-free-shm/ordered-tree.ts';
import { IdOrder, type StreamId } from './stream-id.ts';

const OFFSET_MASK = 0x3ffffff;
export const PENDING_BYTES = 32;
export const PENDING_CONSUMER = 4;
export const PENDING_MS_LOW = 5;
export const PENDING_HIGHS = 6;
export const PENDING_TIMES_LOW = 7;
const TWO_32 = 4294967296;
const MAX_48 = 2 ** 48 - 1;

export class StreamPending {
  readonly tree: OrderedTree;
  readonly own: OrderedTree;
  private readonly arena: Arena;
  private readonly order: IdOrder;

  constructor(arena: Arena) {
    this.arena = arena;
    this.order = new IdOrder(arena);
    this.tree = new OrderedTree(arena, this.order);
    this.own = new OrderedTree(arena, this.order);
  }

  /** Bytes that `entries` new pending entries may allocate at most in these trees (0: a new one). */
  growthBytes(entries: number, tree: number, own: number): number {
    return entries * PENDING_BYTES + this.tree.growthBytes(entries, tree) + this.own.growthBytes(entries, own);
  }

  /** The pending entry of a group's tree with that id, 0 = none. */
  find(tree: number, id: StreamId): number {
    this.order.probe.copy(id);
    if (!this.tree.seek(tree, id.treeKey(), false)) return 0;
    const entry = this.tree.entry();
    return id.compareWith(this.arena.i32[entry >>> 26], (entry & OFFSET_MASK) << 2) === 0 ? entry : 0;
  }

  /** Puts the cursor of `tree` on the first entry from this id on; for the trees of groups and of consumers. */
  seek(tree: number, id: StreamId): boolean {
    this.order.probe.copy(id);
    return this.tree.seek(tree, id.treeKey(), false);
  }

  /** Adds an entry that is not pending yet. */
  add(tree: number, own: number, consumer: number, id: StreamId, deliveredMs: number, times: number): number {
    const entry = this.arena.allocate(PENDING_BYTES);
    const words = this.arena.i32[entry >>> 26];
    const at = (entry & OFFSET_MASK) << 2;
    id.store(words, at);
    words[at + PENDING_CONSUMER] = consumer;
    this.write(entry, deliveredMs, times);
    const key = id.treeKey();
    this.order.probe.copy(id);
    this.tree.insert(tree, key, entry);
    this.own.insert(own, key, entry);
    return entry;
  }

  /** Gives a pending entry to another consumer. */
  move(entry: number, fromOwn: number, toOwn: number, consumer: number): void {
    const probe = this.order.probe;
    this.loadId(entry, probe);
    const key = probe.treeKey();
    if (this.own.remove(fromOwn, key) !== entry) throw new Error('stream: an entry is not pending with its consumer');
    this.own.insert(toOwn, key, entry);
    this.arena.willChange(entry);
    this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + PENDING_CONSUMER] = consumer;
  }

  remove(tree: number, own: number, entry: number): void {
    const probe = this.order.probe;
    this.loadId(entry, probe);
    const key = probe.treeKey();
    if (this.tree.remove(tree, key) !== entry || this.own.remove(own, key) !== entry)
      throw new Error('stream: a pending entry is not where it belongs');
    this.arena.release(entry);
  }

  /** Removes all entries of a consumer's tree, and that tree. */
  removeAllOf(tree: number, own: number): void {
    const { order, arena } = this;
    if (this.own.first(own)) {
      do {
        const entry = this.own.entry();
        this.loadId(entry, order.probe);
        this.tree.remove(tree, order.probe.treeKey());
        arena.release(entry);
      } while (this.own.next());
    }
    while (this.own.releaseStep(own, 1024));
  }

  /** Frees entries of a tree from rank `from` on, `budget` at most; the tree itself stays as it is. Returns how many. */
  releaseEntries(tree: number, from: number, budget: number): number {
    if (!this.tree.seekRank(tree, from)) return 0;
    let freed = 0;
    do {
      this.arena.release(this.tree.entry());
      freed++;
    } while (freed < budget && this.tree.next());
    return freed;
  }

  loadId(entry: number, id: StreamId): void {
    id.load(this.arena.i32[entry >>> 26], (entry & OFFSET_MASK) << 2);
  }

  consumerOf(entry: number): number {
    return this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + PENDING_CONSUMER];
  }

  deliveredMs(entry: number): number {
    const words = this.arena.i32[entry >>> 26];
    const at = (entry & OFFSET_MASK) << 2;
    return (words[at + PENDING_HIGHS] & 0xffff) * TWO_32 + (words[at + PENDING_MS_LOW] >>> 0);
  }

  times(entry: number): number {
    const words = this.arena.i32[entry >>> 26];
    const at = (entry & OFFSET_MASK) << 2;
    return (words[at + PENDING_HIGHS] >>> 16) * TWO_32 + (words[at + PENDING_TIMES_LOW] >>> 0);
  }

  setDelivery(entry: number, deliveredMs: number, times: number): void {
    this.arena.willChange(entry);
    this.write(entry, deliveredMs, times);
  }

  private write(entry: number, deliveredMs: number, times: number): void {
    const words = this.arena.i32[entry >>> 26];
    const at = (entry & OFFSET_MASK) << 2;
    const ms = Math.min(deliveredMs, MAX_48);
    const count = Math.min(times, MAX_48);
    words[at + PENDING_MS_LOW] = ms >>> 0;
    words[at + PENDING_HIGHS] = Math.floor(ms / TWO_32) | (Math.floor(count / TWO_32) << 16);
    words[at + PENDING_TIMES_LOW] = count >>> 0;
  }

  entriesBytes(entries: number): number {
    return entries * PENDING_BYTES;
  }

  /** Throws where an entry of a consumer's tree names another one; returns their number. */
  checkOwn(own: number, consumer: number): number {
    let count = 0;
    this.own.check(own, (_key, entry) => {
      if (this.consumerOf(entry) !== consumer) throw new Error('stream: a pending entry with another consumer');
      count++;
    });
    return count;
  }

  /** Throws where a group's tree is broken or has not so many entries. */
  check(tree: number, entries: number): void {
    this.tree.check(tree, (key, entry) => {
      this.loadId(entry, this.order.probe);
      if (this.order.probe.treeKey() !== key) throw new Error('stream: a pending entry under another key');
    });
    if (this.tree.count(tree) !== entries) throw new Error('stream: pending entries without a consumer');
  }
}
