/**
 * The cost of GET and SET without sockets: parse, gate, route, latch, table, reply, over 1 M random keys.
 *
 *   npx node bench/micro-command.ts [keys] [rounds]
 */
import { COMMANDS } from '../src/commands/command-table.ts';
import { LookAhead } from '../src/dispatch/look-ahead.ts';
import { favourInlining } from '../src/env/compiler.ts';
import { RequestReader } from '../src/resp/request-reader.ts';
import { InProcess } from '../test/unit/commands/in-process.ts';

favourInlining();
const KEYS = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = Number(process.argv[3] ?? 7);
const COMMANDS_PER_ROUND = 256 * 1024;
const PIPELINE = 64;

const server = new InProcess({ journalled: false, arenaBytes: 4 * 2 ** 30, shards: 1 });
const { dispatcher, executor, reply, session } = server.parts();
const ahead = new LookAhead(executor);
const reader = new RequestReader();
let seed = 1;
const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);

function frames(set: boolean, count: number, key: () => number): Buffer {
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = `key:${String(key()).padStart(12, '0')}`;
    parts.push(
      set ? `*3\r\n$3\r\nSET\r\n$16\r\n${name}\r\n$8\r\nxxxxxxxx\r\n` : `*2\r\n$3\r\nGET\r\n$16\r\n${name}\r\n`,
    );
  }
  return Buffer.from(parts.join(''), 'latin1');
}

/** Runs a buffer of commands as a connection does; nanoseconds a command. */
function run(buf: Buffer): number {
  const begun = performance.now();
  let pos = 0;
  let inBatch = 0;
  while (pos < buf.length) {
    ahead.read(reader, buf, pos, buf.length, 0);
    for (let i = 0; i < ahead.count; ) {
      const ran = i + 1 < ahead.count ? dispatcher.runs.run(session, ahead, i, Number.POSITIVE_INFINITY) : 0;
      if (ran === 0) dispatcher.dispatchRow(session, ahead.rows[i], ahead.args[i]);
      i += Math.max(ran, 1);
    }
    pos = ahead.ends[ahead.count - 1];
    inBatch += ahead.count;
    if (inBatch >= PIPELINE) {
      inBatch = 0;
      executor.clearTouched();
      reply.rewind(0);
    }
  }
  return ((performance.now() - begun) * 1e6) / COMMANDS_PER_ROUND;
}

const median = (xs: number[]): number => xs.sort((a, b) => a - b)[xs.length >> 1];
for (let i = 0; i < KEYS; i += COMMANDS_PER_ROUND) {
  let next = i;
  run(frames(true, Math.min(COMMANDS_PER_ROUND, KEYS - i), () => next++));
}
const names = ['GET', 'SET'];
const results = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const name of names) {
    const buf = frames(name === 'SET', COMMANDS_PER_ROUND, () => random() % KEYS);
    results.set(name, [...(results.get(name) ?? []), run(buf)]);
  }
}
const local = frames(false, COMMANDS_PER_ROUND, () => random() % 1000);
results.set(
  'GET of 1000 keys',
  Array.from({ length: ROUNDS }, () => run(local)),
);
const ping = Buffer.from('*1\r\n$4\r\nPING\r\n'.repeat(COMMANDS_PER_ROUND));
results.set(
  'PING',
  Array.from({ length: ROUNDS }, () => run(ping)),
);
for (const [label, ns] of results) console.log(`${label.padEnd(18)} ${median(ns).toFixed(0)} ns`);
console.log(`${COMMANDS.rows.length} rows, ${server.access.spaces[0].count(0)} keys`);
