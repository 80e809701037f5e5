/** The matcher against KEYS of a stock redis-server: random patterns over keys that are made of the same few bytes. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { globMatch } from '../../../src/keyspace/glob.ts';
import { describeWith } from '../../server/describe-with.ts';
import type { RespClient } from '../../server/resp-client.ts';
import { STOCK } from '../../server/server-command.ts';
import { ServerGroup } from '../../server/server-process.ts';

describeWith([STOCK.program], 'globMatch against stock', () => {
  const servers = new ServerGroup();
  let client: RespClient;
  const keys = fc.sample(
    fc.array(fc.constantFrom('a', 'b', 'c', 'B', '[', ']', '*', '\\', '-', '^', '?', '\x01', '\x80', '\xff'), {
      maxLength: 6,
    }),
    { numRuns: 300, seed: 7 },
  );
  const names = [...new Set(keys.map((letters) => letters.join('')))].map((name) => Buffer.from(name, 'latin1'));

  beforeAll(async () => {
    client = await (await servers.start({ command: STOCK })).connect();
    for (const name of names) await client.must('SET', name, '1');
  });
  afterAll(() => servers.removeAll());

  test('KEYS finds what the matcher matches', async () => {
    const letters = ['*', '*', '?', '[', '[', ']', '^', '-', '\\', 'a', 'b', 'B', 'c', '\x01', '\x80', '\xff'];
    const pattern = fc
      .array(fc.constantFrom(...letters), { maxLength: 9 })
      .map((p) => Buffer.from(p.join(''), 'latin1'));
    await fc.assert(
      fc.asyncProperty(pattern, async (glob) => {
        const found = (await client.must('KEYS', glob)) as string[];
        const matched = names.filter((name) => globMatch(glob, 0, glob.length, name, 0, name.length, false));
        expect(matched.map((name) => name.toString('latin1')).sort()).toEqual([...found].sort());
      }),
      { numRuns: 3000 },
    );
  });
});
