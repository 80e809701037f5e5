/**
 * A raw RESP client for tests: pipelines, keeps reply bytes, speaks RESP2 or RESP3, sends malformed bytes when asked to.
 */
import net from 'node:net';
import { decodeReply, type Reply, ReplyError, type ReplyPush, replyEnd } from './reply-reader.ts';

export type Argument = string | number | bigint | Buffer;
export type Command = readonly Argument[];

/** The connection ended before the reply came: nobody knows whether the command ran. */
export class ConnectionLost extends Error {}

/** One command as a RESP multibulk frame. Strings are latin1. */
export function frame(command: Command): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${command.length}\r\n`)];
  for (const argument of command) {
    const bytes = Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument), 'latin1');
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

interface Waiting {
  resolve(bytes: Buffer): void;
  reject(error: Error): void;
}

export class RespClient {
  /** Out-of-band pushes in the order they came. */
  readonly pushes: ReplyPush[] = [];
  /** Settles when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
  private readonly socket: net.Socket;
  private readonly waiting: Waiting[] = [];
  private unread: Buffer = Buffer.alloc(0);
  private lost: ConnectionLost | null = null;
  /** Replies nobody asked for (after raw bytes), in order. */
  private readonly early: Buffer[] = [];

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.arrived(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.on('close', () => resolve(this.ended('connection closed'))));
  }

  /** Connects to a port or to a Unix socket's path, and says HELLO 3 where RESP3 is wanted. */
  static async connect(to: number | string, resp: 2 | 3 = 2): Promise<RespClient> {
    const socket = typeof to === 'number' ? net.connect(to, '127.0.0.1') : net.connect(to);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const client = new RespClient(socket);
    if (resp === 3) await client.call('HELLO', 3);
    return client;
  }

  /** Sends one command and decodes its reply. Error replies are values. */
  async call(...command: Command): Promise<Reply> {
    return decodeReply(await this.callRaw(command));
  }

  /** As `call`, but an error reply is thrown. */
  async must(...command: Command): Promise<Reply> {
    const reply = await this.call(...command);
    if (reply instanceof ReplyError) throw new Error(`${String(command[0])}: ${reply.message}`);
    return reply;
  }

  /** The connection is gone; replies that are still owed were rejected. */
  get isLost(): boolean {
    return this.lost !== null;
  }

  callRaw(command: Command): Promise<Buffer> {
    const reply = this.nextReply();
    this.send(frame(command));
    return reply;
  }

  /** One write, all replies. */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    return (await this.pipelineRaw(commands)).map(decodeReply);
  }

  pipelineRaw(commands: readonly Command[]): Promise<Buffer[]> {
    return Promise.all(this.pipelineEach(commands));
  }

  /** One write; each reply as soon as it is there. */
  pipelineEach(commands: readonly Command[]): Promise<Buffer>[] {
    const replies = commands.map(() => this.nextReply());
    this.send(Buffer.concat(commands.map(frame)));
    return replies;
  }

  /** Any bytes, well-formed or not. Replies are fetched by `nextReply`. */
  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** The bytes of the next reply that nobody waits for yet. */
  nextReply(): Promise<Buffer> {
    const early = this.early.shift();
    if (early) return Promise.resolve(early);
    if (this.lost) return Promise.reject(this.lost);
    const reply = new Promise<Buffer>((resolve, reject) => this.waiting.push({ resolve, reject }));
    reply.catch(() => {}); // whoever awaits it still sees the rejection; whoever gave up does not stop the process
    return reply;
  }

  /** Stops reading, so that the server meets a full socket. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Half-closes after what was written. */
  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  private arrived(chunk: Buffer): void {
    this.unread = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk]);
    let pos = 0;
    try {
      for (let end = replyEnd(this.unread, pos); end >= 0; end = replyEnd(this.unread, pos)) {
        this.deliver(Buffer.from(this.unread.subarray(pos, end)));
        pos = end;
      }
    } catch (error) {
      this.ended(`malformed reply: ${(error as Error).message}`);
      this.socket.destroy();
    }
    this.unread = this.unread.subarray(pos);
  }

  private deliver(bytes: Buffer): void {
    if (bytes[0] === 0x3e) {
      this.pushes.push(decodeReply(bytes) as ReplyPush);
      return;
    }
    const first = this.waiting.shift();
    if (first) first.resolve(bytes);
    else this.early.push(bytes);
  }

  private ended(why: string): void {
    this.lost ??= new ConnectionLost(why);
    for (const one of this.waiting.splice(0)) one.reject(this.lost);
  }
}
