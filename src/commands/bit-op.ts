/**
 * BITOP: a bitwise operation over strings into another. Its record in the journal is the result, for the sources may lie in
 * other shards (R16).
 */
import { BIT_OPERATION, type BitOperation, ByteRanges, combineBits } from '../datatypes/bit-operations.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { GENERIC_EVENT, STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { isStringOrAbsent, roomFor, storeBytes } from './string-value.ts';

const ONE_SOURCE = 'ERR BITOP NOT must be called with a single source key.';
const FIRST_SOURCE = 3;
const NO_BYTES = Buffer.alloc(0);
/** Results up to here are made in a buffer that is kept. */
const KEPT_BYTES = 64 * 1024;

const OPERATIONS = Object.entries(BIT_OPERATION) as readonly [name: string, operation: BitOperation][];
const kept = Buffer.alloc(KEPT_BYTES);
const sources = new ByteRanges();

/** The operation that argument 1 names, with a fitting number of sources; null after an error reply. */
function operationArgument(args: Args, reply: ReplyWriter): BitOperation | null {
  const named = OPERATIONS.find(([name]) => args.equalsIgnoreCase(1, name));
  if (named === undefined) {
    reply.error(ERR.SYNTAX);
    return null;
  }
  const [name, operation] = named;
  const count = args.count - FIRST_SOURCE;
  if (operation === BIT_OPERATION.not && count !== 1) {
    reply.error(ONE_SOURCE);
    return null;
  }
  if (operation > BIT_OPERATION.not && operation !== BIT_OPERATION.one && count < 2) {
    reply.error(`ERR BITOP ${name.toUpperCase()} must be called with at least two source keys.`);
    return null;
  }
  return operation;
}

/** Collects where the sources lie; false after an error reply. */
function readSources(unit: Unit, args: Args, reply: ReplyWriter): boolean {
  sources.clear();
  for (let i = FIRST_SOURCE; i < args.count; i++) {
    const h = unit.findRead(i);
    const ks = unit.ks;
    if (!isStringOrAbsent(ks, h, reply)) return false;
    if (h === 0) {
      sources.add(NO_BYTES, 0, 0);
    } else {
      ks.value(h);
      sources.add(ks.vBuf, ks.vStart, ks.vEnd);
    }
  }
  return true;
}

export function bitop(unit: Unit, args: Args, reply: ReplyWriter): void {
  const operation = operationArgument(args, reply);
  if (operation === null || !readSources(unit, args, reply)) return;
  const length = sources.longest();
  const h = unit.findWrite(2);
  if (length > 0 && !roomFor(unit, length, reply)) return;
  if (length > 0) {
    const result = length <= KEPT_BYTES ? kept : Buffer.allocUnsafeSlow(length);
    combineBits(operation, sources, result, length);
    storeBytes(unit, 2, result, length, NO_DEADLINE, h, true);
    unit.changed(2, STRING_EVENT.set);
    const effect = unit.effect(2, 3);
    effect.argText('SET');
    effect.arg(args.buf, args.starts[2], args.ends[2]);
    effect.arg(result, 0, length);
  } else if (h !== 0) {
    unit.effectDelete(2);
    unit.ks.remove(unit.db, h);
    unit.changed(2, GENERIC_EVENT.del);
  }
  reply.integer(length);
}
