/**
 * Reads values in the forms of RDB files (Redis 2.6 to 7.2, and fields with deadlines) into structures of one shard that no key
 * names yet. What is damaged leaves nothing behind.
 */
import { isSoundCompactList } from '../datatypes/compact-element.ts';
import { DamagedRdbError, EmptyValueError, type RdbReader } from '../datatypes/rdb-reader.ts';
import { ADD_FLAG, ADD_RESULT } from '../datatypes/sorted-set-value.ts';
import { ZipWalk } from '../datatypes/ziplist.ts';
import { parseFloatStrict } from '../resp/numbers.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STRING } from './entry.ts';
import type { Keyspace } from './keyspace.ts';
import { readRdbHash } from './rdb-hash-reader.ts';
import { readRdbList, readRdbSet } from './rdb-list-set-reader.ts';
import { readRdbStream } from './rdb-stream-reader.ts';
import { RDB_TYPE } from './rdb-types.ts';

/** What every element may take besides its bytes: headers, index, growth of tables. */
const ELEMENT_SLACK_BYTES = 512 * 1024;

/** Outcomes of `read`. */
export const READ = { ok: 0, damaged: 1, noRoom: 2, empty: 3 } as const;

class NoRoomError extends Error {}

export class RdbValueReader {
  /** Registers of `read`: type number; for strings the bytes sBuf[sStart, sEnd) of the reader; else root and encoding. */
  type = TYPE_STRING;
  root = 0;
  encoding = 0;
  /** Why the value is damaged. */
  damage = '';
  /** The value stays in its large form however small it is: for copies of our own values. */
  keepsForm = false;
  private readonly ks: Keyspace;

  constructor(ks: Keyspace) {
    this.ks = ks;
  }

  /** Reads a value of form `rdbType` (RDB_TYPE); a READ outcome. The caller owns the structure. */
  read(rdbType: number, from: RdbReader): number {
    this.root = 0;
    try {
      this.readValue(rdbType, from);
      return READ.ok;
    } catch (error) {
      if (this.root !== 0) this.ks.values.drop(this.type, this.root, this.encoding);
      if (error instanceof NoRoomError) return READ.noRoom;
      if (!(error instanceof DamagedRdbError)) throw error;
      this.damage = error.message;
      return error instanceof EmptyValueError ? READ.empty : READ.damaged;
    }
  }

  private readValue(rdbType: number, from: RdbReader): void {
    switch (rdbType) {
      case RDB_TYPE.string:
        this.type = TYPE_STRING;
        from.string();
        return this.room(from.sEnd - from.sStart);
      case RDB_TYPE.sortedSet:
      case RDB_TYPE.sortedSet2:
        return this.sortedSet(from, rdbType === RDB_TYPE.sortedSet2);
      case RDB_TYPE.sortedSetListpack:
        return this.sortedSetListpack(from);
      case RDB_TYPE.sortedSetZiplist:
        return this.sortedSetZiplist(from);
      case RDB_TYPE.list:
      case RDB_TYPE.listZiplist:
      case RDB_TYPE.listQuicklist:
      case RDB_TYPE.listQuicklist2:
        this.type = TYPE_LIST;
        readRdbList(this.ks, rdbType, from, this.roomFor, this.tookList);
        return this.tookList();
      case RDB_TYPE.streamListpacks:
      case RDB_TYPE.streamListpacks2:
      case RDB_TYPE.streamListpacks3:
        this.type = TYPE_STREAM;
        this.encoding = 0;
        return readRdbStream(this.ks, rdbType, from, this.roomFor, this.tookStream);
      case RDB_TYPE.set:
      case RDB_TYPE.setIntset:
      case RDB_TYPE.setListpack:
        this.type = TYPE_SET;
        return readRdbSet(this.ks, rdbType, from, this.keepsForm, this.roomFor, this.tookSet);
      case RDB_TYPE.hash:
      case RDB_TYPE.hashZipmap:
      case RDB_TYPE.hashZiplist:
      case RDB_TYPE.hashListpack:
      case RDB_TYPE.hashWithDeadlines:
      case RDB_TYPE.hashListpackWithDeadlines:
        return this.hash(rdbType, from);
    }
    throw new DamagedRdbError(`values of form ${rdbType} are not known`);
  }

  private room(bytes: number): void {
    if (!this.ks.reserve(bytes + ELEMENT_SLACK_BYTES)) throw new NoRoomError();
  }

  /** Elements of a collection, which is never empty. */
  private count(from: RdbReader): number {
    const count = from.length();
    if (count === 0) throw new EmptyValueError();
    return count;
  }

  private readonly roomFor = (bytes: number): void => this.room(bytes);

  private readonly tookList = (): void => {
    this.root = this.ks.values.lists.root;
    this.encoding = this.ks.values.lists.encoding;
  };

  private readonly tookStream = (root: number): void => {
    this.root = root;
  };

  private readonly tookSet = (): void => {
    this.root = this.ks.values.sets.root;
    this.encoding = this.ks.values.sets.encoding;
  };

  private hash(rdbType: number, from: RdbReader): void {
    const { hashes } = this.ks.values;
    this.type = TYPE_HASH;
    readRdbHash(this.ks, rdbType, from, this.keepsForm, this.roomFor);
    this.root = hashes.root;
    this.encoding = hashes.encoding;
  }

  // ---- sorted sets

  private sortedSet(from: RdbReader, isBinary: boolean): void {
    const count = this.count(from);
    this.openSortedSet(this.keepsForm ? Number.POSITIVE_INFINITY : count);
    for (let i = 0; i < count; i++) {
      from.heldString();
      const { sBuf, sStart, sEnd } = from;
      this.addScored(sBuf, sStart, sEnd, isBinary ? from.double() : from.doubleText());
    }
  }

  private openSortedSet(members: number): void {
    const sets = this.ks.values.sortedSets;
    this.room(0);
    this.type = TYPE_SORTED_SET;
    sets.create(members, 0);
    this.root = sets.root;
    this.encoding = sets.encoding;
  }

  private addScored(buf: Buffer, start: number, end: number, score: number): void {
    if (Number.isNaN(score)) throw new DamagedRdbError('a score that is no number');
    this.room(end - start);
    const sets = this.ks.values.sortedSets;
    const outcome = sets.add(this.root, this.encoding, buf, start, end, score, ADD_FLAG.onlyNew);
    this.root = sets.root;
    this.encoding = sets.encoding;
    if (outcome !== ADD_RESULT.added) throw new DamagedRdbError('a member stands twice');
  }

  private sortedSetListpack(from: RdbReader): void {
    from.heldString();
    const { sBuf, sStart, sEnd } = from;
    if (!isSoundCompactList(sBuf, sStart, sEnd)) throw new DamagedRdbError('damaged listpack');
    this.room(sEnd - sStart);
    const { list } = this.ks.values.sortedSets.small;
    const source = list.createFrom(sBuf, sStart, sEnd);
    try {
      this.openSortedSet(list.count(source) >> 1);
      let at = list.first(source);
      if (at === 0) throw new EmptyValueError();
      for (; at !== 0; at = list.next(source, at)) {
        const member = at;
        at = list.next(source, at);
        if (at === 0) throw new DamagedRdbError('a member without a score');
        list.read(source, at);
        const score = parseFloatStrict(list.vBuf, list.vStart, list.vEnd);
        list.read(source, member);
        const copy = Buffer.from(list.vBuf.subarray(list.vStart, list.vEnd));
        this.addScored(copy, 0, copy.length, score);
      }
    } finally {
      this.ks.arena.release(source);
    }
  }

  private sortedSetZiplist(from: RdbReader): void {
    from.heldString();
    const walk = new ZipWalk(from.sBuf, from.sStart, from.sEnd, false);
    this.openSortedSet(1);
    let any = false;
    for (; walk.next(); any = true) {
      const member = Buffer.from(walk.vBuf.subarray(walk.vStart, walk.vEnd));
      if (!walk.next()) throw new DamagedRdbError('a member without a score');
      this.addScored(member, 0, member.length, parseFloatStrict(walk.vBuf, walk.vStart, walk.vEnd));
    }
    if (!any) throw new EmptyValueError();
  }
}
