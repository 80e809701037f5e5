/**
 * How long an element takes from RPUSH to the client that waits for it in BLPOP, against stock Redis; and what a thousand waiting clients
 * cost those who push to another key of the same shard.
 *
 *   npx node bench/blocking-latency.ts [--rounds 6] [--pushes 500] [--waiters 1000] [--workers 1,2]
 */
import { parseArgs } from 'node:util';
import type { RespClient } from '../test/server/resp-client.ts';
import { SKEIN } from '../test/server/server-command.ts';
import { median } from './compare-report.ts';
import { type Contender, startContenders, stopContenders } from './compare-servers.ts';
import { handOver } from './hand-over.ts';

const PIPELINED_PUSHES = 5_000;

/** Pushes to a key in a second, in one pipeline. */
async function pushRate(client: RespClient): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: PIPELINED_PUSHES }, () => client.call('RPUSH', '{k}other', 'x')));
  const seconds = (performance.now() - began) / 1000;
  await client.call('DEL', '{k}other');
  return PIPELINED_PUSHES / seconds;
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

async function cost(contenders: readonly Contender[], rounds: number, waiters: number): Promise<void> {
  for (const { name, process } of contenders) {
    const client = await process.connect();
    const without: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < rounds; round++) {
      without.push(await pushRate(client));
      const waiting = await Promise.all(Array.from({ length: waiters }, () => process.connect()));
      for (const one of waiting) one.call('BLPOP', '{k}waited', 0).catch(() => {});
      while (!String(await client.call('INFO', 'clients')).includes(`blocked_clients:${waiters}`));
      beside.push(await pushRate(client));
      for (const one of waiting) one.close();
      while (!String(await client.call('INFO', 'clients')).includes('blocked_clients:0'));
    }
    const ratio = median(beside) / median(without);
    console.log(
      `${name}: pushes beside ${waiters} waiters ${ratio.toFixed(2)} of those without (${Math.round(median(without))}/s)`,
    );
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      rounds: { ...text, default: '6' },
      pushes: { ...text, default: '500' },
      waiters: { ...text, default: '1000' },
      workers: { ...text, default: '1,2' },
    },
  });
  const contenders = await startContenders(SKEIN, values.workers.split(',').map(Number), 'off');
  try {
    await latency(contenders, Number(values.rounds), Number(values.pushes));
    await cost(contenders, Number(values.rounds), Number(values.waiters));
  } finally {
    await stopContenders(contenders);
  }
}

await main();
