/** The command patterns of job queues in other languages, word for word on Skein and on stock; and ioredis' own shortcuts. */
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SHAPES, startShape } from '../clients/client-shapes.ts';
import { describeWith } from '../server/describe-with.ts';
import { STOCK } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const servers = new ServerGroup();
let server: ServerProcess;
const clients: Redis[] = [];
beforeAll(async () => {
  server = await startShape(servers, SHAPES[0]);
});
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(() => servers.removeAll());

function connect(to: ServerProcess = server, options: RedisOptions = {}): Redis {
  const client = new Redis({ port: to.port, host: '127.0.0.1', ...options });
  client.on('error', () => {}); // the commands' own promises say what went wrong
  clients.push(client);
  return client;
}

type Words = readonly (string | number)[];

/** One client's commands one after the other; `later` runs them when another client waits. */
interface Step {
  readonly command: Words;
  readonly later?: readonly Words[];
}
const steps = (...commands: Words[]): Step[] => commands.map((command) => ({ command }));

// the schedule of Sidekiq: whatever is due is taken out by a script, one by one
const POP_DUE = `local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if due[1] then redis.call('ZREM', KEYS[1], due[1]) end
return due[1]`;
// Laravel: a job goes from its list into the reserved ones, with one more attempt counted in its JSON
const RESERVE = `local job = redis.call('LPOP', KEYS[1])
if not job then return {false, false} end
local reserved = cjson.decode(job)
reserved['attempts'] = reserved['attempts'] + 1
reserved = cjson.encode(reserved)
redis.call('ZADD', KEYS[2], ARGV[1], reserved)
redis.call('RPOP', KEYS[3])
return {job, cjson.decode(reserved).attempts}`;
const MIGRATE = `local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if next(late) ~= nil then
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #late - 1)
  for i = 1, #late, 100 do
    redis.call('RPUSH', KEYS[2], unpack(late, i, math.min(i + 99, #late)))
    for _ = i, math.min(i + 99, #late) do redis.call('RPUSH', KEYS[3], 1) end
  end
end
return #late`;

const many = Array.from({ length: 250 }, (_, n) => [n, `job ${n}`]).flat();

const PATTERNS: Record<string, Step[]> = {
  Sidekiq: [
    ...steps(
      ['SADD', 'queues', 'critical', 'default'],
      ['LPUSH', 'queue:default', 'a', 'b'],
      ['LPUSH', 'queue:critical', 'c'],
    ),
    ...steps(...Array.from({ length: 3 }, () => ['BRPOP', 'queue:critical', 'queue:default', 2])),
    { command: ['BRPOP', 'queue:critical', 'queue:default', 20], later: [['LPUSH', 'queue:default', 'd', 'e']] },
    ...steps(['ZADD', 'schedule', 10, 'x', 20, 'y', 30.5, 'z'], ['ZCARD', 'schedule']),
    ...steps(...Array.from({ length: 3 }, () => ['EVAL', POP_DUE, 1, 'schedule', 25])),
    ...steps(
      ['ZRANGE', 'schedule', 0, -1, 'WITHSCORES'],
      ['ZADD', 'retry', 5, 'x'],
      ['ZPOPMIN', 'retry'],
      ['LRANGE', 'queue:default', 0, -1],
    ),
    ...steps(
      ['HINCRBY', 'host', 'processed', 3],
      ['HSET', 'host', 'busy', 2, 'beat', 1.5],
      ['HMGET', 'host', 'busy', 'none', 'processed'],
    ),
  ],
  'reliable queue': [
    ...steps(['RPUSH', 'work', 1, 2, 3], ['RPOPLPUSH', 'work', 'doing'], ['BRPOPLPUSH', 'work', 'doing', 1]),
    ...steps(['LMOVE', 'work', 'doing', 'LEFT', 'RIGHT'], ['LRANGE', 'doing', 0, -1], ['LREM', 'doing', -1, 2]),
    { command: ['BLMOVE', 'work', 'doing', 'RIGHT', 'LEFT', 20], later: [['RPUSH', 'work', 'late', 'later']] },
    {
      command: ['BRPOPLPUSH', 'empty', 'doing', 20],
      later: [
        ['SADD', 'other', 1],
        ['LPUSH', 'empty', 'came'],
      ],
    },
    { command: ['BLMPOP', 20, 2, 'e1', 'e2', 'LEFT', 'COUNT', 2], later: [['RPUSH', 'e2', 'p', 'q', 'r']] },
    { command: ['BZPOPMIN', 'z1', 'z2', 20], later: [['ZADD', 'z2', 3, 'm', 1.25, 'n']] },
    ...steps(
      ['LRANGE', 'doing', 0, -1],
      ['EXISTS', 'empty', 'work', 'e2'],
      ['BLMOVE', 'empty', 'doing', 'LEFT', 'LEFT', 0.01],
    ),
  ],
  Celery: [
    ...steps(
      ['SADD', '_kombu.binding.celery', 'celery\u0006\u0016\u0006\u0016celery'],
      ['SMEMBERS', '_kombu.binding.celery'],
    ),
    ...steps(['LPUSH', 'celery', '{"body": "W10="}', '{"body": "e30="}']),
    { command: ['BRPOP', 'celery', 'celery\u0006\u00163', 'celery\u0006\u00166', 'celery\u0006\u00169', 1] },
    ...steps(
      ['MULTI'],
      ['ZADD', 'unacked_index', 100, 'tag'],
      ['HSET', 'unacked', 'tag', '[{"body": "W10="}]'],
      ['EXEC'],
    ),
    ...steps(['SET', 'unacked_mutex', 'me', 'NX', 'EX', 300], ['SET', 'unacked_mutex', 'you', 'NX', 'EX', 300]),
    ...steps(
      ['ZREVRANGEBYSCORE', 'unacked_index', 500, 0, 'WITHSCORES', 'LIMIT', 0, 10],
      ['WATCH', 'unacked'],
      ['HGET', 'unacked', 'tag'],
    ),
    ...steps(['MULTI'], ['ZREM', 'unacked_index', 'tag'], ['HDEL', 'unacked', 'tag'], ['EXEC'], ['LLEN', 'celery']),
    ...steps(
      ['SETEX', 'celery-task-meta-1', 86400, '{"status": "SUCCESS"}'],
      ['MGET', 'celery-task-meta-1', 'none'],
      ['EXISTS', 'unacked'],
    ),
  ],
  Laravel: [
    ...steps(
      ['RPUSH', 'queues:d', '{"id":"1","attempts":0}', '{"id":"2","attempts":4}'],
      ['RPUSH', 'queues:d:notify', 1, 1],
    ),
    ...steps(
      ...Array.from({ length: 3 }, (_, n) => [
        'EVAL',
        RESERVE,
        3,
        'queues:d',
        'queues:d:reserved',
        'queues:d:notify',
        90 + n,
      ]),
    ),
    ...steps(['ZCARD', 'queues:d:reserved'], ['ZADD', 'queues:d:delayed', ...many]),
    ...steps(
      ['EVAL', MIGRATE, 3, 'queues:d:delayed', 'queues:d', 'queues:d:notify', 220],
      ['LLEN', 'queues:d'],
      ['LLEN', 'queues:d:notify'],
    ),
    ...steps(
      ['LRANGE', 'queues:d', 98, 103],
      ['ZRANGE', 'queues:d:delayed', 0, 2, 'WITHSCORES'],
      ['BLPOP', 'queues:d:notify', 1],
    ),
  ],
  RQ: [
    ...steps(
      ['SADD', 'rq:queues', 'rq:queue:high'],
      ['MULTI'],
      ['HSET', 'rq:job:1', 'data', 'zip', 'status', 'queued', 'origin', 'high'],
    ),
    ...steps(
      ['RPUSH', 'rq:queue:high', 1],
      ['EXEC'],
      ['BLPOP', 'rq:queue:high', 'rq:queue:low', 2],
      ['HGETALL', 'rq:job:1'],
    ),
    ...steps(
      ['ZADD', 'rq:wip:high', 'XX', 'CH', 400, 1],
      ['ZADD', 'rq:wip:high', 'NX', 300, 1],
      ['ZADD', 'rq:wip:high', 'GT', 'CH', 400, 1],
    ),
    ...steps(
      ['WATCH', 'rq:job:1'],
      ['MULTI'],
      ['HDEL', 'rq:job:1', 'data'],
      ['ZREM', 'rq:wip:high', 1],
      ['EXPIRE', 'rq:job:1', 500],
      ['EXEC'],
    ),
    ...steps(
      ['ZRANGEBYSCORE', 'rq:wip:high', 0, '(400'],
      ['HGET', 'rq:job:1', 'status'],
      ['LPOS', 'rq:queue:high', 1],
      ['TTL', 'rq:queue:high'],
    ),
  ],
  'consumer groups': [
    ...steps(['XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM'], ['XGROUP', 'CREATE', 's', 'g', '$']),
    {
      command: ['XREADGROUP', 'GROUP', 'g', 'one', 'BLOCK', 20_000, 'STREAMS', 's', '>'],
      later: [['XADD', 's', '1-1', 'n', 1]],
    },
    ...steps(...[2, 3, 4, 5].map((n) => ['XADD', 's', `${n}-1`, 'n', n])),
    ...steps(
      ['XREADGROUP', 'GROUP', 'g', 'one', 'COUNT', 2, 'STREAMS', 's', '>'],
      ['XREADGROUP', 'GROUP', 'g', 'two', 'STREAMS', 's', '>'],
    ),
    ...steps(
      ['XACK', 's', 'g', '1-1', '9-9'],
      ['XDEL', 's', '3-1'],
      ['XPENDING', 's', 'g'],
      ['XREADGROUP', 'GROUP', 'g', 'one', 'STREAMS', 's', 0],
    ),
    ...steps(
      ['XAUTOCLAIM', 's', 'g', 'three', 0, 0, 'COUNT', 2],
      ['XAUTOCLAIM', 's', 'g', 'three', 0, '4-1', 'JUSTID'],
      ['XCLAIM', 's', 'g', 'two', 0, '5-1'],
    ),
    ...steps(
      ['XPENDING', 's', 'g'],
      ['XACK', 's', 'g', '2-1', '4-1', '5-1'],
      ['XTRIM', 's', 'MAXLEN', 2],
      ['XRANGE', 's', '-', '+'],
      ['XGROUP', 'DELCONSUMER', 's', 'g', 'two'],
    ),
    ...steps(
      ['XREADGROUP', 'GROUP', 'none', 'one', 'STREAMS', 's', '>'],
      ['XREADGROUP', 'GROUP', 'g', 'one', 'BLOCK', 1, 'STREAMS', 's', '>'],
    ),
  ],
};

/** The reply, or the error's text in its place. */
const answer = (client: Redis, [name, ...args]: Words): Promise<unknown> =>
  client.call(String(name), ...args).catch((error: Error) => `error: ${error.message}`);

async function replies(to: ServerProcess, pattern: readonly Step[]): Promise<unknown[]> {
  const [client, other] = [connect(to), connect(to)];
  await client.flushall();
  const all: unknown[] = [];
  for (const { command, later = [] } of pattern) {
    const reply = answer(client, command);
    if (later.length > 0) {
      const waits = async () => /^blocked_clients:1\r$/m.test(await other.info('clients'));
      await waitUntil(`${command.join(' ')} waits`, waits);
    }
    for (const words of later) all.push(await answer(other, words));
    all.push([command.join(' '), await reply]);
  }
  return all;
}

describeWith(['redis-server'], 'beside stock', () => {
  let stock: ServerProcess;
  beforeAll(async () => {
    stock = await servers.start({ command: STOCK });
  });

  test.each(Object.keys(PATTERNS))('%s: the same replies', async (name) => {
    const [ours, theirs] = [await replies(server, PATTERNS[name]), await replies(stock, PATTERNS[name])];
    expect(ours).toEqual(theirs);
    expect(ours.length).toBeGreaterThanOrEqual(PATTERNS[name].length);
  });
});

test('ioredis by itself: commands of one turn as one pipeline, own commands as scripts, also in MULTI', async () => {
  const redis = connect(server, { enableAutoPipelining: true });
  redis.defineCommand('take', {
    numberOfKeys: 2,
    lua: `local n = math.min(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0'))
      redis.call('DECRBY', KEYS[1], n)
      redis.call('INCRBY', KEYS[2], n)
      return n`,
  });
  type Take = (from: string, to: string, count: number) => Promise<number>;
  const take = (redis as unknown as { take: Take }).take.bind(redis);
  await redis.set('t:from', 1000);
  // twice: at first the server does not know the script, then it does
  for (const round of [1, 2]) {
    const taken = await Promise.all(Array.from({ length: 150 }, (_, n) => take('t:from', `t:to:${n % 7}`, 3)));
    expect(taken).toEqual(Array.from({ length: 150 }, () => 3));
    expect(await redis.get('t:from')).toBe(String(1000 - round * 450));
  }
  const values = await Promise.all(Array.from({ length: 7 }, (_, n) => redis.get(`t:to:${n}`)));
  expect(values.reduce((sum, value) => sum + Number(value), 0)).toBe(900);

  const mixed = await Promise.allSettled([redis.set('t:text', 'x'), redis.incr('t:text'), redis.get('t:text')]);
  expect(mixed.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);

  const chain = redis.multi().set('t:from', 10) as unknown as { take: (...args: unknown[]) => { exec: Redis['exec'] } };
  expect(await chain.take('t:from', 't:last', 25).exec()).toEqual([
    [null, 'OK'],
    [null, 10],
  ]);
  await redis.script('FLUSH');
  expect(await take('t:from', 't:last', 1)).toBe(0);
  expect(await redis.mget('t:from', 't:last')).toEqual(['0', '10']);
});
