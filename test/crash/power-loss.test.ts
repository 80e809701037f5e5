/**
 * Loss of power, simulated by dropping bytes that no fsync had covered: nothing acknowledged is lost under `always`, commands
 * over several shards come back as a whole or not at all under every policy.
 *
 *   POWER_ROUNDS=50 npx vitest run test/crash/power-loss      longer
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import type { Plant } from '../faults/planted-server.ts';
import { ConnectionLost } from '../server/resp-client.ts';
import { type Options, ServerGroup, ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { ACKNOWLEDGED, acknowledgedBefore, checkRecovered, type Durability, NOTHING } from './crash-check.ts';
import { type KeyValues, readBack, runLoad } from './crash-load.ts';
import { describeSkein } from './data-files.ts';
import { noteChecked } from './fault-tally.ts';
import { losePower, withNotedSyncs } from './power-loss.ts';

const ROUNDS = Number(process.env['POWER_ROUNDS'] ?? 1);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const CLIENTS = 4;
const SHARDS = 3;
/** `everysec` promises a second; the journal thread's round and a busy machine are granted another one and a half. */
const EVERYSEC_MS = 2500;

interface Run {
  readonly options: Options;
  readonly rounds: number;
  readonly plants?: readonly Plant[];
  /** Kill after so many answers, and not before so many milliseconds. */
  readonly mostAnswers: number;
  readonly leastMs?: number;
  /** Have the journal rewritten again and again meanwhile. */
  readonly rewrites?: boolean;
  readonly durable: (killedAtMs: number) => Durability['durable'];
}

const servers = new ServerGroup();
const folders: string[] = [];
afterEach(async () => {
  await servers.removeAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Load, kill, drop unsynced bytes, start again, check; repeated on the same data. Throws where something was lost. */
async function crashAgainAndAgain(run: Run): Promise<number> {
  const roll = dice(SEED);
  const folder = mkdtempSync(join(tmpdir(), 'skein-power-'));
  folders.push(folder);
  const skeinOptions = { workers: 2, shards: SHARDS, ...run.options };
  const start = { folder, options: { appendonly: 'yes' }, skeinOptions, ...withNotedSyncs(folder, run.plants) };
  let server = await servers.start(start);
  let contents: KeyValues[] = [];
  let dropped = 0;
  for (let round = 0; round < run.rounds; round++) {
    const killAfter = 1 + roll(run.mostAnswers);
    const notBefore = performance.now() + (run.leastMs ?? 0);
    let killedAtMs = 0;
    const onAnswer = (answers: number) => {
      if (killedAtMs !== 0 || answers < killAfter || performance.now() < notBefore) return;
      killedAtMs = performance.now();
      server.signal('SIGKILL');
    };
    const load = { clients: CLIENTS, seed: SEED + round, pipelines: Infinity, maxDepth: 30, onAnswer };
    const rewriter = run.rewrites ? keepRewriting(server) : Promise.resolve();
    const histories = await runLoad(server, load, contents);
    await rewriter;
    await server.exit();
    dropped += losePower(folder, SHARDS, roll);
    server = servers.add(await ServerProcess.start(start));
    contents = await readBack(server, CLIENTS);
    const durability = { shards: SHARDS, durable: run.durable(killedAtMs) };
    for (const history of histories) checkRecovered(history, contents[history.client], durability);
  }
  return dropped;
}

async function keepRewriting(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  try {
    for (;;) await client.call('BGREWRITEAOF');
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
}

describeSkein(`loss of power (seed ${SEED})`, () => {
  test('always: every acknowledged write is there', async () => {
    await crashAgainAndAgain({
      options: { appendfsync: 'always' },
      rounds: ROUNDS,
      mostAnswers: 2000,
      durable: () => ACKNOWLEDGED,
    });
  });

  test('no: each shard comes back as it was at some moment, transactions as a whole', async () => {
    const dropped = await crashAgainAndAgain({
      options: { appendfsync: 'no' },
      rounds: ROUNDS,
      mostAnswers: 8000,
      durable: () => NOTHING,
    });
    expect(dropped).toBeGreaterThan(0);
  });

  test('everysec: at most the last second is missing', async () => {
    await crashAgainAndAgain({
      options: { appendfsync: 'everysec' },
      rounds: 1,
      mostAnswers: 100,
      leastMs: 3500,
      durable: (killedAtMs) => acknowledgedBefore(killedAtMs - EVERYSEC_MS),
    });
  });

  test.each([
    ['always', ACKNOWLEDGED],
    ['no', NOTHING],
  ] as const)('amid rewrites of the journal: %s', async (appendfsync, durable) => {
    await crashAgainAndAgain({
      options: { appendfsync },
      rounds: 2 * ROUNDS,
      mostAnswers: 1500,
      rewrites: true,
      durable: () => durable,
    });
  });

  test('always on one shard only: what touched that shard is there', async () => {
    await crashAgainAndAgain({
      options: { appendfsync: 'no', 'shard-appendfsync': [1, 'always'] },
      rounds: ROUNDS,
      mostAnswers: 2000,
      durable: () => (history, shard) => (shard === 1 ? ACKNOWLEDGED(history) : 0),
    });
  });

  test.each<[string, Plant, Run['options']]>([
    [
      'a reply that leaves before the sync',
      {
        file: 'src/net/outbox.ts',
        text: 'private areSafe(stamps: number[]): boolean {',
        replacement: 'private areSafe(stamps: number[]): boolean { if (stamps) return true;',
      },
      { appendfsync: 'always' },
    ],
    [
      'a recovery that does not look for the cut',
      {
        file: 'src/persistence/recovery.ts',
        text: 'const cut = greatestCut(scans);',
        replacement: 'const cut = scans.map((scan) => scan.end);',
      },
      { appendfsync: 'no' },
    ],
  ])('planted, and found: %s', async (_, plant, options) => {
    const always = options['appendfsync'] === 'always';
    const run: Run = {
      options,
      rounds: 20,
      plants: [plant],
      mostAnswers: 3000,
      durable: () => (always ? ACKNOWLEDGED : NOTHING),
    };
    await expect(crashAgainAndAgain(run)).rejects.toThrow(/must be there|in part|would be cut|safe/);
  });

  /** Loses power right after a rewrite of the journal has ended; how many acknowledged writes are there at the next start. */
  async function losePowerAfterRewrite(plants: readonly Plant[]): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), 'skein-power-'));
    folders.push(folder);
    const options = { appendonly: 'yes', appendfsync: 'always' };
    const start = { folder, options, skeinOptions: { workers: 2, shards: SHARDS }, ...withNotedSyncs(folder, plants) };
    const server = servers.add(await ServerProcess.start(start));
    const client = await server.connect();
    for (let n = 0; n < 50; n++) await client.must('SET', `k${n}`, n);
    await client.must('BGREWRITEAOF');
    await waitUntil('the rewrite has ended', async () =>
      /aof_rewrites:1\r\n/.test(String(await client.must('INFO', 'persistence'))),
    );
    for (let n = 50; n < 100; n++) await client.must('SET', `k${n}`, n);
    await server.kill();
    losePower(folder, SHARDS, dice(SEED));
    const again = servers.add(await ServerProcess.start(start));
    const reader = await again.connect();
    return (await reader.must('DBSIZE')) as number;
  }

  test('after a rewrite of the journal: all is there; planted, and found: a rename whose folder is not synced', async () => {
    expect(await losePowerAfterRewrite([])).toBe(100);
    noteChecked(100);
    const forgotten: Plant = {
      file: 'src/env/files.ts',
      text: `name}\`);\n  files.syncFolder(folder);`,
      replacement: 'name}`);',
    };
    // what removes the old files has the folder synced before it does
    const again: Plant = {
      file: 'src/persistence/data-set.ts',
      text: 'files.syncFolder(folder);\n  for (const name of left)',
      replacement: 'for (const name of left)',
    };
    expect(await losePowerAfterRewrite([forgotten])).toBe(100);
    await expect(losePowerAfterRewrite([forgotten, again])).rejects.toThrow(/missing/);
  });
});
