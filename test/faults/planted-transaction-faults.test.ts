/**
 * Do the checkers of transactions see what they are there for? Each fault must turn one of them red within a bounded number of rounds,
 * the same delays without it must not. FAULT_ROUNDS=200 gives more chances.
 */
import { afterEach, expect, test } from 'vitest';
import { checkListAppend } from '../checkers/list-append.ts';
import { bankRace, listRace } from '../checkers/list-append-clients.ts';
import { ServerGroup } from '../server/server-process.ts';
import { firstViolation, type Hunt, startPlanted } from './first-violation.ts';
import { busy, type Plant } from './planted-server.ts';
import { LAST_LATCH_NOT_TAKEN } from './several-plants.ts';

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 30);
const CONTROL_ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 4);
const ROUND_MS = 20_000;

const TRANSACTIONS = 'src/dispatch/transactions.ts';
const INTERESTS = 'src/shard/interest-table.ts';

/** Between two commands of a transaction some time passes. */
const SLOW: Plant = {
  file: TRANSACTIONS,
  text: 'session.parked = false;\n      const start = reply.pos;',
  replacement: `session.parked = false; const start = reply.pos; ${busy(60)}`,
};
const RELEASED_BETWEEN_COMMANDS: Plant[] = [
  {
    ...SLOW,
    replacement: `session.parked = false; const start = reply.pos;
      const mine = Array.from(this.several.latched.subarray(0, this.several.latchedCount));
      for (const shard of mine) executor.latches[shard].release();
      ${busy(60)}
      for (const shard of mine) while (!executor.latches[shard].acquireSpin(1000));`,
  },
];
const WATCHES_NOT_MARKED: Plant[] = [
  SLOW,
  {
    file: INTERESTS,
    text: 'Atomics.compareExchange(this.words, this.word(watch, PLACE), ticket, (ticket + 1) | 0);',
    replacement: '',
  },
];
const WATCHES_READ_TOO_EARLY: Plant[] = [
  {
    file: TRANSACTIONS,
    text: 'this.collect(session, transaction);\n',
    replacement: `const early = watches.broken(session, 0); ${busy(60)} this.collect(session, transaction);\n`,
  },
  {
    file: TRANSACTIONS,
    text: 'const broken = watches.broken(session, executor.unit.nowMs);',
    replacement: 'const broken = early;',
  },
];

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const lists: Hunt = async (server, round) => {
  const keys = Array.from({ length: 5 }, (_, n) => `list:${round}:${n}`);
  const history = await listRace(server, { clients: 6, transactions: 50, keys, seed: Date.now() % 1_000_000 });
  return checkListAppend(history)[0]?.kind ?? null;
};

const bank: Hunt = async (server, round) => {
  const keys = Array.from({ length: 5 }, (_, n) => `account:${round}:${n}`);
  const connection = await server.connect();
  await connection.must('MSET', ...keys.flatMap((key) => [key, 1000]));
  const sums = await bankRace(server, { clients: 6, transactions: 50, keys, seed: Date.now() % 1_000_000 });
  connection.close();
  return sums.every((sum) => sum === 5000) ? null : 'money';
};

/** Searches for a violation by the fault that is planted, or by mere delays. */
const search = (hunt: Hunt, plants: readonly Plant[], rounds: number, expected: boolean) =>
  firstViolation({ start: () => startPlanted(servers, plants), hunt, rounds, roundMs: ROUND_MS, expected });

const FAULTS: [string, string, readonly Plant[], Hunt][] = [
  ['one latch of EXEC is not taken', 'appends', [SLOW, ...LAST_LATCH_NOT_TAKEN], lists],
  ['one latch of EXEC is not taken', 'the bank', [SLOW, ...LAST_LATCH_NOT_TAKEN], bank],
  ['the latches are given back between commands', 'appends', RELEASED_BETWEEN_COMMANDS, lists],
  ['the latches are given back between commands', 'the bank', RELEASED_BETWEEN_COMMANDS, bank],
  ['watches are not marked', 'appends', WATCHES_NOT_MARKED, lists],
  ['watches are not marked', 'the bank', WATCHES_NOT_MARKED, bank],
  ['watches are read before the latches are taken', 'appends', WATCHES_READ_TOO_EARLY, lists],
];

test.each(FAULTS)('%s: found by %s', async (_, __, plants, hunt) => {
  expect(await search(hunt, plants, ROUNDS, true)).not.toBe(null);
});

test.each([
  ['appends', lists],
  ['the bank', bank],
] as [string, Hunt][])('the same delay without a fault: %s', async (_, hunt) => {
  expect(await search(hunt, [SLOW], CONTROL_ROUNDS, false)).toBe(null);
});
