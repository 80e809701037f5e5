import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';

const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const BAD_OFFSET = '-ERR bit offset is not an integer or out of range\r\n';
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** One character per bit. */
function bitText(value: string): string {
  return Array.from(value, (byte) => byte.charCodeAt(0).toString(2).padStart(8, '0')).join('');
}

/** The part of a text that Redis means by two places, counted from the end where negative. */
function between(text: string, from: number, to: number): [start: number, end: number] {
  const start = Math.max(from < 0 ? from + text.length : from, 0);
  const end = Math.min(Math.max(to < 0 ? to + text.length : to, 0), text.length - 1);
  return [start, end];
}

const bytes = fc
  .array(fc.constantFrom('\0', 'ÿ', '\u0001', '\u0080', 'a', '7'), { maxLength: 12 })
  .map((parts) => parts.join(''));
const place = fc.integer({ min: -110, max: 110 });

describe.each([2, 3])('bitmaps in RESP%i', (resp) => {
  function started(shards = 1): InProcess {
    const server = new InProcess({ shards });
    if (resp === 3) server.run('HELLO', 3);
    return server;
  }

  it('SETBIT and GETBIT', () => {
    const server = started();
    expect(server.run('SETBIT', 'k', 7, 1)).toBe(':0\r\n');
    expect(server.run('SETBIT', 'k', 7, 1)).toBe(':1\r\n');
    expect(server.run('SETBIT', 'k', 8, 0)).toBe(':0\r\n');
    expect(server.run('GET', 'k')).toBe(bulk('\u0001\0'));
    expect(server.run('GETBIT', 'k', 7)).toBe(':1\r\n');
    expect(server.run('GETBIT', 'k', 100)).toBe(':0\r\n');
    expect(server.run('GETBIT', 'nokey', 0)).toBe(':0\r\n');
    expect(server.run('SETBIT', 'k', 7, 0)).toBe(':1\r\n');
    expect(server.run('SETBIT', 'k', 80_003, 1)).toBe(':0\r\n');
    expect(server.run('STRLEN', 'k')).toBe(':10001\r\n');
    expect(server.run('BITCOUNT', 'k')).toBe(':1\r\n');
    for (const offset of ['-1', '', 'x', '#1', '4294967296', '9223372036854775808']) {
      expect(server.run('SETBIT', 'k', offset, 1)).toBe(BAD_OFFSET);
      expect(server.run('GETBIT', 'k', offset)).toBe(BAD_OFFSET);
    }
    expect(server.run('GETBIT', 'k', 4294967295)).toBe(':0\r\n');
    for (const bit of ['2', '-1', '', 'x', '01']) {
      expect(server.run('SETBIT', 'k', 0, bit)).toBe('-ERR bit is not an integer or out of range\r\n');
    }
  });

  it('BITCOUNT counts ranges of bytes and bits', () => {
    const server = started();
    fc.assert(
      fc.property(bytes, place, place, fc.constantFrom('BYTE', 'bit', null), (value, from, to, unit) => {
        server.run('SET', 'k', value);
        const bits = bitText(value);
        let expected = 0;
        if (from >= 0 || to >= 0 || from <= to) {
          const [start, end] = between(unit === 'bit' ? bits : value, from, to);
          const part = unit === 'bit' ? bits.slice(start, end + 1) : bits.slice(start * 8, (end + 1) * 8);
          if (start <= end) expected = part.replaceAll('0', '').length;
        }
        expect(server.run('BITCOUNT', 'k', from, to, ...(unit === null ? [] : [unit]))).toBe(`:${expected}\r\n`);
        expect(server.run('BITCOUNT', 'k')).toBe(`:${bits.replaceAll('0', '').length}\r\n`);
      }),
      { numRuns: 400 },
    );
  });

  it('BITPOS finds the first bit in ranges of bytes and bits', () => {
    const server = started();
    fc.assert(
      fc.property(bytes, place, place, fc.nat(3), fc.constantFrom('0', '1'), (value, from, to, given, bit) => {
        server.run('SET', 'k', value);
        const inBits = given === 3;
        const bits = bitText(value);
        const text = inBits ? bits : value;
        const step = inBits ? 1 : 8;
        const [start, end] = between(text, given > 0 ? from : 0, given > 1 ? to : -1);
        let expected = -1;
        if (start <= end) {
          const found = bits.slice(start * step, (end + 1) * step).indexOf(bit);
          if (found >= 0) expected = found + start * step;
          else if (bit === '0' && given < 2) expected = bits.length;
        }
        const args = [from, to, 'BIT'].slice(0, given);
        expect(server.run('BITPOS', 'k', bit, ...args)).toBe(`:${expected}\r\n`);
      }),
      { numRuns: 600 },
    );
  });

  it('both check their arguments before they look at the key', () => {
    const server = started();
    expect(server.run('BITCOUNT', 'nokey', 0)).toBe(SYNTAX);
    expect(server.run('BITCOUNT', 'nokey', 'x', 0)).toBe(NOT_INTEGER);
    expect(server.run('BITCOUNT', 'nokey', 0, '1.5')).toBe(NOT_INTEGER);
    expect(server.run('BITCOUNT', 'nokey', 0, 1, 'x')).toBe(SYNTAX);
    expect(server.run('BITCOUNT', 'nokey', 0, 1, 'BIT', 'x')).toBe(SYNTAX);
    expect(server.run('BITCOUNT', 'nokey', 0, 1, 'BIT')).toBe(':0\r\n');
    expect(server.run('BITPOS', 'nokey', 2)).toBe('-ERR The bit argument must be 1 or 0.\r\n');
    expect(server.run('BITPOS', 'nokey', 'x')).toBe(NOT_INTEGER);
    expect(server.run('BITPOS', 'nokey', 1, 'x')).toBe(NOT_INTEGER);
    expect(server.run('BITPOS', 'nokey', 1, 0, 'x')).toBe(NOT_INTEGER);
    expect(server.run('BITPOS', 'nokey', 1, 0, 'x', 'y')).toBe(SYNTAX);
    expect(server.run('BITPOS', 'nokey', 1, 0, 1, 'BIT', 'x')).toBe(SYNTAX);
    expect(server.run('BITPOS', 'nokey', 1)).toBe(':-1\r\n');
    expect(server.run('BITPOS', 'nokey', 0, 5, 6)).toBe(':0\r\n');
  });

  it.each([1, 4])('BITOP over %i shards', (shards) => {
    const server = started(shards);
    const operations: [string, (x: number, y: number, z: number) => number][] = [
      ['AND', (x, y, z) => x & y & z],
      ['or', (x, y, z) => x | y | z],
      ['XOR', (x, y, z) => x ^ y ^ z],
      ['DIFF', (x, y, z) => x & ~(y | z)],
      ['diff1', (x, y, z) => ~x & (y | z)],
      ['ANDOR', (x, y, z) => x & (y | z)],
      ['ONE', (x, y, z) => (x & ~y & ~z) | (~x & y & ~z) | (~x & ~y & z)],
    ];
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.constantFrom(...operations), (a, b, c, [name, model]) => {
        for (const [key, value] of Object.entries({ a, b, c })) {
          if (value === '') server.run('DEL', key);
          else server.run('SET', key, value);
        }
        const length = Math.max(a.length, b.length, c.length);
        let expected = '';
        for (let i = 0; i < length; i++) {
          const [x, y, z] = [a, b, c].map((value) => (i < value.length ? value.charCodeAt(i) : 0));
          expected += String.fromCharCode(model(x, y, z) & 255);
        }
        server.run('SET', 'to', 'old', 'EX', 100);
        expect(server.run('BITOP', name, 'to', 'a', 'b', 'c')).toBe(`:${length}\r\n`);
        expect(server.run('TTL', 'to')).toBe(length === 0 ? ':-2\r\n' : ':-1\r\n');
        if (length > 0) expect(server.run('GET', 'to')).toBe(bulk(expected));
        // the destination may be a source
        expect(server.run('BITOP', name, 'a', 'a', 'b', 'c')).toBe(`:${length}\r\n`);
        if (length > 0) expect(server.run('GET', 'a')).toBe(bulk(expected));
      }),
      { numRuns: 100 },
    );
  });

  it('BITOP NOT, big values and wrong calls', () => {
    const server = started(2);
    server.run('SET', 'a', 'a\0ÿ');
    expect(server.run('BITOP', 'NOT', 'to', 'a')).toBe(':3\r\n');
    expect(server.run('GET', 'to')).toBe(bulk('\u009eÿ\0'));
    expect(server.run('OBJECT', 'ENCODING', 'to')).toBe(bulk('raw'));
    const big = 'ab'.repeat(100_000);
    server.run('SET', 'a', big);
    expect(server.run('BITOP', 'XOR', 'to', 'a', 'a', 'a')).toBe(':200000\r\n');
    expect(server.run('GET', 'to')).toBe(bulk(big));
    expect(server.run('BITOP', 'NOT', 'to', 'a', 'b')).toBe(
      '-ERR BITOP NOT must be called with a single source key.\r\n',
    );
    expect(server.run('BITOP', 'diff', 'to', 'a')).toBe(
      '-ERR BITOP DIFF must be called with at least two source keys.\r\n',
    );
    expect(server.run('BITOP', 'NAND', 'to', 'a')).toBe(SYNTAX);
    expect(server.run('BITOP', 'AND', 'to', 'nokey')).toBe(':0\r\n');
    expect(server.run('EXISTS', 'to')).toBe(':0\r\n');
  });
});
