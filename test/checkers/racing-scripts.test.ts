/**
 * Scripts over keys of all shards, declared or not, are strictly serializable together with transactions; money neither appears nor
 * vanishes, and the journal says the same. RACE_TRANSACTIONS=100000 makes each run longer; RACE_SEED repeats a run's commands.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { checkListAppend } from './list-append.ts';
import { scriptBank, scriptRace } from './script-race.ts';

const LONG = process.env['RACE_TRANSACTIONS'] !== undefined;
const TRANSACTIONS = Number(process.env['RACE_TRANSACTIONS'] ?? 600);
const SEED = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000);
const ACCOUNTS = 8;
const EACH = 1000;
/** Scripts that reached for a busy shard are rare where the machine is idle: more rounds, until there were some. */
const MOST_ROUNDS = 50;

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

async function takenBack(server: ServerProcess): Promise<number> {
  const client = await server.connect();
  const info = String(await client.must('INFO', 'stats'));
  client.close();
  return Number(/scripts_taken_back:(\d+)/.exec(info)![1]);
}

// a short run does without the other halves
const shapes = [2, 4, 8]
  .flatMap((workers) => ['auto', 'ring'].map((crossShard) => ({ workers, crossShard })))
  .filter(({ workers, crossShard }) => LONG || (crossShard === 'auto') === (workers !== 4));

describe.each(shapes)(`$workers workers, cross-shard $crossShard (seed ${SEED})`, ({ workers, crossShard }) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await servers.start({
      command: serverUnderTest(),
      options: { appendonly: 'yes', appendfsync: 'no', 'enable-debug-command': 'yes' },
      skeinOptions: { workers, shards: Math.max(4, workers), 'cross-shard': crossShard },
    });
  });
  afterAll(() => server.remove());

  test('scripts and transactions have one order that agrees with time', async () => {
    for (let round = 0; round === 0 || (await takenBack(server)) === 0; round++) {
      expect(round, 'rounds without a script that was taken back').toBeLessThan(MOST_ROUNDS);
      const plan = { clients: 8, transactions: TRANSACTIONS, lists: 6, prefix: `list:${round}`, seed: SEED + round };
      const history = await scriptRace(server, plan);
      expect(checkListAppend(history)).toEqual([]);
      expect(history.length).toBeGreaterThanOrEqual(TRANSACTIONS);
      expect(history.filter(({ outcome }) => outcome === 'ok').length).toBe(history.length);
    }
  });

  test('the money of all accounts together is always the same, and none is overdrawn', async () => {
    const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `account:${n}`);
    const bank = await server.connect();
    await bank.must('MSET', ...accounts.flatMap((account) => [account, EACH]));
    bank.close();
    const statements = await scriptBank(server, { clients: 8, transactions: TRANSACTIONS, accounts, seed: SEED });
    expect(statements.length).toBeGreaterThan(TRANSACTIONS / 5);
    expect(new Set(statements.map(({ sum }) => sum))).toEqual(new Set([ACCOUNTS * EACH]));
    expect(statements.reduce((least, one) => Math.min(least, one.least), EACH)).toBeGreaterThanOrEqual(0);
  });

  test('what the journal says is what was there', async () => {
    const client = await server.connect();
    const before = await client.must('DEBUG', 'DIGEST');
    await client.must('DEBUG', 'RELOAD');
    expect(await client.must('DEBUG', 'DIGEST')).toBe(before);
    client.close();
  });
});
