/**
 * Reads commands out of a connection's bytes: RESP multibulk frames and inline commands, cut anywhere.
 *
 * Two roads. `read` itself takes a whole, regular frame that lies in the buffer: the hottest loop of the server, which
 * writes ranges straight into the thread's Args. Whatever else comes (a frame that is cut, odd or wrong, or inline) goes
 * to `resume`, which keeps its state here:
 *
 *   frame   *3\r\n$3\r\nSET\r\n$5\r\nhel|          | = end of the bytes so far
 *           ^0                     ^done  ^scanned  offsets from the frame's first byte
 *
 * Invariant 1: between two reads the state holds offsets only; the caller may move the frame to another buffer, and gives
 * its first byte as `pos` again.
 * Invariant 2: no byte is scanned twice, however small the pieces are in which a frame arrives.
 * Invariant 3: what comes out does not depend on where the input was cut.
 */
import type { Args } from './args.ts';
import { splitInline } from './inline-request.ts';
import { parseInt64, parseInteger } from './numbers.ts';

/** The frame is not complete; call again with the same first byte and more bytes. */
export const NEED_MORE = -1;
/** The connection must be closed; `error` says why. */
export const PROTOCOL_ERROR = -2;

/** A line (inline command, count of arguments, length of an argument) that is longer is refused. */
const MAX_LINE_BYTES = 64 * 1024;
const MAX_ARGUMENTS = 0x7fffffff;
const MAX_UNAUTHENTICATED_ARGUMENTS = 10;
const MAX_UNAUTHENTICATED_BULK_BYTES = 16384;
/** Shorter arguments are never compared with a limit. */
const MIN_BULK_LIMIT = 1000;
/** Offsets are int32; the query buffer limit (1 GiB) ends a client long before. */
const MAX_FRAME_BYTES = 0x7fffffff - 64;
const DEFAULT_MAX_BULK_BYTES = 512 * 1024 * 1024;

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;

/** Commands with more arguments take the careful road, which makes room only for those that really come. */
const FAST_ARGUMENTS = 4096;

const KIND_NONE = 0;
const KIND_INLINE = 1;
const KIND_MULTIBULK = 2;

const NO_RANGES = new Int32Array(0);
/** Room for the ranges of cut frames that a connection keeps between them. */
const KEPT_RANGES = 128;

export class RequestReader {
  /** proto-max-bulk-len, at least MIN_BULK_LIMIT. */
  maxBulkBytes = DEFAULT_MAX_BULK_BYTES;
  /** False: Redis's narrow limits for clients that have yet to authenticate. */
  authenticated = true;
  /** After PROTOCOL_ERROR: the text, without the error code. */
  error = '';
  /** After NEED_MORE: bytes from the frame's first that it has at least, for one allocation of the right size; else 0. */
  needBytes = 0;

  // State of a frame that is cut; offsets from its first byte.
  private kind = KIND_NONE;
  /** Start of what is not parsed yet: a line, or the bytes of an argument. */
  private done = 0;
  /** The line that starts at `done` has no end before this offset. */
  private scanned = 0;
  /** A NUL hides the rest of the line, as it does from Redis's strchr: its end never comes. */
  private hidden = false;
  /** Arguments announced, -1 = not known yet. */
  private announced = -1;
  private parsed = 0;
  /** Bytes of the argument that starts at `done`, -1 = its length line has not been read. */
  private bulkBytes = -1;
  /** All line ends so far were CR LF. */
  private canonical = true;
  /** start, end of each parsed argument. */
  private ranges: Int32Array = NO_RANGES;

  /**
   * Parses one command out of buf[pos, end) into `args`. Returns the position behind it, NEED_MORE or PROTOCOL_ERROR.
   * An empty command (blank line, `*0`, `*-1`) gives args.count = 0 and is to be ignored.
   */
  read(buf: Buffer, pos: number, end: number, args: Args): number {
    if (this.kind !== KIND_NONE) return this.resume(buf, pos, end, args);
    if (end - pos < 4 || buf[pos] !== STAR) return this.begin(buf, pos, end, args);
    let count = buf[pos + 1] - 48;
    if ((count - 1) >>> 0 > 8) return this.begin(buf, pos, end, args);
    let p = pos + 2;
    if (buf[p] !== CR) {
      do {
        const digit = buf[p] - 48;
        if (digit >>> 0 > 9) return this.begin(buf, pos, end, args);
        count = count * 10 + digit;
        if (++p >= end || count > FAST_ARGUMENTS) return this.begin(buf, pos, end, args);
      } while (buf[p] !== CR);
      if (count > MAX_UNAUTHENTICATED_ARGUMENTS && !this.authenticated) return this.begin(buf, pos, end, args);
    }
    p += 2;
    if (p > end || buf[p - 1] !== LF) return this.begin(buf, pos, end, args);
    if (count > args.starts.length) args.grow(count);
    const starts = args.starts;
    const ends = args.ends;
    for (let i = 0; i < count; i++) {
      if (end - p < 6 || buf[p] !== DOLLAR) return this.cut(buf, pos, end, args, count, i, p);
      let length = buf[p + 1] - 48;
      if (length >>> 0 > 9) return this.cut(buf, pos, end, args, count, i, p);
      let q = p + 2;
      let byte = buf[q];
      if (byte !== CR) {
        // numbers do not begin with a zero
        if (length === 0) return this.cut(buf, pos, end, args, count, i, p);
        do {
          const digit = byte - 48;
          if (digit >>> 0 > 9) return this.cut(buf, pos, end, args, count, i, p);
          length = length * 10 + digit;
          if (++q >= end || length > 99_999_999) return this.cut(buf, pos, end, args, count, i, p);
          byte = buf[q];
        } while (byte !== CR);
        if (
          length > MIN_BULK_LIMIT &&
          (length > this.maxBulkBytes || (length > MAX_UNAUTHENTICATED_BULK_BYTES && !this.authenticated))
        ) {
          return this.cut(buf, pos, end, args, count, i, p);
        }
      }
      q += 2;
      const stop = q + length;
      if (stop + 2 > end || buf[q - 1] !== LF || buf[stop] !== CR || buf[stop + 1] !== LF) {
        return this.cut(buf, pos, end, args, count, i, p);
      }
      starts[i] = q;
      ends[i] = stop;
      p = stop + 2;
    }
    args.buf = buf;
    args.count = count;
    args.frameStart = pos;
    args.frameEnd = p;
    return p;
  }

  /** Forgets a frame that was cut or wrong: it will be read from its first byte again. */
  forget(): void {
    this.kind = KIND_NONE;
    this.needBytes = 0;
  }

  /** First bytes of something that the fast road does not take. */
  private begin(buf: Buffer, pos: number, end: number, args: Args): number {
    if (pos >= end) {
      this.needBytes = 1;
      return NEED_MORE;
    }
    this.kind = buf[pos] === STAR ? KIND_MULTIBULK : KIND_INLINE;
    this.done = this.scanned = 0;
    this.hidden = false;
    this.announced = this.bulkBytes = -1;
    this.parsed = 0;
    this.canonical = true;
    return this.resume(buf, pos, end, args);
  }

  /** The fast road ends before argument `parsed`, at p: carries what it found over to the slow one. */
  private cut(buf: Buffer, pos: number, end: number, args: Args, count: number, parsed: number, p: number): number {
    this.kind = KIND_MULTIBULK;
    this.done = this.scanned = p - pos;
    this.hidden = false;
    this.announced = count;
    this.bulkBytes = -1;
    this.canonical = true;
    this.parsed = parsed;
    this.roomForRanges(parsed);
    const ranges = this.ranges;
    for (let i = 0; i < parsed; i++) {
      ranges[2 * i] = args.starts[i] - pos;
      ranges[2 * i + 1] = args.ends[i] - pos;
    }
    return this.resume(buf, pos, end, args);
  }

  private resume(buf: Buffer, pos: number, end: number, args: Args): number {
    this.needBytes = 0;
    return this.kind === KIND_INLINE ? this.inline(buf, pos, end, args) : this.multibulk(buf, pos, end, args);
  }

  private inline(buf: Buffer, pos: number, end: number, args: Args): number {
    const found = this.lineEnd(buf, pos, end, LF);
    if (found < 0) return this.noLine(pos, end, 'Protocol error: too big inline request');
    const start = pos + this.done;
    const stop = found > start && buf[found - 1] === CR ? found - 1 : found;
    this.kind = KIND_NONE;
    if (!splitInline(buf, start, stop, args)) return this.fail('Protocol error: unbalanced quotes in request');
    return found + 1;
  }

  private multibulk(buf: Buffer, pos: number, end: number, args: Args): number {
    if (this.announced < 0) {
      const outcome = this.countLine(buf, pos, end);
      if (outcome !== 0) return outcome;
      if (this.announced === 0) {
        this.kind = KIND_NONE;
        args.count = 0;
        args.frameStart = -1;
        return pos + this.done;
      }
    }
    while (this.parsed < this.announced) {
      if (this.bulkBytes < 0) {
        const outcome = this.lengthLine(buf, pos, end);
        if (outcome !== 0) return outcome;
      }
      const start = this.done;
      const stop = start + this.bulkBytes;
      if (stop + 2 > end - pos) {
        this.needBytes = stop + 2;
        return NEED_MORE;
      }
      if (buf[pos + stop] !== CR || buf[pos + stop + 1] !== LF) this.canonical = false;
      const i = this.parsed++;
      this.roomForRanges(i + 1);
      this.ranges[2 * i] = start;
      this.ranges[2 * i + 1] = stop;
      this.bulkBytes = -1;
      this.done = this.scanned = stop + 2;
    }
    return this.complete(buf, pos, args);
  }

  /** Reads `*count`: 0 = done, else what `read` returns. */
  private countLine(buf: Buffer, pos: number, end: number): number {
    const found = this.wholeLine(buf, pos, end, 'Protocol error: too big mbulk count string');
    if (found < 0) return found;
    const count = lineNumber(buf, pos + 1, found);
    if (!(count <= MAX_ARGUMENTS)) return this.fail('Protocol error: invalid multibulk length');
    if (count > MAX_UNAUTHENTICATED_ARGUMENTS && !this.authenticated) {
      return this.fail('Protocol error: unauthenticated multibulk length');
    }
    this.announced = Math.max(count, 0);
    this.nextLine(buf, pos, found);
    return 0;
  }

  /** Reads `$length`: 0 = done, else what `read` returns. */
  private lengthLine(buf: Buffer, pos: number, end: number): number {
    const found = this.wholeLine(buf, pos, end, 'Protocol error: too big bulk count string');
    if (found < 0) return found;
    const first = buf[pos + this.done];
    if (first !== DOLLAR) return this.fail(`Protocol error: expected '$', got '${String.fromCharCode(first)}'`);
    const length = lineNumber(buf, pos + this.done + 1, found);
    if (!(length >= 0 && length <= this.maxBulkBytes) || this.done + length > MAX_FRAME_BYTES) {
      return this.fail('Protocol error: invalid bulk length');
    }
    if (length > MAX_UNAUTHENTICATED_BULK_BYTES && !this.authenticated) {
      return this.fail('Protocol error: unauthenticated bulk length');
    }
    this.bulkBytes = length;
    this.nextLine(buf, pos, found);
    return 0;
  }

  /** Position of the CR of a line whose LF is there too; NEED_MORE or PROTOCOL_ERROR. */
  private wholeLine(buf: Buffer, pos: number, end: number, tooBig: string): number {
    const found = this.lineEnd(buf, pos, end, CR);
    if (found < 0) return this.noLine(pos, end, tooBig);
    if (found + 2 > end) {
      this.needBytes = found + 2 - pos;
      return NEED_MORE;
    }
    return found;
  }

  /** As Redis, takes whatever byte follows the CR for the LF. */
  private nextLine(buf: Buffer, pos: number, found: number): void {
    if (buf[found + 1] !== LF) this.canonical = false;
    this.done = this.scanned = found + 2 - pos;
  }

  /** Position of the byte that ends the line at `done`, or -1. */
  private lineEnd(buf: Buffer, pos: number, end: number, mark: number): number {
    if (this.hidden) return -1;
    const limit = Math.min(end, pos + this.done + MAX_LINE_BYTES + 1);
    for (let i = pos + this.scanned; i < limit; i++) {
      const byte = buf[i];
      if (byte === mark) {
        this.scanned = i - pos;
        return i;
      }
      if (byte === 0) {
        this.hidden = true;
        return -1;
      }
    }
    this.scanned = Math.max(this.scanned, limit - pos);
    return -1;
  }

  private noLine(pos: number, end: number, tooBig: string): number {
    if (end - pos - this.done > MAX_LINE_BYTES) return this.fail(tooBig);
    this.needBytes = end - pos + 1;
    return NEED_MORE;
  }

  private complete(buf: Buffer, pos: number, args: Args): number {
    const count = this.parsed;
    if (count > args.starts.length) args.grow(count);
    else args.shrink(count);
    const { starts, ends } = args;
    const ranges = this.ranges;
    for (let i = 0; i < count; i++) {
      starts[i] = pos + ranges[2 * i];
      ends[i] = pos + ranges[2 * i + 1];
    }
    if (ranges.length > KEPT_RANGES) this.ranges = NO_RANGES;
    this.kind = KIND_NONE;
    args.buf = buf;
    args.count = count;
    args.frameStart = this.canonical ? pos : -1;
    args.frameEnd = this.canonical ? pos + this.done : -1;
    return pos + this.done;
  }

  private fail(text: string): number {
    this.kind = KIND_NONE;
    this.ranges = NO_RANGES;
    this.error = text;
    return PROTOCOL_ERROR;
  }

  private roomForRanges(count: number): void {
    if (2 * count <= this.ranges.length) return;
    const grown = new Int32Array(Math.max(16, 4 * count));
    grown.set(this.ranges);
    this.ranges = grown;
  }
}

/** The number in buf[start, end), any of 64 bits (rounded, which is near enough for limits); NaN if there is none. */
function lineNumber(buf: Buffer, start: number, end: number): number {
  const value = parseInteger(buf, start, end);
  if (!Number.isNaN(value)) return value;
  const wide = parseInt64(buf, start, end);
  return wide === null ? Number.NaN : Number(wide);
}
