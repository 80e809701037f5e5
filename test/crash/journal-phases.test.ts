/**
 * Kill −9 at each phase of a record's way: staged, published, half written, written, synced, safe, answered; amid recovery; and
 * at each phase of a rewrite of the journal.
 * The server kills itself at the n-th passage of a planted place. Every start recovers what the crash before it left, and is
 * itself the next victim: one data set lives through all phases.
 *
 *   CRASH_PASSAGES=1000 npx vitest run test/crash/journal-phases      every passage, until a run ends un-hit
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Plant, planted } from '../faults/planted-server.ts';
import { ConnectionLost } from '../server/resp-client.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { ACKNOWLEDGED, checkRecovered } from './crash-check.ts';
import { type ClientHistory, type KeyValues, readBack, runLoad } from './crash-load.ts';
import { describeSkein } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const MOST_PASSAGES = Number(process.env['CRASH_PASSAGES'] ?? 0);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const CLIENTS = 3;
const SHARDS = 2;
const JOURNAL = 'src/journal/journal.ts';
const DRAIN = 'src/journal/journal-drain.ts';
const SYNC_ROUND = 'src/journal/sync-round.ts';
const OUTBOX = 'src/net/outbox.ts';

interface Phase {
  readonly name: string;
  readonly file: string;
  /** The place: a text that stands once in the file … */
  readonly text: string;
  /** … and what stands there instead; KILL ends the process at the n-th passage (of one thread). */
  readonly replacement: string;
}

const KILL =
  '{ if ((globalThis.passages = (globalThis.passages ?? 0) + 1) === N) process.kill(process.pid, "SIGKILL"); }';
const before = (text: string) => `${KILL} ${text}`;
const phase = (name: string, file: string, text: string, replacement = before(text)): Phase => ({
  name,
  file,
  text,
  replacement,
});

const PHASES: readonly Phase[] = [
  phase('a unit is staged, not published', JOURNAL, 'i32[words.db] = this.db;'),
  phase(
    'one part of a transaction is published',
    JOURNAL,
    'for (let i = 0; i < count; i++) journals[i].publish();',
    `for (let i = 0; i < count; i++) { journals[i].publish(); if (i === 0) ${KILL} }`,
  ),
  phase('published, not written', DRAIN, 'let at = writeHeaderFields(small, this.shard, end, length, safe, mark);'),
  phase(
    'half written',
    DRAIN,
    'const written = files.writeAt(fd, small, 0, bytes, fileBytes);',
    `const share = globalThis.passages + 1 === N ? bytes >> 1 : bytes;
     const written = files.writeAt(fd, small, 0, share, fileBytes); ${KILL}`,
  ),
  phase('written, nobody knows', DRAIN, 'words.storePosition(words.written, end);'),
  phase('written, not synced', SYNC_ROUND, 'const failed = this.lanes.sync('),
  phase(
    'synced, not said to be safe',
    SYNC_ROUND,
    'for (const shard of dirty) this.publish(shard);',
    `if (dirty.length > 0) ${KILL} for (const shard of dirty) this.publish(shard);`,
  ),
  phase('some shards are said to be safe', SYNC_ROUND, 'words.storePosition(words.safe, this.heads[shard]);'),
  phase(
    'safe, the waiting threads not rung',
    SYNC_ROUND,
    'for (const shard of dirty) this.publish(shard);',
    `for (const shard of dirty) this.publish(shard); if (dirty.length > 0) ${KILL}`,
  ),
  phase(
    'an answer leaves',
    OUTBOX,
    'if (sink.heldOutputs.length > 0 || !this.areSafe(stamps))',
    // that of a write: the reads of the check before it go the same way
    `if (wrote) ${KILL} if (sink.heldOutputs.length > 0 || !this.areSafe(stamps))`,
  ),
  phase('a held answer leaves', OUTBOX, 'if (!sink.closed) sink.send(bytes, 0, bytes.length);'),
];

const RECOVERY = 'src/persistence/recovery.ts';
const RECOVERY_PHASES: readonly Phase[] = [
  phase('the cut is known, nothing is cut', RECOVERY, 'if (end < size) files.truncate(fd, end);'),
  phase('a file is cut, not synced', RECOVERY, 'files.syncData(fd);\n  return {'),
];

const REWRITE = 'src/net/journal-rewrite.ts';
const ROTATION = 'src/journal/journal-control.ts';
const REWRITE_PHASES: readonly Phase[] = [
  phase('increments are prepared', REWRITE, 'this.writeManifest(plan);'),
  phase(
    'everything is written, no increment is begun',
    ROTATION,
    'for (const head of heads) made.push(begin(made.length, head));',
  ),
  phase('increments are used, nothing is synced', REWRITE, 'const newFds = this.plans.map(({ fd }) => fd);'),
  phase(
    'some increments are named',
    ROTATION,
    'for (; rotated < made.length; rotated++) name(rotated);',
    `for (; rotated < made.length; rotated++) { ${KILL} name(rotated); }`,
  ),
  phase(
    'increments are named, not used',
    ROTATION,
    'for (let shard = 0; shard < rotated; shard++) goOnIn(this.words[shard], made[shard]);',
  ),
  phase('increments are used and synced', REWRITE, 'control.endRotation(errno === 0 ? heads : null);'),
  phase('half a base is written', 'src/persistence/rdb-file-writer.ts', 'this.out.byte(RDB_OPCODE.eof);'),
  phase('bases are written, no manifest names them', REWRITE, 'this.finish();'),
  phase(
    'some shards have their new base',
    REWRITE,
    'replaceFile(systemFiles, folder, this.manifest, formatManifest({ base, increments: [increment] }));',
    `{ ${KILL} replaceFile(systemFiles, folder, this.manifest, formatManifest({ base, increments: [increment] })); }`,
  ),
  phase('old files go', REWRITE, 'sweepShard(this.place, shard);', `{ ${KILL} sweepShard(this.place, shard); }`),
];

function killsAt({ file, text, replacement }: Phase, passage: number): Plant {
  return { file, text, replacement: replacement.replaceAll('=== N', `=== ${passage}`) };
}

describeSkein(`kill at each phase (seed ${SEED})`, () => {
  const servers = new ServerGroup();
  const folder = mkdtempSync(join(tmpdir(), 'skein-phases-'));
  afterAll(async () => {
    await servers.removeAll();
    rmSync(folder, { recursive: true, force: true });
  });
  let histories: ClientHistory[] = [];
  let contents: KeyValues[] = [];
  let runs = 0;

  function options(plants: readonly Plant[]): StartOptions {
    const appendfsync = runs % 2 === 0 ? 'always' : 'everysec';
    const skeinOptions = { workers: 1 + (runs % 3), shards: SHARDS };
    return { folder, options: { appendonly: 'yes', appendfsync }, skeinOptions, ...planted(plants) };
  }

  async function check(server: ServerProcess): Promise<void> {
    contents = await readBack(server, CLIENTS);
    const latest = histories;
    histories = []; // what one phase loses is its own failure, not the next one's
    for (const history of latest) {
      checkRecovered(history, contents[history.client], { shards: SHARDS, durable: () => ACKNOWLEDGED(history) });
    }
  }

  /** Has the journal rewritten again and again until the server dies or `stop` says so. */
  async function keepRewriting(server: ServerProcess, stop: () => boolean): Promise<void> {
    const client = await server.connect();
    try {
      while (!stop()) await client.call('BGREWRITEAOF');
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
    client.close();
  }

  /** Recovers what is there, then runs a load that ends at the plant, or whole. True: the plant was hit. */
  async function crashAt(plants: readonly Plant[], rewriting = false): Promise<boolean> {
    const server = servers.add(await ServerProcess.start(options(plants)));
    await check(server);
    runs++;
    let loaded = false;
    const rewriter = rewriting ? keepRewriting(server, () => loaded) : Promise.resolve();
    const load = { clients: CLIENTS, seed: SEED + runs, pipelines: rewriting ? 250 : 25, maxDepth: 8 };
    histories = await runLoad(server, load, contents);
    loaded = true;
    await rewriter;
    const hit = histories.some((history) => history.ackedAtMs.length < history.commands.length);
    if (hit) noteFaults('kills at a planted place');
    if (hit) await server.exit();
    else await server.kill();
    return hit;
  }

  test.each(PHASES)('$name', async (where) => {
    if (MOST_PASSAGES === 0) {
      // not every place is passed under each policy: the next one has its turn
      for (let tries = 0; !(await crashAt([killsAt(where, 1 + ((SEED + tries) % 5))])); tries++) {
        expect(tries, 'not passed under any policy').toBeLessThan(3);
      }
      return;
    }
    // the policies take turns, and not every phase is passed under each: it ends when neither hits
    let hits = 0;
    for (let passage = 1, misses = 0; passage <= MOST_PASSAGES && misses < 2; passage++) {
      if (await crashAt([killsAt(where, passage)])) {
        hits++;
        misses = 0;
      } else misses++;
    }
    expect(hits).toBeGreaterThan(0);
  });

  test.each(REWRITE_PHASES)('rewrite: $name', async (where) => {
    const passages = MOST_PASSAGES === 0 ? [1 + (SEED % 2)] : [1, 2];
    const hits: boolean[] = [];
    for (const passage of passages) hits.push(await crashAt([killsAt(where, passage)], true));
    if (!hits.includes(true)) hits.push(await crashAt([killsAt(where, 1)], true));
    expect(hits).toContain(true);
    // the next one's first start looks at what is left
    if (MOST_PASSAGES === 0) return;
    const server = servers.add(await ServerProcess.start(options([])));
    await check(server);
    await server.kill();
  });

  test.each(RECOVERY_PHASES)('recovery: $name', async (where) => {
    const torn = PHASES.find(({ name }) => name === 'half written')!;
    const passages = MOST_PASSAGES === 0 ? [1 + (SEED % SHARDS)] : [1, SHARDS];
    for (const passage of passages) {
      await crashAt([killsAt(torn, 3)]);
      const victim = servers.add(await ServerProcess.spawn(options([killsAt(where, passage)])));
      expect((await victim.exit(30_000)).signal).toBe('SIGKILL');
      noteFaults('kills at a planted place');
    }
    const server = servers.add(await ServerProcess.start(options([])));
    await check(server);
    await server.kill();
  });
});
