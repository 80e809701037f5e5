/** What the commands on sets share: making room, removing an emptied set, storing a whole new one. */
import type { ScoreCollector } from '../datatypes/score-collector.ts';
import { SET_ENCODING, type Sets } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_SET } from '../keyspace/entry.ts';
import { GENERIC_EVENT, type KeyEvent } from '../keyspace/key-events.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

/** So much needs no reservation of its own: the room that every unit has is enough. */
const FEW_MEMBERS = 64;
const FEW_BYTES = 64 * 1024;
/** The longest block that a set of short members has, besides a directory: a page of its table. */
const PAGE_BLOCK_BYTES = 192 * 1024;

/** Room for `members` members more in the set `entry` (0: a new one) of the last look-up; false after the reply that there is none. */
export function reserveMembers(
  unit: Unit,
  entry: number,
  members: number,
  memberBytes: number,
  reply: ReplyWriter,
): boolean {
  const { ks } = unit;
  const { sets } = ks.values;
  const root = entry === 0 ? 0 : ks.structure(entry);
  const encoding = entry === 0 ? 0 : ks.encodingOf(entry);
  if (members <= FEW_MEMBERS && memberBytes <= FEW_BYTES) {
    // what could change its form is short, too
    if (entry === 0 || encoding === SET_ENCODING.table || ks.arena.blockBytes(root) <= FEW_BYTES / 4) return true;
  }
  if (unit.reserve(sets.growthBytes(root, encoding, members, memberBytes))) return true;
  reply.error(ERR.OOM);
  return false;
}

/** Makes the set in the registers of `sets` the value of key argument `arg`, which is absent. Returns the entry. */
export function createSet(unit: Unit, arg: number, sets: Sets): number {
  const { buf, starts, ends } = unit.args;
  const { root, encoding } = sets;
  const hash = unit.hashOf(arg);
  return unit.ks.createStructure(
    ...([unit.db, hash, buf, starts[arg], ends[arg], TYPE_SET, root, encoding, NO_DEADLINE, 0] as const),
  );
}

/** After members were taken out of the set at key argument `arg`: notes its form, or removes the key if it is empty. */
export function settleRemoval(
  unit: Unit,
  arg: number,
  entry: number,
  sets: Sets,
  event: KeyEvent,
  changes: number,
): void {
  const ks = unit.space(arg);
  ks.setStructure(entry, sets.root, sets.encoding);
  unit.changed(arg, event, changes);
  if (sets.count(sets.root, sets.encoding) > 0) return;
  ks.remove(unit.db, entry);
  unit.changed(arg, GENERIC_EVENT.del, 0);
}

/**
 * Makes the members that were collected, each once, the value of key argument `arg`, or removes the key if there are none; answers
 * their number. Whatever the key held before is freed. The set begins in the form `encoding`; `isIntegers`: it ends as integers if
 * it may.
 */
export function storeMembers(
  unit: Unit,
  arg: number,
  collector: ScoreCollector,
  encoding: number,
  isIntegers: boolean,
  event: KeyEvent,
  reply: ReplyWriter,
): void {
  const old = unit.findWrite(arg);
  const { ks } = unit;
  const { sets } = ks.values;
  const { count, bytes, starts, lengths } = collector;
  if (count === 0) {
    reply.integer(0);
    if (old === 0) return;
    ks.remove(unit.db, old);
    unit.changed(arg, GENERIC_EVENT.del);
    if (unit.heldCount > 1) unit.effectValue(arg);
    return;
  }
  const needed = sets.growthBytes(0, 0, count, collector.memberBytes) + FEW_BYTES;
  const largest = Math.max(collector.longestBytes() * 2, PAGE_BLOCK_BYTES, count * 16);
  if (!ks.reserve(needed, Math.min(largest, needed))) return reply.error(ERR.OOM);
  sets.createIn(encoding);
  for (let i = 0; i < count; i++) sets.addMissing(bytes, starts[i], starts[i] + lengths[i]);
  if (isIntegers) sets.preferIntegers();
  const { buf, starts: from, ends: to } = unit.args;
  const hash = unit.hashOf(arg);
  ks.createStructure(
    ...([unit.db, hash, buf, from[arg], to[arg], TYPE_SET, sets.root, sets.encoding, NO_DEADLINE, old] as const),
  );
  unit.changed(arg, event);
  if (unit.heldCount > 1) unit.effectValue(arg);
  reply.integer(count);
}
