/**
 * From the files of a data set to journals that may be appended to: scan every shard, compute the cut, bring all files to it.
 *
 * Order, so that a crash at any point leads to the same cut again (R17):
 *   1 scan, cut, checks   nothing is changed; any refusal leaves the files as they were
 *   2 truncate and sync   file by file; what is cut off belongs to no kept transaction, so a second recovery computes the same cut
 *   3 replay              (replay.ts, by the caller: one shard per thread if it likes)
 *   4 append              only after 2 is done for all shards
 */
import { OPEN } from '../env/files.ts';
import type { JournalStart, Policy } from '../journal/journal-memory.ts';
import { DamageError } from './damage.ts';
import { type DataSet, type Place, readShardManifest, shardFiles } from './data-set.ts';
import { checkSafe, greatestCut } from './greatest-cut.ts';
import { beginIncrement } from './journal-file.ts';
import { type ScanResult, type ShardFile, scanShard } from './scan.ts';

export interface RecoveryOptions {
  /** aof-load-truncated: cut a torn tail and go on. */
  loadTruncated: boolean;
  /** One line about something that the operator should know. */
  warn: (text: string) => void;
}

/** A shard that is cut and synced, ready to be replayed and then appended to. Plain data but for the open file. */
export interface RecoveredShard {
  shard: number;
  /** What to replay, in order, and up to which byte. */
  files: { path: string; end: number }[];
  /** Position of the next record. */
  position: number;
  /** The last file, open for appending. */
  fd: number;
  fileBytes: number;
  salt: number;
}

/** The data was cut and the setting aof-load-truncated forbids that. */
export class TruncatedError extends Error {}

/** Steps 1 and 2. Throws DamageError, LostSafeDataError, TruncatedError, the system's errors: the server must not start. */
export function recoverShards(place: Place, dataSet: DataSet, options: RecoveryOptions): RecoveredShard[] {
  const scans = scanOrders(place, dataSet).map(({ shard, shards, files }) =>
    scanShard(place.files, files, shard, shards),
  );
  return cutShards(place, scans, options);
}

/** What has to be scanned before a data set can be cut: a shard each, in any order, on any thread. Plain data. */
export interface ScanOrder {
  shard: number;
  shards: number;
  files: ShardFile[];
}

/** One order per shard, ascending. Throws DamageError. */
export function scanOrders(place: Place, { shards }: DataSet): ScanOrder[] {
  return Array.from({ length: shards }, (_, shard) => ({
    shard,
    shards,
    files: shardFiles(place, shard, readShardManifest(place, shard)),
  }));
}

/** The second half of recoverShards, for callers that scanned on several threads. `scans` by shard. */
export function cutShards(place: Place, scans: readonly ScanResult[], options: RecoveryOptions): RecoveredShard[] {
  const cut = greatestCut(scans);
  checkSafe(scans, cut);
  const ends = scans.map((scan) => cutOffset(scan, cut[scan.shard]));
  const sizes = scans.map((scan) => scan.endOffset + scan.tornBytes);
  scans.forEach((scan, shard) => {
    if (ends[shard] === sizes[shard]) return;
    if (!options.loadTruncated)
      throw new TruncatedError(
        `${lastFile(scan).path} would be cut to ${ends[shard]} bytes, and aof-load-truncated is no`,
      );
    options.warn(cutText(scan, ends[shard], sizes[shard], cut[shard]));
  });
  return scans.map((scan, shard) => applyCut(place, scan, scans.length, cut[shard], ends[shard], sizes[shard]));
}

/** Bytes of the last file that belong to the cut. */
function cutOffset(scan: ScanResult, cut: number): number {
  if (cut === scan.end) return scan.endOffset;
  const part = scan.parts.find(({ start }) => start === cut);
  if (part === undefined || part.offset < 0)
    throw new DamageError(lastFile(scan).path, 0, `the data would have to be cut at position ${cut}, before this file`);
  return part.offset;
}

function cutText(scan: ScanResult, end: number, size: number, position: number): string {
  const { path } = lastFile(scan);
  const torn = scan.tornBytes > 0 ? `${scan.tornBytes} bytes of it are a torn write` : '';
  const straddling =
    end < scan.endOffset ? `${scan.endOffset - end} bytes of it follow a transaction that another shard lost` : '';
  const why = [torn, straddling].filter((text) => text !== '').join(', ');
  return `${path}: cut from ${size} to ${end} bytes, position ${position} (${why})`;
}

function applyCut(
  place: Place,
  scan: ScanResult,
  shards: number,
  cut: number,
  end: number,
  size: number,
): RecoveredShard {
  const { files } = place;
  const last = lastFile(scan);
  const fd = files.open(last.path, OPEN.update);
  if (end < size) files.truncate(fd, end);
  const begun = scan.unbegun ? beginIncrement(files, fd, { shard: scan.shard, shards, start: cut }) : null;
  files.syncData(fd);
  return {
    shard: scan.shard,
    files: scan.files.map(({ path }) => ({ path, end: path === last.path ? end : Number.POSITIVE_INFINITY })),
    position: cut,
    fd,
    fileBytes: begun?.fileBytes ?? end,
    salt: begun?.salt ?? scan.salt,
  };
}

function lastFile(scan: ScanResult): ShardFile {
  return scan.files[scan.files.length - 1];
}

/** How the journal of a recovered shard begins. */
export function startOf(recovered: RecoveredShard, policy: Policy): JournalStart {
  const { position, fd, fileBytes, salt } = recovered;
  return { position, fd, fileBytes, salt, policy };
}
