/**
 * Digests of single keys and of the whole data set, the same 20 bytes that Redis computes for the same data: an oracle that
 * two servers hold the same.
 */
import { createHash } from 'node:crypto';
import type { ElementReader } from '../datatypes/element-reader.ts';
import { SetCursor } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import {
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_SORTED_SET,
  TYPE_STREAM,
  TYPE_STRING,
} from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import { formatG17 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { wrongFormError } from './errors.ts';
import { forEachEntry } from './keys-scan.ts';
import { MAX_ID, ZERO_ID } from './stream-arguments.ts';

const DIGEST_BYTES = 20;
const FIELD_DEADLINE_MARK = Buffer.from('!!hexpire!!', 'latin1');
const HAS_DEADLINE_MARK = Buffer.from('!!expire!!', 'latin1');

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}

/** Adds bytes so that the order of additions does not matter. */
function xorInto(digest: Buffer, bytes: Uint8Array): void {
  const hash = sha1(bytes);
  for (let i = 0; i < DIGEST_BYTES; i++) digest[i] ^= hash[i];
}

/** Adds bytes so that the order of additions matters. */
function mixInto(digest: Buffer, bytes: Uint8Array): void {
  xorInto(digest, bytes);
  sha1(digest).copy(digest);
}

function bigEndian(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

/** Adds type, value and the fact of a deadline (not its time). */
function addValue(digest: Buffer, ks: Keyspace, h: number): void {
  const type = ks.typeOf(h);
  mixInto(digest, bigEndian(type));
  switch (type) {
    case TYPE_STRING:
      ks.value(h);
      mixInto(digest, ks.vBuf.subarray(ks.vStart, ks.vEnd));
      break;
    case TYPE_LIST:
      addList(digest, ks, h);
      break;
    case TYPE_SET:
      addSet(digest, ks, h);
      break;
    case TYPE_SORTED_SET:
      addSortedSet(digest, ks, h);
      break;
    case TYPE_HASH:
      addHash(digest, ks, h);
      break;
    case TYPE_STREAM:
      addStream(digest, ks, h);
      break;
    default:
      throw new Error(`no digest of a value of type ${type}`);
  }
  if (ks.deadlineOf(h) !== NO_DEADLINE) xorInto(digest, HAS_DEADLINE_MARK);
}

/** Fields that are lapsed count, as expired keys do. */
function addHash(digest: Buffer, ks: Keyspace, h: number): void {
  const { hashes } = ks.values;
  hashes.open(ks.structure(h), ks.encodingOf(h), 0);
  for (hashes.rewind(); hashes.next(); ) {
    const element = Buffer.alloc(DIGEST_BYTES);
    hashes.loadField(hashes.at);
    mixInto(element, hashes.fBuf.subarray(hashes.fStart, hashes.fEnd));
    hashes.loadValue(hashes.at);
    mixInto(element, hashes.vBuf.subarray(hashes.vStart, hashes.vEnd));
    if (hashes.deadlineAt(hashes.at) !== NO_DEADLINE) xorInto(element, FIELD_DEADLINE_MARK);
    xorInto(digest, element);
  }
}

function addList(digest: Buffer, ks: Keyspace, h: number): void {
  const { lists } = ks.values;
  lists.open(ks.structure(h), ks.encodingOf(h));
  for (let more = lists.seek(0); more; more = lists.next()) {
    lists.load();
    const { vBuf, vStart, vEnd } = lists.list;
    mixInto(digest, vBuf.subarray(vStart, vEnd));
  }
}

const members = new SetCursor();

function addSet(digest: Buffer, ks: Keyspace, h: number): void {
  for (let more = members.open(ks.values.sets, ks.structure(h), ks.encodingOf(h)); more; more = members.next())
    xorInto(digest, members.mBuf.subarray(members.mStart, members.mEnd));
}

function addSortedSet(digest: Buffer, ks: Keyspace, h: number): void {
  const sets = ks.values.sortedSets;
  for (let more = sets.seekRank(ks.structure(h), ks.encodingOf(h), 0); more; more = sets.next()) {
    sets.loadElement();
    const element = Buffer.alloc(DIGEST_BYTES);
    mixInto(element, sets.mBuf.subarray(sets.mStart, sets.mEnd));
    mixInto(element, Buffer.from(formatG17(sets.score), 'latin1'));
    xorInto(digest, element);
  }
}

function mixElement(digest: Buffer, element: ElementReader): void {
  if (element.isInteger) mixInto(digest, Buffer.from(element.integerText(), 'latin1'));
  else mixInto(digest, element.buf.subarray(element.vStart, element.vEnd));
}

/** Entries in their order; groups do not count. */
function addStream(digest: Buffer, ks: Keyspace, h: number): void {
  const { streams } = ks.values;
  const { cursor } = streams;
  for (cursor.begin(streams.nodesOf(ks.structure(h)), ZERO_ID, MAX_ID, false); cursor.next(); ) {
    mixInto(digest, Buffer.from(cursor.id.toString().replace('-', '.'), 'latin1'));
    for (let i = 0; i < cursor.fields; i++) {
      mixElement(digest, cursor.readName());
      mixElement(digest, cursor.readValue());
    }
  }
}

/** DEBUG DIGEST: all databases of the shards that the unit holds. */
export function debugDigest(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count !== 2) return reply.error(wrongFormError(args, 'DEBUG'));
  const total = Buffer.alloc(DIGEST_BYTES);
  const databases = unit.spaceOf(unit.held[0]).databases;
  for (let db = 0; db < databases; db++) {
    let keys = 0;
    for (let i = 0; i < unit.heldCount; i++) keys += unit.spaceOf(unit.held[i]).count(db);
    if (keys === 0) continue;
    mixInto(total, bigEndian(db));
    forEachEntry(unit, db, (ks, h) => {
      const digest = Buffer.alloc(DIGEST_BYTES);
      ks.key(h);
      mixInto(digest, ks.kBuf.subarray(ks.kStart, ks.kEnd));
      addValue(digest, ks, h);
      xorInto(total, digest);
    });
  }
  reply.simple(total.toString('hex'));
}

/** DEBUG DIGEST-VALUE: zeros for an absent key; an expired key that is still there counts. */
export function debugDigestValue(unit: Unit, args: Args, reply: ReplyWriter): void {
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const digest = Buffer.alloc(DIGEST_BYTES);
    const ks = unit.space(i);
    const h = ks.find(unit.db, unit.hashOf(i), args.buf, args.starts[i], args.ends[i]);
    if (h !== 0) addValue(digest, ks, h);
    reply.simple(digest.toString('hex'));
  }
}
