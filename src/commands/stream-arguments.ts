/** What the stream commands have in common: ids among their arguments, ids and entries in their replies. */
import type { ElementReader } from '../datatypes/element-reader.ts';
import type { StreamCursor } from '../datatypes/stream-cursor.ts';
import { ID_FORM, ID_TEXT_BYTES, INTERVAL_END, StreamId } from '../datatypes/stream-id.ts';
import type { Streams } from '../datatypes/stream-value.ts';
import type { EffectRecorder, Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument';
export const ZERO_ID: StreamId = new StreamId();
export const MAX_ID: StreamId = new StreamId();
MAX_ID.setMax();

const text = Buffer.alloc(ID_TEXT_BYTES);

/** Streams of the keyspace of the last look-up. */
export function streamsOf(unit: Unit): Streams {
  return unit.ks.values.streams;
}

/** Reads an id, whose sequence is 0 where it is left out; false after an error reply. */
export function idArgument(args: Args, index: number, id: StreamId, reply: ReplyWriter): boolean {
  if (id.parse(args.buf, args.starts[index], args.ends[index], false) === ID_FORM.whole) return true;
  reply.error(INVALID_ID);
  return false;
}

/** Reads an end of an interval, so that `id` belongs to it; false after an error reply. */
export function endArgument(args: Args, index: number, id: StreamId, isStart: boolean, reply: ReplyWriter): boolean {
  const end = id.parseEnd(args.buf, args.starts[index], args.ends[index], isStart);
  if (end === INTERVAL_END.included) return true;
  if (end === INTERVAL_END.none) reply.error(INVALID_ID);
  else if (isStart ? id.increment() : id.decrement()) return true;
  else reply.error(`ERR invalid ${isStart ? 'start' : 'end'} ID for the interval`);
  return false;
}

/** A whole number of 64 bits, exactly; null after an error reply. */
export function exactArgument(args: Args, index: number, reply: ReplyWriter): bigint | null {
  const value = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (value === null) reply.error(ERR.NOT_INTEGER);
  return value;
}

/** True: argument `index` is this one ASCII character. */
export function isCharacterArgument(args: Args, index: number, character: string): boolean {
  return args.length(index) === 1 && args.buf[args.starts[index]] === character.charCodeAt(0);
}

/** Argument `index` in an error line: as Redis quotes it, up to its first NUL byte. */
export function quoted(args: Args, index: number): string {
  const words = args.text(index);
  const nul = words.indexOf('\0');
  return nul < 0 ? words : words.slice(0, nul);
}

export function replyId(reply: ReplyWriter, id: StreamId): void {
  reply.bulk(text, 0, id.write(text, 0));
}

export function effectId(effect: EffectRecorder, id: StreamId): void {
  effect.arg(text, 0, id.write(text, 0));
}

export function effectArgument(effect: EffectRecorder, args: Args, index: number): void {
  effect.arg(args.buf, args.starts[index], args.ends[index]);
}

function replyElement(reply: ReplyWriter, element: ElementReader): void {
  if (!element.isInteger) reply.bulkView(element.view, element.buf, element.vStart, element.vEnd);
  else if (Number.isSafeInteger(element.integer)) reply.bulkNumber(element.integer);
  else reply.bulkText(element.integerText());
}

/** The entry that the cursor is on: its id, its fields and values. */
export function replyEntry(reply: ReplyWriter, cursor: StreamCursor): void {
  reply.array(2);
  replyId(reply, cursor.id);
  const fields = cursor.fields;
  reply.array(fields * 2);
  for (let i = 0; i < fields; i++) {
    replyElement(reply, cursor.readName());
    replyElement(reply, cursor.readValue());
  }
}
