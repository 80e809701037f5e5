/**
 * The arguments of one command: ranges of bytes in a buffer.
 *
 *   buf   … *3\r\n $3\r\n SET \r\n $1\r\n k \r\n $1\r\n v \r\n …
 *            ^frameStart  ^starts[0] ^ends[0]                ^frameEnd
 *
 * One object per thread is filled again for every command, so whoever needs the arguments longer takes `copyOwned()`.
 * Invariant 1: only the first `count` elements of `starts` and `ends` mean anything.
 * Invariant 2: frameStart >= 0 only if buf[frameStart, frameEnd) is exactly this command as a canonical RESP multibulk
 * frame, which may be copied verbatim (journal, replicas). Inline commands, and frames whose line ends are not CR LF, have -1.
 */
const FIRST_CAPACITY = 64;
const KEPT_CAPACITY = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

export class Args {
  buf: Buffer = NO_BYTES;
  count = 0;
  starts: Int32Array;
  ends: Int32Array;
  frameStart = -1;
  frameEnd = -1;
  /** The argument whose hash and shard have been computed, 0: none yet. */
  located = 0;
  keyHash = 0;
  keyShard = 0;

  /** `capacity`: arguments that fit without growing. */
  constructor(capacity: number = FIRST_CAPACITY) {
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
  }

  /** Makes room for `count` arguments, at least doubling; what is there stays. */
  grow(count: number): void {
    if (count <= this.starts.length) return;
    const capacity = Math.max(count, this.starts.length * 2, FIRST_CAPACITY);
    const starts = new Int32Array(capacity);
    const ends = new Int32Array(capacity);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  /** Gives back what a huge command made it grow to, once there is a smaller one. */
  shrink(count: number): void {
    if (this.starts.length <= KEPT_CAPACITY || count > KEPT_CAPACITY) return;
    this.starts = new Int32Array(KEPT_CAPACITY);
    this.ends = new Int32Array(KEPT_CAPACITY);
  }

  /** Bytes of argument i. */
  length(i: number): number {
    return this.ends[i] - this.starts[i];
  }

  /** Argument i as a latin1 string, one character per byte. Cold. */
  text(i: number): string {
    return this.buf.toString('latin1', this.starts[i], this.ends[i]);
  }

  /** Whether argument i is this word, whatever the case of its ASCII letters. `lowerAscii` is in lower case. */
  equalsIgnoreCase(i: number, lowerAscii: string): boolean {
    const start = this.starts[i];
    const length = lowerAscii.length;
    if (this.ends[i] - start !== length) return false;
    const buf = this.buf;
    for (let k = 0; k < length; k++) {
      let byte = buf[start + k];
      if (byte >= 65 && byte <= 90) byte |= 32;
      if (byte !== lowerAscii.charCodeAt(k)) return false;
    }
    return true;
  }

  /** Whether argument i has exactly these bytes. */
  equals(i: number, bytes: Uint8Array): boolean {
    const start = this.starts[i];
    const length = bytes.length;
    if (this.ends[i] - start !== length) return false;
    const buf = this.buf;
    for (let k = 0; k < length; k++) if (buf[start + k] !== bytes[k]) return false;
    return true;
  }

  /** Own copy of the bytes of argument i. */
  bytes(i: number): Buffer {
    return Buffer.from(this.buf.subarray(this.starts[i], this.ends[i]));
  }

  /** The same arguments over bytes of their own, for a command that waits or travels (R15). */
  copyOwned(): Args {
    const own = new Args(Math.max(this.count, 1));
    const count = this.count;
    own.count = count;
    if (count === 0) return own;
    const framed = this.frameStart >= 0;
    const base = framed ? this.frameStart : this.starts[0];
    const end = framed ? this.frameEnd : this.ends[count - 1];
    own.buf = Buffer.from(this.buf.subarray(base, end));
    for (let i = 0; i < count; i++) {
      own.starts[i] = this.starts[i] - base;
      own.ends[i] = this.ends[i] - base;
    }
    own.frameStart = framed ? 0 : -1;
    own.frameEnd = framed ? end - base : -1;
    return own;
  }

  /** Arguments made of texts (latin1), e.g. for replaying or for tests. */
  static of(...texts: string[]): Args {
    const args = new Args(Math.max(texts.length, 1));
    args.buf = Buffer.from(texts.join(''), 'latin1');
    args.count = texts.length;
    let at = 0;
    for (let i = 0; i < texts.length; i++) {
      args.starts[i] = at;
      at += texts[i].length;
      args.ends[i] = at;
    }
    return args;
  }
}
