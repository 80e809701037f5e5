/** Commands that set and delete fields: HSET, HMSET, HSETNX, HDEL. */
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { MAX_LATCHED_COPY_BYTES } from '../keyspace/entry.ts';
import { HASH_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { createHash, noteHash, roomForPairs, writeHash } from './hash-access.ts';

// a constant of this module is an immediate in compiled code
const MAX_LATCHED_BYTES = MAX_LATCHED_COPY_BYTES;
const WRONG_ARITY_HSET = "ERR wrong number of arguments for 'hset' command";
const WRONG_ARITY_HMSET = "ERR wrong number of arguments for 'hmset' command";

export function hset(unit: Unit, args: Args, reply: ReplyWriter): void {
  if ((args.count & 1) !== 0) return reply.error(WRONG_ARITY_HSET);
  const added = setPairs(unit, args, 2, (args.count - 2) >> 1, reply);
  if (added >= 0) reply.integer(added);
}

export function hmset(unit: Unit, args: Args, reply: ReplyWriter): void {
  if ((args.count & 1) !== 0) return reply.error(WRONG_ARITY_HMSET);
  if (setPairs(unit, args, 2, (args.count - 2) >> 1, reply) >= 0) reply.ok();
}

/** Sets the pairs of field and value from argument `first` on; returns how many are new, -1 after an error reply. */
function setPairs(unit: Unit, args: Args, first: number, pairs: number, reply: ReplyWriter): number {
  if (!writeHash(unit, reply) || !roomForPairs(unit, args, first, 2, pairs, reply)) return -1;
  const { hashes } = unit.ks.values;
  if (unit.entry === 0) openNew(unit, hashes, args, first, pairs);
  else hashes.expect(pairs);
  let added = 0;
  for (let i = first; i < first + pairs * 2; i += 2) if (setPair(unit, hashes, args, i, i + 1, false)) added++;
  if (unit.entry === 0) createHash(unit, args);
  else noteHash(unit);
  unit.changed(1, HASH_EVENT.hset, pairs);
  return added;
}

/** Opens a new hash in the form and with the room for the pairs from argument `first` on. */
export function openNew(unit: Unit, hashes: Hashes, args: Args, first: number, pairs: number): void {
  const { buf, starts, ends } = args;
  let bytes = 0;
  let longest = 0;
  for (let i = first; i < first + pairs * 2; i++) {
    const length = ends[i] - starts[i];
    if (length > longest) longest = length;
    bytes += hashes.elementBytes(buf, starts[i], ends[i]);
  }
  hashes.create(pairs, longest, bytes, unit.nowMs);
}

/** Sets the field of argument `field` to the value of argument `value`; true: it is new. `keeps`: its deadline stays. */
export function setPair(unit: Unit, hashes: Hashes, args: Args, field: number, value: number, keeps: boolean): boolean {
  const { buf, starts, ends } = args;
  const vStart = starts[value];
  const vEnd = ends[value];
  const given = vEnd - vStart > MAX_LATCHED_BYTES ? unit.large.privateOf(value) : 0;
  const isNew = hashes.set(buf, starts[field], ends[field], buf, vStart, vEnd, given, keeps);
  if (given !== 0) unit.large.linked(value);
  return isNew;
}

export function hsetnx(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  const { buf, starts, ends } = args;
  const present = unit.entry === 0 ? 0 : hashes.locate(buf, starts[2], ends[2]);
  const lapsed = present !== 0 && hashes.isLapsed(present);
  if (present !== 0 && !lapsed) return reply.integer(0);
  if (!roomForPairs(unit, args, 2, 2, 1, reply)) return;
  if (unit.entry === 0) openNew(unit, hashes, args, 2, 1);
  setPair(unit, hashes, args, 2, 3, false);
  if (unit.entry === 0) createHash(unit, args);
  else noteHash(unit);
  unit.changed(1, HASH_EVENT.hset);
  if (lapsed) journalSet(unit, args, 2, 3);
  reply.integer(1);
}

/** For a command that found a lapsed field, which a replay would find alive: the effect is what it has become. */
function journalSet(unit: Unit, args: Args, field: number, value: number): void {
  const effect = unit.effect(1, 4);
  effect.argText('HSET');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.arg(args.buf, args.starts[field], args.ends[field]);
  effect.arg(args.buf, args.starts[value], args.ends[value]);
}

/** Lapsed fields go as well, uncounted: so a replay, which knows no time, empties the same keys. */
export function hdel(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply)) return;
  if (unit.entry === 0) return reply.integer(0);
  const { hashes } = unit.ks.values;
  let deleted = 0;
  let lapsed = 0;
  for (let i = 2; i < args.count; i++) {
    const place = hashes.locate(args.buf, args.starts[i], args.ends[i]);
    if (place === 0) continue;
    if (hashes.isLapsed(place)) lapsed++;
    else deleted++;
    hashes.remove(place);
    if (deleted + lapsed > 0 && hashes.allFields() === 0) break;
  }
  if (deleted > 0) unit.changed(1, HASH_EVENT.hdel, deleted);
  if (deleted + lapsed > 0) noteHash(unit);
  if (lapsed > 0) journalDeletion(unit, args);
  reply.integer(deleted);
}

/** The effect: this HDEL, which counts as no change where it removed lapsed fields only. */
function journalDeletion(unit: Unit, args: Args): void {
  const effect = unit.effect(1, args.count);
  for (let i = 0; i < args.count; i++) effect.arg(args.buf, args.starts[i], args.ends[i]);
}
