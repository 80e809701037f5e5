/** HINCRBY and HINCRBYFLOAT. A field keeps its deadline. */
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { HASH_EVENT, type KeyEvent } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { addLongDoubles, formatLongDouble, LONG_DOUBLE_ZERO, parseLongDouble } from '../resp/long-double.ts';
import { isInt64, parseInt64, parseInteger, writeInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { createHash, noteHash, roomForPairs, writeHash } from './hash-access.ts';

const VALUE_NOT_INTEGER = 'ERR hash value is not an integer';
const VALUE_NOT_FLOAT = 'ERR hash value is not a float';
const NOT_FINITE_BY = 'ERR value is NaN or Infinity';
const NOT_FINITE = 'ERR increment would produce NaN or Infinity';
const LIST_PAIR_BYTES = 16;

/** The text of the new value, until it is stored: a long double may have thousands of digits. */
const digits = Buffer.alloc(8192);

/** The place of the field of argument 2, 0 where it is absent or lapsed. */
function placeOf(unit: Unit, hashes: Hashes, args: Args): number {
  return unit.entry === 0 ? 0 : hashes.find(args.buf, args.starts[2], args.ends[2]);
}

/** Stores digits[0, length) in the field of argument 2. */
function storeDigits(unit: Unit, hashes: Hashes, args: Args, length: number, event: KeyEvent): void {
  const { buf, starts, ends } = args;
  const fieldBytes = ends[2] - starts[2];
  if (unit.entry === 0) {
    hashes.create(1, Math.max(fieldBytes, length), fieldBytes + length + LIST_PAIR_BYTES, unit.nowMs);
  }
  hashes.set(buf, starts[2], ends[2], digits, 0, length, 0, true);
  if (unit.entry === 0) createHash(unit, args);
  else noteHash(unit);
  unit.changed(1, event);
}

/** The effect: what the field holds now. */
function journalSet(unit: Unit, args: Args, length: number, deadline: number): void {
  const effect = unit.effect(1, 4);
  effect.argText('HSET');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.arg(args.buf, args.starts[2], args.ends[2]);
  effect.arg(digits, 0, length);
  if (deadline < 0) return;
  const expiry = unit.effect(1, 6);
  expiry.argText('HPEXPIREAT');
  expiry.arg(args.buf, args.starts[1], args.ends[1]);
  expiry.argNumber(deadline);
  expiry.argText('FIELDS');
  expiry.argNumber(1);
  expiry.arg(args.buf, args.starts[2], args.ends[2]);
}

export function hincrby(unit: Unit, args: Args, reply: ReplyWriter): void {
  const by = parseInteger(args.buf, args.starts[3], args.ends[3]);
  const big = Number.isNaN(by) ? parseInt64(args.buf, args.starts[3], args.ends[3]) : null;
  if (Number.isNaN(by) && big === null) return reply.error(ERR.NOT_INTEGER);
  if (!writeHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  const present = unit.entry === 0 ? 0 : hashes.locate(args.buf, args.starts[2], args.ends[2]);
  const lapsed = present !== 0 && hashes.isLapsed(present);
  let value = 0;
  if (present !== 0 && !lapsed) {
    hashes.loadValue(present);
    value = parseInteger(hashes.vBuf, hashes.vStart, hashes.vEnd);
  }
  const sum = value + by;
  const length = Number.isSafeInteger(sum)
    ? writeInteger(digits, 0, sum)
    : addBig(hashes, present !== 0 && !lapsed, big ?? BigInt(by), reply);
  if (length < 0 || !roomForPairs(unit, args, 2, 2, 1, reply)) return;
  storeDigits(unit, hashes, args, length, HASH_EVENT.hincrby);
  // a replay would find the lapsed field alive
  if (lapsed) journalSet(unit, args, length, -1);
  if (Number.isSafeInteger(sum)) reply.integer(sum);
  else reply.bigInteger(BigInt(digits.toString('latin1', 0, length)));
}

/** Over all of int64, the field's value being loaded: writes the digits of the sum, returns their number, -1 after an error reply. */
function addBig(hashes: Hashes, isPresent: boolean, by: bigint, reply: ReplyWriter): number {
  const value = isPresent ? parseInt64(hashes.vBuf, hashes.vStart, hashes.vEnd) : 0n;
  if (value === null) {
    reply.error(VALUE_NOT_INTEGER);
    return -1;
  }
  const sum = value + by;
  if (isInt64(sum)) return digits.write(sum.toString(), 0, 'latin1');
  reply.error(ERR.OVERFLOW);
  return -1;
}

export function hincrbyfloat(unit: Unit, args: Args, reply: ReplyWriter): void {
  const by = parseLongDouble(args.buf, args.starts[3], args.ends[3]);
  if (by === null) return reply.error(ERR.NOT_FLOAT);
  if (by.range !== 'finite') return reply.error(NOT_FINITE_BY);
  if (!writeHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  const place = placeOf(unit, hashes, args);
  if (place !== 0) hashes.loadValue(place);
  const value = place === 0 ? LONG_DOUBLE_ZERO : parseLongDouble(hashes.vBuf, hashes.vStart, hashes.vEnd);
  if (value === null) return reply.error(VALUE_NOT_FLOAT);
  const sum = addLongDoubles(value, by);
  if (sum.range !== 'finite') return reply.error(NOT_FINITE);
  if (!roomForPairs(unit, args, 2, 2, 1, reply)) return;
  const deadline = place === 0 ? -1 : hashes.deadlineAt(place);
  const text = formatLongDouble(sum);
  const length = digits.write(text, 0, 'latin1');
  storeDigits(unit, hashes, args, length, HASH_EVENT.hincrbyfloat);
  journalSet(unit, args, length, deadline);
  reply.bulk(digits, 0, length);
}
