/**
 * Sets of one shard.
 *
 *   encoding 0, "intset"      an IntSet: only integers, up to the limit of the settings
 *   encoding 1, "listpack"    a compact list of the members, up to the limits of the settings
 *   encoding 2, "hashtable"   a HashTable of entries
 *
 *   entry:  | hash | bits 0..23 member bytes | member from byte 8 |
 *
 * Stateless but for registers. What changes a set leaves its root and encoding, which may be others, in `root` and `encoding`.
 * Whoever holds the shard's latch reads and writes; nobody else does.
 *
 * Invariant 1: a set turns from encoding 0 to 1 or 2 and from 1 to 2, never back; only storing a whole new one chooses anew.
 * Invariant 2: looking members up touches neither the registers of a SetCursor nor the last member that was loaded.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { copyInto } from '../../native-free-shm/bytes.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { CompactList } from './compact-list.ts';
import { IntSet, MAX_INT_SET_ENTRIES } from './int-set.ts';
import type { SizeLimits } from './size-limits.ts';
import type { ValueKind } from './value-kind.ts';

const OFFSET_MASK = 0x3ffffff;
const MEMBER_BYTES_MASK = 0xffffff;
const MEMBER_AT = 8;
/** The longest member, in bytes. */
export const MAX_SET_MEMBER_BYTES = 0xfffffe;
/** A compact list never grows beyond this. */
const MAX_LIST_BYTES = 2 ** 30;
/** Encoding and backward length of a member in a list, at most. */
const LIST_ELEMENT_BYTES = 12;

export const SET_ENCODING = { integers: 0, list: 1, table: 2 } as const;
// constants of this module are immediates in compiled code
const INTEGERS = SET_ENCODING.integers;
const LIST = SET_ENCODING.list;
const TABLE = SET_ENCODING.table;
const ENCODING_NAMES = ['intset', 'listpack', 'hashtable'];

export class Sets implements ValueKind {
  readonly arena: Arena;
  readonly hasher: HalfSipHash;
  readonly integers: IntSet;
  readonly list: CompactList;
  readonly table: HashTable;
  /** Registers of the changing methods. */
  root = 0;
  encoding: number = INTEGERS;
  /** Registers of the load methods: the member's bytes. */
  mBuf: Buffer;
  mView: DataView;
  mStart = 0;
  mEnd = 0;
  private readonly limits: SizeLimits;

  constructor(arena: Arena, hasher: HalfSipHash, limits: SizeLimits) {
    this.arena = arena;
    this.hasher = hasher;
    this.limits = limits;
    this.integers = new IntSet(arena);
    this.list = new CompactList(arena);
    this.table = new HashTable(arena, MEMBER_AT, MEMBER_AT);
    this.mBuf = arena.buf[0];
    this.mView = arena.view[0];
  }

  // ---- ValueKind

  encodingName(encoding: number): string {
    return ENCODING_NAMES[encoding];
  }

  count(root: number, encoding: number): number {
    if (encoding === TABLE) return this.table.count(root);
    return encoding === INTEGERS ? this.integers.count(root) : this.list.count(root);
  }

  freeEffort(root: number, encoding: number): number {
    return encoding === TABLE ? this.table.count(root) + 1 : 1;
  }

  releaseStep(root: number, encoding: number, budget: number): boolean {
    // a bucket has about nine entries
    if (encoding === TABLE) return this.table.releaseStep(root, Math.ceil(budget / 8), this.releaseEntry);
    this.arena.release(root);
    return false;
  }

  private readonly releaseEntry = (entry: number): void => this.arena.release(entry);

  memoryBytes(root: number, encoding: number, samples: number): number {
    if (encoding !== TABLE) return this.arena.blockBytes(root);
    const count = this.table.count(root);
    const wanted = samples === 0 ? count : Math.min(samples, count);
    this.sampled = 0;
    this.sampledBytes = 0;
    let cursor = 0;
    do cursor = this.table.scan(root, cursor, this.sampleEntry);
    while (cursor !== 0 && this.sampled < wanted);
    const entries = this.sampled === 0 ? 0 : (this.sampledBytes / this.sampled) * count;
    return Math.round(entries + this.table.bytes(root));
  }

  private sampled = 0;
  private sampledBytes = 0;
  private readonly sampleEntry = (entry: number): void => {
    this.sampled++;
    this.sampledBytes += this.arena.blockBytes(entry);
  };

  // ---- creation

  /**
   * A new, empty set in `root` and `encoding`, in the form for so many members at most, of which bytes[start, end) is the first.
   */
  create(bytes: Buffer, start: number, end: number, members: number): void {
    const { limits } = this;
    if (members <= limits.setMaxIntsetEntries && this.integers.probeText(bytes, start, end)) {
      this.createIn(INTEGERS);
    } else {
      this.createIn(members <= limits.setMaxListpackEntries ? LIST : TABLE);
    }
  }

  /** A new, empty set of this encoding in `root` and `encoding`. */
  createIn(encoding: number): void {
    this.encoding = encoding;
    if (encoding === INTEGERS) this.root = this.integers.create();
    else this.root = encoding === LIST ? this.list.create() : this.table.create();
  }

  /**
   * Bytes that adding so many members of `memberBytes` bytes in all may allocate at most, changes of form included; root 0: to a new
   * set.
   */
  growthBytes(root: number, encoding: number, members: number, memberBytes: number): number {
    if (root !== 0 && encoding === TABLE)
      return entriesBytes(members, memberBytes) + this.table.growthBytes(root, members);
    const present = root === 0 ? 0 : this.count(root, encoding);
    // integers are at most 20 bytes as text
    const presentBytes = root === 0 ? 0 : encoding === INTEGERS ? present * 20 : this.list.bytes(root);
    const all = present + members;
    const allBytes = presentBytes + memberBytes;
    const compact = Math.max(all * 8, allBytes + all * LIST_ELEMENT_BYTES);
    return entriesBytes(all, allBytes) + this.table.growthBytes(0, all) + compact * 2;
  }

  /** Gives a set that is to get `members` members at once the form of a large one where they cannot fit. */
  expect(root: number, encoding: number, members: number): void {
    this.root = root;
    this.encoding = encoding;
    const { limits } = this;
    if (encoding === LIST && members > limits.setMaxListpackEntries) this.convert(TABLE);
    else if (encoding === INTEGERS && members > limits.setMaxIntsetEntries) this.convert(TABLE);
  }

  /** Gives the set in `root` and `encoding` another form, which must be able to hold it. */
  private convert(encoding: number): void {
    const { integers, list } = this;
    const from = this.root;
    const count = this.count(from, this.encoding);
    const isIntegers = this.encoding === INTEGERS;
    this.createIn(encoding);
    let at = isIntegers ? 0 : list.first(from);
    for (let i = 0; i < count; i++) {
      if (isIntegers) {
        integers.read(from, i);
        this.appendMissing(integers.tBuf, integers.tStart, integers.tEnd);
      } else {
        list.read(from, at);
        this.appendMissing(list.vBuf, list.vStart, list.vEnd);
        at = list.next(from, at);
      }
    }
    this.arena.release(from);
  }

  /** Adds a member that is known to be absent, without looking at limits. */
  private appendMissing(bytes: Buffer, start: number, end: number): void {
    if (this.encoding === LIST) this.root = this.list.append(this.root, bytes, start, end);
    else this.insertEntry(this.root, this.hasher.hash(bytes, start, end), bytes, start, end);
  }

  private insertEntry(root: number, hash: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const entry = this.arena.allocate(MEMBER_AT + length);
    const segment = entry >>> 26;
    const granule = entry & OFFSET_MASK;
    const words = this.arena.i32[segment];
    words[granule << 2] = hash;
    words[(granule << 2) + 1] = length;
    copyInto(this.arena.buf[segment], (granule << 4) + MEMBER_AT, bytes, start, length);
    this.table.insert(root, hash, entry);
  }

  // ---- members

  /** Is bytes[start, end) a member? */
  has(root: number, encoding: number, bytes: Buffer, start: number, end: number): boolean {
    if (encoding === TABLE) return this.table.find(root, this.hasher.hash(bytes, start, end), bytes, start, end) !== 0;
    if (encoding === LIST) return this.list.find(root, this.list.first(root), bytes, start, end, 0) !== 0;
    return this.integers.probeText(bytes, start, end) && this.integers.find(root);
  }

  /** Is the member under a cursor, of this or another shard, a member of this set? */
  hasMember(root: number, encoding: number, cursor: SetCursor): boolean {
    if (encoding === TABLE) return this.table.find(root, cursor.hash(), cursor.mBuf, cursor.mStart, cursor.mEnd) !== 0;
    if (encoding === INTEGERS && cursor.isInteger) {
      this.integers.probeHalves(cursor.high, cursor.low);
      return this.integers.find(root);
    }
    return this.has(root, encoding, cursor.mBuf, cursor.mStart, cursor.mEnd);
  }

  /** Adds a member, whose bytes lie outside this set; false: it is there already. */
  add(root: number, encoding: number, bytes: Buffer, start: number, end: number): boolean {
    this.root = root;
    this.encoding = encoding;
    if (encoding === TABLE) {
      const hash = this.hasher.hash(bytes, start, end);
      if (this.table.find(root, hash, bytes, start, end) !== 0) return false;
      this.insertEntry(root, hash, bytes, start, end);
      return true;
    }
    return encoding === LIST ? this.addToList(bytes, start, end) : this.addToIntegers(bytes, start, end);
  }

  /** Adds a member that is known to be absent to the set in `root` and `encoding`; its bytes lie outside this set. */
  addMissing(bytes: Buffer, start: number, end: number): void {
    if (this.encoding === TABLE) this.insertEntry(this.root, this.hasher.hash(bytes, start, end), bytes, start, end);
    else this.add(this.root, this.encoding, bytes, start, end);
  }

  private addToList(bytes: Buffer, start: number, end: number): boolean {
    const { list, limits } = this;
    const root = this.root;
    if (list.find(root, list.first(root), bytes, start, end, 0) !== 0) return false;
    const length = end - start;
    if (
      list.count(root) >= limits.setMaxListpackEntries ||
      length > limits.setMaxListpackValue ||
      list.bytes(root) + length + LIST_ELEMENT_BYTES > MAX_LIST_BYTES
    )
      this.convert(TABLE);
    this.appendMissing(bytes, start, end);
    return true;
  }

  /** A set of integers was read as it is: beyond the limit it becomes a table. */
  expectIntegers(): void {
    const most = Math.min(this.limits.setMaxIntsetEntries, MAX_INT_SET_ENTRIES);
    if (this.integers.count(this.root) > most) this.convert(TABLE);
  }

  private addToIntegers(bytes: Buffer, start: number, end: number): boolean {
    const { integers, limits } = this;
    if (integers.probeText(bytes, start, end)) {
      if (integers.find(this.root)) return false;
      this.root = integers.add(this.root);
      const most = Math.min(limits.setMaxIntsetEntries, MAX_INT_SET_ENTRIES);
      if (integers.count(this.root) > most) this.convert(TABLE);
      return true;
    }
    const length = end - start;
    const count = integers.count(this.root);
    const longest = count === 0 ? 0 : integers.longestText(this.root);
    const fits =
      count < limits.setMaxListpackEntries &&
      length <= limits.setMaxListpackValue &&
      longest <= limits.setMaxListpackValue &&
      (count + 1) * (longest + LIST_ELEMENT_BYTES) + length <= MAX_LIST_BYTES;
    this.convert(fits ? LIST : TABLE);
    this.appendMissing(bytes, start, end);
    return true;
  }

  /** Gives the set in `root` and `encoding`, all of whose members are integers, the form for them if they are few enough. */
  preferIntegers(): void {
    if (this.encoding === INTEGERS) return;
    const from = this.root;
    const { encoding, integers } = this;
    if (this.count(from, encoding) > Math.min(this.limits.setMaxIntsetEntries, MAX_INT_SET_ENTRIES)) return;
    let root = integers.create();
    for (let more = ownCursor.open(this, from, encoding); more; more = ownCursor.next()) {
      if (!integers.probeText(ownCursor.mBuf, ownCursor.mStart, ownCursor.mEnd) || integers.find(root))
        throw new Error('set: a member is no integer');
      root = integers.add(root);
    }
    while (this.releaseStep(from, encoding, 1024));
    this.root = root;
    this.encoding = INTEGERS;
  }

  /** Takes a member out; false: it is absent. An emptied set stays, for its key's owner to remove. */
  remove(root: number, encoding: number, bytes: Buffer, start: number, end: number): boolean {
    this.root = root;
    this.encoding = encoding;
    if (encoding === TABLE) {
      const hash = this.hasher.hash(bytes, start, end);
      const entry = this.table.find(root, hash, bytes, start, end);
      if (entry === 0) return false;
      this.removeEntry(entry);
      return true;
    }
    if (encoding === LIST) {
      const at = this.list.find(root, this.list.first(root), bytes, start, end, 0);
      if (at === 0) return false;
      this.root = this.list.remove(root, at);
      return true;
    }
    if (!this.integers.probeText(bytes, start, end) || !this.integers.find(root)) return false;
    this.root = this.integers.remove(root);
    return true;
  }

  private removeEntry(entry: number): void {
    this.table.remove(this.root, this.arena.i32[entry >>> 26][(entry & OFFSET_MASK) << 2], entry);
    this.arena.release(entry);
  }

  // ---- single members by chance; each has the same

  /** What `pick` has picked: an entry, a place in the list, or an index. */
  private picked = 0;

  /** Picks a member of a set that is not empty and loads it; returns its entry, or 0 where there are none. */
  pick(root: number, encoding: number, random32: () => number): number {
    if (encoding === TABLE) {
      this.picked = this.table.randomEntry(root, random32);
      this.loadEntry(this.picked);
      return this.picked;
    }
    this.loadIndex(root, encoding, Math.floor((random32() / 2 ** 32) * this.count(root, encoding)));
    return 0;
  }

  /** Takes the picked member out of its set, which has not changed since. */
  removePicked(root: number, encoding: number): void {
    this.root = root;
    this.encoding = encoding;
    if (encoding === TABLE) this.removeEntry(this.picked);
    else if (encoding === LIST) this.root = this.list.remove(root, this.picked);
    else this.root = this.integers.removeAt(root, this.picked);
  }

  /** Loads member `index` of a set of encoding 0 or 1. */
  loadIndex(root: number, encoding: number, index: number): void {
    if (encoding === INTEGERS) {
      this.picked = index;
      this.integers.read(root, index);
      this.mBuf = this.integers.tBuf;
      this.mView = this.integers.tView;
      this.mStart = this.integers.tStart;
      this.mEnd = this.integers.tEnd;
      return;
    }
    const { list } = this;
    this.picked = list.seek(root, index);
    list.read(root, this.picked);
    this.mBuf = list.vBuf;
    this.mView = list.vView;
    this.mStart = list.vStart;
    this.mEnd = list.vEnd;
  }

  /** Loads the member of an entry of encoding 2. */
  loadEntry(entry: number): void {
    const segment = entry >>> 26;
    const granule = entry & OFFSET_MASK;
    this.mBuf = this.arena.buf[segment];
    this.mView = this.arena.view[segment];
    this.mStart = (granule << 4) + MEMBER_AT;
    this.mEnd = this.mStart + (this.arena.i32[segment][(granule << 2) + 1] & MEMBER_BYTES_MASK);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number, encoding: number): void {
    if (encoding === INTEGERS) return this.integers.check(root);
    if (encoding === LIST) return this.list.check(root);
    this.table.check(root);
    for (let more = ownCursor.open(this, root, encoding); more; more = ownCursor.next())
      if (!this.has(root, encoding, ownCursor.mBuf, ownCursor.mStart, ownCursor.mEnd))
        throw new Error('set: a member is not found');
  }
}

/** Bytes of so many entries, with what their size classes waste at most. */
function entriesBytes(members: number, memberBytes: number): number {
  // blocks up to 512 bytes come in steps of 16, longer ones are at most an eighth too long, up to a page
  return Math.ceil(members * (MEMBER_AT + 16) + memberBytes * 1.25 + Math.min(members, memberBytes / 4096) * 4096);
}

/**
 * Goes through the members of a set, which must not change meanwhile. The registers hold the member at hand until `next`, whatever
 * is looked up in this or other sets.
 */
export class SetCursor {
  mBuf: Buffer = Buffer.alloc(0);
  mView: DataView = new DataView(new ArrayBuffer(0));
  mStart = 0;
  mEnd = 0;
  /** The set has encoding 0; the member is high * 2^32 + low. */
  isInteger = false;
  high = 0;
  low = 0;
  private sets: Sets | null = null;
  private root = 0;
  private encoding: number = INTEGERS;
  /** Encoding 0: index; 1: place. */
  private at = 0;
  private count = 0;
  /** Encoding 2: where the scan goes on, and the entries of the bucket at hand. */
  private scanAt = 0;
  private scanned = false;
  private bucket = new Int32Array(64);
  private bucketCount = 0;
  private entry = 0;
  private hashValue = 0;
  private isHashed = false;
  /** Integers as text, for the cursor's own use: a set's texts are overwritten by others who read it. */
  private readonly text = Buffer.alloc(24);
  private readonly textView = new DataView(this.text.buffer, this.text.byteOffset, this.text.length);

  /** To the first member; false: there is none. */
  open(sets: Sets, root: number, encoding: number): boolean {
    this.sets = sets;
    this.root = root;
    this.encoding = encoding;
    this.isInteger = encoding === INTEGERS;
    this.bucketCount = 0;
    this.scanAt = 0;
    this.scanned = false;
    if (encoding === INTEGERS) {
      this.at = -1;
      this.count = sets.integers.count(root);
    } else if (encoding === LIST) {
      this.at = sets.list.first(root);
      if (this.at === 0) return false;
      this.loadElement(sets);
      return true;
    }
    return this.next();
  }

  /** To the next member; false: there is none. */
  next(): boolean {
    const sets = this.sets!;
    if (this.encoding === TABLE) return this.nextEntry(sets);
    if (this.encoding === LIST) {
      this.at = sets.list.next(this.root, this.at);
      if (this.at === 0) return false;
      this.loadElement(sets);
      return true;
    }
    if (++this.at >= this.count) return false;
    this.loadInteger(sets);
    return true;
  }

  private loadElement(sets: Sets): void {
    const { list } = sets;
    list.read(this.root, this.at);
    this.isHashed = false;
    if (list.isInteger) {
      this.takeText(list.vBuf, list.vStart, list.vEnd);
      return;
    }
    this.mBuf = list.vBuf;
    this.mView = list.vView;
    this.mStart = list.vStart;
    this.mEnd = list.vEnd;
  }

  private loadInteger(sets: Sets): void {
    const { integers } = sets;
    integers.read(this.root, this.at);
    this.high = integers.high;
    this.low = integers.low;
    this.isHashed = false;
    this.takeText(integers.tBuf, integers.tStart, integers.tEnd);
  }

  private takeText(from: Buffer, start: number, end: number): void {
    const { text } = this;
    for (let i = start; i < end; i++) text[i - start] = from[i];
    this.mBuf = text;
    this.mView = this.textView;
    this.mStart = 0;
    this.mEnd = end - start;
  }

  private nextEntry(sets: Sets): boolean {
    while (this.bucketCount === 0) {
      if (this.scanned) return false;
      this.scanAt = sets.table.scan(this.root, this.scanAt, this.keepEntry);
      this.scanned = this.scanAt === 0;
    }
    const entry = (this.entry = this.bucket[--this.bucketCount]);
    const segment = entry >>> 26;
    const granule = entry & OFFSET_MASK;
    const { arena } = sets;
    const words = arena.i32[segment];
    this.mBuf = arena.buf[segment];
    this.mView = arena.view[segment];
    this.mStart = (granule << 4) + MEMBER_AT;
    this.mEnd = this.mStart + (words[(granule << 2) + 1] & MEMBER_BYTES_MASK);
    this.hashValue = words[granule << 2];
    this.isHashed = true;
    return true;
  }

  private readonly keepEntry = (entry: number): void => {
    if (this.bucketCount === this.bucket.length) {
      const wider = new Int32Array(this.bucketCount * 2);
      wider.set(this.bucket);
      this.bucket = wider;
    }
    this.bucket[this.bucketCount++] = entry;
  };

  /** The member's hash; it is the same in all shards. */
  hash(): number {
    if (!this.isHashed) {
      this.hashValue = this.sets!.hasher.hash(this.mBuf, this.mStart, this.mEnd);
      this.isHashed = true;
    }
    return this.hashValue;
  }

  /** Encoding 2: the entry at hand. */
  entryAtHand(): number {
    return this.entry;
  }
}

const ownCursor = new SetCursor();
