/** A server whose data is still being loaded: what it answers, and how it ends. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { ReplyError } from './reply-reader.ts';
import { frame, type RespClient } from './resp-client.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const CLEAN = { code: 0, signal: null };
const START: StartOptions = {
  command: serverUnderTest(),
  options: { appendonly: 'yes', 'enable-debug-command': 'yes' },
  skeinOptions: { workers: 2, shards: 2 },
};

const started = (plants: readonly Plant[] = []) => servers.start({ ...START, ...planted(plants) });

/** All bytes of a data set. */
function contents(folder: string): Record<string, string> {
  const root = join(folder, 'appendonlydir');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.aof|manifest/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(root, name), 'latin1')]));
}

/** Data of some keys, killed; then a server that takes its time to load them. */
async function loadingServer(plants: readonly Plant[] = []): Promise<ServerProcess> {
  const first = await started();
  const client = await first.connect();
  await client.pipeline(Array.from({ length: 400 }, (_, i) => ['SET', `k:${i}`, i]));
  await first.kill();
  const options = { ...START.options, 'key-load-delay': 20_000 };
  const start = { ...START, ...planted(plants), options, folder: first.folder, port: first.port };
  return servers.add(await ServerProcess.spawn(start));
}

async function earlyClient(server: ServerProcess): Promise<RespClient> {
  let client: RespClient | null = null;
  await waitUntil('somebody listens', async () => {
    client = await server.connect().catch(() => null);
    return client !== null;
  });
  return client!;
}

describeSkein('while the data is loaded', () => {
  test.each(['SIGTERM', 'SIGINT', 'SHUTDOWN'] as const)(
    '%s ends it cleanly, the files stay as they are',
    async (how) => {
      const server = await loadingServer();
      const client = await earlyClient(server);
      await waitUntil(
        'the replay',
        async () => !/loading_loaded_bytes:0\r/.test(String(await client.call('INFO', 'persistence'))),
      );
      const before = contents(server.folder);
      if (how === 'SHUTDOWN') client.send(frame(['SHUTDOWN']));
      else server.signal(how);
      expect(await server.exit(5000)).toEqual(CLEAN);
      expect(server.log()).not.toContain('Ready to accept');
      expect(contents(server.folder)).toEqual(before);
      const again = servers.add(await server.restart({ options: START.options }));
      expect(await (await again.connect()).call('DBSIZE')).toBe(400);
    },
  );

  test('also while the files are checked: nothing is cut before all of them are', async () => {
    const slowScan: Plant = {
      file: 'src/persistence/scan.ts',
      text: '    this.take(header!);',
      replacement: 'this.take(header!); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);',
    };
    const server = await loadingServer([slowScan]);
    const client = await earlyClient(server);
    const before = contents(server.folder);
    expect(await client.call('GET', 'k:1')).toEqual(new ReplyError('LOADING Redis is loading the dataset in memory'));
    server.signal('SIGTERM');
    expect(await server.exit(5000)).toEqual(CLEAN);
    expect(contents(server.folder)).toEqual(before);
  });

  test('clients are answered: LOADING for data, INFO tells how far it is', async () => {
    const server = await loadingServer();
    const client = await earlyClient(server);
    const loading = new ReplyError('LOADING Redis is loading the dataset in memory');
    // as in Redis even PING; what tells about the server is answered
    expect(await client.call('TIME')).toHaveLength(2);
    for (const command of [
      ['PING'],
      ['GET', 'k:1'],
      ['SET', 'k:1', 'x'],
      ['DBSIZE'],
      ['DEBUG', 'OBJECT', 'k:1'],
      ['DEBUG', 'DIGEST'],
    ])
      expect(await client.call(...command), command.join(' ')).toEqual(loading);
    const figure = (info: string, name: string) => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1]);
    let last = -1;
    await waitUntil('progress', async () => {
      const info = String(await client.call('INFO', 'persistence'));
      expect(figure(info, 'loading')).toBe(1);
      const [loaded, total] = [figure(info, 'loading_loaded_bytes'), figure(info, 'loading_total_bytes')];
      expect(loaded).toBeGreaterThanOrEqual(last);
      expect(loaded).toBeLessThanOrEqual(total);
      if (total > 0) expect(figure(info, 'loading_loaded_perc')).toBeCloseTo((loaded * 100) / total, 1);
      expect(figure(info, 'loading_eta_seconds')).toBeGreaterThanOrEqual(0);
      last = loaded;
      return loaded > 0 && loaded < total;
    });
    await client.must('CONFIG', 'SET', 'key-load-delay', 0);
    expect(await server.ready()).toBe(true);
    expect(server.log()).toContain('DB loaded from append only file: 400 records');
    expect(await client.call('DBSIZE')).toBe(400);
    expect(String(await client.call('INFO', 'persistence'))).not.toMatch(/loading_total_bytes/);
  });

  test.each([1, 2])('keys of an RDB file wait, too: each once, with %i workers', async (workers) => {
    const [keys, delayMicros] = [2000, 300];
    const options = { ...START.options, appendonly: 'no', save: '' };
    const start = { ...START, skeinOptions: { workers, shards: 2 } };
    const first = await servers.start({ ...start, options });
    const saver = await first.connect();
    await saver.pipeline(Array.from({ length: keys }, (_, i) => ['SET', `k:${i}`, i]));
    await saver.must('SAVE');
    await first.kill();
    const { folder, port } = first;
    const slow = { ...start, options: { ...options, 'key-load-delay': delayMicros }, folder, port };
    const server = servers.add(await ServerProcess.spawn(slow));
    const client = await earlyClient(server);
    await waitUntil('the load', async () =>
      /loading_loaded_perc:[1-9]/.test(String(await client.call('INFO', 'persistence'))),
    );
    expect(await server.ready()).toBe(true);
    const seconds = Number(/DB loaded from disk: 2000 keys in ([\d.]+) seconds/.exec(server.log())?.[1]);
    expect(seconds).toBeGreaterThanOrEqual((keys * delayMicros) / 1_000_000 - 0.005);
  });
});
