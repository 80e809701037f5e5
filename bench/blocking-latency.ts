/**
 * How long an element takes from RPUSH to the client that waits for it in BLPOP, against stock Redis; and what clients that wait for other
 * keys of the same shard cost those who SET and GET there: commands in a second, and processor time of the server for each.
 *
 *   npx node bench/blocking-latency.ts [--rounds 6] [--pushes 500] [--waiters 0,1,10000] [--workers 1,2]
 */
import { parseArgs } from 'node:util';
import type { RespClient } from '../test/server/resp-client.ts';
import { SKEIN } from '../test/server/server-command.ts';
import { median } from './compare-report.ts';
import { type Contender, cpuMicros, startContenders, stopContenders } from './compare-servers.ts';
import { handOver } from './hand-over.ts';

/** Of each sort, in one pipeline. */
const PIPELINED = 25_000;
const WAITED_KEYS = 1000;
/** The clients that wait, and some that do not. */
const MOST_CLIENTS = 10_200;

interface Cost {
  readonly perSecond: number;
  readonly micros: number;
}

/** SET and GET of a few keys, by one client: how many a second, and how much of the server's time each takes. */
async function setAndGet({ process }: Contender, client: RespClient): Promise<Cost> {
  const cpuBefore = cpuMicros(process.pid);
  const began = performance.now();
  for (const command of ['SET', 'GET']) {
    const rest = command === 'SET' ? ['value'] : [];
    await client.pipeline(Array.from({ length: PIPELINED }, (_, n) => [command, `{k}${n % 100}`, ...rest]));
  }
  const seconds = (performance.now() - began) / 1000;
  const commands = 2 * PIPELINED;
  return { perSecond: commands / seconds, micros: (cpuMicros(process.pid) - cpuBefore) / commands };
}

async function latency(contenders: readonly Contender[], rounds: number, pushes: number): Promise<void> {
  const found = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  const clients = await Promise.all(
    contenders.map(async ({ process }) => [await process.connect(), await process.connect()]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [i, { name }] of contenders.entries()) {
      found.get(name)!.push(...(await handOver(clients[i][0], clients[i][1], pushes)));
    }
  }
  const stock = median(found.get(contenders[0].name)!);
  for (const [name, micros] of found) {
    const middle = median(micros);
    console.log(
      `${name}: BLPOP hand-over ${middle.toFixed(1)} µs in the median, ${(middle / stock).toFixed(2)} of stock`,
    );
  }
}

/** So many clients wait, each for one of a thousand keys of the same shard; `end` lets them go. */
async function letWait({ process }: Contender, count: number, admin: RespClient): Promise<{ end(): Promise<void> }> {
  const waiting: RespClient[] = [];
  for (let n = 0; n < count; n++) {
    const client = await process.connect();
    client.call('BLPOP', `{k}waited:${n % WAITED_KEYS}`, 0).catch(() => {});
    waiting.push(client);
  }
  const blocked = async (wanted: number) => {
    while (!String(await admin.call('INFO', 'clients')).includes(`blocked_clients:${wanted}\r`));
  };
  await blocked(count);
  return {
    end: async () => {
      for (const client of waiting) client.close();
      await blocked(0);
    },
  };
}

async function cost(contenders: readonly Contender[], rounds: number, waiters: readonly number[]): Promise<void> {
  for (const contender of contenders) {
    const client = await contender.process.connect();
    await setAndGet(contender, client);
    let first: Cost | null = null;
    for (const count of waiters) {
      const { end } = await letWait(contender, count, client);
      const found: Cost[] = [];
      for (let round = 0; round < rounds; round++) found.push(await setAndGet(contender, client));
      await end();
      const perSecond = median(found.map((one) => one.perSecond));
      const micros = median(found.map((one) => one.micros));
      first ??= { perSecond, micros };
      console.log(
        `${contender.name}: ${count} clients wait: ${Math.round(perSecond)} SET and GET a second ` +
          `(${(perSecond / first.perSecond).toFixed(2)}), ${micros.toFixed(2)} µs each (${(micros / first.micros).toFixed(2)})`,
      );
    }
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      rounds: { ...text, default: '6' },
      pushes: { ...text, default: '500' },
      waiters: { ...text, default: '0,1,10000' },
      workers: { ...text, default: '1,2' },
    },
  });
  const numbers = (list: string) => list.split(',').map(Number);
  const contenders = await startContenders(SKEIN, numbers(values.workers), 'off', {}, { maxclients: MOST_CLIENTS });
  try {
    await latency(contenders, Number(values.rounds), Number(values.pushes));
    await cost(contenders, Number(values.rounds), numbers(values.waiters));
  } finally {
    await stopContenders(contenders);
  }
}

await main();
