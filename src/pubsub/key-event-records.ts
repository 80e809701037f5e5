/**
 * Key events on their way: a record in the log names database, key and event; on the reading side it becomes the messages of up
 * to two channels, `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>`.
 */
import { EVENT_CLASS, KEY_EVENTS, type KeyEvent } from '../keyspace/key-events.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { EVENT, type EventLog, type LogRecord } from './event-log.ts';

/** Which of the two channels are on (letters K and E); beside the bits of EVENT_CLASS. */
export const CHANNELS = { keyspace: 1, keyevent: 2 } as const;

const LETTERS: readonly [letter: string, bit: number][] = [
  ['K', CHANNELS.keyspace],
  ['E', CHANNELS.keyevent],
  ['g', EVENT_CLASS.generic],
  ['$', EVENT_CLASS.string],
  ['l', EVENT_CLASS.list],
  ['s', EVENT_CLASS.set],
  ['h', EVENT_CLASS.hash],
  ['z', EVENT_CLASS.sortedSet],
  ['x', EVENT_CLASS.expired],
  ['e', EVENT_CLASS.evicted],
  ['t', EVENT_CLASS.stream],
  ['d', 0],
  ['n', EVENT_CLASS.newKey],
  ['m', EVENT_CLASS.miss],
];
/** What the letter A stands for: all but misses and new keys. */
const ALL_LETTERS = 'g$lshzxetd';

/** The value of `notify-keyspace-events` as bits of EVENT_CLASS and CHANNELS; 0: no event is to be told. */
export function eventBitsOf(setting: string): number {
  const letters = setting.replace('A', ALL_LETTERS);
  let bits = 0;
  for (const [letter, bit] of LETTERS) if (letters.includes(letter)) bits |= bit;
  const channels = bits & (CHANNELS.keyspace | CHANNELS.keyevent);
  return channels === 0 || bits === channels ? 0 : bits;
}

const CHANNEL_BITS = CHANNELS.keyspace | CHANNELS.keyevent;

/** Appends what happened to key bytes[start, end) of a database, if `bits` (see eventBitsOf) select it. */
export function appendKeyEvent(
  log: EventLog,
  bits: number,
  shard: number,
  db: number,
  event: KeyEvent,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  if ((bits & event.classBit) === 0) return;
  log.append(EVENT.keyEvent, shard, db, event.index * 4 + (bits & CHANNEL_BITS), bytes, start, end);
}

export type DeliverOn = (
  record: LogRecord,
  channel: Buffer,
  channelStart: number,
  channelEnd: number,
  message: Buffer,
  start: number,
  end: number,
) => void;

const NAMES: readonly Buffer[] = KEY_EVENTS.map((event) => Buffer.from(event.name, 'latin1'));

/** Delivers a key event's messages; `scratch` takes their channels. */
export function writeKeyEvent(record: LogRecord, scratch: ReplyWriter, deliver: DeliverOn): void {
  const name = NAMES[Math.floor(record.extra / 4)];
  const { buf, aStart, aEnd } = record;
  if ((record.extra & CHANNELS.keyspace) !== 0) {
    const prefix = Buffer.from(`__keyspace@${record.number}__:`, 'latin1');
    scratch.rewind(0);
    scratch.raw(prefix, 0, prefix.length);
    scratch.raw(buf, aStart, aEnd);
    deliver(record, scratch.buf, 0, scratch.pos, name, 0, name.length);
  }
  if ((record.extra & CHANNELS.keyevent) !== 0) {
    const prefix = Buffer.from(`__keyevent@${record.number}__:`, 'latin1');
    scratch.rewind(0);
    scratch.raw(prefix, 0, prefix.length);
    scratch.raw(name, 0, name.length);
    deliver(record, scratch.buf, 0, scratch.pos, buf, aStart, aEnd);
  }
}
