/**
 * The manifest of one shard's folder, in the syntax of stock Redis 7: which files make up the shard's data, in order.
 *
 *   file appendonly.aof.1.base.aof seq 1 type b
 *   file appendonly.aof.2.incr.aof seq 2 type i
 */

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

export function formatManifest({ base, increments }: ShardManifest): Buffer {
  const line = (file: ManifestFile, type: string): string =>
    `file ${quoteName(file.name)} seq ${file.sequence} type ${type}\n`;
  const text = (base === null ? '' : line(base, 'b')) + increments.map((file) => line(file, 'i')).join('');
  return Buffer.from(text, 'utf8');
}

/** Parses a manifest; throws with the line's number where it is not understood. */
export function parseManifest(content: Buffer): ShardManifest {
  const manifest: ShardManifest = { base: null, increments: [] };
  const lines = content.toString('utf8').split('\n');
  if (lines.pop() !== '') throw new Error('its last line has no end');
  lines.forEach((line, index) => {
    if (line.startsWith('#') || line === '') return;
    const problem = addLine(manifest, line);
    if (problem !== '') throw new Error(`line ${index + 1}: ${problem}`);
  });
  if (manifest.increments.length === 0) throw new Error('it names no increment');
  return manifest;
}

function addLine(manifest: ShardManifest, line: string): string {
  const match = /^file (\S+|"(?:[^"\\]|\\.)*") seq (\d{1,15}) type ([bih])\r?$/.exec(line);
  if (match === null) return 'it is not `file <name> seq <number> type <b|i|h>`';
  const name = match[1].startsWith('"') ? match[1].slice(1, -1).replace(/\\(.)/g, '$1') : match[1];
  if (name.includes('/') || name === '' || name === '.' || name === '..') return `${name} is not the name of a file`;
  const file = { name, sequence: Number(match[2]) };
  if (match[3] === 'b') {
    if (manifest.base !== null) return 'a second base';
    manifest.base = file;
  } else if (match[3] === 'i') {
    const last = manifest.increments.at(-1);
    if (last !== undefined && last.sequence >= file.sequence) return 'increments are out of order';
    manifest.increments.push(file);
  }
  return '';
}

function quoteName(name: string): string {
  return /[\s"\\]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name;
}
