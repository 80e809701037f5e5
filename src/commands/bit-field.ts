/**
 * BITFIELD and BITFIELD_RO: several reads and writes of integers of any width inside one string. All arguments are read and
 * checked before the first operation runs.
 */
import {
  EXACT_BITS,
  fitBigField,
  fitField,
  OVERFLOW,
  type Overflow,
  readBigField,
  readField,
  writeBigField,
  writeField,
} from '../datatypes/bit-fields.ts';
import type { Unit } from '../dispatch/unit.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { bitOffsetArgument } from './bit-offset.ts';
import { ERR } from './errors.ts';
import { isStringOrAbsent, roomFor, stretch } from './string-value.ts';

const BAD_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.';
const BAD_OVERFLOW = 'ERR Invalid OVERFLOW type specified';
const ONLY_GET = 'ERR BITFIELD_RO only supports the GET subcommand';
const LETTER_I = 0x69;
const LETTER_U = 0x75;
const NO_BYTES = Buffer.alloc(0);
const MAX_INT64 = 2n ** 63n - 1n;

type Action = 'get' | 'set' | 'incrby';

/** One operation; `value` is exact as a number where |value| < 2^52, else it is a bigint. */
interface FieldOperation {
  action: Action;
  signed: boolean;
  bits: number;
  bitOffset: number;
  value: number | bigint;
  overflow: Overflow;
}

/** The type argument: its width in bits, negative for signed; 0 after an error reply. */
function typeArgument(args: Args, index: number, reply: ReplyWriter): number {
  const start = args.starts[index];
  const letter = args.length(index) > 0 ? args.buf[start] : 0;
  const bits = parseInteger(args.buf, start + 1, args.ends[index]);
  if (letter === LETTER_I && bits >= 1 && bits <= 64) return -bits;
  if (letter === LETTER_U && bits >= 1 && bits <= 63) return bits;
  reply.error(BAD_TYPE);
  return 0;
}

function overflowArgument(args: Args, index: number, reply: ReplyWriter): Overflow | null {
  if (args.equalsIgnoreCase(index, 'wrap')) return OVERFLOW.wrap;
  if (args.equalsIgnoreCase(index, 'sat')) return OVERFLOW.saturate;
  if (args.equalsIgnoreCase(index, 'fail')) return OVERFLOW.fail;
  reply.error(BAD_OVERFLOW);
  return null;
}

/** An int64, as a number where sums stay exact; null after an error reply. */
function valueArgument(args: Args, index: number, reply: ReplyWriter): number | bigint | null {
  const value = parseInteger(args.buf, args.starts[index], args.ends[index]);
  if (Math.abs(value) < 2 ** EXACT_BITS) return value;
  const big = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (big === null) reply.error(ERR.NOT_INTEGER);
  return big;
}

function actionAt(args: Args, index: number): Action | null {
  const following = args.count - index - 1;
  if (following >= 2 && args.equalsIgnoreCase(index, 'get')) return 'get';
  if (following >= 3 && args.equalsIgnoreCase(index, 'set')) return 'set';
  if (following >= 3 && args.equalsIgnoreCase(index, 'incrby')) return 'incrby';
  return null;
}

/** The operation whose word is argument `index`; null after an error reply. */
function operationAt(
  unit: Unit,
  args: Args,
  index: number,
  overflow: Overflow,
  reply: ReplyWriter,
): FieldOperation | null {
  const action = actionAt(args, index);
  if (action === null) {
    reply.error(ERR.SYNTAX);
    return null;
  }
  const type = typeArgument(args, index + 1, reply);
  if (type === 0) return null;
  const bits = Math.abs(type);
  const bitOffset = bitOffsetArgument(unit, args, index + 2, bits, reply);
  if (Number.isNaN(bitOffset)) return null;
  const value = action === 'get' ? 0 : valueArgument(args, index + 3, reply);
  if (value === null) return null;
  return { action, signed: type < 0, bits, bitOffset, value, overflow };
}

/** All operations of the command, or null after an error reply. */
function readOperations(unit: Unit, args: Args, reply: ReplyWriter): FieldOperation[] | null {
  const operations: FieldOperation[] = [];
  let overflow: Overflow = OVERFLOW.wrap;
  for (let i = 2; i < args.count; ) {
    if (i + 1 < args.count && args.equalsIgnoreCase(i, 'overflow')) {
      const chosen = overflowArgument(args, i + 1, reply);
      if (chosen === null) return null;
      overflow = chosen;
      i += 2;
      continue;
    }
    const operation = operationAt(unit, args, i, overflow, reply);
    if (operation === null) return null;
    operations.push(operation);
    i += operation.action === 'get' ? 3 : 4;
  }
  return operations;
}

/** Bytes that the string must have for all writes; 0: there are none. */
function bytesWritten(operations: readonly FieldOperation[]): number {
  let bytes = 0;
  for (const { action, bitOffset, bits } of operations) {
    if (action !== 'get') bytes = Math.max(bytes, Math.floor((bitOffset + bits - 1) / 8) + 1);
  }
  return bytes;
}

function replyField(reply: ReplyWriter, buf: Buffer, start: number, end: number, operation: FieldOperation): void {
  const { bitOffset, bits, signed } = operation;
  if (bits <= EXACT_BITS) reply.integer(readField(buf, start, end, bitOffset, bits, signed));
  else reply.bigInteger(readBigField(buf, start, end, bitOffset, bits, signed));
}

/** Runs a write on the value in the v registers and answers it; true: the field changed. */
function runWrite(ks: Keyspace, operation: FieldOperation, reply: ReplyWriter): boolean {
  const { action, bits, signed, value } = operation;
  // a negative number is set into an unsigned field as the huge one with the same 64 bits
  const castsSign = action === 'set' && !signed && value < 0;
  if (bits > EXACT_BITS || typeof value === 'bigint' || castsSign) return runBigWrite(ks, operation, reply);
  const { vBuf, vStart, vEnd } = ks;
  const old = readField(vBuf, vStart, vEnd, operation.bitOffset, bits, signed);
  const wanted = action === 'set' ? value : old + value;
  const stored = fitField(wanted, bits, signed, operation.overflow);
  if (Number.isNaN(stored)) {
    reply.null();
    return false;
  }
  writeField(vBuf, vStart, operation.bitOffset, bits, stored);
  reply.integer(action === 'set' ? old : stored);
  return stored !== old;
}

/**
 * Redis measures the room above a value in int64, where it overflows for values near the least one: a signed field that is
 * set to such a value with OVERFLOW SAT takes its greatest one. Kept, so that the same commands leave the same data.
 */
function saturatesUpwards({ signed, bits, overflow }: FieldOperation, value: bigint): boolean {
  if (!signed || bits === 64 || overflow !== OVERFLOW.saturate) return false;
  return (1n << BigInt(bits - 1)) - 1n - value > MAX_INT64;
}

function runBigWrite(ks: Keyspace, operation: FieldOperation, reply: ReplyWriter): boolean {
  const { action, bits, signed } = operation;
  const { vBuf, vStart, vEnd } = ks;
  let value = BigInt(operation.value);
  if (action === 'set' && !signed) value = BigInt.asUintN(64, value);
  if (action === 'set' && saturatesUpwards(operation, value)) value = MAX_INT64;
  const old = readBigField(vBuf, vStart, vEnd, operation.bitOffset, bits, signed);
  const stored = fitBigField(action === 'set' ? value : old + value, bits, signed, operation.overflow);
  if (stored === null) {
    reply.null();
    return false;
  }
  writeBigField(vBuf, vStart, operation.bitOffset, bits, stored);
  reply.bigInteger(action === 'set' ? old : stored);
  return stored !== old;
}

function runReads(unit: Unit, operations: readonly FieldOperation[], reply: ReplyWriter): void {
  const h = unit.findRead(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  if (h !== 0) ks.value(h);
  reply.array(operations.length);
  for (const operation of operations) {
    if (h === 0) replyField(reply, NO_BYTES, 0, 0, operation);
    else replyField(reply, ks.vBuf, ks.vStart, ks.vEnd, operation);
  }
}

function runWrites(unit: Unit, operations: readonly FieldOperation[], needed: number, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  const present = h === 0 ? 0 : ks.valueBytes(h);
  const total = Math.max(present, needed);
  if (!roomFor(unit, total, reply)) return;
  stretch(unit, 1, h, total);
  let changes = 0;
  reply.array(operations.length);
  for (const operation of operations) {
    if (operation.action === 'get') replyField(reply, ks.vBuf, ks.vStart, ks.vEnd, operation);
    else if (runWrite(ks, operation, reply)) changes++;
  }
  // growth alone is a change, even where every write fails
  const counted = total === present ? changes : Math.max(changes, 1);
  if (counted > 0) unit.changed(1, STRING_EVENT.setbit, counted);
}

export function bitfield(unit: Unit, args: Args, reply: ReplyWriter): void {
  const operations = readOperations(unit, args, reply);
  if (operations === null) return;
  const needed = bytesWritten(operations);
  if (needed === 0) runReads(unit, operations, reply);
  else runWrites(unit, operations, needed, reply);
}

export function bitfieldRo(unit: Unit, args: Args, reply: ReplyWriter): void {
  const operations = readOperations(unit, args, reply);
  if (operations === null) return;
  if (bytesWritten(operations) > 0) return reply.error(ONLY_GET);
  runReads(unit, operations, reply);
}
