/** Scripts and functions as applications use them, over several workers, and over restarts. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const servers = new ServerGroup();
const clients: Redis[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(() => servers.removeAll());

function connect(server: ServerProcess): Redis {
  const client = new Redis({ port: server.port, host: '127.0.0.1' });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

function start(options: Record<string, string> = {}): Promise<ServerProcess> {
  return servers.start({
    command: serverUnderTest(),
    options: { appendonly: 'yes', ...options },
    skeinOptions: { workers: '4', shards: '4' },
  });
}

const ACCOUNTS = 16;
const DEPOSIT = 100;
/** Moves money between accounts that it does not declare; a third, undeclared account in between. */
const TRANSFER = `
local from, over, to, sum = 'acc' .. ARGV[1], 'acc' .. ARGV[2], 'acc' .. ARGV[3], tonumber(ARGV[4])
redis.call('DECRBY', from, sum)
redis.call('INCRBY', over, sum)
redis.call('DECRBY', over, sum)
redis.call('INCRBY', to, sum)
return redis.call('INCR', KEYS[1])`;
const TOTAL = `
local total = 0
for i = 0, ${ACCOUNTS - 1} do total = total + tonumber(redis.call('GET', 'acc' .. i)) end
return total`;

test('scripts with undeclared keys over all shards lose no money, and everybody gets an answer', async () => {
  const server = await start();
  const redis = connect(server);
  for (let i = 0; i < ACCOUNTS; i++) await redis.set(`acc${i}`, DEPOSIT);
  const rounds = Number(process.env['SCRIPT_ROUNDS'] ?? 40);
  const counters = Array.from({ length: 8 }, (_, i) => `counter${i}`);
  await Promise.all(
    counters.map(async (counter, n) => {
      const client = connect(server);
      for (let round = 0; round < rounds; round++) {
        const [a, b, c] = [n + round, n * 3 + round * 5, n * 7 + round * 11].map((x) => String(x % ACCOUNTS));
        const answers = await Promise.all([
          client.eval(TRANSFER, 1, counter, a, b, c, '7'),
          client.eval(TOTAL, 0),
          client.mset(`noise${n}`, round, `noise${round % ACCOUNTS}`, n),
          client.multi().incr(`noise${n}`).eval(TOTAL, 0).exec(),
        ]);
        expect([answers[0], answers[1]]).toEqual([round + 1, ACCOUNTS * DEPOSIT]);
        expect(answers[3]?.[1]).toEqual([null, ACCOUNTS * DEPOSIT]);
      }
    }),
  );
  expect(await redis.eval(TOTAL, 0)).toBe(ACCOUNTS * DEPOSIT);
});

test('a script is known to all workers as soon as SCRIPT LOAD is answered', async () => {
  const server = await start({ appendonly: 'no' });
  const many = Array.from({ length: 12 }, () => connect(server));
  for (let i = 0; i < 5; i++) {
    const sha = (await many[0].script('LOAD', `return {KEYS[1], ARGV[1], ${i}}`)) as string;
    expect(await Promise.all(many.map((client) => client.evalsha(sha, 1, 'k', 'é')))).toEqual(
      many.map(() => ['k', 'é', i]),
    );
  }
  const client = many[1] as Redis & { twice(key: string, by: string): Promise<number> };
  client.defineCommand('twice', {
    numberOfKeys: 1,
    lua: "redis.call('INCRBY', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[1], ARGV[1])",
  });
  expect(await client.twice('t', '5')).toBe(10);
  const bytes = Buffer.from([0, 255, 13, 10, 1]);
  expect(await client.callBuffer('EVAL', 'return ARGV[1]', '0', bytes)).toEqual(bytes);
});

test('SCRIPT KILL ends a loop, also inside pcall; others are told BUSY meanwhile', async () => {
  const server = await start({ appendonly: 'no', 'busy-reply-threshold': '50' });
  const others = Array.from({ length: 8 }, () => connect(server));
  await Promise.all(others.map((client) => client.ping()));
  const runner = connect(server);
  const ended = runner.eval(
    "while true do pcall(function() local x = redis.call('GET', KEYS[1]) while true do end end) end",
    1,
    'k',
  );
  ended.catch(() => {});
  // those of the worker that runs the script get no answer before its end
  const asked = new Set<Redis>();
  let isBusy = false;
  const ask = (client: Redis): void => {
    asked.add(client);
    client.ping().then(
      () => asked.delete(client),
      (error: Error) => {
        asked.delete(client);
        isBusy ||= error.message.startsWith('BUSY');
      },
    );
  };
  await waitUntil('others are told BUSY', () => {
    for (const client of others) if (!asked.has(client)) ask(client);
    return isBusy;
  });
  const killer = await Promise.any(others.map((client) => client.script('KILL')));
  expect(killer).toBe('OK');
  await expect(ended).rejects.toThrow(/killed by user with SCRIPT KILL/i);
  expect(await runner.ping()).toBe('PONG');
});

const LIBRARY = `#!lua name=shop
redis.register_function('put', function(keys, args) return redis.call('HSET', keys[1], unpack(args)) end)
redis.register_function{function_name = 'get', callback = function(keys) return redis.call('HGETALL', keys[1]) end, flags = {'no-writes'}}
`;

test('functions serve all workers, and survive restarts, rewrites and deletion of others', async () => {
  let server = await start();
  let redis = connect(server);
  expect(await redis.function('LOAD', LIBRARY)).toBe('shop');
  await redis.function('LOAD', "#!lua name=gone\nredis.register_function('f', function() return 1 end)");
  const many = Array.from({ length: 8 }, () => connect(server));
  await Promise.all(many.map((client, i) => client.fcall('put', 1, `h${i}`, 'a', String(i))));
  expect(await many[3].call('FCALL_RO', 'get', '1', 'h5')).toEqual(['a', '5']);
  await redis.function('DELETE', 'gone');
  for (const step of ['journal', 'base'] as const) {
    if (step === 'base') {
      await redis.bgrewriteaof();
      await waitUntil('the rewrite ends', async () =>
        (await redis.info('persistence')).includes('aof_rewrite_in_progress:0'),
      );
    }
    await server.kill();
    for (const client of clients.splice(0)) client.disconnect();
    server = await server.restart();
    redis = connect(server);
    expect(await redis.call('FCALL_RO', 'get', '1', 'h5')).toEqual(['a', '5']);
    expect((await redis.function('LIST')) as unknown[]).toHaveLength(1);
  }
  const dump = await redis.functionBuffer('DUMP');
  await redis.function('FLUSH');
  await expect(redis.fcall('get', 1, 'h5')).rejects.toThrow('Function not found');
  await redis.function('RESTORE', dump as Buffer);
  expect(await redis.call('FCALL_RO', 'get', '1', 'h5')).toEqual(['a', '5']);
});
