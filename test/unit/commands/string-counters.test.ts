import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const OVERFLOW = '-ERR increment or decrement would overflow\r\n';
const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe.each([2, 3])('counters in RESP%i', (resp) => {
  function started(): InProcess {
    const server = new InProcess({ shards: 2 });
    if (resp === 3) server.run('HELLO', 3);
    return server;
  }

  it('INCR, DECR, INCRBY, DECRBY', () => {
    const server = started();
    expect(server.run('INCR', 'k')).toBe(':1\r\n');
    expect(server.run('DECR', 'k')).toBe(':0\r\n');
    expect(server.run('DECR', 'k')).toBe(':-1\r\n');
    expect(server.run('INCRBY', 'k', 1000)).toBe(':999\r\n');
    expect(server.run('DECRBY', 'k', -1)).toBe(':1000\r\n');
    expect(server.run('DECRBY', 'new', 0)).toBe(':0\r\n');
    expect(server.run('GET', 'new')).toBe(bulk('0'));
    expect(server.run('GET', 'k')).toBe(bulk('1000'));
  });

  it('keep the life time and become integers again', () => {
    const server = started();
    server.run('SET', 'k', '99', 'PX', 5000);
    expect(server.run('INCR', 'k')).toBe(':100\r\n');
    expect(server.run('PTTL', 'k')).toBe(':5000\r\n');
    server.run('SET', 'k', '1');
    server.run('APPEND', 'k', '2');
    expect(server.run('OBJECT', 'ENCODING', 'k')).toBe(bulk('raw'));
    expect(server.run('INCR', 'k')).toBe(':13\r\n');
    expect(server.run('OBJECT', 'ENCODING', 'k')).toBe(bulk('int'));
  });

  it('refuse what is no integer', () => {
    const server = started();
    for (const text of ['', 'x', ' 1', '1 ', '+1', '01', '-0', '1.0', '9223372036854775808', '1'.repeat(30)]) {
      server.run('SET', 'k', text);
      expect(server.run('INCR', 'k')).toBe(NOT_INTEGER);
      expect(server.run('GET', 'k')).toBe(bulk(text));
      expect(server.run('INCRBY', 'new', text)).toBe(NOT_INTEGER);
      expect(server.run('DECRBY', 'new', text)).toBe(NOT_INTEGER);
    }
    expect(server.run('DECRBY', 'new', MIN.toString())).toBe('-ERR decrement would overflow\r\n');
    expect(server.run('EXISTS', 'new')).toBe(':0\r\n');
  });

  it('add exactly in all of int64', () => {
    const number = fc.oneof(
      fc.bigInt({ min: MIN, max: MAX }),
      fc.bigInt({ min: -100n, max: 100n }),
      fc
        .tuple(fc.constantFrom(MIN, MAX, 2n ** 53n, -(2n ** 53n), 0n), fc.bigInt({ min: -3n, max: 3n }))
        .map(([base, more]) => BigInt.asIntN(64, base + more)),
    );
    const server = started();
    fc.assert(
      fc.property(number, number, fc.boolean(), (value, by, negate) => {
        fc.pre(!negate || by !== MIN);
        server.run('SET', 'k', value.toString());
        const sum = negate ? value - by : value + by;
        const fits = sum >= MIN && sum <= MAX;
        expect(server.run(negate ? 'DECRBY' : 'INCRBY', 'k', by.toString())).toBe(fits ? `:${sum}\r\n` : OVERFLOW);
        expect(server.run('GET', 'k')).toBe(bulk((fits ? sum : value).toString()));
      }),
      { numRuns: 500 },
    );
  });

  it('INCRBYFLOAT', () => {
    const server = started();
    for (const [by, sum] of [
      ['1', '1'],
      ['0.25', '1.25'],
      ['-0.5', '0.75'],
      ['3.0e3', '3000.75'],
      ['1e17', '100000000000003000.75'],
      ['-1e17', '3000.75'],
    ]) {
      expect(server.run('INCRBYFLOAT', 'k', by)).toBe(bulk(sum));
      expect(server.run('GET', 'k')).toBe(bulk(sum));
    }
    server.run('SET', 'k', '0.1', 'PX', 777);
    expect(server.run('INCRBYFLOAT', 'k', '0.2')).toBe(bulk('0.3'));
    expect(server.run('PTTL', 'k')).toBe(':777\r\n');
    for (const text of ['x', '', ' 1', '1 ', 'nan', '1e5000']) {
      expect(server.run('INCRBYFLOAT', 'k', text)).toBe('-ERR value is not a valid float\r\n');
    }
    expect(server.run('INCRBYFLOAT', 'k', 'inf')).toBe('-ERR increment would produce NaN or Infinity\r\n');
    server.run('SET', 'text', 'abc');
    expect(server.run('INCRBYFLOAT', 'text', 1)).toBe('-ERR value is not a valid float\r\n');
    expect(server.run('GET', 'k')).toBe(bulk('0.3'));
  });
});
