/** A disk that takes no more bytes, and one that fails to sync: writes are refused, reads are served, nothing acknowledged is lost. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Plant, planted } from '../faults/planted-server.ts';
import { describeWith } from '../server/describe-with.ts';
import { ReplyError } from '../server/reply-reader.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { describeSkein } from './data-files.ts';
import { noteChecked, noteFaults } from './fault-tally.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const SHARDS = 2;
const PLUS = 43;
const KEYS = 600;
const BURST = 60;
const VALUE = 'v'.repeat(2000);
const OPTIONS = { options: { appendonly: 'yes' }, skeinOptions: { workers: 2, shards: SHARDS } };

/**
 * One client writes until the disk fails, which another one then is told. What the writer is still owed settles when its
 * records are in a file; acknowledged keys are noted as their answers arrive.
 */
async function writeUntilRefused(server: ServerProcess) {
  noteFaults('disks that take or sync no more');
  const writer = await server.connect();
  const acknowledged: string[] = [];
  const keys = Array.from({ length: KEYS }, (_, n) => `k:${n}`);
  await writer.must('SET', 'first', '1');
  const owed: Promise<void>[] = [];
  const write = async (key: string): Promise<void> => {
    // the connection ends where nobody will ever know what became of it
    const reply = await writer.callRaw(['SET', key, VALUE]).catch(() => null);
    if (reply?.[0] === PLUS) acknowledged.push(key);
  };
  const failed = () => server.log().includes('cannot be written');
  // in bursts, each of which is synced by itself where the policy says so
  for (let n = 0; n < KEYS && !failed(); n += BURST) {
    owed.push(...keys.slice(n, n + BURST).map(write));
    await waitUntil('the burst is answered, or the disk fails', () => acknowledged.length === owed.length || failed());
  }
  await waitUntil('the failure in the log', failed);
  const client = await server.connect();
  const refusal = await client.call('SET', 'other', '1');
  expect(String((refusal as ReplyError).message)).toMatch(/^MISCONF /);
  return { acknowledged, owed: Promise.allSettled(owed), refusal, client };
}

async function expectAll(server: ServerProcess, keys: readonly string[]): Promise<void> {
  const client = await server.connect();
  expect(await client.call('EXISTS', 'never written', ...keys)).toBe(keys.length);
  noteChecked(keys.length);
}

/** No file of the process may grow beyond so many bytes; the system then answers as with a full disk. */
function limitFiles(server: ServerProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`]);
}

describeSkein('a disk that', () => {
  describeWith(['prlimit'], 'is full', () => {
    test.each(['always', 'everysec', 'no'])('appendfsync %s', async (appendfsync) => {
      const start = { ...OPTIONS, options: { ...OPTIONS.options, appendfsync }, command: serverUnderTest() };
      const server = await servers.start(start);
      limitFiles(server, 300_000);
      const { acknowledged, owed, client } = await writeUntilRefused(server);
      // under always the answer would have to wait, for the key's shard holds records that are not safe
      if (appendfsync !== 'always') expect(await client.call('GET', 'first')).toBe('1');
      expect(String(await client.call('INFO', 'persistence'))).toMatch(/aof_last_write_status:err/);

      limitFiles(server, 'unlimited');
      await waitUntil('writes are taken again', async () => (await client.call('SET', 'later', '2')) === 'OK');
      await owed;
      await server.kill();
      await expectAll(servers.add(await server.restart()), ['later', ...acknowledged]);
    });

    test.each([
      ['no', 'OK'],
      ['everysec', 'OK'],
      ['always', 'ERR'],
    ])('when the journal is switched off while it is full, appendfsync %s: %s', async (appendfsync, answer) => {
      const start = { ...OPTIONS, options: { ...OPTIONS.options, appendfsync }, command: serverUnderTest() };
      const server = await servers.start(start);
      limitFiles(server, 300_000);
      const { acknowledged, owed, client } = await writeUntilRefused(server);
      const off = await client.call('CONFIG', 'SET', 'appendonly', 'no');
      if (answer !== 'OK') {
        expect((off as ReplyError).message).toContain('the journal cannot be written');
        expect(await client.call('SET', 'other', '1')).toBeInstanceOf(ReplyError);
        limitFiles(server, 'unlimited');
        await waitUntil(
          'the journal is switched off',
          async () => (await client.call('CONFIG', 'SET', 'appendonly', 'no')) === 'OK',
        );
      } else expect(off).toBe('OK');
      await owed;
      expect(await client.call('SET', 'later', '2')).toBe('OK');
      expect(String(await client.call('INFO', 'persistence'))).toMatch(
        /aof_enabled:0[\s\S]*aof_last_write_status:ok|aof_last_write_status:ok[\s\S]*aof_enabled:0/,
      );
      limitFiles(server, 'unlimited');
      // and on again: everything is in files from then on
      expect(await client.call('CONFIG', 'SET', 'appendonly', 'yes')).toBe('OK');
      await client.must('SET', 'last', '3');
      await server.kill();
      await expectAll(servers.add(await server.restart()), ['later', 'last', ...acknowledged]);
    });

    test('a crash while it is full', async () => {
      const server = await servers.start({ ...OPTIONS, command: serverUnderTest() });
      limitFiles(server, 200_000);
      const { acknowledged } = await writeUntilRefused(server);
      await server.kill();
      await expectAll(servers.add(await server.restart()), acknowledged);
    });
  });

  test('cannot give what a reload writes its place: nothing of it is left', async () => {
    const plant = {
      file: 'src/persistence/data-set.ts',
      text: 'files.rename(making, folder);',
      replacement: "throw Object.assign(new Error('planted'), { errno: -28, code: 'ENOSPC', syscall: 'rename' });",
    };
    const server = await servers.start({ ...planted([plant]), options: { 'enable-debug-command': 'yes', save: '' } });
    const client = await server.connect();
    await client.must('SET', 'k', '1');
    expect(((await client.call('DEBUG', 'RELOAD')) as ReplyError).message).toContain('planted');
    expect(await client.call('GET', 'k')).toBe('1');
    noteFaults('data sets that cannot take their place');
    expect(readdirSync(server.folder).filter((name) => name.startsWith('appendonlydir'))).toEqual([]);
  });

  test('fails to take a snapshot: writes are refused until one succeeds, unless the settings say otherwise', async () => {
    const server = await servers.start({ command: serverUnderTest(), options: { save: [900, 1000] } });
    const client = await server.connect();
    await client.must('SET', 'k', '1');
    const status = async () =>
      /rdb_last_bgsave_status:(\w+)/.exec(String(await client.call('INFO', 'persistence')))?.[1];
    // no file can take the place of a folder
    mkdirSync(join(server.folder, 'dump.rdb'));
    noteFaults('snapshots that cannot be written', 3);
    expect(((await client.call('SAVE')) as ReplyError).message).toBe('ERR');
    await client.must('SET', 'k', '2');
    await client.must('BGSAVE');
    await waitUntil('the failure', async () => (await status()) === 'err');
    expect(server.log()).toMatch(/Error saving DB on disk: .*dump\.rdb/);
    const refusal =
      /^MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk\./;
    await waitUntil('a refusal', async () =>
      refusal.test(((await client.call('SET', 'k', '3')) as ReplyError).message),
    );
    expect(((await client.call('PING')) as ReplyError).message).toMatch(refusal);
    expect(await client.call('GET', 'k')).toBe('2');
    await client.must('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
    await client.must('SET', 'k', '3');
    await client.must('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes');
    expect(((await client.call('SET', 'k', '4')) as ReplyError).message).toMatch(refusal);
    // nor does it end, if the snapshot at the end fails; it goes on as before
    expect(((await client.call('SHUTDOWN')) as ReplyError).message).toBe('ERR Errors trying to SHUTDOWN. Check logs.');
    expect(server.log()).toMatch(/Error trying to save the DB, can't exit\./);
    expect(await (await server.connect()).call('GET', 'k')).toBe('3');
    rmdirSync(join(server.folder, 'dump.rdb'));
    await client.must('BGSAVE');
    await waitUntil('writes are taken again', async () => (await client.call('SET', 'k', '5')) === 'OK');
    expect(await status()).toBe('ok');
  });

  test.each([
    ['always', 2],
    ['everysec', 0],
  ])('fails to sync, and goes on to: no write is ever taken again, appendfsync %s', async (appendfsync, good) => {
    const failing: Plant = {
      file: 'src/env/files.ts',
      text: 'fs.fdatasyncSync(fd);',
      // the main thread's syncs prepare the files; of each other thread the first ones go well
      replacement: `globalThis.syncs = (globalThis.syncs ?? 0) + 1;
        if (!process.getBuiltinModule('worker_threads').isMainThread && globalThis.syncs > ${good})
          throw Object.assign(new Error('planted'), { errno: -5, code: 'EIO' });
        fs.fdatasyncSync(fd);`,
    };
    const server = await servers.start({
      ...OPTIONS,
      ...planted([failing]),
      options: { ...OPTIONS.options, appendfsync },
    });
    const { acknowledged, refusal, client } = await writeUntilRefused(server);
    expect(await client.call('PING')).toEqual(refusal);
    expect(await client.call('ECHO', 'x')).toBe('x');
    expect(await client.call('SET', 'later', '2')).toEqual(refusal);
    expect(server.log()).toMatch(/i\/o error/i);
    await server.kill();
    // the page cache survived: only what was never acknowledged may be missing
    await expectAll(servers.add(await server.restart(planted([]))), acknowledged);
  });

  test('fails to sync once, under everysec: everything is written anew, then writes are taken again', async () => {
    const once: Plant = {
      file: 'src/env/files.ts',
      text: 'fs.fdatasyncSync(fd);',
      // the first one of the journal thread, and none of the threads that write the new files
      replacement: `globalThis.syncs = (globalThis.syncs ?? 0) + 1;
        if (process.getBuiltinModule('worker_threads').threadName === 'skein-journal' && globalThis.syncs === 1)
          throw Object.assign(new Error('planted'), { errno: -5, code: 'EIO', syscall: 'fdatasync' });
        fs.fdatasyncSync(fd);`,
    };
    const options = { ...OPTIONS.options, appendfsync: 'everysec' };
    const server = await servers.start({ ...OPTIONS, ...planted([once]), options });
    const { acknowledged, owed, client } = await writeUntilRefused(server);
    expect(await client.call('GET', 'first')).toBe('1');
    const inode = () => statSync(join(server.folder, 'appendonlydir/skein.manifest')).ino;
    const before = inode();
    await waitUntil('writes are taken again', async () => (await client.call('SET', 'later', '2')) === 'OK');
    // that line comes by another thread
    await waitUntil('the log says so', () => server.log().includes('take writes again'));
    expect(inode()).not.toBe(before);
    await owed;
    await client.must('SET', 'last', '3');
    await server.kill();
    const again = servers.add(await server.restart(planted([])));
    await expectAll(again, ['first', 'later', 'last', ...acknowledged]);
    expect(readdirSync(join(again.folder, 'appendonlydir')).sort()).toEqual(['shard-0', 'shard-1', 'skein.manifest']);
  });
});
