/** EXEC where latches are busy, and units of several commands as scripts will use them. */
import { expect, test } from 'vitest';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { DONE } from '../../../src/dispatch/executor.ts';
import { NEED_MORE, SeveralCommands } from '../../../src/dispatch/several-commands.ts';
import { Args } from '../../../src/resp/args.ts';
import { SHARD, SHARD_F64 } from '../../../src/shard/world.ts';
import { InProcess } from '../commands/in-process.ts';
import { type RigClient, type RigWorker, WorkerRig } from './worker-rig.ts';

function begin(worker: RigWorker, client: RigClient, ...commands: string[][]): void {
  worker.send(client, 'MULTI');
  for (const command of commands) expect(worker.send(client, ...command)).toBe('+QUEUED\r\n');
}

function watches(worker: RigWorker): number {
  return worker.server.watches.tables.reduce((sum, table) => sum + table.watchCount(), 0);
}

test('waits for a busy latch and holds none meanwhile', () => {
  const rig = new WorkerRig({ shards: 2 });
  const [worker] = rig.workers;
  const [client, other] = [worker.connect(), worker.connect()];
  begin(worker, client, ['SET', rig.keyOf(0), '1'], ['INCR', rig.keyOf(1)]);
  rig.outside.latches[1].tryAcquire();
  expect(worker.send(client, 'EXEC')).toBe(null);
  rig.poll();
  expect(worker.send(other, 'SET', rig.keyOf(0), 'x')).toBe('+OK\r\n');
  expect(rig.outside.headers[0].i32[SHARD.latch]).toBe(0);
  rig.outside.latches[1].release();
  rig.poll();
  expect(client.replies.at(-1)).toBe('*2\r\n+OK\r\n:1\r\n');
  expect(client.stamps).toEqual([0, 1]);
  expect(worker.send(client, 'GET', rig.keyOf(0))).toBe('$1\r\n1\r\n');
});

test('what happens to a watched key while EXEC waits counts', () => {
  const rig = new WorkerRig({ shards: 2 });
  const [worker] = rig.workers;
  const [client, other] = [worker.connect(), worker.connect()];
  worker.send(client, 'WATCH', rig.keyOf(0));
  begin(worker, client, ['SET', rig.keyOf(1), '1']);
  rig.outside.latches[1].tryAcquire();
  worker.send(client, 'EXEC');
  worker.send(other, 'SET', rig.keyOf(0), 'x');
  rig.outside.latches[1].release();
  rig.poll();
  expect(client.replies.at(-1)).toBe('*-1\r\n');
  expect([worker.send(other, 'GET', rig.keyOf(1)), watches(worker)]).toEqual(['$-1\r\n', 0]);
});

test('who goes while his EXEC waits leaves nothing behind, once the latches are free', () => {
  const rig = new WorkerRig({ shards: 2 });
  const [worker] = rig.workers;
  const [client, other] = [worker.connect(), worker.connect()];
  worker.send(client, 'WATCH', rig.keyOf(0), rig.keyOf(1));
  begin(worker, client, ['SET', rig.keyOf(1), '1']);
  rig.outside.latches[1].tryAcquire();
  worker.send(client, 'EXEC');
  client.session.peer = null;
  client.session.leave();
  expect(watches(worker)).toBe(1);
  rig.outside.latches[1].release();
  worker.server.watches.tidy();
  rig.poll();
  expect([worker.send(other, 'GET', rig.keyOf(1)), watches(worker)]).toEqual(['$-1\r\n', 0]);
});

test('with cross-shard ring WATCH and EXEC stay at home; any worker marks the watch', () => {
  const rig = new WorkerRig({ workers: 2, shards: 2 });
  const [home, away] = rig.workers;
  home.dispatcher.ringMode = true;
  const [client, other] = [home.connect(), away.connect()];
  expect(home.send(client, 'WATCH', rig.keyOf(1))).toBe('+OK\r\n');
  begin(home, client, ['SET', rig.keyOf(1), '1']);
  away.send(other, 'SET', rig.keyOf(1), 'x');
  expect(home.send(client, 'EXEC')).toBe('*-1\r\n');
  begin(home, client, ['SET', rig.keyOf(1), '1'], ['GET', rig.keyOf(0)]);
  expect(home.send(client, 'EXEC')).toBe('*2\r\n+OK\r\n$-1\r\n');
  expect(away.send(other, 'GET', rig.keyOf(1))).toBe('$1\r\n1\r\n');
});

test('answers of other threads are put where they belong', () => {
  const server = new InProcess({ control: { save: (session) => session.park() } });
  const answers: string[] = [];
  server.run('MULTI');
  for (const command of [['SET', 'a', '1'], ['BGSAVE'], ['GET', 'a'], ['BGSAVE'], ['PING']]) server.run(...command);
  expect(server.run('EXEC')).toBe('');
  expect(server.session.parked).toBe(true);
  for (const text of ['+one\r\n', '+two\r\n']) {
    const whole = server.session.spliced!.fill(Buffer.from(text));
    if (whole !== null) answers.push(whole.toString());
  }
  expect(answers).toEqual(['*5\r\n+OK\r\n+one\r\n$1\r\n1\r\n+two\r\n+PONG\r\n']);
});

test('a unit can take more latches while it runs, if that needs no waiting and no time passes', () => {
  const rig = new WorkerRig({ shards: 3 });
  const [worker] = rig.workers;
  const { executor, reply } = worker;
  const several = new SeveralCommands(executor);
  const set = COMMANDS.byName('set')!;
  const run = (shard: number) => several.runNested(set, Args.of('set', rig.keyOf(shard), 'v'), reply, 0, false);
  executor.clockMs = rig.nowMs;
  several.beginCollecting();
  several.collectShard(0);
  expect(several.latchCollected(reply, true, false, false)).toBe(DONE);
  expect([run(0), run(1)]).toEqual([DONE, NEED_MORE]);
  rig.outside.latches[2].tryAcquire();
  expect(several.tryLatchMore(Int32Array.of(1, 2), 2)).toBe(false);
  expect([run(1), rig.outside.latches[1].tryAcquire()]).toEqual([NEED_MORE, true]);
  rig.outside.latches[1].release();
  rig.outside.latches[2].release();
  rig.outside.headers[2].f64[SHARD_F64.newestMs] = rig.nowMs + 5;
  expect(several.tryLatchMore(Int32Array.of(2), 1)).toBe(false);
  expect(several.tryLatchMore(Int32Array.of(1), 1)).toBe(true);
  expect(run(1)).toBe(DONE);
  several.end(reply, set, 0);
  for (const latch of rig.outside.latches) {
    expect(latch.tryAcquire()).toBe(true);
    latch.release();
  }
});
