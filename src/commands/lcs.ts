/** LCS: the longest common subsequence of two strings. */
import { type ByteRange, commonLength, commonRuns } from '../datatypes/common-subsequence.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STRING } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';

const NOT_STRINGS = 'ERR The specified keys must contain string values';
const LEN_AND_IDX = 'ERR If you want both the length and indexes, please just use IDX.';
const TOO_MUCH_WORK = 'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len';
/** Redis's table has so many bytes per cell. Ours is smaller, but the same bound keeps the time in hand. */
const CELL_BYTES = 4;
const NO_BYTES = Buffer.alloc(0);

const options = { wantsLength: false, wantsIndexes: false, minMatchBytes: 0, withMatchLength: false };

/** Reads the options from argument 3 on; answers the error itself. */
function readOptions(args: Args, reply: ReplyWriter): boolean {
  options.wantsLength = options.wantsIndexes = options.withMatchLength = false;
  options.minMatchBytes = 0;
  for (let i = 3; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'idx')) {
      options.wantsIndexes = true;
    } else if (args.equalsIgnoreCase(i, 'len')) {
      options.wantsLength = true;
    } else if (args.equalsIgnoreCase(i, 'withmatchlen')) {
      options.withMatchLength = true;
    } else if (args.equalsIgnoreCase(i, 'minmatchlen') && i + 1 < args.count) {
      options.minMatchBytes = longArgument(args, ++i, reply);
      if (Number.isNaN(options.minMatchBytes)) return false;
    } else {
      reply.error(ERR.SYNTAX);
      return false;
    }
  }
  if (!options.wantsLength || !options.wantsIndexes) return true;
  reply.error(LEN_AND_IDX);
  return false;
}

/** The string at key argument `arg`; empty where there is none, null where it is no string. */
function rangeOf(unit: Unit, arg: number): ByteRange | null {
  const h = unit.findRead(arg);
  if (h === 0) return { buf: NO_BYTES, start: 0, end: 0 };
  const ks = unit.ks;
  if (ks.typeOf(h) !== TYPE_STRING) return null;
  ks.value(h);
  return { buf: ks.vBuf, start: ks.vStart, end: ks.vEnd };
}

export function lcs(unit: Unit, args: Args, reply: ReplyWriter): void {
  const a = rangeOf(unit, 1);
  const b = rangeOf(unit, 2);
  if (a === null || b === null) return reply.error(NOT_STRINGS);
  if (!readOptions(args, reply)) return;
  const cells = (a.end - a.start + 1) * (b.end - b.start + 1);
  if (cells * CELL_BYTES > unit.maxBulkBytes) return reply.error(TOO_MUCH_WORK);
  if (options.wantsLength) return reply.integer(commonLength(a, b));
  const { length, runs } = commonRuns(a, b);
  if (options.wantsIndexes) replyRuns(reply, length, runs);
  else replySubsequence(reply, a, length, runs);
}

function replySubsequence(reply: ReplyWriter, a: ByteRange, length: number, runs: readonly number[]): void {
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = runs.length - 3; i >= 0; i -= 3) {
    const start = a.start + runs[i];
    at += a.buf.copy(bytes, at, start, start + runs[i + 2]);
  }
  reply.bulk(bytes, 0, length);
}

function replyRuns(reply: ReplyWriter, length: number, runs: readonly number[]): void {
  const { minMatchBytes, withMatchLength } = options;
  reply.map(2);
  reply.bulkText('matches');
  let shown = 0;
  for (let i = 2; i < runs.length; i += 3) if (runs[i] >= minMatchBytes) shown++;
  reply.array(shown);
  for (let i = 0; i < runs.length; i += 3) {
    const bytes = runs[i + 2];
    if (bytes < minMatchBytes) continue;
    reply.array(withMatchLength ? 3 : 2);
    replyRange(reply, runs[i], bytes);
    replyRange(reply, runs[i + 1], bytes);
    if (withMatchLength) reply.integer(bytes);
  }
  reply.bulkText('len');
  reply.integer(length);
}

function replyRange(reply: ReplyWriter, first: number, bytes: number): void {
  reply.array(2);
  reply.integer(first);
  reply.integer(first + bytes - 1);
}
