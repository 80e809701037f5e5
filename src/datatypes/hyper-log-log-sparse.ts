/**
 * The sparse body of a HyperLogLog: its 16384 registers as runs, one after the other.
 *
 *   00llllll            l + 1 registers of height 0             (1 … 64)
 *   01llllll llllllll   l + 1 registers of height 0             (1 … 16384)
 *   1hhhhhll            l + 1 registers of height h + 1         (1 … 4, height 1 … 32)
 *
 * Bytes from outside may be anything: who walks over them says where they are not sound.
 */
import { HEADER_BYTES, type HeightHistogram, REGISTERS } from './hyper-log-log.ts';

const LONG_ZERO = 0x40;
const HEIGHT_RUN = 0x80;
const MAX_ZERO_RUN = 64;
const MAX_HEIGHT_RUN = 4;
/** Higher registers need the dense form. */
export const MAX_SPARSE_HEIGHT = 32;
/** No sound value is longer. */
export const MAX_SPARSE_BYTES = HEADER_BYTES + REGISTERS * 2;
/** Runs among which equal neighbours are looked for after a change. */
const MERGED_RUNS = 5;

/** What raising a register came to. */
export const RAISE = { kept: 0, raised: 1, damaged: 2, tooLong: 3 } as const;

/** Walks over the runs of a body. */
export class RunWalk {
  /** The run at hand: its first byte, bytes, first register, registers, and their height. */
  at = 0;
  bytes = 0;
  first = 0;
  length = 0;
  height = 0;
  private buf: Buffer = Buffer.alloc(0);
  private end = 0;

  /** In front of the first run of the value buf[start, end). */
  start(buf: Buffer, start: number, end: number): void {
    this.buf = buf;
    this.end = end;
    this.at = start + HEADER_BYTES;
    this.bytes = 0;
    this.first = 0;
    this.length = 0;
  }

  /** To the next run; false: there is none, or it is cut off. */
  next(): boolean {
    const at = (this.at += this.bytes);
    this.first += this.length;
    this.bytes = 0;
    this.length = 0;
    if (at >= this.end) return false;
    const byte = this.buf[at];
    this.height = 0;
    if (byte >= HEIGHT_RUN) {
      this.height = ((byte >> 2) & 31) + 1;
      this.length = (byte & 3) + 1;
    } else if (byte < LONG_ZERO) {
      this.length = byte + 1;
    } else {
      if (at + 1 >= this.end) return false;
      this.length = (((byte & 63) << 8) | this.buf[at + 1]) + 1;
      this.bytes = 2;
      return true;
    }
    this.bytes = 1;
    return true;
  }

  /** After `next` was false: do the runs cover all registers, and nothing else? */
  isWhole(): boolean {
    return this.at === this.end && this.first === REGISTERS;
  }
}

const walk = new RunWalk();

/** Raises `heights` to the registers of the value buf[start, end); false: it is damaged. */
export function raiseToSparse(heights: Uint8Array, buf: Buffer, start: number, end: number): boolean {
  walk.start(buf, start, end);
  while (walk.next()) {
    const behind = walk.first + walk.length;
    if (behind > REGISTERS) return false;
    for (let i = walk.first; walk.height > 0 && i < behind; i++) {
      if (heights[i] < walk.height) heights[i] = walk.height;
    }
  }
  return walk.isWhole();
}

/** Adds the registers of the value buf[start, end) to a histogram; false: it is damaged. */
export function addSparse(histogram: HeightHistogram, buf: Buffer, start: number, end: number): boolean {
  walk.start(buf, start, end);
  while (walk.next()) histogram.registers[walk.height] += walk.length;
  return walk.isWhole();
}

/** Height of register `index` in the value buf[start, end), -1: it is damaged. */
export function sparseRegister(buf: Buffer, start: number, end: number, index: number): number {
  walk.start(buf, start, end);
  while (walk.next()) if (index < walk.first + walk.length) return walk.height;
  return -1;
}

/** Writes the body of a value all of whose registers are 0; returns the length of the value. */
export function writeEmptyBody(buf: Buffer): number {
  return HEADER_BYTES + writeZeros(buf, HEADER_BYTES, REGISTERS);
}

function writeZeros(buf: Buffer, at: number, length: number): number {
  if (length <= MAX_ZERO_RUN) {
    buf[at] = length - 1;
    return 1;
  }
  buf[at] = LONG_ZERO | ((length - 1) >> 8);
  buf[at + 1] = (length - 1) & 255;
  return 2;
}

function heightRun(height: number, length: number): number {
  return HEIGHT_RUN | ((height - 1) << 2) | (length - 1);
}

/** A run in three parts at most. */
const parts = Buffer.alloc(8);

/** Changes one private value buf[0, length), whose buffer has room for three bytes more. */
export class SparseEditor {
  /** Bytes of the value after `raise`. */
  length = 0;

  /**
   * Raises register `index` to `height`; a RAISE. tooLong: it would need more than `maxBytes`, or is too high; nothing has changed.
   */
  raise(buf: Buffer, length: number, index: number, height: number, maxBytes: number): number {
    this.length = length;
    if (height > MAX_SPARSE_HEIGHT) return RAISE.tooLong;
    walk.start(buf, 0, length);
    let previous = HEADER_BYTES;
    for (;;) {
      const last = walk.at;
      if (!walk.next()) return RAISE.damaged;
      if (walk.first > 0) previous = last;
      if (index < walk.first + walk.length) break;
    }
    if (walk.height >= height) return RAISE.kept;
    if (walk.length === 1 && walk.bytes === 1) {
      buf[walk.at] = heightRun(height, 1);
    } else {
      const bytes = this.divided(index, height);
      const growth = bytes - walk.bytes;
      if (growth > 0 && length + growth > maxBytes) return RAISE.tooLong;
      buf.copyWithin(walk.at + bytes, walk.at + walk.bytes, length);
      parts.copy(buf, walk.at, 0, bytes);
      this.length = length + growth;
    }
    this.mergeFrom(buf, previous);
    return RAISE.raised;
  }

  /** Writes into `parts` what stands in the place of the run at hand: before the register, the register, behind it. */
  private divided(index: number, height: number): number {
    const before = index - walk.first;
    const behind = walk.first + walk.length - 1 - index;
    let at = 0;
    if (before > 0) at += this.writeRun(at, before);
    parts[at++] = heightRun(height, 1);
    if (behind > 0) at += this.writeRun(at, behind);
    return at;
  }

  private writeRun(at: number, length: number): number {
    if (walk.height === 0) return writeZeros(parts, at, length);
    parts[at] = heightRun(walk.height, length);
    return 1;
  }

  /** Makes one run of equal neighbours where they fit into one, among the runs from `at` on. */
  private mergeFrom(buf: Buffer, at: number): void {
    for (let runs = MERGED_RUNS; runs > 0 && at < this.length; runs--) {
      const byte = buf[at];
      if (byte < HEIGHT_RUN) {
        at += byte < LONG_ZERO ? 1 : 2;
        continue;
      }
      const together = (byte & 3) + (buf[at + 1] & 3) + 2;
      if (at + 1 < this.length && byte >> 2 === buf[at + 1] >> 2 && together <= MAX_HEIGHT_RUN) {
        buf.copyWithin(at, at + 1, this.length--);
        buf[at] = (byte & ~3) | (together - 1);
      } else {
        at++;
      }
    }
  }
}
