/**
 * What a message through the ring costs: `node bench/micro-ring.ts [messages]`. Two threads on an otherwise quiet machine; the reader polls
 * without sleeping, so this is the price of the ring itself; the last line is a round trip between two sleeping event loops.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { DOORBELL_WORDS, Doorbell } from '../native-free-shm/doorbell.ts';
import { createRingMemory, RingReader, RingWriter } from '../native-free-shm/ring.ts';

interface Job {
  style: 'poll' | 'echo';
  there: SharedArrayBuffer;
  back: SharedArrayBuffer;
  bells: SharedArrayBuffer;
  messages: number;
}

const CAPACITY = 1 << 20;
const MAX_MESSAGE = 1 << 20;
const SIZES = [16, 64, 256, 4096];
const PUBLISH_EACH = [1, 16, 64];
const ROUND_TRIPS = 20_000;

function newJob(style: Job['style'], messages: number): Job {
  return {
    style,
    there: createRingMemory(CAPACITY),
    back: createRingMemory(CAPACITY),
    bells: new SharedArrayBuffer(2 * DOORBELL_WORDS * 4),
    messages,
  };
}

function readAll(job: Job): void {
  const reader = new RingReader(job.there, null, MAX_MESSAGE);
  let left = job.messages;
  let checksum = 0;
  const onMessage = (_kind: number, buf: Buffer, start: number): void => {
    checksum += buf[start];
  };
  while (left > 0) left -= reader.drain(onMessage, 1000);
  parentPort!.postMessage(checksum);
}

function echo(job: Job): void {
  const bells = new Int32Array(job.bells);
  const bell = new Doorbell(bells, DOORBELL_WORDS);
  const reader = new RingReader(job.there, null, MAX_MESSAGE);
  const writer = new RingWriter(job.back, new Doorbell(bells, 0), MAX_MESSAGE);
  let left = job.messages;
  // The pending sleep does not keep this thread alive
  const alive = setInterval(() => {}, 1000);
  bell.listen(() => {
    reader.drain((kind, buf, start, end) => {
      writer.tryWrite(kind, buf, start, end);
      left--;
    });
    writer.publish();
    if (left === 0) {
      bell.close();
      clearInterval(alive);
    }
    return false;
  });
}

async function started(job: Job): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  await new Promise((resolve) => worker.once('online', resolve));
  return worker;
}

async function oneWay(bytes: number, publishEach: number, messages: number): Promise<void> {
  const job = newJob('poll', messages);
  const worker = await started(job);
  const done = new Promise((resolve) => worker.once('message', resolve));
  const writer = new RingWriter(job.there, null, MAX_MESSAGE);
  const payload = Buffer.alloc(bytes, 1);
  let full = 0;
  const startMs = performance.now();
  for (let n = 0; n < messages; n++) {
    while (!writer.tryWrite(1, payload, 0, bytes)) full++;
    if (n % publishEach === 0) writer.publish();
  }
  writer.publish();
  await done;
  const ms = performance.now() - startMs;
  const nanos = ((ms * 1e6) / messages).toFixed(0);
  console.log(
    `${bytes} B, published each ${publishEach}: ${nanos} ns, ${(messages / ms / 1000).toFixed(1)} M/s (full ${full} times)`,
  );
}

async function roundTrips(): Promise<void> {
  const job = newJob('echo', ROUND_TRIPS);
  const worker = await started(job);
  const bells = new Int32Array(job.bells);
  const bell = new Doorbell(bells, 0);
  const writer = new RingWriter(job.there, new Doorbell(bells, DOORBELL_WORDS), MAX_MESSAGE);
  const reader = new RingReader(job.back, null, MAX_MESSAGE);
  const payload = Buffer.alloc(64, 1);
  const micros: number[] = [];
  await new Promise<void>((resolve) => {
    let sentMs = 0;
    const send = (): void => {
      sentMs = performance.now();
      writer.tryWrite(1, payload, 0, payload.length);
      writer.publish();
    };
    const onMessage = (): void => {
      micros.push((performance.now() - sentMs) * 1000);
      if (micros.length < ROUND_TRIPS) send();
      else {
        bell.close();
        resolve();
      }
    };
    bell.listen(() => {
      reader.drain(onMessage);
      return false;
    });
    send();
  });
  await new Promise((resolve) => worker.once('exit', resolve));
  micros.sort((a, b) => a - b);
  const at = (part: number) => micros[Math.floor(micros.length * part)].toFixed(0);
  console.log(`round trip of 64 B between sleeping event loops: p50 ${at(0.5)} µs, p99 ${at(0.99)} µs`);
}

if (isMainThread) {
  const messages = Number(process.argv[2] ?? 2_000_000);
  for (const bytes of SIZES) {
    for (const publishEach of PUBLISH_EACH)
      await oneWay(bytes, publishEach, Math.ceil(messages / Math.max(1, bytes / 256)));
  }
  await roundTrips();
} else {
  const job = workerData as Job;
  if (job.style === 'poll') readAll(job);
  else echo(job);
}
