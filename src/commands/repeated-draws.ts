/**
 * SRANDMEMBER, HRANDFIELD, ZRANDMEMBER with a count. Where that is negative, the client may ask for as many elements as it likes, out of
 * the smallest key. Redis writes until the client's output limit, or memory, ends it; here the shard's latch would be held meanwhile.
 */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';

/** The one 64-bit integer that Redis refuses, for its negative is none. */
const MIN_INT64 = -(2n ** 63n);
/** Redis doubles the count where pairs are wanted. */
const MOST_PAIRS = 2 ** 62;
const COUNT_RANGE = `ERR value is out of range, value must between ${MIN_INT64 + 1n} and ${-MIN_INT64 - 1n}`;
const MOST_BYTES = 128 * 1024 * 1024;
const TOO_LONG = `ERR the reply would be longer than ${MOST_BYTES} bytes`;
const PROGRESS_EVERY = 1024;

/** The count in argument 2, or NaN after an error reply. Where the word `pairs` stands behind it, it counts pairs. */
export function drawnCount(args: Args, pairs: string, reply: ReplyWriter): number {
  const count = longArgument(args, 2, reply);
  if (Number.isNaN(count)) return count;
  let problem: string | null = null;
  if (count === -(2 ** 63) && parseInt64(args.buf, args.starts[2], args.ends[2]) === MIN_INT64) problem = COUNT_RANGE;
  else if (args.count > 4 || (args.count === 4 && !args.equalsIgnoreCase(3, pairs))) problem = ERR.SYNTAX;
  else if (args.count === 4 && Math.abs(count) > MOST_PAIRS) problem = ERR.OUT_OF_RANGE;
  if (problem === null) return count;
  reply.error(problem);
  return Number.NaN;
}

/** Writes `count` elements behind an opened array; `mark`: where that begins. Stops where nobody would take them all. */
export function drawRepeatedly(reply: ReplyWriter, mark: number, count: number, draw: () => void): void {
  const end = Math.min(reply.most, mark + MOST_BYTES);
  for (let i = 0; i < count; i++) {
    draw();
    if (reply.pos > end) return stop(reply, mark);
    if (i % PROGRESS_EVERY === 0) showProgress();
  }
}

function stop(reply: ReplyWriter, mark: number): void {
  // the connection will be closed for that: what is written does not matter any more
  if (reply.pos > reply.most) return;
  reply.rewind(mark);
  reply.error(TOO_LONG);
}
