/**
 * The annotation lines of a journal file besides the batch headers (src/journal/batch-header.ts): the line that opens a file, and the
 * mark lines of multi-shard transactions. FORMATS.md describes them all.
 */
import { crc32 } from 'node:zlib';

/** Version of the files; raised when any byte of them changes its meaning. */
export const FORMAT_VERSION = 1;
export const MAX_FILE_LINE_BYTES = 128;

/** What the first line of a journal file says. */
export interface FileLine {
  shard: number;
  shards: number;
  /** Position of the first record byte in the file. */
  start: number;
  /** Seed of the file's checksums. */
  salt: number;
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

export function formatFileLine({ shard, shards, start, salt }: FileLine): Buffer {
  const fields = `#SKEIN-AOF ${FORMAT_VERSION} ${shard} ${shards} ${start} ${hex32(salt)} `;
  return Buffer.from(`${fields}${hex32(crc32(fields))}\r\n`, 'latin1');
}

export type FileLineOutcome = { line: FileLine; bytes: number } | { problem: string };

/** Parses the first line of a file. */
export function parseFileLine(bytes: Buffer): FileLineOutcome {
  const text = bytes.toString('latin1', 0, MAX_FILE_LINE_BYTES);
  const match = /^(#SKEIN-AOF (\d{1,9}) (\d{1,4}) (\d{1,4}) (\d{1,16}) ([0-9a-f]{8}) )([0-9a-f]{8})\r\n/.exec(text);
  if (match === null) return { problem: 'it does not begin with the line of a journal file' };
  if (hex32(crc32(match[1])) !== match[7]) return { problem: 'the checksum of its first line is wrong' };
  if (Number(match[2]) !== FORMAT_VERSION) return { problem: `its format ${match[2]} is not known to this version` };
  const line = {
    shard: Number(match[3]),
    shards: Number(match[4]),
    start: Number(match[5]),
    salt: Number.parseInt(match[6], 16),
  };
  return { line, bytes: match[0].length };
}

const MARK_WORD = '#SKEIN-TX ';

/**
 * Parses the mark lines at the start of `bytes`: `#SKEIN-TX <start> <shard>:<end> …`, one or several with the same start. Returns
 * shard, end, shard, end … ; null where they are not in exactly this form.
 */
export function parseMarks(bytes: Buffer, start: number): number[] | null {
  const parts: number[] = [];
  let at = 0;
  while (bytes.toString('latin1', at, at + MARK_WORD.length) === MARK_WORD) {
    const end = bytes.indexOf('\r\n', at, 'latin1');
    if (end < 0) return null;
    const fields = bytes.toString('latin1', at + MARK_WORD.length, end).split(' ');
    if (fields.length < 2 || fields[0] !== String(start)) return null;
    for (const field of fields.slice(1)) {
      const match = /^(\d{1,4}):(\d{1,16})$/.exec(field);
      if (match === null) return null;
      parts.push(Number(match[1]), Number(match[2]));
    }
    at = end + 2;
  }
  return parts.length === 0 ? null : parts;
}
