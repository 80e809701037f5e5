/**
 * Reads hashes in the forms of RDB files into the Hashes of a shard: the plain one, zipmap, ziplist, listpack, and those whose
 * fields have deadlines.
 *
 *   deadlines   earliest (8 bytes, unix ms) | count | per field: 0 or deadline - earliest + 1 | field | value
 *   in a listpack   earliest | listpack of field, value, deadline (0 = none)
 */
import { isSoundCompactList } from '../datatypes/compact-element.ts';
import type { CompactList } from '../datatypes/compact-list.ts';
import { MAX_FIELD_BYTES } from '../datatypes/hash-fields.ts';
import { DamagedRdbError, EmptyValueError, type RdbReader } from '../datatypes/rdb-reader.ts';
import { ZipWalk } from '../datatypes/ziplist.ts';
import type { Keyspace } from './keyspace.ts';
import { RDB_TYPE } from './rdb-types.ts';

const NO_DEADLINE = 0;

/**
 * The value of form `rdbType` becomes the open hash of `ks.values.hashes`; `keepsForm`: as a table if it was one. `room` throws
 * where so many bytes are not to be had.
 */
export function readRdbHash(
  ks: Keyspace,
  rdbType: number,
  from: RdbReader,
  keepsForm: boolean,
  room: (bytes: number) => void,
): void {
  const { hashes } = ks.values;
  room(0);
  const isLong = rdbType === RDB_TYPE.hash || rdbType === RDB_TYPE.hashWithDeadlines;
  if (isLong) {
    const earliest = rdbType === RDB_TYPE.hash ? 0 : from.millis();
    const count = from.length();
    hashes.create(keepsForm ? Number.POSITIVE_INFINITY : count, 0, 0, 0);
    fill(ks, () => readPairs(ks, from, count, rdbType === RDB_TYPE.hashWithDeadlines, earliest, room));
    return;
  }
  if (rdbType === RDB_TYPE.hashListpackWithDeadlines) from.millis();
  from.heldString();
  const { sBuf, sStart, sEnd } = from;
  if (rdbType === RDB_TYPE.hashZipmap || rdbType === RDB_TYPE.hashZiplist) {
    const walk = new ZipWalk(sBuf, sStart, sEnd, rdbType === RDB_TYPE.hashZipmap);
    hashes.create(1, 0, 0, 0);
    return fill(ks, () => readZip(ks, walk, room));
  }
  if (!isSoundCompactList(sBuf, sStart, sEnd)) throw new DamagedRdbError('damaged listpack');
  room((sEnd - sStart) * 2);
  const source = hashes.list.createFrom(sBuf, sStart, sEnd);
  try {
    hashes.create(1, 0, sEnd - sStart, 0);
    fill(ks, () => readList(ks, source, rdbType === RDB_TYPE.hashListpackWithDeadlines, room));
  } finally {
    ks.arena.release(source);
  }
}

/** Fills the open hash; where that fails nothing is left of it. */
function fill(ks: Keyspace, read: () => void): void {
  const { hashes } = ks.values;
  try {
    read();
    if (hashes.allFields() === 0) throw new EmptyValueError();
  } catch (error) {
    while (hashes.releaseStep(hashes.root, hashes.encoding, 1024));
    throw error;
  }
}

function readPairs(
  ks: Keyspace,
  from: RdbReader,
  count: number,
  isTimed: boolean,
  earliest: number,
  room: (bytes: number) => void,
): void {
  for (let i = 0; i < count; i++) {
    const span = isTimed ? from.length() : 0;
    from.heldString();
    const { sBuf, sStart, sEnd } = from;
    from.string();
    add(ks, sBuf, sStart, sEnd, from.sBuf, from.sStart, from.sEnd, room);
    if (span > 0) addDeadline(ks, sBuf, sStart, sEnd, earliest + span - 1);
  }
}

function readZip(ks: Keyspace, walk: ZipWalk, room: (bytes: number) => void): void {
  while (walk.next()) {
    const field = Buffer.from(walk.vBuf.subarray(walk.vStart, walk.vEnd));
    if (!walk.next()) throw new DamagedRdbError('a field without a value');
    const value = Buffer.from(walk.vBuf.subarray(walk.vStart, walk.vEnd));
    add(ks, field, 0, field.length, value, 0, value.length, room);
  }
}

function readList(ks: Keyspace, source: number, isTimed: boolean, room: (bytes: number) => void): void {
  const { list } = ks.values.hashes;
  for (let at = list.first(source); at !== 0; at = list.next(source, at)) {
    const field = elementOf(list, source, at);
    at = list.next(source, at);
    if (at === 0) throw new DamagedRdbError('a field without a value');
    const value = elementOf(list, source, at);
    add(ks, field, 0, field.length, value, 0, value.length, room);
    if (!isTimed) continue;
    at = list.next(source, at);
    if (at === 0) throw new DamagedRdbError('a field without a deadline');
    list.read(source, at);
    if (!list.isInteger) throw new DamagedRdbError('a deadline that is no number');
    if (list.value !== NO_DEADLINE) addDeadline(ks, field, 0, field.length, list.value);
  }
}

/** The element in bytes of its own: the list's text of an integer is soon written over. */
function elementOf(list: CompactList, source: number, at: number): Buffer {
  list.read(source, at);
  return Buffer.from(list.vBuf.subarray(list.vStart, list.vEnd));
}

function add(
  ks: Keyspace,
  fBuf: Buffer,
  fStart: number,
  fEnd: number,
  vBuf: Buffer,
  vStart: number,
  vEnd: number,
  room: (bytes: number) => void,
): void {
  const { hashes } = ks.values;
  const bytes = fEnd - fStart + vEnd - vStart;
  if (fEnd - fStart > MAX_FIELD_BYTES) throw new DamagedRdbError('a field is too long');
  room(hashes.growthBytes(1, bytes));
  if (!hashes.set(fBuf, fStart, fEnd, vBuf, vStart, vEnd)) throw new DamagedRdbError('a field stands twice');
}

function addDeadline(ks: Keyspace, fBuf: Buffer, fStart: number, fEnd: number, deadline: number): void {
  const { hashes } = ks.values;
  if (!(deadline > 0) || !Number.isSafeInteger(deadline)) throw new DamagedRdbError('a deadline that cannot be');
  hashes.makeTimed();
  hashes.setDeadline(hashes.locate(fBuf, fStart, fEnd), deadline);
}
