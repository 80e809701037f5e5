/*
 * Ring: a bounded queue of messages between two threads, one writer and one reader, as bytes in shared memory.
 *
 * Memory picture (one SharedArrayBuffer):
 *
 *   byte   0  head  i32   bytes published so far (wraps)           written by the writer
 *   byte 128  tail  i32   bytes consumed so far (wraps)            written by the reader
 *   byte 256  blocked i32 1 = the writer waits for room            set by the writer, taken by the reader
 *   byte 384  data        capacity bytes, a power of two
 *
 *   A record starts at a multiple of 8 and is contiguous:
 *     word 0  payload bytes
 *     word 1  bits 0..15 kind | 16 FRAGMENT | 17 FIRST | 18 LAST | 19 PAD
 *     payload, then padding to a multiple of 8
 *   PAD: skip to the end of the data, because the next record did not fit before it.
 *   FIRST: the payload opens with 8 bytes: u32 bytes of the whole message, u32 0. Then the bytes of the fragment.
 *
 * Invariant 1: 0 ≤ head - tail ≤ capacity, in wrapping int32 arithmetic.
 * Invariant 2: the writer stores head (atomically) after all bytes of the records before it; the reader reads bytes only below a head that it
 *              has loaded (atomically). So it sees whole records, and everything else that the writer had written before it published.
 * Invariant 3: the reader stores tail after it is done with the bytes before it; the writer writes only into room that a loaded tail gave.
 * Invariant 4: a record, header included, is at most a quarter of the capacity. With its pad it fits whenever half the ring is free.
 * Invariant 5: a blocked writer sets `blocked`, then loads tail; the reader stores tail, then loads `blocked`. Both sequentially
 *              consistent: no writer waits while half of the ring is free. The reader rings only then, so a trickle of room causes no storm.
 * Invariant 6: fragments of one message are adjacent; between them is nothing but PAD.
 */
import { copyInto } from './bytes.ts';
import type { Doorbell } from './doorbell.ts';

export const RING_MAX_KIND = 0xffff;

const HEAD = 0;
const TAIL = 32;
const BLOCKED = 64;
const DATA_BYTE = 384;

const HEADER_BYTES = 8;
const TOTAL_BYTES = 8;
const FRAGMENT = 1 << 16;
const FIRST = 1 << 17;
const LAST = 1 << 18;
const PAD = 1 << 19;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** Memory of a ring with `capacityBytes` of room, a power of two from 1 KiB to 1 GiB. */
export function createRingMemory(capacityBytes: number): SharedArrayBuffer {
  if (!(capacityBytes >= 1024 && capacityBytes <= 2 ** 30) || (capacityBytes & (capacityBytes - 1)) !== 0) {
    throw new RangeError(`a ring of ${capacityBytes} bytes: not a power of two from 1 KiB to 1 GiB`);
  }
  return new SharedArrayBuffer(DATA_BYTE + capacityBytes);
}

/** Room in the ring that one record with `payloadBytes` takes. */
function recordBytes(payloadBytes: number): number {
  return (HEADER_BYTES + payloadBytes + 7) & ~7;
}

export class RingWriter {
  /** The data of the ring: where reserve() lets the caller write. */
  readonly buf: Buffer;
  readonly capacityBytes: number;
  /** Messages up to this size are written whole or not at all, larger ones in fragments. */
  readonly maxWholeBytes: number;
  readonly maxMessageBytes: number;
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  private readonly mask: number;
  private readonly readerDoorbell: Doorbell | null;
  private head: number;
  private publishedHead: number;
  private seenTail: number;
  /** Of a fragmented message that is only partly written: bytes written, all bytes, kind. sentBytes 0 = none under way. */
  private sentBytes = 0;
  private sentTotal = 0;
  private sentKind = 0;

  /** The one writer. publish() rings `readerDoorbell`. Messages over `maxMessageBytes` are a fault of the caller (both ends agree on it). */
  constructor(memory: SharedArrayBuffer, readerDoorbell: Doorbell | null, maxMessageBytes: number) {
    this.control = new Int32Array(memory, 0, DATA_BYTE / 4);
    this.buf = Buffer.from(memory, DATA_BYTE);
    this.words = new Int32Array(memory, DATA_BYTE);
    this.capacityBytes = this.buf.length;
    this.mask = this.capacityBytes - 1;
    this.maxWholeBytes = this.capacityBytes / 4 - HEADER_BYTES;
    this.maxMessageBytes = maxMessageBytes;
    this.readerDoorbell = readerDoorbell;
    this.head = Atomics.load(this.control, HEAD);
    this.publishedHead = this.head;
    this.seenTail = Atomics.load(this.control, TAIL);
  }

  /**
   * Appends a message of `kind` (0..RING_MAX_KIND) made of the bytes a[aStart, aEnd) and b[bStart, bEnd), not yet visible (see publish).
   * False: the ring is full; what was appended is published, and the writer's doorbell (given to the reader) rings when there is room.
   * The caller keeps the message and comes back with the same one before any other: of a message over `maxWholeBytes` a part may be
   * written already.
   */
  tryWrite(kind: number, a: Buffer, aStart: number, aEnd: number, b: Buffer = NO_BYTES, bStart = 0, bEnd = 0): boolean {
    const aBytes = aEnd - aStart;
    const total = aBytes + bEnd - bStart;
    if (total > this.maxWholeBytes) return this.writeFragments(kind, a, aStart, aEnd, b, bStart, bEnd);
    const at = this.reserve(kind, total);
    if (at < 0) return false;
    copyInto(this.buf, at, a, aStart, aBytes);
    if (total > aBytes) copyInto(this.buf, at + aBytes, b, bStart, total - aBytes);
    return true;
  }

  /**
   * Appends a message of exactly `payloadBytes` (≤ maxWholeBytes) whose bytes the caller writes into `buf` from the returned offset (a
   * multiple of 8), all of them, before publish() and before anything else is written here. -1: full, as in tryWrite.
   */
  reserve(kind: number, payloadBytes: number): number {
    if (this.sentBytes !== 0) throw new Error('ring: another message is only partly written');
    if (!(kind >= 0 && kind <= RING_MAX_KIND)) throw new RangeError(`ring: no kind ${kind}`);
    if (!(payloadBytes >= 0 && payloadBytes <= this.maxWholeBytes)) {
      throw new RangeError(`ring: ${payloadBytes} bytes do not fit into one record`);
    }
    return this.append(kind, payloadBytes);
  }

  /** Makes everything appended visible, and rings the reader. One atomic store and the ring per batch; nothing if nothing is new. */
  publish(): void {
    if (this.head === this.publishedHead) return;
    this.publishedHead = this.head;
    Atomics.store(this.control, HEAD, this.head);
    if (this.readerDoorbell !== null) this.readerDoorbell.ring();
  }

  /** Bytes appended and not yet consumed, as far as this end has looked; fresh after a full ring. For statistics. */
  usedBytes(): number {
    this.seenTail = Atomics.load(this.control, TAIL);
    return (this.head - this.seenTail) | 0;
  }

  /** Writes one record's header and returns the offset of its payload, -1 = full. */
  private append(kindWord: number, payloadBytes: number): number {
    const need = recordBytes(payloadBytes);
    const toEnd = this.capacityBytes - (this.head & this.mask);
    const needWithPad = need <= toEnd ? need : need + toEnd;
    if (this.capacityBytes - ((this.head - this.seenTail) | 0) < needWithPad && !this.findRoom(needWithPad)) return -1;
    let at = this.head & this.mask;
    if (need > toEnd) {
      this.words[at >> 2] = toEnd - HEADER_BYTES;
      this.words[(at >> 2) + 1] = PAD;
      at = 0;
    }
    this.words[at >> 2] = payloadBytes;
    this.words[(at >> 2) + 1] = kindWord;
    this.head = (this.head + needWithPad) | 0;
    return at + HEADER_BYTES;
  }

  private findRoom(need: number): boolean {
    const { control, capacityBytes } = this;
    this.seenTail = Atomics.load(control, TAIL);
    if (capacityBytes - ((this.head - this.seenTail) | 0) >= need) return true;
    // What is appended must become visible, or the reader might never make room.
    this.publish();
    Atomics.store(control, BLOCKED, 1);
    this.seenTail = Atomics.load(control, TAIL);
    if (capacityBytes - ((this.head - this.seenTail) | 0) < need) return false;
    Atomics.store(control, BLOCKED, 0);
    return true;
  }

  private writeFragments(
    kind: number,
    a: Buffer,
    aStart: number,
    aEnd: number,
    b: Buffer,
    bStart: number,
    bEnd: number,
  ): boolean {
    const aBytes = aEnd - aStart;
    const total = aBytes + bEnd - bStart;
    if (!(kind >= 0 && kind <= RING_MAX_KIND)) throw new RangeError(`ring: no kind ${kind}`);
    if (total > this.maxMessageBytes) throw new RangeError(`ring: a message of ${total} bytes`);
    if (this.sentBytes !== 0 && (this.sentTotal !== total || this.sentKind !== kind)) {
      throw new Error('ring: another message is only partly written');
    }
    this.sentTotal = total;
    this.sentKind = kind;
    let sent = this.sentBytes;
    while (sent < total) {
      const prefix = sent === 0 ? TOTAL_BYTES : 0;
      const bytes = Math.min(total - sent, this.maxWholeBytes - prefix);
      const flags = FRAGMENT | (sent === 0 ? FIRST : 0) | (sent + bytes === total ? LAST : 0);
      let at = this.append(kind | flags, prefix + bytes);
      if (at < 0) {
        this.sentBytes = sent;
        return false;
      }
      if (prefix > 0) {
        this.words[at >> 2] = total | 0;
        this.words[(at >> 2) + 1] = 0;
        at += prefix;
      }
      const end = sent + bytes;
      if (sent < aBytes) copyInto(this.buf, at, a, aStart + sent, Math.min(end, aBytes) - sent);
      if (end > aBytes) {
        const from = Math.max(sent, aBytes);
        copyInto(this.buf, at + from - sent, b, bStart + from - aBytes, end - from);
      }
      sent = end;
    }
    this.sentBytes = 0;
    return true;
  }
}

/** `buf` holds the message in [start, end): of a whole record only until the callback returns; of a reassembled one, for good. */
export type OnRingMessage = (kind: number, buf: Buffer, start: number, end: number) => void;

export class RingReader {
  readonly capacityBytes: number;
  private readonly buf: Buffer;
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  private readonly mask: number;
  private readonly maxWholeBytes: number;
  private readonly maxMessageBytes: number;
  private readonly writerDoorbell: Doorbell | null;
  private tail: number;
  private publishedTail: number;
  private seenHead: number;
  private draining = false;
  /** The message under reassembly and how much of it is there. */
  private partial: Buffer = NO_BYTES;
  private partialBytes = 0;

  /** The one reader. `writerDoorbell` rings when a writer that found the ring full finds room. */
  constructor(memory: SharedArrayBuffer, writerDoorbell: Doorbell | null, maxMessageBytes: number) {
    this.control = new Int32Array(memory, 0, DATA_BYTE / 4);
    this.buf = Buffer.from(memory, DATA_BYTE);
    this.words = new Int32Array(memory, DATA_BYTE);
    this.capacityBytes = this.buf.length;
    this.mask = this.capacityBytes - 1;
    this.maxWholeBytes = this.capacityBytes / 4 - HEADER_BYTES;
    this.maxMessageBytes = maxMessageBytes;
    this.writerDoorbell = writerDoorbell;
    this.tail = Atomics.load(this.control, TAIL);
    this.publishedTail = this.tail;
    this.seenHead = this.tail;
  }

  /**
   * Hands messages to `onMessage` until the ring is empty or `maxRecords` records (a fragment counts as one) are consumed. Returns the
   * records consumed: fewer than `maxRecords` means that the ring was empty. `onMessage` must not drain this ring and must not throw.
   */
  drain(onMessage: OnRingMessage, maxRecords = 0x7fffffff): number {
    if (this.draining) throw new Error('ring: drained from within, or after a message callback threw');
    this.draining = true;
    const { words, mask, buf } = this;
    const batchBytes = this.capacityBytes >> 2;
    let tail = this.tail;
    let records = 0;
    while (records < maxRecords) {
      if (tail === this.seenHead) {
        this.seenHead = Atomics.load(this.control, HEAD);
        if (tail === this.seenHead) break;
      }
      const at = tail & mask;
      const bytes = words[at >> 2];
      const kindWord = words[(at >> 2) + 1];
      if (kindWord === PAD) {
        tail = (tail + HEADER_BYTES + bytes) | 0;
        continue;
      }
      if (!(bytes >= 0 && bytes <= this.maxWholeBytes)) throw new Error(`ring: a record of ${bytes} bytes`);
      const start = at + HEADER_BYTES;
      if (kindWord <= RING_MAX_KIND) onMessage(kindWord, buf, start, start + bytes);
      else this.collect(kindWord, start, start + bytes, onMessage);
      tail = (tail + recordBytes(bytes)) | 0;
      records++;
      if (((tail - this.publishedTail) | 0) >= batchBytes) this.publishTail(tail);
    }
    this.tail = tail;
    if (tail !== this.publishedTail) this.publishTail(tail);
    this.draining = false;
    return records;
  }

  /** Is there something to drain? At most one atomic load. */
  pending(): boolean {
    if (this.tail !== this.seenHead) return true;
    this.seenHead = Atomics.load(this.control, HEAD);
    return this.tail !== this.seenHead;
  }

  private publishTail(tail: number): void {
    const { control } = this;
    this.publishedTail = tail;
    Atomics.store(control, TAIL, tail);
    if (Atomics.load(control, BLOCKED) === 0) return;
    // A fresh head, because the writer may have filled the room since we looked.
    const used = (Atomics.load(control, HEAD) - tail) | 0;
    if (used > this.capacityBytes / 2) return;
    if (Atomics.exchange(control, BLOCKED, 0) === 1 && this.writerDoorbell !== null) this.writerDoorbell.ring();
  }

  private collect(kindWord: number, start: number, end: number, onMessage: OnRingMessage): void {
    if ((kindWord & FIRST) !== 0) {
      const total = this.words[start >> 2] >>> 0;
      if (this.partial.length !== 0 || total > this.maxMessageBytes)
        throw new Error(`ring: a message of ${total} bytes`);
      this.partial = Buffer.allocUnsafeSlow(total);
      this.partialBytes = 0;
      start += TOTAL_BYTES;
    }
    if (this.partialBytes + end - start > this.partial.length) throw new Error('ring: a fragment too many');
    this.buf.copy(this.partial, this.partialBytes, start, end);
    this.partialBytes += end - start;
    if ((kindWord & LAST) === 0) return;
    const message = this.partial;
    if (this.partialBytes !== message.length) throw new Error('ring: a fragment is missing');
    this.partial = NO_BYTES;
    onMessage(kindWord & RING_MAX_KIND, message, 0, message.length);
  }
}
