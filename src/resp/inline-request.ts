/**
 * Inline commands: words in one line, as typed into telnet. Words may be quoted, Redis's way:
 * "…" knows \n \r \t \b \a, \xHH and \any; '…' knows \' only; a closing quote is followed by a blank or by the end.
 */
import type { Args } from './args.ts';

const SPACE = 32;
const TAB = 9;
const LF = 10;
const CR = 13;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;
const LETTER_X = 120;

/** What C calls a space: blank, \t \n \v \f \r. */
function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR);
}

/** What ends an unquoted word. \v and \f separate words only before their first byte. */
function endsWord(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF;
}

/**
 * Splits the line buf[start, end) (no NUL, no line end) into the words of `args`.
 * False: quotes do not match. Without quotes the words are ranges of `buf`, otherwise of a buffer of their own.
 */
export function splitInline(buf: Buffer, start: number, end: number, args: Args): boolean {
  args.frameStart = args.frameEnd = -1;
  args.count = 0;
  for (let i = start; i < end; i++) {
    if (buf[i] === DOUBLE_QUOTE || buf[i] === SINGLE_QUOTE) return new QuotedLine(buf, start, end, args).split();
  }
  args.buf = buf;
  let pos = start;
  for (;;) {
    while (pos < end && isSpace(buf[pos])) pos++;
    if (pos === end) return true;
    const from = pos;
    while (pos < end && !endsWord(buf[pos])) pos++;
    addRange(args, from, pos);
  }
}

function addRange(args: Args, start: number, end: number): void {
  const i = args.count++;
  if (i === args.starts.length) args.grow(i + 1);
  args.starts[i] = start;
  args.ends[i] = end;
}

/** A line with quotes: the words are decoded into a buffer of the command's own. */
class QuotedLine {
  private readonly buf: Buffer;
  private pos: number;
  private readonly end: number;
  private readonly args: Args;
  private readonly out: Buffer;
  private written = 0;

  constructor(buf: Buffer, start: number, end: number, args: Args) {
    this.buf = buf;
    this.pos = start;
    this.end = end;
    this.args = args;
    this.out = Buffer.allocUnsafe(end - start);
    args.buf = this.out;
  }

  split(): boolean {
    for (;;) {
      while (this.pos < this.end && isSpace(this.buf[this.pos])) this.pos++;
      if (this.pos === this.end) return true;
      const from = this.written;
      if (!this.word()) return false;
      addRange(this.args, from, this.written);
    }
  }

  /** One word. A quote may open in its middle, but nothing may follow where it closes. */
  private word(): boolean {
    while (this.pos < this.end) {
      const byte = this.buf[this.pos];
      if (endsWord(byte)) return true;
      this.pos++;
      if (byte === DOUBLE_QUOTE) return this.doubleQuoted();
      if (byte === SINGLE_QUOTE) return this.singleQuoted();
      this.out[this.written++] = byte;
    }
    return true;
  }

  private doubleQuoted(): boolean {
    while (this.pos < this.end) {
      const byte = this.buf[this.pos++];
      if (byte === DOUBLE_QUOTE) return this.atBlank();
      if (byte === BACKSLASH && this.pos < this.end) this.out[this.written++] = this.escaped();
      else this.out[this.written++] = byte;
    }
    return false;
  }

  private singleQuoted(): boolean {
    while (this.pos < this.end) {
      let byte = this.buf[this.pos++];
      if (byte === SINGLE_QUOTE) return this.atBlank();
      if (byte === BACKSLASH && this.pos < this.end && this.buf[this.pos] === SINGLE_QUOTE) byte = this.buf[this.pos++];
      this.out[this.written++] = byte;
    }
    return false;
  }

  private atBlank(): boolean {
    return this.pos === this.end || isSpace(this.buf[this.pos]);
  }

  /** The byte that the escape behind a backslash stands for. */
  private escaped(): number {
    const byte = this.buf[this.pos++];
    if (byte === LETTER_X && this.pos + 2 <= this.end) {
      const high = hexDigit(this.buf[this.pos]);
      const low = hexDigit(this.buf[this.pos + 1]);
      if (high >= 0 && low >= 0) {
        this.pos += 2;
        return high * 16 + low;
      }
    }
    switch (byte) {
      case 110: // n
        return LF;
      case 114: // r
        return CR;
      case 116: // t
        return TAB;
      case 98: // b
        return 8;
      case 97: // a
        return 7;
      default:
        return byte;
    }
  }
}

/** 0..15, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
