/**
 * Groups of consumers of streams: who has read how far, and what was delivered to whom and not acknowledged.
 *
 *   groups     hash table by name (its root stands in the stream's root)
 *   group      | hash | name bytes | last delivered id | entries read i64 | pending | consumers | released | - | name from byte 48
 *                0      1            2                   6                  8         9           10
 *   pending    ordered tree by id of all pending entries of the group                             stream-pending.ts
 *   consumers  hash table by name
 *   consumer   | hash | name bytes | seen ms f64 | active ms f64 | own pending | - | name from byte 32
 *                0      1            2             4               6
 *   own        ordered tree by id of the entries that are pending with this consumer
 *
 * Invariant 1: `pending` holds exactly the entries of all `own` trees; every entry names its consumer.
 * Invariant 2: blocks of groups and consumers never move.
 * Invariant 3: entries read is -1 where nobody knows how many; active ms is -1 where the consumer never got an entry.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { copyInto } from '../../native-free-shm/bytes.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import type { StreamId } from './stream-id.ts';
import { StreamPending } from './stream-pending.ts';

const OFFSET_MASK = 0x3ffffff;
const NAME_BYTES_MASK = 0xffffff;
/** The longest name of a group or consumer, in bytes. */
export const MAX_GROUP_NAME_BYTES = 0xfffffe;
export const GROUP_LAST_ID = 2;
export const GROUP_ENTRIES_READ = 6;
export const GROUP_PENDING = 8;
export const GROUP_CONSUMERS = 9;
/** While the group is freed: how many pending entries are. */
const RELEASED = 10;
export const GROUP_NAME_AT = 48;
export const CONSUMER_SEEN_F64 = 1;
export const CONSUMER_ACTIVE_F64 = 2;
export const CONSUMER_OWN = 6;
export const CONSUMER_NAME_AT = 32;
const NEVER = -1;
const MAX_WORD = 0xffffffff;
/** High word of the greatest int64. */
const MAX_HIGH = 0x7fffffff;
/** Blocks of a group or consumer besides its pending entries. */
const GROUP_EFFORT = 6;

export class StreamGroups {
  readonly groupTable: HashTable;
  readonly consumerTable: HashTable;
  readonly pending: StreamPending;
  /** Registers of `groupName` and `consumerName`. */
  nBuf: Buffer;
  nStart = 0;
  nEnd = 0;
  private readonly arena: Arena;
  private readonly hasher: HalfSipHash;
  /** Register of the visitors. */
  private found: number[] = [];

  constructor(arena: Arena, hasher: HalfSipHash) {
    this.arena = arena;
    this.hasher = hasher;
    this.groupTable = new HashTable(arena, GROUP_NAME_AT, GROUP_NAME_AT);
    this.consumerTable = new HashTable(arena, CONSUMER_NAME_AT, CONSUMER_NAME_AT);
    this.pending = new StreamPending(arena);
    this.nBuf = arena.buf[0];
  }

  private word(h: number, word: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + word];
  }

  private readonly collect = (entry: number): void => {
    this.found.push(entry);
  };

  /** All entries of a table, in the order of their names. */
  private sorted(table: HashTable, root: number, nameAt: number): number[] {
    if (root === 0) return [];
    const found: number[] = (this.found = []);
    let cursor = 0;
    do cursor = table.scan(root, cursor, this.collect);
    while (cursor !== 0);
    return found.sort((a, b) => {
      const aStart = ((a & OFFSET_MASK) << 4) + nameAt;
      const bStart = ((b & OFFSET_MASK) << 4) + nameAt;
      const aEnd = aStart + (this.word(a, 1) & NAME_BYTES_MASK);
      const bEnd = bStart + (this.word(b, 1) & NAME_BYTES_MASK);
      return this.arena.buf[a >>> 26].compare(this.arena.buf[b >>> 26], bStart, bEnd, aStart, aEnd);
    });
  }

  /** A named block with zeros behind its head. */
  private named(nameAt: number, hash: number, buf: Buffer, start: number, end: number): number {
    const length = end - start;
    const h = this.arena.allocate(nameAt + length);
    const words = this.arena.i32[h >>> 26];
    const at = (h & OFFSET_MASK) << 2;
    words[at] = hash;
    words[at + 1] = length;
    for (let i = 2; i < nameAt >> 2; i++) words[at + i] = 0;
    copyInto(this.arena.buf[h >>> 26], (at << 2) + nameAt, buf, start, length);
    return h;
  }

  private loadName(h: number, nameAt: number): void {
    this.nBuf = this.arena.buf[h >>> 26];
    this.nStart = ((h & OFFSET_MASK) << 4) + nameAt;
    this.nEnd = this.nStart + (this.word(h, 1) & NAME_BYTES_MASK);
  }

  // ---- groups

  /** Bytes that making a group, or a consumer, may allocate at most; `nameBytes`: its name. */
  static readonly CREATION_BYTES = 1 << 19;

  /** The group of that name, 0 = absent. `table` may be 0. */
  findGroup(table: number, buf: Buffer, start: number, end: number): number {
    if (table === 0) return 0;
    return this.groupTable.find(table, this.hasher.hash(buf, start, end), buf, start, end);
  }

  /** Makes a group, whose name is absent. */
  createGroup(table: number, buf: Buffer, start: number, end: number, lastId: StreamId, entriesRead: bigint): number {
    const hash = this.hasher.hash(buf, start, end);
    const group = this.named(GROUP_NAME_AT, hash, buf, start, end);
    const words = this.arena.i32[group >>> 26];
    const at = (group & OFFSET_MASK) << 2;
    lastId.store(words, at + GROUP_LAST_ID);
    this.writeRead(group, entriesRead);
    words[at + GROUP_PENDING] = this.pending.tree.create();
    words[at + GROUP_CONSUMERS] = this.consumerTable.create();
    this.groupTable.insert(table, hash, group);
    return group;
  }

  /** Takes a group out of its table; its blocks are then a lone group, to be freed by releaseStep. */
  unlinkGroup(table: number, group: number): void {
    this.groupTable.remove(table, this.word(group, 0), group);
  }

  groupName(group: number): void {
    this.loadName(group, GROUP_NAME_AT);
  }

  /** The groups in the order of their names. Cold. */
  groupsByName(table: number): number[] {
    return this.sorted(this.groupTable, table, GROUP_NAME_AT);
  }

  loadLastId(group: number, id: StreamId): void {
    id.load(this.arena.i32[group >>> 26], ((group & OFFSET_MASK) << 2) + GROUP_LAST_ID);
  }

  setLastId(group: number, id: StreamId): void {
    this.arena.willChange(group);
    id.store(this.arena.i32[group >>> 26], ((group & OFFSET_MASK) << 2) + GROUP_LAST_ID);
  }

  /** How many entries the group has read of all that were ever added; -1n: unknown. */
  entriesRead(group: number): bigint {
    const high = BigInt(this.word(group, GROUP_ENTRIES_READ + 1));
    return (high << 32n) + BigInt(this.word(group, GROUP_ENTRIES_READ) >>> 0);
  }

  knowsEntriesRead(group: number): boolean {
    return this.word(group, GROUP_ENTRIES_READ + 1) >= 0;
  }

  /** One more was read; what is beyond int64 is unknown. */
  countRead(group: number): void {
    this.arena.willChange(group);
    const words = this.arena.i32[group >>> 26];
    const at = ((group & OFFSET_MASK) << 2) + GROUP_ENTRIES_READ;
    if (words[at] !== -1) words[at]++;
    else if (words[at + 1] === MAX_HIGH) words[at + 1] = -1;
    else {
      words[at] = 0;
      words[at + 1]++;
    }
  }

  setEntriesRead(group: number, count: bigint): void {
    this.arena.willChange(group);
    this.writeRead(group, count);
  }

  private writeRead(group: number, count: bigint): void {
    const words = this.arena.i32[group >>> 26];
    const at = ((group & OFFSET_MASK) << 2) + GROUP_ENTRIES_READ;
    words[at] = Number(count & BigInt(MAX_WORD));
    words[at + 1] = Number(count >> 32n);
  }

  /** Root of the tree of the group's pending entries. */
  pendingOf(group: number): number {
    return this.word(group, GROUP_PENDING);
  }

  pendingCount(group: number): number {
    return this.pending.tree.count(this.pendingOf(group));
  }

  // ---- consumers

  consumerCount(group: number): number {
    return this.consumerTable.count(this.word(group, GROUP_CONSUMERS));
  }

  /** The consumer of that name, 0 = absent. */
  findConsumer(group: number, buf: Buffer, start: number, end: number): number {
    const hash = this.hasher.hash(buf, start, end);
    return this.consumerTable.find(this.word(group, GROUP_CONSUMERS), hash, buf, start, end);
  }

  /** Makes a consumer, whose name is absent; it is seen at `nowMs`. */
  createConsumer(group: number, buf: Buffer, start: number, end: number, nowMs: number): number {
    const hash = this.hasher.hash(buf, start, end);
    const consumer = this.named(CONSUMER_NAME_AT, hash, buf, start, end);
    const f64 = this.arena.f64[consumer >>> 26];
    const at = (consumer & OFFSET_MASK) << 1;
    f64[at + CONSUMER_SEEN_F64] = nowMs;
    f64[at + CONSUMER_ACTIVE_F64] = NEVER;
    this.arena.i32[consumer >>> 26][(at << 1) + CONSUMER_OWN] = this.pending.own.create();
    this.consumerTable.insert(this.word(group, GROUP_CONSUMERS), hash, consumer);
    return consumer;
  }

  /** Removes a consumer with all that is pending with it; returns how many entries that was. */
  removeConsumer(group: number, consumer: number): number {
    const own = this.ownOf(consumer);
    const count = this.pending.own.count(own);
    this.pending.removeAllOf(this.pendingOf(group), own);
    this.consumerTable.remove(this.word(group, GROUP_CONSUMERS), this.word(consumer, 0), consumer);
    this.arena.release(consumer);
    return count;
  }

  consumerName(consumer: number): void {
    this.loadName(consumer, CONSUMER_NAME_AT);
  }

  consumersByName(group: number): number[] {
    return this.sorted(this.consumerTable, this.word(group, GROUP_CONSUMERS), CONSUMER_NAME_AT);
  }

  ownOf(consumer: number): number {
    return this.word(consumer, CONSUMER_OWN);
  }

  ownCount(consumer: number): number {
    return this.pending.own.count(this.ownOf(consumer));
  }

  /** When the consumer last asked, unix ms. */
  seenMs(consumer: number): number {
    return this.arena.f64[consumer >>> 26][((consumer & OFFSET_MASK) << 1) + CONSUMER_SEEN_F64];
  }

  setSeenMs(consumer: number, ms: number): void {
    this.arena.willChange(consumer);
    this.arena.f64[consumer >>> 26][((consumer & OFFSET_MASK) << 1) + CONSUMER_SEEN_F64] = ms;
  }

  /** When the consumer last got an entry, -1: never. */
  activeMs(consumer: number): number {
    return this.arena.f64[consumer >>> 26][((consumer & OFFSET_MASK) << 1) + CONSUMER_ACTIVE_F64];
  }

  setActiveMs(consumer: number, ms: number): void {
    this.arena.willChange(consumer);
    this.arena.f64[consumer >>> 26][((consumer & OFFSET_MASK) << 1) + CONSUMER_ACTIVE_F64] = ms;
  }

  // ---- freeing

  /** Any entry of a table, 0 = none. */
  private anyOf(table: HashTable, root: number): number {
    const found: number[] = (this.found = []);
    for (let cursor = table.scan(root, 0, this.collect); found.length === 0 && cursor !== 0; )
      cursor = table.scan(root, cursor, this.collect);
    return found.length === 0 ? 0 : found[0];
  }

  /** Blocks of a group, roughly. */
  freeEffort(group: number): number {
    return this.pendingCount(group) + this.consumerCount(group) * 3 + GROUP_EFFORT;
  }

  /** Blocks of all groups of a table, roughly. */
  allEffort(table: number): number {
    let effort = 1;
    for (const group of this.groupsByName(table)) effort += this.freeEffort(group);
    return effort;
  }

  /** Frees up to about `budget` blocks of a group that is in no table any more; false when all is freed. */
  releaseStep(group: number, budget: number): boolean {
    if (this.contentsStep(group, budget)) return true;
    this.arena.release(group);
    return false;
  }

  private contentsStep(group: number, budget: number): boolean {
    const { arena, pending } = this;
    const words = arena.i32[group >>> 26];
    const at = (group & OFFSET_MASK) << 2;
    const consumers = words[at + GROUP_CONSUMERS];
    if (consumers !== 0) {
      const consumer = this.anyOf(this.consumerTable, consumers);
      if (consumer !== 0) {
        if (pending.own.releaseStep(this.ownOf(consumer), budget)) return true;
        this.consumerTable.remove(consumers, this.word(consumer, 0), consumer);
        arena.release(consumer);
        return true;
      }
      if (this.consumerTable.releaseStep(consumers, budget, this.collect)) return true;
      arena.willChange(group);
      words[at + GROUP_CONSUMERS] = 0;
      return true;
    }
    const released = words[at + RELEASED];
    const freed = pending.releaseEntries(words[at + GROUP_PENDING], released, budget);
    if (freed === 0) return pending.tree.releaseStep(words[at + GROUP_PENDING], budget);
    arena.willChange(group);
    words[at + RELEASED] = released + freed;
    return true;
  }

  /** The same for a table of groups and all that is in it. */
  releaseAllStep(table: number, budget: number): boolean {
    const group = this.anyOf(this.groupTable, table);
    if (group === 0) return this.groupTable.releaseStep(table, budget, this.collect);
    if (this.contentsStep(group, budget)) return true;
    this.unlinkGroup(table, group);
    this.arena.release(group);
    return true;
  }

  // ---- sizes and checks

  memoryBytes(group: number, samples: number): number {
    const { arena, pending } = this;
    let bytes = arena.blockBytes(group) + this.consumerTable.bytes(this.word(group, GROUP_CONSUMERS));
    bytes += pending.tree.bytes(this.pendingOf(group)) + pending.entriesBytes(this.pendingCount(group));
    const consumers = this.consumersByName(group);
    const looked = samples === 0 ? consumers.length : Math.min(samples, consumers.length);
    let some = 0;
    for (let i = 0; i < looked; i++)
      some += arena.blockBytes(consumers[i]) + pending.own.bytes(this.ownOf(consumers[i]));
    return bytes + (looked === 0 ? 0 : (some / looked) * consumers.length);
  }

  allBytes(table: number, samples: number): number {
    let bytes = this.groupTable.bytes(table);
    for (const group of this.groupsByName(table)) bytes += this.memoryBytes(group, samples);
    return bytes;
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(table: number): void {
    this.groupTable.check(table);
    for (const group of this.groupsByName(table)) {
      this.consumerTable.check(this.word(group, GROUP_CONSUMERS));
      let owned = 0;
      for (const consumer of this.consumersByName(group))
        owned += this.pending.checkOwn(this.ownOf(consumer), consumer);
      this.pending.check(this.pendingOf(group), owned);
    }
  }
}
