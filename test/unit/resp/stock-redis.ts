/** A stock redis-server as a second opinion, where one is installed. It listens on a Unix socket in a directory of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseReply, type Reply } from './reply-parser.ts';

export function stockRedisInstalled(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

export class StockRedis {
  private readonly directory = mkdtempSync(join(tmpdir(), 'stock-redis-'));
  private readonly path = join(this.directory, 'redis.sock');
  private child: ChildProcess | null = null;

  async start(): Promise<void> {
    const options = [
      '--port',
      '0',
      '--unixsocket',
      this.path,
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.directory,
    ];
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    let log = '';
    child.stdout.setEncoding('latin1');
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (text: string) => {
        log += text;
        if (/ready to accept/i.test(log)) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server did not start:\n${log}`)));
    });
    child.removeAllListeners('exit');
  }

  async stop(): Promise<void> {
    if (this.child !== null && this.child.exitCode === null) {
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Sends bytes on a connection of their own and gives the first `count` replies, or fewer when the server closes. */
  async exchange(bytes: string | Buffer, count: number): Promise<Reply[]> {
    const socket = connect(this.path);
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    try {
      return await readReplies(socket, count);
    } finally {
      socket.destroy();
    }
  }

  /** Runs commands in one pipeline; one reply each. */
  commands(commands: string[][]): Promise<Reply[]> {
    const frames = commands.map(
      (words) => `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join(''),
    );
    return this.exchange(frames.join(''), commands.length);
  }
}

async function readReplies(socket: Socket, count: number): Promise<Reply[]> {
  const replies: Reply[] = [];
  let kept: Buffer = Buffer.alloc(0);
  for await (const piece of socket as AsyncIterable<Buffer>) {
    kept = Buffer.concat([kept, piece]);
    let pos = 0;
    for (let parsed = parseReply(kept, pos); parsed !== null; parsed = parseReply(kept, pos)) {
      replies.push(parsed.reply);
      pos = parsed.end;
      if (replies.length === count) return replies;
    }
    kept = kept.subarray(pos);
  }
  return replies;
}
