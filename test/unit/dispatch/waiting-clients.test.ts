/** Clients that wait for keys, over several workers and shards in one thread: who is served, when, and what is left behind. */
import { afterEach, expect, test } from 'vitest';
import { INTEREST, SHARD } from '../../../src/shard/world.ts';
import { type RigClient, type RigWorker, WorkerRig } from './worker-rig.ts';

let rig: WorkerRig;

afterEach(() => {
  // nobody waits any more, and nothing is left of those who did
  for (const worker of rig.workers) worker.server.blocked.tidy();
  for (const queues of rig.workers[0].server.blocked.queues) {
    const { table } = queues;
    expect([queues.waiterCount(), queues.keyCount(), queues.endCount(), table.liveEntries()]).toEqual([0, 0, 0, 0]);
    expect(table.header[SHARD.interest] & (INTEREST.waiters | INTEREST.settling)).toBe(0);
  }
});

function start(shards = 2, workers = 2): RigWorker[] {
  rig = new WorkerRig({ shards, workers });
  return rig.workers;
}

/** The last reply to a client that was parked. */
function answerOf(client: RigClient): string | undefined {
  rig.poll();
  return client.replies.at(-1);
}

function waiting(worker: RigWorker, ...words: (string | number)[]): RigClient {
  const client = worker.connect();
  expect(worker.send(client, ...words)).toBe(null);
  expect(client.session.blocked).not.toBe(null);
  return client;
}

const bulks = (...texts: string[]): string =>
  `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`;

test('first come first served, whatever the worker', () => {
  const [one, two] = start();
  const key = rig.keyOf(0);
  const clients = [waiting(two, 'BLPOP', key, 0), waiting(one, 'BLPOP', key, 0), waiting(two, 'BLPOP', key, 0)];
  const pusher = one.connect();
  expect(one.send(pusher, 'RPUSH', key, 'a', 'b')).toBe(':2\r\n');
  expect(clients.map(answerOf)).toEqual([bulks(key, 'a'), bulks(key, 'b'), undefined]);
  expect(one.send(pusher, 'RPUSH', key, 'c')).toBe(':1\r\n');
  expect(answerOf(clients[2])).toBe(bulks(key, 'c'));
  expect(one.send(pusher, 'EXISTS', key)).toBe(':0\r\n');
  expect(clients.every(({ session }) => session.blocked === null)).toBe(true);
});

test('the reply is stamped with the shard whose effect it shows', () => {
  const [one, two] = start();
  const client = waiting(two, 'BLPOP', rig.keyOf(1), 0);
  one.send(one.connect(), 'RPUSH', rig.keyOf(1), 'a');
  answerOf(client);
  expect(client.stamps).toEqual([1]);
});

test('keys in several shards: one element each, and the other key has no waiter any more', () => {
  const [one, two] = start(4);
  const keys = [0, 1, 2, 3].map((shard) => rig.keyOf(shard));
  const client = waiting(two, 'BLPOP', ...keys, 0);
  const pusher = one.connect();
  one.send(pusher, 'RPUSH', keys[2], 'x');
  one.send(pusher, 'RPUSH', keys[0], 'y');
  expect(answerOf(client)).toBe(bulks(keys[2], 'x'));
  expect(client.replies).toHaveLength(1);
  expect(one.send(pusher, 'LRANGE', keys[0], 0, -1)).toBe(bulks('y'));
});

test('the same key twice, and keys of another type are no reason to be served', () => {
  const [one] = start();
  const key = rig.keyOf(0);
  const client = waiting(one, 'BLPOP', key, key, 0);
  const writer = one.connect();
  one.send(writer, 'ZADD', key, 1, 'm');
  one.send(writer, 'DEL', key);
  one.send(writer, 'SET', key, 'v');
  expect(answerOf(client)).toBe(undefined);
  one.send(writer, 'DEL', key);
  one.send(writer, 'RPUSH', key, 'a');
  expect(answerOf(client)).toBe(bulks(key, 'a'));
});

test('a chain of moves ends in one unit, and those who wait at its end are served', () => {
  const [one, two] = start();
  const [a, b, c] = [0, 1, 2].map((n) => rig.keyOf(0, n));
  const last = waiting(two, 'BLPOP', c, 0);
  const second = waiting(one, 'BLMOVE', b, c, 'LEFT', 'RIGHT', 0);
  const first = waiting(two, 'BRPOPLPUSH', a, b, 0);
  one.send(one.connect(), 'RPUSH', a, 'x');
  expect([first, second, last].map(answerOf)).toEqual(['$1\r\nx\r\n', '$1\r\nx\r\n', bulks(c, 'x')]);
  expect(one.send(one.connect(), 'EXISTS', a, b, c)).toBe(':0\r\n');
});

test('a move into a list of another type answers an error and leaves the element to the next', () => {
  const [one] = start();
  const [a, b] = [rig.keyOf(0, 0), rig.keyOf(0, 1)];
  one.send(one.connect(), 'SET', b, 'text');
  const mover = waiting(one, 'BLMOVE', a, b, 'LEFT', 'LEFT', 0);
  const popper = waiting(one, 'BLPOP', a, 0);
  one.send(one.connect(), 'RPUSH', a, 'x');
  expect(answerOf(mover)).toMatch(/^-WRONGTYPE/);
  expect(answerOf(popper)).toBe(bulks(a, 'x'));
});

test('a move to another shard takes both latches', () => {
  const [one, two] = start();
  const [from, to] = [rig.keyOf(0), rig.keyOf(1)];
  const mover = waiting(two, 'BLMOVE', from, to, 'LEFT', 'RIGHT', 0);
  const popper = waiting(two, 'BLPOP', to, 0);
  one.send(one.connect(), 'RPUSH', from, 'x');
  expect(answerOf(mover)).toBe('$1\r\nx\r\n');
  expect(mover.stamps).toEqual([0, 1]);
  expect(answerOf(popper)).toBe(bulks(to, 'x'));
  expect(rig.outside.latches.map((latch) => latch.holder())).toEqual([0, 0]);
});

test.each([0, 1])(
  'where the other latch is busy nobody steals the element: shard %i waits until both are there',
  (source) => {
    const [one, two] = start();
    const [from, to] = [rig.keyOf(source), rig.keyOf(1 - source)];
    const mover = waiting(two, 'BLMOVE', from, to, 'LEFT', 'RIGHT', 0);
    const popper = waiting(two, 'BLPOP', to, 0);
    const latch = rig.outside.latches[1 - source];
    expect(latch.tryAcquire()).toBe(true);
    expect(one.send(one.connect(), 'RPUSH', from, 'x')).toBe(':1\r\n');
    const thief = two.connect();
    expect(two.send(thief, 'LPOP', from)).toBe(null);
    const transaction = one.connect();
    one.send(transaction, 'MULTI');
    one.send(transaction, 'LPOP', from);
    expect(one.send(transaction, 'EXEC')).toBe(null);
    rig.poll();
    expect([mover, popper, thief].map(({ replies }) => replies.length)).toEqual([0, 0, 0]);
    latch.release();
    expect([mover, popper, thief, transaction].map(answerOf)).toEqual([
      ...['$1\r\nx\r\n', bulks(to, 'x'), '$-1\r\n', '*1\r\n$-1\r\n'],
    ]);
  },
);

test('two moves across, whose sources were pushed while both latches of the others were busy', () => {
  const [one, two] = start(3);
  const [a, b, c] = [rig.keyOf(0), rig.keyOf(1), rig.keyOf(2)];
  const first = waiting(one, 'BLMOVE', a, c, 'LEFT', 'RIGHT', 0);
  const second = waiting(two, 'BLMOVE', b, c, 'LEFT', 'RIGHT', 0);
  expect(rig.outside.latches[2].tryAcquire()).toBe(true);
  one.send(one.connect(), 'RPUSH', a, 'x');
  two.send(two.connect(), 'RPUSH', b, 'y');
  rig.poll();
  rig.outside.latches[2].release();
  expect([first, second].map(answerOf)).toEqual(['$1\r\nx\r\n', '$1\r\ny\r\n']);
  expect(one.send(one.connect(), 'LLEN', c)).toBe(':2\r\n');
});

test('a settling waiter that gives up leaves the shard to others', () => {
  const [one, two] = start();
  const [from, to] = [rig.keyOf(0), rig.keyOf(1)];
  const mover = waiting(two, 'BLMOVE', from, to, 'LEFT', 'RIGHT', 1);
  rig.outside.latches[1].tryAcquire();
  one.send(one.connect(), 'RPUSH', from, 'x');
  rig.nowMs += 1000;
  two.server.blocked.expire();
  rig.outside.latches[1].release();
  expect(answerOf(mover)).toBe('*-1\r\n');
  rig.poll();
  expect(one.send(one.connect(), 'LPOP', from)).toBe('$1\r\nx\r\n');
});

test('a timeout is answered when its time has come, not before', () => {
  const [one] = start();
  const clients = [3, 1, 2].map((seconds) => waiting(one, 'BLPOP', rig.keyOf(0), seconds));
  const { blocked } = one.server;
  const answers = (): number[] => clients.map(({ replies }) => replies.length);
  rig.nowMs += 999;
  blocked.expire();
  expect(answers()).toEqual([0, 0, 0]);
  rig.nowMs += 1;
  blocked.expire();
  expect(answers()).toEqual([0, 1, 0]);
  rig.nowMs += 2000;
  blocked.expire();
  expect(answers()).toEqual([1, 1, 1]);
  one.send(one.connect(), 'RPUSH', rig.keyOf(0), 'a');
  expect(clients.map(answerOf)).toEqual(['*-1\r\n', '*-1\r\n', '*-1\r\n']);
  one.send(one.connect(), 'DEL', rig.keyOf(0));
});

test('the time of a served command is that of the unit that served it, on whatever thread', () => {
  const [one, two] = start();
  let now = 0;
  const client = waiting(two, 'BLPOP', rig.keyOf(0), 0);
  const timed = waiting(two, 'BLPOP', rig.keyOf(1), 1);
  // each look at the clock finds it 20 ms later; the default threshold is 10
  rig.steadyMs = () => (now += 20);
  one.send(one.connect(), 'RPUSH', rig.keyOf(0), 'a');
  expect(answerOf(client)).toBe(bulks(rig.keyOf(0), 'a'));
  rig.steadyMs = () => now;
  rig.nowMs += 1000;
  two.server.blocked.expire();
  expect(timed.replies).toEqual(['*-1\r\n']);
  const log = one.send(one.connect(), 'SLOWLOG', 'GET', -1)!;
  // the unit's 20 ms, and nothing of the waiting
  expect(log.match(/:(\d+)\r\n\*3\r\n\$5\r\nBLPOP/g)).toHaveLength(1);
  expect(log).toMatch(/:20000\r\n\*3\r\n\$5\r\nBLPOP/);
});

test('CLIENT UNBLOCK from another worker, in both ways; once only', () => {
  const [one, two] = start();
  const clients = [waiting(two, 'BLPOP', rig.keyOf(0), 0), waiting(two, 'BLMOVE', 'a', 'b', 'LEFT', 'LEFT', 0)];
  const admin = one.connect();
  const ids = clients.map(({ session }) => session.id);
  expect(one.send(admin, 'CLIENT', 'UNBLOCK', ids[0])).toBe(':1\r\n');
  expect(one.send(admin, 'CLIENT', 'UNBLOCK', ids[0])).toBe(':0\r\n');
  expect(one.send(admin, 'CLIENT', 'UNBLOCK', ids[1], 'ERROR')).toBe(':1\r\n');
  expect(one.send(admin, 'CLIENT', 'UNBLOCK', admin.session.id)).toBe(':0\r\n');
  expect(clients.map(answerOf)).toEqual(['*-1\r\n', '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n']);
});

test('who is gone is served nothing', () => {
  const [one, two] = start();
  const key = rig.keyOf(0);
  const gone = waiting(two, 'BLPOP', key, 0);
  const next = waiting(two, 'BLPOP', key, 0);
  gone.session.leave();
  one.send(one.connect(), 'RPUSH', key, 'a');
  expect(answerOf(next)).toBe(bulks(key, 'a'));
  expect(gone.replies).toEqual([]);
});

test('a command that waited for its latch first says so when it waits in blocking', () => {
  const [one, two] = start();
  const latch = rig.outside.latches[0];
  latch.tryAcquire();
  const client = two.connect();
  expect(two.send(client, 'BLPOP', rig.keyOf(0), 0)).toBe(null);
  expect(client.session.blocked).toBe(null);
  latch.release();
  rig.poll();
  expect([client.waits, client.session.blocked !== null]).toEqual([1, true]);
  one.send(one.connect(), 'RPUSH', rig.keyOf(0), 'a');
  expect(answerOf(client)).toBe(bulks(rig.keyOf(0), 'a'));
});

test('in MULTI nobody waits; waiters are served after EXEC with what it leaves', () => {
  const [one, two] = start();
  const [a, b] = [rig.keyOf(0), rig.keyOf(1)];
  const client = waiting(two, 'BLPOP', a, b, 0);
  const other = one.connect();
  for (const words of [['MULTI'], ['RPUSH', a, 'x'], ['LPOP', a], ['BLPOP', a, 0], ['RPUSH', b, 'y']])
    one.send(other, ...words);
  expect(one.send(other, 'EXEC')).toBe('*4\r\n:1\r\n$1\r\nx\r\n*-1\r\n:1\r\n');
  expect(answerOf(client)).toBe(bulks(b, 'y'));
});

test('what brings keys about besides pushes: RENAME, COPY, SORT STORE, SWAPDB, ZUNIONSTORE', () => {
  const [one] = start(1, 1);
  const writer = one.connect();
  const served = (wait: (string | number)[], ...writes: (string | number)[][]): string | undefined => {
    const client = waiting(one, ...wait);
    for (const words of writes) one.send(writer, ...words);
    return answerOf(client);
  };
  expect(served(['BLPOP', 'k', 0], ['RPUSH', 's', 'a'], ['RENAME', 's', 'k'])).toBe(bulks('k', 'a'));
  expect(served(['BLPOP', 'k', 0], ['RPUSH', 's', 'b'], ['COPY', 's', 'k'])).toBe(bulks('k', 'b'));
  expect(served(['BLPOP', 'k', 0], ['SORT', 's', 'ALPHA', 'STORE', 'k'])).toBe(bulks('k', 'b'));
  expect(served(['BZPOPMIN', 'z', 0], ['ZADD', 'y', 2, 'm'], ['ZUNIONSTORE', 'z', 1, 'y'])).toBe(bulks('z', 'm', '2'));
  expect(served(['BLPOP', 'k', 0], ['SELECT', 1], ['RPUSH', 'k', 'c'], ['SWAPDB', 0, 1])).toBe(bulks('k', 'c'));
});

test('… MOVE, RESTORE, LMOVE, SUNIONSTORE of another type, GEOSEARCHSTORE, ZRANGESTORE, scripts', () => {
  const [one] = start(1, 1);
  const writer = one.connect();
  const served = (wait: (string | number)[], ...writes: (string | number)[][]): string | undefined => {
    const client = waiting(one, ...wait);
    for (const words of writes) one.send(writer, ...words);
    return answerOf(client);
  };
  expect(served(['BLPOP', 'k', 0], ['SELECT', 1], ['RPUSH', 'k', 'a'], ['MOVE', 'k', 0])).toBe(bulks('k', 'a'));
  one.send(writer, 'SELECT', 0);
  one.send(writer, 'RPUSH', 's', 'b');
  const payload = one.send(writer, 'DUMP', 's')!;
  const bytes = payload.slice(payload.indexOf('\n') + 1, -2);
  expect(served(['BRPOP', 'k', 0], ['RESTORE', 'k', 0, bytes])).toBe(bulks('k', 'b'));
  expect(served(['BLMPOP', 0, 1, 'k', 'LEFT'], ['LMOVE', 's', 'k', 'LEFT', 'LEFT'])).toBe(
    `*2\r\n$1\r\nk\r\n${bulks('b')}`,
  );
  one.send(writer, 'SADD', 'set', 'm');
  const script = "redis.call('LPUSH', KEYS[1], 'c') redis.call('LPUSH', KEYS[1], 'd')";
  const waits = ['BLPOP', 'k', 0];
  expect(served(waits, ['SUNIONSTORE', 'k', 'set'], ['DEL', 'k'], ['EVAL', script, 1, 'k'])).toBe(bulks('k', 'd'));
  expect(one.send(writer, 'LPOP', 'k')).toBe('$1\r\nc\r\n');
  one.send(writer, 'GEOADD', 'g', 13, 38, 'p');
  const near = ['GEOSEARCHSTORE', 'z', 'g', 'FROMMEMBER', 'p', 'BYRADIUS', 1, 'km', 'STOREDIST'];
  expect(served(['BZMPOP', 0, 2, 'none', 'z', 'MIN'], near)).toBe(
    '*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\np\r\n$1\r\n0\r\n',
  );
  expect(served(['BZPOPMAX', 'z', 0], ['ZADD', 'y', 1, 'a', 2, 'b'], ['ZRANGESTORE', 'z', 'y', 0, -1])).toBe(
    bulks('z', 'b', '2'),
  );
  one.send(writer, 'FLUSHALL');
});

test('scripts and EXEC do not wait, whatever they call', () => {
  const [one] = start();
  const client = one.connect();
  const key = rig.keyOf(0);
  const calls = [
    `redis.call('BLPOP', KEYS[1], 0)`,
    `redis.call('BLMOVE', KEYS[1], KEYS[1], 'LEFT', 'RIGHT', 0)`,
    `redis.call('BZPOPMIN', KEYS[1], 0)`,
    `redis.call('XREAD', 'BLOCK', 0, 'STREAMS', KEYS[1], '$')`,
    `redis.call('BLMPOP', 0, 1, KEYS[1], 'LEFT')`,
  ];
  for (const call of calls)
    expect([call, one.send(client, 'EVAL', `return ${call}`, 1, key)]).toEqual([call, '$-1\r\n']);
  one.send(client, 'MULTI');
  one.send(client, 'EVAL', `return ${calls[0]}`, 1, key);
  expect(one.send(client, 'EXEC')).toBe('*1\r\n$-1\r\n');
});

test('XREAD waits behind the last id of its time; XREADGROUP hears of the end of its stream', () => {
  const [one, two] = start();
  const key = rig.keyOf(0);
  const writer = one.connect();
  one.send(writer, 'XADD', key, '1-1', 'f', 'v');
  one.send(writer, 'XGROUP', 'CREATE', key, 'g', '$');
  const reader = waiting(two, 'XREAD', 'BLOCK', 0, 'STREAMS', key, '$');
  const members = ['a', 'b'].map((name) =>
    waiting(two, 'XREADGROUP', 'GROUP', 'g', name, 'BLOCK', 0, 'STREAMS', key, '>'),
  );
  one.send(writer, 'XADD', key, '2-1', 'f', 'w');
  const entry = `*1\r\n*2\r\n$${key.length}\r\n${key}\r\n*1\r\n*2\r\n$3\r\n2-1\r\n${bulks('f', 'w')}`;
  expect([reader, ...members].map(answerOf)).toEqual([entry, entry, undefined]);
  one.send(writer, 'DEL', key);
  expect(answerOf(members[1])).toMatch(/^-NOGROUP/);
});

test('what waiters had in shared memory is given back', () => {
  const [one, two] = start();
  const keys = [rig.keyOf(0), rig.keyOf(1), rig.keyOf(1, 1)];
  const { queues } = one.server.blocked;
  const round = (): number[] => {
    const served = waiting(two, 'BLPOP', ...keys, 0);
    const gone = waiting(one, 'BLPOP', ...keys, 0);
    one.send(one.connect(), 'RPUSH', keys[1], 'x');
    answerOf(served);
    gone.session.leave();
    return queues.map(({ table }) => table.arena.liveBytes());
  };
  expect(round()).toEqual(round());
});
