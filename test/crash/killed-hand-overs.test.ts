/**
 * Elements on their way to clients that wait (BLPOP and its kin), and a server that is killed or loses power at random moments, again
 * and again on the same data: who was answered has the element alone, and whatever was pushed is in a list, or it was answered, or it
 * was under way to a client that got no answer.
 *
 *   CRASH_ROUNDS=100 npx vitest run test/crash/killed-hand-overs      longer
 *   CRASH_SEED=…                                                      the same commands again (the moments are the machine's)
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import type { Plant } from '../faults/planted-server.ts';
import { SKEIN } from '../server/server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { describeSkein } from './data-files.ts';
import { elementsOf, HandOverAccount, runHandOvers } from './hand-over-load.ts';
import { losePower, withNotedSyncs } from './power-loss.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 2);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const PLANTED_ROUNDS = 3;
const SHARDS = 3;
const LOAD = { producers: 3, consumers: 6 };
/** Elements that consumers got before the server died, at most; under `always` each waits for a sync. */
const MOST_HAND_OVERS = 3000;
const MOST_SYNCED_HAND_OVERS = 600;

const servers = new ServerGroup();
const folders: string[] = [];
afterEach(async () => {
  await servers.removeAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly appendfsync: string;
  readonly workers: number;
  readonly rounds: number;
  readonly most: number;
  /** Unsynced bytes are lost as well. */
  readonly power?: boolean;
  readonly plants?: readonly Plant[];
}

/** Throws where an element is lost, doubled, or comes back. */
async function crashAgainAndAgain(run: Run): Promise<HandOverAccount> {
  const roll = dice(SEED);
  const folder = mkdtempSync(join(tmpdir(), 'skein-hand-over-'));
  folders.push(folder);
  const command: Pick<StartOptions, 'command'> =
    run.power || run.plants ? withNotedSyncs(folder, run.plants) : { command: SKEIN };
  const options = { appendonly: 'yes', appendfsync: run.appendfsync };
  const start = { ...command, folder, options, skeinOptions: { workers: run.workers, shards: SHARDS } };
  const account = new HandOverAccount();
  let server = servers.add(await ServerProcess.start(start));
  for (let round = 0; round < run.rounds; round++) {
    const load = { ...LOAD, seed: SEED + round, killAfter: 1 + roll(run.most) };
    await runHandOvers(server, load, account);
    expect(await server.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    if (run.power) losePower(folder, SHARDS, roll);
    server = servers.add(await ServerProcess.start(start));
    account.settle(await elementsOf(server));
  }
  return account;
}

const shapes = [1, 2].flatMap((workers) =>
  ['always', 'everysec', 'no'].map((appendfsync) => ({ workers, appendfsync })),
);

describeSkein(`hand-overs to clients that wait (seed ${SEED})`, () => {
  test.each(shapes)('killed: $workers workers, appendfsync $appendfsync', async ({ workers, appendfsync }) => {
    const most = appendfsync === 'always' ? MOST_SYNCED_HAND_OVERS : MOST_HAND_OVERS;
    const account = await crashAgainAndAgain({ appendfsync, workers, rounds: ROUNDS, most });
    process.stdout.write(`${account.handedOver} hand-overs, ${account.lostUnderWay} under way at a kill\n`);
  });

  test.each([1, 2])('loss of power under always: %s workers', async (workers) => {
    await crashAgainAndAgain({
      ...{ appendfsync: 'always', workers, power: true },
      ...{ rounds: ROUNDS, most: MOST_SYNCED_HAND_OVERS },
    });
  });

  test('planted, and found: what a served client takes is not in the journal', async () => {
    const plants = [
      {
        file: 'src/commands/list-remove.ts',
        text: "effect.argText(atTail ? 'RPOP' : 'LPOP');",
        replacement: "effect.argText(unit.serving ? 'LINDEX' : atTail ? 'RPOP' : 'LPOP');",
      },
    ];
    const hunt = { appendfsync: 'no', workers: 2, rounds: PLANTED_ROUNDS, most: 300, plants };
    await expect(crashAgainAndAgain(hunt)).rejects.toThrow(/is in a list again|is there twice/);
  });
});
