import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { parseReplies, parseReply, plain } from './reply-parser.ts';

let writer: ReplyWriter;
beforeEach(() => {
  writer = new ReplyWriter();
});

function written(resp: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const start = writer.mark();
  writer.resp = resp;
  write(writer);
  return writer.buf.toString('latin1', start, writer.pos);
}

const LONG = 'x'.repeat(123);
const bytes = (text: string) => Buffer.from(text, 'latin1');
const goldens: [name: string, write: (reply: ReplyWriter) => void, resp2: string, resp3: string][] = [
  ['ok', (r) => r.ok(), '+OK\r\n', '+OK\r\n'],
  ['simple', (r) => r.simple('PONG'), '+PONG\r\n', '+PONG\r\n'],
  ['error', (r) => r.error('ERR no'), '-ERR no\r\n', '-ERR no\r\n'],
  ['error with line ends', (r) => r.error('ERR a\r\nb\nc\r\n'), '-ERR a  b c\r\n', '-ERR a  b c\r\n'],
  ['simple with line ends', (r) => r.simple('a\rb'), '+a b\r\n', '+a b\r\n'],
  ['error of bytes', (r) => r.errorBytes(bytes('..ERR a\nb..'), 2, 9), '-ERR a b\r\n', '-ERR a b\r\n'],
  ['integer 0', (r) => r.integer(0), ':0\r\n', ':0\r\n'],
  ['integer 9', (r) => r.integer(9), ':9\r\n', ':9\r\n'],
  ['integer 10', (r) => r.integer(10), ':10\r\n', ':10\r\n'],
  ['integer -1', (r) => r.integer(-1), ':-1\r\n', ':-1\r\n'],
  ['integer 2^53-1', (r) => r.integer(2 ** 53 - 1), ':9007199254740991\r\n', ':9007199254740991\r\n'],
  ['big integer', (r) => r.bigInteger(-(2n ** 63n)), ':-9223372036854775808\r\n', ':-9223372036854775808\r\n'],
  ['true', (r) => r.boolean(true), ':1\r\n', '#t\r\n'],
  ['false', (r) => r.boolean(false), ':0\r\n', '#f\r\n'],
  ['double', (r) => r.double(3.5), '$3\r\n3.5\r\n', ',3.5\r\n'],
  ['double inf', (r) => r.double(Number.POSITIVE_INFINITY), '$3\r\ninf\r\n', ',inf\r\n'],
  ['double -inf', (r) => r.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
  ['double nan', (r) => r.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
  ['double text', (r) => r.doubleText('1.25'), '$4\r\n1.25\r\n', ',1.25\r\n'],
  [
    'big number',
    (r) => r.bigNumber('-123456789012345678901'),
    '$22\r\n-123456789012345678901\r\n',
    '(-123456789012345678901\r\n',
  ],
  ['null', (r) => r.null(), '$-1\r\n', '_\r\n'],
  ['null array', (r) => r.nullArray(), '*-1\r\n', '_\r\n'],
  ['bulk', (r) => r.bulk(bytes('..a\r\nb..'), 2, 6), '$4\r\na\r\nb\r\n', '$4\r\na\r\nb\r\n'],
  ['empty bulk', (r) => r.bulk(bytes('x'), 1, 1), '$0\r\n\r\n', '$0\r\n\r\n'],
  ['long bulk', (r) => r.bulk(bytes(LONG), 0, 123), `$123\r\n${LONG}\r\n`, `$123\r\n${LONG}\r\n`],
  ['bulk text', (r) => r.bulkText('caf\xe9'), '$4\r\ncaf\xe9\r\n', '$4\r\ncaf\xe9\r\n'],
  ['long bulk text', (r) => r.bulkText(LONG), `$123\r\n${LONG}\r\n`, `$123\r\n${LONG}\r\n`],
  ['bulk number', (r) => r.bulkNumber(-1234), '$5\r\n-1234\r\n', '$5\r\n-1234\r\n'],
  ['verbatim', (r) => r.verbatim('a\nb', 'txt'), '$3\r\na\nb\r\n', '=7\r\ntxt:a\nb\r\n'],
  ['raw', (r) => r.raw(bytes('.+OK\r\n.'), 1, 6), '+OK\r\n', '+OK\r\n'],
  ['array', (r) => r.array(12), '*12\r\n', '*12\r\n'],
  ['empty array', (r) => r.emptyArray(), '*0\r\n', '*0\r\n'],
  ['map', (r) => r.map(2), '*4\r\n', '%2\r\n'],
  ['set', (r) => r.set(3), '*3\r\n', '~3\r\n'],
  ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
];

describe('ReplyWriter', () => {
  it.each(goldens)('%s', (_, write, resp2, resp3) => {
    expect(written(2, write)).toBe(resp2);
    expect(written(3, write)).toBe(resp3);
  });

  it('writes attributes in RESP3 only', () => {
    expect(written(3, (r) => r.attribute(1))).toBe('|1\r\n');
    expect(() => written(2, (r) => r.attribute(1))).toThrow();
  });

  it.each([0, 1, 9, 10, 99, 100, 1234])('puts the header of %i elements in front of what is there', (count) => {
    writer.ok();
    const replies = (r: ReplyWriter, before: (mark: number) => void) => {
      const mark = r.mark();
      for (let i = 0; i < count; i++) r.integer(i % 10);
      before(mark);
      r.ok();
    };
    const body = `${Array.from({ length: count }, (_, i) => `:${i % 10}\r\n`).join('')}+OK\r\n`;
    expect(written(2, (r) => replies(r, (mark) => r.arrayBefore(mark, count)))).toBe(`*${count}\r\n${body}`);
    expect(written(3, (r) => replies(r, (mark) => r.setBefore(mark, count)))).toBe(`~${count}\r\n${body}`);
    expect(written(2, (r) => replies(r, (mark) => r.setBefore(mark, count)))).toBe(`*${count}\r\n${body}`);
    expect(written(3, (r) => replies(r, (mark) => r.mapBefore(mark, count)))).toBe(`%${count}\r\n${body}`);
    expect(written(2, (r) => replies(r, (mark) => r.mapBefore(mark, count)))).toBe(`*${2 * count}\r\n${body}`);
  });

  it('copies payloads of every length, from buffers and through views', () => {
    const memory = new SharedArrayBuffer(4096);
    const source = Buffer.from(memory);
    for (let i = 0; i < source.length; i++) source[i] = (i * 31) & 255;
    const view = new DataView(memory);
    for (let length = 0; length < 300; length++) {
      const start = (length * 13) % 97;
      const payload = source.toString('latin1', start, start + length);
      const expected = `$${length}\r\n${payload}\r\n`;
      expect(written(2, (r) => r.bulk(source, start, start + length))).toBe(expected);
      expect(written(2, (r) => r.bulkView(view, source, start, start + length))).toBe(expected);
    }
  });

  it('keeps everything in place when it grows at any point', () => {
    for (let first = 1; first < 400; first += 7) {
      writer = new ReplyWriter(first);
      let expected = '';
      for (const [, write, resp2] of goldens) {
        written(2, write);
        expected += resp2;
      }
      expect(writer.buf.toString('latin1', 0, writer.pos)).toBe(expected);
    }
  });

  it('drops what was written since a mark', () => {
    writer.ok();
    const mark = writer.mark();
    writer.bulkText('x'.repeat(1_000_000));
    writer.rewind(mark);
    writer.integer(1);
    expect(writer.buf.toString('latin1', 0, writer.pos)).toBe('+OK\r\n:1\r\n');
  });

  it('never writes again over bytes that were given away', () => {
    const given: { buf: Buffer; start: number; end: number; text: string }[] = [];
    for (let i = 0; i < 300; i++) {
      const start = writer.mark();
      const text = `reply ${i} ${'y'.repeat((i * 997) % 20_000)}`;
      writer.bulkText(text);
      const end = writer.pos;
      if (i % 3 === 0) writer.rewind(start);
      else given.push({ buf: writer.takeOver(), start, end, text });
      // whoever empties the buffer must not reach what was given away
      if (i % 5 === 0) writer.rewind(0);
    }
    expect(new Set(given.map(({ buf }) => buf)).size).toBeGreaterThan(1);
    expect(new Set(given.map(({ buf }) => buf)).size).toBeLessThan(given.length);
    for (const { buf, start, end, text } of given) {
      expect(buf.toString('latin1', start, end)).toBe(`$${text.length}\r\n${text}\r\n`);
    }
  });

  it('grows behind bytes that were given away', () => {
    writer.ok();
    const given = writer.takeOver();
    const start = writer.mark();
    writer.bulkText('z'.repeat(600_000));
    expect(writer.buf).not.toBe(given);
    expect(writer.buf.toString('latin1', start, writer.pos)).toBe(`$600000\r\n${'z'.repeat(600_000)}\r\n`);
    expect(given.toString('latin1', 0, 5)).toBe('+OK\r\n');
  });

  it('gives the memory of a huge reply back', () => {
    writer.bulk(Buffer.alloc(10_000_000), 0, 10_000_000);
    writer.rewind(0);
    expect(writer.buf.length).toBeLessThan(1_000_000);
  });
});

describe('parseReply', () => {
  type Write = (writer: ReplyWriter) => void;
  const leaf = fc.oneof(
    fc.string().map(
      (text): Write =>
        (w) =>
          w.simple(text),
    ),
    fc.string().map(
      (text): Write =>
        (w) =>
          w.error(`ERR ${text}`),
    ),
    fc.maxSafeInteger().map(
      (n): Write =>
        (w) =>
          w.integer(n),
    ),
    fc.bigInt().map(
      (n): Write =>
        (w) =>
          w.bigNumber(n.toString()),
    ),
    fc.double().map(
      (x): Write =>
        (w) =>
          w.double(x),
    ),
    fc.boolean().map(
      (b): Write =>
        (w) =>
          w.boolean(b),
    ),
    fc.uint8Array().map(
      (b): Write =>
        (w) =>
          w.bulk(Buffer.from(b), 0, b.length),
    ),
    fc.string().map(
      (text): Write =>
        (w) =>
          w.verbatim(text.replace(/[^ -~]/g, '?'), 'txt'),
    ),
    fc.constantFrom<Write>(
      (w) => w.null(),
      (w) => w.nullArray(),
    ),
  );
  const tree = fc.letrec<{ node: Write }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.array(tie('node'), { maxLength: 4 }).map(
        (parts): Write =>
          (w) => {
            w.array(parts.length);
            for (const part of parts) part(w);
          },
      ),
      fc.array(tie('node'), { maxLength: 4 }).map(
        (parts): Write =>
          (w) => {
            const mark = w.mark();
            for (const part of parts) part(w);
            w.setBefore(mark, parts.length);
          },
      ),
      fc.array(fc.tuple(tie('node'), tie('node')), { maxLength: 3 }).map(
        (parts): Write =>
          (w) => {
            w.map(parts.length);
            for (const [key, value] of parts) {
              key(w);
              value(w);
            }
          },
      ),
    ),
  })).node;

  it('ends every reply where it ends, and nowhere before', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom<2 | 3>(2, 3), (write, resp) => {
        const w = new ReplyWriter(64);
        w.resp = resp;
        write(w);
        const reply = Buffer.from(w.buf.subarray(0, w.pos));
        const parsed = parseReply(reply);
        expect(parsed?.end).toBe(reply.length);
        plain(parsed!.reply);
        for (let end = 0; end < reply.length; end += 1 + (end >> 4))
          expect(parseReply(reply.subarray(0, end))).toBeNull();
        expect(parseReplies(Buffer.concat([reply, reply]))).toHaveLength(2);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps types, and gives plain values', () => {
    const text = '*3\r\n~1\r\n:5\r\n%1\r\n$1\r\nk\r\n,1.5\r\n|1\r\n+a\r\n#t\r\n(12345678901234567890\r\n';
    const { reply } = parseReply(Buffer.from(text))!;
    if (reply.type !== 'array') throw new Error('no array');
    expect(reply.items.map((item) => item.type)).toEqual(['set', 'map', 'attributed']);
    expect(plain(reply)).toEqual([[5], new Map([['k', 1.5]]), 12345678901234567890n]);
    expect(parseReplies(Buffer.from('$-1\r\n*-1\r\n_\r\n')).map((r) => 'form' in r && r.form)).toEqual(['$', '*', '_']);
  });

  it.each([':01\r\n', ':1 \r\n', '$1\r\nabc', '*-2\r\n', '#x\r\n', ',1.\r\n', '-a\nb\r\n', '?\r\n', '_x\r\n'])(
    'refuses %j',
    (text) => {
      expect(() => parseReply(Buffer.from(text))).toThrow();
    },
  );
});
