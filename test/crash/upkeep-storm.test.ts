/**
 * Snapshots, rewrites of the journal, the journal switched off and on, reloads, flushes and shutdowns, several at a time and in any
 * order, under writes, on a disk whose calls fail now and then; then kill −9. Nothing acknowledged is lost, two keys of one command stay
 * together, the digest is the same after a restart. And once the disk is sound: nothing is stuck, no file is left open or lying about.
 *
 *   CRASH_ROUNDS=50 npx vitest run test/crash/upkeep-storm      longer
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { ConnectionLost, type RespClient } from '../server/resp-client.ts';
import { ServerGroup, type ServerProcess, type StartOptions } from '../server/server-process.ts';
import { waitUntil, within } from '../server/wait-until.ts';
import { describeSkein } from './data-files.ts';
import { FailingCalls } from './failing-calls.ts';
import { noteFaults } from './fault-tally.ts';
import { WriteLoad } from './write-load.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const SHARDS = 2;
const WRITERS = 3;
const OPERATORS = 3;
/** What each operator does in a storm. */
const OPERATIONS = 25;
const SETTLE_MS = 30_000;
/** With a fault something may stand still for ever: that is seen sooner. */
const PLANTED_SETTLE_MS = 6000;
/** Of so many calls of the file system one fails: often enough for every first step, seldom enough for the last ones. */
const ONE_IN = [4, 12, 40];

type Commands = readonly (readonly (string | number)[])[];

/** What may happen at any time; some of it is refused while something else is under way, or because the disk is. */
const UPKEEP: Commands = [
  ['BGREWRITEAOF'],
  ['BGREWRITEAOF'],
  ['BGSAVE'],
  ['BGSAVE', 'SCHEDULE'],
  ['SAVE'],
  ['DEBUG', 'RELOAD'],
  ['CONFIG', 'SET', 'rdb-key-save-delay', 200],
  ['CONFIG', 'SET', 'rdb-key-save-delay', 0],
  ['CONFIG', 'SET', 'appendfsync', 'always'],
  ['CONFIG', 'SET', 'appendfsync', 'everysec'],
  ['CONFIG', 'SET', 'auto-aof-rewrite-percentage', 1],
  ['CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0],
  ['SELECT', 9],
  ['FLUSHDB'],
  ['RPUSH', 'list', ...Array.from({ length: 200 }, (_, n) => `element ${n}`)],
  ['ZADD', 'zset', ...Array.from({ length: 200 }, (_, n) => [n, `member ${n}`]).flat()],
];
/** While the journal is off nothing is promised: only where no kill follows before it is on again. */
const SWITCHING: Commands = [
  ['CONFIG', 'SET', 'appendonly', 'no'],
  ['CONFIG', 'SET', 'appendonly', 'yes'],
];
const EVERYTHING: Commands = [...UPKEEP, ...SWITCHING];
const REWRITES: Commands = [['BGREWRITEAOF']];
const RELOADS: Commands = [['DEBUG', 'RELOAD'], ['BGREWRITEAOF'], ...SWITCHING];
/** A hunt for a planted fault ends with the first sign of it. */
const HUNT_ROUNDS = 30;
const SIGNS =
  /every operator has its answers|the server is well|waited \d+ ms for|acknowledged|expected|ECONNREFUSED|connection closed/;

const servers = new ServerGroup();
let failing: FailingCalls | null = null;
let settleMs = SETTLE_MS;
afterEach(async () => {
  await servers.removeAll();
  failing?.remove();
  failing = null;
});

/** One client that does what an operator might, at random, until the server is gone or it has done enough. */
async function operate(client: RespClient, roll: (limit: number) => number, commands: Commands): Promise<void> {
  try {
    // flushes and other data are those of a database that nobody checks
    await client.call('SELECT', 9);
    for (let n = 0; n < OPERATIONS; n++) await client.call(...commands[roll(commands.length)]);
    client.close();
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
}

/** Several operators at once. */
async function storm(server: ServerProcess, roll: (limit: number) => number, commands: Commands): Promise<void> {
  const clients = await Promise.all(Array.from({ length: OPERATORS }, () => server.connect()));
  const done = Promise.all(clients.map((client) => operate(client, dice(1 + roll(1 << 30)), commands)));
  await within('every operator has its answers', done, settleMs);
}

const info = async (client: RespClient): Promise<string> => String(await client.call('INFO', 'persistence'));

/** The disk is sound again: the journal is on, a rewrite and a snapshot succeed, by themselves or at the first wish. */
async function settle(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  await client.must('CONFIG', 'SET', 'rdb-key-save-delay', 0);
  await client.must('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0);
  const answers = async (...command: (string | number)[]) =>
    String(await client.call(...command)).match(/^(OK|Background)/);
  await waitUntil(
    'the journal is on',
    async () =>
      (await answers('CONFIG', 'SET', 'appendonly', 'yes')) !== null && /aof_enabled:1/.test(await info(client)),
    settleMs,
  );
  await waitUntil('writes are taken', async () => (await client.call('SET', 'settled', '1')) === 'OK', settleMs);
  await waitUntil(
    'nothing is under way',
    async () => /bgsave_in_progress:0[\s\S]*rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await info(client)),
    settleMs,
  );
  await waitUntil('a rewrite begins', async () => (await answers('BGREWRITEAOF')) !== null, settleMs);
  await waitUntil(
    'it succeeds',
    async () => /rewrite_in_progress:0[\s\S]*aof_last_bgrewrite_status:ok/.test(await info(client)),
    settleMs,
  );
  await waitUntil('a snapshot succeeds', async () => (await answers('SAVE')) !== null, settleMs);
  await client.must('DEBUG', 'CHECK');
  client.close();
}

/** Journals are open, nothing else; the folders hold what the manifests name and the snapshot, nothing else. */
async function expectTidy(server: ServerProcess): Promise<void> {
  const home = join(server.folder, 'appendonlydir');
  // half a snapshot of a server that was killed stays, as in Redis
  const others = new RegExp(`^(?:dump|temp-(?!${server.pid}\\.)\\d+)\\.rdb$`);
  const names = (): string[] => readdirSync(server.folder).filter((name) => !others.test(name));
  // a snapshot that was scheduled may be under way
  await waitUntil('nothing else is left', () => names().length === 1, settleMs).catch(() => {});
  expect(names()).toEqual(['appendonlydir']);
  expect(readdirSync(home).sort()).toEqual(['shard-0', 'shard-1', 'skein.manifest']);
  for (let shard = 0; shard < SHARDS; shard++) expect(readdirSync(join(home, `shard-${shard}`))).toHaveLength(3);
  const open = readdirSync(`/proc/${server.pid}/fd`).map((fd) => targetOf(`/proc/${server.pid}/fd/${fd}`));
  expect(open.filter((path) => path.startsWith(server.folder))).toHaveLength(SHARDS);
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // closed meanwhile
  }
}

async function digest(server: ServerProcess): Promise<unknown> {
  const client = await server.connect();
  const found = await client.must('DEBUG', 'DIGEST');
  client.close();
  return found;
}

/** Storms, disk errors, kills, restarts, checks, on one data set. */
async function weather(
  rounds: number,
  seed: number,
  plants: readonly Plant[] = [],
  upkeep = EVERYTHING,
): Promise<void> {
  const roll = dice(seed);
  settleMs = plants.length > 0 ? PLANTED_SETTLE_MS : SETTLE_MS;
  failing = new FailingCalls();
  const start = (): StartOptions => ({
    ...planted([...failing!.plants, ...plants], failing!.env),
    options: {
      appendonly: 'yes',
      appendfsync: roll(2) === 0 ? 'always' : 'everysec',
      save: '',
      'enable-debug-command': 'yes',
    },
    skeinOptions: { workers: 1 + roll(2), shards: SHARDS },
  });
  let server = await servers.start(start());
  const load = new WriteLoad(WRITERS, seed);
  const restart = async (): Promise<void> => {
    failing!.end();
    const { options, skeinOptions } = start();
    server = servers.add(await server.restart({ options, skeinOptions }));
    await load.check(server);
  };
  for (let round = 0; round < rounds; round++) {
    // all of it, with a disk that fails; then it is sound, and all must be well
    await load.begin(server);
    failing.begin(ONE_IN[roll(ONE_IN.length)], false);
    await storm(server, roll, upkeep);
    failing.end();
    // one who waits for an answer that never comes sees no deadline of his own
    await within('the server is well', settle(server), 2 * settleMs);
    await load.end();
    const before = await digest(server);
    await expectTidy(server);
    await server.kill();
    noteFaults('kills after a storm of upkeep');
    await restart();
    expect(await digest(server)).toBe(before);
    // what leaves the journal on, and a kill amid it; sometimes syncs fail, too, and writes are refused from then on
    await load.begin(server);
    const victim = server;
    const stormed = storm(victim, roll, UPKEEP);
    const least = load.acknowledged + 1 + roll(300);
    failing.begin(ONE_IN[roll(ONE_IN.length)], roll(3) === 0);
    // whoever is owed an answer when a sync fails never gets it
    const isEnough = (): boolean => load.acknowledged >= least || victim.log().includes('cannot be written');
    await Promise.race([stormed, waitUntil('writes, or a refusal', isEnough, settleMs)]);
    victim.signal('SIGKILL');
    noteFaults('kills amid a storm of upkeep');
    await Promise.all([stormed, load.end(), victim.exit()]);
    noteFaults('calls of the file system that fail', failing.takeCount());
    await restart();
  }
}

describeSkein(`upkeep in any order (seed ${SEED})`, () => {
  test('on a disk that fails, with kills: nothing is lost, nothing is stuck', async () => {
    await weather(ROUNDS, SEED);
  });

  describe('planted, and found', () => {
    test.each<[string, Commands, ...Plant[]]>([
      [
        'a rotation that fails and keeps the round',
        REWRITES,
        // more calls that may fail in the place that matters
        {
          file: 'src/persistence/journal-file.ts',
          text: 'writeAllParts(files, fd, [line], 0);\n  return',
          replacement:
            'for (let n = 0; n < 20; n++) files.truncate(fd, 0); writeAllParts(files, fd, [line], 0);\n  return',
        },
        {
          file: 'src/journal/journal-control.ts',
          text: 'if (rotated === 0) {\n        giveBack(this.i32, GLOBAL.round);',
          replacement: 'if (rotated === 0) {',
        },
      ],
      [
        'files that stay open where something fails',
        EVERYTHING,
        { file: 'src/env/files.ts', text: 'try {\n    files.close(fd);', replacement: 'try {' },
      ],
      [
        'what a rewrite leaves is never swept',
        EVERYTHING,
        {
          file: 'src/persistence/data-set.ts',
          text: 'if (left.length === 0) return;',
          replacement: 'if (left.length >= 0) return;',
        },
      ],
      [
        'a turn that everybody has at once',
        RELOADS,
        {
          file: 'src/net/data-set-turn.ts',
          text: 'return Atomics.compareExchange(process, PROCESS.dataSetTurn, 0, work);',
          replacement: 'return 0;',
        },
      ],
    ])(
      '%s',
      async (_, upkeep, ...plants) => {
        const found = await weather(HUNT_ROUNDS, SEED, plants, upkeep).then(() => '', String);
        // the server ran, and it is the weather that told
        expect(found).toMatch(SIGNS);
      },
      180_000,
    );
  });
});
