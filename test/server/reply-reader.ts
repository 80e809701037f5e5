/**
 * RESP2 and RESP3 replies as bytes arrive: where a reply ends, and what it says.
 * The ends are found without decoding, so that tests can compare replies byte for byte.
 */

/** An error reply. A value, not an exception: tests look at it. */
export class ReplyError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** An out-of-band RESP3 push (`>`). */
export class ReplyPush {
  readonly items: Reply[];
  constructor(items: Reply[]) {
    this.items = items;
  }
}

/** Strings are latin1, so every byte is kept; integers outside ±2^53 and big numbers are bigint. */
export type Reply = null | boolean | number | bigint | string | ReplyError | ReplyPush | Reply[] | Map<Reply, Reply>;

const CR = 13;
const NOT_YET = -1;

function lineEnd(buf: Buffer, pos: number): number {
  const end = buf.indexOf('\r\n', pos, 'latin1');
  return end < 0 ? NOT_YET : end;
}

/** Position after the reply that starts at `pos`, or -1 while bytes are missing. Throws on what is no reply. */
export function replyEnd(buf: Buffer, pos: number): number {
  if (pos >= buf.length) return NOT_YET;
  const line = lineEnd(buf, pos);
  if (line === NOT_YET) return NOT_YET;
  const kind = String.fromCharCode(buf[pos]);
  if ('+-:_,#('.includes(kind)) return line + 2;
  const count = Number(buf.toString('latin1', pos + 1, line));
  if (!Number.isInteger(count) || count < -1) throw new Error(`not a reply: ${buf.toString('latin1', pos, line)}`);
  if ('$=!'.includes(kind)) {
    if (count === -1) return line + 2;
    const end = line + 2 + count + 2;
    if (end > buf.length) return NOT_YET;
    if (buf[end - 2] !== CR) throw new Error('a bulk reply does not end where it says');
    return end;
  }
  if (!'*%~>|'.includes(kind)) throw new Error(`not a reply: ${buf.toString('latin1', pos, line)}`);
  let at = line + 2;
  const items = kind === '%' || kind === '|' ? count * 2 : count;
  for (let i = 0; i < items; i++) {
    at = replyEnd(buf, at);
    if (at === NOT_YET) return NOT_YET;
  }
  return kind === '|' ? replyEnd(buf, at) : at;
}

/** Decodes one whole reply (see `replyEnd`). */
export function decodeReply(buf: Buffer): Reply {
  return new Decoder(buf).next();
}

class Decoder {
  private readonly buf: Buffer;
  private pos = 0;

  constructor(buf: Buffer) {
    this.buf = buf;
  }

  next(): Reply {
    const line = lineEnd(this.buf, this.pos);
    const kind = String.fromCharCode(this.buf[this.pos]);
    const text = this.buf.toString('latin1', this.pos + 1, line);
    this.pos = line + 2;
    switch (kind) {
      case '+':
        return text;
      case '-':
        return new ReplyError(text);
      case ':':
      case '(': {
        const n = Number(text);
        return Number.isSafeInteger(n) ? n : BigInt(text);
      }
      case '_':
        return null;
      case '#':
        return text === 't';
      case ',':
        return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
      case '$':
        return text === '-1' ? null : this.bytes(Number(text));
      case '!':
        return new ReplyError(this.bytes(Number(text)));
      case '=':
        return this.bytes(Number(text)).slice(4);
      case '%':
        return this.pairs(Number(text));
      case '|':
        this.pairs(Number(text));
        return this.next();
      case '>':
        return new ReplyPush(this.items(Number(text)));
      default:
        return text === '-1' ? null : this.items(Number(text));
    }
  }

  private bytes(length: number): string {
    const text = this.buf.toString('latin1', this.pos, this.pos + length);
    this.pos += length + 2;
    return text;
  }

  private items(count: number): Reply[] {
    const items: Reply[] = [];
    for (let i = 0; i < count; i++) items.push(this.next());
    return items;
  }

  private pairs(count: number): Map<Reply, Reply> {
    const map = new Map<Reply, Reply>();
    for (let i = 0; i < count; i++) {
      const key = this.next();
      map.set(key, this.next());
    }
    return map;
  }
}
