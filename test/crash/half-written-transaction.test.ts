/**
 * A transaction over two shards is in one file and not yet in the other when the process dies: recovery takes it back, and with
 * it everything behind it in the first file. So nothing behind it may have been acknowledged by then, whatever the policy.
 */
import { afterEach, expect, test } from 'vitest';
import { busy, type Plant, planted } from '../faults/planted-server.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { describeSkein } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const SHARDS = 2;
/** Keys of the first and the second shard. */
const FIRST = 'b';
const SECOND = 'a';

/** Writing the first shard's file takes so long that the second one is written meanwhile. */
const SLOW_FIRST_FILE: Plant = {
  file: 'src/journal/journal-drain.ts',
  text: 'private writePublished(): boolean {',
  replacement: `private writePublished(): boolean { if (this.shard === 0) ${busy(300_000)}`,
};

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

describeSkein('a transaction that is written in part', () => {
  test.each(['no', 'everysec', 'always'])('holds back the answers behind it: appendfsync %s', async (appendfsync) => {
    const options = { appendonly: 'yes', appendfsync };
    const skeinOptions = { workers: 2, shards: SHARDS };
    const server = await servers.start({ ...planted([SLOW_FIRST_FILE]), options, skeinOptions });
    // on different workers; the answer to the first one's MSET is owed until its file is written
    const [one, other] = [await server.connect(), await server.connect()];
    one.call('MSET', FIRST, 'tx', SECOND, 'tx').catch(() => {});
    await waitUntil('the other client sees it', async () => (await other.call('GET', SECOND)) === 'tx');
    expect(await other.call('APPEND', SECOND, '+')).toBe('tx+'.length);
    await server.kill();
    noteFaults('kills at a planted place');
    const again = servers.add(await server.restart(planted([])));
    expect(await (await again.connect()).call('MGET', FIRST, SECOND)).toEqual(['tx', 'tx+']);
  });
});
