/**
 * What the string and bitmap commands share: a value as reply, storing, growing, measuring before the first change.
 */
import type { Unit } from '../dispatch/unit.ts';
import { MAX_LATCHED_COPY_BYTES, NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

// a constant of this module is an immediate in compiled code
const MAX_LATCHED_BYTES = MAX_LATCHED_COPY_BYTES;
/** Up to here a grown value fits into the room that every writing unit has besides its own arguments. */
const SMALL_GROWTH_BYTES = 64 * 1024;
/** Room for the entry, for the slack of a growing value and for the growth of tables. */
const GROWTH_SLACK_BYTES = 3 * 1024 * 1024;

/** Is `h` absent (0) or a string? Otherwise answers WRONGTYPE. */
export function isStringOrAbsent(ks: Keyspace, h: number, reply: ReplyWriter): boolean {
  if (h === 0 || ks.typeOf(h) === TYPE_STRING) return true;
  reply.error(ERR.WRONGTYPE);
  return false;
}

/** The string `h` in the keyspace of the last look-up as a bulk reply, null where it is absent (0). */
export function replyValue(unit: Unit, h: number, reply: ReplyWriter): void {
  if (h === 0) return reply.null();
  const ks = unit.ks;
  ks.value(h);
  replyBytes(unit, h, ks.vStart, ks.vEnd, reply);
}

/** Bytes [start, end) of the v registers, which cover the string `h`, as a bulk reply; many of them leave the latch as a pin. */
export function replyBytes(unit: Unit, h: number, start: number, end: number, reply: ReplyWriter): void {
  const ks = unit.ks;
  if (end - start > MAX_LATCHED_BYTES) unit.large.reply(ks, h, start, end, reply);
  else reply.bulkView(ks.vView, ks.vBuf, start, end);
}

/** Makes argument `valueArg` the value of key argument `keyArg`, whose present entry is `old` (0: none). */
export function store(unit: Unit, args: Args, keyArg: number, valueArg: number, deadline: number, old: number): void {
  const { buf, starts, ends } = args;
  const from = starts[valueArg];
  const to = ends[valueArg];
  if (to - from > MAX_LATCHED_BYTES && storePrivate(unit, args, keyArg, valueArg, deadline, old)) return;
  unit.ks.setString(unit.db, unit.hashOf(keyArg), buf, starts[keyArg], ends[keyArg], buf, from, to, deadline, old);
}

/** As store, where the bytes were brought into a private block before the latch was taken; false: they were not. */
function storePrivate(
  unit: Unit,
  args: Args,
  keyArg: number,
  valueArg: number,
  deadline: number,
  old: number,
): boolean {
  const block = unit.large.privateOf(valueArg);
  if (block === 0) return false;
  const { buf, starts, ends } = args;
  const hash = unit.hashOf(keyArg);
  const bytes = args.length(valueArg);
  unit.ks.setPrivate(unit.db, hash, buf, starts[keyArg], ends[keyArg], block, bytes, deadline, old);
  unit.large.linked(valueArg);
  return true;
}

/** Makes bytes that do not lie in shared memory the value of key argument `keyArg`. */
export function storeBytes(
  unit: Unit,
  keyArg: number,
  bytes: Buffer,
  length: number,
  deadline: number,
  old: number,
  raw: boolean,
): void {
  const { buf, starts, ends } = unit.args;
  const hash = unit.hashOf(keyArg);
  unit.ks.setString(unit.db, hash, buf, starts[keyArg], ends[keyArg], bytes, 0, length, deadline, old, raw);
}

/** May a string of so many bytes be? Otherwise answers the error. */
export function lengthAllowed(unit: Unit, valueBytes: number, reply: ReplyWriter): boolean {
  if (valueBytes <= unit.maxBulkBytes) return true;
  reply.error(ERR.STRING_TOO_LONG);
  return false;
}

/** Room for a value that grows to `valueBytes` in the keyspace of the last look-up; otherwise answers OOM. */
export function roomFor(unit: Unit, valueBytes: number, reply: ReplyWriter): boolean {
  if (valueBytes <= SMALL_GROWTH_BYTES || unit.reserve(valueBytes + GROWTH_SLACK_BYTES)) return true;
  reply.error(ERR.OOM);
  return false;
}

/**
 * Gives the string at key argument `keyArg` (entry `h`, 0: created) the length `valueBytes`, zeros filling what is new. The
 * keyspace's v registers then cover the value, which may be patched through them. Room must have been made.
 */
export function stretch(unit: Unit, keyArg: number, h: number, valueBytes: number): void {
  const { ks, db } = unit;
  const hash = unit.hashOf(keyArg);
  if (h === 0) {
    const { buf, starts, ends } = unit.args;
    h = ks.setString(db, hash, buf, starts[keyArg], ends[keyArg], buf, 0, 0, NO_DEADLINE, 0, true);
  }
  ks.resizeString(db, hash, h, valueBytes);
}
