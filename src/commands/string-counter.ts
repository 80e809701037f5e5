/**
 * Counters. Their values are decimal text like any other string; numbers below 2^53 are added as numbers, the rest of int64 as
 * bigints. INCRBYFLOAT computes in long double, as Redis does.
 */
import type { Unit } from '../dispatch/unit.ts';
import { KEEP_DEADLINE } from '../keyspace/entry.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { addLongDoubles, formatLongDouble, LONG_DOUBLE_ZERO, parseLongDouble } from '../resp/long-double.ts';
import { isInt64, parseInt64, parseInteger, writeInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { isStringOrAbsent, storeBytes } from './string-value.ts';

const INCRBY = STRING_EVENT.incrby;
const DECREMENT_OVERFLOW = 'ERR decrement would overflow';
const NOT_FINITE = 'ERR increment would produce NaN or Infinity';
const MIN_INT64 = -(2n ** 63n);

/** The digits of the new value, until they are stored. */
const digits = Buffer.alloc(32);

/** Adds `by` (|by| < 2^53) to the counter at key argument 1. */
function add(unit: Unit, reply: ReplyWriter, by: number): void {
  const h = unit.findWrite(1);
  const ks = unit.ks;
  let value = 0;
  if (h !== 0) {
    if (!isStringOrAbsent(ks, h, reply)) return;
    ks.value(h);
    value = parseInteger(ks.vBuf, ks.vStart, ks.vEnd);
  }
  const sum = value + by;
  if (!Number.isSafeInteger(sum)) return addBig(unit, reply, BigInt(by));
  storeBytes(unit, 1, digits, writeInteger(digits, 0, sum), KEEP_DEADLINE, h, false);
  unit.changed(1, INCRBY);
  reply.integer(sum);
}

/** The same over all of int64. */
function addBig(unit: Unit, reply: ReplyWriter, by: bigint): void {
  const h = unit.findWrite(1);
  const ks = unit.ks;
  let value: bigint | null = 0n;
  if (h !== 0) {
    if (!isStringOrAbsent(ks, h, reply)) return;
    ks.value(h);
    value = parseInt64(ks.vBuf, ks.vStart, ks.vEnd);
  }
  if (value === null) return reply.error(ERR.NOT_INTEGER);
  const sum = value + by;
  if (!isInt64(sum)) return reply.error(ERR.OVERFLOW);
  const length = digits.write(sum.toString(), 0, 'latin1');
  storeBytes(unit, 1, digits, length, KEEP_DEADLINE, h, false);
  unit.changed(1, INCRBY);
  reply.bigInteger(sum);
}

export function incr(unit: Unit, _args: Args, reply: ReplyWriter): void {
  add(unit, reply, 1);
}

export function decr(unit: Unit, _args: Args, reply: ReplyWriter): void {
  add(unit, reply, -1);
}

export function incrby(unit: Unit, args: Args, reply: ReplyWriter): void {
  const by = parseInteger(args.buf, args.starts[2], args.ends[2]);
  if (!Number.isNaN(by)) return add(unit, reply, by);
  const big = parseInt64(args.buf, args.starts[2], args.ends[2]);
  if (big === null) return reply.error(ERR.NOT_INTEGER);
  addBig(unit, reply, big);
}

export function decrby(unit: Unit, args: Args, reply: ReplyWriter): void {
  const by = parseInteger(args.buf, args.starts[2], args.ends[2]);
  if (!Number.isNaN(by)) return add(unit, reply, -by);
  const big = parseInt64(args.buf, args.starts[2], args.ends[2]);
  if (big === null) return reply.error(ERR.NOT_INTEGER);
  // its negation is no int64
  if (big === MIN_INT64) return reply.error(DECREMENT_OVERFLOW);
  addBig(unit, reply, -big);
}

export function incrbyfloat(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  if (h !== 0) ks.value(h);
  const value = h === 0 ? LONG_DOUBLE_ZERO : parseLongDouble(ks.vBuf, ks.vStart, ks.vEnd);
  const by = parseLongDouble(args.buf, args.starts[2], args.ends[2]);
  if (value === null || by === null) return reply.error(ERR.NOT_FLOAT);
  const sum = addLongDoubles(value, by);
  if (sum.range !== 'finite') return reply.error(NOT_FINITE);
  const text = formatLongDouble(sum);
  const bytes = Buffer.from(text, 'latin1');
  storeBytes(unit, 1, bytes, bytes.length, KEEP_DEADLINE, h, false);
  unit.changed(1, STRING_EVENT.incrbyfloat);
  reply.bulkText(text);
  const effect = unit.effect(1, 4);
  effect.argText('SET');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.argText(text);
  effect.argText('KEEPTTL');
}
