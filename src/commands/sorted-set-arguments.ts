/** Ranges and numbers in the arguments of commands on sorted sets, with Redis's checks; each answers its error itself. */
import type { LexRange, ScoreRange } from '../datatypes/score-range.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

/** A 64-bit integer, beyond ±2^53 rounded; NaN after an error reply. */
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

/** As longArgument, at least `min`. */
export function atLeastArgument(args: Args, index: number, min: number, reply: ReplyWriter, errorText: string): number {
  const value = longArgument(args, index, reply, errorText);
  if (!(value < min)) return value;
  reply.error(errorText);
  return Number.NaN;
}

/** Ranks as commands give them: negative ones count from the end. */
export class RankRange {
  from = 0;
  to = 0;

  /** Fills from … to - 1 with what `start` … `stop` mean among `count` elements. */
  resolve(start: number, stop: number, count: number): void {
    if (start < 0) start = Math.max(0, start + count);
    if (stop < 0) stop += count;
    this.from = Math.min(start, count);
    this.to = Math.max(this.from, Math.min(stop, count - 1) + 1);
  }
}

export function parseScoreArguments(
  range: ScoreRange,
  args: Args,
  min: number,
  max: number,
  reply: ReplyWriter,
): boolean {
  const { buf, starts, ends } = args;
  if (range.parse(buf, starts[min], ends[min], starts[max], ends[max])) return true;
  reply.error('ERR min or max is not a float');
  return false;
}

export function parseLexArguments(range: LexRange, args: Args, min: number, max: number, reply: ReplyWriter): boolean {
  const { buf, starts, ends } = args;
  if (range.parse(buf, starts[min], ends[min], starts[max], ends[max])) return true;
  reply.error('ERR min or max not valid string range item');
  return false;
}
