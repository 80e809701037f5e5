/**
 * Taking over the data of a stock Redis server: its files are loaded, Skein's own are written, and only then is anything served.
 *
 *   1  load     RDB data by all workers, each its own shards; records by one worker, in their order, over all shards
 *   2  write    a snapshot of each shard as its base, into a data set under its working name
 *   3  commit   the data set takes its place beside the Redis files (data-set.ts)
 *
 * Invariant 1: the Redis files are read only. A crash before the end of 3 leaves them to be taken over again; after it the data set is
 *              complete, and says which Redis files it was made of.
 */
import { statSync } from 'node:fs';
import type { LogLevel } from '../admin/log.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import { checkShares, isRdbFile } from '../persistence/rdb-file-reader.ts';
import type { RdbLoaded } from '../persistence/rdb-load.ts';
import type { RedisData, RedisFile } from '../persistence/redis-files.ts';
import { beginShardLoad } from '../shard/load-progress.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import type { Supervisor } from './supervisor.ts';

/** Who loads. */
export interface Loaders {
  supervisor: Supervisor;
  access: ShardAccess;
  workers: number;
  log: (level: LogLevel, text: string) => void;
}

/** Has an RDB file loaded by all workers, each its own shards; the counts are those of all of them. */
export async function loadRdbFile(path: string, keepsExpired: boolean, loaders: Loaders): Promise<RdbLoaded> {
  const { supervisor, access, workers, log } = loaders;
  const begun = systemClock.steadyMs();
  const { size } = statSync(path);
  const count = Math.min(workers, access.headers.length);
  for (let worker = 0; worker < count; worker++) beginShardLoad(access.headers[worker], systemClock.wallMs(), size);
  const parts = await Promise.all(
    Array.from({ length: count }, async (_, worker) => {
      const done = supervisor.next(worker, 'rdb-loaded');
      supervisor.send(worker, { kind: 'load-rdb', path, keepsExpired, sumShare: { part: worker, of: count } });
      return (await done).loaded;
    }),
  );
  const [{ endOffset }] = parts;
  checkShares(
    path,
    endOffset,
    parts.map((part) => part.shareSum),
  );
  const total = { ...parts[0], keys: 0, expired: 0, empty: 0 };
  for (const { keys, expired, empty, emptyKeys } of parts) {
    total.keys += keys;
    total.expired += expired;
    total.empty += empty;
    for (const key of emptyKeys) log('notice', `${path}: skipping empty key: ${key}`);
  }
  if (total.empty > 0) log('warning', `${path}: empty keys skipped: ${total.empty}`);
  log('notice', `DB loaded from disk: ${total.keys} keys in ${secondsSince(begun)} seconds`);
  return total;
}

/** Loads the files of a Redis server into memory. `loadTruncated`: setting aof-load-truncated. */
export async function loadRedisData(data: RedisData, loadTruncated: boolean, loaders: Loaders): Promise<RdbLoaded> {
  loaders.log('notice', `Taking over the data of a Redis server: ${data.what}`);
  const total: RdbLoaded = { keys: 0, expired: 0, empty: 0, emptyKeys: [], libraries: 0, shareSum: null, endOffset: 0 };
  for (const file of data.files) {
    let from = 0;
    if (isRdbFile(systemFiles, file.path)) {
      const loaded = await loadRdbFile(file.path, file.inJournal, loaders);
      total.keys += loaded.keys;
      total.expired += loaded.expired;
      total.libraries += loaded.libraries;
      if (!file.inJournal) continue;
      from = loaded.endOffset;
    }
    if (from === 0 || from < statSync(file.path).size) await loadRecordsOf(file, from, loadTruncated, loaders);
  }
  return total;
}

async function loadRecordsOf(file: RedisFile, from: number, loadTruncated: boolean, loaders: Loaders): Promise<void> {
  const { supervisor, access, log } = loaders;
  const { path, mayBeTorn } = file;
  const begun = systemClock.steadyMs();
  beginShardLoad(access.headers[0], systemClock.wallMs(), statSync(path).size - from);
  const done = supervisor.next(0, 'records-loaded');
  supervisor.send(0, { kind: 'load-records', path, from, mayBeTorn, loadTruncated });
  const { records, size, loadedTo, leftOut } = (await done).loaded;
  log('notice', `DB loaded from append only file: ${records} records in ${secondsSince(begun)} seconds (${path})`);
  if (loadedTo < size)
    log('warning', `${path}: ${size - loadedTo} bytes from byte ${loadedTo} on are a torn write and were left out`);
  if (leftOut.length > 0) log('warning', `${path}: records of ${leftOut.join(', ')} were left out`);
}

function secondsSince(begunMs: number): string {
  return ((systemClock.steadyMs() - begunMs) / 1000).toFixed(3);
}
