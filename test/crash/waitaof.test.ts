/** What WAITAOF has answered for survives a loss of power, whatever the policy: it asks for the sync that the policy does not make. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import type { Plant } from '../faults/planted-server.ts';
import type { Command } from '../server/resp-client.ts';
import { ServerGroup, ServerProcess } from '../server/server-process.ts';
import { describeSkein } from './data-files.ts';
import { losePower, withNotedSyncs } from './power-loss.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const SHARDS = 3;
const KEYS = Array.from({ length: 12 }, (_, n) => `key:${n}`);

const servers = new ServerGroup();
const folders: string[] = [];
afterEach(async () => {
  await servers.removeAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function startOptions(appendfsync: string, plants: readonly Plant[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'skein-waitaof-'));
  folders.push(folder);
  const options = { appendonly: 'yes', appendfsync };
  return { ...withNotedSyncs(folder, plants), folder, options, skeinOptions: { workers: 2, shards: SHARDS } };
}

/** Writes, asks with WAITAOF, loses power and starts again; how many of the keys are as they were. */
async function survivors(start: ReturnType<typeof startOptions>): Promise<number> {
  const server = servers.add(await ServerProcess.start(start));
  const client = await server.connect();
  await Promise.all(KEYS.map((key) => client.must('SET', key, key)));
  expect(await client.call('WAITAOF', 1, 0, 0)).toEqual([1, 0]);
  await server.kill();
  losePower(start.folder, SHARDS, dice(SEED));
  const again = servers.add(await ServerProcess.start(start));
  const found = (await (await again.connect()).must('MGET', ...KEYS)) as (string | null)[];
  return found.filter((value, n) => value === KEYS[n]).length;
}

describeSkein(`WAITAOF (seed ${SEED})`, () => {
  test.each(['no', 'everysec', 'always'])('appendfsync %s: everything is there', async (appendfsync) => {
    expect(await survivors(startOptions(appendfsync))).toBe(KEYS.length);
  });

  test('planted, and found: it does not look at what is safe', async () => {
    const lies = [
      {
        file: 'src/commands/wait.ts',
        text: 'areSafe: () => {',
        replacement: 'areSafe: () => { if (stamps) return true;',
      },
    ];
    expect(await survivors(startOptions('no', lies))).toBeLessThan(KEYS.length);
  });

  test('replicas are waited for until the timeout; in MULTI and without a journal nothing is', async () => {
    const server = servers.add(await ServerProcess.start(startOptions('always')));
    const client = await server.connect();
    await client.must('SET', 'k', 'v');
    const began = performance.now();
    expect(await client.call('WAITAOF', 1, 1, 60)).toEqual([1, 0]);
    expect(performance.now() - began).toBeGreaterThan(58);
    const queued: Command[] = [['MULTI'], ['WAITAOF', 1, 1, 0], ['WAIT', 1, 0], ['EXEC']];
    expect((await client.pipeline(queued)).at(-1)).toEqual([[1, 0], 0]);
    await client.must('CONFIG', 'SET', 'appendonly', 'no');
    await expect(client.must('WAITAOF', 1, 0, 0)).rejects.toThrow(/WAITAOF cannot be used when numlocal is set/);
    expect(await client.call('WAITAOF', 0, 0, 0)).toEqual([0, 0]);
  });
});
