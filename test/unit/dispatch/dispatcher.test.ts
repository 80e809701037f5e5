/** What cannot run now, what no longer may, and what passes between workers. */
import { describe, expect, test } from 'vitest';
import { CommandRow, REACH } from '../../../src/commands/command-table.ts';
import { type CommandSpec, SHARD_CHOICE } from '../../../src/commands/spec.ts';
import { Args } from '../../../src/resp/args.ts';
import { PROCESS } from '../../../src/shard/world.ts';
import { type RigClient, type RigWorker, WorkerRig } from './worker-rig.ts';

const OK = '+OK\r\n';

function ticketsTaken(rig: WorkerRig): number {
  return new Int32Array(rig.world.process)[PROCESS.turn];
}

describe('the turn', () => {
  test('is kept for the unit that asked for it, whatever else of its thread gets through', () => {
    const rig = new WorkerRig({ shards: 3 });
    const [worker] = rig.workers;
    const [both, other] = [worker.connect(), worker.connect()];
    const { latches } = rig.outside;
    latches[1].tryAcquire();
    latches[2].tryAcquire();
    worker.send(both, 'MSET', rig.keyOf(0), 'v', rig.keyOf(1), 'v');
    for (let i = 0; i < 12; i++) rig.poll();
    expect(worker.access.turn.mine()).toBe(true);
    worker.send(other, 'SET', rig.keyOf(2), 'v');
    rig.poll();
    latches[2].release();
    rig.poll();
    expect([other.replies, both.replies]).toEqual([[OK], []]);
    // the first ticket is still the one that counts: nobody gave it up and stood in line again
    expect([worker.access.turn.mine(), ticketsTaken(rig)]).toEqual([true, 1]);
    latches[1].release();
    rig.poll();
    expect([both.replies, worker.access.turn.requested()]).toEqual([[OK], false]);
  });

  test('passes to another unit of the thread, or is given back, when its unit is gone', () => {
    const rig = new WorkerRig({ shards: 2 });
    const [worker] = rig.workers;
    const [one, two] = [worker.connect(), worker.connect()];
    rig.outside.latches[1].tryAcquire();
    for (const client of [one, two]) worker.send(client, 'MSET', rig.keyOf(0), 'v', rig.keyOf(1), 'v');
    for (let i = 0; i < 12; i++) rig.poll();
    one.session.peer = null;
    rig.poll();
    expect(worker.access.turn.mine()).toBe(true);
    two.session.peer = null;
    rig.poll();
    expect(worker.access.turn.requested()).toBe(false);
    rig.outside.latches[1].release();
  });
});

describe('between workers', () => {
  const MOST = 100_000;
  const long = 'x'.repeat(MOST + 1);

  function busyRig(): { rig: WorkerRig; worker: RigWorker; client: RigClient } {
    const rig = new WorkerRig({ workers: 2, shards: 2, maxMessageBytes: MOST });
    const worker = rig.workers[1];
    return { rig, worker, client: worker.connect() };
  }

  test('a reply that is too long for the ring is an error', () => {
    const { rig, worker, client } = busyRig();
    worker.send(client, 'SET', rig.keyOf(0), long);
    rig.outside.latches[0].tryAcquire();
    expect(worker.send(client, 'GET', rig.keyOf(0))).toBe(null);
    rig.poll();
    rig.outside.latches[0].release();
    rig.poll();
    expect(client.replies[1]).toMatch(/^-ERR the reply is too long/);
    expect(worker.send(client, 'STRLEN', rig.keyOf(0))).toBe(`:${long.length}\r\n`);
  });

  test('a command that is too long for the ring waits at home', () => {
    const { rig, worker, client } = busyRig();
    rig.outside.latches[0].tryAcquire();
    expect(worker.send(client, 'SET', rig.keyOf(0), long)).toBe(null);
    rig.poll();
    rig.outside.latches[0].release();
    rig.poll();
    expect(client.replies).toEqual([OK]);
  });

  test('a reply in fragments arrives whole', () => {
    const { rig, worker, client } = busyRig();
    const value = 'y'.repeat(90_000);
    worker.send(client, 'SET', rig.keyOf(0), value);
    rig.outside.latches[0].tryAcquire();
    worker.send(client, 'GET', rig.keyOf(0));
    rig.poll();
    rig.outside.latches[0].release();
    rig.poll();
    expect(client.replies[1]).toBe(`$90000\r\n${value}\r\n`);
  });

  test('a reply names all shards that it shows, whatever its command was sent for', () => {
    const { rig, worker, client } = busyRig();
    for (let n = 0; n < 30; n++) for (const shard of [0, 1]) worker.send(client, 'SET', rig.keyOf(shard, n), 'v');
    // by its cursor the walk stands in shard 0, whose owner is the other worker
    rig.outside.latches[0].tryAcquire();
    expect(worker.send(client, 'SCAN', '1', 'COUNT', '20')).toBe(null);
    const helper = worker.connect();
    for (let n = 0; n < 30; n++) worker.send(helper, 'DEL', rig.keyOf(1, n));
    rig.outside.latches[0].release();
    rig.poll();
    expect(client.replies.at(-1)).toMatch(/^\*2/);
    expect(client.stamps).toEqual([0, 1]);
  });
});

describe('memory', () => {
  test('is asked for again under the latch, for what may be refused', () => {
    const rig = new WorkerRig();
    const [worker] = rig.workers;
    const client = worker.connect();
    worker.send(client, 'SET', 'k', 'v');
    worker.executor.maxMemoryBytes = 1;
    expect(worker.send(client, 'SET', 'k', 'w')).toMatch(/^-OOM/);
    expect(worker.send(client, 'GET', 'k')).toBe('$1\r\nv\r\n');
    expect(worker.send(client, 'EXPIRE', 'k', '10')).toBe(':1\r\n');
    expect(worker.send(client, 'DEL', 'k')).toBe(':1\r\n');
  });

  test('that a command has brought along does not speak against it', () => {
    const rig = new WorkerRig();
    const [worker] = rig.workers;
    const client = worker.connect();
    worker.send(client, 'SET', 'k', 'v');
    worker.executor.maxMemoryBytes = worker.access.liveBytes() + 50_000;
    expect(worker.send(client, 'SET', 'k', 'x'.repeat(100_000))).toBe(OK);
    expect(worker.send(client, 'SET', 'k', 'x'.repeat(100_000))).toMatch(/^-OOM/);
  });

  test('is looked at when a waiting command runs', () => {
    const rig = new WorkerRig();
    const [worker] = rig.workers;
    const client = worker.connect();
    rig.outside.latches[0].tryAcquire();
    worker.send(client, 'SET', 'k', 'v');
    worker.executor.maxMemoryBytes = 1;
    worker.send(worker.connect(), 'SET', 'l', 'v');
    worker.facts.overMemory = () => true;
    rig.outside.latches[0].release();
    rig.poll();
    expect(client.replies[0]).toMatch(/^-OOM/);
  });

  test('that is full still lets go of keys, and of their lives', () => {
    const rig = new WorkerRig({ arenaBytes: 16 << 20 });
    const [worker] = rig.workers;
    const client = worker.connect();
    const value = 'x'.repeat(3000);
    let keys = 0;
    while (worker.send(client, 'SET', `k${keys}`, value) === OK) keys++;
    expect(keys).toBeGreaterThan(1000);
    expect(worker.send(client, 'EXPIRE', 'k0', '100')).toBe(':1\r\n');
    // those that need memory and may not be refused share the emergency room; even behind its end keys can be removed
    let moved = 0;
    while (moved < keys && worker.send(client, 'EXPIRE', `k${moved}`, '100') === ':1\r\n') moved++;
    for (const command of [['DEL', 'k1'], ['UNLINK', 'k2'], ['FLUSHALL']]) {
      expect(worker.send(client, ...command)).not.toMatch(/^-/);
    }
  });

  test('that is used up is no reason to keep keys', () => {
    const rig = new WorkerRig();
    const [worker] = rig.workers;
    const client = worker.connect();
    worker.send(client, 'SET', 'k', 'v');
    worker.send(client, 'SET', 'l', 'v');
    worker.access.spaces[0].arena.reserve = () => false;
    expect(worker.send(client, 'EXPIRE', 'k', '10')).toMatch(/^-OOM/);
    expect(worker.send(client, 'GETDEL', 'k')).toBe('$1\r\nv\r\n');
    expect(worker.send(client, 'DEL', 'l')).toBe(':1\r\n');
  });
});

describe('a journal that cannot follow', () => {
  function expiredKey(): { rig: WorkerRig; worker: RigWorker; client: RigClient } {
    const rig = new WorkerRig();
    const [worker] = rig.workers;
    const client = worker.connect();
    worker.send(client, 'SET', 'k', 'v', 'PX', '10');
    rig.nowMs += 20;
    rig.journals[0].full = true;
    rig.journals[0].records = 0;
    return { rig, worker, client };
  }

  test('gets no removals from reads, which see the keys as gone', () => {
    const { rig, worker, client } = expiredKey();
    expect(worker.send(client, 'GET', 'k')).toBe('$-1\r\n');
    expect(worker.send(client, 'MGET', 'k', 'k')).toBe('*2\r\n$-1\r\n$-1\r\n');
    expect(worker.send(client, 'EXISTS', 'k')).toBe(':0\r\n');
    expect(worker.send(client, 'SCAN', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
    expect(worker.send(client, 'RANDOMKEY')).toBe('$-1\r\n');
    expect([rig.journals[0].records, worker.access.spaces[0].count(0)]).toEqual([0, 1]);
    rig.journals[0].full = false;
    expect(worker.send(client, 'GET', 'k')).toBe('$-1\r\n');
    expect([rig.journals[0].records, worker.access.spaces[0].count(0)]).toEqual([1, 0]);
  });

  test('RANDOMKEY finds the key that lives among those that do not', () => {
    const { rig, worker, client } = expiredKey();
    rig.journals[0].full = false;
    for (let i = 0; i < 50; i++) worker.send(client, 'SET', `e${i}`, 'v', 'PX', '10');
    worker.send(client, 'SET', 'alive', 'v');
    rig.nowMs += 20;
    rig.journals[0].full = true;
    expect(worker.send(client, 'RANDOMKEY')).toBe('$5\r\nalive\r\n');
  });

  test('makes writes wait, which then remove what has expired', () => {
    const { rig, worker, client } = expiredKey();
    expect(worker.send(client, 'SET', 'k', 'w', 'XX')).toBe(null);
    rig.poll();
    expect(client.replies.length).toBe(1);
    rig.journals[0].full = false;
    rig.poll();
    expect(client.replies[1]).toBe('$-1\r\n');
    expect([rig.journals[0].records, worker.access.spaces[0].count(0)]).toEqual([1, 0]);
  });

  test('is no reason for a write that has begun to leave what has expired in its way', () => {
    const { rig, worker, client } = expiredKey();
    // others fill the journal behind the gate
    let looks = 0;
    rig.journals[0].backlogFull = () => ++looks > 2;
    expect(worker.send(client, 'SETNX', 'k', 'w')).toBe(':1\r\n');
    expect(worker.access.spaces[0].count(0)).toBe(1);
    expect(worker.send(client, 'GET', 'k')).toBe('$1\r\nw\r\n');
  });
});

describe('a command that chooses its shards', () => {
  const spec: CommandSpec = {
    name: 'chooser',
    arity: -2,
    flags: ['readonly'],
    keys: [{ flags: ['RO', 'access'], begin: 1, find: { kind: 'range', last: 0, step: 1, limit: 0 } }],
    acl: ['keyspace'],
    since: '1.0.0',
    group: 'generic',
    summary: 'Chooses.',
    complexity: 'O(1)',
    reach: 'chosen',
    run() {},
  };

  test.each([
    ['all of them', SHARD_CHOICE.all, -1, [0, 1, 2]],
    ['one of them', 1, 1, [1]],
    ['those of its keys', SHARD_CHOICE.keys, 2, [2]],
  ])('takes %s', (_, choice, outcome, held) => {
    const rig = new WorkerRig({ shards: 3 });
    const { executor } = rig.workers[0];
    const row = new CommandRow({ ...spec, shardChoice: () => choice }, 0, null);
    expect(row.reach).toBe(REACH.chosen);
    const args = new Args();
    const key = rig.keyOf(2);
    args.buf = Buffer.from(`chooser${key}`);
    args.count = 2;
    args.starts[0] = 0;
    args.ends[0] = args.starts[1] = 7;
    args.ends[1] = 7 + key.length;
    expect(executor.route(row, args, 0)).toBe(outcome);
    expect([...executor.unit.held.subarray(0, executor.unit.heldCount)]).toEqual(held);
  });
});
