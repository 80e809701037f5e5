/**
 * Kill −9 at random moments under load, again and again on the same data: nothing acknowledged is lost under any policy, for
 * the page cache survives the process; commands over several shards are there as a whole or not at all.
 *
 *   CRASH_ROUNDS=100 npx vitest run test/crash/kill-under-load      longer
 *   CRASH_SEED=…                                                    the same commands again (the moments are the machine's)
 */
import { afterEach, describe, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { ACKNOWLEDGED, checkRecovered } from './crash-check.ts';
import { type KeyValues, readBack, runLoad } from './crash-load.ts';
import { noteFaults } from './fault-tally.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const CLIENTS = 4;
const SHARDS = 3;

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const shapes = [1, 2].flatMap((workers) =>
  ['always', 'everysec', 'no'].map((appendfsync) => ({ workers, appendfsync })),
);

describe(`seed ${SEED}`, () => {
  test.each(shapes)('$workers workers, appendfsync $appendfsync', async ({ workers, appendfsync }) => {
    const roll = dice(SEED);
    const skeinOptions = { workers, shards: SHARDS, 'cross-shard': roll(2) === 0 ? 'auto' : 'ring' };
    const options = { appendonly: 'yes', appendfsync };
    let server = await servers.start({ command: serverUnderTest(), options, skeinOptions });
    let contents: KeyValues[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const killAfter = 1 + roll(6000);
      const onAnswer = (answers: number) => {
        if (answers === killAfter) server.signal('SIGKILL');
      };
      const load = { clients: CLIENTS, seed: SEED + round, pipelines: Infinity, maxDepth: 40, onAnswer };
      const histories = await runLoad(server, load, contents);
      expect(await server.exit()).toEqual({ code: null, signal: 'SIGKILL' });
      noteFaults('kills at a random moment');
      // any number of workers opens the same files
      server = servers.add(await server.restart({ skeinOptions: { ...skeinOptions, workers: 1 + roll(3) } }));
      contents = await readBack(server, CLIENTS);
      for (const history of histories) {
        checkRecovered(history, contents[history.client], { shards: SHARDS, durable: ACKNOWLEDGED });
      }
    }
  });
});
