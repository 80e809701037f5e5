/**
 * The one log through which all pushes go (R12): published messages, key events, invalidations, lines of MONITOR. Whoever has
 * something to tell appends it, inside the unit that made it true; each worker that has listeners reads at its own cursor.
 *
 *   ring      … | record | record | record | …      position p is at byte p % ring bytes; records wrap around bytewise
 *                  ^ a reader's cursor       ^ head
 *   record    u32 bytes in all (a multiple of 8) | u32 kind | i32 shard | i32 number | f64 extra | u32 a | u32 b | bytes a | bytes b
 *   control   Int32: lock, version | Float64: head | how many workers want what | what each worker wants
 *
 * `shard`: the record shows an effect in this shard's journal (R13); -1: it shows none; ALL_SHARDS: in several. What `number`, `extra`, a and b are is
 * the kind's business (EVENT).
 *
 * Invariant 1: head and ring change, and are read, under the lock only; it comes last in the order of latches, and who has it
 *   copies bytes and nothing else.
 * Invariant 2: an appender never waits for a reader. A reader that is more than a ring behind has lost records: `read` says so,
 *   and goes on at the head.
 * Invariant 3: `version` counts appends; it is stored after the bytes, so a reader that sees the old one may sleep: the bell of
 *   every listening worker is rung after the append (`ringListeners`).
 */
import { lockWord, unlockWord } from '../../native-free-shm/word-lock.ts';

/** Kinds of records. */
export const EVENT = {
  /** a: channel, b: message. */
  message: 1,
  shardMessage: 2,
  /** number: database, extra: event index and EVENT_BITS.K/E, see key-event-records.ts; a: key. */
  keyEvent: 3,
  /** number: hash of the key, extra: record of the client that did it, -1: none; a: key, empty: evicted from the table. */
  invalidate: 4,
  /** Every key has changed. */
  invalidateAll: 5,
  /** extra: id of the client it goes to; a: array of keys as RESP, empty: all. */
  redirected: 6,
  /** a: line. */
  monitor: 7,
} as const;

/** In place of a shard: the record shows effects in several, perhaps in all. */
export const ALL_SHARDS = -2;

/**
 * What a worker may want from the log; bits of its word. `redirects` is set by whoever lets invalidations go to a client of that
 * worker, and stays.
 */
export const WANT = { subscriptions: 1, tracking: 2, prefixes: 4, monitor: 8, redirects: 16 } as const;
const WANT_KINDS = 4;

const LOCK = 0;
const VERSION = 1;
/** Float64 index: words 2 and 3. */
const HEAD = 1;
/** Int32 words 4 … 7: workers that have this bit. */
const WANTED = 4;
const WORKERS = 16;

export const RECORD_HEADER_BYTES = 32;
const KIND = 4;
const SHARD = 8;
const NUMBER = 12;
const EXTRA = 16;
const A_BYTES = 24;
const B_BYTES = 28;

/** Bytes that are copied under the lock at once. */
const SLICE_BYTES = 64 * 1024;
/** A reader's buffer that has grown beyond this is given back. */
const KEPT_BYTES = 1 << 20;

export interface EventLogMemory {
  control: SharedArrayBuffer;
  ring: SharedArrayBuffer;
}

/** `ringBytes`: room of the log, a multiple of 8; committed as it is used. */
export function createEventLog(workers: number, ringBytes: number): EventLogMemory {
  if (ringBytes % 8 !== 0) throw new RangeError(`event log: ${ringBytes} bytes are no multiple of 8`);
  const words = WORKERS + workers;
  return { control: new SharedArrayBuffer(words * 4 + (words & 1) * 4), ring: new SharedArrayBuffer(ringBytes) };
}

const NO_BYTES = Buffer.alloc(0);

/** The record that `read` shows: valid during the call. */
export class LogRecord {
  kind = 0;
  shard = -1;
  number = 0;
  extra = 0;
  /** Where it begins. */
  position = 0;
  buf: Buffer = NO_BYTES;
  aStart = 0;
  aEnd = 0;
  bStart = 0;
  bEnd = 0;
}

/** Outcomes of `read`. */
export const READ_ALL = 0;
export const READ_MORE = 1;
/** Records were overwritten before this worker came to read them. */
export const READ_LOST = 2;

export class EventLog {
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly ring: Buffer;
  private readonly worker: number;
  private readonly workers: number;
  private readonly ringWorker: (worker: number) => void;
  private appended = false;

  private readonly record = new LogRecord();
  private seenVersion = 0;
  private cursor = 0;
  /** Bytes that were copied out of the ring and not shown yet: copy[copyStart, copyEnd), the last one being before `cursor`. */
  private copy = NO_BYTES;
  private copyStart = 0;
  private copyEnd = 0;

  /** `ringWorker` rings the bell of a worker. */
  constructor(memory: EventLogMemory, worker: number, workers: number, ringWorker: (worker: number) => void) {
    this.i32 = new Int32Array(memory.control);
    this.f64 = new Float64Array(memory.control, 0, 2);
    this.ring = Buffer.from(memory.ring);
    this.worker = worker;
    this.workers = workers;
    this.ringWorker = ringWorker;
  }

  /** The longest sum of a and b that a record can have. */
  get maxBytes(): number {
    return this.ring.length / 2 - RECORD_HEADER_BYTES;
  }

  // ---- who listens

  /** Does any worker want this (a bit of WANT)? A plain read. */
  wanted(bit: number): boolean {
    return this.i32[WANTED + 31 - Math.clz32(bit)] !== 0;
  }

  /** Does any worker have a client in MONITOR? Asked for every command. */
  get anyMonitor(): boolean {
    return this.i32[WANTED + 3] !== 0;
  }

  /** This worker begins or ceases to want something; a worker that wanted nothing begins to read at the head. */
  want(bit: number, on: boolean): void {
    const at = WORKERS + this.worker;
    const before = this.i32[at];
    const after = on ? before | bit : before & ~bit;
    if (after === before) return;
    if (before === 0) this.skipToHead();
    if (on) Atomics.or(this.i32, at, bit);
    else Atomics.and(this.i32, at, ~bit);
    for (let i = 0; i < WANT_KINDS; i++) {
      const kind = 1 << i;
      if (((before ^ after) & kind) !== 0) Atomics.add(this.i32, WANTED + i, (after & kind) !== 0 ? 1 : -1);
    }
  }

  /** Has another worker read the log because invalidations go to a client of it. */
  wantRedirects(worker: number): void {
    Atomics.or(this.i32, WORKERS + worker, WANT.redirects);
  }

  get listening(): boolean {
    return this.i32[WORKERS + this.worker] !== 0;
  }

  private skipToHead(): void {
    this.seenVersion = Atomics.load(this.i32, VERSION);
    this.cursor = this.head();
    this.copyStart = this.copyEnd = 0;
  }

  // ---- appending

  /** Position behind the newest record. */
  head(): number {
    lockWord(this.i32, LOCK);
    const head = this.f64[HEAD];
    unlockWord(this.i32, LOCK);
    return head;
  }

  /** Appends a record. a and b together have at most `maxBytes`. Returns its position. */
  append(
    kind: number,
    shard: number,
    number: number,
    extra: number,
    a: Buffer,
    aStart: number,
    aEnd: number,
    b: Buffer = NO_BYTES,
    bStart = 0,
    bEnd = 0,
  ): number {
    const aBytes = aEnd - aStart;
    const bBytes = bEnd - bStart;
    if (aBytes + bBytes > this.maxBytes) throw new RangeError(`event log: a record of ${aBytes + bBytes} bytes`);
    const header = this.header;
    const bytes = (RECORD_HEADER_BYTES + aBytes + bBytes + 7) & ~7;
    header.writeUInt32LE(bytes, 0);
    header.writeUInt32LE(kind, KIND);
    header.writeInt32LE(shard, SHARD);
    header.writeInt32LE(number, NUMBER);
    header.writeDoubleLE(extra, EXTRA);
    header.writeUInt32LE(aBytes, A_BYTES);
    header.writeUInt32LE(bBytes, B_BYTES);
    lockWord(this.i32, LOCK);
    const head = this.f64[HEAD];
    this.put(head, header, 0, RECORD_HEADER_BYTES);
    this.put(head + RECORD_HEADER_BYTES, a, aStart, aEnd);
    this.put(head + RECORD_HEADER_BYTES + aBytes, b, bStart, bEnd);
    this.f64[HEAD] = head + bytes;
    unlockWord(this.i32, LOCK);
    Atomics.add(this.i32, VERSION, 1);
    this.appended = true;
    return head;
  }
  private readonly header = Buffer.alloc(RECORD_HEADER_BYTES);

  private put(position: number, from: Buffer, start: number, end: number): void {
    const at = position % this.ring.length;
    const first = Math.min(end - start, this.ring.length - at);
    from.copy(this.ring, at, start, start + first);
    if (start + first < end) from.copy(this.ring, 0, start + first, end);
  }

  /** At the end of a batch or slice, outside of all latches: rings the workers that listen, if this thread has appended. */
  ringListeners(): void {
    if (!this.appended) return;
    this.appended = false;
    for (let worker = 0; worker < this.workers; worker++) {
      if (Atomics.load(this.i32, WORKERS + worker) !== 0) this.ringWorker(worker);
    }
  }

  // ---- reading

  /** Has something been appended since the last `read` that returned READ_ALL? One atomic load. */
  hasNews(): boolean {
    return this.copyStart < this.copyEnd || Atomics.load(this.i32, VERSION) !== this.seenVersion;
  }

  /** Shows up to about a slice of records, oldest first. READ_MORE: there are more. `show` must not throw. */
  read(show: (record: LogRecord) => void): number {
    const version = Atomics.load(this.i32, VERSION);
    const outcome = this.fetch();
    if (outcome === READ_LOST) return READ_LOST;
    this.showCopied(show);
    if (outcome === READ_MORE) return READ_MORE;
    this.seenVersion = version;
    return READ_ALL;
  }

  /** Copies what comes next out of the ring: at least one whole record, if there is one. */
  private fetch(): number {
    const wantBytes = this.missingBytes();
    const have = this.copyEnd - this.copyStart;
    this.roomFor(have + wantBytes);
    for (;;) {
      lockWord(this.i32, LOCK);
      const head = this.f64[HEAD];
      const lost = head - this.cursor > this.ring.length;
      const bytes = lost ? 0 : Math.min(head - this.cursor, SLICE_BYTES, this.copy.length - this.copyEnd);
      if (bytes > 0) this.take(bytes);
      if (lost) this.cursor = head;
      unlockWord(this.i32, LOCK);
      if (lost) {
        this.copyStart = this.copyEnd = 0;
        return READ_LOST;
      }
      if (this.cursor === head) return READ_ALL;
      const missing = this.missingBytes();
      if (missing <= 0) return READ_MORE;
      this.roomFor(this.copyEnd - this.copyStart + missing);
    }
  }

  private take(bytes: number): void {
    const at = this.cursor % this.ring.length;
    const first = Math.min(bytes, this.ring.length - at);
    this.ring.copy(this.copy, this.copyEnd, at, at + first);
    if (first < bytes) this.ring.copy(this.copy, this.copyEnd + first, 0, bytes - first);
    this.copyEnd += bytes;
    this.cursor += bytes;
  }

  /** Bytes that the first copied record lacks; of nothing, a slice. */
  private missingBytes(): number {
    const have = this.copyEnd - this.copyStart;
    if (have < RECORD_HEADER_BYTES) return SLICE_BYTES;
    return this.copy.readUInt32LE(this.copyStart) - have;
  }

  /** Moves what is copied to the front and makes room for `bytes` in all. */
  private roomFor(bytes: number): void {
    const have = this.copyEnd - this.copyStart;
    const room = Math.max(bytes, SLICE_BYTES * 2);
    const isRight = this.copy.length >= room && (this.copy.length <= KEPT_BYTES || room > KEPT_BYTES);
    const into = isRight ? this.copy : Buffer.allocUnsafeSlow(room);
    this.copy.copy(into, 0, this.copyStart, this.copyEnd);
    this.copy = into;
    this.copyStart = 0;
    this.copyEnd = have;
  }

  private showCopied(show: (record: LogRecord) => void): void {
    const { record, copy } = this;
    record.buf = copy;
    while (this.copyEnd - this.copyStart >= RECORD_HEADER_BYTES) {
      const at = this.copyStart;
      const bytes = copy.readUInt32LE(at);
      if (bytes > this.copyEnd - at) break;
      record.position = this.cursor - (this.copyEnd - at);
      record.kind = copy.readUInt32LE(at + KIND);
      record.shard = copy.readInt32LE(at + SHARD);
      record.number = copy.readInt32LE(at + NUMBER);
      record.extra = copy.readDoubleLE(at + EXTRA);
      record.aStart = at + RECORD_HEADER_BYTES;
      record.aEnd = record.bStart = record.aStart + copy.readUInt32LE(at + A_BYTES);
      record.bEnd = record.bStart + copy.readUInt32LE(at + B_BYTES);
      this.copyStart = at + bytes;
      show(record);
    }
  }
}
