/** Reads lists and sets in all forms of RDB files. What is made so far is in the registers of the types: the caller frees it. */
import { isSoundCompactList } from '../datatypes/compact-element.ts';
import { CompactWalk } from '../datatypes/compact-walk.ts';
import { isSoundIntSet } from '../datatypes/int-set.ts';
import { LIST_ENCODING } from '../datatypes/list-value.ts';
import { DamagedRdbError, EmptyValueError, type RdbReader } from '../datatypes/rdb-reader.ts';
import { SET_ENCODING } from '../datatypes/set-value.ts';
import { ZipWalk } from '../datatypes/ziplist.ts';
import type { Keyspace } from './keyspace.ts';
import { RDB_TYPE } from './rdb-types.ts';

const PLAIN_NODE = 1;
const PACKED_NODE = 2;

/** Makes room in the shard, or throws. */
type Room = (bytes: number) => void;

/** Elements of a collection, which is never empty. */
function countOf(from: RdbReader): number {
  const count = from.length();
  if (count === 0) throw new EmptyValueError();
  return count;
}

/** A list: root and encoding are then in the registers of `lists`. */
export function readRdbList(ks: Keyspace, rdbType: number, from: RdbReader, room: Room, made: () => void): void {
  const { lists } = ks.values;
  room(0);
  lists.open(lists.quick.create(), LIST_ENCODING.quick);
  made();
  switch (rdbType) {
    case RDB_TYPE.list:
      for (let left = countOf(from); left > 0; left--) pushString(ks, from, room);
      break;
    case RDB_TYPE.listZiplist:
      pushZiplist(ks, from, room);
      break;
    case RDB_TYPE.listQuicklist:
      for (let left = countOf(from); left > 0; left--) pushZiplist(ks, from, room);
      break;
    case RDB_TYPE.listQuicklist2:
      for (let left = countOf(from); left > 0; left--) readNode(ks, from, room);
      break;
  }
  if (lists.length() === 0) throw new EmptyValueError();
  lists.settleLoaded();
}

function pushString(ks: Keyspace, from: RdbReader, room: Room): void {
  const { lists } = ks.values;
  from.string();
  room(from.sEnd - from.sStart);
  lists.push(false, from.sBuf, from.sStart, from.sEnd);
}

function pushZiplist(ks: Keyspace, from: RdbReader, room: Room): void {
  const { lists } = ks.values;
  from.heldString();
  room((from.sEnd - from.sStart) * 4);
  const walk = new ZipWalk(from.sBuf, from.sStart, from.sEnd, false);
  while (walk.next()) lists.push(false, walk.vBuf, walk.vStart, walk.vEnd);
}

function readNode(ks: Keyspace, from: RdbReader, room: Room): void {
  const { lists } = ks.values;
  const kind = from.length();
  if (kind === PLAIN_NODE) {
    pushString(ks, from, room);
    // only what is long stands alone
    if (from.sStart === from.sEnd) throw new DamagedRdbError('a list node of no bytes');
    return;
  }
  if (kind !== PACKED_NODE) throw new DamagedRdbError(`a list node of kind ${kind}`);
  from.string();
  const { sBuf, sStart, sEnd } = from;
  if (!isSoundCompactList(sBuf, sStart, sEnd)) throw new DamagedRdbError('damaged listpack');
  room(sEnd - sStart);
  // old servers have left empty nodes behind
  if (!new CompactWalk().beginsWithOne(sBuf, sStart)) return;
  lists.quick.appendNode(lists.root, sBuf, sStart, sEnd);
}

/** A set: root and encoding are then in the registers of `sets`. `keepsForm`: a hash table stays one. */
export function readRdbSet(
  ks: Keyspace,
  rdbType: number,
  from: RdbReader,
  keepsForm: boolean,
  room: Room,
  made: () => void,
): void {
  const { sets } = ks.values;
  room(0);
  if (rdbType === RDB_TYPE.set) {
    const count = countOf(from);
    for (let i = 0; i < count; i++) {
      from.string();
      const { sBuf, sStart, sEnd } = from;
      room((sEnd - sStart) * 2);
      if (i === 0 && keepsForm && count > ks.values.limits.setMaxListpackEntries) sets.createIn(SET_ENCODING.table);
      else if (i === 0) sets.create(sBuf, sStart, sEnd, count);
      if (i === 0) made();
      addMember(ks, sBuf, sStart, sEnd, made);
    }
    return;
  }
  from.heldString();
  const { sBuf, sStart, sEnd } = from;
  room((sEnd - sStart) * 4);
  if (rdbType === RDB_TYPE.setIntset) readIntSet(ks, sBuf, sStart, sEnd, made);
  else readListpack(ks, sBuf, sStart, sEnd, made);
}

function addMember(ks: Keyspace, buf: Buffer, start: number, end: number, made: () => void): void {
  const { sets } = ks.values;
  const isNew = sets.add(sets.root, sets.encoding, buf, start, end);
  made();
  if (!isNew) throw new DamagedRdbError('a member stands twice');
}

function readIntSet(ks: Keyspace, buf: Buffer, start: number, end: number, made: () => void): void {
  const { sets } = ks.values;
  if (!isSoundIntSet(buf, start, end)) throw new DamagedRdbError('damaged intset');
  sets.root = sets.integers.createFrom(buf, start, end);
  sets.encoding = SET_ENCODING.integers;
  made();
  sets.expectIntegers();
  made();
}

function readListpack(ks: Keyspace, buf: Buffer, start: number, end: number, made: () => void): void {
  const { sets } = ks.values;
  if (!isSoundCompactList(buf, start, end)) throw new DamagedRdbError('damaged listpack');
  const walk = new CompactWalk();
  const count = walk.begin(buf, start);
  let any = false;
  while (walk.next()) {
    if (!any) {
      sets.create(walk.vBuf, walk.vStart, walk.vEnd, count);
      made();
    }
    any = true;
    addMember(ks, walk.vBuf, walk.vStart, walk.vEnd, made);
  }
  if (!any) throw new EmptyValueError();
}
