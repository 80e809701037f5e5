/** Where the keys of a command stand among its arguments, by the key specs of its row. */
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { CommandRow } from './command-row.ts';
import type { KeySpec } from './spec.ts';

/** The arguments do not fit the key specs (a number of keys that is none, keys missing). */
export const INVALID_KEYS = -1;

/**
 * Writes the indexes of all key arguments into `out` (room for args.count numbers) in order of the specs; returns how many
 * there are, or INVALID_KEYS.
 */
export function keyPositions(row: CommandRow, args: Args, out: Int32Array): number {
  const own = row.spec.findKeys;
  if (own !== undefined) return own(args, out);
  const specs = row.spec.keys;
  let found = 0;
  for (let i = 0; i < specs.length; i++) {
    found = specPositions(specs[i], args, out, found);
    if (found < 0) return INVALID_KEYS;
  }
  return found;
}

/** Appends the positions of one spec behind `found` others; returns the new number of them, or INVALID_KEYS. */
export function specPositions(spec: KeySpec, args: Args, out: Int32Array, found: number): number {
  if (spec.find.kind === 'unknown') return found;
  let first = spec.begin;
  if (spec.keyword !== undefined) {
    first = behindKeyword(args, first, spec.keyword.toLowerCase());
    if (first < 0) return found;
  }
  let last: number;
  const find = spec.find;
  if (find.kind === 'range') {
    last = find.last >= 0 ? first + find.last : args.count + find.last;
    // a limit of n > 1 says: keys fill only the first n-th part of what is left (as in MGET-like commands with as many options)
    if (find.last < 0 && find.limit > 1) last = first + Math.floor((args.count - first) / find.limit) + find.last;
  } else {
    const at = first + find.keynumIndex;
    if (at >= args.count) return INVALID_KEYS;
    const keys = parseInteger(args.buf, args.starts[at], args.ends[at]);
    if (!(keys >= 0)) return INVALID_KEYS;
    first += find.firstKey;
    last = first + (keys - 1) * find.step;
  }
  if (last >= args.count) return INVALID_KEYS;
  for (let i = first; i <= last; i += find.step) out[found++] = i;
  return found;
}

/** Index of the argument behind a word that is looked for from `begin` on, or backwards; -1: there is none. */
function behindKeyword(args: Args, begin: number, lowerAscii: string): number {
  const last = args.count - 2;
  if (begin > 0) {
    for (let i = begin; i <= last; i++) if (args.equalsIgnoreCase(i, lowerAscii)) return i + 1;
  } else {
    for (let i = args.count + begin; i > 0; i--) if (i <= last && args.equalsIgnoreCase(i, lowerAscii)) return i + 1;
  }
  return -1;
}
