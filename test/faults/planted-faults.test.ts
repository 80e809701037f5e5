/**
 * Do the checkers see what they are there for? Each of these faults, planted into the server, must turn them red within a
 * bounded number of rounds; the same windows of time without the fault must stay green.
 * FAULT_ROUNDS=200 gives a fault more chances, and the controls more rounds.
 */
import { afterEach, expect, test } from 'vitest';
import { counterCommand, groupCommand, type Race, race, singleKeyCommand } from '../checkers/concurrent-clients.ts';
import { expectLinearizable } from '../checkers/history.ts';
import type { StringOperation } from '../checkers/string-model.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { firstViolation } from './first-violation.ts';
import { busy, type Plant, planted } from './planted-server.ts';

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 40);
const CONTROL_ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 6);
const ROUND_MS = 10_000;
const MAX_STEPS = 3_000_000;

const EXECUTOR = 'src/dispatch/executor.ts';
const RUNS = 'src/dispatch/command-run.ts';
const DISPATCHER = 'src/dispatch/dispatcher.ts';
/** Where units of one shard and of several release their latches, and where their handlers are about to begin. */
const RELEASES = [
  { release: 'this.latches[shard].release();', begin: 'const start = reply.pos;' },
  {
    release: 'for (let i = 0; i < unit.heldCount; i++) this.latches[unit.held[i]].release();',
    begin: 'const mark = reply.mark();',
  },
];

/** A look-up lasts longer: what was found is used later. */
const SLOW_LOOKUP: Plant = {
  file: 'src/dispatch/unit.ts',
  text: 'const h = ks.find(db, this.hashes[arg], args.buf, args.starts[arg], args.ends[arg]);',
  replacement: `const h = ks.find(db, this.hashes[arg], args.buf, args.starts[arg], args.ends[arg]); ${busy(15)}`,
};
const NO_RELEASE_AT_END: Plant[] = [
  ...RELEASES.map(({ release }) => ({ file: EXECUTOR, text: release, replacement: '' })),
  { file: RUNS, text: '    latch.release();', replacement: '' },
];
const LATCH_NOT_TAKEN: Plant[] = [
  SLOW_LOOKUP,
  { file: EXECUTOR, text: 'if (latch.tryAcquire()) continue;', replacement: 'if (latch !== null) continue;' },
  {
    file: EXECUTOR,
    text: 'if (!this.latches[shard].tryAcquire() && !this.acquire()) return BUSY;',
    replacement: '',
  },
  { file: RUNS, text: 'if (!executor.latches[shard].tryAcquire()) return false;', replacement: '' },
  ...NO_RELEASE_AT_END,
];
const RELEASED_TOO_EARLY: Plant[] = [
  SLOW_LOOKUP,
  ...NO_RELEASE_AT_END,
  ...RELEASES.map(({ release, begin }) => ({ file: EXECUTOR, text: begin, replacement: `${begin} ${release}` })),
  {
    file: RUNS,
    text: 'const latch = executor.latches[shard];',
    replacement: 'const latch = executor.latches[shard]; latch.release();',
  },
];
/** A run gives the latch back behind its first command and goes on. */
const RUN_WITHOUT_LATCH: Plant[] = [
  SLOW_LOOKUP,
  { file: RUNS, text: 'commandStats.called(row.id, 0, false);', replacement: 'if (i === from + 1) latch.release();' },
  { file: RUNS, text: '!latch.isSought() &&', replacement: '' },
  { file: RUNS, text: '    latch.release();', replacement: 'if (i === from) latch.release();' },
];
/** The owner takes its time for what came through the ring; in order. */
const SLOW_OWNER: Plant = {
  file: DISPATCHER,
  text: 'this.waiting.push(item);\n  };',
  replacement: `setTimeout(() => { this.waiting.push(item); this.retryWaiting(); this.publish(); }, 2);\n  };`,
};
const ANSWERED_TOO_EARLY: Plant[] = [
  SLOW_OWNER,
  {
    file: DISPATCHER,
    text: 'this.forwarded[request] = session;',
    replacement:
      "const early = args.count === 3 && args.equalsIgnoreCase(0, 'set'); this.forwarded[request] = early ? null : session;",
  },
  {
    file: DISPATCHER,
    text: 'this.send(owner, MESSAGE.forward, message);',
    replacement: `this.send(owner, MESSAGE.forward, message);
      if (early) { session.parked = false; this.reply.ok(); return ANSWERED; }`,
  },
];

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

function start(plants: readonly Plant[], crossShard: 'auto' | 'ring'): Promise<ServerProcess> {
  return servers.start({ ...planted(plants), skeinOptions: { workers: 2, shards: 2, 'cross-shard': crossShard } });
}

/** Clients that race, and the checker that looks at what they saw. */
interface Hunt {
  readonly crossShard: 'auto' | 'ring';
  readonly plan: (round: number) => Omit<Race, 'seed'>;
  readonly check: (operations: readonly StringOperation[]) => void;
}

const perKey = (operations: readonly StringOperation[]) => expectLinearizable(operations, undefined, MAX_STEPS);
const perGroup = (operations: readonly StringOperation[]) => expectLinearizable(operations, () => 'group', MAX_STEPS);
const names = (what: string, round: number, count: number) =>
  Array.from({ length: count }, (_, n) => `${what}:${round}:${n}`);

function plainSets(keys: readonly string[]): Race['command'] {
  let tokens = 0;
  return (roll) => {
    const key = keys[roll(keys.length)];
    return roll(2) === 0 ? ['GET', key] : ['SET', key, `t${tokens++}`];
  };
}

const COUNTERS: Hunt = {
  crossShard: 'auto',
  plan: (round) => ({ clients: 4, pipelines: 6, depth: 100, command: counterCommand(names('counter', round, 1)) }),
  check: perKey,
};
const SINGLE_KEYS: Hunt = {
  crossShard: 'auto',
  plan: (round) => ({ clients: 5, pipelines: 40, depth: 6, command: singleKeyCommand(names('single', round, 2)) }),
  check: perKey,
};
const GROUPS: Hunt = {
  crossShard: 'auto',
  plan: (round) => ({ clients: 5, pipelines: 40, depth: 3, command: groupCommand(names('group', round, 4)) }),
  check: perGroup,
};
const FORWARDED: Hunt = {
  crossShard: 'ring',
  plan: (round) => ({ clients: 4, pipelines: 40, depth: 1, command: plainSets(names('plain', round, 4)) }),
  check: perKey,
};

function search(
  { crossShard, plan, check }: Hunt,
  plants: readonly Plant[],
  expected: boolean,
): Promise<string | null> {
  const hunt = async (server: ServerProcess, round: number): Promise<null> => {
    check((await race(server, { ...plan(round), seed: Date.now() % 1_000_000 })).operations);
    return null;
  };
  const rounds = expected ? ROUNDS : CONTROL_ROUNDS;
  return firstViolation({ start: () => start(plants, crossShard), hunt, rounds, roundMs: ROUND_MS, expected });
}

const FAULTS: [string, string, Plant[], Hunt][] = [
  ['a latch that is not taken', 'counters', LATCH_NOT_TAKEN, COUNTERS],
  ['a latch that is not taken', 'single keys', LATCH_NOT_TAKEN, SINGLE_KEYS],
  ['a latch that is not taken', 'groups of keys', LATCH_NOT_TAKEN, GROUPS],
  ['a run of commands that loses its latch', 'counters', RUN_WITHOUT_LATCH, COUNTERS],
  ['a latch that is released before the change ends', 'counters', RELEASED_TOO_EARLY, COUNTERS],
  ['a latch that is released before the change ends', 'groups of keys', RELEASED_TOO_EARLY, GROUPS],
  ['a forwarded command that is answered before it ran', 'single keys', ANSWERED_TOO_EARLY, FORWARDED],
];

test.each(FAULTS)('%s is found: %s', async (_, __, plants, hunt) => {
  expect(await search(hunt, plants, true)).toMatch(/not linearizable/);
});

const CONTROLS: [string, Plant, Hunt][] = [
  ['counters', SLOW_LOOKUP, COUNTERS],
  ['single keys', SLOW_LOOKUP, SINGLE_KEYS],
  ['groups of keys', SLOW_LOOKUP, GROUPS],
  ['forwarded commands', SLOW_OWNER, FORWARDED],
];

test.each(CONTROLS)('the same delays without the fault: %s', async (_, plant, hunt) => {
  expect(await search(hunt, [plant], false)).toBe(null);
});

test('a fault whose place is gone is not planted', () => {
  const nowhere: Plant = { file: EXECUTOR, text: 'no such text', replacement: '' };
  expect(() => planted([nowhere])).toThrow(/plant: src\/dispatch\/executor.ts has 0 times/);
});
