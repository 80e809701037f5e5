/** One measurement: redis-benchmark against one server, with the CPU time the server spent on it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Contender, cpuMicros, infoNumber } from './compare-servers.ts';
import { loadKeys } from './load-keys.ts';

export interface Load {
  /** A test of redis-benchmark, or the name of `command`. */
  readonly operation: string;
  /** What is sent instead; `__rand_int__` stands for 12 digits drawn from `keys`. */
  readonly command?: readonly string[];
  readonly pipeline: number;
  readonly clients: number;
  readonly requests: number;
  readonly keys: number;
  readonly valueBytes: number;
}

export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU microseconds of the server process per command. */
  readonly cpuMicros: number;
}

const run = promisify(execFile);

/** Runs redis-benchmark once. The keys are `key:` + 12 digits, 16 bytes, drawn at random from `load.keys`. */
export async function measure(contender: Contender, load: Load): Promise<Sample> {
  const { port, pid } = contender.process;
  const before = cpuMicros(pid);
  const { stdout } = await run('redis-benchmark', [
    ...['-p', String(port), '-n', String(load.requests), '-c', String(load.clients)],
    ...['-P', String(load.pipeline), '-r', String(load.keys), '-d', String(load.valueBytes), '--csv'],
    ...['--precision', '3'],
    ...(load.command ?? ['-t', load.operation]),
  ]);
  const spent = cpuMicros(pid) - before;
  const [header, row] = stdout.trim().split('\n').map(csvFields);
  if (!row) throw new Error(`redis-benchmark said nothing about ${contender.name}`);
  const field = (name: string) => Number(row[header.indexOf(name)]);
  return {
    perSecond: field('rps'),
    p50Ms: field('p50_latency_ms'),
    p99Ms: field('p99_latency_ms'),
    cpuMicros: spent / load.requests,
  };
}

function csvFields(line: string): string[] {
  return line.split(',').map((field) => field.replaceAll('"', ''));
}

/** used_memory per key of a fresh server after loading `keys` keys of 16 bytes, in bytes. */
export async function bytesPerKey(contender: Contender, keys: number, valueBytes: number): Promise<number> {
  const client = await contender.process.connect();
  await client.must('FLUSHALL');
  client.close();
  const before = await infoNumber(contender.process, 'used_memory');
  await loadKeys({ port: contender.process.port, keys, valueBytes, order: 'scattered' });
  const after = await infoNumber(contender.process, 'used_memory');
  if (before === null || after === null) throw new Error(`${contender.name} shows no used_memory`);
  return (after - before) / keys;
}
