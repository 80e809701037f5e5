/** Integer arguments with Redis's checks; each answers the error itself and says so by its result. */
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

const INT32_MIN = -2147483648;
const INT32_MAX = 2147483647;

/** A 32-bit integer, or NaN after an error reply (`errorText` where given, else one that tells form from range). */
export function int32Argument(args: Args, index: number, reply: ReplyWriter, errorText: string | null = null): number {
  return rangeArgument(args, index, INT32_MIN, INT32_MAX, reply, errorText);
}

/** An integer from `min` to `max` (both within ±2^53), or NaN after an error reply. */
export function rangeArgument(
  args: Args,
  index: number,
  min: number,
  max: number,
  reply: ReplyWriter,
  errorText: string | null = null,
): number {
  const value = parseInteger(args.buf, args.starts[index], args.ends[index]);
  if (value >= min && value <= max) return value;
  const isInteger = !Number.isNaN(value) || parseInt64(args.buf, args.starts[index], args.ends[index]) !== null;
  if (errorText !== null) reply.error(errorText);
  else if (isInteger) reply.error(`ERR value is out of range, value must between ${min} and ${max}`);
  else reply.error(ERR.NOT_INTEGER);
  return Number.NaN;
}

/**
 * An int64, beyond ±2^53 only near its value: as a place it then lies far outside of anything. NaN after an error reply.
 */
export function longArgument(
  args: Args,
  index: number,
  reply: ReplyWriter,
  errorText: string = ERR.NOT_INTEGER,
): number {
  const value = parseInteger(args.buf, args.starts[index], args.ends[index]);
  if (!Number.isNaN(value)) return value;
  const big = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (big !== null) return Number(big);
  reply.error(errorText);
  return Number.NaN;
}

/** The index of a database, or NaN after an error reply. */
export function databaseArgument(args: Args, index: number, databases: number, reply: ReplyWriter): number {
  const db = int32Argument(args, index, reply);
  if (Number.isNaN(db)) return db;
  if (db >= 0 && db < databases) return db;
  reply.error(ERR.DB_INDEX);
  return Number.NaN;
}
