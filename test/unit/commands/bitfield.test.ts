import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';

const SYNTAX = '-ERR syntax error\r\n';
const BAD_TYPE =
  '-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n';
const BAD_OFFSET = '-ERR bit offset is not an integer or out of range\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';

type Overflow = 'WRAP' | 'SAT' | 'FAIL';

/** A row of bits that does what BITFIELD does, with nothing but bigints. */
class BitRow {
  bits = '';

  private field(offset: number, width: number, signed: boolean): bigint {
    const value = BigInt(`0b${this.bits.slice(offset, offset + width).padEnd(width, '0')}`);
    return signed ? BigInt.asIntN(width, value) : value;
  }

  grow(bits: number): void {
    this.bits = this.bits.padEnd(Math.ceil(bits / 8) * 8, '0');
  }

  get(offset: number, width: number, signed: boolean): string {
    return `:${this.field(offset, width, signed)}\r\n`;
  }

  write(
    kind: 'SET' | 'INCRBY',
    offset: number,
    width: number,
    signed: boolean,
    by: bigint,
    how: Overflow,
  ): string | null {
    const old = this.field(offset, width, signed);
    const wanted = kind === 'INCRBY' ? old + by : signed ? by : BigInt.asUintN(64, by);
    const min = signed ? -(2n ** BigInt(width - 1)) : 0n;
    const max = min + 2n ** BigInt(width) - 1n;
    let stored = wanted;
    if (wanted < min || wanted > max) {
      if (how === 'FAIL') return null;
      if (how === 'SAT') stored = wanted < min ? min : max;
    }
    const text = BigInt.asUintN(width, stored).toString(2).padStart(width, '0');
    this.bits = this.bits.slice(0, offset) + text + this.bits.slice(offset + width);
    return kind === 'SET'
      ? `:${old}\r\n`
      : `:${signed ? BigInt.asIntN(width, stored) : BigInt.asUintN(width, stored)}\r\n`;
  }

  bytes(): string {
    return (this.bits.match(/.{8}/g) ?? []).map((byte) => String.fromCharCode(Number.parseInt(byte, 2))).join('');
  }
}

const operation = fc.record({
  kind: fc.constantFrom('GET' as const, 'SET' as const, 'INCRBY' as const),
  width: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constantFrom(1, 8, 16, 32, 52, 53, 63)),
  signed: fc.boolean(),
  offset: fc.nat(150),
  by: fc.oneof(
    // values near the least int64 are a case of their own, see below
    fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -300n, max: 300n }),
    fc.constantFrom(2n ** 52n, -(2n ** 52n), 2n ** 53n, 2n ** 52n - 1n),
  ),
  overflow: fc.constantFrom<Overflow | null>('WRAP', 'SAT', 'FAIL', null),
  hashed: fc.boolean(),
});

describe.each([2, 3])('BITFIELD in RESP%i', (resp) => {
  const NULL = resp === 2 ? '$-1\r\n' : '_\r\n';

  function started(): InProcess {
    const server = new InProcess();
    if (resp === 3) server.run('HELLO', 3);
    return server;
  }

  it('agrees with a row of bits', () => {
    const commands = fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(commands, (all) => {
        const server = started();
        const model = new BitRow();
        for (const operations of all) {
          const words: string[] = [];
          const replies: string[] = [];
          let how: Overflow = 'WRAP';
          for (const { width, offset, kind, hashed } of operations) {
            const at = hashed ? (offset % 5) * width : offset;
            if (kind !== 'GET') model.grow(Math.max(model.bits.length, at + width));
          }
          for (const { kind, width, signed: maybeSigned, offset, by, overflow, hashed } of operations) {
            const signed = maybeSigned || width === 64;
            const at = hashed ? (offset % 5) * width : offset;
            if (overflow !== null) {
              words.push('OVERFLOW', overflow);
              how = overflow;
            }
            words.push(kind, `${signed ? 'i' : 'u'}${width}`, hashed ? `#${offset % 5}` : String(at));
            if (kind !== 'GET') words.push(by.toString());
            replies.push(
              kind === 'GET' ? model.get(at, width, signed) : (model.write(kind, at, width, signed, by, how) ?? NULL),
            );
          }
          expect(server.run('BITFIELD', 'k', ...words)).toBe(`*${replies.length}\r\n${replies.join('')}`);
          const value = model.bytes();
          expect(server.run('GET', 'k')).toBe(value === '' ? NULL : `$${value.length}\r\n${value}\r\n`);
        }
      }),
      { numRuns: 250 },
    );
  });

  it('a field set far below its range saturates as in Redis', () => {
    const server = started();
    const least = '-9223372036854775808';
    expect(server.run('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'SET', 'i8', 0, least, 'GET', 'i8', 0)).toBe(
      '*2\r\n:0\r\n:127\r\n',
    );
    expect(server.run('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'SET', 'i8', 0, -200, 'GET', 'i8', 0)).toBe(
      '*2\r\n:127\r\n:-128\r\n',
    );
    expect(server.run('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'SET', 'i64', 0, least, 'GET', 'i64', 0)).toBe(
      `*2\r\n:${-(2n ** 63n) + 0n}\r\n:${least}\r\n`,
    );
  });

  it('reads nothing but zeros where there is no key', () => {
    const server = started();
    expect(server.run('BITFIELD', 'k')).toBe('*0\r\n');
    expect(server.run('BITFIELD', 'k', 'OVERFLOW', 'SAT')).toBe('*0\r\n');
    expect(server.run('BITFIELD', 'k', 'GET', 'i64', 100, 'get', 'u1', 0)).toBe('*2\r\n:0\r\n:0\r\n');
    expect(server.run('BITFIELD_RO', 'k', 'GET', 'u8', '#3')).toBe('*1\r\n:0\r\n');
    expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
  });

  it('BITFIELD_RO reads only', () => {
    const server = started();
    server.run('SET', 'k', 'ab');
    expect(server.run('BITFIELD_RO', 'k', 'GET', 'u8', '#1', 'GET', 'i4', 4)).toBe('*2\r\n:98\r\n:1\r\n');
    for (const words of [
      ['SET', 'u8', 0, 1],
      ['INCRBY', 'u8', 0, 1],
      ['GET', 'u8', 0, 'SET', 'u8', 0, 1],
    ]) {
      expect(server.run('BITFIELD_RO', 'k', ...words)).toBe('-ERR BITFIELD_RO only supports the GET subcommand\r\n');
    }
  });

  it('checks all arguments before it changes anything', () => {
    const server = started();
    const first = ['SET', 'u8', 0, 1];
    for (const type of ['u64', 'i65', 'u0', 'i0', 'x8', '8', 'u', 'U8', '', 'u-1', 'u08']) {
      expect(server.run('BITFIELD', 'k', ...first, 'GET', type, 0)).toBe(BAD_TYPE);
    }
    for (const offset of ['-1', 'x', '#', '#-1', '', '4294967296', '#9223372036854775807']) {
      expect(server.run('BITFIELD', 'k', ...first, 'GET', 'u8', offset)).toBe(BAD_OFFSET);
    }
    for (const value of ['', 'x', '1.5', '9223372036854775808']) {
      expect(server.run('BITFIELD', 'k', ...first, 'INCRBY', 'u8', 0, value)).toBe(NOT_INTEGER);
    }
    for (const words of [['GET', 'u8'], ['SET', 'u8', 0], ['OVERFLOW'], ['FOO', 'u8', 0], ['']]) {
      expect(server.run('BITFIELD', 'k', ...first, ...words)).toBe(SYNTAX);
    }
    expect(server.run('BITFIELD', 'k', ...first, 'OVERFLOW', 'MAYBE')).toBe('-ERR Invalid OVERFLOW type specified\r\n');
    expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(server.effects()).toEqual([]);
  });
});
