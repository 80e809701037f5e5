/**
 * Loss of power on a real file system: ext4 on a loop device, shut down without its journal being written. What `always` acknowledged is
 * there afterwards, also where the journal was being rewritten; servers that sync too late, or not at all, are found out.
 *
 *   POWER_ROUNDS=50 npx vitest run test/crash/ext4-power-loss      longer
 */
import { afterEach, describe, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { ConnectionLost } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { ACKNOWLEDGED, checkRecovered } from './crash-check.ts';
import { type KeyValues, readBack, runLoad } from './crash-load.ts';
import { noteFaults } from './fault-tally.ts';
import { canMakeDisks, LoopDisk } from './loop-disk.ts';

const ROUNDS = Number(process.env['POWER_ROUNDS'] ?? 1);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const CLIENTS = 3;
const SHARDS = 2;
const DISK_MEGABYTES = 96;

const disks = await canMakeDisks();
if (!disks) process.stderr.write('no loss of power on ext4: this machine lets us mount no loop device\n');

const servers = new ServerGroup();
let disk: LoopDisk | null = null;
afterEach(async () => {
  await servers.removeAll();
  await disk?.remove();
  disk = null;
});

/** Asks for rewrites of the journal until the server is gone. */
async function keepRewriting(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  try {
    for (;;) await client.call('BGREWRITEAOF');
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
}

/** Load, loss of power, restart, check; again and again on one disk. Returns how many acknowledged commands were checked. */
async function losePowerAgainAndAgain(rounds: number, rewriting: boolean, plants: readonly Plant[]): Promise<number> {
  const roll = dice(SEED);
  disk = new LoopDisk(DISK_MEGABYTES);
  const power = disk;
  const start: StartOptions = {
    ...(plants.length === 0 ? { command: serverUnderTest() } : planted(plants)),
    folder: power.folder,
    options: { appendonly: 'yes', appendfsync: 'always', 'auto-aof-rewrite-percentage': 0 },
    skeinOptions: { workers: 2, shards: SHARDS },
  };
  let server = await servers.start(start);
  let contents: KeyValues[] = [];
  let checked = 0;
  for (let round = 0; round < rounds; round++) {
    const victim = server;
    const cutAfter = 50 + roll(500);
    const onAnswer = (answers: number): void => {
      if (answers !== cutAfter) return;
      // or it might still tell a client that its disk is gone
      victim.signal('SIGSTOP');
      power.cutPower();
      noteFaults('losses of power on ext4');
      victim.signal('SIGKILL');
    };
    const rewriter = rewriting ? keepRewriting(victim) : Promise.resolve();
    const load = { clients: CLIENTS, seed: SEED + round, pipelines: Infinity, maxDepth: 10, onAnswer };
    const histories = await runLoad(victim, load, contents);
    await rewriter;
    await victim.exit();
    await power.restore();
    server = servers.add(await ServerProcess.start(start));
    contents = await readBack(server, CLIENTS);
    for (const history of histories) {
      checkRecovered(history, contents[history.client], { shards: SHARDS, durable: ACKNOWLEDGED });
      checked += history.ackedAtMs.length;
    }
  }
  return checked;
}

describe.skipIf(!disks || serverUnderTest().kind === 'stock')(`loss of power on ext4 (seed ${SEED})`, () => {
  test.each([
    ['always', false],
    ['always, while the journal is rewritten', true],
  ])('%s: every acknowledged write is there', async (_, rewriting) => {
    const checked = await losePowerAgainAndAgain(ROUNDS, rewriting, []);
    expect(checked).toBeGreaterThan(50 * ROUNDS);
  });

  // that a folder is not synced cannot be found here: any sync of ext4 takes all names along (test/unit/persistence/redis-files.test.ts)
  test.each<[string, Plant]>([
    [
      'a reply that leaves before the sync',
      {
        file: 'src/net/outbox.ts',
        text: 'private areSafe(stamps: number[]): boolean {',
        replacement: 'private areSafe(stamps: number[]): boolean { if (stamps) return true;',
      },
    ],
    ['syncs that do nothing', { file: 'src/env/files.ts', text: 'fs.fdatasyncSync(fd);', replacement: '' }],
  ])('planted, and found: %s', async (_, plant) => {
    await expect(losePowerAgainAndAgain(12, false, [plant])).rejects.toThrow();
  });
});
