/** How the process ends when its end is not easy: threads that are stuck or die, a disk that refuses. */
import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { describeWith } from './describe-with.ts';
import { ReplyError } from './reply-reader.ts';
import { frame } from './resp-client.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const CLEAN = { code: 0, signal: null };
const LOUD = { code: 1, signal: null };
const START: StartOptions = {
  command: serverUnderTest(),
  options: { appendonly: 'yes', 'enable-debug-command': 'yes' },
  skeinOptions: { workers: 2, shards: 2 },
};

const started = (plants: readonly Plant[] = []) => servers.start({ ...START, ...planted(plants) });

async function sayWhen(server: ServerProcess, text: string | RegExp): Promise<void> {
  await waitUntil(`${text} in the log`, () => server.log().search(text) >= 0);
}

/** A server whose worker sleeps for so long that nobody would wait for it. */
async function stuckServer(): Promise<ServerProcess> {
  const server = await started();
  const client = await server.connect();
  await client.must('SET', 'kept', 'yes');
  client.send(frame(['DEBUG', 'SLEEP', 60]));
  return server;
}

describeSkein('an end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('that waits for a thread is forced by a second %s', async (signal) => {
    const server = await stuckServer();
    server.signal(signal);
    await sayWhen(server, 'User requested shutdown');
    server.signal(signal);
    expect(await server.exit(5000)).toEqual(LOUD);
    expect(server.log()).toContain('again, exiting now');
    const again = servers.add(await server.restart());
    expect(await (await again.connect()).call('GET', 'kept')).toBe('yes');
  });

  test('SIGHUP is no reason to end', async () => {
    const server = await started();
    server.signal('SIGHUP');
    const client = await server.connect();
    for (let i = 0; i < 20; i++) expect(await client.call('PING')).toBe('PONG');
    expect(await server.stop()).toEqual(CLEAN);
  });

  test.each([
    [
      'a worker',
      {
        file: 'src/net/worker-thread.ts',
        text: '    this.clients.endAll();',
        replacement: 'process.exit(3);',
      },
    ],
    [
      'the journal thread',
      {
        file: 'src/journal/committer.ts',
        text: '  finish(): boolean {',
        replacement: 'finish(): boolean { throw new Error("planted");',
      },
    ],
  ])('in which %s dies is loud', async (_name, plant) => {
    const server = await started([plant]);
    const client = await server.connect();
    await client.must('SET', 'kept', 'yes');
    server.signal('SIGTERM');
    expect(await server.exit(5000)).toEqual(LOUD);
    expect(server.log()).toMatch(/SKEIN BUG: (worker \d ended with code 3|the journal thread failed: Error: planted)/);
    const again = servers.add(await server.restart(planted([])));
    expect(await (await again.connect()).call('GET', 'kept')).toBe('yes');
  });

  test('before there are threads comes at once', async () => {
    const pauseBefore: Plant = {
      file: 'src/net/acceptor.ts',
      text: '    await this.startThreads(port, staticReader);',
      replacement:
        'await new Promise((resolve) => setTimeout(resolve, 60000, this.log.line("notice", "no threads yet")));',
    };
    const server = servers.add(await ServerProcess.spawn({ ...START, ...planted([pauseBefore]) }));
    await sayWhen(server, 'no threads yet');
    server.signal('SIGTERM');
    expect(await server.exit(5000)).toEqual(CLEAN);
  });

  test('shutdown-on-sigterm says how', async () => {
    const server = await servers.start({ ...START, options: { ...START.options, 'shutdown-on-sigterm': 'save' } });
    expect(await server.stop()).toEqual(CLEAN);
    expect(server.log()).toContain('Saving the final RDB snapshot');
  });
});

test('files that one thread has opened are closed by another one, and nobody wonders', async () => {
  const server = await started();
  const client = await server.connect();
  await client.must('SET', 'k', 'v');
  await client.must('BGREWRITEAOF');
  await waitUntil('the rewrite', async () => /aof_rewrites:1\r/.test(String(await client.call('INFO', 'persistence'))));
  await client.must('CONFIG', 'SET', 'appendonly', 'no');
  await client.must('CONFIG', 'SET', 'appendonly', 'yes');
  expect(await server.stop()).toEqual(CLEAN);
  expect(server.log()).not.toContain('Warning:');
});

describeSkein('with a disk that takes nothing more', () => {
  describeWith(['prlimit'], 'SHUTDOWN', () => {
    async function brokenServer() {
      const options = { ...START.options, appendfsync: 'always' };
      const server = await servers.start({ ...START, options });
      const client = await server.connect();
      await client.must('SET', 'kept', 'yes');
      execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=20000:unlimited']);
      const writer = await server.connect();
      writer.send(frame(['SET', 'big', 'v'.repeat(50_000)]));
      await sayWhen(server, 'cannot be written');
      return { server, client };
    }

    test('is refused, FORCE ends it although replies wait for the disk', async () => {
      const { server } = await brokenServer();
      const asker = await server.connect();
      expect(await asker.call('SHUTDOWN')).toEqual(new ReplyError('ERR Errors trying to SHUTDOWN. Check logs.'));
      expect(await asker.call('ECHO', 'x')).toBe('x');
      asker.send(frame(['SHUTDOWN', 'FORCE']));
      expect(await server.exit(5000)).toEqual(CLEAN);
      const again = servers.add(await server.restart());
      expect(await (await again.connect()).call('GET', 'kept')).toBe('yes');
    });

    test('DEBUG RELOAD is refused and loses nothing: what is not in the files stays in memory', async () => {
      const { server } = await brokenServer();
      const asker = await server.connect();
      expect(await asker.call('DEBUG', 'RELOAD')).toEqual(new ReplyError('ERR the journal cannot be written'));
      execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=unlimited:unlimited']);
      await waitUntil('writes are taken again', async () => (await asker.call('SET', 'later', '1')) === 'OK');
      expect(await asker.call('STRLEN', 'big')).toBe(50_000);
      expect(await asker.call('DEBUG', 'RELOAD')).toBe('OK');
      expect(await asker.call('DBSIZE')).toBe(3);
    });

    test('a signal is refused as well, the next one is not', async () => {
      const { server } = await brokenServer();
      server.signal('SIGTERM');
      await sayWhen(server, 'shutdown is refused');
      server.signal('SIGTERM');
      expect(await server.exit(5000)).toEqual(LOUD);
    });

    test('a refused signal is forgotten when the disk takes writes again: the next one ends it in order', async () => {
      const { server, client } = await brokenServer();
      server.signal('SIGTERM');
      await sayWhen(server, 'shutdown is refused');
      execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=unlimited:unlimited']);
      await waitUntil('writes are taken again', async () => (await client.call('SET', 'later', '1')) === 'OK');
      server.signal('SIGTERM');
      expect(await server.exit(5000)).toEqual(CLEAN);
      expect(server.log().match(/scheduling shutdown/g)?.length).toBe(2);
    });
  });
});
