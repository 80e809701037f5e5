/**
 * Freeing a huge value is nobody's long pause: whatever drops it gives back few blocks at once, and each latched step of upkeep
 * few more. Measured in blocks, not by the clock.
 */
import { describe, expect, test } from 'vitest';
import { Upkeep } from '../../../src/dispatch/upkeep.ts';
import { Args } from '../../../src/resp/args.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { InProcess } from '../commands/in-process.ts';

const MEMBERS = 24_000;
const ARGUMENTS = 2000;
/** What a command or one step of 32 may give back; a member has a block of its own, or shares one with hundreds. */
const MOST_BLOCKS = 200;
const STEP_BUDGET = 32;

type Words = (string | number)[];

/** Sends `head` with what `item` says for every number below MEMBERS, many of them in one command. */
function fill(server: InProcess, head: Words, item: (i: number) => Words): void {
  for (let from = 0; from < MEMBERS; from += ARGUMENTS) {
    const words = Array.from({ length: ARGUMENTS }, (_, i) => item(from + i)).flat();
    expect(server.run(...head, ...words)[0]).not.toBe('-');
  }
}

const long = 'x'.repeat(100);
const BUILDERS: Record<string, (server: InProcess) => void> = {
  list: (server) => fill(server, ['RPUSH', 'huge'], (i) => [`${long}${i}`]),
  'list of long elements': (server) => {
    for (let i = 0; i < 1000; i++) server.run('RPUSH', 'huge', 'x'.repeat(9000));
  },
  set: (server) => fill(server, ['SADD', 'huge'], (i) => [`member ${i}`]),
  hash: (server) => fill(server, ['HSET', 'huge'], (i) => [`field ${i}`, `value ${i}`]),
  'hash of long values': (server) => fill(server, ['HSET', 'huge'], (i) => [`field ${i}`, `${long}${i}`]),
  'hash with deadlines': (server) => {
    fill(server, ['HSET', 'huge'], (i) => [`field ${i}`, i]);
    for (let from = 0; from < MEMBERS; from += ARGUMENTS) {
      const fields = Array.from({ length: ARGUMENTS }, (_, i) => `field ${from + i}`);
      server.run('HPEXPIRE', 'huge', 1_000_000 + from, 'FIELDS', ARGUMENTS, ...fields);
    }
  },
  'sorted set': (server) => fill(server, ['ZADD', 'huge'], (i) => [i / 7, `member ${i}`]),
  stream: (server) => {
    for (let i = 1; i <= MEMBERS; i++) server.run('XADD', 'huge', `${i}-0`, 'field', `value ${i}`);
  },
  'stream with pending entries': (server) => {
    for (let i = 1; i <= MEMBERS; i++) server.run('XADD', 'huge', `${i}-0`, 'f', i);
    server.run('XGROUP', 'CREATE', 'huge', 'group', 0);
    server.run('XGROUP', 'CREATE', 'huge', 'other', 0);
    server.run('XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', MEMBERS, 'STREAMS', 'huge', '>');
    server.run('XREADGROUP', 'GROUP', 'other', 'bob', 'COUNT', MEMBERS, 'STREAMS', 'huge', '>');
  },
};

function arenaOf(server: InProcess) {
  return server.access.spaces[0].arena;
}

/** How many blocks `act` gives back; below 0: it takes some. */
function given(server: InProcess, act: () => void): number {
  const before = arenaOf(server).liveBlocks();
  act();
  return before - arenaOf(server).liveBlocks();
}

/** Frees what waits to be freed, as upkeep does; the most blocks of one step. */
function freeInSteps(server: InProcess): number {
  const [ks] = server.access.spaces;
  let most = 0;
  for (let more = true; more; ) {
    const blocks = given(server, () => {
      more = ks.freeDropped(STEP_BUDGET);
    });
    most = Math.max(most, blocks);
  }
  return most;
}

/** Upkeep whose ticks are one slice each. */
function upkeepOf(server: InProcess): Upkeep {
  let steadyMs = 0;
  return new Upkeep({
    unit: server.parts().executor.unit,
    latches: server.access.latches,
    headers: server.access.headers,
    owns: () => true,
    isAbandoned: () => false,
    process: server.access.process,
    args: new Args(),
    reply: new ReplyWriter(),
    steadyMs: () => (steadyMs += 0.6),
  });
}

describe.each(Object.keys(BUILDERS))('a huge %s', (name) => {
  const server = new InProcess();
  const { spaces } = server.access;
  server.run('SET', 'other', 'x');
  const empty = arenaOf(server).liveBlocks();

  const build = (): number => {
    BUILDERS[name](server);
    const blocks = arenaOf(server).liveBlocks() - empty;
    expect(blocks, 'there is something to free').toBeGreaterThan(MOST_BLOCKS);
    return blocks;
  };

  test.each([
    ['UNLINK', ['UNLINK', 'huge']],
    ['DEL', ['DEL', 'huge']],
    ['SET over it', ['SET', 'huge', 'small']],
    ['RENAME over it', ['RENAME', 'other', 'huge']],
    ['FLUSHALL', ['FLUSHALL']],
  ])('is dropped by %s, and freed in small steps', (_, words) => {
    server.run('SET', 'other', 'x');
    const blocks = build();
    expect(given(server, () => server.run(...words))).toBeLessThan(MOST_BLOCKS);
    expect(arenaOf(server).liveBlocks() - empty).toBeGreaterThan(blocks / 2);
    expect(freeInSteps(server)).toBeLessThan(MOST_BLOCKS);
    server.run('FLUSHALL');
    freeInSteps(server);
    expect(arenaOf(server).liveBlocks()).toBeLessThanOrEqual(empty);
  });

  test('expires, and is freed in small slices', () => {
    build();
    server.run('PEXPIRE', 'huge', 10);
    server.nowMs += 20;
    const upkeep = upkeepOf(server);
    let slices = 0;
    for (let more = true; more; slices++) {
      const blocks = given(server, () => {
        more = upkeep.tick(server.nowMs);
      });
      expect(blocks).toBeLessThan(MOST_BLOCKS);
    }
    expect(slices).toBeGreaterThan(3);
    expect(spaces[0].count(0)).toBe(0);
    expect(arenaOf(server).liveBlocks()).toBeLessThanOrEqual(empty);
  });
});

test('a full shard frees a huge value in small steps, too', () => {
  const server = new InProcess({ arenaBytes: 2 ** 24 });
  for (let i = 0; server.run('SADD', 'huge', `member ${i}`) === ':1\r\n'; ) i++;
  const blocks = arenaOf(server).liveBlocks();
  while (arenaOf(server).reserve(4096)) arenaOf(server).allocate(4096);
  // a page must become free first
  expect(given(server, () => server.run('UNLINK', 'huge'))).toBeLessThan(blocks / 10);
  expect(freeInSteps(server)).toBeLessThan(MOST_BLOCKS);
});
