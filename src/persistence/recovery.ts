/**
 * From the files of a data set to journals that may be appended to: scan every shard, compute the cut, bring all files to it.
 *
 * Order, so that a crash at any point leads to the same cut again (R17):
 *   1 scan, cut, checks   nothing is changed; any refusal leaves the files as they were
 *   2 truncate and sync   file by file, the last of a shard first; what is cut off belongs to no kept transaction, so a second recovery
 *                         computes the same cut. The increment before the last one is synced too: a rewrite may not have got so far
 *   3 replay              (replay.ts, by the caller: one shard per thread if it likes)
 *   4 append              only after 2 is done for all shards
 */
import { type Files, OPEN } from '../env/files.ts';
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
  const places = scans.map((scan) => cutPlace(scan, cut[scan.shard]));
  scans.forEach((scan, shard) => {
    const bytes = bytesCut(scan, places[shard]);
    if (bytes === 0) return;
    const text = cutText(scan, places[shard], cut[shard]);
    if (!options.loadTruncated) throw new TruncatedError(`${text}: aof-load-truncated is no, so nothing was changed`);
    options.warn(text);
  });
  return scans.map((scan, shard) => applyCut(place, scan, scans.length, cut[shard], places[shard]));
}

/** Where a cut falls: behind so many bytes of which of the files; whose bytes were `size`. */
interface CutPlace {
  file: number;
  end: number;
  size: number;
}

function cutPlace(scan: ScanResult, cut: number): CutPlace {
  const size = (file: number): number => scan.fileBytes[file];
  if (cut === scan.end) return { file: scan.endFile, end: scan.endOffset, size: size(scan.endFile) };
  const part = scan.parts.find(({ start }) => start === cut);
  if (part === undefined || part.file < scan.files.length - 2)
    throw new DamageError(lastFile(scan).path, 0, `the data would have to be cut at position ${cut}, before this file`);
  return { file: part.file, end: part.offset, size: size(part.file) };
}

/** Bytes of a shard's files that do not belong to the cut. */
function bytesCut(scan: ScanResult, { file, end, size }: CutPlace): number {
  const last = scan.files.length - 1;
  return size - end + (file < last ? scan.fileBytes[last] : 0);
}

function cutText(scan: ScanResult, { file, end, size }: CutPlace, position: number): string {
  const last = scan.files.length - 1;
  const why: string[] = [];
  if (scan.tornBytes > 0) why.push(`${scan.tornBytes} bytes of it are a torn write`);
  if (file === scan.endFile && end < scan.endOffset)
    why.push(`${scan.endOffset - end} bytes of it follow a transaction that another shard lost`);
  if (file < last) why.push(`all ${scan.fileBytes[last]} bytes of ${scan.files[last].path} go with it`);
  return `${scan.files[file].path}: cut from ${size} to ${end} bytes, position ${position} (${why.join(', ')})`;
}

function applyCut(place: Place, scan: ScanResult, shards: number, cut: number, at: CutPlace): RecoveredShard {
  const { files } = place;
  const lastIndex = scan.files.length - 1;
  const fd = files.open(lastFile(scan).path, OPEN.update);
  const emptied = at.file < lastIndex;
  const { end, size } = emptied ? { end: 0, size: scan.fileBytes[lastIndex] } : at;
  if (end < size) files.truncate(fd, end);
  if (lastIndex > 0 && !scan.files[lastIndex - 1].isBase) {
    // emptied before the other one is cut: or there were a hole between them
    if (emptied) files.syncData(fd);
    settleBefore(files, scan.files[lastIndex - 1].path, emptied ? at.end : Number.POSITIVE_INFINITY);
  }
  const begin = scan.unbegun || emptied;
  const begun = begin ? beginIncrement(files, fd, { shard: scan.shard, shards, start: cut }) : null;
  files.syncData(fd);
  return {
    shard: scan.shard,
    files: scan.files.map(({ path }, index) => ({ path, end: replayEnd(index, lastIndex, at) })),
    position: cut,
    fd,
    fileBytes: begun?.fileBytes ?? end,
    salt: begun?.salt ?? scan.salt,
  };
}

/** Bytes of a file that are to be replayed. */
function replayEnd(index: number, lastIndex: number, at: CutPlace): number {
  if (index === at.file) return at.end;
  return index === lastIndex ? 0 : Number.POSITIVE_INFINITY;
}

/** Syncs the increment before the last one, cut to `end` bytes. */
function settleBefore(files: Files, path: string, end: number): void {
  const fd = files.open(path, OPEN.update);
  if (end < files.size(fd)) files.truncate(fd, end);
  files.syncData(fd);
  files.close(fd);
}

function lastFile(scan: ScanResult): ShardFile {
  return scan.files[scan.files.length - 1];
}

/** How the journal of a recovered shard begins. */
export function startOf(recovered: RecoveredShard, policy: Policy): JournalStart {
  const { position, fd, fileBytes, salt } = recovered;
  return { position, fd, fileBytes, salt, policy };
}
