/** Steps over values in an RDB file without making anything of them. */
import { DamagedRdbError, type RdbReader } from '../datatypes/rdb-reader.ts';
import { RDB_TYPE } from './rdb-types.ts';

const STREAM_ID_BYTES = 16;

export function skipRdbValue(rdbType: number, from: RdbReader): void {
  switch (rdbType) {
    case RDB_TYPE.string:
    case RDB_TYPE.hashZipmap:
    case RDB_TYPE.listZiplist:
    case RDB_TYPE.setIntset:
    case RDB_TYPE.sortedSetZiplist:
    case RDB_TYPE.hashZiplist:
    case RDB_TYPE.hashListpack:
    case RDB_TYPE.sortedSetListpack:
    case RDB_TYPE.setListpack:
      return from.skipString();
    case RDB_TYPE.list:
    case RDB_TYPE.set:
    case RDB_TYPE.listQuicklist:
      return skipStrings(from, from.length());
    case RDB_TYPE.hash:
      return skipStrings(from, from.length() * 2);
    case RDB_TYPE.sortedSet:
      for (let left = from.length(); left > 0; left--) {
        from.skipString();
        from.doubleText();
      }
      return;
    case RDB_TYPE.sortedSet2:
      for (let left = from.length(); left > 0; left--) {
        from.skipString();
        from.double();
      }
      return;
    case RDB_TYPE.listQuicklist2:
      for (let left = from.length(); left > 0; left--) {
        from.length();
        from.skipString();
      }
      return;
    case RDB_TYPE.hashWithDeadlines:
      from.millis();
      for (let left = from.length(); left > 0; left--) {
        from.length();
        skipStrings(from, 2);
      }
      return;
    case RDB_TYPE.hashListpackWithDeadlines:
      from.millis();
      return from.skipString();
    case RDB_TYPE.streamListpacks:
    case RDB_TYPE.streamListpacks2:
    case RDB_TYPE.streamListpacks3:
      return skipStream(from, rdbType);
  }
  throw new DamagedRdbError(`values of form ${rdbType} are not known`);
}

function skipStrings(from: RdbReader, count: number): void {
  for (; count > 0; count--) from.skipString();
}

function skipLengths(from: RdbReader, count: number): void {
  for (; count > 0; count--) from.bigLength();
}

function skipStream(from: RdbReader, rdbType: number): void {
  skipStrings(from, from.length() * 2);
  // length, last id; then first id, greatest deleted id, entries added
  skipLengths(from, rdbType === RDB_TYPE.streamListpacks ? 3 : 8);
  for (let groups = from.length(); groups > 0; groups--) {
    from.skipString();
    skipLengths(from, rdbType === RDB_TYPE.streamListpacks ? 2 : 3);
    for (let pending = from.length(); pending > 0; pending--) {
      from.skip(STREAM_ID_BYTES);
      from.millis();
      from.length();
    }
    for (let consumers = from.length(); consumers > 0; consumers--) {
      from.skipString();
      from.millis();
      if (rdbType === RDB_TYPE.streamListpacks3) from.millis();
      from.skip(from.length() * STREAM_ID_BYTES);
    }
  }
}
