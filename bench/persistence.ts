/**
 * What durability costs, Skein beside stock redis-server in the same run:
 *
 *   always, everysec   SET with 1, 50 and 500 clients
 *   snapshot           quiet and while BGSAVE writes N keys: p99 and longest time of GET and SET, memory that the snapshot needed
 *   zset               the same with one sorted set of N members
 *   load               time of a start that loads N keys: append-only file, RDB file
 *
 *   npx node bench/persistence.ts [--keys 5000000] [--parts always,everysec,snapshot,zset,load] [--workers 2] [--requests 100000]
 *     [--quiet-seconds 5] [--probes 4] [--name NAME]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command, RespClient } from '../test/server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../test/server/server-command.ts';
import { type Options, ServerProcess } from '../test/server/server-process.ts';
import { measure } from './compare-measure.ts';
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
      requests: { ...text, default: '100000' },
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

async function policyRows(plan: Plan, policy: 'always' | 'everysec'): Promise<Row[]> {
  const contenders = await startContenders(SKEIN, [plan.workers], policy);
  const rows: Row[] = [];
  for (const clients of CLIENTS) {
    // one client waits for one sync after the other
    const requests = clients === 1 && policy === 'always' ? Math.ceil(plan.requests / 20) : plan.requests;
    for (const contender of contenders) {
      const load = { operation: 'set', pipeline: 1, clients, requests, keys: 100_000, valueBytes: VALUE_BYTES };
      const { perSecond, p50Ms, p99Ms } = await measure(contender, load);
      rows.push([clients, contender.name, Math.round(perSecond), p50Ms, p99Ms]);
    }
  }
  await stopContenders(contenders);
  return rows;
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

async function pauseRows(plan: Plan, isZset: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, command, skeinOptions } of servers(plan)) {
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
    const throttled = (await infoNumber(server, 'snapshot_throttled_writes')) ?? '-';
    await server.remove();
    rows.push([
      name,
      percentile(quiet, 0.99).toFixed(2),
      percentile(quiet, 1).toFixed(2),
      percentile(busy, 0.99).toFixed(2),
      percentile(busy, 1).toFixed(2),
      seconds.toFixed(1),
      `${(extraBytes / BYTES_PER_MIB).toFixed(1)} (${((100 * extraBytes) / usedBytes).toFixed(1)}%)`,
      throttled,
    ]);
  }
  return rows;
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

async function loadRows(plan: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, command, skeinOptions } of servers(plan)) {
    const cells: (string | number)[] = [];
    for (const appendonly of ['yes', 'no']) {
      const folder = mkdtempSync(join(tmpdir(), 'skein-bench-'));
      const options = { save: '', appendonly, appendfsync: 'no', 'auto-aof-rewrite-percentage': 0 };
      const start = { command, skeinOptions, options, folder, readyWithinMs: START_MS };
      const first = await ServerProcess.start(start);
      const emptyMs = first.readyMs;
      await loadKeys({ port: first.port, keys: plan.keys, valueBytes: VALUE_BYTES, order: 'scattered' });
      const client = await first.connect();
      if (appendonly === 'no') await client.must('SAVE');
      client.close();
      await first.remove();
      const second = await ServerProcess.start(start);
      const loaded = await second.connect();
      const keys = await loaded.call('DBSIZE');
      if (keys !== plan.keys) throw new Error(`${name} has ${keys} of ${plan.keys} keys after the start`);
      loaded.close();
      const seconds = Number(LOADED.exec(second.log())?.[1]);
      cells.push(((second.readyMs - emptyMs) / 1000).toFixed(2), seconds, Math.round(plan.keys / seconds / 1000));
      await second.kill();
      rmSync(folder, { recursive: true, force: true });
    }
    rows.push([name, ...cells]);
  }
  return rows;
}

// ---- the report ----

function table(title: string, head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  return [`## ${title}`, '', line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n');
}

async function main(): Promise<void> {
  const plan = readPlan();
  const pauseHead = [
    'server',
    'quiet p99 ms',
    'longest',
    'snapshot p99 ms',
    'longest',
    'seconds',
    'extra MiB',
    'writes held',
  ];
  const runs: Record<(typeof PARTS)[number], () => Promise<string>> = {
    always: async () => table('SET, appendfsync always', SET_HEAD, await policyRows(plan, 'always')),
    everysec: async () => table('SET, appendfsync everysec', SET_HEAD, await policyRows(plan, 'everysec')),
    snapshot: async () => table(`Snapshot of ${plan.keys} keys`, pauseHead, await pauseRows(plan, false)),
    zset: async () => table(`Snapshot of a sorted set of ${plan.keys} members`, pauseHead, await pauseRows(plan, true)),
    load: async () => table(`Start with ${plan.keys} keys`, LOAD_HEAD, await loadRows(plan)),
  };
  const about = `${cpus().length} CPUs shared by servers and load; Node ${process.version}.`;
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

const SET_HEAD = ['clients', 'server', 'per second', 'p50 ms', 'p99 ms'];
/** More of a start than of one without data, seconds by the server's own log, keys per ms of these; of both forms. */
const LOAD_HEAD = ['server', 'AOF s', 'log s', 'keys/ms', 'RDB s', 'log s', 'keys/ms'];
const LOADED = /DB loaded from (?:disk|append only file):.*?([\d.]+) seconds/;

await main();
