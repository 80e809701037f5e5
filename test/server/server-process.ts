/**
 * Starts a server on a free port in a folder of its own, waits until it serves, and never leaves it behind:
 * it dies with the test process, whichever way that ends.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hugePagesOnRequest } from '../../src/env/huge-pages.ts';
import { RespClient } from './resp-client.ts';
import { PROJECT_FOLDER, type ServerCommand } from './server-command.ts';
import { within } from './wait-until.ts';

/** Values of several words are lists. */
export type Options = Readonly<Record<string, string | number | readonly (string | number)[]>>;

export interface StartOptions {
  readonly command: ServerCommand;
  /** Settings as `--name value`, for either server. Persistence is off unless they say otherwise. */
  readonly options?: Options;
  /** Settings only Skein knows (`workers`, `shards`, `cross-shard`, …); stock does not get them. */
  readonly skeinOptions?: Options;
  /** Contents of a configuration file given as first argument. */
  readonly config?: string;
  /** An existing folder to run in; it stays. Without it a new one is made, and removed at the end. */
  readonly folder?: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of node itself (`--import …`), before the program's first argument. Skein only. */
  readonly nodeOptions?: readonly string[];
  readonly readyWithinMs?: number;
  /** Skein prepares its environment by itself and starts over, as it does for a user; otherwise it finds that done. */
  readonly startsOver?: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const QUIET: Options = { save: '', appendonly: 'no' };
/** What src/main.ts would put there. */
const PREPARED: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
  ...(hugePagesOnRequest() ? { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } : {}),
};
const LOG_LIMIT_BYTES = 4 << 20;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

// Linux ends the child when this process is killed hard and no exit handler runs
const DEATH_WRAP =
  existsSync('/usr/bin/setpriv') && spawnSync('/usr/bin/setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;

/** A port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = net.createServer();
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class ServerProcess {
  readonly port: number;
  readonly folder: string;
  /** Milliseconds from the start to `Ready to accept`; 0 while it did not come. */
  readyMs = 0;
  private readonly start: StartOptions;
  private readonly child: ChildProcess;
  private readonly ended: Promise<Exit>;
  private readonly ownsFolder: boolean;
  private output = '';

  private constructor(start: StartOptions, port: number, folder: string) {
    this.start = start;
    this.port = port;
    this.folder = folder;
    this.ownsFolder = start.folder === undefined;
    const [program, args] = commandLine(start, port, folder);
    this.child = spawn(program, args, {
      cwd: folder,
      env: environmentOf(start),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    alive.add(this.child);
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.collect(`${error.message}\n`);
        alive.delete(this.child);
        resolve({ code: null, signal: null });
      });
      this.child.on('close', (code, signal) => {
        alive.delete(this.child);
        resolve({ code, signal });
      });
    });
    this.child.stdout?.on('data', (chunk) => this.collect(String(chunk)));
    this.child.stderr?.on('data', (chunk) => this.collect(String(chunk)));
  }

  /** Starts and waits for `Ready to accept`. A port that was taken meanwhile is given up for another one. */
  static async start(start: StartOptions): Promise<ServerProcess> {
    for (let attempt = 1; ; attempt++) {
      const server = await ServerProcess.spawn(start);
      if (await server.ready()) return server;
      const log = server.log();
      await server.remove();
      const portTaken = log.includes('Failed listening on port') && start.port === undefined;
      if (!portTaken || attempt === 5) throw new Error(`${start.command.program} did not start:\n${log.slice(-4000)}`);
    }
  }

  /** Starts without waiting, for tests of servers that refuse to start. */
  static async spawn(start: StartOptions): Promise<ServerProcess> {
    const folder = start.folder ?? mkdtempSync(join(tmpdir(), 'skein-test-'));
    return new ServerProcess(start, start.port ?? (await freePort()), folder);
  }

  /** False: it ended, or did not say `Ready to accept` in time. */
  async ready(): Promise<boolean> {
    const began = performance.now();
    const ready = new Promise<boolean>((resolve) => {
      const look = () => {
        if (!this.output.includes('Ready to accept')) return;
        this.child.stdout?.off('data', look);
        this.readyMs = performance.now() - began;
        resolve(true);
      };
      this.child.stdout?.on('data', look);
      look();
      this.ended.then(() => resolve(false));
    });
    try {
      return await within('Ready to accept', ready, this.start.readyWithinMs ?? 20_000);
    } catch {
      return false;
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return alive.has(this.child);
  }

  /** What it wrote to stdout and stderr so far (the last megabytes). */
  log(): string {
    return this.output;
  }

  connect(resp: 2 | 3 = 2): Promise<RespClient> {
    return RespClient.connect(this.port, resp);
  }

  /** Resolves when the process has ended by itself or by a signal. */
  exit(withinMs = 10_000): Promise<Exit> {
    return within(`end of the server\n${this.output.slice(-2000)}`, this.ended, withinMs);
  }

  /** SIGTERM, a clean end, and the folder removed if it was made here. */
  async stop(): Promise<Exit> {
    this.child.kill('SIGTERM');
    try {
      return await this.exit();
    } finally {
      await this.remove();
    }
  }

  /** SIGKILL; the folder stays, for a restart. */
  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exit();
  }

  /** Nobody reads its standard output and error any more. */
  closeOutput(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** A new process on the same folder and port with the same options, some of them changed. */
  restart(changes: Partial<StartOptions> = {}): Promise<ServerProcess> {
    return ServerProcess.start({ ...this.start, folder: this.folder, port: this.port, ...changes });
  }

  /** Kills it if it still runs, and removes the folder if it was made here. */
  async remove(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    if (this.ownsFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  private collect(text: string): void {
    this.output = (this.output + text).slice(-LOG_LIMIT_BYTES);
  }
}

/** Server processes of one test file; `removeAll` belongs into `afterAll` or `afterEach`. */
export class ServerGroup {
  private readonly servers: ServerProcess[] = [];

  async start(start: StartOptions): Promise<ServerProcess> {
    return this.add(await ServerProcess.start(start));
  }

  add(server: ServerProcess): ServerProcess {
    this.servers.push(server);
    return server;
  }

  async removeAll(): Promise<void> {
    for (const server of this.servers.splice(0).reverse()) await server.remove();
  }
}

/** Not those settings of the C library that are meant for the processes of the tests. */
function environmentOf({ command, env, startsOver }: StartOptions): NodeJS.ProcessEnv {
  const { GLIBC_TUNABLES: _, ...inherited } = process.env;
  const prepared = command.kind === 'skein' && startsOver !== true;
  return { ...inherited, ...(prepared ? PREPARED : {}), ...env };
}

function commandLine(start: StartOptions, port: number, folder: string): [string, string[]] {
  const { command } = start;
  const skein = command.kind === 'skein';
  const args = [...(skein ? (start.nodeOptions ?? []) : []), ...command.args.map((arg) => fromProject(arg))];
  if (start.config !== undefined) {
    const file = join(folder, 'server.conf');
    writeFileSync(file, start.config);
    args.push(file);
  }
  const options = { ...QUIET, ...start.options, ...(skein ? start.skeinOptions : {}) };
  args.push('--port', String(port), '--bind', '127.0.0.1', '--dir', folder);
  for (const [name, value] of Object.entries(options)) args.push(`--${name}`, ...[value].flat().map(String));
  return DEATH_WRAP ? ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', command.program, ...args]] : [command.program, args];
}

/** The process runs in its own folder: files of the project are named from the project's folder. */
function fromProject(arg: string): string {
  const inProject = join(PROJECT_FOLDER, arg);
  return !arg.startsWith('-') && existsSync(inProject) ? inProject : arg;
}
