/**
 * A fast pipelined loader: SETs many keys from one connection, and only counts the bytes of the replies.
 */
import net from 'node:net';

export interface LoadPlan {
  readonly port: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Keys are `prefix` + 12 decimal digits, as redis-benchmark names them: `key:` makes 16 bytes. */
  readonly prefix?: string;
  /** Ascending numbers, or each number once in a scattered order. */
  readonly order?: 'ascending' | 'scattered';
  /** Told how many keys are acknowledged, after every answer. */
  readonly progress?: (keys: number) => void;
}

const DIGITS = 12;
const OK_BYTES = 5;
const COMMANDS_PER_WRITE = 512;
/** Commands sent but not yet acknowledged: enough to keep the server busy, few enough for its buffers. */
const COMMANDS_IN_FLIGHT = 4096;

/** Loads the keys and resolves when the last one is acknowledged. Returns the milliseconds it took. */
export async function loadKeys(plan: LoadPlan): Promise<number> {
  const socket = net.connect(plan.port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.setNoDelay(true);
  const began = performance.now();
  await new Promise<void>((resolve, reject) => new Load(plan, socket, resolve, reject).send());
  socket.destroy();
  return performance.now() - began;
}

class Load {
  private readonly plan: LoadPlan;
  private readonly socket: net.Socket;
  private readonly done: () => void;
  private readonly fail: (error: Error) => void;
  private readonly step: number;
  private readonly head: string;
  private readonly tail: string;
  private sent = 0;
  private draining = false;
  private answeredBytes = 0;

  constructor(plan: LoadPlan, socket: net.Socket, done: () => void, fail: (error: Error) => void) {
    this.plan = plan;
    this.socket = socket;
    this.done = done;
    this.fail = fail;
    this.step = plan.order === 'scattered' ? coprimeStep(plan.keys) : 1;
    const prefix = plan.prefix ?? 'key:';
    this.head = `*3\r\n$3\r\nSET\r\n$${prefix.length + DIGITS}\r\n${prefix}`;
    this.tail = `\r\n$${plan.valueBytes}\r\n${'v'.repeat(plan.valueBytes)}\r\n`;
    socket.on('data', (chunk) => this.answered(chunk));
    socket.on('drain', () => {
      this.draining = false;
      this.send();
    });
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
  }

  send(): void {
    const acknowledged = Math.floor(this.answeredBytes / OK_BYTES);
    while (!this.draining && this.sent < this.plan.keys && this.sent - acknowledged < COMMANDS_IN_FLIGHT) {
      const count = Math.min(COMMANDS_PER_WRITE, this.plan.keys - this.sent);
      let text = '';
      for (let i = 0; i < count; i++, this.sent++) text += this.head + this.digits(this.sent) + this.tail;
      this.draining = !this.socket.write(text, 'latin1');
    }
  }

  private digits(index: number): string {
    return String((index * this.step) % this.plan.keys).padStart(DIGITS, '0');
  }

  private answered(chunk: Buffer): void {
    if (chunk.includes('-'))
      this.fail(new Error(`the server refused a SET: ${chunk.toString('latin1').slice(0, 200)}`));
    this.answeredBytes += chunk.length;
    const acknowledged = Math.floor(this.answeredBytes / OK_BYTES);
    this.plan.progress?.(acknowledged);
    if (acknowledged >= this.plan.keys) this.done();
    else this.send();
  }
}

/** A step that visits every number below `count` once, in an order without neighbours. */
function coprimeStep(count: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let step = Math.floor(count * 0.6180339887) | 1;
  while (gcd(step, count) !== 1) step += 2;
  return step;
}
