/**
 * What crosses threads through the rings. One writer and one reader per ring; both ends import this page.
 *
 *   FORWARD   u32 request | u32 row | u32 db | u32 flags (bits 0..1 RESP version, bit 2 no-touch, bit 3 tracked reads) | u32 argc | i32 client record | u32 lengths[argc] | bytes
 *   REPLY     u32 request | u32 count, bit 31: the command changed something | u32 shards[count] | reply bytes as they go to the client
 *   SERVED    f64 session id | i32 ticket | u32 kind | i32 shard whose request was dropped, -1: none | u32 count, bit 31 as above | f64 ms that the command ran | u32 shards[count] | reply bytes
 *
 * A SERVED ends the waiting of a client (R10): its claim word was taken by whoever sends this. `kind` says how, see SERVED_KIND.
 *
 * The shards of a REPLY or a SERVED are those whose effects it shows: it leaves when their journals are as safe as their policies ask (R13).
 *
 * `request` names the waiting connection on the side that forwarded; the answering side sends it back unchanged.
 */
import { Args } from '../resp/args.ts';

export const MESSAGE = { forward: 1, reply: 2, served: 3 } as const;
/** How a waiting ended: with a reply, as if by its timeout, or with an error, the last two by CLIENT UNBLOCK. */
export const SERVED_KIND = { reply: 0, timeout: 1, error: 2 } as const;

const FORWARD_HEADER_BYTES = 24;
const REPLY_HEADER_BYTES = 8;
const SERVED_HEADER_BYTES = 32;
const NO_TOUCH = 4;
const TRACKS = 8;
const WROTE = 1 << 31;

/** How many shards a REPLY that begins at `start` names. */
export function replyShards(buf: Buffer, start: number): number {
  return (buf.readUInt32LE(start + 4) & ~WROTE) >>> 0;
}

/** The i-th of them. */
export function replyShard(buf: Buffer, start: number, i: number): number {
  return buf.readUInt32LE(start + REPLY_HEADER_BYTES + i * 4);
}

/** Where the reply bytes of a REPLY begin. */
export function replyBytesStart(buf: Buffer, start: number): number {
  return start + REPLY_HEADER_BYTES + replyShards(buf, start) * 4;
}

/** Did the command of a REPLY change something? */
export function replyWrote(buf: Buffer, start: number): boolean {
  return (buf.readUInt32LE(start + 4) & WROTE) !== 0;
}

/** Bytes of a REPLY. */
export function replyMessageBytes(shardCount: number, replyBytes: number): number {
  return REPLY_HEADER_BYTES + shardCount * 4 + replyBytes;
}

/** Bytes of a FORWARD of these arguments. */
export function forwardMessageBytes(args: Args): number {
  let bytes = FORWARD_HEADER_BYTES + args.count * 4;
  for (let i = 0; i < args.count; i++) bytes += args.ends[i] - args.starts[i];
  return bytes;
}

export interface Forward {
  request: number;
  rowId: number;
  db: number;
  resp: 2 | 3;
  noTouch: boolean;
  /** The keys that it reads are tracked for its client. */
  tracks: boolean;
  /** Shared record of the client (src/admin/client-records.ts). */
  record: number;
  args: Args;
}

/** Encodes a FORWARD of these arguments into a buffer of its own. */
export function encodeForward(
  request: number,
  rowId: number,
  client: Pick<Forward, 'db' | 'resp' | 'noTouch' | 'record'>,
  tracks: boolean,
  args: Args,
): Buffer {
  const argc = args.count;
  const out = Buffer.allocUnsafe(forwardMessageBytes(args));
  out.writeUInt32LE(request, 0);
  out.writeUInt32LE(rowId, 4);
  out.writeUInt32LE(client.db, 8);
  out.writeUInt32LE(client.resp | (client.noTouch ? NO_TOUCH : 0) | (tracks ? TRACKS : 0), 12);
  out.writeUInt32LE(argc, 16);
  out.writeInt32LE(client.record, 20);
  let at = FORWARD_HEADER_BYTES + argc * 4;
  for (let i = 0; i < argc; i++) {
    out.writeUInt32LE(args.ends[i] - args.starts[i], FORWARD_HEADER_BYTES + i * 4);
    at += args.buf.copy(out, at, args.starts[i], args.ends[i]);
  }
  return out;
}

/** Decodes a FORWARD out of buf[start, end); the arguments are copied, because the ring's room is given back at once. */
export function decodeForward(buf: Buffer, start: number, end: number): Forward {
  const own = Buffer.from(buf.subarray(start, end));
  const argc = own.readUInt32LE(16);
  const args = new Args(argc);
  args.buf = own;
  args.count = argc;
  let at = FORWARD_HEADER_BYTES + argc * 4;
  for (let i = 0; i < argc; i++) {
    args.starts[i] = at;
    at += own.readUInt32LE(FORWARD_HEADER_BYTES + i * 4);
    args.ends[i] = at;
  }
  args.frameStart = -1;
  const flags = own.readUInt32LE(12);
  return {
    request: own.readUInt32LE(0),
    rowId: own.readUInt32LE(4),
    db: own.readUInt32LE(8),
    resp: (flags & 3) === 3 ? 3 : 2,
    noTouch: (flags & NO_TOUCH) !== 0,
    tracks: (flags & TRACKS) !== 0,
    record: own.readInt32LE(20),
    args,
  };
}

/** Encodes a REPLY around reply[start, end), which shows effects of the first `shardCount` of `shards`. */
export function encodeReply(
  request: number,
  shards: Int32Array,
  shardCount: number,
  wrote: boolean,
  reply: Buffer,
  start: number,
  end: number,
): Buffer {
  const out = Buffer.allocUnsafe(replyMessageBytes(shardCount, end - start));
  out.writeUInt32LE(request, 0);
  out.writeUInt32LE((wrote ? shardCount | WROTE : shardCount) >>> 0, 4);
  for (let i = 0; i < shardCount; i++) out.writeUInt32LE(shards[i], REPLY_HEADER_BYTES + i * 4);
  reply.copy(out, REPLY_HEADER_BYTES + shardCount * 4, start, end);
  return out;
}

/** A SERVED, on either side. */
export interface Served {
  /** The worker that has the client; not part of the message. */
  worker: number;
  sessionId: number;
  ticket: number;
  /** A SERVED_KIND. */
  kind: number;
  /** The shard whose request was dropped by the one who served, -1: none. */
  droppedShard: number;
  wrote: boolean;
  /** How long the command ran when it was served. */
  ranMs: number;
  shards: readonly number[];
  reply: Buffer;
}

export function encodeServed(served: Served): Buffer {
  const { shards, reply } = served;
  const out = Buffer.allocUnsafe(SERVED_HEADER_BYTES + shards.length * 4 + reply.length);
  out.writeDoubleLE(served.sessionId, 0);
  out.writeInt32LE(served.ticket, 8);
  out.writeUInt32LE(served.kind, 12);
  out.writeInt32LE(served.droppedShard, 16);
  out.writeUInt32LE((served.wrote ? shards.length | WROTE : shards.length) >>> 0, 20);
  out.writeDoubleLE(served.ranMs, 24);
  for (let i = 0; i < shards.length; i++) out.writeUInt32LE(shards[i], SERVED_HEADER_BYTES + i * 4);
  reply.copy(out, SERVED_HEADER_BYTES + shards.length * 4);
  return out;
}

/** Decodes a SERVED out of buf[start, end); the reply is copied, because the ring's room is given back at once. */
export function decodeServed(worker: number, buf: Buffer, start: number, end: number): Served {
  const counted = buf.readUInt32LE(start + 20);
  const count = (counted & ~WROTE) >>> 0;
  const shards = Array.from({ length: count }, (_, i) => buf.readUInt32LE(start + SERVED_HEADER_BYTES + i * 4));
  return {
    worker,
    sessionId: buf.readDoubleLE(start),
    ticket: buf.readInt32LE(start + 8),
    kind: buf.readUInt32LE(start + 12),
    droppedShard: buf.readInt32LE(start + 16),
    wrote: (counted & WROTE) !== 0,
    ranMs: buf.readDoubleLE(start + 24),
    shards,
    reply: Buffer.from(buf.subarray(start + SERVED_HEADER_BYTES + count * 4, end)),
  };
}
