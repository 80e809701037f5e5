/**
 * Replies on their way into the engine and out of it.
 *
 *   RESP   $3\r\nabc\r\n                                              (what a command answers)
 *   engine | tag, 1 byte | length or count, int32 | bytes … |         (what the engine's Lua values are made from, and back)
 *
 * Invariant 1: `EngineReply` fills its own buffer; the caller copies it into the engine's memory, for that may move when it grows.
 */
import { copyInto } from '../../native-free-shm/bytes.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { NIL_TEXT } from './lua-bootstrap.ts';

const TAG = {
  null: 0,
  integer: 1,
  bulk: 2,
  array: 3,
  status: 4,
  error: 5,
  scriptError: 6,
  boolean: 7,
  double: 8,
  map: 9,
  set: 10,
  bigNumber: 11,
  verbatim: 12,
} as const;
const HEAD_BYTES = 5;
const FIRST_BYTES = 4096;
const KEPT_BYTES = 1 << 20;
/** Redis gives up at a similar depth, for its stack's sake. */
const MAX_DEPTH = 1000;

const CR = 13;

/** A reply in the form of the engine. */
export class EngineReply {
  buf: Buffer = Buffer.alloc(FIRST_BYTES);
  pos = 0;

  begin(): void {
    this.pos = 0;
    if (this.buf.length > KEPT_BYTES) this.buf = Buffer.alloc(FIRST_BYTES);
  }

  private room(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    const bigger = Buffer.alloc(Math.max(this.buf.length * 2, this.pos + bytes));
    this.buf.copy(bigger, 0, 0, this.pos);
    this.buf = bigger;
  }

  private head(tag: number, count: number): void {
    this.room(HEAD_BYTES + 8);
    const { buf, pos } = this;
    buf[pos] = tag;
    buf[pos + 1] = count;
    buf[pos + 2] = count >>> 8;
    buf[pos + 3] = count >>> 16;
    buf[pos + 4] = count >>> 24;
    this.pos = pos + HEAD_BYTES;
  }

  private bytes(tag: number, from: Buffer, start: number, end: number): void {
    this.head(tag, end - start);
    this.room(end - start);
    copyInto(this.buf, this.pos, from, start, end - start);
    this.pos += end - start;
  }

  /** An error with its code in front (latin1). */
  error(text: string): void {
    this.head(TAG.error, text.length);
    this.room(text.length);
    this.buf.write(text, this.pos, 'latin1');
    this.pos += text.length;
  }

  status(text: string): void {
    this.error(text);
    this.buf[0] = TAG.status;
  }

  integer(n: number): void {
    this.head(TAG.integer, 8);
    this.buf.writeBigInt64LE(BigInt(n), this.pos);
    this.pos += 8;
  }

  /** Takes over the whole reply at from[start]; returns where it ends. */
  fromResp(from: Buffer, start: number): number {
    const type = from[start];
    let lineEnd = start + 1;
    while (from[lineEnd] !== CR) lineEnd++;
    const next = lineEnd + 2;
    switch (type) {
      case 43: // +
        this.bytes(TAG.status, from, start + 1, lineEnd);
        return next;
      case 45: // -
        this.bytes(TAG.error, from, start + 1, lineEnd);
        return next;
      case 58: // :
        this.head(TAG.integer, 8);
        if (lineEnd - start < 16) this.smallInteger(decimal(from, start + 1, lineEnd));
        else this.buf.writeBigInt64LE(BigInt(from.toString('latin1', start + 1, lineEnd)), this.pos);
        this.pos += 8;
        return next;
      case 36: // $
        return this.bulkFrom(TAG.bulk, from, start, lineEnd);
      case 42: // *
      case 62: // >
        return this.aggregateFrom(TAG.array, from, start, lineEnd, 1);
      case 126: // ~
        return this.aggregateFrom(TAG.set, from, start, lineEnd, 1);
      case 37: // %
        return this.aggregateFrom(TAG.map, from, start, lineEnd, 2);
      default:
        return this.rareFrom(type, from, start, lineEnd);
    }
  }

  private smallInteger(n: number): void {
    const { buf, pos } = this;
    buf.writeInt32LE(n | 0, pos);
    buf.writeInt32LE(Math.floor(n / 4294967296) | 0, pos + 4);
  }

  private bulkFrom(tag: number, from: Buffer, start: number, lineEnd: number): number {
    const length = decimal(from, start + 1, lineEnd);
    const next = lineEnd + 2;
    if (length < 0) {
      this.head(TAG.null, 0);
      return next;
    }
    this.bytes(tag, from, next, next + length);
    return next + length + 2;
  }

  private aggregateFrom(tag: number, from: Buffer, start: number, lineEnd: number, perElement: number): number {
    const count = decimal(from, start + 1, lineEnd);
    let next = lineEnd + 2;
    if (count < 0) {
      this.head(TAG.null, 0);
      return next;
    }
    this.head(tag, count);
    for (let i = 0; i < count * perElement; i++) next = this.fromResp(from, next);
    return next;
  }

  private rareFrom(type: number, from: Buffer, start: number, lineEnd: number): number {
    const next = lineEnd + 2;
    switch (type) {
      case 95: // _
        this.head(TAG.null, 0);
        return next;
      case 35: // #
        this.head(TAG.boolean, 1);
        this.buf[this.pos++] = from[start + 1] === 116 ? 1 : 0;
        return next;
      case 44: // ,
        this.head(TAG.double, 8);
        this.buf.writeDoubleLE(doubleOf(from.toString('latin1', start + 1, lineEnd)), this.pos);
        this.pos += 8;
        return next;
      case 40: // (
        this.bytes(TAG.bigNumber, from, start + 1, lineEnd);
        return next;
      case 61: {
        // = txt:…
        const length = decimal(from, start + 1, lineEnd);
        this.head(TAG.verbatim, 3 + length);
        this.room(3 + length);
        this.buf.writeInt32LE(3, this.pos);
        from.copy(this.buf, this.pos + 4, next, next + 3);
        from.copy(this.buf, this.pos + 7, next + 4, next + length);
        this.pos += 3 + length;
        return next + length + 2;
      }
      case 124: {
        // attributes belong to no value of Lua's
        const pairs = decimal(from, start + 1, lineEnd);
        const mark = this.pos;
        let at = next;
        for (let i = 0; i < pairs * 2; i++) at = this.fromResp(from, at);
        this.pos = mark;
        return this.fromResp(from, at);
      }
      default:
        throw new Error(`a reply begins with byte ${type}`);
    }
  }
}

function decimal(bytes: Buffer, start: number, end: number): number {
  const isNegative = bytes[start] === 45;
  let n = 0;
  for (let i = isNegative ? start + 1 : start; i < end; i++) n = n * 10 + bytes[i] - 48;
  return isNegative ? -n : n;
}

function doubleOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/**
 * Writes the engine's reply at from[at] for the client. `scriptResp`: what the script said by redis.setresp; before it has, booleans are
 * 1 and nothing, as in Redis 2. Returns where the reply ends.
 */
export function writeEngineReply(from: Buffer, at: number, reply: ReplyWriter, scriptResp: number, depth = 0): number {
  const tag = from[at];
  const count = from.readInt32LE(at + 1);
  const start = at + HEAD_BYTES;
  const end = start + count;
  if (depth > MAX_DEPTH) throw new RangeError('reached lua stack limit');
  switch (tag) {
    case TAG.null:
      reply.null();
      return start;
    case TAG.integer:
      writeInteger(from, start, reply);
      return start + 8;
    case TAG.bulk:
      reply.bulk(from, start, end);
      return end;
    case TAG.status:
      reply.simple(from.toString('latin1', start, end));
      return end;
    case TAG.error:
      writeError(from.toString('latin1', start, end), reply);
      return end;
    case TAG.scriptError:
      writeError(from.toString('latin1', start + 4, end), reply);
      return end;
    case TAG.boolean:
      writeBoolean(from[start] !== 0, reply, scriptResp);
      return start + 1;
    case TAG.double:
      reply.double(from.readDoubleLE(start));
      return start + 8;
    case TAG.bigNumber:
      reply.bigNumber(from.toString('latin1', start, end).replace(/[\r\n]/g, ' '));
      return end;
    case TAG.verbatim: {
      const textStart = start + 4 + from.readInt32LE(start);
      reply.verbatim(
        from.toString('latin1', textStart, end),
        from
          .toString('latin1', start + 4, textStart)
          .padEnd(3)
          .slice(0, 3),
      );
      return end;
    }
    default:
      return writeAggregate(tag, count, from, start, reply, scriptResp, depth);
  }
}

function writeAggregate(
  tag: number,
  count: number,
  from: Buffer,
  start: number,
  reply: ReplyWriter,
  scriptResp: number,
  depth: number,
): number {
  let elements = count;
  if (tag === TAG.array) reply.array(count);
  else if (tag === TAG.set) reply.set(count);
  else if (tag === TAG.map) {
    reply.map(count);
    elements = count * 2;
  } else throw new Error(`script engine: a reply has tag ${tag}`);
  let at = start;
  for (let i = 0; i < elements; i++) at = writeEngineReply(from, at, reply, scriptResp, depth + 1);
  return at;
}

function writeInteger(from: Buffer, start: number, reply: ReplyWriter): void {
  const high = from.readInt32LE(start + 4);
  // what fits into 53 bits needs no big number
  if (high >= -0x200000 && high < 0x200000) reply.integer(high * 4294967296 + from.readUInt32LE(start));
  else reply.bigInteger(from.readBigInt64LE(start));
}

function writeBoolean(value: boolean, reply: ReplyWriter, scriptResp: number): void {
  if (scriptResp === 3) reply.boolean(value);
  else if (value) reply.integer(1);
  else reply.null();
}

/** An error that has no code gets one; what Lua has and clients do not know (functions …) is nothing. */
function writeError(text: string, reply: ReplyWriter): void {
  if (text === NIL_TEXT) return reply.null();
  const bare = text.startsWith('-') ? text.slice(1) : text;
  reply.error(bare === '' ? 'ERR ' : bare);
}
