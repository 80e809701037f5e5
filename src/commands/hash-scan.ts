/** HSCAN. A compact hash comes whole, whatever COUNT says; a large one bucket by bucket, see HashTable.scan. */
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { readHash, replyValueAt } from './hash-access.ts';
import { MemberScanRequest } from './member-scan.ts';

const LIST = 0;
/** Buckets that a call looks at for each field it was asked for, so that sparse tables end a call as well. */
const BUCKETS_PER_FIELD = 10;

const request = new MemberScanRequest();

/** Fields under the cursor of the running call. */
const bucket: number[] = [];
const collect = (place: number): void => {
  bucket.push(place);
};

export function hscan(unit: Unit, args: Args, reply: ReplyWriter): void {
  const cursorError = request.parseCursor(args);
  if (cursorError !== null) return reply.error(cursorError);
  if (!readHash(unit, reply)) return;
  if (unit.entry === 0) {
    reply.array(2);
    reply.bulkText('0');
    return reply.emptyArray();
  }
  const error = request.parseOptions(args);
  if (error !== null) return reply.error(error);
  const { hashes } = unit.ks.values;
  bucket.length = 0;
  const cursor = hashes.encoding === LIST ? gatherAll(hashes) : gatherSome(hashes);
  replyWanted(unit, hashes, args, cursor, reply);
}

function gatherAll(hashes: Hashes): number {
  for (hashes.rewind(); hashes.next(); ) bucket.push(hashes.at);
  return 0;
}

function gatherSome(hashes: Hashes): number {
  let { cursor } = request;
  let buckets = request.count * BUCKETS_PER_FIELD;
  do cursor = hashes.scan(cursor, collect);
  while (cursor !== 0 && --buckets > 0 && bucket.length < request.count);
  return cursor;
}

/** Keeps those that match and are not lapsed, and answers them. */
function replyWanted(unit: Unit, hashes: Hashes, args: Args, cursor: number, reply: ReplyWriter): void {
  const { pattern } = request;
  let kept = 0;
  for (const place of bucket) {
    if (hashes.isLapsed(place)) continue;
    if (pattern !== 0) {
      hashes.loadField(place);
      const { fBuf, fStart, fEnd } = hashes;
      if (!globMatch(args.buf, args.starts[pattern], args.ends[pattern], fBuf, fStart, fEnd, false)) continue;
    }
    bucket[kept++] = place;
  }
  reply.array(2);
  reply.bulkText(String(cursor));
  reply.array(kept * 2);
  for (let i = 0; i < kept; i++) {
    hashes.loadField(bucket[i]);
    reply.bulkView(hashes.fView, hashes.fBuf, hashes.fStart, hashes.fEnd);
    replyValueAt(unit, hashes, bucket[i], reply);
  }
}
