/** With much data the background thread practises before it is needed; nothing of that is seen, and a snapshot does not wait for its end. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, type ServerProcess } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const LARGE_BYTES = 70 * 2 ** 20;

const threads = ({ pid }: ServerProcess): number => readdirSync(`/proc/${pid}/task`).length;

describeSkein('the rehearsal of a snapshot', () => {
  test.skipIf(!existsSync('/proc/self/task'))('comes with much data, before the first snapshot', async () => {
    const start = { command: serverUnderTest(), options: { save: '' }, skeinOptions: { workers: 1, shards: 2 } };
    const server = await servers.start(start);
    const client = await server.connect();
    await client.must('SET', 'small', 'value');
    const before = threads(server);
    await client.must('SETRANGE', 'large', LARGE_BYTES, 'end');
    await waitUntil('a thread more', () => threads(server) > before);
    await client.must('BGSAVE');
    await waitUntil('the snapshot', async () =>
      /rdb_bgsave_in_progress:0/.test(String(await client.must('INFO', 'persistence'))),
    );
    expect(String(await client.must('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:ok');
    await server.kill();
    const again = await servers.start({ ...start, folder: server.folder });
    const reader = await again.connect();
    expect(await reader.call('GET', 'small')).toBe('value');
    expect(await reader.call('STRLEN', 'large')).toBe(LARGE_BYTES + 3);
  });
});
