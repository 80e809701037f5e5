/**
 * The manifest of one shard's folder, in the syntax of stock Redis 7: which files make up the shard's data, in order.
 *
 *   file appendonly.aof.1.base.aof seq 1 type b
 *   file appendonly.aof.2.incr.aof seq 2 type i
 */
import { type Files, readWhole } from '../env/files.ts';
import { DamageError } from './damage.ts';

export interface ShardManifest {
  /** Name and number of the base file, if there is one. */
  base: ManifestFile | null;
  /** Increments in order; records are appended to the last one. */
  increments: ManifestFile[];
}

export interface ManifestFile {
  name: string;
  sequence: number;
}

export function baseFileName(prefix: string, sequence: number): string {
  return `${prefix}.${sequence}.base.aof`;
}

/** A base in the form of an RDB file. */
export function rdbBaseFileName(prefix: string, sequence: number): string {
  return `${prefix}.${sequence}.base.rdb`;
}

export function incrementFileName(prefix: string, sequence: number): string {
  return `${prefix}.${sequence}.incr.aof`;
}

export function manifestFileName(prefix: string): string {
  return `${prefix}.manifest`;
}

/** Is this the name of a base or an increment, of whatever number? */
export function isJournalFile(prefix: string, name: string): boolean {
  return name.startsWith(`${prefix}.`) && /^\d+\.(?:base|incr)\.(?:aof|rdb)$/.test(name.slice(prefix.length + 1));
}

export function formatManifest({ base, increments }: ShardManifest): Buffer {
  const line = (file: ManifestFile, type: string): string =>
    `file ${quoteName(file.name)} seq ${file.sequence} type ${type}\n`;
  const text = (base === null ? '' : line(base, 'b')) + increments.map((file) => line(file, 'i')).join('');
  return Buffer.from(text, 'utf8');
}

/** A manifest in Redis's syntax. Throws DamageError where it is not understood, and the system's errors. `ofRedis` as for `parseManifest`. */
export function readManifest(files: Files, path: string, ofRedis = false): ShardManifest {
  const content = readWhole(files, path);
  try {
    return parseManifest(content, ofRedis);
  } catch (error) {
    throw new DamageError(path, 0, (error as Error).message);
  }
}

/**
 * Parses a manifest; throws with the line's number where it is not understood. The texts hold Redis's own words for the mistake, which
 * people search for. `ofRedis`: there need not be an increment.
 */
export function parseManifest(content: Buffer, ofRedis = false): ShardManifest {
  const manifest: ShardManifest = { base: null, increments: [] };
  const lines = content.toString('utf8').split('\n');
  if (content.length === 0) throw new Error('Found an empty AOF manifest');
  if (lines.pop() !== '') throw new Error('its last line has no end: Invalid AOF manifest file format');
  lines.forEach((line, index) => {
    if (line.startsWith('#')) return;
    const problem =
      line.length > MAX_LINE_LENGTH ? 'The AOF manifest file contains too long line' : addLine(manifest, line);
    if (problem !== '') throw new Error(`line ${index + 1}: ${problem}`);
  });
  if (manifest.increments.length === 0 && !ofRedis) throw new Error('it names no increment');
  return manifest;
}

/** name and value of the fields that count, then perhaps others that a later version added. */
const LINE = /^file (\S+|"(?:[^"\\]|\\.)*") seq (\d{1,15}) type (\S+)(?: [^\s"]+ (?:[^\s"]+|"(?:[^"\\]|\\.)*"))*\r?$/;
const MAX_LINE_LENGTH = 1024;

function addLine(manifest: ShardManifest, line: string): string {
  const match = LINE.exec(line);
  if (match === null) return 'Invalid AOF manifest file format';
  const name = match[1].startsWith('"') ? unquoteName(match[1].slice(1, -1)) : match[1];
  if (name.includes('/') || name === '' || name === '.' || name === '..') return `${name} is not the name of a file`;
  const file = { name, sequence: Number(match[2]) };
  switch (match[3]) {
    case 'b':
      if (manifest.base !== null) return 'Found duplicate base file information';
      manifest.base = file;
      return '';
    case 'i':
      if ((manifest.increments.at(-1)?.sequence ?? -1) >= file.sequence) return 'Found a non-monotonic sequence number';
      manifest.increments.push(file);
      return '';
    case 'h':
      return '';
  }
  return `Unknown AOF file type ${match[3]}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\x07': 'a', '\b': 'b' };
const ESCAPED = new Map(Object.entries(ESCAPES).map(([char, letter]) => [letter, char]));

function quoteName(name: string): string {
  if (!/[\s"\\\p{Cc}]/u.test(name)) return name;
  return `"${name.replace(/["\\\n\r\t\b]/g, (char) => `\\${ESCAPES[char] ?? char}`)}"`;
}

function unquoteName(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, code: string | undefined, char: string) =>
    code === undefined ? (ESCAPED.get(char) ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
