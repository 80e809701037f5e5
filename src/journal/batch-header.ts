/**
 * The annotation line in front of every batch of record bytes in a journal file (FORMATS.md). Stock Redis skips lines that begin with #.
 *
 *   #SKEIN <shard> <end> <bytes> <safe> <mark|-> <crc>\r\n
 *
 * `end`: position behind the batch · `bytes`: record bytes that follow the line · `safe`: the shard's safe position when it was written ·
 * `mark`: where in the batch the mark lines of a multi-shard transaction begin whose part opens the batch; `-` where none does ·
 * `crc`: CRC-32, 8 lower-case digits, of the line up to the blank before it, then of the record bytes, seeded with the file's salt.
 */
import { crc32 } from 'node:zlib';
import { writeDecimal, writeHex32 } from './decimal.ts';

export const HEADER_WORD = '#SKEIN ';
const WORD_BYTES = Buffer.from(HEADER_WORD, 'latin1');
const BLANK = 32;
const DASH = 45;
const CR = 13;
const LF = 10;
/** Longest header: the word, five numbers of at most 16 digits, blanks, checksum. */
export const MAX_HEADER_BYTES = 128;
/** From the blank before the checksum to the end of the line. */
const CRC_FIELD_BYTES = 10;

/** Writes the header up to the blank before its checksum; returns the index behind it. `mark` -1: none. */
export function writeHeaderFields(
  bytes: Buffer,
  shard: number,
  end: number,
  length: number,
  safe: number,
  mark: number,
): number {
  for (let i = 0; i < WORD_BYTES.length; i++) bytes[i] = WORD_BYTES[i];
  let at = writeDecimal(bytes, WORD_BYTES.length, shard);
  bytes[at] = BLANK;
  at = writeDecimal(bytes, at + 1, end);
  bytes[at] = BLANK;
  at = writeDecimal(bytes, at + 1, length);
  bytes[at] = BLANK;
  at = writeDecimal(bytes, at + 1, safe);
  bytes[at] = BLANK;
  if (mark < 0) bytes[++at] = DASH;
  else at = writeDecimal(bytes, at + 1, mark) - 1;
  bytes[at + 1] = BLANK;
  return at + 2;
}

/** Completes a header whose fields end at `at`; returns the length of the whole line. */
export function writeHeaderCrc(bytes: Buffer, at: number, crc: number): number {
  at = writeHex32(bytes, at, crc);
  bytes[at] = CR;
  bytes[at + 1] = LF;
  return at + 2;
}

/** Checksum of the header's fields; the record bytes are fed to `crc32` after it. */
export function headerCrc(bytes: Buffer, start: number, fieldsEnd: number, salt: number): number {
  return crc32(bytes.subarray(start, fieldsEnd), salt >>> 0);
}

export interface BatchHeader {
  shard: number;
  end: number;
  bytes: number;
  safe: number;
  /** -1: none. */
  mark: number;
  crc: number;
  /** Bytes of the line with its line end, and of the part that the checksum covers. */
  lineBytes: number;
  fieldsBytes: number;
}

const HEADER_SHAPE = /^#SKEIN (\d{1,4}) (\d{1,16}) (\d{1,16}) (\d{1,16}) (-|\d{1,16}) ([0-9a-f]{8})\r\n/;

/** The header at `start`, or null where there is none in exactly this form. At least MAX_HEADER_BYTES should be there, if the file has them. */
export function parseHeader(bytes: Buffer, start: number, limit: number): BatchHeader | null {
  const match = HEADER_SHAPE.exec(bytes.toString('latin1', start, Math.min(limit, start + MAX_HEADER_BYTES)));
  if (match === null) return null;
  for (let i = 1; i <= 5; i++) if (match[i].length > 1 && match[i][0] === '0') return null;
  const header = {
    shard: Number(match[1]),
    end: Number(match[2]),
    bytes: Number(match[3]),
    safe: Number(match[4]),
    mark: match[5] === '-' ? -1 : Number(match[5]),
    crc: Number.parseInt(match[6], 16),
    lineBytes: match[0].length,
    fieldsBytes: match[0].length - CRC_FIELD_BYTES,
  };
  return header.bytes <= header.end && header.mark < Math.max(1, header.bytes) ? header : null;
}
