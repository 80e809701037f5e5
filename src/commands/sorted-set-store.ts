/** What the commands on sorted sets share: opening them, storing a whole new one, removing an emptied one. */
import type { ScoreCollector } from '../datatypes/score-collector.ts';
import type { SortedSets } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { GENERIC_EVENT, type KeyEvent } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

/** So many members need no reservation of their own: the room that every unit has is enough. */
const FEW_MEMBERS = 64;
const FEW_BYTES = 64 * 1024;

/** Room for `members` members more under the present look-up; false after the reply that there is none. */
export function reserveMembers(unit: Unit, members: number, memberBytes: number, reply: ReplyWriter): boolean {
  const { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  const root = entry === 0 ? 0 : ks.structure(entry);
  const encoding = entry === 0 ? 0 : ks.encodingOf(entry);
  const isSmallStep = members <= FEW_MEMBERS && memberBytes <= FEW_BYTES;
  if (isSmallStep && (entry === 0 || encoding !== 0 || sets.small.list.bytes(root) <= FEW_BYTES)) return true;
  if (unit.reserve(sets.growthBytes(root, encoding, members, memberBytes))) return true;
  reply.error(ERR.OOM);
  return false;
}

/** After elements were taken out of the set at key argument `arg`: notes its form, or removes the key if it is empty. */
export function settleRemoval(unit: Unit, arg: number, sets: SortedSets, event: KeyEvent, changes: number): void {
  const { ks, entry } = unit;
  if (sets.count(sets.root, sets.encoding) > 0) {
    ks.setStructure(entry, sets.root, sets.encoding);
    unit.changed(arg, event, changes);
    return;
  }
  // what the key names is what will be freed
  ks.setStructure(entry, sets.root, sets.encoding);
  ks.remove(unit.db, entry);
  unit.changed(arg, event, changes);
  unit.changed(arg, GENERIC_EVENT.del, 0);
}

/**
 * Makes what was collected, sorted, the value of key argument `arg`, or removes the key if that is nothing; answers the number of
 * members. Whatever the key held before is freed.
 */
export function storeCollected(
  unit: Unit,
  args: Args,
  arg: number,
  collector: ScoreCollector,
  event: KeyEvent,
  reply: ReplyWriter,
  changes = 1,
): void {
  const old = unit.findWrite(arg);
  const { ks } = unit;
  const sets = ks.values.sortedSets;
  const { count, bytes, starts, lengths, scores, order } = collector;
  if (count === 0) {
    reply.integer(0);
    if (old === 0) return;
    ks.remove(unit.db, old);
    unit.changed(arg, GENERIC_EVENT.del);
    if (unit.heldCount > 1) unit.effectValue(arg);
    return;
  }
  const longest = collector.longestBytes();
  const largest = Math.max(longest, 1 << 17) + FEW_BYTES;
  if (!ks.reserve(sets.growthBytes(0, 0, count, collector.memberBytes) + FEW_BYTES, largest))
    return reply.error(ERR.OOM);
  sets.create(count, longest, collector.memberBytes);
  for (let i = 0; i < count; i++) {
    const element = order[i];
    const start = starts[element];
    sets.append(bytes, start, start + lengths[element], scores[element]);
  }
  const { buf, starts: from, ends: to } = args;
  const hash = unit.hashOf(arg);
  ks.createStructure(
    ...([unit.db, hash, buf, from[arg], to[arg], TYPE_SORTED_SET, sets.root, sets.encoding, NO_DEADLINE, old] as const),
  );
  unit.changed(arg, event, changes);
  if (unit.heldCount > 1) unit.effectValue(arg);
  reply.integer(count);
}
