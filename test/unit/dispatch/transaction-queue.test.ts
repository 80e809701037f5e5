/** What MULTI keeps of queued commands: their bytes in chunks, and where in them the arguments are. */
import { expect, test } from 'vitest';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { endTransaction, newTransaction, type Transaction } from '../../../src/dispatch/transaction.ts';
import { Args } from '../../../src/resp/args.ts';
import { RequestReader } from '../../../src/resp/request-reader.ts';
import { WorkerRig } from './worker-rig.ts';

const SET = COMMANDS.byName('set')!;

function frame(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** Reads a request as a connection does, into a buffer that the next request overwrites. */
class Reader {
  private readonly buf = Buffer.alloc(4 << 20);
  private readonly reader = new RequestReader();
  private readonly args = new Args();

  read(text: string): Args {
    this.reader.authenticated = true;
    this.buf.fill(0);
    this.buf.write(text, 7, 'latin1');
    expect(this.reader.read(this.buf, 7, 7 + text.length, this.args)).toBe(7 + text.length);
    return this.args;
  }
}

function queuedIn(transaction: Transaction): string[][] {
  const args = new Args(1);
  const all: string[][] = [];
  let at = 0;
  for (let i = 0; i < transaction.count; i++) {
    at = transaction.load(at, args);
    all.push(Array.from({ length: args.count }, (_, arg) => args.text(arg)));
    if (args.frameStart < 0) continue;
    expect(args.buf.toString('latin1', args.frameStart, args.frameEnd)).toBe(frame(all[i]));
  }
  return all;
}

test('commands of all lengths come back as they were, the frames of regular ones too', () => {
  const seed = Date.now() % 1_000_000;
  let state = seed;
  const roll = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const reader = new Reader();
  for (let round = 0; round < 20; round++) {
    const transaction = newTransaction();
    const commands: string[][] = [];
    let bytes = 0;
    for (let i = roll(60); i >= 0; i--) {
      const most = [8, 300, 5000, round === 0 ? 400_000 : 20_000][roll(4)];
      const words = Array.from({ length: 1 + roll(8) }, () =>
        String.fromCharCode(97 + roll(26)).repeat(1 + roll(most)),
      );
      // inline requests have no frame, and are short
      const isInline = words.join(' ').length < 200 && roll(3) === 0;
      const text = isInline ? `${words.join('  ')}\r\n` : frame(words);
      const args = reader.read(text);
      transaction.queue(SET, args, SET.flagBits);
      commands.push(words);
      bytes += 64 + (isInline ? words.join('  ').length : text.length);
    }
    expect({ seed, queued: queuedIn(transaction), bytes: transaction.bytes }).toEqual({
      seed,
      queued: commands,
      bytes,
    });
    endTransaction(transaction);
  }
});

test('what is taken again is empty', () => {
  const first = newTransaction();
  first.queue(SET, Args.of('SET', 'k', 'v'), SET.flagBits);
  first.shards[3] = 1;
  first.aborted = true;
  endTransaction(first);
  const again = newTransaction();
  expect(again).toBe(first);
  expect([again.count, again.bytes, again.writes, again.aborted, again.shards[3]]).toEqual([0, 0, false, false, 0]);
});

test('two clients that queue in turns do not see each other’s commands', () => {
  const [worker] = new WorkerRig({ shards: 4 }).workers;
  const clients = [worker.connect(), worker.connect()];
  for (let round = 0; round < 3; round++) {
    for (const client of clients) worker.send(client, 'MULTI');
    for (let i = 0; i < 5; i++) {
      for (const [n, client] of clients.entries()) {
        expect(worker.send(client, 'APPEND', `${n}:${i}`, `${round}`)).toBe('+QUEUED\r\n');
      }
    }
    expect(worker.send(clients[0], round === 1 ? 'DISCARD' : 'EXEC')).not.toBe(null);
    worker.send(clients[1], 'EXEC');
  }
  const values = clients.map((client, n) => [0, 1, 2, 3, 4].map((i) => worker.send(client, 'GET', `${n}:${i}`)));
  expect(values).toEqual([Array(5).fill('$2\r\n02\r\n'), Array(5).fill('$3\r\n012\r\n')]);
});

test('who ends his own connection inside EXEC keeps what runs for himself', () => {
  const [worker] = new WorkerRig({ shards: 2 }).workers;
  const [client, other] = [worker.connect(), worker.connect()];
  worker.send(client, 'MULTI');
  const { multi } = client.session;
  worker.send(client, 'SET', 'a', '1');
  client.session.isExecuting = true;
  client.session.leave();
  client.session.isExecuting = false;
  worker.send(other, 'MULTI');
  expect(other.session.multi).not.toBe(multi);
  expect(multi!.count).toBe(1);
});
