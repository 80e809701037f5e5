/**
 * The same random commands to stock Redis and to the server under test: every reply must be the same.
 *
 *   PROPERTY_SEED=random DIFFERENTIAL_RUNS=500 npx vitest run test/differential        longer, with other commands each time
 *   DIFFERENTIAL_SEED=… DIFFERENTIAL_PATH=… npx vitest run …      one failure again, as the failing test prints it
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { STOCK, serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { runs, type Step } from './command-arbitraries.ts';
import { repliesAgree } from './reply-agreement.ts';
import { Twins } from './twin-run.ts';
import type { Mode } from './twin-side.ts';

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 30);
const SEED = process.env['DIFFERENTIAL_SEED'];
const CLIENTS = 3;
const STEPS = 90;
/** Contents are compared by their digests, too. */
const WITH_DEBUG = { 'enable-debug-command': 'yes' };

describeWith(['redis-server'], 'random commands get the replies of stock Redis', () => {
  const servers = new ServerGroup();
  let oracle: ServerProcess;
  beforeAll(async () => {
    oracle = await servers.start({ command: STOCK, options: WITH_DEBUG });
  });
  afterAll(() => servers.removeAll());

  const shapes = [1, 2, 4].flatMap((workers) =>
    ['auto', 'ring'].map((crossShard) => ({ workers, crossShard, mode: 'plain' as Mode })),
  );
  for (const mode of ['transaction', 'script'] as const) shapes.push({ workers: 2, crossShard: 'auto', mode });
  describe.each(shapes)('$workers workers, cross-shard $crossShard, $mode', ({ workers, crossShard, mode }) => {
    let tested: ServerProcess;
    beforeAll(async () => {
      const skeinOptions = { workers, shards: 4, 'cross-shard': crossShard };
      tested = await servers.start({ command: serverUnderTest(), options: WITH_DEBUG, skeinOptions });
    });
    afterAll(() => tested.remove());

    test.each([2, 3] as const)(
      'RESP%i',
      async (resp) => {
        const twins = await Twins.connect(oracle, tested, CLIENTS, resp, mode);
        const property = fc.asyncProperty(runs(STEPS, CLIENTS), (steps) => twins.play(steps));
        const path = process.env['DIFFERENTIAL_PATH'];
        const replay =
          SEED === undefined ? ownSeed(workers * 10 + resp) : { seed: Number(SEED), ...(path ? { path } : {}) };
        const result = await fc.check(property, { numRuns: RUNS, ...replay });
        twins.close();
        if (result.failed)
          throw new Error(report(result, `${workers} workers, cross-shard ${crossShard}, ${mode} > RESP${resp}`));
      },
      600_000,
    );
  });
});

/** Other commands for each of the servers, where one seed is set for all properties. */
function ownSeed(summand: number): { seed?: number } {
  const { seed } = fc.readConfigureGlobal();
  return seed === undefined ? {} : { seed: seed + summand };
}

function report(result: fc.RunDetails<[Step[]]>, name: string): string {
  const shorter = (_: string, part: unknown) =>
    typeof part === 'string' && part.length > 60 ? `${part.slice(0, 57)}…` : part;
  const steps = JSON.stringify(result.counterexample?.[0], shorter);
  const again =
    `DIFFERENTIAL_SEED=${result.seed} DIFFERENTIAL_PATH=${result.counterexamplePath} ` +
    `npx vitest run test/differential -t '${name}'`;
  const cause = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  return `${cause}\n  after ${steps?.slice(0, 3000)}\n  again: ${again}`;
}

test('what agreement forgives, and what not', () => {
  const agree = (words: string[], a: string, b: string) => repliesAgree(words, Buffer.from(a), Buffer.from(b));
  expect(agree(['GET', 'k'], '$1\r\na\r\n', '$1\r\nb\r\n')).toBe(false);
  expect(agree(['GET', 'k'], '$-1\r\n', '_\r\n')).toBe(false);
  expect(agree(['keys', '*'], '*2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+a\r\n')).toBe(true);
  expect(agree(['MGET', 'a', 'b'], '*2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+a\r\n')).toBe(false);
  expect(agree(['TTL', 'k'], ':100\r\n', ':99\r\n')).toBe(true);
  expect(agree(['TTL', 'k'], ':100\r\n', ':90\r\n')).toBe(false);
  expect(agree(['TTL', 'k'], ':0\r\n', ':-1\r\n')).toBe(false);
  expect(agree(['RANDOMKEY'], '$1\r\na\r\n', '$1\r\nb\r\n')).toBe(true);
  const near = ['GEOSEARCH', 'k', 'FROMMEMBER', 'a', 'BYRADIUS', '1', 'm', 'ASC'] as const;
  expect(agree([...near], '*2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+a\r\n')).toBe(true);
  expect(agree([...near], '*2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+c\r\n')).toBe(false);
  expect(agree([...near, 'COUNT', '1'], '*1\r\n+a\r\n', '*1\r\n+b\r\n')).toBe(true);
  expect(agree([...near, 'COUNT', '1'], '*1\r\n+a\r\n', '*0\r\n')).toBe(false);
  expect(agree(['RANDOMKEY'], '$1\r\na\r\n', '$-1\r\n')).toBe(false);
  const [tooLarge, smaller] = [
    '-ERR Elements are too large\r\n',
    '-ERR The ID specified in XADD is equal or smaller\r\n',
  ];
  expect(agree(['XADD', 's', '5-*', 'f', 'v'], tooLarge, smaller)).toBe(true);
  expect(agree(['XADD', 's', '5-*', 'f', 'v'], '-ERR no\r\n', smaller)).toBe(false);
});
