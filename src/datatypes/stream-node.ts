/**
 * A stretch of a stream: up to some hundred entries in one block, as a compact list in exactly the form that Redis keeps and
 * writes into RDB files.
 *
 *   block:   | first id, 4 words | compact list |
 *   list:    | count | deleted | F | F field names | 0 |  then entries                              "master entry"
 *   entry:   | flags | ms - first ms | seq - first seq | values |  elements before this  |          with SAME_FIELDS
 *            | flags | ms - first ms | seq - first seq | n | name value name value … |  elements before this  |
 *
 * Stateless over an arena: a node is the handle of its block. What adds an entry returns the node; if that is another, the owner
 * releases the old one, which is left as it was.
 *
 * Invariant 1: `count` + `deleted` entries stand in the list; a deleted one has the flag DELETED and keeps its bytes. A node
 *              whose count would be 0 does not exist.
 * Invariant 2: differences of ids are two's complement of 64 bits; ids ascend.
 * Invariant 3: behind the list at least SLACK_BYTES are free, so that the counts can grow where no block can be had.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { elementBytes, isShortText, writeShortText } from './compact-element.ts';
import { CompactList } from './compact-list.ts';
import { ElementReader } from './element-reader.ts';
import type { StreamId } from './stream-id.ts';

const OFFSET_MASK = 0x3ffffff;
export const NODE_LEAD_BYTES = 16;
const LIST_HEADER_BYTES = 6;
const END = 0xff;
const MANY = 65535;
const SLACK_BYTES = 8;
/** A full node may have a block that is a sixteenth too long. */
const SETTLED_SHIFT = 4;
/** Encoding and backward length of an element, at most. */
export const ELEMENT_EXTRA_BYTES = 10;
/** Elements of an entry and a master entry besides names and values, at most. */
const FIXED_ELEMENTS = 10;
/** Counts below this are one byte in the list and stay so when they grow. */
const SMALL_COUNT = 127;

export const DELETED = 1;
export const SAME_FIELDS = 2;

/** The fields and values of a new entry: argument i is buf[starts[i], ends[i]); name, value, name … from `first` on. */
export interface EntrySource {
  readonly buf: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export class StreamNodes extends CompactList {
  /** Positioned by `openEntries`: at the first entry. Its master entry had `masterFields` names, from `namesAt` on. */
  readonly reader: ElementReader;
  live = 0;
  deleted = 0;
  masterFields = 0;
  namesAt = 0;

  constructor(arena: Arena) {
    super(arena, NODE_LEAD_BYTES);
    this.reader = new ElementReader(arena);
  }

  /** Bytes that an entry, or it and a master entry, add to a list at most. `bytes`: all its names and values. */
  static entryBytes(pairs: number, bytes: number): number {
    return bytes + (pairs * 2 + FIXED_ELEMENTS) * ELEMENT_EXTRA_BYTES;
  }

  firstId(node: number, id: StreamId): void {
    id.load(this.arena.i32[node >>> 26], (node & OFFSET_MASK) << 2);
  }

  /** A new node with one entry. `bytes`: all its names and values; `roomBytes`: room to expect for the list. */
  begin(id: StreamId, from: EntrySource, first: number, pairs: number, bytes: number, roomBytes: number): number {
    const room = Math.max(roomBytes, LIST_HEADER_BYTES + 1 + StreamNodes.entryBytes(pairs, bytes));
    const node = this.create(room + SLACK_BYTES);
    id.store(this.arena.i32[node >>> 26], (node & OFFSET_MASK) << 2);
    this.placed = LIST_HEADER_BYTES;
    this.putInteger(node, 1);
    this.putInteger(node, 0);
    this.putInteger(node, pairs);
    for (let i = 0; i < pairs; i++) this.put(node, from, first + 2 * i);
    this.putInteger(node, 0);
    this.putInteger(node, SAME_FIELDS);
    this.putInteger(node, 0);
    this.putInteger(node, 0);
    for (let i = 0; i < pairs; i++) this.put(node, from, first + 2 * i + 1);
    this.putInteger(node, pairs + 3);
    this.finish(node, pairs * 2 + 8);
    return node;
  }

  /** Adds an entry behind all others of a node whose master entry was opened; returns the node. `maxRoomBytes`: no more than this is reserved beyond need. */
  add(
    node: number,
    id: StreamId,
    from: EntrySource,
    first: number,
    pairs: number,
    bytes: number,
    maxRoomBytes: number,
  ): number {
    const same = this.hasFields(node, from, first, pairs);
    node = this.widened(node, StreamNodes.entryBytes(pairs, bytes), maxRoomBytes);
    this.changeCounts(node, 1, 0);
    this.placed = this.bytes(node) - 1;
    this.putInteger(node, same ? SAME_FIELDS : 0);
    const words = this.arena.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    this.putDifference(node, id.msHigh, id.msLow, words[at] >>> 0, words[at + 1] >>> 0);
    this.putDifference(node, id.seqHigh, id.seqLow, words[at + 2] >>> 0, words[at + 3] >>> 0);
    if (same) {
      for (let i = 0; i < pairs; i++) this.put(node, from, first + 2 * i + 1);
    } else {
      this.putInteger(node, pairs);
      for (let i = 0; i < 2 * pairs; i++) this.put(node, from, first + i);
    }
    const before = same ? pairs + 3 : 2 * pairs + 4;
    this.putInteger(node, before);
    this.finish(node, before + 1);
    return node;
  }

  /** Does the master entry have exactly these names, in this order? */
  private hasFields(node: number, from: EntrySource, first: number, pairs: number): boolean {
    if (this.masterFields !== pairs) return false;
    const base = this.base(node);
    let at = this.namesAt - base;
    for (let i = 0; i < pairs; i++) {
      if (!this.equals(node, at, from.buf, from.starts[first + 2 * i], from.ends[first + 2 * i])) return false;
      at += this.sizeAt(node, at);
    }
    return true;
  }

  /** The node, or one in its place, with room for `bytes` more in its list; announced for writing. */
  private widened(node: number, bytes: number, maxRoomBytes: number): number {
    const arena = this.arena;
    const total = this.bytes(node);
    const need = NODE_LEAD_BYTES + total + bytes + SLACK_BYTES;
    if (need <= arena.blockBytes(node)) {
      arena.willChange(node);
      return node;
    }
    return this.moved(node, total, Math.max(need, Math.min(need * 2, NODE_LEAD_BYTES + maxRoomBytes)));
  }

  private moved(node: number, total: number, blockBytes: number): number {
    const arena = this.arena;
    const next = arena.allocate(blockBytes);
    const start = (node & OFFSET_MASK) << 4;
    const to = (next & OFFSET_MASK) << 4;
    arena.buf[node >>> 26].copy(arena.buf[next >>> 26], to, start, start + NODE_LEAD_BYTES + total);
    return next;
  }

  /** A full node in a block that is not longer than need be. */
  settled(node: number): number {
    const total = this.bytes(node);
    const need = NODE_LEAD_BYTES + total + SLACK_BYTES;
    if (this.arena.blockBytes(node) - need <= need >> SETTLED_SHIFT || !this.arena.reserve(need)) return node;
    return this.moved(node, total, need);
  }

  /**
   * A node of a list that came from outside, with its first id; 0 where the bytes are not of that form. The caller has looked
   * whether they are a compact list at all (isSoundCompactList).
   */
  adopt(id: StreamId, bytes: Buffer, start: number, end: number): number {
    const node = this.create(end - start + SLACK_BYTES);
    bytes.copy(this.arena.buf[node >>> 26], this.base(node), start, end);
    id.store(this.arena.i32[node >>> 26], (node & OFFSET_MASK) << 2);
    if (this.isSound(node)) return node;
    this.arena.release(node);
    return 0;
  }

  /** Does a node whose list is a compact list hold a master entry and entries, as many as it says? */
  private isSound(node: number): boolean {
    const reader = this.reader;
    reader.open(node >>> 26, this.base(node) + LIST_HEADER_BYTES);
    const live = this.soundInteger();
    const deleted = this.soundInteger();
    const fields = this.soundInteger();
    if (!(live >= 1 && deleted >= 0 && fields >= 0) || !this.skipSoundly(fields) || this.soundInteger() !== 0)
      return false;
    let entries = 0;
    let gone = 0;
    for (; !reader.atEnd(); entries++) {
      const flags = this.soundInteger();
      if (Number.isNaN(this.soundInteger() + this.soundInteger())) return false;
      const same = (flags & SAME_FIELDS) !== 0;
      const own = same ? fields : this.soundInteger();
      const rest = same ? own : 2 * own;
      if (!(own >= 0) || !this.skipSoundly(rest) || this.soundInteger() !== rest + (same ? 3 : 4)) return false;
      if ((flags & DELETED) !== 0) gone++;
    }
    return gone === deleted && entries === live + deleted;
  }

  /** The next element's value, NaN where it is no integer or there is none. */
  private soundInteger(): number {
    if (this.reader.atEnd()) return Number.NaN;
    this.reader.next();
    return this.reader.isInteger ? this.reader.integer : Number.NaN;
  }

  private skipSoundly(elements: number): boolean {
    for (; elements > 0; elements--) {
      if (this.reader.atEnd()) return false;
      this.reader.next();
    }
    return true;
  }

  // ---- counts

  /** Reads the master entry into `live`, `deleted`, `masterFields`, `namesAt`; the reader stands at the first name. */
  openMaster(node: number): void {
    const reader = this.reader;
    reader.open(node >>> 26, this.base(node) + LIST_HEADER_BYTES);
    this.live = reader.nextInteger();
    this.deleted = reader.nextInteger();
    this.masterFields = reader.nextInteger();
    this.namesAt = reader.p;
  }

  /** The same, and goes on to the first entry. */
  openEntries(node: number): void {
    this.openMaster(node);
    this.reader.skip(this.masterFields + 1);
  }

  /** Adds to `count` and `deleted`. The node's change is announced. */
  changeCounts(node: number, count: number, deleted: number): void {
    const u8 = this.arena.u8[node >>> 26];
    const at = this.base(node) + LIST_HEADER_BYTES;
    if (
      u8[at] < SMALL_COUNT &&
      u8[at + 2] < SMALL_COUNT &&
      u8[at] + count >= 0 &&
      u8[at + 2] + deleted <= SMALL_COUNT
    ) {
      u8[at] += count;
      u8[at + 2] += deleted;
      return;
    }
    this.openMaster(node);
    const deletedAt = LIST_HEADER_BYTES + elementBytes(u8, at);
    // the second one first, while its place is known; neither needs another block (Invariant 3)
    if (deleted !== 0) this.replaceInteger(node, deletedAt, this.deleted + deleted);
    if (count !== 0) this.replaceInteger(node, LIST_HEADER_BYTES, this.live + count);
  }

  // ---- writing; the block has room, and its change is announced

  private putInteger(node: number, value: number): void {
    if (value >= 0 && value < 128) {
      // as one number of two bytes: the value, and behind it the length of its element
      this.arena.view[node >>> 26].setUint16(this.base(node) + this.placed, value | 0x100, true);
      this.placed += 2;
      return;
    }
    const size = this.measureInteger(value);
    this.writeElement(node, this.vBuf, 0, 0);
    this.placed += size;
  }

  private put(node: number, from: EntrySource, argument: number): void {
    const start = from.starts[argument];
    const end = from.ends[argument];
    if (isShortText(from.buf, start, end)) {
      this.placed += writeShortText(this.arena.view[node >>> 26], this.base(node) + this.placed, from.buf, start, end);
      return;
    }
    const size = this.measure(from.buf, start, end);
    this.writeElement(node, from.buf, start, end);
    this.placed += size;
  }

  /** Appends (high, low) - (baseHigh, baseLow) of 64 bits. */
  private putDifference(node: number, high: number, low: number, baseHigh: number, baseLow: number): void {
    if (high === baseHigh && low >= baseLow) {
      this.putInteger(node, low - baseLow);
      return;
    }
    const difference = (BigInt(high) << 32n) + BigInt(low) - (BigInt(baseHigh) << 32n) - BigInt(baseLow);
    const text = Buffer.from(BigInt.asIntN(64, difference).toString(), 'latin1');
    const size = this.measure(text, 0, text.length);
    this.writeElement(node, text, 0, text.length);
    this.placed += size;
  }

  /** Ends the list at `placed`, with so many elements more. */
  private finish(node: number, elements: number): void {
    const view = this.arena.view[node >>> 26];
    const base = this.base(node);
    view.setUint8(base + this.placed, END);
    view.setUint32(base, this.placed + 1, true);
    const count = view.getUint16(base + 4, true);
    if (count !== MANY) view.setUint16(base + 4, Math.min(count + elements, MANY), true);
  }
}
