/**
 * Skein and stock redis-server side by side, under redis-benchmark. All servers run at the same time and are measured in
 * turns, so that whatever else the machine does meets all of them; every figure is the median of the rounds.
 *
 *   npx node bench/compare.ts [--quick | --full] [--workers 1,2] [--pipeline 1,16,64] [--rounds 5] [--requests N]
 *     [--keys N] [--data 3] [--clients 50] [--aof off|everysec|always] [--parts throughput,everysec,values,types,memory,data]
 *     [--server 'node src/main.ts'] [--shards N] [--name NAME]
 */
import { parseArgs } from 'node:util';
import { type ServerCommand, SKEIN } from '../test/server/server-command.ts';
import type { Options } from '../test/server/server-process.ts';
import { bytesPerKey, type Load, measure } from './compare-measure.ts';
import { type Cell, type DataRow, type MemoryRow, writeReport } from './compare-report.ts';
import { type Contender, type Persistence, startContenders, stopContenders } from './compare-servers.ts';
import { loadKeys } from './load-keys.ts';
import { bytesOf, DATA } from './type-data.ts';
import { fillTypes, typeLoads } from './type-loads.ts';

const PARTS = ['throughput', 'everysec', 'values', 'types', 'memory', 'data'] as const;
type Part = (typeof PARTS)[number];

interface Plan {
  readonly workers: readonly number[];
  readonly pipelines: readonly number[];
  readonly rounds: number;
  readonly requests: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly clients: number;
  readonly persistence: Persistence;
  readonly parts: readonly Part[];
  readonly largeKeys: number;
  readonly skeinOptions: Options;
}

const QUICK = { rounds: 5, requests: 200_000, keys: 200_000, largeKeys: 5_000, parts: 'throughput,memory' };
const FULL = { rounds: 5, requests: 1_000_000, keys: 1_000_000, largeKeys: 50_000, parts: PARTS.join(',') };
/** At -P 1 a command costs ten times as much: as many fewer make a round as long as the others. */
const UNPIPELINED_SHARE = 0.2;

function readPlan(): { plan: Plan; skein: ServerCommand; name: string } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      full: { type: 'boolean' },
      workers: { ...text, default: '1,2' },
      pipeline: { ...text, default: '1,16,64' },
      rounds: text,
      requests: text,
      keys: text,
      data: { ...text, default: '3' },
      clients: { ...text, default: '50' },
      aof: { ...text, default: 'off' },
      parts: text,
      server: text,
      shards: text,
      name: text,
    },
  });
  const base = values.full ? FULL : QUICK;
  const numbers = (list: string) => list.split(',').map(Number);
  const parts = (values.parts ?? base.parts).split(',');
  const unknown = parts.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`unknown part ${unknown}: ${PARTS.join(', ')}`);
  if (!['off', 'everysec', 'always'].includes(values.aof)) throw new Error('--aof off|everysec|always');
  const [program, ...args] = values.server?.split(/\s+/) ?? [];
  const stockAgain = program?.endsWith('redis-server');
  return {
    plan: {
      workers: stockAgain ? [1] : numbers(values.workers),
      pipelines: numbers(values.pipeline),
      rounds: Number(values.rounds ?? base.rounds),
      requests: Number(values.requests ?? base.requests),
      keys: Number(values.keys ?? base.keys),
      valueBytes: Number(values.data),
      clients: Number(values.clients),
      persistence: values.aof as Persistence,
      parts: parts as Part[],
      largeKeys: base.largeKeys,
      skeinOptions: values.shards ? { shards: values.shards } : {},
    },
    skein: program ? { kind: stockAgain ? 'stock' : 'skein', program, args } : SKEIN,
    name: values.name ?? (values.full ? 'full' : 'quick'),
  };
}

/** Rounds over all loads; the servers take turns within a load, and another one begins each round. */
async function rounds(group: string, contenders: readonly Contender[], loads: readonly Load[], count: number) {
  const cells: Cell[] = loads.flatMap((load) =>
    contenders.map(({ name }) => ({ group, server: name, load, samples: [] })),
  );
  for (let round = 0; round < count; round++) {
    for (const load of loads) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        const sample = await measure(contender, load);
        cells.find((cell) => cell.server === contender.name && cell.load === load)?.samples.push(sample);
        const rate = Math.round(sample.perSecond).toLocaleString('en');
        console.log(
          `${group} ${round + 1}/${count} ${load.operation} -P ${load.pipeline} -d ${load.valueBytes} ` +
            `${contender.name}: ${rate}/s, ${sample.cpuMicros.toFixed(2)} µs CPU`,
        );
      }
    }
  }
  return cells;
}

async function compareLoads(
  group: string,
  skein: ServerCommand,
  plan: Plan,
  persistence: Persistence,
  keys: number,
  loads: readonly Load[],
): Promise<Cell[]> {
  const contenders = await startContenders(skein, plan.workers, persistence, plan.skeinOptions);
  try {
    for (const { process } of contenders) {
      await loadKeys({ port: process.port, keys, valueBytes: loads[0].valueBytes, order: 'scattered' });
    }
    return await rounds(group, contenders, loads, plan.rounds);
  } finally {
    await stopContenders(contenders);
  }
}

function smallLoads(plan: Plan, pipelines: readonly number[]): Load[] {
  return pipelines.flatMap((pipeline) =>
    (['set', 'get'] as const).map((operation) => ({
      operation,
      pipeline,
      clients: plan.clients,
      requests: Math.round(plan.requests * (pipeline === 1 ? UNPIPELINED_SHARE : 1)),
      keys: plan.keys,
      valueBytes: plan.valueBytes,
    })),
  );
}

function largeLoads(plan: Plan, valueBytes: number): Load[] {
  const requests = Math.round(plan.requests / (valueBytes > 4096 ? 20 : 4));
  return [1, 16].flatMap((pipeline) =>
    (['set', 'get'] as const).map((operation) => ({
      operation,
      pipeline,
      clients: plan.clients,
      requests: Math.round(requests * (pipeline === 1 ? 0.5 : 1)),
      keys: plan.largeKeys,
      valueBytes,
    })),
  );
}

async function compareMemory(skein: ServerCommand, plan: Plan): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  for (const valueBytes of [8, 64, 256]) {
    const contenders = await startContenders(skein, plan.workers.slice(0, 1), 'off', plan.skeinOptions);
    for (const contender of contenders) {
      const bytes = await bytesPerKey(contender, plan.keys, valueBytes);
      rows.push({ server: contender.name, keys: plan.keys, valueBytes, bytesPerKey: bytes });
      console.log(`memory ${valueBytes} B ${contender.name}: ${bytes.toFixed(1)} bytes per key`);
    }
    await stopContenders(contenders);
  }
  return rows;
}

/** Each on servers of its own, so that no memory that other data left behind is used again. */
async function compareData(skein: ServerCommand, plan: Plan): Promise<DataRow[]> {
  const rows: DataRow[] = [];
  for (const data of DATA) {
    const contenders = await startContenders(skein, plan.workers.slice(0, 1), 'off', plan.skeinOptions);
    for (const contender of contenders) {
      const bytes = await bytesOf(contender, data);
      rows.push({ server: contender.name, data: data.name, bytes });
      console.log(`memory of ${data.name}, ${contender.name}: ${(bytes / 1e6).toFixed(1)} MB`);
    }
    await stopContenders(contenders);
  }
  return rows;
}

const { plan, skein, name } = readPlan();
const cells: Cell[] = [];
const has = (part: Part) => plan.parts.includes(part);
if (has('throughput')) {
  const loads = smallLoads(plan, plan.pipelines);
  cells.push(...(await compareLoads(`aof ${plan.persistence}`, skein, plan, plan.persistence, plan.keys, loads)));
}
if (has('everysec')) {
  const loads = smallLoads(
    plan,
    plan.pipelines.filter((pipeline) => pipeline > 1),
  );
  cells.push(...(await compareLoads('aof everysec', skein, plan, 'everysec', plan.keys, loads)));
}
if (has('values')) {
  for (const valueBytes of [1024, 65_536]) {
    const loads = largeLoads(plan, valueBytes);
    cells.push(...(await compareLoads('values', skein, plan, plan.persistence, plan.largeKeys, loads)));
  }
}
if (has('types')) {
  const loads = typeLoads(plan.pipelines, plan.clients, plan.requests, plan.keys);
  const contenders = await startContenders(skein, plan.workers, plan.persistence, plan.skeinOptions);
  try {
    for (const { process } of contenders) await fillTypes(process);
    cells.push(...(await rounds('types', contenders, loads, plan.rounds)));
  } finally {
    await stopContenders(contenders);
  }
}
const memory = has('memory') ? await compareMemory(skein, plan) : [];
const data = has('data') ? await compareData(skein, plan) : [];
console.log(`\n${writeReport(name, { cells, memory, data }, plan)}`);
