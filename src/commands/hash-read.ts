/** Commands that read hashes: HGET, HMGET, HLEN, HSTRLEN, HEXISTS, HKEYS, HVALS, HGETALL. */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { CompactList } from '../datatypes/compact-list.ts';
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { readHash, replyValueAt } from './hash-access.ts';

const LIST = 0;
/** What of each field is answered. */
const FIELDS = 1;
const VALUES = 2;
const BOTH = 3;
/** After so many fields the thread says that it lives. */
const PROGRESS_MASK = 1023;
/** First bytes of strings up to 63 bytes in a compact list (compact-element.ts). */
const SHORT_STRING = 0x80;
const LONGER_STRING = 0xc0;
const SHORT_BYTES_MASK = 63;

export function hget(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  if (unit.entry === 0) return reply.null();
  const { hashes } = unit.ks.values;
  const place = hashes.find(args.buf, args.starts[2], args.ends[2]);
  if (place === 0) reply.null();
  else replyValueAt(unit, hashes, place, reply);
}

export function hmget(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const place = unit.entry === 0 ? 0 : hashes.find(args.buf, args.starts[i], args.ends[i]);
    if (place === 0) reply.null();
    else replyValueAt(unit, hashes, place, reply);
  }
}

export function hlen(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  reply.integer(unit.entry === 0 ? 0 : unit.ks.values.hashes.liveFields());
}

export function hstrlen(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  const place = unit.entry === 0 ? 0 : hashes.find(args.buf, args.starts[2], args.ends[2]);
  if (place === 0) return reply.integer(0);
  hashes.loadValue(place);
  reply.integer(hashes.vEnd - hashes.vStart);
}

export function hexists(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  const place = unit.entry === 0 ? 0 : unit.ks.values.hashes.find(args.buf, args.starts[2], args.ends[2]);
  reply.integer(place === 0 ? 0 : 1);
}

export function hkeys(unit: Unit, _args: Args, reply: ReplyWriter): void {
  replyAll(unit, FIELDS, reply);
}

export function hvals(unit: Unit, _args: Args, reply: ReplyWriter): void {
  replyAll(unit, VALUES, reply);
}

export function hgetall(unit: Unit, _args: Args, reply: ReplyWriter): void {
  replyAll(unit, BOTH, reply);
}

function replyAll(unit: Unit, parts: number, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  const fields = unit.entry === 0 ? 0 : hashes.liveFields();
  if (parts === BOTH) reply.map(fields);
  else reply.array(fields);
  if (fields === 0) return;
  if (hashes.encoding === LIST) replyList(hashes, parts, reply);
  else replyTable(unit, hashes, parts, reply);
}

/** The elements of a compact list one behind the other; short strings, which nearly all are, without a call to the list. */
function replyList(hashes: Hashes, parts: number, reply: ReplyWriter): void {
  const { list, root } = hashes;
  const { arena } = list;
  const segment = root >>> 26;
  const u8 = arena.u8[segment];
  const buf = arena.buf[segment];
  const view = arena.view[segment];
  const base = list.base(root);
  const end = base + list.bytes(root) - 1;
  let part = FIELDS;
  let p = base + list.first(root);
  while (p < end) {
    const first = u8[p];
    if (first >= SHORT_STRING && first < LONGER_STRING) {
      const start = p + 1;
      p = start + (first & SHORT_BYTES_MASK);
      if ((parts & part) !== 0) reply.bulkView(view, buf, start, p);
      // the length backwards
      p++;
    } else {
      if ((parts & part) !== 0) replyElement(list, root, p - base, view, reply);
      p += list.sizeAt(root, p - base);
    }
    part ^= BOTH;
  }
}

function replyElement(list: CompactList, root: number, at: number, view: DataView, reply: ReplyWriter): void {
  list.read(root, at);
  if (list.isInteger) reply.bulk(list.vBuf, list.vStart, list.vEnd);
  else reply.bulkView(view, list.vBuf, list.vStart, list.vEnd);
}

function replyTable(unit: Unit, hashes: Hashes, parts: number, reply: ReplyWriter): void {
  let seen = 0;
  for (hashes.rewind(); hashes.next(); ) {
    if ((++seen & PROGRESS_MASK) === 0) showProgress();
    if ((parts & FIELDS) !== 0) {
      hashes.loadField(hashes.at);
      reply.bulkView(hashes.fView, hashes.fBuf, hashes.fStart, hashes.fEnd);
    }
    if ((parts & VALUES) !== 0) replyValueAt(unit, hashes, hashes.at, reply);
  }
}
