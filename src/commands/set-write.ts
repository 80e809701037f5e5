/** SADD, SREM, SMOVE. */
import { MAX_SET_MEMBER_BYTES } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SET } from '../keyspace/entry.ts';
import { SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { createSet, reserveMembers, settleRemoval } from './set-store.ts';
import { typedWrite } from './typed-entry.ts';

const MEMBER_TOO_LONG = `ERR member is too long: ${MAX_SET_MEMBER_BYTES} bytes at most`;

/** False after the reply that one of the members, from argument `first` on, is longer than a member may be. */
function lengthsAllowed(args: Args, first: number, reply: ReplyWriter): boolean {
  if (args.ends[args.count - 1] - args.starts[first] <= MAX_SET_MEMBER_BYTES) return true;
  for (let i = first; i < args.count; i++) {
    if (args.length(i) <= MAX_SET_MEMBER_BYTES) continue;
    reply.error(MEMBER_TOO_LONG);
    return false;
  }
  return true;
}

export function sadd(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedWrite(unit, 1, TYPE_SET, reply) || !lengthsAllowed(args, 2, reply)) return;
  const { ks, entry } = unit;
  const { sets } = ks.values;
  const { buf, starts, ends, count } = args;
  const members = count - 2;
  if (!reserveMembers(unit, entry, members, ends[count - 1] - starts[2], reply)) return;
  if (entry === 0) sets.create(buf, starts[2], ends[2], members);
  else sets.expect(ks.structure(entry), ks.encodingOf(entry), members);
  let added = 0;
  for (let i = 2; i < count; i++) if (sets.add(sets.root, sets.encoding, buf, starts[i], ends[i])) added++;
  if (entry === 0) createSet(unit, 1, sets);
  else ks.setStructure(entry, sets.root, sets.encoding);
  if (added > 0) unit.changed(1, SET_EVENT.sadd, added);
  reply.integer(added);
}

export function srem(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedWrite(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const { sets } = ks.values;
  const { buf, starts, ends, count } = args;
  sets.root = ks.structure(entry);
  sets.encoding = ks.encodingOf(entry);
  let removed = 0;
  for (let i = 2; i < count; i++) {
    if (!sets.remove(sets.root, sets.encoding, buf, starts[i], ends[i])) continue;
    removed++;
    if (sets.count(sets.root, sets.encoding) === 0) break;
  }
  if (removed > 0) settleRemoval(unit, 1, entry, sets, SET_EVENT.srem, removed);
  reply.integer(removed);
}

export function smove(unit: Unit, args: Args, reply: ReplyWriter): void {
  const source = unit.findWrite(1);
  const from = unit.ks;
  const target = unit.findWrite(2);
  const to = unit.ks;
  if (source === 0) return reply.integer(0);
  if (from.typeOf(source) !== TYPE_SET || (target !== 0 && to.typeOf(target) !== TYPE_SET))
    return reply.error(ERR.WRONGTYPE);
  const { buf } = args;
  const start = args.starts[3];
  const end = args.ends[3];
  const root = from.structure(source);
  const encoding = from.encodingOf(source);
  const isMember = from.values.sets.has(root, encoding, buf, start, end);
  if (!isMember || (source === target && from === to)) return reply.integer(isMember ? 1 : 0);
  if (!reserveMembers(unit, target, 1, end - start, reply)) return;
  // in Redis's order, which key events show; adding only takes what was reserved
  from.values.sets.remove(root, encoding, buf, start, end);
  settleRemoval(unit, 1, source, from.values.sets, SET_EVENT.srem, 1);
  const isNew = addTo(unit, target, args);
  if (isNew) unit.changed(2, SET_EVENT.sadd, 1);
  if (unit.heldCount > 1) journalMove(unit, args, isNew);
  reply.integer(1);
}

/** Adds argument 3 to the set `target` (0: created) at key argument 2; false: it is there already. */
function addTo(unit: Unit, target: number, args: Args): boolean {
  const ks = unit.space(2);
  const { sets } = ks.values;
  const { buf, starts, ends } = args;
  if (target === 0) sets.create(buf, starts[3], ends[3], 1);
  else {
    sets.root = ks.structure(target);
    sets.encoding = ks.encodingOf(target);
  }
  const isNew = sets.add(sets.root, sets.encoding, buf, starts[3], ends[3]);
  if (target === 0) createSet(unit, 2, sets);
  else ks.setStructure(target, sets.root, sets.encoding);
  return isNew;
}

function journalMove(unit: Unit, args: Args, isNew: boolean): void {
  const { buf, starts, ends } = args;
  const removal = unit.effect(1, 3);
  removal.argText('SREM');
  removal.arg(buf, starts[1], ends[1]);
  removal.arg(buf, starts[3], ends[3]);
  if (!isNew) return;
  const addition = unit.effect(2, 3);
  addition.argText('SADD');
  addition.arg(buf, starts[2], ends[2]);
  addition.arg(buf, starts[3], ends[3]);
}
