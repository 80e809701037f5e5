/** The arguments of SSCAN, HSCAN and ZSCAN: key, cursor, then MATCH and COUNT. */
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import { ERR } from './errors.ts';

const STAR = 42;
const DEFAULT_COUNT = 10;
const CURSOR_AT = 2;
const MAX_CURSOR = 0xffffffffffffffffn;
const CURSOR_FORM = /^[+-]?\d+$/;

/** What a call asks for; filled again for every call. */
export class MemberScanRequest {
  /** 0 … 2^32 - 1. */
  cursor = 0;
  count = DEFAULT_COUNT;
  /** Argument index of the pattern, 0 where absent. */
  pattern = 0;

  /** Reads the cursor; the error text, or null. Redis looks the key up before it reads the options. */
  parseCursor(args: Args): string | null {
    const cursor = parseInteger(args.buf, args.starts[CURSOR_AT], args.ends[CURSOR_AT]);
    // no digits at all are 0, as in C
    if (cursor >= 0 || args.length(CURSOR_AT) === 0) {
      this.cursor = cursor >= 0 ? cursor % 4294967296 : 0;
      return null;
    }
    const text = args.text(CURSOR_AT);
    const value = CURSOR_FORM.test(text) ? BigInt(text.startsWith('+') ? text.slice(1) : text) : MAX_CURSOR + 1n;
    if (value > MAX_CURSOR || value < -MAX_CURSOR) return 'ERR invalid cursor';
    this.cursor = Number(BigInt.asUintN(32, value));
    return null;
  }

  /** Reads the options; the error text, or null. */
  parseOptions(args: Args): string | null {
    this.count = DEFAULT_COUNT;
    this.pattern = 0;
    for (let i = CURSOR_AT + 1; i < args.count; i += 2) {
      if (i + 1 >= args.count) return ERR.SYNTAX;
      if (args.equalsIgnoreCase(i, 'count')) {
        this.count = parseInteger(args.buf, args.starts[i + 1], args.ends[i + 1]);
        if (Number.isNaN(this.count)) return ERR.NOT_INTEGER;
        if (this.count < 1) return ERR.SYNTAX;
      } else if (args.equalsIgnoreCase(i, 'match')) {
        // a lone star is no filter
        this.pattern = args.length(i + 1) === 1 && args.buf[args.starts[i + 1]] === STAR ? 0 : i + 1;
      } else {
        return ERR.SYNTAX;
      }
    }
    return null;
  }
}
