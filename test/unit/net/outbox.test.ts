/** Which journals a batch's output waits for, and what the thread does meanwhile. */
import { expect, test } from 'vitest';
import { DurabilityRules } from '../../../src/dispatch/durability-rules.ts';
import type { Executor } from '../../../src/dispatch/executor.ts';
import { OPEN } from '../../../src/env/files.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import {
  createJournalMemory,
  giveBack,
  type JournalMemory,
  JournalWords,
  openJournal,
  POLICY,
  type Policy,
} from '../../../src/journal/journal-memory.ts';
import { type HeldOutput, Outbox, type OutputSink } from '../../../src/net/outbox.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { waitUntil } from '../../server/wait-until.ts';
import { MemoryFiles } from '../journal/memory-files.ts';

class Sink implements OutputSink {
  sent = '';
  stagedOutputs = 0;
  owedBytes = 0;
  readonly heldOutputs: HeldOutput[] = [];
  closed = false;
  send(buf: Buffer, start: number, end: number): boolean {
    this.sent += buf.toString('latin1', start, end);
    return true;
  }
  released(): void {}
  close(): void {
    this.closed = true;
  }
}

/** One thread's outbox over journals of its own memory. */
class World {
  readonly memory: JournalMemory;
  readonly journals: Journal[];
  readonly reply = new ReplyWriter();
  readonly outbox: Outbox;
  readonly touched: number[] = [];
  /** How often the thread was asked to run something in its next turn. */
  turns = 0;
  /** How often it was asked whether a journal that was not touched has undrained bytes. */
  strangersAsked = 0;

  /** Stamps of which the journal thread was asked. */
  readonly asked: number[] = [];
  /** By shard: the batch touched something that may have to be safe. */
  readonly waits: Uint8Array;

  /** A sync has failed. */
  syncFailed = false;

  /** What this thread can make safe by itself. */
  syncHere: () => void = () => {};

  constructor(shards: number, policy: Policy = POLICY.no, rules: DurabilityRules | null = null) {
    this.waits = new Uint8Array(shards);
    const files = new MemoryFiles();
    this.memory = createJournalMemory(shards, { blockBytes: 256, chainBytes: 256 * 64 });
    for (let shard = 0; shard < shards; shard++) {
      const fd = files.open(`shard-${shard}`, OPEN.create);
      openJournal(this.memory, shard, { position: 0, fd, fileBytes: 0, salt: 7, policy });
    }
    this.journals = Array.from({ length: shards }, (_, shard) => new Journal(this.memory, shard, files));
    for (const journal of this.journals) this.watch(journal);
    const { touched } = this;
    const executor = {
      touched,
      wrote: true,
      get touchedCount() {
        return touched.length;
      },
      clearTouched: () => touched.splice(0),
      unit: { rules },
      waits: this.waits,
    } as unknown as Executor;
    this.outbox = new Outbox({
      reply: this.reply,
      executor,
      journals: this.journals,
      diskBroken: () => false,
      syncFailed: () => this.syncFailed,
      schedule: (run) => {
        this.turns++;
        setImmediate(run);
      },
      isAlways: () => policy === POLICY.always,
      awaitSafe: (stamps) => this.asked.push(...stamps),
      syncHere: () => this.syncHere(),
      mostGatherTurns: 2,
    });
  }

  private watch(journal: Journal): void {
    const undrained = journal.undrained.bind(journal);
    journal.undrained = () => {
      if (!this.touched.includes(journal.shard)) this.strangersAsked++;
      return undrained();
    };
  }

  write(shard: number): void {
    this.stage(shard);
    this.journals[shard].publish();
  }

  stage(shard: number): void {
    this.journals[shard].begin(1);
    this.journals[shard].command(0, 1);
    this.journals[shard].argText('X');
  }

  /** A batch that touched these shards and answers `text`. */
  batch(sink: Sink, text: string, ...shards: number[]): void {
    const start = this.reply.pos;
    this.reply.simple(text);
    this.touched.push(...shards);
    this.outbox.endBatch(sink, start);
  }

  /** As `batch`, the answer of somebody who has waited since an earlier turn. */
  lateBatch(sink: Sink, text: string, ...shards: number[]): void {
    const start = this.reply.pos;
    this.reply.simple(text);
    this.touched.push(...shards);
    this.outbox.endBatch(sink, start, true);
  }
}

test('without undrained transactions only the touched journals are looked at', async () => {
  const world = new World(4);
  const [one, other] = [new Sink(), new Sink()];
  world.write(1);
  world.write(3);
  world.batch(one, 'reads 0', 0);
  await waitUntil('the turn of the loop ends', () => one.sent === '+reads 0\r\n');
  world.batch(other, 'wrote 1', 1);
  expect(other.sent).toBe('');
  expect(other.owedBytes).toBe('+wrote 1\r\n'.length);
  await waitUntil('the journal is written', () => other.sent === '+wrote 1\r\n');
  expect(other.owedBytes).toBe(0);
  expect(world.strangersAsked).toBe(0);
  expect(world.journals[1].written()).toBe(world.journals[1].head());
  expect(world.journals[3].written()).toBe(0);
});

test('where a transaction is not yet in all files, all journals are written first', async () => {
  const world = new World(4);
  const sink = new Sink();
  for (const shard of [0, 2]) world.stage(shard);
  publishTransaction([world.journals[0], world.journals[2]]);
  expect(world.journals[2].drain()).toBe(true);
  expect(world.journals[1].partsUndrained()).toBe(true);
  world.batch(sink, 'saw part 2', 2);
  expect(sink.sent).toBe('');
  await waitUntil('the other part is written', () => sink.sent !== '');
  expect(world.journals[0].written()).toBe(world.journals[0].head());
  expect(world.journals[1].partsUndrained()).toBe(false);
  world.strangersAsked = 0;
  world.batch(sink, 'again', 2);
  await waitUntil('the turn of the loop ends', () => sink.sent === '+saw part 2\r\n+again\r\n');
  expect(world.strangersAsked).toBe(0);
});

test('a sync on this thread is put off while turns bring more outputs for it, but not for long', async () => {
  const world = new World(1, POLICY.always);
  const sink = new Sink();
  const words = new JournalWords(world.memory, 0);
  const syncs: number[] = [];
  world.syncHere = () => {
    syncs.push(world.turns);
    words.storePosition(words.safe, world.journals[0].head());
  };
  const batches: string[] = [];
  for (let turn = 0; turn < 6; turn++) {
    world.write(0);
    world.batch(sink, `${turn}`, 0);
    batches.push(`+${turn}\r\n`);
    await new Promise(setImmediate);
  }
  await waitUntil('all have left', () => sink.sent === batches.join(''));
  // three turns' outputs a sync
  expect(syncs.length).toBe(2);
  world.write(0);
  world.batch(sink, 'alone', 0);
  const turn = world.turns;
  await waitUntil('it has left', () => sink.sent.endsWith('alone\r\n'));
  // one turn more, in which nothing came
  expect(syncs[2]).toBe(turn + 1);
  expect(sink.heldOutputs.length).toBe(0);
});

test('nothing is looked at where nothing is journalled', async () => {
  const world = new World(4, POLICY.none);
  const sink = new Sink();
  world.batch(sink, 'done', 0, 1, 2, 3);
  await waitUntil('the turn of the loop ends', () => sink.sent === '+done\r\n');
  expect(world.strangersAsked).toBe(0);
});

test('outputs of one turn leave together, in order, where nothing is to be written first', async () => {
  const world = new World(2, POLICY.none);
  const sinks = [new Sink(), new Sink()];
  for (let i = 0; i < 3; i++) for (const sink of sinks) world.batch(sink, `part ${i}`, 0);
  expect(sinks.map((sink) => sink.sent)).toEqual(['', '']);
  await waitUntil('the turn of the loop ends', () => sinks[1].sent !== '');
  for (const sink of sinks) expect(sink.sent).toBe('+part 0\r\n+part 1\r\n+part 2\r\n');
  expect(world.turns).toBe(1);
});

test('who has waited since an earlier turn is answered first, and each connection in its own order', async () => {
  const world = new World(2, POLICY.no);
  const order: string[] = [];
  class Noted extends Sink {
    override send(buf: Buffer, start: number, end: number): boolean {
      order.push(buf.toString('latin1', start + 1, end - 2));
      return super.send(buf, start, end);
    }
  }
  const [pusher, waiter] = [new Noted(), new Noted()];
  world.write(0);
  world.batch(pusher, 'pushed', 0);
  world.lateBatch(waiter, 'popped', 0);
  world.batch(waiter, 'next of the waiter', 0);
  world.lateBatch(pusher, 'late, but behind what it is owed', 0);
  world.lateBatch(waiter, 'popped again', 0);
  expect(order).toEqual([]);
  await waitUntil('the turn of the loop ends', () => order.length === 5);
  expect(order[0]).toBe('popped');
  expect(pusher.sent).toBe('+pushed\r\n+late, but behind what it is owed\r\n');
  expect(waiter.sent).toBe('+popped\r\n+next of the waiter\r\n+popped again\r\n');
  expect([pusher, waiter].map(({ stagedOutputs, owedBytes }) => [stagedOutputs, owedBytes])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(world.journals[0].written()).toBe(world.journals[0].head());
});

test('long outputs, and more of them than the caches hold, do not wait for the end of the turn', () => {
  const world = new World(1, POLICY.none);
  const sinks = Array.from({ length: 7 }, () => new Sink());
  world.batch(sinks[0], 'x'.repeat(40_000), 0);
  expect(sinks[0].sent.length).toBe(40_003);
  for (const sink of sinks) world.batch(sink, 'y'.repeat(25_000), 0);
  expect(sinks[0].sent).toMatch(/\+y+\r\n$/);
  expect(sinks[4].sent.length).toBe(25_003);
  expect(sinks[6].sent).toBe('');
});

test('while another thread writes the journal, this one sleeps, and goes on when it has finished', async () => {
  const world = new World(1);
  const sink = new Sink();
  const { i32, drain } = new JournalWords(world.memory, 0);
  world.write(0);
  expect(Atomics.compareExchange(i32, drain, 0, 1)).toBe(0);
  world.batch(sink, 'wrote', 0);
  for (let i = 0; i < 200; i++) await new Promise(setImmediate);
  expect(sink.sent).toBe('');
  expect(world.turns).toBeLessThan(5);
  giveBack(i32, drain);
  await waitUntil('the output', () => sink.sent === '+wrote\r\n');
  expect(world.turns).toBeLessThan(5);
});

test('a batch that touched a key with `always` by rule is held until its shard is safe, which is asked for', async () => {
  const world = new World(2, POLICY.no, new DurabilityRules('a always'));
  const [holds, free] = [new Sink(), new Sink()];
  world.write(0);
  world.write(1);
  world.batch(free, 'touched another key', 0);
  world.waits[1] = 1;
  world.batch(holds, 'touched a', 1);
  world.waits[1] = 0;
  await waitUntil('the other one is answered', () => free.sent !== '');
  expect(holds.sent).toBe('');
  expect(holds.heldOutputs.length).toBe(1);
  expect(world.asked).toEqual([1, world.journals[1].head()]);
  const words = new JournalWords(world.memory, 1);
  words.storePosition(words.safe, world.journals[1].head());
  world.outbox.release();
  expect(holds.sent).toBe('+touched a\r\n');
});

test('after a failed sync who waits for what never becomes safe loses the connection; who waits for a write does not', async () => {
  const world = new World(2, POLICY.no, new DurabilityRules('a always'));
  const [early, free, late] = [new Sink(), new Sink(), new Sink()];
  world.write(0);
  world.write(1);
  world.waits[1] = 1;
  world.batch(early, 'touched a', 1);
  await waitUntil('it is held', () => early.heldOutputs.length === 1);
  world.outbox.release();
  expect(early.closed).toBe(false);
  world.syncFailed = true;
  world.outbox.release();
  expect([early.closed, early.sent, early.owedBytes, early.heldOutputs]).toEqual([true, '', 0, []]);
  world.batch(late, 'touched a', 1);
  world.waits[1] = 0;
  world.batch(free, 'touched another key', 0);
  await waitUntil('it is told, too', () => late.closed);
  expect([late.sent, free.sent, free.closed]).toEqual(['', '+touched another key\r\n', false]);
});
