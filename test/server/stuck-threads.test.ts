/** Threads whose event loops stand still: for long work, for a slow disk, or for good. */
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { frame } from './resp-client.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, type StartOptions } from './server-process.ts';
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

describeSkein('a worker that is stuck', () => {
  test('gets no new connection', async () => {
    const server = await started();
    const other = await server.connect();
    const sleeper = await server.connect();
    sleeper.send(frame(['DEBUG', 'SLEEP', 60]));
    // its heartbeat must grow old first
    const since = performance.now();
    await waitUntil('an old heartbeat', () => performance.now() - since > 1500);
    const late = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
    for (const client of late) expect(await client.call('PING')).toBe('PONG');
    expect(await other.call('PING')).toBe('PONG');
  });
});

describeSkein('long work under all latches', () => {
  const impatient: Plant = {
    file: 'src/net/acceptor.ts',
    text: 'const LATCH_BOUND_MS = 30_000;',
    replacement: 'const LATCH_BOUND_MS = 300;',
  };

  test('that shows progress is left alone, that which hangs ends the process', async () => {
    const slowDigest: Plant = {
      file: 'src/commands/debug-digest.ts',
      text: '      const digest = Buffer.alloc(DIGEST_BYTES);\n      ks.key(h);',
      replacement:
        'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ks.count(3) > 0 ? 60000 : 30); const digest = Buffer.alloc(DIGEST_BYTES); ks.key(h);',
    };
    const server = await started([impatient, slowDigest]);
    const client = await server.connect();
    await client.pipeline(Array.from({ length: 40 }, (_, i) => ['SET', `k:${i}`, i]));
    const begun = performance.now();
    expect(await client.call('DEBUG', 'DIGEST')).toMatch(/^[0-9a-f]{40}$/);
    expect(performance.now() - begun).toBeGreaterThan(1000);
    await client.must('SELECT', 3);
    await client.must('SET', 'k', 'v');
    client.send(frame(['DEBUG', 'DIGEST']));
    expect(await server.exit()).toEqual(LOUD);
    expect(server.log()).toMatch(/latch of shard \d was held/);
  });

  test('a slow disk is no hang', async () => {
    const slowSync: Plant = {
      file: 'src/env/files.ts',
      text: 'fs.fdatasyncSync(fd);',
      replacement: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400); fs.fdatasyncSync(fd);',
    };
    const plants = planted([impatient, slowSync]);
    const server = await servers.start({ ...START, ...plants, options: { ...START.options, appendonly: 'no' } });
    const client = await server.connect();
    await client.must('SET', 'kept', 'yes');
    expect(await client.call('CONFIG', 'SET', 'appendonly', 'yes')).toBe('OK');
    expect(await server.stop()).toEqual(CLEAN);
  });
});
