/**
 * What durability costs, Skein beside stock redis-server in the same run. The servers take turns, round after round; what is shown are
 * medians, and ratios of medians. Under a policy both are up at once and warmed up before; the other parts begin with an empty server.
 *
 *   always, everysec   SET with 1, 50 and 500 clients
 *   snapshot           quiet and while BGSAVE writes N keys: p99 and longest time of GET and SET, memory that the snapshot needed
 *   zset               the same with one sorted set of N members
 *   load               time of a start that loads N keys: append-only file, RDB file
 *
 *   npx node bench/persistence.ts [--keys 5000000] [--parts always,everysec,snapshot,zset,load] [--workers 2] [--requests 200000]
 *     [--rounds 5] [--long-rounds 3] [--quiet-seconds 5] [--probes 4] [--name NAME]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command, RespClient } from '../test/server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../test/server/server-command.ts';
import { type Options, ServerProcess } from '../test/server/server-process.ts';
import { type Load, measure } from './compare-measure.ts';
import { type Cell, median, throughputTable } from './compare-report.ts';
import { infoNumber, startContenders, stopContenders } from './compare-servers.ts';
import { loadKeys } from './load-keys.ts';

const PARTS = ['always', 'everysec', 'snapshot', 'zset', 'load'] as const;
const CLIENTS = [1, 50, 500];
const VALUE_BYTES = 16;
const MEMBERS_PER_COMMAND = 200;
const COMMANDS_IN_FLIGHT = 64;
/** A probe asks at most so often. */
const PROBE_MS = 1;
const START_MS = 900_000;
const BYTES_PER_MIB = 2 ** 20;

interface Plan {
  readonly keys: number;
  readonly workers: number;
  readonly requests: number;
  /** Of the policies, and of the parts that load all keys anew. */
  readonly rounds: number;
  readonly longRounds: number;
  readonly quietMs: number;
  readonly probes: number;
  readonly parts: readonly string[];
  readonly name: string;
}

type Row = readonly (string | number)[];

interface Server {
  readonly name: string;
  readonly command: ServerCommand;
  readonly skeinOptions?: Options;
}

function readPlan(): Plan {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      keys: { ...text, default: '5000000' },
      workers: { ...text, default: '2' },
      requests: { ...text, default: '200000' },
      rounds: { ...text, default: '5' },
      'long-rounds': { ...text, default: '3' },
      'quiet-seconds': { ...text, default: '5' },
      probes: { ...text, default: '4' },
      parts: { ...text, default: PARTS.join(',') },
      name: { ...text, default: 'persistence' },
    },
  });
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`unknown part ${unknown}: ${PARTS.join(', ')}`);
  return {
    keys: Number(values.keys),
    workers: Number(values.workers),
    requests: Number(values.requests),
    rounds: Number(values.rounds),
    longRounds: Number(values['long-rounds']),
    quietMs: Number(values['quiet-seconds']) * 1000,
    probes: Number(values.probes),
    parts,
    name: values.name,
  };
}

const servers = ({ workers }: Plan): Server[] => [
  { name: 'redis', command: STOCK },
  { name: `skein-${workers}w`, command: SKEIN, skeinOptions: { workers } },
];

// ---- SET under a policy ----

/** One client waits for one sync after the other: fewer requests take as long. */
const ALONE_SHARE = { always: 1 / 20, everysec: 1 / 4 };

async function policyTable(plan: Plan, policy: 'always' | 'everysec'): Promise<string> {
  const contenders = await startContenders(SKEIN, [plan.workers], policy);
  const cells: Cell[] = [];
  for (const clients of CLIENTS) {
    const requests = Math.ceil(plan.requests * (clients === 1 ? ALONE_SHARE[policy] : 1));
    const load: Load = { operation: 'set', pipeline: 1, clients, requests, keys: 100_000, valueBytes: VALUE_BYTES };
    const group = `${clients} clients:`;
    const own = contenders.map((contender): Cell => ({ group, server: contender.name, load, samples: [] }));
    for (const contender of contenders) await measure(contender, load);
    for (let round = 0; round < plan.rounds; round++)
      for (let turn = 0; turn < contenders.length; turn++) {
        const at = (round + turn) % contenders.length;
        own[at].samples.push(await measure(contenders[at], load));
      }
    cells.push(...own);
  }
  await stopContenders(contenders);
  return throughputTable(cells);
}

// ---- parts that begin anew in each round ----

/** What was measured of a server in one round, by name. */
type Figures = Readonly<Record<string, number>>;

/** One measurement of each server per round, another server first each time; medians by server. */
async function alternate(plan: Plan, once: (server: Server) => Promise<Figures>): Promise<[string, Figures][]> {
  const all = servers(plan);
  const found = all.map((): Figures[] => []);
  for (let round = 0; round < plan.longRounds; round++)
    for (let turn = 0; turn < all.length; turn++) {
      const at = (round + turn) % all.length;
      const figures = await once(all[at]);
      const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      process.stderr.write(`${round + 1}/${plan.longRounds} ${all[at].name}: ${shown.join(', ')}\n`);
      found[at].push(figures);
    }
  return all.map(({ name }, at) => [name, mediansOf(found[at])]);
}

function mediansOf(rounds: readonly Figures[]): Figures {
  return Object.fromEntries(
    Object.keys(rounds[0]).map((name) => [name, median(rounds.map((figures) => figures[name]))]),
  );
}

/** Rows of these figures, each with how many times stock's it is. */
function figureRows(results: readonly [string, Figures][], columns: readonly (readonly [string, number])[]): Row[] {
  const stock = results[0][1];
  return results.map(([name, figures]) => [
    name,
    ...columns.flatMap(([column, digits]) => [
      figures[column].toFixed(digits),
      stock[column] > 0 ? (figures[column] / stock[column]).toFixed(2) : '–',
    ]),
  ]);
}

function figureHead(columns: readonly (readonly [string, number])[]): Row {
  return ['server', ...columns.flatMap(([column]) => [column, '× redis'])];
}

// ---- pauses during a snapshot ----

/** Round trips of commands on one connection, one at a time. */
class Probe {
  times: number[] = [];
  private stopped = false;
  private readonly client: RespClient;
  private readonly command: (turn: number) => Command;
  private readonly done: Promise<void>;

  constructor(client: RespClient, command: (turn: number) => Command) {
    this.client = client;
    this.command = command;
    this.done = this.run();
  }

  private async run(): Promise<void> {
    for (let turn = 0; !this.stopped; turn++) {
      const began = performance.now();
      await this.client.callRaw(this.command(turn));
      const ms = performance.now() - began;
      this.times.push(ms);
      if (ms < PROBE_MS) await new Promise((resolve) => setTimeout(resolve, PROBE_MS - ms));
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
    this.client.close();
  }
}

function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Runs BGSAVE; returns the most memory that the snapshot needed while it ran, in bytes. */
async function snapshot(server: ServerProcess): Promise<number> {
  const client = await server.connect();
  await client.must('BGSAVE');
  let most = 0;
  for (let running = true; running; ) {
    const info = String(await client.must('INFO', 'persistence'));
    const field = (name: string) => Number(new RegExp(`^${name}:(-?\\d+)`, 'm').exec(info)?.[1] ?? 0);
    running = field('rdb_bgsave_in_progress') === 1;
    most = Math.max(most, field('current_cow_size'), running ? 0 : field('rdb_last_cow_size'));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  client.close();
  return most;
}

const PAUSE_COLUMNS = [
  ['quiet p99 ms', 2],
  ['quiet longest ms', 2],
  ['snapshot p99 ms', 2],
  ['snapshot longest ms', 2],
  ['seconds', 1],
  ['extra MiB', 1],
  ['extra % of data', 1],
  ['writes held', 0],
] as const;

async function pauses(plan: Plan, isZset: boolean, { command, skeinOptions }: Server): Promise<Figures> {
  const server = await ServerProcess.start({ command, skeinOptions, options: { save: '', appendonly: 'no' } });
  if (isZset) await loadMembers(server, plan.keys);
  else await loadKeys({ port: server.port, keys: plan.keys, valueBytes: VALUE_BYTES });
  const usedBytes = (await infoNumber(server, 'used_memory')) ?? 0;
  const shapes = isZset ? zsetShapes(plan.keys) : keyShapes(plan.keys);
  const probes: Probe[] = [];
  for (let i = 0; i < plan.probes; i++) probes.push(new Probe(await server.connect(), shapes[i % shapes.length]));
  const take = () => probes.flatMap((probe) => probe.times.splice(0));
  await new Promise((resolve) => setTimeout(resolve, plan.quietMs));
  const quiet = take();
  const began = performance.now();
  const extraBytes = await snapshot(server);
  const seconds = (performance.now() - began) / 1000;
  const busy = take();
  for (const probe of probes) await probe.stop();
  const held = (await infoNumber(server, 'snapshot_throttled_writes')) ?? 0;
  await server.remove();
  return {
    'quiet p99 ms': percentile(quiet, 0.99),
    'quiet longest ms': percentile(quiet, 1),
    'snapshot p99 ms': percentile(busy, 0.99),
    'snapshot longest ms': percentile(busy, 1),
    seconds,
    'extra MiB': extraBytes / BYTES_PER_MIB,
    'extra % of data': (100 * extraBytes) / usedBytes,
    'writes held': held,
  };
}

function keyShapes(keys: number): ((turn: number) => Command)[] {
  const key = () => `key:${String(Math.floor(Math.random() * keys)).padStart(12, '0')}`;
  return [() => ['GET', key()], () => ['SET', key(), 'w'.repeat(VALUE_BYTES)]];
}

function zsetShapes(members: number): ((turn: number) => Command)[] {
  const member = () => `m:${Math.floor(Math.random() * members)}`;
  return [
    () => ['GET', 'small'],
    () => ['SET', 'small', 'v'],
    () => ['ZADD', 'z', Math.random(), member()],
    () => ['ZSCORE', 'z', member()],
  ];
}

async function loadMembers(server: ServerProcess, members: number): Promise<void> {
  const client = await server.connect();
  let flying: Promise<unknown>[] = [];
  for (let at = 0; at < members; ) {
    const command: (string | number)[] = ['ZADD', 'z'];
    for (let i = 0; i < MEMBERS_PER_COMMAND && at < members; i++, at++) command.push(at, `m:${at}`);
    flying.push(client.callRaw(command));
    if (flying.length < COMMANDS_IN_FLIGHT) continue;
    await Promise.all(flying);
    flying = [];
  }
  await Promise.all(flying);
  client.close();
}

// ---- time of a start ----

/** More of a start than of one without data; seconds by the server's own log; keys per ms of these. */
const LOAD_COLUMNS = [
  ['AOF s', 2],
  ['AOF log s', 2],
  ['AOF keys/ms', 0],
  ['RDB s', 2],
  ['RDB log s', 2],
  ['RDB keys/ms', 0],
] as const;
const LOADED = /DB loaded from (?:disk|append only file):.*?([\d.]+) seconds/;

async function loads(plan: Plan, server: Server): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const form of ['AOF', 'RDB']) {
    const { seconds, logged } = await loadOnce(plan, server, form === 'AOF');
    figures[`${form} s`] = seconds;
    figures[`${form} log s`] = logged;
    figures[`${form} keys/ms`] = plan.keys / logged / 1000;
  }
  return figures;
}

async function loadOnce(plan: Plan, { name, command, skeinOptions }: Server, isJournal: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'skein-bench-'));
  const appendonly = isJournal ? 'yes' : 'no';
  const options = { save: '', appendonly, appendfsync: 'no', 'auto-aof-rewrite-percentage': 0 };
  const start = { command, skeinOptions, options, folder, readyWithinMs: START_MS };
  const first = await ServerProcess.start(start);
  const emptyMs = first.readyMs;
  await loadKeys({ port: first.port, keys: plan.keys, valueBytes: VALUE_BYTES, order: 'scattered' });
  const client = await first.connect();
  if (!isJournal) await client.must('SAVE');
  client.close();
  await first.remove();
  const second = await ServerProcess.start(start);
  const loaded = await second.connect();
  const keys = await loaded.call('DBSIZE');
  if (keys !== plan.keys) throw new Error(`${name} has ${keys} of ${plan.keys} keys after the start`);
  loaded.close();
  const logged = Number(LOADED.exec(second.log())?.[1]);
  const seconds = (second.readyMs - emptyMs) / 1000;
  await second.kill();
  rmSync(folder, { recursive: true, force: true });
  return { seconds, logged };
}

// ---- the report ----

function table(title: string, head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  return [`## ${title}`, '', line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n');
}

async function main(): Promise<void> {
  const plan = readPlan();
  const figures = async (
    title: string,
    columns: readonly (readonly [string, number])[],
    once: (server: Server) => Promise<Figures>,
  ) => table(title, figureHead(columns), figureRows(await alternate(plan, once), columns));
  const runs: Record<(typeof PARTS)[number], () => Promise<string>> = {
    always: async () => `## SET, appendfsync always\n\n${await policyTable(plan, 'always')}\n`,
    everysec: async () => `## SET, appendfsync everysec\n\n${await policyTable(plan, 'everysec')}\n`,
    snapshot: () => figures(`Snapshot of ${plan.keys} keys`, PAUSE_COLUMNS, (server) => pauses(plan, false, server)),
    zset: () =>
      figures(`Snapshot of a sorted set of ${plan.keys} members`, PAUSE_COLUMNS, (server) =>
        pauses(plan, true, server),
      ),
    load: () => figures(`Start with ${plan.keys} keys`, LOAD_COLUMNS, (server) => loads(plan, server)),
  };
  const about = `${cpus().length} CPUs shared by servers and load; Node ${process.version}; medians of ${plan.rounds} rounds, of ${plan.longRounds} where all keys are loaded anew.`;
  let text = `# Persistence\n\n${about}\n\n`;
  for (const part of PARTS) {
    if (!plan.parts.includes(part)) continue;
    const section = await runs[part]();
    process.stdout.write(`${section}\n`);
    text += `${section}\n`;
  }
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${plan.name}.md`), text);
}

await main();
