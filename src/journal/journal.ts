/**
 * The journal of one shard as a thread sees it: append under the shard's latch, publish once per unit, drain without it.
 * Memory picture and the words: journal-memory.ts. One object per thread and shard.
 *
 * Life of a unit's records: begin → verbatim / command+arg… → publish. What is appended is staged behind the published head, where
 * nobody looks; a unit that fails before publish leaves nothing behind, the next begin overwrites it.
 *
 * Invariant 1: begin, append and publish run under the shard's latch, in one piece. They neither wait nor call the system (R4).
 * Invariant 2: publish stores the low word of the head with Atomics.store after all bytes of the unit. A reader gets the head by
 *              Atomics.load (JournalWords.loadHead), which synchronises with that store: it sees every byte before the head.
 * Invariant 3: several parts of a multi-shard transaction become visible between one `txBegun` and one `txEnded`, after all bytes of
 *              all parts: a capture of heads between equal counters is straddled by no transaction (R17).
 * Invariant 4: after a publication `unsyncedSince` is not 0 until a later capture by the journal thread. The thread clears the word
 *              *before* it captures heads, publish looks at it *after* it stored the head: one of the two sees the other (R18).
 */

import { errnoText, type Files } from '../env/files.ts';
import { writeDecimal } from './decimal.ts';
import { JournalDrain } from './journal-drain.ts';
import {
  GLOBAL,
  type JournalMemory,
  JournalWords,
  PART_RING,
  PART_WORDS,
  POLICY,
  type Policy,
} from './journal-memory.ts';

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const STAR = 42;
/** Up to here a loop over 8-byte words is faster than a call of Buffer.copy. */
const LOOP_COPY_BYTES = 256;
/** Most bytes of `*<n>\r\n` and `$<n>\r\n`. */
const MARKER_BYTES = 24;
/** Stock Redis reads annotation lines into 1024 bytes. */
export const MAX_LINE_BYTES = 1000;
/** The gate holds writes back while fewer parts than this are free: each unit in flight adds at most one. */
const PART_SLACK = 128;
/** Writes wait when the oldest unsynced record is older (R18). */
export const MAX_UNSYNCED_MS = 2000;

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n');
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n');
const LINE_END = Buffer.from('\r\n');
const MARK_WORD = '#SKEIN-TX ';

export class Journal {
  readonly shard: number;
  private readonly words: JournalWords;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly segments: Buffer[];
  private readonly segmentViews: DataView[];
  private readonly blockBytes: number;
  private readonly blocks: number;
  private readonly backlogBytes: number;
  private readonly drainer: JournalDrain;
  private readonly scratch = Buffer.alloc(64);

  // The block that is appended to; the position of the next byte is offset + bias.
  private bytes: Buffer;
  private view: DataView;
  private offset = 0;
  private limit = 0;
  private bias = 0;
  private blockNumber = -1;
  private epoch = -1;

  // The unit under way.
  private nowMs = 0;
  private db = -1;
  private open = false;
  private owedArgs = 0;

  // Views of the last two sources of bytes.
  private source: Uint8Array | null = null;
  private sourceView: DataView;
  private source2: Uint8Array | null = null;
  private source2View: DataView;

  /** `files` is what drain() writes with. */
  constructor(memory: JournalMemory, shard: number, files: Files) {
    this.shard = memory.firstShard + shard;
    this.words = new JournalWords(memory, shard);
    this.i32 = this.words.i32;
    this.f64 = this.words.f64;
    this.segments = memory.chains[shard].map((sab) => Buffer.from(sab));
    this.segmentViews = memory.chains[shard].map((sab) => new DataView(sab));
    this.bytes = this.segments[0];
    this.view = this.segmentViews[0];
    this.sourceView = this.view;
    this.source2View = this.view;
    this.blockBytes = memory.blockBytes;
    this.blocks = memory.blocks;
    this.backlogBytes = memory.backlogBytes;
    this.drainer = new JournalDrain(memory, this.words, this.shard, this.segments, files);
  }

  /** False where the shard is not journalled (`none`, or appendonly off). */
  get enabled(): boolean {
    return this.i32[this.words.policy] !== POLICY.none;
  }

  /** The shard's policy. */
  get policy(): Policy {
    return this.i32[this.words.policy] as Policy;
  }

  // ---- under the latch -------------------------------------------------------------------------------------------

  /** Starts a unit's records; `nowMs` is the unit's time. */
  begin(nowMs: number): void {
    const { f64, i32, words } = this;
    const head = f64[words.head];
    if (head !== this.offset + this.bias || i32[words.epoch] !== this.epoch) this.attach(head);
    this.db = i32[words.db];
    this.nowMs = nowMs;
    this.open = false;
    this.owedArgs = 0;
  }

  /** One whole RESP frame, as it came, for database `db`. */
  verbatim(db: number, buf: Buffer, start: number, end: number): void {
    if (db !== this.db) this.select(db);
    this.raw(buf, start, end);
  }

  /** Starts a record of `argc` arguments for database `db`; exactly so many arg calls must follow. */
  command(db: number, argc: number): void {
    if (this.owedArgs !== 0) throw new Error(`a journal record lacks ${this.owedArgs} arguments`);
    if (db !== this.db) this.select(db);
    this.owedArgs = argc;
    this.marker(STAR, argc);
  }

  arg(buf: Buffer, start: number, end: number): void {
    this.owedArgs--;
    this.marker(DOLLAR, end - start);
    this.raw(buf, start, end);
    this.lineEnd();
  }

  argText(latin1: string): void {
    const length = latin1.length;
    this.owedArgs--;
    this.marker(DOLLAR, length);
    if (length <= this.limit - this.offset) {
      const bytes = this.bytes;
      const at = this.offset;
      for (let i = 0; i < length; i++) bytes[at + i] = latin1.charCodeAt(i);
      this.offset = at + length;
    } else {
      this.raw(Buffer.from(latin1, 'latin1'), 0, length);
    }
    this.lineEnd();
  }

  /** A whole number within ±2^53. */
  argNumber(n: number): void {
    this.argText(String(n));
  }

  argBig(n: bigint): void {
    this.argText(n.toString());
  }

  /** MULTI: before the first of several records of one unit. */
  transactionOpen(): void {
    if (this.open) throw new Error('a journal transaction is open already');
    this.raw(MULTI, 0, MULTI.length);
    this.open = true;
  }

  /** EXEC. publish() and publishTransaction() call it where it is owed. */
  transactionClose(): void {
    if (!this.open) return;
    this.raw(EXEC, 0, EXEC.length);
    this.open = false;
  }

  /** Position behind what is staged; what publish will make the head. */
  end(): number {
    return this.offset + this.bias;
  }

  /** Everything staged becomes the journal, at once. */
  publish(): void {
    if (this.open) this.transactionClose();
    if (this.owedArgs !== 0) throw new Error(`a journal record lacks ${this.owedArgs} arguments`);
    const { f64, i32, words } = this;
    const head = this.offset + this.bias;
    if (head === f64[words.head]) return;
    f64[words.head] = head;
    i32[words.db] = this.db;
    Atomics.store(i32, words.headLow, head | 0);
    if (f64[words.unsyncedSince] === 0) f64[words.unsyncedSince] = this.nowMs;
  }

  /**
   * Gate: true while so much is undrained that a writing unit has to wait (memory, or room for transaction parts). Exact under the
   * latch, a moment's truth without it. A unit that has begun may overrun the bound.
   */
  backlogFull(): boolean {
    const { i32, words } = this;
    if ((i32[words.headLow] - i32[words.writtenLow]) >>> 0 > this.backlogBytes) return true;
    return ((i32[words.partHead] - i32[words.partTail]) | 0) > PART_RING - PART_SLACK;
  }

  /** Gate, under everysec: true while the oldest unsynced record is too old, because the disk is slow (R18). Plain reads. */
  syncLate(nowMs: number): boolean {
    const { f64, words } = this;
    if (this.i32[words.policy] !== POLICY.everysec) return false;
    const syncing = f64[words.syncingSince];
    const since = syncing !== 0 ? syncing : f64[words.unsyncedSince];
    return since !== 0 && nowMs - since > MAX_UNSYNCED_MS;
  }

  /** Before a unit's first change (R4): true if records of `bytes` bytes in total surely fit. */
  reserve(bytes: number): boolean {
    const { i32, words } = this;
    const used = (i32[words.headLow] - i32[words.writtenLow]) >>> 0;
    return used + bytes + 2 * this.blockBytes <= this.blocks * this.blockBytes;
  }

  // ---- without the latch -----------------------------------------------------------------------------------------

  /** Something is published and not in the file. Plain reads. */
  undrained(): boolean {
    return this.i32[this.words.headLow] !== this.i32[this.words.writtenLow];
  }

  /**
   * Writes what is published to the file (page cache). False: another thread is at it, or the disk refuses; look again at the next
   * turn (`written()` tells how far it is, the journal's state word whether the disk is broken).
   */
  drain(): boolean {
    return this.drainer.drain();
  }

  /** After drain() was refused: resolves when the thread that has the drain word gives it back; null: it has already. */
  whenDrainFree(): Promise<unknown> | null {
    const { i32, words } = this;
    if (Atomics.load(i32, words.drain) === 0 || Atomics.compareExchange(i32, words.drain, 1, 2) === 0) return null;
    const wait = Atomics.waitAsync(i32, words.drain, 2);
    return wait.async ? wait.value : null;
  }

  /**
   * Some part of a multi-shard transaction, of any shard, is published and not in its file. False: those that this thread has seen
   * are all written. The written ones are counted first: when the published ones are not more afterwards, there were no others.
   */
  partsUndrained(): boolean {
    const written = Atomics.load(this.i32, GLOBAL.partsWritten);
    return Atomics.load(this.i32, GLOBAL.partsPublished) !== written;
  }

  /** For the journal thread: the same, tried even though the last write failed. */
  retryDrain(): boolean {
    return this.drainer.drain(true);
  }

  /** Appends an empty batch that records the safe position, so that damage of the last real batch is told from a torn tail. */
  seal(): boolean {
    return this.drainer.seal(this.safe());
  }

  /** The same with a safe position of the caller's choice: for files that are synced before anybody may read them. */
  sealAs(safe: number): boolean {
    return this.drainer.seal(safe);
  }

  /** Why the last write of this shard's file failed, in the system's words; '' if it did not. */
  writeErrorText(): string {
    const errno = this.i32[this.words.writeError];
    return errno === 0 ? '' : errnoText(errno);
  }

  head(): number {
    return this.words.loadHead();
  }

  written(): number {
    return this.words.loadPosition(this.words.written);
  }

  safe(): number {
    return this.words.loadPosition(this.words.safe);
  }

  /** Bytes of the shard's file, and batches written since start. */
  fileBytes(): number {
    return this.f64[this.words.fileBytes];
  }

  batches(): number {
    return this.f64[this.words.batches];
  }

  // ---- inside ----------------------------------------------------------------------------------------------------

  private attach(head: number): void {
    const number = Math.floor(head / this.blockBytes);
    this.epoch = this.i32[this.words.epoch];
    if (number <= this.f64[this.words.topBlock]) {
      this.useBlock(number, head - number * this.blockBytes);
      return;
    }
    // The block comes with the first byte. Only then is it known how the head lies in it: a journal may open amid a block.
    this.blockNumber = number - 1;
    this.offset = 0;
    this.limit = 0;
    this.bias = head;
  }

  /** Goes on at byte `at` of block `number`, which is in the table. */
  private useBlock(number: number, at: number): void {
    const index = this.i32[this.words.blockTable + (number % this.blocks)];
    const perSegment = this.segments[0].length / this.blockBytes;
    const segment = Math.floor(index / perSegment);
    const base = (index - segment * perSegment) * this.blockBytes;
    this.blockNumber = number;
    this.bytes = this.segments[segment];
    this.view = this.segmentViews[segment];
    this.offset = base + at;
    this.limit = base + this.blockBytes;
    this.bias = number * this.blockBytes - base;
  }

  /** The block behind the current one, from the table (left there by a unit that failed), the free ones, or the fresh ones. */
  private nextBlock(): void {
    const { i32, f64, words } = this;
    const position = this.offset + this.bias;
    const number = this.blockNumber + 1;
    if (number > f64[words.topBlock]) {
      i32[words.blockTable + (number % this.blocks)] = this.takeBlock();
      f64[words.topBlock] = number;
    }
    this.useBlock(number, position - number * this.blockBytes);
  }

  private takeBlock(): number {
    const { i32, words } = this;
    if (i32[words.freeCount] === 0) this.recycle();
    if (i32[words.freeCount] > 0) return i32[words.freeBlocks + --i32[words.freeCount]];
    if (i32[words.freshCount] < this.blocks) return i32[words.freshCount]++;
    throw new Error(`journal chain of shard ${this.shard} is full: a unit appended more than it reserved`);
  }

  private recycle(): void {
    const { i32, f64, words } = this;
    const written = this.written();
    let floor = f64[words.floorBlock];
    while ((floor + 1) * this.blockBytes <= written && floor <= f64[words.topBlock]) {
      i32[words.freeBlocks + i32[words.freeCount]++] = i32[words.blockTable + (floor % this.blocks)];
      floor++;
    }
    f64[words.floorBlock] = floor;
  }

  private select(db: number): void {
    const owed = this.owedArgs;
    this.marker(STAR, 2);
    this.argText('SELECT');
    this.argNumber(db);
    this.owedArgs = owed;
    this.db = db;
  }

  private marker(kind: number, n: number): void {
    if (this.limit - this.offset < MARKER_BYTES) {
      const scratch = this.scratch;
      scratch[0] = kind;
      const end = writeDecimal(scratch, 1, n);
      scratch[end] = CR;
      scratch[end + 1] = LF;
      this.raw(scratch, 0, end + 2);
      return;
    }
    const bytes = this.bytes;
    let at = this.offset;
    bytes[at++] = kind;
    if (n < 10) bytes[at++] = 48 + n;
    else at = writeDecimal(bytes, at, n);
    bytes[at] = CR;
    bytes[at + 1] = LF;
    this.offset = at + 2;
  }

  private lineEnd(): void {
    if (this.limit - this.offset < 2) {
      this.raw(LINE_END, 0, 2);
      return;
    }
    this.bytes[this.offset] = CR;
    this.bytes[this.offset + 1] = LF;
    this.offset += 2;
  }

  private raw(buf: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > this.limit - this.offset) this.rawAcross(buf, start, end);
    else if (length > LOOP_COPY_BYTES) {
      buf.copy(this.bytes, this.offset, start, end);
      this.offset += length;
    } else this.rawLoop(buf, start, length);
  }

  /** Copies words of 8 bytes, the last of them overlapping. Plain stores: Invariant 2 orders them. */
  private rawLoop(buf: Buffer, start: number, length: number): void {
    const at = this.offset;
    this.offset = at + length;
    if (length < 8) {
      const bytes = this.bytes;
      for (let i = 0; i < length; i++) bytes[at + i] = buf[start + i];
      return;
    }
    const from = buf === this.source ? this.sourceView : this.otherSource(buf);
    const to = this.view;
    const last = length - 8;
    for (let i = 0; i < last; i += 8) to.setBigInt64(at + i, from.getBigInt64(start + i));
    to.setBigInt64(at + last, from.getBigInt64(start + last));
  }

  /** Makes `buf` the first of the two remembered sources. */
  private otherSource(buf: Buffer): DataView {
    const view = buf === this.source2 ? this.source2View : new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
    this.source2 = this.source;
    this.source2View = this.sourceView;
    this.source = buf;
    this.sourceView = view;
    return view;
  }

  private rawAcross(buf: Buffer, start: number, end: number): void {
    while (start < end) {
      if (this.offset === this.limit) this.nextBlock();
      const length = Math.min(end - start, this.limit - this.offset);
      buf.copy(this.bytes, this.offset, start, start + length);
      this.offset += length;
      start += length;
    }
  }

  // ---- multi-shard transactions ----------------------------------------------------------------------------------

  /** For publishTransaction: the mark of this part, behind its records. `parts` is ` <shard>:<end>` of every part. */
  writeMarks(parts: readonly string[]): void {
    const { f64, i32, words } = this;
    const start = f64[words.head];
    const markStart = this.end();
    const lineStart = MARK_WORD + start;
    let line = lineStart;
    for (const part of parts) {
      if (line.length + part.length + 2 > MAX_LINE_BYTES) {
        this.rawText(line + '\r\n');
        line = lineStart;
      }
      line += part;
    }
    this.rawText(line + '\r\n');
    const ring = i32[words.partHead];
    if (((ring - i32[words.partTail]) | 0) >= PART_RING)
      throw new Error(`too many undrained transactions in shard ${this.shard}`);
    const at = words.parts + (ring & (PART_RING - 1)) * PART_WORDS;
    f64[at] = start;
    f64[at + 1] = markStart;
    Atomics.store(i32, words.partHead, (ring + 1) | 0);
  }

  /** For publishTransaction: closes the part; position behind its records. */
  closePart(): number {
    this.transactionClose();
    return this.end();
  }

  /** For publishTransaction: steps a process-wide counter. */
  step(counter: typeof GLOBAL.txBegun | typeof GLOBAL.txEnded | typeof GLOBAL.partsPublished, by = 1): void {
    Atomics.add(this.i32, counter, by);
  }

  private rawText(text: string): void {
    this.raw(Buffer.from(text, 'latin1'), 0, text.length);
  }
}

/**
 * Publishes the staged records of a unit in the first `count` journals as one transaction: recovery finds all of it or nothing. The
 * caller holds all their latches. One journal: plain publish.
 */
export function publishTransaction(journals: readonly Journal[], count = journals.length): void {
  if (count === 1) journals[0].publish();
  if (count <= 1) return;
  const parts: string[] = [];
  for (let i = 0; i < count; i++) parts.push(` ${journals[i].shard}:${journals[i].closePart()}`);
  for (let i = 0; i < count; i++) journals[i].writeMarks(parts);
  journals[0].step(GLOBAL.txBegun);
  journals[0].step(GLOBAL.partsPublished, count);
  for (let i = 0; i < count; i++) journals[i].publish();
  journals[0].step(GLOBAL.txEnded);
}
