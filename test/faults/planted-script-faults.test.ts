/**
 * Do the checkers of scripts see what they are there for? Each fault must turn one of them red within a bounded number of rounds, the same
 * delays without it must not. FAULT_ROUNDS=200 gives more chances.
 */
import { afterEach, expect, test } from 'vitest';
import { checkListAppend } from '../checkers/list-append.ts';
import { scriptBank, scriptRace } from '../checkers/script-race.ts';
import { ServerGroup } from '../server/server-process.ts';
import { firstViolation, type Hunt, startPlanted } from './first-violation.ts';
import { busy, type Plant } from './planted-server.ts';
import { BUSY_LATCH_NOT_TAKEN, LAST_LATCH_NOT_TAKEN } from './several-plants.ts';

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 30);
const CONTROL_ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 4);
const ROUND_MS = 20_000;

const SCRIPTS = 'src/dispatch/scripts.ts';
const TAKE_BACK = 'this.undoLogs[shard].undo();\n      unit.spaces[shard].roots.set(this.oldRoots[shard]);';
const BEFORE_A_CALL = 'const row = COMMANDS.lookup(args);\n    const refusal = this.refuse(row, args);';

/** Between two commands of a script some time passes. */
const SLOW: Plant = { file: SCRIPTS, text: BEFORE_A_CALL, replacement: `${busy(60)} ${BEFORE_A_CALL}` };
const RELEASED_BETWEEN_CALLS: Plant[] = [
  {
    ...SLOW,
    replacement: `const mine = Array.from(this.several.latched.subarray(0, this.several.latchedCount)).sort((a, b) => a - b);
      for (const shard of mine) this.executor.latches[shard].release();
      ${busy(60)}
      for (const shard of mine) while (!this.executor.latches[shard].acquireSpin(1000));
      ${BEFORE_A_CALL}`,
  },
];
const ONE_SHARD_NOT_UNDONE: Plant[] = [
  SLOW,
  {
    file: SCRIPTS,
    text: TAKE_BACK,
    replacement: `if (i === 0) { this.undoLogs[shard].keep(); continue; } ${TAKE_BACK}`,
  },
];
const ONE_BLOCK_NOT_UNDONE: Plant[] = [
  SLOW,
  {
    file: 'native-free-shm/undo-log.ts',
    text: 'if ((states[note] & OLD) !== 0) this.restore(note);',
    replacement: `{
      const spared = states.findIndex((state) => (state & OLD) !== 0);
      if ((states[note] & OLD) !== 0 && note !== spared) this.restore(note);
    }`,
  },
];

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const lists: Hunt = async (server, round) => {
  const seed = Date.now() % 1_000_000;
  const plan = { clients: 6, transactions: 300, lists: 5, prefix: `list:${round}`, seed };
  return checkListAppend(await scriptRace(server, plan))[0]?.kind ?? null;
};

const bank: Hunt = async (server, round) => {
  const accounts = Array.from({ length: 5 }, (_, n) => `account:${round}:${n}`);
  const connection = await server.connect();
  await connection.must('MSET', ...accounts.flatMap((account) => [account, 1000]));
  connection.close();
  const plan = { clients: 6, transactions: 300, accounts, seed: Date.now() % 1_000_000 };
  const statements = await scriptBank(server, plan);
  return statements.every(({ sum, least }) => sum === 5000 && least >= 0) ? null : 'money';
};

/** Searches for a violation by the fault that is planted, or by mere delays. */
const search = (hunt: Hunt, plants: readonly Plant[], rounds: number, expected: boolean) =>
  firstViolation({ start: () => startPlanted(servers, plants), hunt, rounds, roundMs: ROUND_MS, expected });

const FAULTS: [string, string, readonly Plant[], Hunt][] = [
  ['one latch of the declared keys is not taken', 'appends', [SLOW, ...LAST_LATCH_NOT_TAKEN], lists],
  ['one latch of the declared keys is not taken', 'the bank', [SLOW, ...LAST_LATCH_NOT_TAKEN], bank],
  ['a busy latch for which a script reaches is not taken', 'appends', [SLOW, ...BUSY_LATCH_NOT_TAKEN], lists],
  ['a busy latch for which a script reaches is not taken', 'the bank', [SLOW, ...BUSY_LATCH_NOT_TAKEN], bank],
  ['the latches are given back between calls', 'appends', RELEASED_BETWEEN_CALLS, lists],
  ['the latches are given back between calls', 'the bank', RELEASED_BETWEEN_CALLS, bank],
  ['the undo leaves out one shard', 'appends', ONE_SHARD_NOT_UNDONE, lists],
  ['the undo leaves out one shard', 'the bank', ONE_SHARD_NOT_UNDONE, bank],
  ['the undo leaves out one block', 'the bank', ONE_BLOCK_NOT_UNDONE, bank],
];

test.each(FAULTS)('%s: found by %s', async (_, __, plants, hunt) => {
  expect(await search(hunt, plants, ROUNDS, true)).not.toBe(null);
});

test.each([
  ['appends', lists],
  ['the bank', bank],
] as [string, Hunt][])('the same delays without a fault: %s', async (_, hunt) => {
  expect(await search(hunt, [SLOW], CONTROL_ROUNDS, false)).toBe(null);
});
