/** FIELDS numfields field … and the times of the commands on fields, with Redis's checks; each answers its error itself. */
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, invalidExpireTime } from './errors.ts';

const MISPLACED = 'ERR Mandatory argument FIELDS is missing or not at the right position';
const MISCOUNTED = 'ERR The `numfields` parameter must match the number of arguments';
/** The latest deadline of a field, in unix ms, as in Redis. */
export const MAX_FIELD_DEADLINE_MS = 2 ** 46 - 1;

/**
 * Reads FIELDS at argument `at`, the number behind it, and checks that so many groups of `step` arguments follow to the end.
 * Returns their number, 0 after an error reply; the first one stands at `at` + 2.
 */
export function fieldCount(args: Args, at: number, step: number, notPositive: string, reply: ReplyWriter): number {
  if (at >= args.count || !args.equalsIgnoreCase(at, 'fields')) {
    reply.error(MISPLACED);
    return 0;
  }
  const count = at + 1 < args.count ? parseInteger(args.buf, args.starts[at + 1], args.ends[at + 1]) : Number.NaN;
  if (!(count > 0)) {
    reply.error(notPositive);
    return 0;
  }
  if (count * step !== args.count - at - 2) {
    reply.error(MISCOUNTED);
    return 0;
  }
  return count;
}

/** The deadline in unix ms that argument `at` names, in steps of `unitMs` from `baseMs` on; NaN after an error reply. */
export function fieldDeadline(
  args: Args,
  at: number,
  name: string,
  baseMs: number,
  unitMs: number,
  reply: ReplyWriter,
): number {
  let given = parseInteger(args.buf, args.starts[at], args.ends[at]);
  if (Number.isNaN(given)) {
    const big = parseInt64(args.buf, args.starts[at], args.ends[at]);
    if (big === null) {
      reply.error(ERR.NOT_INTEGER);
      return Number.NaN;
    }
    given = Number(big);
  }
  if (given < 0) {
    reply.error('ERR invalid expire time, must be >= 0');
    return Number.NaN;
  }
  const deadline = given * unitMs + baseMs;
  if (deadline <= MAX_FIELD_DEADLINE_MS) return deadline;
  reply.error(invalidExpireTime(name));
  return Number.NaN;
}
