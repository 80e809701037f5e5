/** Money moves between accounts of all shards by MULTI/EXEC while the server is killed: after recovery none is lost or made. CRASH_ROUNDS=20: more kills. */
import { afterEach, expect, test } from 'vitest';
import { bankRace } from '../checkers/list-append-clients.ts';
import { SKEIN } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { describeSkein } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const KILLS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const EACH = 1000;
const accounts = Array.from({ length: 8 }, (_, n) => `account:${n}`);

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

describeSkein('transactions over all shards', () => {
  test.each(['no', 'always'])('are recovered whole or not at all: appendfsync %s', async (appendfsync) => {
    const options = { appendonly: 'yes', appendfsync };
    let server = await servers.start({ command: SKEIN, options, skeinOptions: { workers: 2, shards: 4 } });
    await (await server.connect()).must('MSET', ...accounts.flatMap((account) => [account, EACH]));
    for (let kill = 0; kill < KILLS; kill++) {
      const probe = await server.connect();
      const before = await probe.must('MGET', ...accounts);
      const race = bankRace(server, { clients: 6, transactions: 100_000, keys: accounts, seed: Date.now() % 100_000 });
      race.catch(() => {});
      await waitUntil('money moves', async () => String(await probe.must('MGET', ...accounts)) !== String(before));
      await waitUntil('much of it', async () =>
        /total_commands_processed:\d{4,}/.test(String(await probe.must('INFO'))),
      );
      await server.kill();
      noteFaults('kills at a random moment');
      await expect(race).rejects.toThrow();
      server = servers.add(await server.restart({}));
      const after = (await (await server.connect()).must('MGET', ...accounts)) as string[];
      expect(after.reduce((sum, amount) => sum + Number(amount), 0)).toBe(accounts.length * EACH);
    }
  });
});
