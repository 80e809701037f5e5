/**
 * What is atomic or travels, beside stock redis-server: scripts of three calls, transactions of ten commands, elements handed over to who
 * waits in BLPOP, messages to 1, 100 and 1000 subscribers. As in compare.ts all servers are up at the same time and measured in turns, and
 * every figure is the median of the rounds.
 *
 *   npx node bench/atomic.ts [--rounds 5] [--workers 1,2] [--requests 100000] [--pushes 1000] [--deliveries 200000]
 *     [--subscribers 1,100,1000] [--parts scripts,multi,blocking,publish] [--name atomic]
 */
import { parseArgs } from 'node:util';
import { SKEIN } from '../test/server/server-command.ts';
import { type LoadFigures, runLoad, type UnitPlan } from './atomic-load.ts';
import { type Load, measure, type Sample } from './compare-measure.ts';
import { type Cell, median, writeReport } from './compare-report.ts';
import { type Contender, cpuMicros, startContenders, stopContenders } from './compare-servers.ts';
import { handOver } from './hand-over.ts';

const PARTS = ['scripts', 'multi', 'blocking', 'publish'] as const;

interface Plan {
  readonly rounds: number;
  readonly workers: readonly number[];
  readonly requests: number;
  readonly pushes: number;
  readonly deliveries: number;
  readonly subscribers: readonly number[];
  readonly parts: readonly string[];
}

/** Something to be measured, which gives one sample for each of its loads. */
interface Task {
  readonly part: string;
  readonly loads: readonly Load[];
  readonly run: (contender: Contender) => Promise<Sample[]>;
}

const KEYS = 10_000;
const CLIENTS = 50;
const MULTI_SIZE = 10;
/** At -P 1 a command costs several times as much. */
const UNPIPELINED_SHARE = 0.25;
/** Fewer say nothing, more take too long where there is one subscriber. */
const LEAST_MESSAGES = 200;
const MOST_MESSAGES = 50_000;
const PUBLISH_PIPELINE = 16;
const SCRIPT = `redis.call('SET', KEYS[1], ARGV[1]) redis.call('EXPIRE', KEYS[1], 1000) return redis.call('GET', KEYS[1])`;

function load(operation: string, pipeline: number, clients: number, requests: number): Load {
  return { operation, pipeline, clients, requests, keys: KEYS, valueBytes: 3 };
}

function readPlan(): { plan: Plan; name: string } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      rounds: { ...text, default: '5' },
      workers: { ...text, default: '1,2' },
      requests: { ...text, default: '100000' },
      pushes: { ...text, default: '1000' },
      deliveries: { ...text, default: '200000' },
      subscribers: { ...text, default: '1,100,1000' },
      parts: { ...text, default: PARTS.join(',') },
      name: { ...text, default: 'atomic' },
    },
  });
  const numbers = (list: string) => list.split(',').map(Number);
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`unknown part ${unknown}: ${PARTS.join(', ')}`);
  return {
    plan: {
      rounds: Number(values.rounds),
      workers: numbers(values.workers),
      requests: Number(values.requests),
      pushes: Number(values.pushes),
      deliveries: Number(values.deliveries),
      subscribers: numbers(values.subscribers),
      parts,
    },
    name: values.name,
  };
}

/** EVALSHA of three calls, by redis-benchmark. */
function scriptTask(plan: Plan, pipeline: number): Task {
  const requests = Math.round(plan.requests * (pipeline === 1 ? UNPIPELINED_SHARE : 1));
  const one = load('evalsha of 3 calls', pipeline, CLIENTS, requests);
  return {
    part: 'scripts',
    loads: [one],
    run: async (contender) => {
      const client = await contender.process.connect();
      const sha = String(await client.must('SCRIPT', 'LOAD', SCRIPT));
      client.close();
      const command = ['EVALSHA', sha, '1', 'key:__rand_int__', 'xxx'];
      return [await measure(contender, { ...one, command })];
    },
  };
}

function bulk(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** MULTI, ten SETs, EXEC, in one write; keys over all shards, or of one slot. */
function multiTask(plan: Plan, pipeline: number, oneSlot: boolean): Task {
  const units = Math.round((plan.requests / MULTI_SIZE) * (pipeline === 1 ? UNPIPELINED_SHARE * 4 : 1));
  const key = (n: number) => `${oneSlot ? '{k}' : 'key:'}${String((n * 7919) % KEYS).padStart(12, '0')}`;
  const requests = Array.from({ length: 512 }, (_, unit) =>
    [
      bulk('MULTI'),
      ...Array.from({ length: MULTI_SIZE }, (__, i) => bulk('SET', key(unit * MULTI_SIZE + i), 'xxx')),
      bulk('EXEC'),
    ].join(''),
  );
  const reply = `+OK\r\n${'+QUEUED\r\n'.repeat(MULTI_SIZE)}*${MULTI_SIZE}\r\n${'+OK\r\n'.repeat(MULTI_SIZE)}`;
  const name = `multi of ${MULTI_SIZE}${oneSlot ? ' in one slot' : ''}`;
  return {
    part: 'multi',
    loads: [load(name, pipeline, CLIENTS, units)],
    run: async ({ process }) => {
      const { port, pid } = process;
      const before = cpuMicros(pid);
      const unitPlan: UnitPlan = { kind: 'units', port, clients: CLIENTS, pipeline, units, requests, reply };
      const found = await runLoad(unitPlan);
      return [sampleOf(units / found.seconds, found, (cpuMicros(pid) - before) / units)];
    },
  };
}

function sampleOf(perSecond: number, { p50Ms, p99Ms }: LoadFigures, cpu: number): Sample {
  return { perSecond, p50Ms, p99Ms, cpuMicros: cpu };
}

/** One hand-over at a time. */
function blockingTask(plan: Plan): Task {
  return {
    part: 'blocking',
    loads: [load('blpop hand-over', 1, 2, plan.pushes)],
    run: async ({ process }) => {
      const clients = [await process.connect(), await process.connect()];
      const before = cpuMicros(process.pid);
      const micros = (await handOver(clients[0], clients[1], plan.pushes)).sort((a, b) => a - b);
      const cpu = (cpuMicros(process.pid) - before) / plan.pushes;
      for (const client of clients) client.close();
      const p50Ms = median(micros) / 1000;
      const p99Ms = micros[Math.floor(micros.length * 0.99)] / 1000;
      return [{ perSecond: 1000 / p50Ms, p50Ms, p99Ms, cpuMicros: cpu }];
    },
  };
}

/** One publisher; what it can send, and what arrives. */
function publishTask(plan: Plan, subscribers: number): Task {
  const wanted = Math.round(plan.deliveries / subscribers);
  const messages = Math.min(MOST_MESSAGES, Math.max(LEAST_MESSAGES, wanted));
  return {
    part: 'publish',
    loads: [
      load(`deliveries to ${subscribers}`, PUBLISH_PIPELINE, subscribers + 1, messages * subscribers),
      load(`publish to ${subscribers}`, PUBLISH_PIPELINE, subscribers + 1, messages),
    ],
    run: async ({ process }) => {
      const { port, pid } = process;
      const before = cpuMicros(pid);
      const found = await runLoad({ kind: 'publish', port, subscribers, pipeline: PUBLISH_PIPELINE, messages });
      const cpu = cpuMicros(pid) - before;
      return [
        sampleOf((messages * subscribers) / found.seconds, found, cpu / messages / subscribers),
        sampleOf(messages / found.publisherSeconds, found, cpu / messages),
      ];
    },
  };
}

function allTasks(plan: Plan): Task[] {
  return [
    ...[1, 16].map((pipeline) => scriptTask(plan, pipeline)),
    ...[1, 16].flatMap((pipeline) => [multiTask(plan, pipeline, false), multiTask(plan, pipeline, true)]),
    blockingTask(plan),
    ...plan.subscribers.map((count) => publishTask(plan, count)),
  ].filter(({ part }) => plan.parts.includes(part));
}

/** Rounds over all tasks; the servers take turns within a task, and another one begins each round. */
async function rounds(contenders: readonly Contender[], tasks: readonly Task[], count: number): Promise<Cell[]> {
  const cells = new Map<string, Cell>();
  for (let round = 0; round < count; round++) {
    for (const task of tasks) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        const samples = await task.run(contender);
        for (const [i, own] of task.loads.entries()) {
          const name = `${contender.name} ${own.operation} ${own.pipeline}`;
          if (!cells.has(name)) cells.set(name, { group: task.part, server: contender.name, load: own, samples: [] });
          cells.get(name)!.samples.push(samples[i]);
          const rate = Math.round(samples[i].perSecond).toLocaleString('en');
          console.log(
            `${round + 1}/${count} ${own.operation} -P ${own.pipeline} ${contender.name}: ${rate}/s, ` +
              `${samples[i].cpuMicros.toFixed(2)} µs CPU, p50 ${samples[i].p50Ms.toFixed(3)} ms`,
          );
        }
      }
    }
  }
  return [...cells.values()];
}

async function main(): Promise<void> {
  const { plan, name } = readPlan();
  const contenders = await startContenders(SKEIN, plan.workers, 'off');
  try {
    const cells = await rounds(contenders, allTasks(plan), plan.rounds);
    console.log(`\n${writeReport(name, { cells, memory: [], data: [] }, plan)}`);
  } finally {
    await stopContenders(contenders);
  }
}

await main();
