import { describe, expect, it } from 'vitest';
import { makeForeign } from './foreign-type.ts';
import { InProcess, type InProcessOptions } from './in-process.ts';

const OK = '+OK\r\n';
const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const WRONGTYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';
const TOO_LONG = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n';
const invalidTime = (name: string): string => `-ERR invalid expire time in '${name}' command\r\n`;
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** A server whose client speaks this protocol. */
function serverFor(resp: number, options: InProcessOptions = {}): InProcess {
  const server = new InProcess(options);
  if (resp === 3) server.run('HELLO', 3);
  return server;
}

describe.each([2, 3])('strings in RESP%i', (resp) => {
  const NULL = resp === 2 ? '$-1\r\n' : '_\r\n';

  it('SET and GET', () => {
    const server = serverFor(resp);
    expect(server.run('GET', 'k')).toBe(NULL);
    for (const value of ['', 'v', 'a\r\nb\0ÿ', '12', 'x'.repeat(5000), 'short again', 'y'.repeat(100_000)]) {
      expect(server.run('SET', 'k', value)).toBe(OK);
      expect(server.run('GET', 'k')).toBe(bulk(value));
      expect(server.run('STRLEN', 'k')).toBe(`:${value.length}\r\n`);
    }
    expect(server.run('STRLEN', 'nokey')).toBe(':0\r\n');
  });

  it('SET with conditions', () => {
    const server = serverFor(resp);
    expect(server.run('SET', 'k', '1', 'XX')).toBe(NULL);
    expect(server.run('SET', 'k', '1', 'nx')).toBe(OK);
    expect(server.run('SET', 'k', '2', 'NX')).toBe(NULL);
    expect(server.run('SET', 'k', '2', 'xx')).toBe(OK);
    expect(server.run('SET', 'k', '3', 'GET')).toBe(bulk('2'));
    expect(server.run('SET', 'k', '4', 'NX', 'GET')).toBe(bulk('3'));
    expect(server.run('SET', 'new', '1', 'GET', 'NX')).toBe(NULL);
    expect(server.run('SET', 'other', '1', 'XX', 'GET')).toBe(NULL);
    expect(server.run('MGET', 'k', 'new', 'other')).toBe(`*3\r\n${bulk('3')}${bulk('1')}${NULL}`);
  });

  it('SET that compares', () => {
    const server = serverFor(resp);
    expect(server.run('SET', 'k', 'b', 'IFEQ', 'a')).toBe(NULL);
    expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(server.run('SET', 'k', 'a', 'IFNE', 'b')).toBe(OK);
    expect(server.run('SET', 'k', 'b', 'ifeq', 'x')).toBe(NULL);
    expect(server.run('SET', 'k', 'b', 'ifne', 'a')).toBe(NULL);
    expect(server.run('SET', 'k', 'b', 'IFEQ', 'a', 'PX', 5000)).toBe(OK);
    expect(server.run('PTTL', 'k')).toBe(':5000\r\n');
    expect(server.run('SET', 'k', 'c', 'IFEQ', 'x', 'GET')).toBe(bulk('b'));
    expect(server.run('SET', 'k', 'c', 'GET', 'IFEQ', 'b', 'KEEPTTL')).toBe(bulk('b'));
    expect(server.run('PTTL', 'k')).toBe(':5000\r\n');
    const long = 'z'.repeat(300);
    server.run('SET', 'k', long);
    expect(server.run('SET', 'k', '1', 'IFEQ', `${long.slice(1)}y`)).toBe(NULL);
    expect(server.run('SET', 'k', '1', 'IFEQ', long)).toBe(OK);
    for (const options of [['IFEQ'], ['NX', 'IFEQ', 'a'], ['IFEQ', 'a', 'XX'], ['IFEQ', 'a', 'IFNE', 'b']]) {
      expect(server.run('SET', 'k', 'v', ...options)).toBe(SYNTAX);
    }
  });

  it('SET with a life time', () => {
    const server = serverFor(resp);
    const now = server.nowMs;
    const cases: [string, number, number][] = [
      ['EX', 10, 10_000],
      ['px', 1500, 1500],
      ['EXAT', now / 1000 + 3, 3000],
      ['PXAT', now + 7, 7],
    ];
    for (const [option, time, left] of cases) {
      expect(server.run('SET', 'k', 'v', option, time)).toBe(OK);
      expect(server.run('PTTL', 'k')).toBe(`:${left}\r\n`);
    }
    expect(server.run('SET', 'k', 'w', 'KEEPTTL')).toBe(OK);
    expect(server.run('PTTL', 'k')).toBe(':7\r\n');
    expect(server.run('SET', 'k', 'a longer value that moves', 'KEEPTTL')).toBe(OK);
    server.nowMs += 6;
    expect(server.run('EXISTS', 'k')).toBe(':1\r\n');
    server.nowMs += 1;
    expect(server.run('GET', 'k')).toBe(NULL);
    expect(server.run('SET', 'k', 'v', 'KEEPTTL')).toBe(OK);
    expect(server.run('TTL', 'k')).toBe(':-1\r\n');
    // the last of several times counts
    expect(server.run('SET', 'k', 'v', 'PX', 100, 'PX', 200)).toBe(OK);
    expect(server.run('PTTL', 'k')).toBe(':200\r\n');
    expect(server.run('SET', 'k', 'v')).toBe(OK);
    expect(server.run('TTL', 'k')).toBe(':-1\r\n');
    // a time that has passed is a removal
    expect(server.run('SET', 'k', 'v', 'PXAT', server.nowMs)).toBe(OK);
    expect(server.run('DBSIZE')).toBe(':0\r\n');
  });

  it('SET refuses what makes no sense', () => {
    const server = serverFor(resp);
    server.run('SET', 'k', 'v');
    for (const options of [
      ['NX', 'XX'],
      ['EX'],
      ['EX', 10, 'PX', 10],
      ['EX', 10, 'KEEPTTL'],
      ['KEEPTTL', 'PXAT', 10],
      ['PERSIST'],
      ['FOO'],
      [''],
    ]) {
      expect(server.run('SET', 'k', 'x', ...options)).toBe(SYNTAX);
    }
    expect(server.run('SET', 'k', 'x', 'EX', 'ten')).toBe(NOT_INTEGER);
    expect(server.run('SET', 'k', 'x', 'EX', '9223372036854775808')).toBe(NOT_INTEGER);
    for (const [option, time] of [
      ['EX', 0],
      ['EX', -1],
      ['PX', '-9223372036854775808'],
      ['EX', '9223372036854775807'],
      ['EXAT', '10000000000000000'],
      ['PXAT', 0],
    ]) {
      expect(server.run('SET', 'k', 'x', option, time)).toBe(invalidTime('set'));
    }
    expect(server.run('SET', 'k')).toBe("-ERR wrong number of arguments for 'set' command\r\n");
    expect(server.run('GET', 'k')).toBe(bulk('v'));
  });

  it('SETNX, SETEX, PSETEX, GETSET', () => {
    const server = serverFor(resp);
    expect(server.run('SETNX', 'k', '1')).toBe(':1\r\n');
    expect(server.run('SETNX', 'k', '2')).toBe(':0\r\n');
    expect(server.run('SETEX', 'k', 10, '3')).toBe(OK);
    expect(server.run('PTTL', 'k')).toBe(':10000\r\n');
    expect(server.run('PSETEX', 'k', 10, '4')).toBe(OK);
    expect(server.run('PTTL', 'k')).toBe(':10\r\n');
    expect(server.run('SETEX', 'k', 0, '5')).toBe(invalidTime('setex'));
    expect(server.run('PSETEX', 'k', '-5', '5')).toBe(invalidTime('psetex'));
    expect(server.run('SETEX', 'k', 'x', '5')).toBe(NOT_INTEGER);
    expect(server.run('GETSET', 'k', '6')).toBe(bulk('4'));
    expect(server.run('TTL', 'k')).toBe(':-1\r\n');
    expect(server.run('GETSET', 'new', '7')).toBe(NULL);
    expect(server.run('MGET', 'k', 'new')).toBe(`*2\r\n${bulk('6')}${bulk('7')}`);
  });

  it('GETEX', () => {
    const server = serverFor(resp);
    server.run('SET', 'k', 'v');
    const now = server.nowMs;
    for (const [option, time, left] of [
      ['EX', 10, 10_000],
      ['PX', 33, 33],
      ['EXAT', now / 1000 + 9, 9000],
      ['PXAT', now + 17, 17],
    ] as const) {
      expect(server.run('GETEX', 'k', option, time)).toBe(bulk('v'));
      expect(server.run('PTTL', 'k')).toBe(`:${left}\r\n`);
    }
    expect(server.run('GETEX', 'k')).toBe(bulk('v'));
    expect(server.run('PTTL', 'k')).toBe(':17\r\n');
    expect(server.run('GETEX', 'k', 'persist')).toBe(bulk('v'));
    expect(server.run('PTTL', 'k')).toBe(':-1\r\n');
    for (const options of [['EX'], ['EX', 1, 'PERSIST'], ['PERSIST', 'PX', 1], ['KEEPTTL'], ['NX']]) {
      expect(server.run('GETEX', 'k', ...options)).toBe(SYNTAX);
    }
    expect(server.run('GETEX', 'k', 'EX', 0)).toBe(invalidTime('getex'));
    expect(server.run('GETEX', 'k', 'EX', 'x')).toBe(NOT_INTEGER);
    // the time of a key that does not exist is not looked at
    expect(server.run('GETEX', 'nokey', 'EX', 0)).toBe(NULL);
    expect(server.run('GETEX', 'k', 'PXAT', now)).toBe(bulk('v'));
    expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
  });

  it('GETDEL', () => {
    const server = serverFor(resp);
    server.run('SET', 'k', 'v', 'EX', 100);
    expect(server.run('GETDEL', 'k')).toBe(bulk('v'));
    expect(server.run('GETDEL', 'k')).toBe(NULL);
    expect(server.run('DBSIZE')).toBe(':0\r\n');
  });

  it('APPEND and SETRANGE', () => {
    const server = serverFor(resp);
    expect(server.run('APPEND', 'k', 'ab')).toBe(':2\r\n');
    expect(server.run('APPEND', 'k', '')).toBe(':2\r\n');
    server.run('EXPIRE', 'k', 100);
    let expected = 'ab';
    for (let i = 0; i < 60; i++) {
      const part = String.fromCharCode(97 + (i % 26)).repeat(i * 7);
      expected += part;
      expect(server.run('APPEND', 'k', part)).toBe(`:${expected.length}\r\n`);
    }
    expect(server.run('GET', 'k')).toBe(bulk(expected));
    expect(server.run('TTL', 'k')).toBe(':100\r\n');
    expect(server.run('SETRANGE', 'k', 1, 'XYZ')).toBe(`:${expected.length}\r\n`);
    expect(server.run('GETRANGE', 'k', 0, 5)).toBe(bulk(`aXYZ${expected.slice(4, 6)}`));
    expect(server.run('SETRANGE', 'new', 3, 'x')).toBe(':4\r\n');
    expect(server.run('GET', 'new')).toBe(bulk('\0\0\0x'));
    expect(server.run('SETRANGE', 'new', 9000, 'end')).toBe(':9003\r\n');
    expect(server.run('GET', 'new')).toBe(bulk(`\0\0\0x${'\0'.repeat(8996)}end`));
    expect(server.run('SETRANGE', 'new', 5, '')).toBe(':9003\r\n');
    expect(server.run('SETRANGE', 'nokey', 5, '')).toBe(':0\r\n');
    expect(server.run('EXISTS', 'nokey')).toBe(':0\r\n');
    expect(server.run('SETRANGE', 'new', -1, 'x')).toBe('-ERR offset is out of range\r\n');
    expect(server.run('SETRANGE', 'new', 'x', 'x')).toBe(NOT_INTEGER);
  });

  it('no string grows beyond proto-max-bulk-len or the memory', () => {
    const server = serverFor(resp, { arenaBytes: 64 << 20 });
    server.run('SET', 'k', 'v');
    const limit = 512 * 1024 * 1024;
    expect(server.run('SETRANGE', 'k', limit, 'x')).toBe(TOO_LONG);
    expect(server.run('SETRANGE', 'nokey', '9223372036854775807', 'x')).toBe(TOO_LONG);
    expect(server.run('SETRANGE', 'k', limit - 1, 'x')).toMatch(/^-OOM /);
    expect(server.run('SETBIT', 'k', limit * 8, '1')).toBe('-ERR bit offset is not an integer or out of range\r\n');
    expect(server.run('SETBIT', 'k', limit * 8 - 1, '1')).toMatch(/^-OOM /);
    expect(server.run('BITFIELD', 'k', 'SET', 'u8', limit * 8 - 8, '1')).toMatch(/^-OOM /);
    expect(server.run('GET', 'k')).toBe(bulk('v'));
    expect(server.run('EXISTS', 'nokey')).toBe(':0\r\n');
    expect(server.effects()).toEqual(['0 0 SET k v']);
  });

  it('GETRANGE and SUBSTR', () => {
    const server = serverFor(resp);
    server.run('SET', 'k', 'Hello');
    for (const [from, to, part] of [
      [0, 3, 'Hell'],
      [0, -1, 'Hello'],
      [-4, -2, 'ell'],
      [3, 100, 'lo'],
      [-100, 1, 'He'],
      [4, 2, ''],
      [5, 5, ''],
      [-1, -2, ''],
      [-100, -101, ''],
      [-101, -100, 'H'],
      ['-9223372036854775808', '9223372036854775807', 'Hello'],
    ] as const) {
      for (const command of ['GETRANGE', 'SUBSTR']) expect(server.run(command, 'k', from, to)).toBe(bulk(part));
      expect(server.run('GETRANGE', 'nokey', from, to)).toBe(bulk(''));
    }
    expect(server.run('GETRANGE', 'k', 'x', 0)).toBe(NOT_INTEGER);
    expect(server.run('GETRANGE', 'nokey', 0, '9223372036854775808')).toBe(NOT_INTEGER);
  });

  it('leave values of other types alone', () => {
    const server = serverFor(resp);
    server.run('SET', 'list', 'v');
    makeForeign(server, 'list');
    for (const command of [
      ['GET', 'list'],
      ['SET', 'list', 'v', 'GET'],
      ['SET', 'list', 'v', 'IFEQ', 'v'],
      ['SET', 'list', 'v', 'IFNE', 'v'],
      ['GETSET', 'list', 'v'],
      ['GETEX', 'list', 'EX', '-1'],
      ['GETDEL', 'list'],
      ['APPEND', 'list', 'x'],
      ['STRLEN', 'list'],
      ['GETRANGE', 'list', '0', '1'],
      ['SETRANGE', 'list', '0', ''],
      ['INCR', 'list'],
      ['INCRBY', 'list', '9223372036854775807'],
      ['INCRBYFLOAT', 'list', 'x'],
      ['SETBIT', 'list', '0', '1'],
      ['GETBIT', 'list', '0'],
      ['BITCOUNT', 'list'],
      ['BITPOS', 'list', '1'],
      ['BITOP', 'AND', 'to', 'nokey', 'list'],
      ['BITFIELD', 'list'],
      ['BITFIELD', 'list', 'SET', 'u8', '0', '1'],
      ['BITFIELD_RO', 'list', 'GET', 'u8', '0'],
    ]) {
      expect(server.run(...command), command.join(' ')).toBe(WRONGTYPE);
    }
    expect(server.run('MGET', 'list', 'nokey')).toBe(`*2\r\n${NULL}${NULL}`);
    expect(server.run('LCS', 'nokey', 'list', 'FOO')).toBe('-ERR The specified keys must contain string values\r\n');
    expect(server.run('SETNX', 'list', 'v')).toBe(':0\r\n');
    expect(server.run('TYPE', 'list')).toBe('+list\r\n');
  });
});
