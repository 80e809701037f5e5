/**
 * Says whether a file of a data set is whole: Skein's journals and bases, append-only files and manifests of Redis, RDB files. Reads
 * only; what could be cut off is told, not cut.
 */
import { basename, dirname } from 'node:path';
import { type Files, OPEN, readFully, readWhole } from '../env/files.ts';
import { MAX_FILE_LINE_BYTES, parseFileLine } from './aof-lines.ts';
import { parseManifest } from './aof-manifest.ts';
import { DamageError } from './damage.ts';
import { parseTopManifest, shardFolderName, TOP_MANIFEST } from './data-set.ts';
import { isRdbFile } from './rdb-file-reader.ts';
import { surveyRdb } from './rdb-survey.ts';
import { sizeOf, surveyRecords } from './record-survey.ts';
import { scanShard } from './scan.ts';

export interface CheckedFile {
  path: string;
  /** What it is, and what is in it: lines for people. */
  lines: string[];
  /** '' = it is whole. */
  problem: string;
  /** The file could be cut to so many bytes and would be whole; -1: it could not. */
  cutTo: number;
}

/** Checks the file at `path`, and what it names if it is a manifest, each once. Throws the system's errors. */
export function checkFile(files: Files, path: string): CheckedFile[] {
  if (basename(path) === TOP_MANIFEST) return checkDataSet(files, path);
  if (path.endsWith('.manifest')) return checkManifest(files, path);
  return [checkOne(files, path, true)];
}

function whole(path: string, lines: string[]): CheckedFile {
  return { path, lines, problem: '', cutTo: -1 };
}

/** Turns what a check throws about the data into its outcome. */
function outcome(path: string, lines: string[], check: () => CheckedFile): CheckedFile {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    return { path, lines, problem: `byte ${error.offset}: ${error.problem}`, cutTo: -1 };
  }
}

function checkDataSet(files: Files, path: string): CheckedFile[] {
  const lines = ['the manifest of a data set of Skein'];
  let shards = 0;
  const top = outcome(path, lines, () => {
    shards = parseTopManifest(path, readWhole(files, path)).shards;
    return whole(path, [...lines, `shards: ${shards}`]);
  });
  const checked = [top];
  for (let shard = 0; shard < shards; shard++) {
    const folder = `${dirname(path)}/${shardFolderName(shard)}`;
    const manifest = files.list(folder).find((name) => name.endsWith('.manifest') && !name.startsWith('temp-'));
    if (manifest !== undefined) checked.push(...checkManifest(files, `${folder}/${manifest}`));
    else checked.push({ path: folder, lines: ['the folder of a shard'], problem: 'it has no manifest', cutTo: -1 });
  }
  return checked;
}

function checkManifest(files: Files, path: string): CheckedFile[] {
  const lines = ['a manifest of append-only files'];
  let names: string[] = [];
  try {
    const { base, increments } = parseManifest(readWhole(files, path), true);
    names = [...(base === null ? [] : [base.name]), ...increments.map(({ name }) => name)];
  } catch (error) {
    return [{ path, lines, problem: error instanceof Error ? error.message : String(error), cutTo: -1 }];
  }
  const paths = names.map((name) => `${dirname(path)}/${name}`);
  const missing = paths.find((file) => !files.exists(file));
  if (missing !== undefined) return [{ path, lines, problem: `it names ${missing}, which is missing`, cutTo: -1 }];
  const chain = ownChain(files, paths);
  if (chain === null)
    return [whole(path, lines), ...paths.map((file, i) => checkOne(files, file, i === paths.length - 1))];
  return [whole(path, lines), ...checkChain(files, paths, chain)];
}

/** Whose shard these files are, if they are journals of Skein; else null. */
function ownChain(files: Files, paths: readonly string[]): { shard: number; shards: number } | null {
  for (const path of paths) {
    const line = fileLine(files, path);
    if (line !== null) return line;
  }
  return null;
}

function fileLine(files: Files, path: string): { shard: number; shards: number } | null {
  const fd = files.open(path, OPEN.read);
  try {
    const head = Buffer.alloc(MAX_FILE_LINE_BYTES);
    const parsed = parseFileLine(head.subarray(0, readFully(files, fd, head, head.length, 0)));
    return 'line' in parsed ? parsed.line : null;
  } finally {
    files.close(fd);
  }
}

/** The files of a shard of Skein's, as a start would read them. */
function checkChain(
  files: Files,
  paths: readonly string[],
  { shard, shards }: { shard: number; shards: number },
): CheckedFile[] {
  const isBase = (path: string): boolean => /\.base\.(rdb|aof)$/.test(path);
  const last = paths[paths.length - 1];
  const lines = [
    `${paths.length} files of shard ${shard} of ${shards}: ${paths.map((path) => basename(path)).join(', ')}`,
  ];
  return [
    outcome(last, lines, () => {
      const chain = paths.map((path) => ({ path, isBase: isBase(path) }));
      const { end, endOffset, tornBytes, safe } = scanShard(files, chain, shard, shards);
      if (end >= 0) lines.push(`position ${end}, safe up to ${safe}, last good offset ${endOffset}`);
      if (tornBytes === 0) return whole(last, lines);
      return { path: last, lines, problem: `byte ${endOffset}: ${tornBytes} bytes are a torn write`, cutTo: endOffset };
    }),
  ];
}

/** A file by itself. `isLast`: its end may be torn. */
function checkOne(files: Files, path: string, isLast: boolean): CheckedFile {
  const own = fileLine(files, path);
  if (own !== null) return checkChain(files, [path], own)[0];
  const lines: string[] = [];
  return outcome(path, lines, () => {
    const from = isRdbFile(files, path) ? checkRdb(files, path, lines) : 0;
    if (from === sizeOf(files, path) && from > 0) return whole(path, lines);
    const { records, wholeTo, size, damage } = runToEnd(surveyRecords(files, path, from));
    lines.push(
      from > 0 ? 'records behind it' : 'an append-only file of Redis',
      `records: ${records}, last good offset ${wholeTo}`,
    );
    if (damage !== null) throw damage;
    if (wholeTo === size) return whole(path, lines);
    const problem = `byte ${wholeTo}: ${size - wholeTo} bytes are a torn write`;
    return { path, lines, problem, cutTo: isLast ? wholeTo : -1 };
  });
}

/** The RDB data at the beginning of a file; returns where they end. */
function checkRdb(files: Files, path: string, lines: string[]): number {
  lines.push('RDB data');
  const { version, keys, deadlines, databases, libraries, endOffset } = runToEnd(surveyRdb(files, path));
  lines.push(
    `version ${version}, ${endOffset} bytes, checksum right or none`,
    `keys: ${keys}, with a deadline: ${deadlines}, databases: ${databases}, libraries of functions: ${libraries}`,
  );
  return endOffset;
}

function runToEnd<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
