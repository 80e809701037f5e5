/**
 * Streams of one shard: entries in the order of their ids, and the groups of consumers that read them.
 *
 *   root (80 bytes)   | last id | first id | greatest deleted id | entries added u64 | length f64 | nodes | groups | - | - |
 *                       words 0   4          8                     12                  14           16      17
 *   nodes             ordered tree of the blocks of stream-node.ts, by their first id
 *   groups            hash table by name, 0 = none yet                                              stream-group.ts
 *
 * Stateless but for registers. Who holds the shard's latch reads and writes; nobody else does.
 *
 * Invariant 1: length is the sum of the counts of all nodes. First id is the smallest one, 0-0 where length is 0.
 * Invariant 2: last id is as great as every id that was ever added; it does not fall when entries go.
 * Invariant 3: encoding 0 is a stream. Encoding 1 is no value of a key but a lone group, dropped and to be freed in steps.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { OrderedTree } from '../../native-free-shm/ordered-tree.ts';
import type { SizeLimits } from './size-limits.ts';
import { StreamCursor } from './stream-cursor.ts';
import { StreamGroups } from './stream-group.ts';
import { IdOrder, StreamId } from './stream-id.ts';
import { DELETED, type EntrySource, SAME_FIELDS, StreamNodes } from './stream-node.ts';
import type { ValueKind } from './value-kind.ts';

const OFFSET_MASK = 0x3ffffff;
const ROOT_BYTES = 80;
export const STREAM_LAST_ID = 0;
export const STREAM_FIRST_ID = 4;
export const STREAM_MAX_DELETED_ID = 8;
export const STREAM_ENTRIES_ADDED = 12;
export const STREAM_LENGTH_F64 = 7;
export const STREAM_NODES = 16;
export const STREAM_GROUPS = 17;
/** While the stream is freed: how many nodes are. */
const RELEASED = 18;
const STREAM = 0;
/** Encoding of a group that no stream names any more. */
export const LONE_GROUP = 1;
const MAX_WORD = 0xffffffff;
const TWO_32 = 4294967296;
/** A list never grows beyond this. */
export const MAX_NODE_BYTES = 2 ** 30;
/** Room that a node may be given in advance where its size has no smaller limit. */
const MAX_ADVANCE_BYTES = 4096;

const ZERO_ID = new StreamId();
const MAX_ID = new StreamId();
MAX_ID.setMax();

/** How `trim` chooses: down to so many entries, or all before an id. */
export const TRIM = { none: 0, maxLength: 1, minId: 2 } as const;

export class Streams implements ValueKind {
  readonly cursor: StreamCursor;
  readonly groups: StreamGroups;
  readonly nodes: StreamNodes;
  readonly tree: OrderedTree;
  private readonly arena: Arena;
  readonly limits: SizeLimits;
  private readonly order: IdOrder;
  private readonly id = new StreamId();
  private readonly other = new StreamId();

  constructor(arena: Arena, hasher: HalfSipHash, limits: SizeLimits) {
    this.arena = arena;
    this.limits = limits;
    this.order = new IdOrder(arena);
    this.nodes = new StreamNodes(arena);
    this.tree = new OrderedTree(arena, this.order);
    this.cursor = new StreamCursor(arena, this.nodes, this.tree, this.order);
    this.groups = new StreamGroups(arena, hasher);
  }

  /** A new, empty stream; returns its root. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    const words = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    for (let i = 0; i < ROOT_BYTES / 4; i++) words[at + i] = 0;
    words[at + STREAM_NODES] = this.tree.create();
    return root;
  }

  // ---- the root's words

  private word(root: number, word: number): number {
    return this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + word];
  }

  length(root: number): number {
    return this.arena.f64[root >>> 26][((root & OFFSET_MASK) << 1) + STREAM_LENGTH_F64];
  }

  private setLength(root: number, length: number): void {
    this.arena.f64[root >>> 26][((root & OFFSET_MASK) << 1) + STREAM_LENGTH_F64] = length;
  }

  /** Loads one of STREAM_LAST_ID, STREAM_FIRST_ID, STREAM_MAX_DELETED_ID. */
  loadId(root: number, which: number, id: StreamId): void {
    id.load(this.arena.i32[root >>> 26], ((root & OFFSET_MASK) << 2) + which);
  }

  /** Sets one of them. */
  setId(root: number, which: number, id: StreamId): void {
    this.arena.willChange(root);
    id.store(this.arena.i32[root >>> 26], ((root & OFFSET_MASK) << 2) + which);
  }

  /** How many entries were ever added; within 2^53 exactly. */
  entriesAdded(root: number): number {
    return this.word(root, STREAM_ENTRIES_ADDED + 1) * TWO_32 + (this.word(root, STREAM_ENTRIES_ADDED) >>> 0);
  }

  exactEntriesAdded(root: number): bigint {
    const high = BigInt(this.word(root, STREAM_ENTRIES_ADDED + 1));
    return (high << 32n) + BigInt(this.word(root, STREAM_ENTRIES_ADDED) >>> 0);
  }

  setEntriesAdded(root: number, added: bigint): void {
    this.arena.willChange(root);
    const words = this.arena.i32[root >>> 26];
    const at = ((root & OFFSET_MASK) << 2) + STREAM_ENTRIES_ADDED;
    words[at] = Number(added & 0xffffffffn);
    words[at + 1] = Number(added >> 32n);
  }

  nodesOf(root: number): number {
    return this.word(root, STREAM_NODES);
  }

  /** Root of the table of groups, 0 = there never was one. */
  groupsOf(root: number): number {
    return this.word(root, STREAM_GROUPS);
  }

  /** The same; makes the table where there is none. */
  openGroups(root: number): number {
    const groups = this.groupsOf(root);
    if (groups !== 0) return groups;
    this.arena.willChange(root);
    const words = this.arena.i32[root >>> 26];
    return (words[((root & OFFSET_MASK) << 2) + STREAM_GROUPS] = this.groups.groupTable.create());
  }

  // ---- adding

  /** Bytes that adding this entry may allocate at most; root 0: to a new stream. */
  growthBytes(root: number, pairs: number, bytes: number): number {
    const entry = StreamNodes.entryBytes(pairs, bytes) + MAX_ADVANCE_BYTES;
    if (root === 0) return ROOT_BYTES + entry * 2 + this.tree.growthBytes(1, 0);
    const nodes = this.nodesOf(root);
    const present = this.tree.last(nodes) ? this.nodes.bytes(this.tree.entry()) : 0;
    return (present + entry) * 2 + this.tree.growthBytes(1, nodes);
  }

  /**
   * Adds an entry, whose id is greater than the last one. `bytes`: all its names and values, at most MAX_NODE_BYTES.
   */
  add(root: number, id: StreamId, from: EntrySource, first: number, pairs: number, bytes: number): void {
    const { arena, tree, nodes, limits } = this;
    const words = arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    const nodesRoot = words[at + STREAM_NODES];
    const limit = limits.streamNodeMaxBytes;
    const maxBytes = limit === 0 || limit > MAX_NODE_BYTES ? MAX_NODE_BYTES : limit;
    let expectedBytes = 0;
    let node = tree.last(nodesRoot) ? tree.entry() : 0;
    if (node !== 0 && !this.takesMore(node, bytes, maxBytes)) {
      expectedBytes = Math.min(nodes.bytes(node), maxBytes, MAX_ADVANCE_BYTES);
      this.exchange(nodesRoot, node, nodes.settled(node));
      node = 0;
    }
    if (node === 0) {
      node = nodes.begin(id, from, first, pairs, bytes, expectedBytes);
      this.order.probe.copy(id);
      tree.insert(nodesRoot, id.treeKey(), node);
    } else {
      const advance = Math.min(maxBytes, MAX_ADVANCE_BYTES);
      this.exchange(nodesRoot, node, nodes.add(node, id, from, first, pairs, bytes, advance));
    }
    arena.willChange(root);
    id.store(words, at + STREAM_LAST_ID);
    if ((words[at + STREAM_ENTRIES_ADDED] = words[at + STREAM_ENTRIES_ADDED] + 1) === 0) {
      words[at + STREAM_ENTRIES_ADDED + 1]++;
    }
    const f64 = arena.f64[root >>> 26];
    const length = ++f64[(at >> 1) + STREAM_LENGTH_F64];
    if (length === 1) id.store(words, at + STREAM_FIRST_ID);
  }

  /** May a node take one more entry? If so, its master entry has been opened. */
  private takesMore(node: number, bytes: number, maxBytes: number): boolean {
    const { nodes, limits } = this;
    if (nodes.bytes(node) + bytes >= maxBytes) return false;
    nodes.openMaster(node);
    if (limits.streamNodeMaxEntries === 0) return true;
    return nodes.live + nodes.deleted < limits.streamNodeMaxEntries;
  }

  /** Notes that a node has moved to another block, and releases the old one. */
  private exchange(nodesRoot: number, node: number, moved: number): void {
    if (moved === node) return;
    const probe = this.order.probe;
    this.nodes.firstId(moved, probe);
    this.tree.replaceEntry(nodesRoot, probe.treeKey(), moved);
    this.arena.release(node);
  }

  /**
   * Adds a node of Redis's form with its first id behind all others, as it stands in a file; false: it is damaged or not behind
   * them. The ids, counts and the length of the root follow with `finishLoad`.
   */
  addNode(root: number, firstId: StreamId, bytes: Buffer, start: number, end: number): boolean {
    const { tree, nodes } = this;
    const nodesRoot = this.nodesOf(root);
    if (tree.last(nodesRoot)) {
      nodes.firstId(tree.entry(), this.other);
      if (firstId.compare(this.other) <= 0) return false;
    }
    const node = nodes.adopt(firstId, bytes, start, end);
    if (node === 0) return false;
    this.order.probe.copy(firstId);
    tree.insert(nodesRoot, firstId.treeKey(), node);
    nodes.openMaster(node);
    this.setLength(root, this.length(root) + nodes.live);
    return true;
  }

  /** Ends a load by `addNode`: looks the first id up; false: ids are not in order, or beyond the last id. */
  finishLoad(root: number): boolean {
    const { cursor, other } = this;
    cursor.begin(this.nodesOf(root), ZERO_ID, MAX_ID, false);
    other.setZero();
    for (let isFirst = true; cursor.next(); isFirst = false) {
      if (cursor.id.compare(other) <= 0) return false;
      if (isFirst) this.setId(root, STREAM_FIRST_ID, cursor.id);
      other.copy(cursor.id);
    }
    this.loadId(root, STREAM_LAST_ID, this.id);
    return other.compare(this.id) <= 0;
  }

  // ---- removing

  /** Is there an entry with this id? The cursor is on it then. */
  find(root: number, id: StreamId): boolean {
    this.cursor.begin(this.nodesOf(root), id, id, false);
    return this.cursor.next();
  }

  /** Deletes an entry; false: there is none with this id. First and greatest deleted id follow. */
  remove(root: number, id: StreamId): boolean {
    if (!this.find(root, id)) return false;
    const { arena, nodes, cursor } = this;
    const node = cursor.node;
    nodes.openMaster(node);
    if (nodes.live === 1) {
      this.dropNode(root, node);
    } else {
      arena.willChange(node);
      arena.u8[node >>> 26][cursor.flagsAt] |= DELETED;
      nodes.changeCounts(node, -1, 1);
    }
    arena.willChange(root);
    this.setLength(root, this.length(root) - 1);
    this.loadId(root, STREAM_MAX_DELETED_ID, this.other);
    if (id.compare(this.other) > 0) this.setId(root, STREAM_MAX_DELETED_ID, id);
    this.loadId(root, STREAM_FIRST_ID, this.other);
    if (id.compare(this.other) === 0 || this.length(root) === 0) this.noteFirst(root);
    return true;
  }

  private dropNode(root: number, node: number): void {
    const probe = this.order.probe;
    this.nodes.firstId(node, probe);
    if (this.tree.remove(this.nodesOf(root), probe.treeKey()) !== node)
      throw new Error('stream: a node is not in its tree');
    this.arena.release(node);
  }

  /** Looks the first id up anew. */
  private noteFirst(root: number): void {
    this.cursor.begin(this.nodesOf(root), ZERO_ID, MAX_ID, false);
    this.setId(root, STREAM_FIRST_ID, this.cursor.next() ? this.cursor.id : ZERO_ID);
  }

  /** The greatest id that is there: 0-0 where the stream is empty. */
  greatestId(root: number, id: StreamId): void {
    if (this.length(root) === 0) return id.setZero();
    this.cursor.begin(this.nodesOf(root), ZERO_ID, MAX_ID, true);
    if (!this.cursor.next()) throw new Error('stream: no entry where some should be');
    id.copy(this.cursor.id);
  }

  /**
   * Deletes entries from the front: a TRIM way, down to `maxLength` or up to `minId`. `approximate`: whole nodes only;
   * `limit`: no more than so many entries, 0 = no limit. Returns how many.
   */
  trim(root: number, way: number, maxLength: number, minId: StreamId, approximate: boolean, limit: number): number {
    const { tree, nodes } = this;
    const nodesRoot = this.nodesOf(root);
    let left = this.length(root);
    let deleted = 0;
    while (tree.first(nodesRoot)) {
      if (way === TRIM.maxLength && left <= maxLength) break;
      const node = tree.entry();
      nodes.openMaster(node);
      const entries = nodes.live;
      if (limit !== 0 && deleted + entries > limit) break;
      if (way === TRIM.maxLength ? left - entries >= maxLength : this.endsBefore(node, minId)) {
        this.dropNode(root, node);
        left -= entries;
        deleted += entries;
        continue;
      }
      if (approximate) break;
      const most = way === TRIM.maxLength ? left - maxLength : entries;
      const some = this.trimNode(node, most, way === TRIM.minId ? minId : null);
      left -= some;
      deleted += some;
      break;
    }
    if (deleted === 0) return 0;
    this.arena.willChange(root);
    this.setLength(root, left);
    this.noteFirst(root);
    return deleted;
  }

  /** Is the last entry of a node, deleted or not, before an id? */
  private endsBefore(node: number, id: StreamId): boolean {
    const { nodes } = this;
    const reader = nodes.reader;
    reader.p = nodes.base(node) + nodes.bytes(node) - 1;
    reader.back(1);
    const countAt = reader.p;
    const elements = reader.nextInteger();
    reader.p = countAt;
    reader.back(elements);
    reader.nextInteger();
    this.readId(node, this.other);
    return this.other.compare(id) < 0;
  }

  /** Reads the two differences under the nodes' reader. */
  private readId(node: number, id: StreamId): void {
    const reader = this.nodes.reader;
    this.nodes.firstId(node, id);
    reader.nextInteger();
    let low = id.msLow + reader.low;
    id.msHigh = (id.msHigh + reader.high + (low > MAX_WORD ? 1 : 0)) >>> 0;
    id.msLow = low >>> 0;
    reader.nextInteger();
    low = id.seqLow + reader.low;
    id.seqHigh = (id.seqHigh + reader.high + (low > MAX_WORD ? 1 : 0)) >>> 0;
    id.seqLow = low >>> 0;
  }

  /** Marks up to `most` entries of a node as deleted, from the front, those before `minId` only; returns how many. */
  private trimNode(node: number, most: number, minId: StreamId | null): number {
    const { arena, nodes, id } = this;
    const reader = nodes.reader;
    const u8 = arena.u8[node >>> 26];
    let marked = 0;
    arena.willChange(node);
    nodes.openEntries(node);
    while (marked < most && !reader.atEnd()) {
      const flagsAt = reader.p;
      const flags = reader.nextInteger();
      this.readId(node, id);
      if (minId !== null && id.compare(minId) >= 0) break;
      reader.skip((flags & SAME_FIELDS) !== 0 ? nodes.masterFields + 1 : 2 * reader.nextInteger() + 1);
      if ((flags & DELETED) !== 0) continue;
      u8[flagsAt] |= DELETED;
      marked++;
    }
    nodes.changeCounts(node, -marked, marked);
    return marked;
  }

  // ---- ValueKind

  encodingName(_encoding: number): string {
    return 'stream';
  }

  count(root: number, _encoding: number): number {
    return this.length(root);
  }

  freeEffort(root: number, encoding: number): number {
    if (encoding === LONE_GROUP) return this.groups.freeEffort(root);
    const groups = this.groupsOf(root);
    return this.tree.count(this.nodesOf(root)) + 3 + (groups === 0 ? 0 : this.groups.allEffort(groups));
  }

  releaseStep(root: number, encoding: number, budget: number): boolean {
    if (encoding === LONE_GROUP) return this.groups.releaseStep(root, budget);
    const { arena, tree } = this;
    const words = arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (words[at + STREAM_GROUPS] !== 0) {
      if (this.groups.releaseAllStep(words[at + STREAM_GROUPS], budget)) return true;
      arena.willChange(root);
      words[at + STREAM_GROUPS] = 0;
      return true;
    }
    const nodesRoot = words[at + STREAM_NODES];
    const released = words[at + RELEASED];
    if (tree.seekRank(nodesRoot, released)) {
      let freed = 0;
      do {
        arena.release(tree.entry());
        freed++;
      } while (freed < budget && tree.next());
      arena.willChange(root);
      words[at + RELEASED] = released + freed;
      return true;
    }
    if (tree.releaseStep(nodesRoot, budget)) return true;
    arena.release(root);
    return false;
  }

  memoryBytes(root: number, encoding: number, samples: number): number {
    if (encoding !== STREAM) return this.groups.memoryBytes(root, samples);
    const { tree, arena } = this;
    const nodesRoot = this.nodesOf(root);
    const count = tree.count(nodesRoot);
    const looked = samples === 0 ? count : Math.min(samples, count);
    let bytes = 0;
    if (looked > 0) tree.first(nodesRoot);
    for (let i = 0; i < looked; i++) {
      bytes += arena.blockBytes(tree.entry());
      tree.next();
    }
    const nodes = looked === 0 ? 0 : (bytes / looked) * count;
    const groups = this.groupsOf(root);
    return Math.round(
      ROOT_BYTES + nodes + tree.bytes(nodesRoot) + (groups === 0 ? 0 : this.groups.allBytes(groups, samples)),
    );
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number): void {
    const { tree, nodes, cursor } = this;
    let length = 0;
    tree.check(this.nodesOf(root), (key, node) => {
      nodes.check(node);
      nodes.openMaster(node);
      nodes.firstId(node, this.id);
      if (this.id.treeKey() !== key) throw new Error('stream: a node under another key');
      if (nodes.live < 1) throw new Error('stream: a node without entries');
      length += nodes.live;
    });
    if (length !== this.length(root)) throw new Error(`stream: ${length} entries, root says ${this.length(root)}`);
    cursor.begin(this.nodesOf(root), ZERO_ID, MAX_ID, false);
    this.id.setZero();
    for (let seen = 0; cursor.next(); seen++) {
      this.loadId(root, STREAM_FIRST_ID, this.other);
      if (seen === 0 && cursor.id.compare(this.other) !== 0) throw new Error('stream: another first id');
      if (cursor.id.compare(this.id) <= 0) throw new Error('stream: ids out of order');
      this.id.copy(cursor.id);
      length--;
    }
    if (length !== 0) throw new Error(`stream: the cursor misses ${length} entries`);
    this.loadId(root, STREAM_LAST_ID, this.other);
    if (this.id.compare(this.other) > 0) throw new Error('stream: an id beyond the last one');
    if (this.groupsOf(root) !== 0) this.groups.check(this.groupsOf(root));
  }
}
