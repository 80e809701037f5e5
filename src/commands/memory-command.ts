/** MEMORY USAGE and HELP. */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { replyHelp } from './help-reply.ts';

/** Elements that are measured where the command does not say how many. */
const DEFAULT_SAMPLES = 5;

/** Bytes of the blocks that hold the key and its value. SAMPLES: how many elements stand for all of them, 0 = all. */
export function memoryUsage(unit: Unit, args: Args, reply: ReplyWriter): void {
  let samples = DEFAULT_SAMPLES;
  for (let i = 3; i < args.count; i += 2) {
    if (!args.equalsIgnoreCase(i, 'samples') || i + 1 >= args.count) return reply.error(ERR.SYNTAX);
    samples = parseInteger(args.buf, args.starts[i + 1], args.ends[i + 1]);
    if (Number.isNaN(samples)) return reply.error(ERR.NOT_INTEGER);
    if (samples < 0) return reply.error(ERR.SYNTAX);
  }
  const h = unit.findPeek(2);
  if (h === 0) reply.null();
  else reply.integer(unit.ks.memoryOf(h, samples));
}

export function memoryHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'MEMORY', [
    'DOCTOR',
    '    What is out of the ordinary about the memory.',
    'MALLOC-STATS',
    '    Blocks and pages of each shard.',
    'PURGE',
    '    Nothing: memory that threads share stays with the process.',
    'STATS',
    '    What the memory is used for.',
    'USAGE <key> [SAMPLES <count>]',
    '    The bytes that the key and its value take.',
  ]);
}
