/**
 * Replies back into values, RESP2 and RESP3, strictly: what a writer must never send throws. Types are kept, so that a
 * test sees whether it was a set or an array, a null bulk string or a null array.
 */

export type Reply =
  | { type: 'simple'; text: string }
  | { type: 'error'; text: string }
  | { type: 'integer'; value: bigint }
  | { type: 'bulk'; bytes: Buffer }
  | { type: 'null'; form: '$' | '*' | '_' }
  | { type: 'array' | 'set' | 'push'; items: Reply[] }
  | { type: 'map'; entries: [Reply, Reply][] }
  | { type: 'attributed'; attributes: [Reply, Reply][]; reply: Reply }
  | { type: 'boolean'; value: boolean }
  | { type: 'double'; text: string; value: number }
  | { type: 'bigNumber'; value: bigint }
  | { type: 'verbatim'; format: string; text: string };

/** What a reply says, without its type: strings are latin1, maps are Maps, integers beyond 2^53 are bigint. */
export type Plain = null | boolean | number | bigint | string | Error | Plain[] | Map<Plain, Plain>;

const INCOMPLETE = new Error('incomplete');

/** The reply at `pos` and the position behind it; null while bytes are missing. */
export function parseReply(buf: Buffer, pos = 0): { reply: Reply; end: number } | null {
  const parser = new ReplyParser(buf, pos);
  try {
    const reply = parser.next();
    return { reply, end: parser.pos };
  } catch (error) {
    if (error === INCOMPLETE) return null;
    throw error;
  }
}

/** All replies of a buffer, which must end with the last one. */
export function parseReplies(buf: Buffer): Reply[] {
  const replies: Reply[] = [];
  for (let pos = 0; pos < buf.length; ) {
    const parsed = parseReply(buf, pos);
    if (parsed === null)
      throw new Error(`the last reply is incomplete: ${JSON.stringify(buf.toString('latin1', pos))}`);
    replies.push(parsed.reply);
    pos = parsed.end;
  }
  return replies;
}

export function plain(reply: Reply): Plain {
  switch (reply.type) {
    case 'simple':
    case 'verbatim':
      return reply.text;
    case 'error':
      return new Error(reply.text);
    case 'integer':
    case 'bigNumber': {
      const n = Number(reply.value);
      return Number.isSafeInteger(n) ? n : reply.value;
    }
    case 'bulk':
      return reply.bytes.toString('latin1');
    case 'null':
      return null;
    case 'array':
    case 'set':
    case 'push':
      return reply.items.map(plain);
    case 'map':
      return new Map(reply.entries.map(([key, value]) => [plain(key), plain(value)]));
    case 'attributed':
      return plain(reply.reply);
    case 'boolean':
    case 'double':
      return reply.value;
  }
}

class ReplyParser {
  private readonly buf: Buffer;
  pos: number;

  constructor(buf: Buffer, pos: number) {
    this.buf = buf;
    this.pos = pos;
  }

  next(): Reply {
    const line = this.line();
    const kind = line[0];
    const rest = line.slice(1);
    switch (kind) {
      case '+':
        return { type: 'simple', text: rest };
      case '-':
        return { type: 'error', text: rest };
      case ':':
        return { type: 'integer', value: whole(rest) };
      case '(':
        return { type: 'bigNumber', value: whole(rest) };
      case '_':
        if (rest !== '') throw new Error('bytes behind a null');
        return { type: 'null', form: '_' };
      case '#':
        if (rest !== 't' && rest !== 'f') throw new Error(`no boolean: ${rest}`);
        return { type: 'boolean', value: rest === 't' };
      case ',':
        return { type: 'double', text: rest, value: double(rest) };
      case '$':
        return rest === '-1' ? { type: 'null', form: '$' } : { type: 'bulk', bytes: this.payload(count(rest)) };
      case '!':
        return { type: 'error', text: this.payload(count(rest)).toString('latin1') };
      case '=':
        return verbatim(this.payload(count(rest)).toString('latin1'));
      default:
        return this.aggregate(kind, rest);
    }
  }

  private aggregate(kind: string, rest: string): Reply {
    switch (kind) {
      case '*':
        return rest === '-1' ? { type: 'null', form: '*' } : { type: 'array', items: this.items(count(rest)) };
      case '~':
        return { type: 'set', items: this.items(count(rest)) };
      case '>':
        return { type: 'push', items: this.items(count(rest)) };
      case '%':
        return { type: 'map', entries: this.entries(count(rest)) };
      case '|':
        return { type: 'attributed', attributes: this.entries(count(rest)), reply: this.next() };
      default:
        throw new Error(`no type of reply: ${JSON.stringify(kind)}`);
    }
  }

  private line(): string {
    const end = this.buf.indexOf('\r\n', this.pos, 'latin1');
    if (end < 0) throw INCOMPLETE;
    const line = this.buf.toString('latin1', this.pos, end);
    if (/[\r\n]/.test(line)) throw new Error(`a line end inside a line: ${JSON.stringify(line)}`);
    this.pos = end + 2;
    return line;
  }

  private payload(length: number): Buffer {
    const end = this.pos + length;
    if (end + 2 > this.buf.length) throw INCOMPLETE;
    if (this.buf.toString('latin1', end, end + 2) !== '\r\n') throw new Error('no line end behind a payload');
    const bytes = Buffer.from(this.buf.subarray(this.pos, end));
    this.pos = end + 2;
    return bytes;
  }

  private items(n: number): Reply[] {
    return Array.from({ length: n }, () => this.next());
  }

  private entries(n: number): [Reply, Reply][] {
    return Array.from({ length: n }, (): [Reply, Reply] => [this.next(), this.next()]);
  }
}

function whole(text: string): bigint {
  if (!/^(0|-?[1-9]\d*)$/.test(text)) throw new Error(`no whole number: ${text}`);
  return BigInt(text);
}

function count(text: string): number {
  const n = Number(whole(text));
  if (n < 0) throw new Error(`a negative count: ${text}`);
  return n;
}

function double(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  if (text === 'nan') return Number.NaN;
  if (!/^-?\d+(\.\d+)?(e[+-]\d+)?$/.test(text)) throw new Error(`no double: ${text}`);
  return Number(text);
}

function verbatim(payload: string): Reply {
  if (payload[3] !== ':') throw new Error(`no format in a verbatim string: ${payload}`);
  return { type: 'verbatim', format: payload.slice(0, 3), text: payload.slice(4) };
}
