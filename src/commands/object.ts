/** OBJECT: how a value is kept. */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { replyHelp } from './help-reply.ts';

/** The longest decimal text of a 64-bit integer. */
const MAX_INTEGER_TEXT_BYTES = 20;
/** Redis keeps strings up to this length in one allocation with their header and calls that embstr. */
const MAX_EMBSTR_BYTES = 44;

/** The name that Redis has for the form of a value. */
export function encodingName(ks: Keyspace, h: number): string {
  const type = ks.typeOf(h);
  if (type !== TYPE_STRING) return ks.values.kind(type).encodingName(ks.encodingOf(h));
  if (ks.isRaw(h)) return 'raw';
  const bytes = ks.valueBytes(h);
  if (bytes <= MAX_INTEGER_TEXT_BYTES) {
    ks.value(h);
    if (parseInt64(ks.vBuf, ks.vStart, ks.vEnd) !== null) return 'int';
  }
  return bytes <= MAX_EMBSTR_BYTES ? 'embstr' : 'raw';
}

export function objectEncoding(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findPeek(2);
  if (h === 0) reply.null();
  else reply.bulkText(encodingName(unit.ks, h));
}

export function objectIdletime(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findPeek(2);
  if (h === 0) reply.null();
  else reply.integer(unit.ks.idleSeconds(h));
}

export function objectFreq(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findPeek(2);
  if (h === 0) return reply.null();
  reply.error(
    'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
  );
}

export function objectRefcount(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findPeek(2);
  if (h === 0) reply.null();
  else reply.integer(1);
}

export function objectHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'OBJECT', [
    'ENCODING <key>',
    '    The inner form in which the value of the key is kept.',
    'FREQ <key>',
    '    How often the key is used, on a logarithmic scale. Needs an LFU maxmemory policy.',
    'IDLETIME <key>',
    '    Seconds since the key was last used.',
    'REFCOUNT <key>',
    '    The number of owners of the value.',
  ]);
}
