/**
 * Hashes of one shard: fields with values, perhaps with deadlines.
 *
 *   encoding 0, "listpack"    root = a compact list of field, value, field, value …, up to the limits of the settings
 *   encoding 1, "hashtable"   root = a hash table of fields                                      hash-fields.ts
 *   encoding 2, "hashtable"   some field has a deadline; the root is a block of four words:
 *                             | hash table | heap of the fields with deadlines | place in the database's heap, -1 = none | key's entry |
 *
 * One hash is open at a time (`open`, `create`); what changes it leaves its root and encoding, which may be others, in `root` and
 * `encoding`. A *place* names a field: offset in the list, or entry; it is valid until the next change.
 *
 * Invariant 1: a hash turns from encoding 0 to 1 or 2 and never back to 0.
 * Invariant 2: words 2 and 3 of an encoding-2 root belong to the keyspace (field-deadlines.ts), which knows the hash by its key.
 * Invariant 3: a field whose deadline is not after `nowMs` is *lapsed*: `locate` finds it, `find` and the cursor do not.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { CompactList } from './compact-list.ts';
import { HashFields, MAX_EMBEDDED_BYTES, NO_FIELD_DEADLINE } from './hash-fields.ts';
import type { SizeLimits } from './size-limits.ts';
import type { ValueKind } from './value-kind.ts';

export const HASH_ENCODING = { list: 0, table: 1, timed: 2 } as const;

const OFFSET_MASK = 0x3ffffff;
const LIST = 0;
const TABLE = 1;
const TIMED = 2;
const ROOT_BYTES = 16;
const WORD_HEAP = 1;
const WORD_PLACE = 2;
/** A compact list never grows beyond this. */
const MAX_LIST_BYTES = 2 ** 30;
/** Encoding and backward length of a field and its value, at most, and the list's own bytes. */
const LIST_PAIR_BYTES = 20;
const LIST_OWN_BYTES = 7;

/** Fields of a new hash are told apart by so many looks. */
const LOOKS = 256;

export class Hashes implements ValueKind {
  readonly fields: HashFields;
  readonly list: CompactList;
  /** The open hash. */
  root = 0;
  encoding = LIST;
  /** Unix ms, by which fields are lapsed or not. */
  nowMs = 0;
  /** Registers of `loadField`. */
  fBuf: Buffer;
  fView: DataView;
  fStart = 0;
  fEnd = 0;
  /** Registers of `loadValue`; `block`: that of a value with a block of its own, else 0. */
  vBuf: Buffer;
  vView: DataView;
  vStart = 0;
  vEnd = 0;
  block = 0;
  /** Place of the cursor. */
  at = 0;

  private readonly arena: Arena;
  private readonly limits: SizeLimits;
  /** Entries of the bucket under the cursor, and the table's cursor behind it. */
  private readonly bucket: number[] = [];
  private bucketAt = 0;
  private scanCursor = 0;
  private begun = false;
  /** In a list, the place behind the pair that was set last, where the next one is looked for first; 0: unknown. */
  private nextPair = 0;
  /** The open hash was created and not opened again since; `looks` has `freshStamp` where a field that was set falls. */
  private isFresh = false;
  private freshStamp = 0;
  private readonly looks = new Int32Array(LOOKS);

  constructor(arena: Arena, hasher: HalfSipHash, limits: SizeLimits) {
    this.arena = arena;
    this.limits = limits;
    this.fields = new HashFields(arena, hasher);
    this.list = new CompactList(arena);
    this.fBuf = this.vBuf = arena.buf[0];
    this.fView = this.vView = arena.view[0];
  }

  // ---- ValueKind

  encodingName(encoding: number): string {
    return encoding === LIST ? 'listpack' : 'hashtable';
  }

  /** Fields, lapsed ones included. */
  count(root: number, encoding: number): number {
    if (encoding === LIST) return this.list.count(root) >> 1;
    return this.fields.table.count(this.tableOf(root, encoding));
  }

  freeEffort(root: number, encoding: number): number {
    return encoding === LIST ? 1 : this.count(root, encoding) + 4;
  }

  releaseStep(root: number, encoding: number, budget: number): boolean {
    if (encoding !== LIST) {
      // a bucket has about nine entries
      const { table, heap, releaseEntry } = this.fields;
      if (table.releaseStep(this.tableOf(root, encoding), Math.ceil(budget / 8), releaseEntry)) return true;
      if (encoding === TABLE) return false;
      heap.releaseAll(this.word(root, WORD_HEAP));
    }
    this.arena.release(root);
    return false;
  }

  memoryBytes(root: number, encoding: number, samples: number): number {
    if (encoding === LIST) return this.arena.blockBytes(root);
    const { table, heap } = this.fields;
    const count = this.count(root, encoding);
    const looked = samples === 0 ? count : Math.min(samples, count);
    const tableRoot = this.tableOf(root, encoding);
    let bytes = 0;
    let seen = 0;
    let cursor = 0;
    do {
      this.bucket.length = 0;
      cursor = table.scan(tableRoot, cursor, this.collect);
      for (let i = 0; i < this.bucket.length && seen < looked; i++, seen++) {
        bytes += this.fields.entryBytes(this.bucket[i]);
      }
    } while (cursor !== 0 && seen < looked);
    const entries = seen === 0 ? 0 : (bytes / seen) * count;
    const timed = encoding === TIMED ? ROOT_BYTES + heap.bytes(this.word(root, WORD_HEAP)) : 0;
    return Math.round(entries + table.bytes(tableRoot) + timed);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number, encoding: number): void {
    if (encoding === LIST) {
      this.list.check(root);
      if (this.list.count(root) % 2 !== 0) throw new Error('hash: a field without a value');
      return;
    }
    this.fields.table.check(this.tableOf(root, encoding));
    let deadlines = 0;
    this.open(root, encoding, 0);
    for (this.rewind(); this.next(); ) {
      if (this.deadlineAt(this.at) === NO_FIELD_DEADLINE) continue;
      deadlines++;
      const position = this.fields.heapPosition(this.at);
      if (this.fields.heap.entryAtPosition(this.word(root, WORD_HEAP), position) !== this.at)
        throw new Error('hash: the heap names another entry of a field');
    }
    if (encoding === TIMED) this.fields.heap.check(this.word(root, WORD_HEAP));
    const timed = encoding === TIMED ? this.fields.heap.count(this.word(root, WORD_HEAP)) : 0;
    if (timed !== deadlines) throw new Error(`hash: ${deadlines} fields with deadlines, the heap has ${timed}`);
  }

  private word(root: number, word: number): number {
    return this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + word];
  }

  private tableOf(root: number, encoding: number): number {
    return encoding === TIMED ? this.word(root, 0) : root;
  }

  // ---- the open hash

  open(root: number, encoding: number, nowMs: number): void {
    this.root = root;
    this.encoding = encoding;
    this.nowMs = nowMs;
    this.nextPair = 0;
    this.isFresh = false;
  }

  /**
   * Opens a new, empty hash in the form that `fields` fields, the longest field or value of so many bytes, will have. `listBytes`:
   * what they take as a list (`elementBytes`), so that it does not have to grow.
   */
  create(fields: number, longestBytes: number, listBytes: number, nowMs: number): void {
    const { limits } = this;
    this.nowMs = nowMs;
    const isList =
      fields <= limits.hashMaxListpackEntries &&
      longestBytes <= limits.hashMaxListpackValue &&
      listBytes + LIST_OWN_BYTES <= MAX_LIST_BYTES;
    this.encoding = isList ? LIST : TABLE;
    this.root = isList ? this.list.create(LIST_OWN_BYTES + listBytes) : this.fields.table.create();
    this.nextPair = 0;
    this.isFresh = true;
    this.freshStamp++;
  }

  /** Bytes of a field or value in a list. */
  elementBytes(buf: Buffer, start: number, end: number): number {
    return this.list.elementBytes(buf, start, end);
  }

  /** Bytes that setting so many fields in the open hash may allocate at most, a change of form included. */
  growthBytes(fields: number, bytes: number): number {
    if (this.encoding !== LIST) {
      const heap = this.encoding === TIMED ? this.word(this.root, WORD_HEAP) : 0;
      const table = this.tableOf(this.root, this.encoding);
      return this.fields.growthBytes(table, fields, bytes) + this.fields.heap.growthBytes(heap, fields) + ROOT_BYTES;
    }
    const listBytes = this.list.bytes(this.root);
    const all = (this.list.count(this.root) >> 1) + fields;
    const asTable = this.fields.growthBytes(0, all, listBytes + bytes) + this.fields.heap.growthBytes(0, all);
    return asTable + (listBytes + bytes + fields * LIST_PAIR_BYTES) * 2 + ROOT_BYTES;
  }

  /** Bytes that moving so many entries may copy at most: what lies in a block of its own stays there. */
  embeddedBytes(fields: number): number {
    return this.encoding === LIST ? 0 : fields * MAX_EMBEDDED_BYTES;
  }

  /** The same for a new hash. */
  newBytes(fields: number, bytes: number): number {
    return this.fields.growthBytes(0, fields, bytes) + (bytes + fields * LIST_PAIR_BYTES) * 2;
  }

  /** Fields of the open hash, lapsed ones included. */
  allFields(): number {
    return this.count(this.root, this.encoding);
  }

  /** Fields of the open hash that are not lapsed. */
  liveFields(): number {
    const all = this.count(this.root, this.encoding);
    return this.encoding === TIMED ? all - this.lapsedFrom(this.word(this.root, WORD_HEAP), 0) : all;
  }

  /** Some field of the open hash is lapsed. */
  hasLapsed(): boolean {
    return this.encoding === TIMED && this.firstDeadline() <= this.nowMs;
  }

  /** Lapsed fields in the heap at and below a position: in proportion to their number. */
  private lapsedFrom(heapRoot: number, position: number): number {
    const { heap } = this.fields;
    if (position >= heap.count(heapRoot) || heap.deadlineAtPosition(heapRoot, position) > this.nowMs) return 0;
    let lapsed = 1;
    for (let child = position * 4 + 1; child <= position * 4 + 4; child++) lapsed += this.lapsedFrom(heapRoot, child);
    return lapsed;
  }

  // ---- fields

  /** The place of a field, 0 where it is absent; lapsed ones are found. */
  locate(buf: Buffer, start: number, end: number): number {
    if (this.encoding !== LIST) {
      return this.fields.find(this.tableOf(this.root, this.encoding), buf, start, end);
    }
    const { list, root } = this;
    return list.find(root, list.first(root), buf, start, end, 1);
  }

  /** The place of a field that is not lapsed, or 0. */
  find(buf: Buffer, start: number, end: number): number {
    const place = this.locate(buf, start, end);
    return place !== 0 && this.encoding === TIMED && this.isLapsed(place) ? 0 : place;
  }

  isLapsed(place: number): boolean {
    const deadline = this.deadlineAt(place);
    return deadline !== NO_FIELD_DEADLINE && deadline <= this.nowMs;
  }

  /** Deadline in unix ms, or NO_FIELD_DEADLINE. */
  deadlineAt(place: number): number {
    return this.encoding === TIMED ? this.fields.deadlineOf(place) : NO_FIELD_DEADLINE;
  }

  loadField(place: number): void {
    if (this.encoding !== LIST) {
      const { fields } = this;
      fields.loadField(place);
      this.fBuf = fields.fBuf;
      this.fView = fields.fView;
      this.fStart = fields.fStart;
      this.fEnd = fields.fEnd;
      return;
    }
    const { list } = this;
    list.read(this.root, place);
    this.fBuf = list.vBuf;
    this.fView = list.isInteger ? list.vView : this.arena.view[this.root >>> 26];
    this.fStart = list.vStart;
    this.fEnd = list.vEnd;
  }

  loadValue(place: number): void {
    if (this.encoding !== LIST) {
      const { fields } = this;
      fields.loadValue(place);
      this.vBuf = fields.vBuf;
      this.vView = fields.vView;
      this.vStart = fields.vStart;
      this.vEnd = fields.vEnd;
      this.block = fields.block;
      return;
    }
    const { list } = this;
    list.read(this.root, list.next(this.root, place));
    this.vBuf = list.vBuf;
    this.vView = list.isInteger ? list.vView : this.arena.view[this.root >>> 26];
    this.vStart = list.vStart;
    this.vEnd = list.vEnd;
    this.block = 0;
  }

  // ---- changes

  /** Gives the open hash the form in which it can take `fields` more fields at once. */
  expect(fields: number): void {
    if (this.encoding === LIST && fields > this.limits.hashMaxListpackEntries) this.toTable();
  }

  /**
   * Sets a field to a value; true: it was absent, or lapsed. Its deadline goes, or stays (`keeps`) if it is not lapsed. `given`: a
   * private block that holds the value already, or 0. The bytes must lie outside the arena.
   */
  set(
    fBuf: Buffer,
    fStart: number,
    fEnd: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    given = 0,
    keeps = false,
  ): boolean {
    if (this.encoding === LIST) {
      const longest = this.limits.hashMaxListpackValue;
      if (given === 0 && fEnd - fStart <= longest && vEnd - vStart <= longest) {
        return this.setInList(fBuf, fStart, fEnd, vBuf, vStart, vEnd);
      }
      this.toTable();
    }
    return this.setInTable(fBuf, fStart, fEnd, vBuf, vStart, vEnd, given, keeps);
  }

  private setInList(fBuf: Buffer, fStart: number, fEnd: number, vBuf: Buffer, vStart: number, vEnd: number): boolean {
    const { list, root } = this;
    const most = this.limits.hashMaxListpackEntries;
    const at = this.surelyAbsent(fBuf, fStart, fEnd) ? 0 : list.findNear(root, this.nextPair, fBuf, fStart, fEnd);
    const count = list.count(root) >> 1;
    if (at !== 0) {
      const valueAt = list.next(root, at);
      this.root = list.replace(root, valueAt, vBuf, vStart, vEnd);
      this.nextPair = list.next(this.root, valueAt);
      if (count > most) this.toTable();
      return false;
    }
    if (count >= most || list.bytes(root) + fEnd - fStart + vEnd - vStart + LIST_PAIR_BYTES > MAX_LIST_BYTES) {
      this.toTable();
      return this.setInTable(fBuf, fStart, fEnd, vBuf, vStart, vEnd, 0, false);
    }
    this.root = list.append(list.append(root, fBuf, fStart, fEnd), vBuf, vStart, vEnd);
    return true;
  }

  /** True: the hash was created by this very command, and none of the fields set since looks like this one. */
  private surelyAbsent(buf: Buffer, start: number, end: number): boolean {
    if (!this.isFresh || end === start) return false;
    const look = (end - start + buf[start] * 5 + buf[end - 1] * 31) & (LOOKS - 1);
    if (this.looks[look] === this.freshStamp) return false;
    this.looks[look] = this.freshStamp;
    return true;
  }

  private setInTable(
    fBuf: Buffer,
    fStart: number,
    fEnd: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    given: number,
    keeps: boolean,
  ): boolean {
    const { fields } = this;
    const isTimed = this.encoding === TIMED;
    const table = isTimed ? this.word(this.root, 0) : this.root;
    const entry = fields.find(table, fBuf, fStart, fEnd);
    if (entry === 0) {
      fields.insertMissing(table, fBuf, fStart, fEnd, vBuf, vStart, vEnd, given);
      return true;
    }
    const lapsed = isTimed && this.isLapsed(entry);
    const heap = isTimed ? this.word(this.root, WORD_HEAP) : 0;
    fields.setValue(table, heap, entry, vBuf, vStart, vEnd, given, keeps && !lapsed);
    return lapsed;
  }

  /** Takes out the field at a place. An emptied hash stays, for its key's owner to remove. */
  remove(place: number): void {
    if (this.encoding === LIST) {
      this.nextPair = 0;
      this.root = this.list.remove(this.root, place, 2);
      return;
    }
    const heap = this.encoding === TIMED ? this.word(this.root, WORD_HEAP) : 0;
    this.fields.remove(this.tableOf(this.root, this.encoding), heap, place);
  }

  private toTable(): void {
    const { list, fields, root } = this;
    const to = fields.table.create();
    for (let at = list.first(root); at !== 0; ) {
      list.read(root, at);
      const { vBuf, vStart, vEnd } = list;
      const value = list.next(root, at);
      list.read(root, value);
      fields.find(to, vBuf, vStart, vEnd);
      fields.insertMissing(to, vBuf, vStart, vEnd, list.vBuf, list.vStart, list.vEnd, 0);
      at = list.next(root, value);
    }
    this.arena.release(root);
    this.root = to;
    this.encoding = TABLE;
  }

  // ---- deadlines

  /** Gives the open hash the form whose fields can have deadlines; places become void. */
  makeTimed(): void {
    if (this.encoding === TIMED) return;
    if (this.encoding === LIST) this.toTable();
    const root = this.arena.allocate(ROOT_BYTES);
    const i32 = this.arena.i32[root >>> 26];
    const w = (root & OFFSET_MASK) << 2;
    i32[w] = this.root;
    i32[w + WORD_HEAP] = this.fields.heap.create();
    i32[w + WORD_PLACE] = -1;
    i32[w + 3] = 0;
    this.root = root;
    this.encoding = TIMED;
  }

  /** Gives the open hash, none of whose fields has a deadline, the form without. The root must be in no heap. */
  makeUntimed(): void {
    const { root } = this;
    this.root = this.word(root, 0);
    this.encoding = TABLE;
    this.fields.heap.releaseAll(this.word(root, WORD_HEAP));
    this.arena.release(root);
  }

  /** The open hash has the form whose fields can have deadlines. */
  canBeTimed(): boolean {
    return this.encoding === TIMED;
  }

  /** Gives a field of a timed hash a deadline in unix ms; NO_FIELD_DEADLINE takes it away. Places become void. */
  setDeadline(place: number, deadline: number): void {
    const table = this.word(this.root, 0);
    const heap = this.word(this.root, WORD_HEAP);
    if (deadline >= 0) this.fields.setDeadline(table, heap, place, deadline);
    else if (this.fields.deadlineOf(place) >= 0) this.fields.clearDeadline(table, heap, place);
  }

  /** The earliest deadline of a field in unix ms, Infinity where there is none. */
  firstDeadline(): number {
    if (this.encoding !== TIMED) return Number.POSITIVE_INFINITY;
    return this.fields.heap.firstDeadline(this.word(this.root, WORD_HEAP));
  }

  /** Fills `out` with the places of up to `most` lapsed fields, not in order. */
  collectLapsed(most: number, out: number[]): void {
    out.length = 0;
    if (this.encoding === TIMED) this.collectLapsedFrom(this.word(this.root, WORD_HEAP), 0, most, out);
  }

  private collectLapsedFrom(heapRoot: number, position: number, most: number, out: number[]): void {
    const { heap } = this.fields;
    if (out.length >= most || position >= heap.count(heapRoot)) return;
    if (heap.deadlineAtPosition(heapRoot, position) > this.nowMs) return;
    out.push(heap.entryAtPosition(heapRoot, position));
    for (let child = position * 4 + 1; child <= position * 4 + 4; child++) {
      this.collectLapsedFrom(heapRoot, child, most, out);
    }
  }

  // ---- cursor, over fields that are not lapsed; valid until the next change

  rewind(): void {
    this.at = 0;
    this.begun = false;
    this.bucket.length = 0;
    this.bucketAt = 0;
    this.scanCursor = 0;
  }

  /** To the next field, in `at`; false: there is none. */
  next(): boolean {
    if (this.encoding === LIST) return this.nextInList();
    for (;;) {
      while (this.bucketAt < this.bucket.length) {
        this.at = this.bucket[this.bucketAt++];
        if (this.encoding !== TIMED || !this.isLapsed(this.at)) return true;
      }
      if (this.begun && this.scanCursor === 0) return false;
      this.begun = true;
      this.bucket.length = 0;
      this.bucketAt = 0;
      this.scanCursor = this.fields.table.scan(this.tableOf(this.root, this.encoding), this.scanCursor, this.collect);
    }
  }

  private nextInList(): boolean {
    const { list, root } = this;
    this.at = this.begun ? list.next(root, list.next(root, this.at)) : list.first(root);
    this.begun = true;
    return this.at !== 0;
  }

  private readonly collect = (entry: number): void => {
    this.bucket.push(entry);
  };

  /** The place of a random field, lapsed ones included; 0 where the hash is empty. */
  randomPlace(random32: () => number): number {
    const { list, root } = this;
    if (this.encoding !== LIST) return this.fields.table.randomEntry(this.tableOf(root, this.encoding), random32);
    const count = list.count(root) >> 1;
    return count === 0 ? 0 : list.seek(root, 2 * Math.floor((random32() / 2 ** 32) * count));
  }

  /** Of a table: visits the fields of a bucket, lapsed ones included; cursor as HashTable.scan. */
  scan(cursor: number, visit: (place: number) => void): number {
    return this.fields.table.scan(this.tableOf(this.root, this.encoding), cursor, visit);
  }
}
