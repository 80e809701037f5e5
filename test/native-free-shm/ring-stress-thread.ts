/**
 * One end of the ring stress test. The producer fills a block of shared memory, then sends a message that names it; the consumer checks order,
 * every byte of the message and of the block, and sends the block back through a second ring. Both sleep in their event loops
 * whenever they can do nothing, so a lost message or wake-up stops everything and the watchdog fails the thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { RingReader, RingWriter } from '../../native-free-shm/ring.ts';

export interface RingJob {
  role: 'producer' | 'consumer';
  there: SharedArrayBuffer;
  back: SharedArrayBuffer;
  blocks: SharedArrayBuffer;
  doorbells: SharedArrayBuffer;
  /** Largest payload; above a quarter of the ring it travels in fragments. */
  maxBytes: number;
  /** One message of so many is long (up to maxBytes), the others have up to 100 bytes. */
  longEvery: number;
  runMs: number;
  lostMs: number;
}

export interface RingReport {
  messages: number;
  bytes: number;
  full: number;
  sleeps: number;
}

export const BLOCK_WORDS = 16;
const MESSAGE = 7;
const BACK = 65535;
const END = 0;
const HEAD_BYTES = 12;

const job = workerData as RingJob;
const bells = new Int32Array(job.doorbells);
const producerBell = new Doorbell(bells, 0);
const consumerBell = new Doorbell(bells, DOORBELL_WORDS);
const blocks = new Int32Array(job.blocks);
const blockCount = blocks.length / BLOCK_WORDS;
const report: RingReport = { messages: 0, bytes: 0, full: 0, sleeps: 0 };

function watch(): NodeJS.Timeout {
  let seen = -1;
  return setInterval(() => {
    if (report.messages === seen) throw new Error(`${job.role}: nothing moves after ${seen} messages`);
    seen = report.messages;
  }, job.lostMs);
}

function produce(): void {
  const writer = new RingWriter(job.there, consumerBell, job.maxBytes);
  const reader = new RingReader(job.back, null, 1024);
  const head = Buffer.alloc(HEAD_BYTES);
  const body = Buffer.alloc(job.maxBytes);
  const free = Array.from({ length: blockCount }, (_, i) => i);
  const endMs = performance.now() + job.runMs;
  const watchdog = watch();
  let bodyBytes = -1;

  const onBack = (kind: number, buf: Buffer, start: number, end: number): void => {
    if (kind !== BACK || end - start !== 4)
      throw new Error(`producer: a message of kind ${kind}, ${end - start} bytes`);
    free.push(buf.readInt32LE(start));
  };

  /** Prepares message number report.messages unless one is waiting for room. */
  const prepare = (): void => {
    if (bodyBytes >= 0) return;
    const seq = report.messages;
    const block = free.pop()!;
    for (let w = 0; w < BLOCK_WORDS; w++) blocks[block * BLOCK_WORDS + w] = seq + w;
    const long = Math.random() * job.longEvery < 1;
    bodyBytes = Math.floor(
      Math.random() * (long ? job.maxBytes - HEAD_BYTES : Math.min(100, job.maxBytes - HEAD_BYTES)),
    );
    head.writeInt32LE(seq, 0);
    head.writeInt32LE(block, 4);
    head.writeInt32LE(bodyBytes, 8);
    for (let i = 0; i < bodyBytes; i++) body[i] = seq + i;
  };

  producerBell.listen(() => {
    reader.drain(onBack);
    const over = performance.now() >= endMs;
    let budget = 200;
    while (!(over && bodyBytes < 0) && budget-- > 0 && (bodyBytes >= 0 || free.length > 0)) {
      prepare();
      if (!writer.tryWrite(MESSAGE, head, 0, HEAD_BYTES, body, 0, bodyBytes)) {
        report.full++;
        report.sleeps++;
        return false;
      }
      report.messages++;
      report.bytes += HEAD_BYTES + bodyBytes;
      bodyBytes = -1;
    }
    writer.publish();
    if (over) {
      if (free.length < blockCount) return false;
      if (!writer.tryWrite(END, head, 0, 0)) return false;
      writer.publish();
      clearInterval(watchdog);
      producerBell.close();
      parentPort!.postMessage(report);
      return false;
    }
    if (free.length > 0) return true;
    report.sleeps++;
    return false;
  });
}

function consume(): void {
  const reader = new RingReader(job.there, producerBell, job.maxBytes);
  const writer = new RingWriter(job.back, producerBell, 1024);
  const watchdog = watch();
  const back: number[] = [];
  const four = Buffer.alloc(4);

  const onMessage = (kind: number, buf: Buffer, start: number, end: number): void => {
    if (kind === END && start === end) {
      clearInterval(watchdog);
      consumerBell.close();
      parentPort!.postMessage(report);
      return;
    }
    const seq = buf.readInt32LE(start);
    const block = buf.readInt32LE(start + 4);
    const bytes = buf.readInt32LE(start + 8);
    if (kind !== MESSAGE || seq !== report.messages || end - start !== HEAD_BYTES + bytes) {
      throw new Error(
        `consumer: kind ${kind}, number ${seq} instead of ${report.messages}, ${end - start} bytes for ${bytes}`,
      );
    }
    for (let i = 0; i < bytes; i++) {
      if (buf[start + HEAD_BYTES + i] !== ((seq + i) & 255))
        throw new Error(`consumer: message ${seq} is torn at ${i}`);
    }
    for (let w = 0; w < BLOCK_WORDS; w++) {
      if (blocks[block * BLOCK_WORDS + w] !== seq + w)
        throw new Error(`consumer: block of message ${seq} is stale at ${w}`);
    }
    report.messages++;
    report.bytes += end - start;
    back.push(block);
  };

  consumerBell.listen(() => {
    const limit = 1 + Math.floor(Math.random() * 300);
    const more = reader.drain(onMessage, limit) === limit;
    for (let block = back.pop(); block !== undefined; block = back.pop()) {
      four.writeInt32LE(block);
      // The way back has room for all blocks: a full ring here would be a fault of the test.
      if (!writer.tryWrite(BACK, four, 0, 4)) throw new Error('consumer: the way back is full');
    }
    writer.publish();
    if (!more) report.sleeps++;
    return more;
  });
}

if (job.role === 'producer') produce();
else consume();
