/** Folders that cannot be had: one that another server uses, and one on a file system that is read-only. Clear words, and nothing is changed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ReplyError } from '../server/reply-reader.ts';
import { SKEIN, serverUnderTest } from '../server/server-command.ts';
import { type Options, ServerGroup, ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { canMount, describeSkein, lastIncrement } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const servers = new ServerGroup();
const folders: string[] = [];
afterEach(async () => {
  await servers.removeAll();
  for (const folder of folders.splice(0)) {
    spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  }
});

const options = (folder: string, more: Options = {}) => ({
  command: SKEIN,
  folder,
  options: { appendonly: 'yes', ...more },
  skeinOptions: { workers: 2, shards: 2 },
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-shared-'));
  folders.push(folder);
  return folder;
}

describeSkein('two servers in one folder', () => {
  test('the second one is refused, and may begin when the first one is gone, however it went', async () => {
    const folder = newFolder();
    const first = await servers.start(options(folder));
    await (await first.connect()).must('SET', 'k', '1');
    const before = readFileSync(lastIncrement(folder, 0));
    // another name of the same folder is no way around it
    const alias = `${folder}.alias`;
    folders.push(alias);
    symlinkSync(folder, alias);
    for (const path of [folder, alias]) {
      const second = servers.add(await ServerProcess.spawn(options(path)));
      expect((await second.exit(30_000)).code).toBe(1);
      expect(second.log()).toMatch(/The data in \S+appendonlydir are in use by another server/);
    }
    expect(readFileSync(lastIncrement(folder, 0)).equals(before)).toBe(true);
    await first.kill();
    noteFaults('second servers in one folder', 2);
    const third = await servers.start(options(folder));
    expect(await (await third.connect()).must('GET', 'k')).toBe('1');
  });

  test('nor can the journal be switched on there; without one, folders are shared as with Redis', async () => {
    const folder = newFolder();
    await servers.start(options(folder));
    const second = await servers.start(options(folder, { appendonly: 'no' }));
    const client = await second.connect();
    const refusal = await client.call('CONFIG', 'SET', 'appendonly', 'yes');
    expect(String((refusal as ReplyError).message)).toMatch(/in use by another server/);
    expect(await client.call('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
    await client.must('SET', 'k', '1');
    noteFaults('second servers in one folder', 1);
  });

  test('the journal may be switched off and on again, by clients of any worker', async () => {
    const folder = newFolder();
    const server = await servers.start(options(folder, { appendonly: 'no' }));
    for (let round = 0; round < 4; round++) {
      const client = await server.connect();
      expect(await client.call('CONFIG', 'SET', 'appendonly', 'yes')).toBe('OK');
      expect(await client.call('CONFIG', 'SET', 'appendonly', 'no')).toBe('OK');
    }
  });

  test('the journal may move to another folder and back, by clients of any worker', async () => {
    const first = newFolder();
    const second = newFolder();
    const server = await servers.start(options(first, { 'enable-protected-configs': 'yes' }));
    for (const [round, folder] of [second, first, second, first].entries()) {
      const client = await server.connect();
      await client.must('CONFIG', 'SET', 'appendonly', 'no');
      await client.must('CONFIG', 'SET', 'dir', folder);
      await client.must('CONFIG', 'SET', 'appendonly', 'yes');
      await client.must('SET', `k${round}`, '1');
    }
    // none of the two is free for another server
    for (const folder of [first, second]) {
      const other = servers.add(await ServerProcess.spawn(options(folder)));
      expect((await other.exit(30_000)).code).toBe(1);
    }
    await server.kill();
    for (const [folder, keys] of [
      [first, 4],
      [second, 3],
    ] as const) {
      const client = await (await servers.start(options(folder))).connect();
      expect(await client.must('DBSIZE')).toBe(keys);
    }
  });
});

describe.skipIf(serverUnderTest().kind === 'stock' || !canMount())('a read-only file system', () => {
  /** A folder on a file system of its own, in which a server has run; read-only now. */
  async function readOnlyFolder(): Promise<string> {
    const mounted = newFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', mounted]);
    const folder = join(mounted, 'data');
    mkdirSync(folder);
    const server = await servers.start(options(folder));
    const client = await server.connect();
    await client.must('SET', 'k', '1');
    await client.must('SAVE');
    await server.kill();
    execFileSync('mount', ['-o', 'remount,ro', mounted]);
    noteFaults('read-only file systems', 1);
    return folder;
  }

  test('with a journal: no start, and the log says why', async () => {
    const folder = await readOnlyFolder();
    const server = servers.add(await ServerProcess.spawn(options(folder)));
    expect((await server.exit(30_000)).code).toBe(1);
    expect(server.log()).toMatch(/appendonlydir\S*.*read-only file system|EROFS/);
  });

  test('without one: the snapshot is loaded, saving fails, writes are refused if there are save points', async () => {
    const folder = await readOnlyFolder();
    const server = await servers.start(options(folder, { appendonly: 'no', save: [900, 1000] }));
    const client = await server.connect();
    expect(await client.call('GET', 'k')).toBe('1');
    expect(await client.call('SET', 'k', '2')).toBe('OK');
    expect(await client.call('SAVE')).toBeInstanceOf(ReplyError);
    expect(await client.call('CONFIG', 'SET', 'appendonly', 'yes')).toBeInstanceOf(ReplyError);
    await client.must('BGSAVE');
    await waitUntil('a refusal', async () => {
      const reply = await client.call('SET', 'k', '3');
      return reply instanceof ReplyError && reply.message.startsWith('MISCONF ');
    });
    expect(await client.call('GET', 'k')).toMatch(/[23]/);
    expect(readdirSync(folder).filter((name) => name.startsWith('temp'))).toEqual([]);
  });
});
