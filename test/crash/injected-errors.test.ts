/**
 * Errors and delays that strace injects into the calls of a running server, and a disk that is really full: what was acknowledged stays,
 * reads are served, writes are refused with a reason, and taken again where that is sound.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { ReplyError } from '../server/reply-reader.ts';
import { ConnectionLost, type RespClient } from '../server/resp-client.ts';
import { SKEIN } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { canMount, describeSkein, lastIncrement } from './data-files.ts';
import { noteChecked, noteFaults } from './fault-tally.ts';

const SHARDS = 2;
const servers = new ServerGroup();
const tracers: ChildProcess[] = [];
const mounts: string[] = [];
afterEach(async () => {
  for (const tracer of tracers.splice(0)) tracer.kill('SIGKILL');
  await servers.removeAll();
  for (const folder of mounts.splice(0)) {
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
});

const start = (appendfsync: string, folder?: string): Promise<ServerProcess> =>
  servers.start({
    command: SKEIN,
    ...(folder === undefined ? {} : { folder }),
    options: { appendonly: 'yes', appendfsync },
    skeinOptions: { workers: 2, shards: SHARDS },
  });

/** Lets strace change what these calls do to the journals of a server; returns how to end that. */
async function inject(server: ServerProcess, calls: string, what: string): Promise<() => Promise<void>> {
  const paths = Array.from({ length: SHARDS }, (_, shard) => ['-P', lastIncrement(server.folder, shard)]).flat();
  const log = join(server.folder, 'strace.log');
  const args = ['-f', '-qq', '-o', log, ...paths, '-e', `trace=${calls}`, '-e', `inject=${calls}:${what}`];
  const tracer = spawn('strace', [...args, '-p', String(server.pid)], { stdio: 'ignore' });
  tracers.push(tracer);
  noteFaults(`calls of the system with strace's ${what.replace(/=\d+/, '')}`);
  const ended = new Promise((resolve) => tracer.once('close', resolve));
  await waitUntil('every thread is traced', () => {
    const threads = execFileSync('sh', ['-c', `grep -h TracerPid /proc/${server.pid}/task/*/status`], {
      encoding: 'utf8',
    });
    return !/TracerPid:\s+0\n/.test(threads);
  });
  return async () => {
    tracer.kill('SIGINT');
    await ended;
  };
}

/** Writes numbered keys until one is refused, or `enough` are there; how many were acknowledged, and the refusal. */
async function writeKeys(client: RespClient, from: number, enough: number) {
  for (let n = from; n < enough; n++) {
    const reply = await client.call('SET', `k${n}`, 'v'.repeat(100));
    if (reply instanceof ReplyError) return { acknowledged: n, refusal: reply.message };
  }
  return { acknowledged: enough, refusal: '' };
}

/** What a write is refused with; '' where it would be taken. It has no effect. */
async function refusalOf(client: RespClient): Promise<string> {
  const reply = await client.call('SET', 'k0', '1', 'NX');
  return reply instanceof ReplyError ? reply.message : '';
}

async function expectKeys(server: ServerProcess, count: number): Promise<void> {
  const client = await server.connect();
  const keys = Array.from({ length: count }, (_, n) => `k${n}`);
  expect(await client.call('EXISTS', ...keys)).toBe(count);
  noteChecked(count);
  client.close();
}

describeSkein('a disk that fails', () => {
  describeWith(['strace'], 'by the system saying so', () => {
    test.each(['ENOSPC', 'EIO', 'EROFS'])('writes: %s, for a while', async (error) => {
      const server = await start('everysec');
      const client = await server.connect();
      expect(await writeKeys(client, 0, 100)).toEqual({ acknowledged: 100, refusal: '' });
      const end = await inject(server, 'pwrite64,pwritev,pwritev2', `error=${error}`);
      // this one is owed until its record is in a file
      const owed = client.call('SET', 'k100', 'owed');
      const other = await server.connect();
      await waitUntil('a refusal', async () => (await other.call('SET', 'other', '1')) instanceof ReplyError);
      expect(((await other.call('SET', 'other', '1')) as ReplyError).message).toMatch(
        /^MISCONF Errors writing to the AOF/,
      );
      expect(await other.call('GET', 'k5')).toBe('v'.repeat(100));
      expect(String(await other.call('INFO', 'persistence'))).toMatch(/aof_last_write_status:err/);
      await end();
      expect(await owed).toBe('OK');
      await waitUntil('writes are taken again', async () => (await other.call('SET', 'k101', '1')) === 'OK');
      expect(String(await other.call('INFO', 'persistence'))).toMatch(/aof_last_write_status:ok/);
      const tells = /cannot be written.*Writes are refused[\s\S]*take writes again/;
      await waitUntil('both in the log', () => tells.test(server.log()));
      await server.kill();
      await expectKeys(servers.add(await server.restart()), 102);
    });

    test('one failed fsync under everysec: the files are never trusted again, all is written into new ones', async () => {
      const server = await start('everysec');
      const client = await server.connect();
      const end = await inject(server, 'fdatasync', 'error=EIO:when=1');
      await client.must('SET', 'k0', '1');
      await waitUntil('a refusal', async () => (await client.call('SET', 'other', '1')) instanceof ReplyError);
      expect(await client.call('GET', 'k0')).toBe('1');
      await end();
      await waitUntil('writes are taken again', async () => (await client.call('SET', 'k1', '1')) === 'OK');
      await waitUntil('that is in the log', () => server.log().includes('take writes again'));
      await server.kill();
      await expectKeys(servers.add(await server.restart()), 2);
    });

    test('one failed fsync under always: never trusted again, until a restart', async () => {
      const server = await start('always');
      const client = await server.connect();
      await client.must('SET', 'k0', '1');
      const end = await inject(server, 'fdatasync', 'error=EIO:when=1');
      // nobody knows what became of it: its client is told by the end of its connection
      await expect(client.call('SET', 'k1', '1')).rejects.toBeInstanceOf(ConnectionLost);
      const other = await server.connect();
      await waitUntil('a refusal', async () => /^MISCONF /.test(await refusalOf(other)));
      await end();
      // later syncs would succeed
      expect(await refusalOf(other)).toMatch(/^MISCONF /);
      await server.kill();
      const again = servers.add(await server.restart());
      await expectKeys(again, 1);
      expect(await (await again.connect()).call('SET', 'other', '1')).toBe('OK');
    });

    test('a slow one: reads and writes of everysec go on meanwhile, and it is counted', async () => {
      const server = await start('everysec');
      const client = await server.connect();
      const end = await inject(server, 'fdatasync', 'delay_enter=2500000');
      await waitUntil('a delayed sync', async () => {
        await client.must('SET', 'k0', '1');
        return /aof_delayed_fsync:[1-9]/.test(String(await client.call('INFO', 'persistence')));
      });
      const begun = performance.now();
      expect(await client.call('GET', 'k0')).toBe('1');
      expect(performance.now() - begun).toBeLessThan(1000);
      await end();
      await client.must('SET', 'k1', '1');
      await server.kill();
      await expectKeys(servers.add(await server.restart()), 2);
    });
  });

  describe.skipIf(!canMount())('by being full', () => {
    test('journal and snapshots: refused, served, and all is well when there is room again', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'skein-full-'));
      mounts.push(folder);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
      mkdirSync(join(folder, 'data'));
      const filler = join(folder, 'filler');
      const server = await start('everysec', join(folder, 'data'));
      const client = await server.connect();
      expect(await writeKeys(client, 0, 3000)).toEqual({ acknowledged: 3000, refusal: '' });
      const { bfree, bsize } = statfsSync(folder);
      noteFaults('disks filled up');
      writeFileSync(filler, Buffer.alloc(bfree * bsize - 24_000));
      expect(await client.call('SAVE')).toBeInstanceOf(ReplyError);
      await client.call('BGREWRITEAOF');
      await waitUntil('the rewrite has failed', async () =>
        /aof_last_bgrewrite_status:err/.test(String(await client.call('INFO', 'persistence'))),
      );
      // the rest of the room goes to the journal
      const others = await server.connect();
      const owed = Array.from({ length: 8 }, (_, n) => others.call('SET', `k${3000 + n}`, 'x'.repeat(200_000)));
      // a write that comes before this is known waits for room instead of being refused
      await waitUntil('the journal is known to be refused', async () =>
        /aof_last_write_status:err/.test(String(await client.call('INFO', 'persistence'))),
      );
      expect(await client.call('SET', 'other', '1')).toBeInstanceOf(ReplyError);
      expect(await client.call('GET', 'k7')).toBe('v'.repeat(100));
      rmSync(filler);
      await waitUntil('writes are taken again', async () => (await client.call('SET', 'last', '1')) === 'OK');
      const settled = await Promise.all(owed);
      const acknowledged = settled.flatMap((reply, n) => (reply === 'OK' ? [`k${3000 + n}`] : []));
      await server.kill();
      const again = servers.add(await server.restart());
      await expectKeys(again, 3000);
      const reader = await again.connect();
      expect(await reader.call('EXISTS', 'last', ...acknowledged)).toBe(1 + acknowledged.length);
    });
  });
});
