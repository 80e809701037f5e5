/** MEMORY USAGE. */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { replyHelp } from './help-reply.ts';

/** Bytes of the blocks that hold the key and its value. SAMPLES is for nested values, of which there are none yet. */
export function memoryUsage(unit: Unit, args: Args, reply: ReplyWriter): void {
  for (let i = 3; i < args.count; i += 2) {
    if (!args.equalsIgnoreCase(i, 'samples') || i + 1 >= args.count) return reply.error(ERR.SYNTAX);
    const samples = parseInteger(args.buf, args.starts[i + 1], args.ends[i + 1]);
    if (Number.isNaN(samples)) return reply.error(ERR.NOT_INTEGER);
    if (samples < 0) return reply.error(ERR.SYNTAX);
  }
  const h = unit.findPeek(2);
  if (h === 0) reply.null();
  else reply.integer(unit.ks.memoryOf(h));
}

export function memoryHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'MEMORY', ['USAGE <key> [SAMPLES <count>]', '    The bytes that the key and its value take.']);
}
