/** ZSCAN. A compact set comes whole, whatever COUNT says; a large one bucket by bucket, see HashTable.scan. */
import type { SortedSets } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Args } from '../resp/args.ts';
import { formatDouble, formatG17 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { MemberScanRequest } from './member-scan.ts';
import { typedRead } from './typed-entry.ts';

const request = new MemberScanRequest();

/** Entries under the cursor of the running call. */
const bucket: number[] = [];
const collect = (entry: number): void => {
  bucket.push(entry);
};

export function zscan(unit: Unit, args: Args, reply: ReplyWriter): void {
  const cursorError = request.parseCursor(args);
  if (cursorError !== null) return reply.error(cursorError);
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) {
    reply.array(2);
    reply.bulkText('0');
    return reply.emptyArray();
  }
  const error = request.parseOptions(args);
  if (error !== null) return reply.error(error);
  const sets = ks.values.sortedSets;
  const root = ks.structure(entry);
  if (ks.encodingOf(entry) === 0) replyAll(sets, root, args, reply);
  else replySome(sets, root, args, reply);
}

function matches(sets: SortedSets, args: Args): boolean {
  const { pattern } = request;
  if (pattern === 0) return true;
  return globMatch(args.buf, args.starts[pattern], args.ends[pattern], sets.mBuf, sets.mStart, sets.mEnd, false);
}

function replyAll(sets: SortedSets, root: number, args: Args, reply: ReplyWriter): void {
  reply.array(2);
  reply.bulkText('0');
  const mark = reply.mark();
  let words = 0;
  for (let more = sets.seekRank(root, 0, 0); more; more = sets.next()) {
    sets.loadElement();
    if (!matches(sets, args)) continue;
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
    reply.bulkText(formatDouble(sets.score));
    words += 2;
  }
  reply.arrayBefore(mark, words);
}

function replySome(sets: SortedSets, root: number, args: Args, reply: ReplyWriter): void {
  const { index } = sets;
  const table = index.tableOf(root);
  let cursor = request.cursor;
  let buckets = request.count * 10;
  bucket.length = 0;
  do cursor = index.table.scan(table, cursor, collect);
  while (cursor !== 0 && --buckets > 0 && bucket.length < request.count);
  reply.array(2);
  reply.bulkText(String(cursor));
  const mark = reply.mark();
  let words = 0;
  for (const entry of bucket) {
    sets.loadEntry(entry);
    if (!matches(sets, args)) continue;
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
    reply.bulkText(formatG17(index.scoreOf(entry)));
    words += 2;
  }
  reply.arrayBefore(mark, words);
}
