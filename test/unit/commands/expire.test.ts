import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { peek, put } from './seed-keys.ts';

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const invalid = (name: string): string => `-ERR invalid expire time in '${name}' command\r\n`;

describe('EXPIRE and its family', () => {
  it('set absolute deadlines and journal them as such', () => {
    const server = new InProcess();
    const now = server.nowMs;
    put(server, 'k', 'v');
    const cases: [string, number, number][] = [
      ['EXPIRE', 100, now + 100_000],
      ['pexpire', 250, now + 250],
      ['EXPIREAT', now / 1000 + 7, now + 7000],
      ['PEXPIREAT', now + 9, now + 9],
    ];
    for (const [command, given, deadline] of cases) {
      expect(server.run(command, 'k', given)).toBe(':1\r\n');
      expect(peek(server, 'k')).toEqual(['v', deadline]);
      expect(server.effects()).toEqual([`0 0 PEXPIREAT k ${deadline}`]);
    }
    expect(server.run('EXPIRE', 'nokey', 100)).toBe(':0\r\n');
    expect(server.effects()).toEqual([]);
  });

  it('a deadline that is not in the future removes the key', () => {
    const server = new InProcess({ shards: 2 });
    for (const [command, given] of [
      ['EXPIRE', -1],
      ['EXPIRE', 0],
      ['PEXPIRE', '-9223372036854775808'],
      ['EXPIREAT', 1],
      ['PEXPIREAT', server.nowMs],
    ] as const) {
      put(server, 'k', 'v', server.nowMs + 5);
      expect(server.run(command, 'k', given)).toBe(':1\r\n');
      expect(peek(server, 'k')).toBeNull();
      expect(server.effects().map((line) => line.slice(4))).toEqual(['DEL k']);
    }
    expect(server.run('DBSIZE')).toBe(':0\r\n');
  });

  it('refuse what is no time', () => {
    const server = new InProcess();
    put(server, 'k', 'v');
    expect(server.run('EXPIRE', 'k', '')).toBe(NOT_INTEGER);
    expect(server.run('EXPIRE', 'k', '1.5')).toBe(NOT_INTEGER);
    expect(server.run('EXPIRE', 'k', '9223372036854775808')).toBe(NOT_INTEGER);
    expect(server.run('EXPIRE', 'k', '9223372036854775807')).toBe(invalid('expire'));
    expect(server.run('EXPIRE', 'k', '-9223372036854775808')).toBe(invalid('expire'));
    expect(server.run('EXPIRE', 'k', '-9999999999999999')).toBe(invalid('expire'));
    expect(server.run('PEXPIRE', 'k', '9223372036854770000')).toBe(invalid('pexpire'));
    expect(server.run('EXPIREAT', 'k', '9223372036854776')).toBe(invalid('expireat'));
    expect(server.run('PEXPIRE', 'k', '-9223372036854775809')).toBe(NOT_INTEGER);
    expect(server.run('EXPIRE', 'k')).toBe("-ERR wrong number of arguments for 'expire' command\r\n");
    expect(peek(server, 'k')).toEqual(['v', -1]);
    for (const [command, given] of [
      ['PEXPIREAT', '9223372036854770000'],
      ['PEXPIREAT', Number.MAX_SAFE_INTEGER],
      ['EXPIREAT', '9223372036854775'],
      ['EXPIRE', '9223370000000000'],
    ] as const) {
      expect(server.run(command, 'k', given)).toBe(':1\r\n');
      expect(server.run('PEXPIRETIME', 'k')).toBe(`:${Number.MAX_SAFE_INTEGER}\r\n`);
    }
  });

  it('refuse conditions that exclude each other', () => {
    const server = new InProcess();
    const nx = '-ERR NX and XX, GT or LT options at the same time are not compatible\r\n';
    expect(server.run('EXPIRE', 'k', 1, 'NX', 'XX')).toBe(nx);
    expect(server.run('EXPIRE', 'k', 1, 'gt', 'nx')).toBe(nx);
    expect(server.run('EXPIRE', 'k', 1, 'LT', 'NX')).toBe(nx);
    expect(server.run('EXPIRE', 'k', 1, 'LT', 'GT')).toBe(
      '-ERR GT and LT options at the same time are not compatible\r\n',
    );
    expect(server.run('EXPIRE', 'k', 1, 'AB')).toBe('-ERR Unsupported option AB\r\n');
    expect(server.run('EXPIRE', 'k', 1, 'AB', 'XX')).toBe('-ERR Unsupported option AB\r\n');
    expect(server.run('EXPIRE', 'k', 'x', 'XX')).toBe(NOT_INTEGER);
    expect(server.run('EXPIRE', 'k', 1, 'XX', 'GT')).toBe(':0\r\n');
  });

  it('obey the conditions as a plain model says', () => {
    const deadline = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(
        fc.option(deadline, { nil: null }),
        deadline,
        fc.constantFrom([], ['NX'], ['XX'], ['GT'], ['LT'], ['XX', 'GT'], ['XX', 'LT']),
        (present, wanted, conditions) => {
          const server = shared;
          const now = server.nowMs;
          put(server, 'k', 'v', present === null ? -1 : now + present);
          const old = present ?? Number.POSITIVE_INFINITY;
          const allowed = conditions.every(
            (one) => ({ NX: present === null, XX: present !== null, GT: wanted > old, LT: wanted < old })[one] ?? false,
          );
          expect(server.run('PEXPIREAT', 'k', now + wanted, ...conditions)).toBe(allowed ? ':1\r\n' : ':0\r\n');
          const after = allowed ? now + wanted : present === null ? -1 : now + present;
          expect(peek(server, 'k')?.[1]).toBe(after);
        },
      ),
    );
  });
  const shared = new InProcess();
});

describe('TTL and its family', () => {
  it('tell what is left', () => {
    const server = new InProcess();
    const now = server.nowMs;
    put(server, 'k', 'v', now + 1500);
    put(server, 'forever', 'v');
    expect(server.run('TTL', 'k')).toBe(':2\r\n');
    expect(server.run('PTTL', 'k')).toBe(':1500\r\n');
    expect(server.run('EXPIRETIME', 'k')).toBe(`:${Math.floor((now + 2000) / 1000)}\r\n`);
    expect(server.run('PEXPIRETIME', 'k')).toBe(`:${now + 1500}\r\n`);
    for (const command of ['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']) {
      expect(server.run(command, 'forever')).toBe(':-1\r\n');
      expect(server.run(command, 'nokey')).toBe(':-2\r\n');
    }
    server.nowMs = now + 1001;
    expect(server.run('TTL', 'k')).toBe(':0\r\n');
    server.nowMs = now + 1500;
    expect(server.run('PTTL', 'k')).toBe(':-2\r\n');
    expect(server.effects()).toEqual(['0 0 DEL k']);
  });

  it('PERSIST takes the deadline away', () => {
    const server = new InProcess({ shards: 3 });
    put(server, 'k', 'v', server.nowMs + 1500);
    expect(server.run('PERSIST', 'k')).toBe(':1\r\n');
    expect(server.effects().map((line) => line.slice(4))).toEqual(['PERSIST k']);
    expect(server.run('PERSIST', 'k')).toBe(':0\r\n');
    expect(server.run('PERSIST', 'nokey')).toBe(':0\r\n');
    expect(peek(server, 'k')).toEqual(['v', -1]);
    expect(server.effects()).toEqual([]);
  });
});
