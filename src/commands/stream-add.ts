/** XADD and XTRIM. */
import { ID_FORM, StreamId } from '../datatypes/stream-id.ts';
import { MAX_NODE_BYTES, STREAM_LAST_ID, type Streams } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_STREAM } from '../keyspace/entry.ts';
import { STREAM_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { effectArgument, effectId, replyId, streamsOf } from './stream-arguments.ts';
import { StreamTrimming } from './stream-trimming.ts';
import { typedWrite } from './typed-entry.ts';

const TOO_SMALL = 'ERR The ID specified in XADD is equal or smaller than the target stream top item';
/** What the executor has reserved covers this much besides the arguments. */
const RESERVED_BYTES = 512 * 1024;

const trimming = new StreamTrimming();
const id = new StreamId();
const lastId = new StreamId();

/** Makes a stream the value of the absent key argument `arg`. */
export function putStream(unit: Unit, args: Args, arg: number, root: number): void {
  const { starts, ends, buf } = args;
  unit.ks.createStructure(unit.db, unit.hashOf(arg), buf, starts[arg], ends[arg], TYPE_STREAM, root, 0, NO_DEADLINE, 0);
}

/** Finds the new entry's id in `id`, the last one being `lastId`; false: it would not be greater. */
function chooseId(nowMs: number): boolean {
  if (trimming.idForm === ID_FORM.whole) {
    id.copy(trimming.id);
  } else if (trimming.idForm === ID_FORM.none) {
    id.setMs(nowMs);
    if (id.compare(lastId) <= 0 || id.sameMs(lastId)) {
      id.copy(lastId);
      id.increment();
    }
  } else if (trimming.id.sameMs(lastId)) {
    if (lastId.hasMaxSequence()) return false;
    id.copy(lastId);
    id.increment();
  } else {
    id.copy(trimming.id);
  }
  return id.compare(lastId) > 0;
}

/** The error text of an entry that cannot be added, or null. */
function refusal(streams: Streams, root: number, nowMs: number, bytes: number): string | null {
  if (root === 0) lastId.setZero();
  else streams.loadId(root, STREAM_LAST_ID, lastId);
  if (lastId.isMax()) return 'ERR The stream has exhausted the last possible ID, unable to add more items';
  if (!chooseId(nowMs)) return TOO_SMALL;
  return bytes > MAX_NODE_BYTES ? 'ERR Elements are too large to be stored' : null;
}

export function xadd(unit: Unit, args: Args, reply: ReplyWriter): void {
  const idAt = trimming.parse(args, true, reply);
  if (idAt < 0) return;
  const first = idAt + 1;
  const words = args.count - first;
  if (words < 2 || (words & 1) !== 0) return reply.error("ERR wrong number of arguments for 'xadd' command");
  if (trimming.idForm === ID_FORM.whole && trimming.id.isZero())
    return reply.error('ERR The ID specified in XADD must be greater than 0-0');
  if (!typedWrite(unit, 1, TYPE_STREAM, reply)) return;
  const streams = streamsOf(unit);
  if (unit.entry === 0 && trimming.onlyPresent) return reply.null();
  let root = unit.entry === 0 ? 0 : unit.ks.structure(unit.entry);
  let bytes = 0;
  for (let i = first; i < args.count; i++) bytes += args.ends[i] - args.starts[i];
  const error = refusal(streams, root, unit.nowMs, bytes);
  if (error !== null) return reply.error(error);
  const growthBytes = streams.growthBytes(root, words >> 1, bytes);
  if (growthBytes > RESERVED_BYTES && !unit.reserve(growthBytes + RESERVED_BYTES)) return reply.error(ERR.OOM);

  if (root === 0) {
    root = streams.create();
    streams.add(root, id, args, first, words >> 1, bytes);
    putStream(unit, args, 1, root);
  } else {
    streams.add(root, id, args, first, words >> 1, bytes);
  }
  replyId(reply, id);
  unit.changed(1, STREAM_EVENT.xadd);
  if (trimming.apply(streams, root) > 0) unit.changed(1, STREAM_EVENT.xtrim, 0);
  if ((trimming.idForm !== ID_FORM.whole || trimming.approximate) && unit.isJournalled(1))
    addEffect(unit, args, streams, root, first);
}

/** The effect of XADD with the id that was made, and exact trimming. */
function addEffect(unit: Unit, args: Args, streams: Streams, root: number, first: number): void {
  const effect = unit.effect(1, 3 + trimming.effectArguments + args.count - first);
  effect.argText('XADD');
  effectArgument(effect, args, 1);
  trimming.writeExact(effect, streams, root);
  effectId(effect, id);
  for (let i = first; i < args.count; i++) effectArgument(effect, args, i);
}

export function xtrim(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (trimming.parse(args, false, reply) < 0 || !typedWrite(unit, 1, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.integer(0);
  const streams = streamsOf(unit);
  const root = unit.ks.structure(unit.entry);
  const deleted = trimming.apply(streams, root);
  reply.integer(deleted);
  if (deleted === 0) return;
  unit.changed(1, STREAM_EVENT.xtrim, deleted);
  if (!trimming.approximate) return;
  const effect = unit.effect(1, 2 + trimming.effectArguments);
  effect.argText('XTRIM');
  effectArgument(effect, args, 1);
  trimming.writeExact(effect, streams, root);
}
