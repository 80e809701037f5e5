/** APPEND and SETRANGE: parts of a string. */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { isStringOrAbsent, lengthAllowed, roomFor, store, stretch } from './string-value.ts';

export function append(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  const ks = unit.ks;
  const added = args.length(2);
  if (h === 0) {
    store(unit, args, 1, 2, NO_DEADLINE, 0);
    unit.changed(1, STRING_EVENT.append);
    return reply.integer(added);
  }
  if (!isStringOrAbsent(ks, h, reply)) return;
  const total = ks.valueBytes(h) + added;
  if (!lengthAllowed(unit, total, reply) || !roomFor(unit, total, reply)) return;
  stretch(unit, 1, h, total);
  args.buf.copy(ks.vBuf, ks.vEnd - added, args.starts[2], args.ends[2]);
  unit.changed(1, STRING_EVENT.append);
  reply.integer(total);
}

export function setrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  const offset = longArgument(args, 2, reply);
  if (Number.isNaN(offset)) return;
  if (offset < 0) return reply.error(ERR.OFFSET_RANGE);
  const h = unit.findWrite(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  const present = h === 0 ? 0 : ks.valueBytes(h);
  const patched = args.length(3);
  if (patched === 0) return reply.integer(present);
  if (!lengthAllowed(unit, offset + patched, reply)) return;
  const total = Math.max(present, offset + patched);
  if (!roomFor(unit, total, reply)) return;
  stretch(unit, 1, h, total);
  args.buf.copy(ks.vBuf, ks.vStart + offset, args.starts[3], args.ends[3]);
  unit.changed(1, STRING_EVENT.setrange);
  reply.integer(total);
}
