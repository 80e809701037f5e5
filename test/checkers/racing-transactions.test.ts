/**
 * Transactions over keys of all shards are strictly serializable, and money neither appears nor vanishes.
 * RACE_ROUNDS=200 makes it longer; RACE_SEED repeats a run's commands.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { checkListAppend } from './list-append.ts';
import { bankRace, listRace } from './list-append-clients.ts';

const LONG = process.env['RACE_ROUNDS'] !== undefined;
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 2);
const SEED = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000);
const ACCOUNTS = 6;
const EACH = 1000;

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const shapes = (LONG ? [2, 4, 8] : [2, 4]).flatMap((workers) =>
  ['auto', 'ring'].map((crossShard) => ({ workers, crossShard })),
);

describe.each(shapes)(`$workers workers, cross-shard $crossShard (seed ${SEED})`, ({ workers, crossShard }) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const skeinOptions = { workers, shards: 4, 'cross-shard': crossShard };
    server = await servers.start({ command: serverUnderTest(), skeinOptions });
  });
  afterAll(() => server.remove());

  test('transactions of appends and reads have one order that agrees with time', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = Array.from({ length: 6 }, (_, n) => `list:${round}:${n}`);
      const history = await listRace(server, { clients: 8, transactions: 60, keys, seed: SEED + round });
      expect(checkListAppend(history)).toEqual([]);
      // a history without conflicts would say nothing
      expect(history.filter(({ outcome }) => outcome === 'fail').length).toBeGreaterThan(10);
      expect(history.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(100);
    }
  });

  test('the money of all accounts together is always the same', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = Array.from({ length: ACCOUNTS }, (_, n) => `account:${round}:${n}`);
      const bank = await server.connect();
      await bank.must('MSET', ...keys.flatMap((key) => [key, EACH]));
      const sums = await bankRace(server, { clients: 8, transactions: 80, keys, seed: SEED + round });
      expect(sums.length).toBeGreaterThan(50);
      expect(new Set(sums)).toEqual(new Set([ACCOUNTS * EACH]));
      bank.close();
    }
  });
});
