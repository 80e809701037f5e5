/** The offset argument of the bitmap commands, and the commands that need nothing more: SETBIT, GETBIT. */
import type { Unit } from '../dispatch/unit.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { isStringOrAbsent, roomFor, stretch } from './string-value.ts';

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range';
const BAD_BIT = 'ERR bit is not an integer or out of range';
const HASH_SIGN = 0x23;

/**
 * Argument `index` as a bit offset; with `fieldBits` > 0 it may be written '#n', meaning the n-th field of that width. It
 * lies within the longest string. NaN after an error reply.
 */
export function bitOffsetArgument(
  unit: Unit,
  args: Args,
  index: number,
  fieldBits: number,
  reply: ReplyWriter,
): number {
  const start = args.starts[index];
  const inFields = fieldBits > 0 && args.length(index) > 0 && args.buf[start] === HASH_SIGN;
  const given = parseInteger(args.buf, inFields ? start + 1 : start, args.ends[index]);
  const offset = inFields ? given * fieldBits : given;
  if (offset >= 0 && Math.floor(offset / 8) < unit.maxBulkBytes) return offset;
  reply.error(BAD_OFFSET);
  return Number.NaN;
}

export function setbit(unit: Unit, args: Args, reply: ReplyWriter): void {
  const offset = bitOffsetArgument(unit, args, 2, 0, reply);
  if (Number.isNaN(offset)) return;
  const bit = parseInteger(args.buf, args.starts[3], args.ends[3]);
  if (bit !== 0 && bit !== 1) return reply.error(BAD_BIT);
  const h = unit.findWrite(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  const present = h === 0 ? 0 : ks.valueBytes(h);
  const index = Math.floor(offset / 8);
  const total = Math.max(present, index + 1);
  if (!roomFor(unit, total, reply)) return;
  stretch(unit, 1, h, total);
  const at = ks.vStart + index;
  const shift = 7 - (offset & 7);
  const old = (ks.vBuf[at] >> shift) & 1;
  if (old !== bit) ks.vBuf[at] ^= 1 << shift;
  if (old !== bit || total !== present) unit.changed(1, STRING_EVENT.setbit);
  reply.integer(old);
}

export function getbit(unit: Unit, args: Args, reply: ReplyWriter): void {
  const offset = bitOffsetArgument(unit, args, 2, 0, reply);
  if (Number.isNaN(offset)) return;
  const h = unit.findRead(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  const index = Math.floor(offset / 8);
  if (h === 0 || index >= ks.valueBytes(h)) return reply.integer(0);
  ks.value(h);
  reply.integer((ks.vBuf[ks.vStart + index] >> (7 - (offset & 7))) & 1);
}
