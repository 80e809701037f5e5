/**
 * What a script did is taken back when it meets a busy latch (R6): everything is as it was, byte for byte where clients can see it and
 * block for block in the arena.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { type RigClient, type RigWorker, WorkerRig } from '../dispatch/worker-rig.ts';

const KEYS = ['{a}1', '{a}2', '{a}3', '{a}4'];
const LONG = 'v'.repeat(5000);

const key = fc.constantFrom(...KEYS);
const word = fc.constantFrom('x', 'y', 'zz', '17', '-3', LONG);
const number = fc.integer({ min: -5, max: 300 }).map(String);
const many = fc.array(word, { minLength: 1, maxLength: 40 });

/** Commands of every type; many of them fail with WRONGTYPE, as they may. */
const command: fc.Arbitrary<string[]> = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'APPEND', 'SADD', 'SREM', 'LPUSH', 'RPUSH', 'GETSET', 'PFADD'), key, word),
  fc.tuple(fc.constantFrom('DEL', 'LPOP', 'SPOP', 'PERSIST', 'INCR', 'GETDEL', 'ZPOPMIN'), key),
  fc.tuple(fc.constantFrom('PEXPIRE', 'SETBIT', 'SETRANGE', 'LTRIM', 'XTRIM'), key, number, word),
  fc.tuple(fc.constantFrom('HSET', 'HINCRBY'), key, word, number),
  fc.tuple(fc.constant('PEXPIRE'), key, fc.constant('100000')),
  fc.tuple(fc.constant('SET'), key, word, fc.constant('PX'), fc.constant('5000')),
  fc.tuple(fc.constant('ZADD'), key, number, word),
  fc.tuple(fc.constant('XADD'), key, fc.constant('*'), word, word),
  fc.tuple(fc.constantFrom('RENAME', 'COPY'), key, key),
  fc.tuple(fc.constant('SETRANGE'), key, number, word),
  fc
    .tuple(fc.constantFrom('SADD', 'RPUSH'), key, many)
    .map(([name, k, words]) => [name, k, ...words.map((w, i) => w + i)]),
  fc.tuple(key, many).map(([k, words]) => ['HSET', k, ...words.flatMap((w, i) => [w + i, w])]),
  fc.tuple(fc.constantFrom('SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE', 'PFMERGE'), key, key, key),
  fc.tuple(fc.constant('ZUNIONSTORE'), key, fc.constant('2'), key, key),
  fc.tuple(fc.constant('BITOP'), fc.constantFrom('AND', 'OR', 'XOR'), key, key, key),
  fc.tuple(fc.constant('SORT'), key, fc.constant('ALPHA'), fc.constant('STORE'), key),
  fc.tuple(fc.constantFrom('SMOVE'), key, key, word),
  fc.tuple(fc.constant('LMOVE'), key, key, fc.constantFrom('LEFT', 'RIGHT'), fc.constantFrom('LEFT', 'RIGHT')),
  fc.tuple(fc.constant('LINSERT'), key, fc.constantFrom('BEFORE', 'AFTER'), word, word),
  fc.tuple(fc.constantFrom('LSET', 'LREM', 'ZINCRBY'), key, number, word),
  fc.tuple(fc.constantFrom('ZREM', 'HDEL', 'XDEL'), key, word),
  fc.tuple(
    fc.constant('BITFIELD'),
    key,
    fc.constant('SET'),
    fc.constant('u8'),
    fc.constantFrom('#0', '#7', '#900'),
    number,
  ),
  fc.tuple(fc.constant('GEOADD'), key, fc.constant('13.3'), fc.constant('38.1'), word),
  fc.tuple(fc.constant('HPEXPIRE'), key, fc.constant('90000'), fc.constant('FIELDS'), fc.constant('1'), word),
  fc.tuple(
    fc.constant('XGROUP'),
    fc.constant('CREATE'),
    key,
    fc.constant('g'),
    fc.constantFrom('0', '$'),
    fc.constant('MKSTREAM'),
  ),
  fc
    .tuple(key, fc.constantFrom('c1', 'c2'))
    .map(([k, consumer]) => ['XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', '3', 'STREAMS', k, '>']),
  fc.tuple(fc.constant('XAUTOCLAIM'), key, fc.constant('g'), fc.constant('c2'), fc.constant('0'), fc.constant('0')),
  fc.tuple(fc.constant('XGROUP'), fc.constant('DESTROY'), key, fc.constant('g')),
  fc.tuple(key, many).map(([k, words]) => ['ZADD', k, ...words.flatMap((w, i) => [String(i), w + i])]),
);

/** A script that runs commands, and then one of another shard. */
const SCRIPT = `
local n, at = tonumber(ARGV[1]), 2
for i = 1, n do
  local args = {}
  for j = 1, tonumber(ARGV[at]) do args[j] = ARGV[at + j] end
  at = at + #args + 1
  redis.pcall(unpack(args))
end
pcall(redis.call, 'INCR', ARGV[at])
return 'end'`;

function script(commands: readonly string[][], foreign: string): string[] {
  const flat = commands.flatMap((words) => [String(words.length), ...words]);
  return ['EVAL', SCRIPT, '1', KEYS[0], String(commands.length), ...flat, foreign];
}

function seen(worker: RigWorker, client: RigClient): (string | null)[] {
  return [
    ...KEYS.flatMap((name) => [worker.send(client, 'DUMP', name), worker.send(client, 'PEXPIRETIME', name)]),
    worker.send(client, 'DEBUG', 'DIGEST'),
    worker.send(client, 'DBSIZE'),
  ];
}

test('a script that meets a busy latch leaves no trace, and runs when it has all latches', () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 30 }),
      fc.array(command, { minLength: 1, maxLength: 30 }),
      (first, then) => {
        const rig = new WorkerRig({ shards: 2 });
        const [worker] = rig.workers;
        const [client, twin] = [worker.connect(), worker.connect()];
        const shard = shardOf(rig, KEYS[0]);
        const foreign = rig.keyOf(1 - shard);
        for (const words of first) worker.send(client, ...words);
        const before = seen(worker, twin);
        const memory = rig.world.shards[shard].arena;
        const { liveBytes, liveBlocks } = checkMemory(memory);
        const head = rig.journals[shard].records;
        rig.outside.latches[1 - shard].tryAcquire();
        expect(worker.send(client, ...script(then, foreign))).toBe(null);
        const after = checkMemory(memory);
        expect([after.liveBytes, after.liveBlocks]).toEqual([liveBytes, liveBlocks]);
        expect(rig.journals[shard].records).toBe(head);
        rig.outside.latches[1 - shard].release();
        // what waits has not run yet: the state is that of before
        expect(seen(worker, twin)).toEqual(before);
        rig.poll();
        expect(client.replies.at(-1)).toBe('$3\r\nend\r\n');
        expect(worker.send(twin, 'GET', foreign)).toBe('$1\r\n1\r\n');
        checkMemory(memory);
      },
    ),
    { numRuns: 60 },
  );
});

function shardOf(rig: WorkerRig, name: string): number {
  const [worker] = rig.workers;
  const client = worker.connect();
  worker.send(client, 'GET', name);
  return client.stamps[0];
}
