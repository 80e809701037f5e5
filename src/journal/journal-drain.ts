/**
 * From the chain in shared memory to the shard's file: whoever ends a batch takes the drain word and writes what is published (R18).
 * One object per thread and shard; the words are shared (journal-memory.ts).
 *
 * Invariant 1: only the holder of the drain word reads or writes the drainer's line, and calls the system for this file.
 * Invariant 2: the file is a row of whole batches up to `fileBytes`; every write begins there. What a failed write left behind it is cut
 *              off before the drain word is given back (and, should that fail too, overwritten by the next try).
 * Invariant 3: `written` moves after the write returned. Whoever reads it may rely on the page cache (a kill of the process loses nothing).
 * Invariant 4: a part of a multi-shard transaction opens a batch, so that a cut before it is the end of a batch (R17).
 * Invariant 5: who releases the drain word looks at the head again: records that were published while another thread was refused the
 *              word are written by the one that held it.
 */
import { crc32 } from 'node:zlib';
import { Doorbell } from '../../native-free-shm/doorbell.ts';
import { errnoOf, type Files, writeAllParts } from '../env/files.ts';
import { headerCrc, MAX_HEADER_BYTES, writeHeaderCrc, writeHeaderFields } from './batch-header.ts';
import {
  GLOBAL,
  giveBack,
  JOURNAL_STATE,
  type JournalMemory,
  type JournalWords,
  PART_RING,
  PART_WORDS,
} from './journal-memory.ts';

/** Up to here header and bytes are copied together, which is cheaper than a list of parts. */
const SMALL_BATCH_BYTES = 16 * 1024;
/** Parts of one system call; the system's own bound is 1024. */
const MAX_PARTS = 512;

/** One per thread: the bytes are in it only during one call. */
const small = Buffer.alloc(MAX_HEADER_BYTES + SMALL_BATCH_BYTES);

export class JournalDrain {
  private readonly words: JournalWords;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly shard: number;
  private readonly segments: readonly Buffer[];
  private readonly blockBytes: number;
  private readonly blocks: number;
  private readonly blocksPerSegment: number;
  private readonly files: Files;
  private readonly bell: Doorbell;

  constructor(memory: JournalMemory, words: JournalWords, shard: number, segments: readonly Buffer[], files: Files) {
    this.words = words;
    this.i32 = words.i32;
    this.f64 = words.f64;
    this.shard = shard;
    this.segments = segments;
    this.blockBytes = memory.blockBytes;
    this.blocks = memory.blocks;
    this.blocksPerSegment = segments[0].length / memory.blockBytes;
    this.files = files;
    this.bell = new Doorbell(words.i32, GLOBAL.bell);
  }

  /** See Journal.drain. With `retry` a failed write is tried again. */
  drain(retry = false): boolean {
    const { i32, words } = this;
    for (;;) {
      const failed = i32[words.writeError] !== 0;
      if (!failed && Atomics.load(i32, words.headLow) === Atomics.load(i32, words.writtenLow)) return true;
      if (failed && !retry) return false;
      if (Atomics.compareExchange(i32, words.drain, 0, 1) !== 0) return false;
      const done = this.writePublished();
      giveBack(i32, words.drain);
      if (!done) return false;
    }
  }

  /** See Journal.seal. */
  seal(safe: number): boolean {
    const { i32, words } = this;
    if (Atomics.compareExchange(i32, words.drain, 0, 1) !== 0) return false;
    const written = words.loadPosition(words.written);
    const done = i32[words.fd] >= 0 && i32[words.writeError] === 0 && this.writeBatch(written, written, -1, safe);
    giveBack(i32, words.drain);
    return done;
  }

  /** Writes [written, head) as batches. False: the disk refused. */
  private writePublished(): boolean {
    const { i32, words } = this;
    const from = words.loadPosition(words.written);
    const to = from + ((Atomics.load(i32, words.headLow) - (from | 0)) >>> 0);
    if (i32[words.fd] < 0) return false;
    const safe = words.loadPosition(words.safe);
    let start = from;
    while (start < to) {
      const mark = this.markOfPartAt(start);
      const end = Math.min(to, this.nextPartAfter(start));
      if (!this.writeBatch(start, end, mark, safe)) return false;
      if (mark >= 0) words.storePosition(words.lastPart, start);
      words.storePosition(words.written, end);
      Atomics.store(i32, words.writtenLow, end | 0);
      if (mark >= 0) Atomics.add(i32, GLOBAL.partsWritten, 1);
      start = end;
    }
    if (i32[words.writeError] !== 0) i32[words.writeError] = 0;
    return true;
  }

  /** Offset of the mark lines if a part begins at `start` (it leaves the ring then), else -1. */
  private markOfPartAt(start: number): number {
    const { i32, f64, words } = this;
    const tail = i32[words.partTail];
    if (Atomics.load(i32, words.partHead) === tail) return -1;
    const at = words.parts + (tail & (PART_RING - 1)) * PART_WORDS;
    if (f64[at] !== start) return -1;
    return f64[at + 1] - start;
  }

  /** Where the first part behind `start` begins; Infinity where none is known. */
  private nextPartAfter(start: number): number {
    const { i32, f64, words } = this;
    const head = Atomics.load(i32, words.partHead);
    for (let part = i32[words.partTail]; part !== head; part = (part + 1) | 0) {
      const at = f64[words.parts + (part & (PART_RING - 1)) * PART_WORDS];
      if (at > start) return at;
    }
    return Number.POSITIVE_INFINITY;
  }

  private writeBatch(start: number, end: number, mark: number, safe: number): boolean {
    const { f64, i32, words, files } = this;
    const fd = i32[words.fd];
    const fileBytes = f64[words.fileBytes];
    const length = end - start;
    let at = writeHeaderFields(small, this.shard, end, length, safe, mark);
    let crc = headerCrc(small, 0, at, i32[words.salt]);
    try {
      let bytes: number;
      if (length <= SMALL_BATCH_BYTES) {
        const dataAt = at + 10;
        this.copyOut(start, end, dataAt);
        if (length > 0) crc = crc32(small.subarray(dataAt, dataAt + length), crc);
        at = writeHeaderCrc(small, at, crc);
        bytes = at + length;
        const written = files.writeAt(fd, small, 0, bytes, fileBytes);
        if (written < bytes) writeAllParts(files, fd, [small.subarray(written, bytes)], fileBytes + written);
      } else {
        const ranges = this.ranges(start, end);
        for (const range of ranges) crc = crc32(range, crc);
        at = writeHeaderCrc(small, at, crc);
        bytes = at + length;
        ranges.unshift(small.subarray(0, at));
        this.writeRanges(fd, ranges, fileBytes);
      }
      f64[words.fileBytes] = fileBytes + bytes;
      f64[words.batches]++;
      if (mark >= 0) i32[words.partTail] = (i32[words.partTail] + 1) | 0;
      return true;
    } catch (error) {
      this.undoWrite(fd, fileBytes, errnoOf(error));
      return false;
    }
  }

  private writeRanges(fd: number, ranges: Buffer[], position: number): void {
    for (let i = 0; i < ranges.length; i += MAX_PARTS) {
      const parts = ranges.slice(i, i + MAX_PARTS);
      let bytes = 0;
      for (const part of parts) bytes += part.length;
      writeAllParts(this.files, fd, parts, position);
      position += bytes;
    }
  }

  /** Cuts off what a failed write may have left, and says so (R20, ENOSPC). The bytes stay in memory. */
  private undoWrite(fd: number, fileBytes: number, errno: number): void {
    const { i32, words } = this;
    i32[words.writeError] = errno;
    try {
      this.files.truncate(fd, fileBytes);
    } catch {
      // What was left behind is a torn tail until the next try overwrites it: that try writes the same bytes, or more, in the same place.
    }
    Atomics.store(i32, GLOBAL.errno, errno);
    Atomics.store(i32, GLOBAL.brokenShard, this.shard);
    Atomics.or(i32, GLOBAL.state, JOURNAL_STATE.writeFailed);
    this.bell.ring();
  }

  /** Where the byte at `position` lies, as an offset in its segment; `segmentOf` tells the segment. */
  private blockAt(position: number): number {
    return this.i32[this.words.blockTable + (Math.floor(position / this.blockBytes) % this.blocks)];
  }

  private copyOut(start: number, end: number, to: number): void {
    while (start < end) {
      const inBlock = start % this.blockBytes;
      const length = Math.min(end - start, this.blockBytes - inBlock);
      const block = this.blockAt(start);
      const segment = Math.floor(block / this.blocksPerSegment);
      const base = (block - segment * this.blocksPerSegment) * this.blockBytes + inBlock;
      this.segments[segment].copy(small, to, base, base + length);
      to += length;
      start += length;
    }
  }

  /** Views of the bytes of [start, end), neighbours joined. */
  private ranges(start: number, end: number): Buffer[] {
    const ranges: Buffer[] = [];
    let rangeSegment = -1;
    let rangeStart = 0;
    let rangeEnd = 0;
    while (start < end) {
      const inBlock = start % this.blockBytes;
      const length = Math.min(end - start, this.blockBytes - inBlock);
      const block = this.blockAt(start);
      const segment = Math.floor(block / this.blocksPerSegment);
      const base = (block - segment * this.blocksPerSegment) * this.blockBytes + inBlock;
      if (segment !== rangeSegment || base !== rangeEnd) {
        if (rangeSegment >= 0) ranges.push(this.segments[rangeSegment].subarray(rangeStart, rangeEnd));
        rangeSegment = segment;
        rangeStart = base;
      }
      rangeEnd = base + length;
      start += length;
    }
    if (rangeSegment >= 0) ranges.push(this.segments[rangeSegment].subarray(rangeStart, rangeEnd));
    return ranges;
  }
}
