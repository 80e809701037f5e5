/**
 * Nanoseconds per command of the request reader and per reply of the reply writer, without anything around them.
 *   npx node bench/micro-parser.ts [seconds per case, default 0.5]
 */
import { Args } from '../src/resp/args.ts';
import { ReplyWriter } from '../src/resp/reply-writer.ts';
import { RequestReader } from '../src/resp/request-reader.ts';

const CHUNK_BYTES = 64 * 1024;
const caseMs = Number(process.argv[2] ?? 0.5) * 1000;

function frame(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
}

/** As many copies of a command as a read buffer holds. */
function chunkOf(command: string): Buffer {
  return Buffer.from(command.repeat(Math.max(1, Math.floor(CHUNK_BYTES / command.length))), 'latin1');
}

/** Median ns per operation over rounds; `round` returns how many operations it did. */
function measure(name: string, round: () => number): void {
  const samples: number[] = [];
  const until = performance.now() + caseMs;
  while (performance.now() < until || samples.length < 11) {
    const start = process.hrtime.bigint();
    const operations = round();
    samples.push(Number(process.hrtime.bigint() - start) / operations);
  }
  samples.sort((a, b) => a - b);
  const median = samples[samples.length >> 1];
  console.log(`${name.padEnd(52)} ${median.toFixed(1).padStart(8)} ns   best ${samples[0].toFixed(1)}`);
}

const args = new Args();
const reader = new RequestReader();

function parseAll(chunk: Buffer): number {
  let pos = 0;
  let commands = 0;
  const end = chunk.length;
  while (pos < end) {
    const next = reader.read(chunk, pos, end, args);
    if (next < 0) throw new Error(`the reader stopped at ${pos}: ${next}`);
    pos = next;
    commands++;
  }
  return commands;
}

const parserCases: [string, string][] = [
  ['PING', frame('PING')],
  ['GET key:000000000123', frame('GET', 'key:000000000123')],
  ['SET key:000000000123 xxx', frame('SET', 'key:000000000123', 'xxx')],
  ['SET key:000000000123 <1 KiB>', frame('SET', 'key:000000000123', 'x'.repeat(1024))],
  ['MSET of 10 keys', frame('MSET', ...Array.from({ length: 20 }, (_, i) => `key:${i}`))],
  ['DEL of 200 keys', frame('DEL', ...Array.from({ length: 200 }, (_, i) => `key:${i}`))],
  ['DEL of 5000 keys (careful road)', frame('DEL', ...Array.from({ length: 5000 }, (_, i) => `key:${i}`))],
  ['PING inline', 'PING\r\n'],
];
for (const [name, command] of parserCases) {
  const chunk = chunkOf(command);
  measure(`read ${name}`, () => parseAll(chunk));
}

/** A pipeline that arrives in pieces of `bytes`, each followed by what is left of the one before, as a connection does it. */
function parsePieces(chunk: Buffer, bytes: number): number {
  let pos = 0;
  let commands = 0;
  for (let end = Math.min(bytes, chunk.length); ; end = Math.min(end + bytes, chunk.length)) {
    while (pos < end) {
      const next = reader.read(chunk, pos, end, args);
      if (next < 0) break;
      pos = next;
      commands++;
    }
    if (end === chunk.length) return commands;
  }
}
const setChunk = chunkOf(frame('SET', 'key:000000000123', 'xxx'));
for (const bytes of [1, 16, 1448]) measure(`read SET in pieces of ${bytes}`, () => parsePieces(setChunk, bytes));

const writer = new ReplyWriter();
const shared = Buffer.from(new SharedArrayBuffer(1 << 20));
const REPLIES = 1000;

function writeMany(write: (i: number) => void): number {
  for (let i = 0; i < REPLIES; i++) write(i);
  writer.rewind(0);
  return REPLIES;
}
measure('reply ok', () => writeMany(() => writer.ok()));
measure('reply null', () => writeMany(() => writer.null()));
measure('reply integer < 10', () => writeMany((i) => writer.integer(i & 7)));
measure('reply integer of 6 digits', () => writeMany((i) => writer.integer(100_000 + i)));
measure('reply integer of 16 digits', () => writeMany((i) => writer.integer(1e15 + i)));
for (const bytes of [3, 8, 16, 24, 32, 64, 256, 1024]) {
  measure(`reply bulk of ${bytes} bytes`, () => writeMany((i) => writer.bulk(shared, i * 16 + 5, i * 16 + 5 + bytes)));
}
const sharedView = new DataView(shared.buffer);
for (const bytes of [8, 16, 32, 64, 256]) {
  const from = (i: number) => i * 16 + 5;
  measure(`reply bulk of ${bytes} bytes through views`, () =>
    writeMany((i) => writer.bulkView(sharedView, shared, from(i), from(i) + bytes)),
  );
}
measure('reply bulk number of 6 digits', () => writeMany((i) => writer.bulkNumber(100_000 + i)));
measure('reply bulk text of 12 characters', () => writeMany(() => writer.bulkText('hello, world')));
measure('reply error', () => writeMany(() => writer.error('ERR value is not an integer or out of range')));
measure('reply double 3.14', () => writeMany(() => writer.double(3.14)));
