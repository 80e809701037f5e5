/**
 * Power loss without a kernel's help: a plant makes the server note, after every sync, how long the file was when the sync
 * began; after a kill the test takes away what no sync had covered. A real loss of power may leave more of it, and any pages:
 * so it keeps a part now and then, with holes. Names too: where a file was made or renamed and its folder not synced since, the name
 * is as before. (That a file was removed is kept: a file system that keeps the one and not the other is the worst case.)
 */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Plant, planted } from '../faults/planted-server.ts';
import { cutFile, fileBytes, increments, zeroBytes } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const SYNC_LOG = 'synced-sizes.txt';
/** What renames replaced, by hard links. */
const REPLACED = 'replaced';
const PAGE_BYTES = 4096;

const NOTE_SYNCS: Plant = {
  file: 'src/env/files.ts',
  text: 'fs.fdatasyncSync(fd);',
  replacement: `const before = fs.fstatSync(fd).size;
    fs.fdatasyncSync(fd);
    fs.appendFileSync(process.env.SKEIN_SYNC_LOG, before + ' ' + fs.readlinkSync('/proc/self/fd/' + fd) + '\\n');`,
};

/** A line of the log: a word, tab, paths with tabs between them. */
const note = (word: string, ...paths: string[]): string =>
  `fs.appendFileSync(process.env.SKEIN_SYNC_LOG, ['${word}', ${paths.join(', ')}].join('\\t') + '\\n');`;

const NOTE_NAMES: readonly Plant[] = [
  {
    file: 'src/env/files.ts',
    text: 'return fs.openSync(path, mode === OPEN.read',
    replacement: `if (mode === OPEN.create) ${note('made', 'path')} return fs.openSync(path, mode === OPEN.read`,
  },
  {
    file: 'src/env/files.ts',
    text: 'fs.renameSync(from, to);',
    replacement: `const kept = process.env.SKEIN_REPLACED + '/' + process.hrtime.bigint();
    if (fs.existsSync(to) && fs.statSync(to).isFile()) fs.linkSync(to, kept);
    ${note('renamed', 'from', 'to', 'kept')}
    fs.renameSync(from, to);`,
  },
  {
    file: 'src/env/files.ts',
    text: 'fs.fsyncSync(fd);',
    replacement: `fs.fsyncSync(fd); ${note('folder', 'path')}`,
  },
];

/** Start options of a server whose syncs, new names and renames are noted in its folder. */
export function withNotedSyncs(folder: string, plants: readonly Plant[] = []) {
  const replaced = join(folder, REPLACED);
  mkdirSync(replaced, { recursive: true });
  const env = { SKEIN_SYNC_LOG: join(folder, SYNC_LOG), SKEIN_REPLACED: replaced };
  return planted([NOTE_SYNCS, ...NOTE_NAMES, ...plants], env);
}

/** Takes back what happened to names since their folder was synced, the latest first. The log begins anew. */
function loseNames(folder: string): void {
  const log = join(folder, SYNC_LOG);
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  const synced = new Set<string>();
  for (const line of lines.reverse()) {
    const [word, path, to, kept] = line.split('\t');
    if (word === 'folder') synced.add(path);
    else if (word === 'made' && !synced.has(dirname(path))) rmSync(path, { force: true });
    else if (word === 'renamed' && !synced.has(dirname(to)) && existsSync(to)) {
      renameSync(to, path);
      if (existsSync(kept)) linkSync(kept, to);
    }
  }
  const sizes = lines.reverse().filter((line) => !line.includes('\t'));
  writeFileSync(log, sizes.map((line) => `${line}\n`).join(''));
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
  noteFaults('losses of power');
  loseNames(folder);
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
