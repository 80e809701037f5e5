/** Effects of commands on groups of streams: the words that say what has become of an entry, a group or a consumer. */
import { StreamId } from '../datatypes/stream-id.ts';
import type { Streams } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import { effectArgument, effectId } from './stream-arguments.ts';

const id = new StreamId();
const lastId = new StreamId();

/** The pending entry `entry` as it is now. */
export function effectClaim(
  unit: Unit,
  args: Args,
  key: number,
  groupName: number,
  streams: Streams,
  group: number,
  entry: number,
): void {
  const { groups } = streams;
  const { pending } = groups;
  const effect = unit.effect(key, 14);
  effect.argText('XCLAIM');
  effectArgument(effect, args, key);
  effectArgument(effect, args, groupName);
  groups.consumerName(pending.consumerOf(entry));
  effect.arg(groups.nBuf, groups.nStart, groups.nEnd);
  effect.argText('0');
  pending.loadId(entry, id);
  effectId(effect, id);
  effect.argText('TIME');
  effect.argNumber(pending.deliveredMs(entry));
  effect.argText('RETRYCOUNT');
  effect.argNumber(pending.times(entry));
  effect.argText('FORCE');
  effect.argText('JUSTID');
  effect.argText('LASTID');
  groups.loadLastId(group, lastId);
  effectId(effect, lastId);
}

/** How far the group has read. */
export function effectGroup(
  unit: Unit,
  args: Args,
  key: number,
  groupName: number,
  streams: Streams,
  group: number,
): void {
  const effect = unit.effect(key, 7);
  effect.argText('XGROUP');
  effect.argText('SETID');
  effectArgument(effect, args, key);
  effectArgument(effect, args, groupName);
  streams.groups.loadLastId(group, lastId);
  effectId(effect, lastId);
  effect.argText('ENTRIESREAD');
  effect.argBig(streams.groups.entriesRead(group));
}

/** That the consumer exists. */
export function effectConsumer(unit: Unit, args: Args, key: number, groupName: number, consumerName: number): void {
  const effect = unit.effect(key, 5);
  effect.argText('XGROUP');
  effect.argText('CREATECONSUMER');
  effectArgument(effect, args, key);
  effectArgument(effect, args, groupName);
  effectArgument(effect, args, consumerName);
}

/** That an entry is pending no more. */
export function effectAcknowledged(unit: Unit, args: Args, key: number, groupName: number, entryId: StreamId): void {
  const effect = unit.effect(key, 4);
  effect.argText('XACK');
  effectArgument(effect, args, key);
  effectArgument(effect, args, groupName);
  effectId(effect, entryId);
}
