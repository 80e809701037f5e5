/**
 * Digests of single keys and of the whole data set, the same 20 bytes that Redis computes for the same data: an oracle that
 * two servers hold the same.
 */
import { createHash } from 'node:crypto';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { forEachEntry } from './keys-scan.ts';

const DIGEST_BYTES = 20;
const HAS_DEADLINE_MARK = Buffer.from('!!expire!!', 'latin1');

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}

/** Adds bytes so that the order of additions does not matter. */
function xorInto(digest: Buffer, bytes: Uint8Array): void {
  const hash = sha1(bytes);
  for (let i = 0; i < DIGEST_BYTES; i++) digest[i] ^= hash[i];
}

/** Adds bytes so that the order of additions matters. */
function mixInto(digest: Buffer, bytes: Uint8Array): void {
  xorInto(digest, bytes);
  sha1(digest).copy(digest);
}

function bigEndian(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

/** Adds type, value and the fact of a deadline (not its time). */
function addValue(digest: Buffer, ks: Keyspace, h: number): void {
  const type = ks.typeOf(h);
  if (type !== TYPE_STRING) throw new Error(`no digest of a value of type ${type}`);
  mixInto(digest, bigEndian(type));
  ks.value(h);
  mixInto(digest, ks.vBuf.subarray(ks.vStart, ks.vEnd));
  if (ks.deadlineOf(h) !== NO_DEADLINE) xorInto(digest, HAS_DEADLINE_MARK);
}

/** DEBUG DIGEST: all databases of the shards that the unit holds. */
export function debugDigest(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count !== 2) return reply.error(wrongDebugForm(args));
  const total = Buffer.alloc(DIGEST_BYTES);
  const databases = unit.spaceOf(unit.held[0]).databases;
  for (let db = 0; db < databases; db++) {
    let keys = 0;
    for (let i = 0; i < unit.heldCount; i++) keys += unit.spaceOf(unit.held[i]).count(db);
    if (keys === 0) continue;
    mixInto(total, bigEndian(db));
    forEachEntry(unit, db, (ks, h) => {
      const digest = Buffer.alloc(DIGEST_BYTES);
      ks.key(h);
      mixInto(digest, ks.kBuf.subarray(ks.kStart, ks.kEnd));
      addValue(digest, ks, h);
      xorInto(total, digest);
    });
  }
  reply.simple(total.toString('hex'));
}

/** DEBUG DIGEST-VALUE: zeros for an absent key; an expired key that is still there counts. */
export function debugDigestValue(unit: Unit, args: Args, reply: ReplyWriter): void {
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const digest = Buffer.alloc(DIGEST_BYTES);
    const ks = unit.space(i);
    const h = ks.find(unit.db, unit.hashOf(i), args.buf, args.starts[i], args.ends[i]);
    if (h !== 0) addValue(digest, ks, h);
    reply.simple(digest.toString('hex'));
  }
}

/** The reply to a DEBUG whose subcommand is unknown or has other arguments. */
export function wrongDebugForm(args: Args): string {
  const name = args
    .text(1)
    .slice(0, 128)
    .replace(/[\r\n]/g, ' ');
  return `ERR unknown subcommand or wrong number of arguments for '${name}'. Try DEBUG HELP.`;
}
