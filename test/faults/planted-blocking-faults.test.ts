/**
 * Do the races of waiting clients see what they are there for? Each fault must turn one of them red within a bounded number of rounds, the
 * same delay without it must not. FAULT_ROUNDS=200 gives more chances.
 */
import { afterEach, expect, test } from 'vitest';
import { blockingRace, stealingRace } from '../checkers/blocking-race.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { within } from '../server/wait-until.ts';
import { busy, type Plant, planted } from './planted-server.ts';

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 30);
const ROUND_MS = 10_000;

const LISTENERS = 'src/dispatch/unit-listeners.ts';
const RECORDS = 'src/admin/client-records.ts';
const CLAIM = 'return Atomics.compareExchange(this.i32, place, ticket, ticket | 1) === ticket;';
const SERVE = 'this.waiters.serve();';

const SLOW_SERVING: Plant[] = [{ file: LISTENERS, text: SERVE, replacement: `${busy(100)} ${SERVE}` }];
const CLAIM_NOT_EXCHANGED: Plant[] = [
  {
    file: RECORDS,
    text: CLAIM,
    replacement: `if (Atomics.load(this.i32, place) !== ticket) return false;
      ${busy(1000)} Atomics.store(this.i32, place, ticket | 1); return true;`,
  },
];
const SERVED_AFTER_RELEASE: Plant[] = [
  {
    file: LISTENERS,
    text: SERVE,
    replacement: `const { latches } = this.waiters.executor;
      const mine = Array.from(unit.held.subarray(0, unit.heldCount));
      for (const shard of mine) latches[shard].release();
      ${busy(100)}
      for (const shard of mine) while (!latches[shard].acquireSpin(1000));
      ${SERVE}`,
  },
];

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

function start(plants: readonly Plant[]): Promise<ServerProcess> {
  return servers.start({ ...planted(plants), skeinOptions: { workers: 2, shards: 4 } });
}

type Hunt = (server: ServerProcess, round: number) => Promise<boolean>;

const elements: Hunt = async (server, round) => {
  const race = { keys: 4, producers: 6, consumers: 4, elements: 50, prefix: `list:${round}` };
  const { lost, doubled } = await blockingRace(server, race);
  return lost.length + doubled.length > 0;
};

const thieves: Hunt = async (server, round) => (await stealingRace(server, `list:${round}`, 20)) > 0;

/** Was a violation seen within the rounds? A server that the fault brought down, or whose client waits for ever, is one. */
async function isSeen(hunt: Hunt, plants: readonly Plant[], rounds: number): Promise<boolean> {
  const server = await start(plants);
  for (let round = 0; round < rounds; round++) {
    try {
      if (await within('one round', hunt(server, round), ROUND_MS)) return true;
    } catch (error) {
      if (/one round|waited|ECONN|connection closed/.test(String(error)) || !server.running) return true;
      throw error;
    }
  }
  return false;
}

test.each([
  ['a claim is no compare-exchange', CLAIM_NOT_EXCHANGED, elements],
  ['waiters are served after the latch was released', SERVED_AFTER_RELEASE, thieves],
] as [string, Plant[], Hunt][])('%s: found', async (_, plants, hunt) => {
  expect(await isSeen(hunt, plants, ROUNDS)).toBe(true);
});

test.each([
  ['elements', elements],
  ['thieves', thieves],
] as [string, Hunt][])('the same delay without a fault: %s', async (_, hunt) => {
  expect(await isSeen(hunt, SLOW_SERVING, 2)).toBe(false);
});
