/**
 * Load that redis-benchmark cannot make, from a thread of its own: transactions, and one publisher with many subscribers. Requests are
 * made before the clock runs; replies have known lengths and are counted as bytes.
 */
import net from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** Batches that are sent again and again; what each reply must be. */
export interface UnitPlan {
  readonly kind: 'units';
  readonly port: number;
  readonly clients: number;
  /** Units of one write. */
  readonly pipeline: number;
  /** Of all clients together. */
  readonly units: number;
  /** Bytes of the units, each as often as the others. */
  readonly requests: readonly string[];
  /** The reply of each of them. */
  readonly reply: string;
}

export interface PublishPlan {
  readonly kind: 'publish';
  readonly port: number;
  readonly subscribers: number;
  readonly pipeline: number;
  readonly messages: number;
}

export interface LoadFigures {
  readonly seconds: number;
  /** Until the publisher had its last reply. */
  readonly publisherSeconds: number;
  /** Of units: of batches. Of messages: from their making to one of the subscribers. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Plan = UnitPlan | PublishPlan;

/** Runs a plan in a thread of its own. */
export function runLoad(plan: Plan): Promise<LoadFigures> {
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

const READ_BYTES = 256 * 1024;
const CHANNEL = 'news';
/** Microseconds since the thread began, in so many digits. */
const STAMP_DIGITS = 16;
const CONNECTIONS_AT_ONCE = 50;

/** A socket that reads into one buffer for ever: nothing is made per event. */
function open(port: number, onBytes: (buf: Uint8Array, bytes: number) => void): Promise<net.Socket> {
  const onread = {
    buffer: shared,
    callback: (bytes: number, buf: Uint8Array) => {
      onBytes(buf, bytes);
      return true;
    },
  };
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread });
  return new Promise((resolve, reject) => socket.once('connect', () => resolve(socket)).once('error', reject));
}
// what was read is counted at once, so all sockets may share it
const shared = Buffer.allocUnsafe(READ_BYTES);

function quantile(sorted: Float64Array, part: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function figures(seconds: number, publisherSeconds: number, times: readonly number[]): LoadFigures {
  const sorted = Float64Array.from(times).sort();
  return { seconds, publisherSeconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}

// ---- units

/** One connection: a batch, its replies, the next one. */
async function unitClient(plan: UnitPlan, take: () => Buffer | null, times: number[]): Promise<void> {
  const expected = Buffer.from(plan.reply.repeat(plan.pipeline));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let got = 0;
  let began = 0;
  let checked = false;
  const socket = await open(plan.port, (buf, bytes) => {
    // the first reply word for word, of the others their length
    if (!checked && !expected.subarray(got, got + bytes).equals(buf.subarray(0, bytes))) {
      reject(new Error(`unexpected reply: ${Buffer.from(buf.subarray(0, bytes)).toString('latin1').slice(0, 200)}`));
    }
    got += bytes;
    if (got < expected.length) return;
    if (got > expected.length) reject(new Error('more replies than requests'));
    checked = true;
    times.push(performance.now() - began);
    next();
  });
  const next = (): void => {
    const batch = take();
    if (batch === null) return resolve();
    got = 0;
    began = performance.now();
    socket.write(batch);
  };
  next();
  await promise;
  socket.destroy();
}

async function runUnits(plan: UnitPlan): Promise<LoadFigures> {
  const { pipeline, requests } = plan;
  const batches = requests.map((_, at) =>
    Buffer.from(Array.from({ length: pipeline }, (__, i) => requests[(at * pipeline + i) % requests.length]).join('')),
  );
  let left = Math.ceil(plan.units / pipeline);
  const take = () => (left-- > 0 ? batches[left % batches.length] : null);
  const times: number[] = [];
  const began = performance.now();
  await Promise.all(Array.from({ length: plan.clients }, () => unitClient(plan, take, times)));
  const seconds = (performance.now() - began) / 1000;
  return figures(seconds, seconds, times);
}

// ---- publish

function messageBytes(): number {
  return message('0'.repeat(STAMP_DIGITS)).length;
}

function message(text: string): string {
  return `*3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${text.length}\r\n${text}\r\n`;
}

/** Counts what comes to all subscribers; the first one also looks at the stamps. */
class Subscribers {
  delivered = 0;
  readonly times: number[] = [];
  readonly all = Promise.withResolvers<void>();
  private readonly plan: PublishPlan;
  private readonly sockets: net.Socket[] = [];
  private readonly size = messageBytes();
  private subscribed = 0;
  private first = Buffer.alloc(0);

  constructor(plan: PublishPlan) {
    this.plan = plan;
  }

  async subscribe(): Promise<void> {
    const { subscribers, port } = this.plan;
    const hello = `*3\r\n$9\r\nsubscribe\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n:1\r\n`.length;
    const ready = Promise.withResolvers<void>();
    for (let from = 0; from < subscribers; from += CONNECTIONS_AT_ONCE) {
      const count = Math.min(CONNECTIONS_AT_ONCE, subscribers - from);
      await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          let greeting = hello;
          const socket = await open(port, (buf, bytes) => {
            if (greeting > 0) {
              greeting -= bytes;
              if (greeting < 0) ready.reject(new Error('a message before all have subscribed'));
              if (greeting === 0 && ++this.subscribed === subscribers) ready.resolve();
              return;
            }
            this.count(from + i, buf, bytes);
          });
          this.sockets.push(socket);
          socket.write(`*2\r\n$9\r\nSUBSCRIBE\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n`);
          socket.on('close', () => this.all.reject(new Error('a subscriber lost its connection')));
        }),
      );
    }
    await ready.promise;
  }

  private count(subscriber: number, buf: Uint8Array, bytes: number): void {
    this.delivered += bytes;
    if (subscriber === 0) this.readStamps(buf, bytes);
    if (this.delivered === this.plan.messages * this.plan.subscribers * this.size) this.all.resolve();
  }

  private readStamps(buf: Uint8Array, bytes: number): void {
    const now = performance.now();
    this.first = Buffer.concat([this.first, buf.subarray(0, bytes)]);
    let at = 0;
    for (; at + this.size <= this.first.length; at += this.size) {
      const end = at + this.size - 2;
      this.times.push(now - Number(this.first.toString('latin1', end - STAMP_DIGITS, end)) / 1000);
    }
    this.first = this.first.subarray(at);
  }

  close(): void {
    this.all.promise.catch(() => {});
    for (const socket of this.sockets) socket.removeAllListeners('close').destroy();
  }
}

async function publishAll(plan: PublishPlan): Promise<void> {
  const reply = `:${plan.subscribers}\r\n`.length;
  const { promise, resolve } = Promise.withResolvers<void>();
  let owed = 0;
  let left = plan.messages;
  const socket = await open(plan.port, (_, bytes) => {
    owed -= bytes;
    if (owed === 0) next();
  });
  const next = (): void => {
    const count = Math.min(left, plan.pipeline);
    if (count === 0) return resolve();
    left -= count;
    owed = count * reply;
    const stamp = String(Math.round(performance.now() * 1000)).padStart(STAMP_DIGITS, '0');
    const one = `*3\r\n$7\r\nPUBLISH\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${stamp.length}\r\n${stamp}\r\n`;
    socket.write(one.repeat(count));
  };
  next();
  await promise;
  socket.destroy();
}

async function runPublish(plan: PublishPlan): Promise<LoadFigures> {
  const subscribers = new Subscribers(plan);
  await subscribers.subscribe();
  const began = performance.now();
  let publisherSeconds = 0;
  const published = publishAll(plan).then(() => {
    publisherSeconds = (performance.now() - began) / 1000;
  });
  await Promise.all([published, subscribers.all.promise]);
  const seconds = (performance.now() - began) / 1000;
  subscribers.close();
  return figures(seconds, publisherSeconds, subscribers.times);
}

if (!isMainThread && workerData !== null && typeof workerData === 'object' && 'kind' in workerData) {
  const plan = workerData as Plan;
  parentPort!.postMessage(await (plan.kind === 'units' ? runUnits(plan) : runPublish(plan)));
}
