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
import { busy, type Plant } from '../faults/planted-server.ts';
import { SKEIN } from '../server/server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { describeSkein } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';
import { elementsOf, HandOverAccount, runHandOvers } from './hand-over-load.ts';
import { losePower, withNotedSyncs } from './power-loss.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const PLANTED_ROUNDS = 3;
const HASTY_ROUNDS = 20;
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
  /** The server ends in order. */
  readonly isClean?: boolean;
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
    const signal = run.isClean ? 'SIGTERM' : 'SIGKILL';
    await runHandOvers(server, { ...LOAD, seed: SEED + round, killAfter: 1 + roll(run.most), signal }, account);
    expect(await server.exit()).toEqual(run.isClean ? { code: 0, signal: null } : { code: null, signal });
    if (run.power) losePower(folder, SHARDS, roll);
    else noteFaults('kills at a random moment');
    server = servers.add(await ServerProcess.start(start));
    account.settle(await elementsOf(server), run.isClean === true);
  }
  return account;
}

const ORDERLY = { appendfsync: 'no', workers: 2, most: 100, isClean: true };
/** Long between the end of a unit of worker 0 that has served somebody, and the news of it: the other one could end meanwhile. */
const SLOW_NEWS: Plant = {
  file: 'src/dispatch/dispatcher.ts',
  text: 'if (outgoing.length === 0 || this.telling) return;',
  replacement: `if (outgoing.length === 0 || this.telling) return; if (this.rings.worker === 0) ${busy(100_000)}`,
};

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

  test('an end in order: whoever was served hears of it, however late its worker is told', async () => {
    const orderly = { ...ORDERLY, rounds: 2 * ROUNDS, plants: [SLOW_NEWS] };
    expect((await crashAgainAndAgain(orderly)).lostUnderWay).toBe(0);
  });

  test('planted, and found: workers end without waiting for what others have to tell them', async () => {
    const hasty = { file: 'src/net/shutdown.ts', text: 'await this.quiesce();', replacement: '' };
    const hunt = { ...ORDERLY, rounds: HASTY_ROUNDS, plants: [SLOW_NEWS, hasty] };
    await expect(crashAgainAndAgain(hunt)).rejects.toThrow('elements are lost, 0 can have been under way');
  }, 180_000);

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
