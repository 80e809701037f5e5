/** What XREAD and XREADGROUP ask for: options, and where keys and ids stand. */
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import { INVALID_KEYS } from './command-keys.ts';
import { ERR } from './errors.ts';
import type { KeySpec } from './spec.ts';

const MAX_MS = 2n ** 63n - 1n;

/** Keys behind STREAMS, the first half of what is left; `begin` is the row's. */
export const STREAM_KEYS: Omit<KeySpec, 'begin'> = {
  flags: ['RO', 'access'],
  keyword: 'STREAMS',
  find: { kind: 'range', last: -1, step: 1, limit: 2 },
};

/** One per thread, for a unit runs at a time. */
export class StreamReadRequest {
  /** Entries for each key, 0 = all. */
  count = 0;
  /** How long to wait, in ms: 0 = for ever, -1 = not at all. */
  blockMs = -1;
  noAck = false;
  /** Argument index of the group's name; the consumer's follows. 0 = none. */
  group = 0;
  /** Index of the first key, and number of keys; their ids follow. */
  firstKey = 0;
  keys = 0;

  /** Reads the arguments up to the keys; the error text, or null. */
  parse(args: Args, isGroup: boolean): string | null {
    this.count = 0;
    this.blockMs = -1;
    this.noAck = false;
    this.group = 0;
    const name = isGroup ? 'xreadgroup' : 'xread';
    for (let i = 1; i < args.count; i++) {
      const more = args.count - 1 - i;
      let error: string | null = null;
      if (more > 0 && args.equalsIgnoreCase(i, 'block')) {
        error = this.parseBlock(args, ++i);
      } else if (more > 0 && args.equalsIgnoreCase(i, 'count')) {
        error = this.parseCount(args, ++i);
      } else if (more > 0 && args.equalsIgnoreCase(i, 'streams')) {
        if (isGroup && this.group === 0) error = 'ERR Missing GROUP option for XREADGROUP';
        return more % 2 !== 0 ? unbalanced(name) : (error ?? this.noteKeys(i + 1, more / 2));
      } else if (more > 1 && args.equalsIgnoreCase(i, 'group')) {
        if (!isGroup) return 'ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.';
        this.group = i + 1;
        i += 2;
      } else if (args.equalsIgnoreCase(i, 'noack')) {
        if (!isGroup) return 'ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.';
        this.noAck = true;
      } else {
        return ERR.SYNTAX;
      }
      if (error !== null) return error;
    }
    return ERR.SYNTAX;
  }

  private parseBlock(args: Args, at: number): string | null {
    const timeout = parseInt64(args.buf, args.starts[at], args.ends[at]);
    if (timeout === null) return 'ERR timeout is not an integer or out of range';
    if (timeout < 0n) return 'ERR timeout is negative';
    // Redis adds the present time to it
    if (timeout > MAX_MS - 2n ** 41n) return 'ERR timeout is out of range';
    this.blockMs = Number(timeout);
    return null;
  }

  private parseCount(args: Args, at: number): string | null {
    let count = parseInteger(args.buf, args.starts[at], args.ends[at]);
    if (Number.isNaN(count)) {
      const big = parseInt64(args.buf, args.starts[at], args.ends[at]);
      if (big === null) return ERR.NOT_INTEGER;
      count = Number(big);
    }
    this.count = Math.max(count, 0);
    return null;
  }

  private noteKeys(firstKey: number, keys: number): null {
    this.firstKey = firstKey;
    this.keys = keys;
    return null;
  }
}

function unbalanced(name: string): string {
  const symbol = name === 'xread' ? '$' : '>';
  return `ERR Unbalanced '${name}' list of streams: for each stream key an ID or '${symbol}' must be specified.`;
}

const request = new StreamReadRequest();

function findKeys(args: Args, isGroup: boolean, out: Int32Array): number {
  if (request.parse(args, isGroup) !== null) return INVALID_KEYS;
  for (let i = 0; i < request.keys; i++) out[i] = request.firstKey + i;
  return request.keys;
}

/** Which arguments of XREAD are keys: what its handler takes for keys, whatever names and numbers stand in front of them. */
export function xreadKeys(args: Args, out: Int32Array): number {
  return findKeys(args, false, out);
}

export function xreadgroupKeys(args: Args, out: Int32Array): number {
  return findKeys(args, true, out);
}
