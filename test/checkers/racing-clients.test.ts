/**
 * Linearizability of single-key commands and of groups of keys, with several workers and clients.
 * RACE_ROUNDS=200 makes it longer; RACE_SEED repeats a run's commands (the interleaving is the machine's).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { counterCommand, groupCommand, longValueCommand, race, singleKeyCommand } from './concurrent-clients.ts';
import { expectLinearizable } from './history.ts';
import { type GroupRead, lostTokens, tornReads } from './torn-reads.ts';

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 1);
const SEED = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000);
/** Without two operations at once nothing was tested. */
const LEAST_OVERLAPS = 50;
const LONG_VALUE_BYTES = 200_000;

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const shapes = [1, 2, 4].flatMap((workers) => ['auto', 'ring'].map((crossShard) => ({ workers, crossShard })));

describe.each(shapes)(`$workers workers, cross-shard $crossShard (seed ${SEED})`, ({ workers, crossShard }) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const skeinOptions = { workers, shards: 4, 'cross-shard': crossShard };
    server = await servers.start({ command: serverUnderTest(), skeinOptions });
  });
  afterAll(() => server.remove());

  test('single-key commands are linearizable', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = [1, 2, 3].map((n) => `single:${round}:${n}`);
      const plan = { clients: 6, pipelines: 40, depth: 4, seed: SEED + round, command: singleKeyCommand(keys) };
      const { operations } = await race(server, plan);
      expect(overlaps(operations)).toBeGreaterThan(LEAST_OVERLAPS);
      expectLinearizable(operations);
    }
  });

  test('commands on long values, which are copied outside the latches, are linearizable', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = [1, 2].map((n) => `long:${round}:${n}`);
      const command = longValueCommand(keys, LONG_VALUE_BYTES);
      const { operations } = await race(server, { clients: 5, pipelines: 30, depth: 2, seed: SEED + round, command });
      expect(overlaps(operations)).toBeGreaterThan(LEAST_OVERLAPS);
      expectLinearizable(operations);
    }
  });

  test('no change of a counter is lost or seen twice under deep pipelines', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = [`counter:${round}`];
      const plan = { clients: 4, pipelines: 4, depth: 250, seed: SEED + round, command: counterCommand(keys) };
      const { operations } = await race(server, plan);
      expectLinearizable(operations);
    }
  });

  test('commands over several keys happen at one moment', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = [1, 2, 3, 4].map((n) => `group:${round}:${n}`);
      const plan = { clients: 5, pipelines: 40, depth: 3, seed: SEED + round, command: groupCommand(keys) };
      const { operations } = await race(server, plan);
      expect(overlaps(operations)).toBeGreaterThan(LEAST_OVERLAPS);
      expectLinearizable(operations, () => 'group');
    }
  });

  test('MGET never sees half an MSET, nor RENAME between its two sides', async () => {
    const whole = ['w1', 'w2', 'w3', 'w4', 'w5'];
    const wandering = ['r1', 'r2', 'r3'];
    const setup = await server.connect();
    await setup.must('SET', 'r1', 'token');
    let tokens = 0;
    const { operations } = await race(server, {
      clients: 8,
      pipelines: 15 * ROUNDS,
      depth: 40,
      seed: SEED,
      command: (roll, client) => {
        if (client < 2) {
          const token = `t${tokens++}`;
          return ['MSET', ...whole.flatMap((key) => [key, token])];
        }
        if (client < 4) return ['RENAME', wandering[roll(3)], wandering[roll(3)]];
        return roll(2) === 0 ? ['MGET', ...whole] : ['MGET', ...wandering];
      },
    });
    const reads: GroupRead[] = operations
      .filter((op) => op.input[0] === 'MGET' && Array.isArray(op.output))
      .map((op) => ({ keys: op.input.slice(1).map(String), values: op.output as GroupRead['values'] }));
    expect(reads.length).toBeGreaterThan(1000);
    expect(tornReads(reads.filter((read) => read.keys[0] === 'w1'))).toEqual([]);
    expect(lostTokens(reads.filter((read) => read.keys[0] === 'r1'))).toEqual([]);
    setup.close();
  });
});

/** Pairs of operations by different clients that were under way at the same time (neighbours by call time only). */
function overlaps(operations: readonly { client: number; callMs: number; returnMs: number }[]): number {
  const byCall = [...operations].sort((a, b) => a.callMs - b.callMs);
  return byCall.filter((op, i) => i > 0 && byCall[i - 1].client !== op.client && byCall[i - 1].returnMs > op.callMs)
    .length;
}
