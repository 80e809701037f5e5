/**
 * Power loss without a kernel's help: a plant makes the server note, after every sync, how long the file was when the sync
 * began; after a kill the test takes away what no sync had covered. A real loss of power may leave more of it, and any pages:
 * so it keeps a part now and then, with holes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plant, planted } from '../faults/planted-server.ts';
import { cutFile, fileBytes, increments, zeroBytes } from './data-files.ts';

const SYNC_LOG = 'synced-sizes.txt';
const PAGE_BYTES = 4096;

const NOTE_SYNCS: Plant = {
  file: 'src/env/files.ts',
  text: 'fs.fdatasyncSync(fd);',
  replacement: `const before = fs.fstatSync(fd).size;
    fs.fdatasyncSync(fd);
    fs.appendFileSync(process.env.SKEIN_SYNC_LOG, before + ' ' + fs.readlinkSync('/proc/self/fd/' + fd) + '\\n');`,
};

/** Start options of a server whose syncs are noted in its folder. */
export function withNotedSyncs(folder: string, plants: readonly Plant[] = []) {
  return planted([NOTE_SYNCS, ...plants], { SKEIN_SYNC_LOG: join(folder, SYNC_LOG) });
}

/** How many bytes of a file were on stable storage when the server died. */
function syncedBytes(folder: string, path: string): number {
  const log = join(folder, SYNC_LOG);
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  const last = lines.findLast((line) => line.endsWith(` ${path}`));
  // a rewrite has just begun it
  if (last === undefined) return 0;
  return Math.min(Number(last.split(' ')[0]), fileBytes(path));
}

/** Drops unsynced bytes of every shard: all of them, or behind a random place, or pages of what is left as well. Returns how many. */
export function losePower(folder: string, shards: number, roll: (limit: number) => number): number {
  let dropped = 0;
  const paths = Array.from({ length: shards }, (_, shard) => increments(folder, shard)).flat();
  for (const path of paths) {
    const synced = syncedBytes(folder, path);
    const unsynced = fileBytes(path) - synced;
    const kept = synced + (roll(2) === 0 ? 0 : roll(unsynced + 1));
    dropped += fileBytes(path) - kept;
    cutFile(path, kept);
    const page = Math.ceil((synced + roll(kept - synced + 1)) / PAGE_BYTES) * PAGE_BYTES;
    if (roll(2) === 0 && page + PAGE_BYTES <= kept) zeroBytes(path, page, page + PAGE_BYTES);
  }
  return dropped;
}
