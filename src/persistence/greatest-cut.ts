/**
 * The cut that recovery goes back to: for each shard a position, as late as possible, such that no multi-shard transaction is kept in one
 * shard and lost in another (R17). Pure.
 */
import type { ScanResult } from './scan.ts';

/** The data set must not be loaded: the cut would drop what was promised to be safe. */
export class LostSafeDataError extends Error {}

/**
 * Greatest cut over all shards, by shard. Fixpoint: while a kept part belongs to a transaction that another shard does not hold to its end,
 * cut before that part. Only lowers, and only as far as some transaction forces it: the result is the greatest.
 */
export function greatestCut(scans: readonly ScanResult[]): number[] {
  const cut = scans.map((scan) => scan.end);
  for (let changed = true; changed; ) {
    changed = false;
    for (const { shard, parts } of scans) {
      const straddling = parts.find(({ start, ends }) => start < cut[shard] && reachesBeyond(ends, cut));
      if (straddling === undefined) continue;
      cut[shard] = straddling.start;
      changed = true;
    }
  }
  return cut;
}

function reachesBeyond(ends: readonly number[], cut: readonly number[]): boolean {
  for (let i = 0; i < ends.length; i += 2) if (ends[i + 1] > cut[ends[i]]) return true;
  return false;
}

/** Throws LostSafeDataError where the cut is before a safe position that some file records. */
export function checkSafe(scans: readonly ScanResult[], cut: readonly number[]): void {
  for (const scan of scans) {
    const { shard, safe } = scan;
    if (cut[shard] < safe)
      throw new LostSafeDataError(
        `shard ${shard} would end at position ${cut[shard]}, but ${safe} was safe on disk: ${lastPath(scan)}`,
      );
    scan.required.forEach((end, other) => {
      if (end > cut[other])
        throw new LostSafeDataError(
          `shard ${other} ends at position ${cut[other]}, but a transaction that was safe on disk reaches ${end}: ${lastPath(scans[other])}`,
        );
    });
  }
}

function lastPath(scan: ScanResult): string {
  return scan.files[scan.files.length - 1].path;
}
