/** BITCOUNT and BITPOS: counting and finding bits in all of a string or in a range of its bytes or bits. */
import { countBits, findBit } from '../datatypes/bit-ranges.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { isStringOrAbsent } from './string-value.ts';

const BAD_BIT = 'ERR The bit argument must be 1 or 0.';

/** Bits of the unit that argument `index` names (BYTE 8, BIT 1); 0 after an error reply. */
function unitArgument(args: Args, index: number, reply: ReplyWriter): number {
  if (args.equalsIgnoreCase(index, 'bit')) return 1;
  if (args.equalsIgnoreCase(index, 'byte')) return 8;
  reply.error(ERR.SYNTAX);
  return 0;
}

/** A place counted from the end where negative, never before the start. */
function fromStart(place: number, total: number): number {
  return Math.max(place < 0 ? place + total : place, 0);
}

export function bitcount(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count === 3 || args.count > 5) return reply.error(ERR.SYNTAX);
  const ranged = args.count > 3;
  const from = ranged ? longArgument(args, 2, reply) : 0;
  if (Number.isNaN(from)) return;
  const to = ranged ? longArgument(args, 3, reply) : -1;
  if (Number.isNaN(to)) return;
  const unitBits = args.count === 5 ? unitArgument(args, 4, reply) : 8;
  if (unitBits === 0) return;
  const h = unit.findRead(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  // two places before the end that are in the wrong order stay so, even where both lie before the start
  if (h === 0 || (from < 0 && to < 0 && from > to)) return reply.integer(0);
  ks.value(h);
  const total = ((ks.vEnd - ks.vStart) * 8) / unitBits;
  const first = fromStart(from, total);
  const last = Math.min(fromStart(to, total), total - 1);
  reply.integer(countBits(ks.vBuf, ks.vStart, first * unitBits, (last + 1) * unitBits - 1));
}

export function bitpos(unit: Unit, args: Args, reply: ReplyWriter): void {
  const bit = longArgument(args, 2, reply);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) return reply.error(BAD_BIT);
  if (args.count > 6) return reply.error(ERR.SYNTAX);
  const from = args.count > 3 ? longArgument(args, 3, reply) : 0;
  if (Number.isNaN(from)) return;
  const unitBits = args.count === 6 ? unitArgument(args, 5, reply) : 8;
  if (unitBits === 0) return;
  const hasEnd = args.count > 4;
  const to = hasEnd ? longArgument(args, 4, reply) : -1;
  if (Number.isNaN(to)) return;
  const h = unit.findRead(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  // an absent key is an endless row of zeros
  if (h === 0) return reply.integer(bit === 0 ? 0 : -1);
  ks.value(h);
  const total = ((ks.vEnd - ks.vStart) * 8) / unitBits;
  const first = fromStart(from, total);
  const last = Math.min(hasEnd ? fromStart(to, total) : total - 1, total - 1);
  if (first > last) return reply.integer(-1);
  const end = (last + 1) * unitBits;
  const found = findBit(ks.vBuf, ks.vStart, first * unitBits, end - 1, bit);
  // behind a string of ones whose end was not named the zeros go on
  reply.integer(found < 0 && bit === 0 && !hasEnd ? end : found);
}
