/** Ranges and numbers in the arguments of commands on sorted sets, with Redis's checks; each answers its error itself. */
import type { LexRange, ScoreRange } from '../datatypes/score-range.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { longArgument } from './integer-arguments.ts';

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
