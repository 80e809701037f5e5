/** Commands parsed ahead of their turn are the same, and so is everything that happens to them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LookAhead } from '../../../src/dispatch/look-ahead.ts';
import { MemoryTouch } from '../../../src/keyspace/memory-touch.ts';
import type { Args } from '../../../src/resp/args.ts';
import { Args as OwnArgs } from '../../../src/resp/args.ts';
import { NEED_MORE, PROTOCOL_ERROR, RequestReader } from '../../../src/resp/request-reader.ts';
import { InProcess } from '../commands/in-process.ts';

const wordsOf = (args: Args): string[] => Array.from({ length: args.count }, (_, i) => args.text(i));
const frame = (words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

/** All commands of an input, each with where it ends; at last what the reader says of the rest. */
function oneByOne(input: Buffer): string[] {
  const reader = new RequestReader();
  const args = new OwnArgs();
  const out: string[] = [];
  for (let pos = 0; ; ) {
    const next = reader.read(input, pos, input.length, args);
    if (next < 0) return [...out, next === PROTOCOL_ERROR ? reader.error : `more: ${reader.needBytes}`];
    out.push(`${next} ${wordsOf(args)}`);
    pos = next;
  }
}

function ahead(input: Buffer, executor: ConstructorParameters<typeof LookAhead>[0], skipAt: number): string[] {
  const reader = new RequestReader();
  const look = new LookAhead(executor);
  const out: string[] = [];
  let pos = 0;
  for (let turn = 1; ; turn++) {
    const next = look.read(reader, input, pos, input.length, 0);
    if (next < 0) return [...out, next === PROTOCOL_ERROR ? reader.error : `more: ${reader.needBytes}`];
    // a command that waits leaves those behind it for later: they are read again
    const taken = turn % skipAt === 0 ? Math.min(look.count, 1 + (turn % 3)) : look.count;
    for (let i = 0; i < taken; i++) {
      out.push(`${look.ends[i]} ${wordsOf(look.args[i])}`);
      const name = look.args[i].count === 0 ? null : look.args[i].text(0).toLowerCase();
      expect(look.args[i].count === 0 ? null : (look.rows[i]?.fullName ?? null)).toBe(
        ['get', 'set', 'mget', 'ping'].find((known) => known === name) ?? null,
      );
    }
    pos = look.ends[taken - 1];
  }
}

const word = fc.constantFrom('GET', 'set', 'MGET', 'ping', 'nonsense', 'k1', 'k2', '{a}b', '', 'x'.repeat(100));
const command = fc.oneof(
  { weight: 8, arbitrary: fc.array(word, { minLength: 1, maxLength: 5 }).map(frame) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('*0\r\n', '\r\n', 'PING\r\n', 'GET k1\r\n', '*1\r\n:3\r\n', '*1\r\n$-5\r\n'),
  },
);

describe('reading ahead', () => {
  test('gives the commands that reading one by one gives, wherever the input ends', () => {
    const { executor } = new InProcess({ shards: 3 }).parts();
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 1, max: 4 }),
        (parts, cut, skipAt) => {
          const whole = Buffer.from(parts.join(''));
          const input = whole.subarray(0, whole.length === 0 ? 0 : cut % (whole.length + 1));
          expect(ahead(input, executor, skipAt)).toEqual(oneByOne(input));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('tells hash and shard of a key as routing does', () => {
    const { executor } = new InProcess({ shards: 4 }).parts();
    const look = new LookAhead(executor);
    const keys = ['a', 'b', '{b}c', 'x'.repeat(300)];
    const input = Buffer.from(keys.map((key) => frame(['GET', key])).join(''));
    look.read(new RequestReader(), input, 0, input.length, 0);
    expect(look.count).toBe(4);
    for (const [i, key] of keys.entries()) {
      expect(look.args[i].located).toBe(1);
      const fresh = OwnArgs.of('GET', key);
      const shard = executor.route(look.rows[i]!, fresh, 0);
      const hash = executor.unit.hashOf(1);
      expect([look.args[i].keyShard, look.args[i].keyHash]).toEqual([shard, hash]);
      expect(executor.route(look.rows[i]!, look.args[i], 0)).toBe(shard);
      expect(executor.unit.hashOf(1)).toBe(hash);
    }
  });

  test('does not begin before the client is authenticated: what may come depends on it', () => {
    const { executor } = new InProcess().parts();
    const look = new LookAhead(executor);
    const reader = new RequestReader();
    reader.authenticated = false;
    const input = Buffer.from(frame(['AUTH', 'secret']) + frame(['SET', 'k', 'x'.repeat(20_000)]));
    const next = look.read(reader, input, 0, input.length, 0);
    expect(look.count).toBe(1);
    reader.authenticated = true;
    expect(look.read(reader, input, next, input.length, 0)).toBe(input.length);
  });

  test('a batch inside a batch has commands of its own', () => {
    const { executor } = new InProcess().parts();
    const look = new LookAhead(executor);
    const outer = look.take();
    const inner = look.take();
    expect(inner).not.toBe(outer);
    outer.giveBack();
    expect(look.take()).toBe(outer);
  });

  test('a frame that was read too early and cut is read again from its first byte', () => {
    const { executor } = new InProcess().parts();
    const look = new LookAhead(executor);
    const reader = new RequestReader();
    const input = Buffer.from(frame(['PING']) + frame(['GET', 'k']).slice(0, 15));
    const next = look.read(reader, input, 0, input.length, 0);
    expect(look.count).toBe(1);
    expect(look.read(reader, input, next, input.length, 0)).toBe(NEED_MORE);
  });
});

test('touching memory that other threads are changing does no harm, whatever stands there', () => {
  const server = new InProcess({ shards: 1 });
  const { executor } = server.parts();
  for (let i = 0; i < 5000; i++) server.run('SET', `key:${i}`, i);
  const ks = executor.unit.spaces[0];
  const { arena } = ks;
  const touch = new MemoryTouch(8);
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer(), { minLength: 64 }),
      (hashes, noise) => {
        const words = arena.i32[0];
        const kept = words.slice(0, 1 << 16);
        const roots = ks.roots.slice();
        // everything below a root that holds: directory, buckets, entries
        for (let i = 0; i < 1 << 16; i++) words[i] = noise[i % noise.length] ^ (i * 0x9e3779b1);
        for (const hash of hashes) touch.add(ks, 0, hash);
        touch.run();
        words.set(kept);
        ks.roots.set(roots);
      },
    ),
    { numRuns: 50 },
  );
  expect(server.run('GET', 'key:77')).toBe('$2\r\n77\r\n');
});
