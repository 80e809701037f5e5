/**
 * Random SORTs to stock Redis and to the server under test: every reply must be the same. They are apart from the other commands,
 * because stock 7.0 refuses a SORT by numbers behind a command whose number was too large for a double (errno of strtod stays).
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { STOCK, serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { fromRows } from './arbitrary-parts.ts';
import { SORTS } from './sort-arbitraries.ts';
import { Twins } from './twin-run.ts';

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 40);
const STEPS = 60;

describeWith(['redis-server'], 'random SORTs get the replies of stock Redis', () => {
  const servers = new ServerGroup();
  let oracle: ServerProcess;
  let tested: ServerProcess;
  beforeAll(async () => {
    const options = { 'enable-debug-command': 'yes' };
    oracle = await servers.start({ command: STOCK, options });
    tested = await servers.start({ command: serverUnderTest(), options, skeinOptions: { workers: 2, shards: 4 } });
  });
  afterAll(() => servers.removeAll());

  test.each([2, 3] as const)(
    'RESP%i',
    async (resp) => {
      const twins = await Twins.connect(oracle, tested, 1, resp);
      const step = fromRows(SORTS).map((words) => ({ kind: 'command' as const, client: 0, words }));
      const steps = fc.array(step, { minLength: 1, maxLength: STEPS, size: 'max' });
      const result = await fc.check(
        fc.asyncProperty(steps, (played) => twins.play(played)),
        { numRuns: RUNS },
      );
      twins.close();
      const words = result.counterexample?.[0].map((one) => one.words.join(' '));
      expect(result.failed ? [String(result.errorInstance), words] : []).toEqual([]);
    },
    300_000,
  );
});
