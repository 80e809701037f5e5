/** How far the loading of the data is, as INFO shows it: sums over the words in the shard headers. */
import { SHARD_F64, type ShardHeader } from './world.ts';

export interface LoadProgress {
  /** Unix ms of the begin. */
  beganMs: number;
  /** Bytes of files to replay, and how many of them are replayed. */
  totalBytes: number;
  loadedBytes: number;
}

/** Notes, before the owner replays the shard, that so many bytes are to come. */
export function beginShardLoad(header: ShardHeader, nowMs: number, totalBytes: number): void {
  header.f64[SHARD_F64.loadBeganMs] = nowMs;
  header.f64[SHARD_F64.loadTotalBytes] = totalBytes;
  header.f64[SHARD_F64.loadedBytes] = 0;
}

/** The owner has replayed so many more bytes. */
export function noteLoaded(header: ShardHeader, bytes: number): void {
  header.f64[SHARD_F64.loadedBytes] += bytes;
}

/** A moment's truth over all shards, by plain reads. */
export function loadProgress(headers: readonly ShardHeader[]): LoadProgress {
  const progress = { beganMs: 0, totalBytes: 0, loadedBytes: 0 };
  for (const { f64 } of headers) {
    progress.beganMs = Math.max(progress.beganMs, f64[SHARD_F64.loadBeganMs]);
    progress.totalBytes += f64[SHARD_F64.loadTotalBytes];
    progress.loadedBytes += f64[SHARD_F64.loadedBytes];
  }
  return progress;
}
