/** Loads over every data type for bench/compare: the commands of redis-benchmark's own tests and the ones that it lacks. */
import type { Command } from '../test/server/resp-client.ts';
import type { ServerProcess } from '../test/server/server-process.ts';
import type { Load } from './compare-measure.ts';

const SORTED_SET_MEMBERS = 1_000_000;
const SET_MEMBERS = 10_000;
const STREAM_ENTRIES = 1_000_000;
const PENDING_ENTRIES = 10;
const LIST_ELEMENTS = 600;
const HASH_FIELDS = 20;
const BATCH = 1000;
const RANDOM = '__rand_int__';

/**
 * What is sent, and how many times more it costs than GET: so many fewer are sent. Without a command it is the test of
 * redis-benchmark that has this name.
 */
const COMMANDS: readonly (readonly [name: string, cost: number, command?: readonly string[]])[] = [
  ['ping_inline', 1],
  ['ping', 1, ['PING']],
  ['incr', 1, ['INCR', `counter:${RANDOM}`]],
  ['lpush', 1, ['LPUSH', 'pushed', 'xxx']],
  ['rpush', 1, ['RPUSH', 'pushed', 'xxx']],
  ['lpop', 1, ['LPOP', 'pushed']],
  ['rpop', 1, ['RPOP', 'pushed']],
  ['sadd', 1, ['SADD', 'added', `element:${RANDOM}`]],
  ['spop', 1, ['SPOP', 'added']],
  ['hset', 1, ['HSET', 'fields', `element:${RANDOM}`, 'xxx']],
  [
    'hset-20',
    5,
    ['HSET', `hash:${RANDOM}`, ...Array.from({ length: HASH_FIELDS }, (_, i) => [`f${i}`, `v${i}`]).flat()],
  ],
  ['hgetall-20', 4, ['HGETALL', 'hash of 20']],
  ['zadd', 2, ['ZADD', 'sorted', '0.5', `member:${RANDOM}`]],
  ['zrange-10', 3, ['ZRANGE', 'sorted', '500000', '500009']],
  ['zrangebyscore-10', 3, ['ZRANGEBYSCORE', 'sorted', '250000', 'inf', 'LIMIT', '0', '10']],
  ['zrank', 2, ['ZRANK', 'sorted', `member:${RANDOM}`]],
  ['zpopmin', 2, ['ZPOPMIN', 'sorted']],
  ['lrange-100', 8, ['LRANGE', 'list of 600', '0', '99']],
  ['lrange-300', 20, ['LRANGE', 'list of 600', '0', '299']],
  ['lrange-500', 35, ['LRANGE', 'list of 600', '0', '499']],
  ['lrange-600', 40, ['LRANGE', 'list of 600', '0', '599']],
  ['sinter-10k', 4000, ['SINTER', 'set 1', 'set 2']],
  ['sintercard-10k', 2000, ['SINTERCARD', '2', 'set 1', 'set 2']],
  ['xadd', 2, ['XADD', 'log', '*', 'field', 'value']],
  ['xread-10', 5, ['XREAD', 'COUNT', '10', 'STREAMS', 'stream', '50000-0']],
  ['xreadgroup-new', 20, ['XREADGROUP', 'GROUP', 'readers', 'one', 'COUNT', '1', 'STREAMS', 'stream', '>']],
  ['xreadgroup-pending-10', 5, ['XREADGROUP', 'GROUP', 'holders', 'one', 'COUNT', '10', 'STREAMS', 'stream', '0']],
  ['mset-10', 5, ['MSET', ...Array.from({ length: 10 }, (_, i) => [`key:${i}:${RANDOM}`, 'xxx']).flat()]],
];

/** One load for each command and depth of pipeline. `requests`: of a command as cheap as GET at depth 16. */
export function typeLoads(pipelines: readonly number[], clients: number, requests: number, keys: number): Load[] {
  return pipelines.flatMap((pipeline) =>
    COMMANDS.map(([operation, cost, command]) => ({
      operation,
      command,
      pipeline,
      clients,
      requests: Math.max(Math.round((requests * (pipeline === 1 ? 0.2 : 1)) / cost), clients * pipeline),
      keys,
      valueBytes: 3,
    })),
  );
}

/** Fills a fresh server with what the loads read. */
export async function fillTypes(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  const many = async (count: number, command: readonly string[], element: (i: number) => string[]) => {
    for (let from = 0; from < count; from += BATCH) {
      const words = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => element(from + i)).flat();
      await client.must(...command, ...words);
    }
  };
  const digits = (i: number) => String(i).padStart(12, '0');
  await many(LIST_ELEMENTS, ['RPUSH', 'list of 600'], (i) => [`element ${i}`]);
  await many(HASH_FIELDS, ['HSET', 'hash of 20'], (i) => [`field${i}`, `value${i}`]);
  await many(SET_MEMBERS, ['SADD', 'set 1'], (i) => [`member:${i}`]);
  await many(SET_MEMBERS, ['SADD', 'set 2'], (i) => [`member:${i * 2}`]);
  await many(SORTED_SET_MEMBERS, ['ZADD', 'sorted'], (i) => [String(i / 2), `member:${digits(i)}`]);
  for (let from = 0; from < STREAM_ENTRIES; from += BATCH) {
    const add = (_: unknown, i: number): Command => [
      'XADD',
      'stream',
      `${from + i + 1}-0`,
      'field',
      `value ${from + i}`,
    ];
    await client.pipeline(Array.from({ length: BATCH }, add));
  }
  const holds = ['COUNT', String(PENDING_ENTRIES), 'STREAMS', 'stream', '>'];
  for (const group of ['readers', 'holders']) await client.must('XGROUP', 'CREATE', 'stream', group, '0');
  await client.must('XREADGROUP', 'GROUP', 'holders', 'one', ...holds);
  client.close();
}
