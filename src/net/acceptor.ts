/**
 * The acceptor: makes the shared memory, starts the other threads, brings the data back, listens, hands connections out,
 * watches over everything, and ends it in order.
 */
import { mkdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import type net from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Counters } from '../../native-free-shm/counters.ts';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { LatchWatch } from '../../native-free-shm/latch-watch.ts';
import { createRingMemory } from '../../native-free-shm/ring.ts';
import { createClientRecords } from '../admin/client-records.ts';
import { createCommandStats } from '../admin/command-stats.ts';
import { createErrorStats } from '../admin/error-stats.ts';
import { Log } from '../admin/log.ts';
import { COUNTER, COUNTER_NAMES } from '../admin/server-counters.ts';
import { createServerSamples, ServerSamples } from '../admin/server-samples.ts';
import type { LoadedSettings } from '../admin/settings-parser.ts';
import { SettingsStore, type SettingValues } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
import { REDIS_VERSION, SKEIN_VERSION } from '../admin/version.ts';
import { COMMANDS } from '../commands/command-table.ts';
import { systemClock } from '../env/clock.ts';
import { errnoText } from '../env/files.ts';
import { random32, randomHex } from '../env/random.ts';
import type { JournalReport } from '../journal/committer.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { createJournalMemory, type JournalMemory } from '../journal/journal-memory.ts';
import type { FromWorker, Identity, ShutdownRequest } from '../messages/thread-messages.ts';
import { ShardAccess } from '../shard/shard-access.ts';
import { ACCEPTOR, createWorldMemory, FIRST_WORKER, PROCESS, STATE, type WorldMemory } from '../shard/world.ts';
import { DataHome } from './data-home.ts';
import { deny, HandOff, isLoopback, listenTcp, refuseTooMany } from './listener.ts';
import { moduleUrl } from './module-url.ts';
import { readerWorks } from './socket-adoption.ts';
import { Supervisor } from './supervisor.ts';

const GIB = 2 ** 30;
const RING_BYTES = 1 << 20;
const SAMPLE_INTERVAL_MS = 100;
/** A latch held so long by one batch means that its holder will never let go. */
const LATCH_BOUND_MS = 30_000;
const JOURNAL_STOP_MS = 60_000;
/** Threads that sync files beside the journal thread: a disk gains little from more syncs at a time. */
const MAX_SYNC_LANES = 3;

export class Acceptor {
  private readonly loaded: LoadedSettings;
  private readonly settings: SettingsStore;
  private readonly log: Log;
  private readonly home: DataHome;
  private readonly world: WorldMemory;
  private readonly access: ShardAccess;
  private readonly journal: JournalMemory;
  private readonly journalControl: JournalControl;
  private readonly supervisor: Supervisor;
  private readonly counters: Counters<(typeof COUNTER_NAMES)[number]>;
  private readonly counted: Float64Array;
  private readonly samples: ServerSamples;
  private readonly memories;
  private readonly handOff: HandOff;
  private readonly threads: number;
  private servers: net.Server[] = [];
  private shutDown = false;
  private readonly startedMs = systemClock.wallMs();

  constructor(loaded: LoadedSettings) {
    this.loaded = loaded;
    const settingsMemory = SettingsStore.create(
      Object.fromEntries(loaded.values) as unknown as SettingValues,
      loaded.configFile,
    );
    this.settings = new SettingsStore(settingsMemory);
    this.log = new Log(process.pid, systemClock.wallMs, this.logSink());
    this.log.setLevel(enumWord('loglevel', this.settings.number('loglevel')));
    this.enterFolder();
    const processors = availableParallelism();
    const workers = this.settings.number('workers') || processors;
    this.home = new DataHome(this.settings, (level, text) => this.log.line(level, text));
    const shards = this.home.open(this.settings.number('shards') || processors, this.settings.number('shards') !== 0);
    const databases = this.settings.number('databases');
    const arenaBytes = Math.min(64, Math.ceil(totalmem() / GIB) + 1) * GIB;
    this.world = createWorldMemory({
      shards,
      workers,
      databases,
      arenaBytes,
      hashKey: [random32() | 0, random32() | 0],
    });
    this.threads = FIRST_WORKER + workers;
    this.access = new ShardAccess(this.world, ACCEPTOR, this.threads);
    this.journal = createJournalMemory(shards, { lanes: Math.min(shards - 1, MAX_SYNC_LANES) });
    this.journalControl = new JournalControl(this.journal);
    const clients = this.settings.number('maxclients') + 64;
    this.memories = {
      settings: settingsMemory,
      journal: this.journal,
      clients: createClientRecords(workers, Math.min(clients, 1 << 20)),
      counters: new SharedArrayBuffer(Counters.bytes(COUNTER_NAMES, workers + 1)),
      commandStats: createCommandStats(COMMANDS.rows.length, workers),
      errorStats: createErrorStats(workers),
      samples: createServerSamples(),
      rings: Array.from({ length: workers }, (_, from) =>
        Array.from({ length: workers }, (_, to) => createRingMemory(from === to ? 1024 : RING_BYTES)),
      ),
    };
    this.counters = new Counters(this.memories.counters, COUNTER_NAMES, workers + 1);
    this.counted = this.counters.own(workers);
    this.samples = new ServerSamples(this.memories.samples);
    this.supervisor = new Supervisor({
      onMessage: (message) => this.onMessage(message),
      onDeath: (text) => this.die(text),
    });
    this.handOff = new HandOff(workers, (worker) =>
      Atomics.load(this.access.process, PROCESS.finished + FIRST_WORKER + worker),
    );
  }

  /** Starts everything; returns when connections are accepted. */
  async run(): Promise<void> {
    this.watchProcess();
    this.log.line(
      'notice',
      `Skein ${SKEIN_VERSION} (Redis ${REDIS_VERSION}) on Node.js ${process.versions.node} is starting, PID: ${process.pid}`,
    );
    if (this.loaded.withoutEffect.length > 0) {
      this.log.line('warning', `Settings without effect in this version: ${this.loaded.withoutEffect.join(', ')}`);
    }
    this.writePidFile();
    this.access.setState(STATE.loading, true);
    const recovered = this.recover();
    const staticReader = process.env['SKEIN_READER'] !== 'data' && (await readerWorks());
    if (!staticReader) this.log.line('notice', 'Connections are read through plain data events');
    const port = await this.listen();
    await this.startThreads(port, staticReader);
    if (recovered) await this.home.load(this.supervisor, this.world.workers);
    await this.listenUnix();
    this.access.setState(STATE.loading, false);
    this.accepting = true;
    for (const socket of this.early.splice(0)) this.accept(socket);
    setInterval(() => this.sample(), SAMPLE_INTERVAL_MS);
    this.log.line(
      'notice',
      `${this.world.workers} workers, ${this.world.shards.length} shards, port ${port}, PID: ${process.pid}`,
    );
    this.log.line('notice', 'Ready to accept connections tcp');
  }

  // ---- start ----

  private logSink(): (line: string) => void {
    // standard output may be closed at any time; that must not stop the server
    process.stdout.on('error', () => {});
    const file = this.settings.path('logfile');
    if (file === '') {
      return (line) => {
        try {
          writeSync(1, line);
        } catch {
          // nobody reads it
        }
      };
    }
    const path = resolve(file);
    return (line) => {
      try {
        writeFileSync(path, line, { flag: 'a' });
      } catch {
        // a log that cannot be written is no reason to stop
      }
    };
  }

  private enterFolder(): void {
    const dir = this.settings.path('dir');
    try {
      // the embedded default names a folder that may not exist yet; a configured one must
      if (this.loaded.configFile === '') mkdirSync(dir, { recursive: true });
      process.chdir(dir);
    } catch (error) {
      this.fatal(`Can't chdir to '${dir}': ${(error as Error).message}`);
    }
  }

  private writePidFile(): void {
    const path = this.settings.path('pidfile');
    if (path === '') return;
    try {
      writeFileSync(path, `${process.pid}\n`);
    } catch (error) {
      this.log.line('warning', `Cannot write ${path}: ${(error as Error).message}`);
    }
  }

  /** Brings the journals to their cut and opens them; false where there is no journal. */
  private recover(): boolean {
    try {
      return this.home.recover(this.journal);
    } catch (error) {
      this.fatal(`The data cannot be loaded: ${(error as Error).message}`);
    }
  }

  private async listen(): Promise<number> {
    const port = this.settings.number('port');
    if (port === 0) return 0;
    try {
      this.servers = await listenTcp(
        {
          bind: this.settings
            .text('bind')
            .split(' ')
            .filter((word) => word !== ''),
          port,
          backlog: this.settings.number('tcp-backlog'),
          keepAliveSeconds: this.settings.number('tcp-keepalive'),
        },
        (socket) => this.accept(socket),
      );
    } catch (error) {
      this.log.line('warning', `Warning: Could not create server TCP listening socket: ${(error as Error).message}`);
      this.fatal(`Failed listening on port ${port} (tcp), aborting.`);
    }
    return port;
  }

  private async startThreads(tcpPort: number, staticReader: boolean): Promise<void> {
    const bind = this.settings.text('bind').split(' ');
    const identity: Identity = {
      pid: process.pid,
      runId: randomHex(20),
      startedMs: this.startedMs,
      executablePath: process.argv[1] ?? '',
      configFile: this.loaded.configFile,
      tcpPort,
      listeners: tcpPort === 0 ? [] : [{ name: 'tcp', bind, port: tcpPort }],
    };
    const { world, threads } = this;
    for (let worker = 0; worker < world.workers; worker++) {
      this.supervisor.startWorker({
        thread: FIRST_WORKER + worker,
        worker,
        threads,
        world,
        ...this.memories,
        staticReader,
        identity,
      });
    }
    const ready = this.supervisor.nextOfAll('ready');
    this.startJournalThread();
    for (let lane = 0; lane < this.journal.lanes; lane++) this.startJournalThread(lane);
    await ready;
  }

  /** The journal thread, or the sync lane `lane`. */
  private startJournalThread(lane?: number): void {
    const thread = new Worker(moduleUrl('../../workers/journal', import.meta.url, import.meta.filename), {
      workerData: {
        journal: this.journal,
        doorbells: {
          memory: this.world.process,
          first: PROCESS.doorbells,
          stride: DOORBELL_WORDS,
          threads: this.threads + 1,
        },
        lane,
      },
      name: lane === undefined ? 'skein-journal' : `skein-sync-${lane}`,
    });
    thread.on('message', (report: JournalReport) => this.onJournalReport(report));
    this.supervisor.watch(thread, lane === undefined ? 'the journal thread' : `sync lane ${lane}`);
  }

  private onJournalReport(report: JournalReport): void {
    if (report.state === 0) this.log.line('warning', 'The journal files take writes again');
    else
      this.log.line(
        'warning',
        `The journal of shard ${report.shard} cannot be written: ${errnoText(report.errno)}. Writes are refused.`,
      );
  }

  private async listenUnix(): Promise<void> {
    const path = this.settings.path('unixsocket');
    if (path === '') return;
    rmSync(path, { force: true });
    const done = Promise.race([
      this.supervisor.next(0, 'listening').then(() => ''),
      this.supervisor.next(0, 'listen-failed').then(({ message }) => message),
    ]);
    this.supervisor.send(0, { kind: 'listen-unix', path, mode: this.settings.number('unixsocketperm') });
    const failure = await done;
    if (failure !== '') this.fatal(`Failed opening Unix socket ${path}: ${failure}`);
  }

  // ---- connections ----

  private accepting = false;
  /** Connections that came while the data was being loaded. */
  private readonly early: net.Socket[] = [];

  private accept(socket: net.Socket): void {
    if (!this.accepting) {
      this.early.push(socket);
      return;
    }
    if (this.settings.flag('protected-mode') && this.settings.text('requirepass') === '' && !isLoopback(socket)) {
      this.counted[COUNTER.connectionsRejected]++;
      deny(socket);
      return;
    }
    if (this.handOff.open >= this.settings.number('maxclients')) {
      this.counted[COUNTER.connectionsRejected]++;
      refuseTooMany(socket);
      return;
    }
    if (socket.destroyed) return;
    this.supervisor.send(this.handOff.next(), { kind: 'client', socket });
  }

  // ---- while it runs ----

  private sample(): void {
    const now = systemClock.wallMs();
    this.samples.sample(now, this.counters, this.access.liveBytes());
    const late = this.latchWatch.look(systemClock.steadyMs(), LATCH_BOUND_MS);
    if (late >= 0)
      this.die(
        `the latch of shard ${late} was held for ${LATCH_BOUND_MS} ms by thread ${this.latchWatch.holderOf(late)}`,
      );
    if (this.settings.epoch !== this.settingsEpoch) {
      this.settingsEpoch = this.settings.epoch;
      this.log.setLevel(enumWord('loglevel', this.settings.number('loglevel')));
    }
  }

  private settingsEpoch = -1;
  private latchWatchMade: LatchWatch | null = null;
  private get latchWatch(): LatchWatch {
    return (this.latchWatchMade ??= new LatchWatch(this.access.latches, this.access.heartbeats));
  }

  private onMessage(message: FromWorker): void {
    switch (message.kind) {
      case 'log':
        this.log.line(message.level, message.text);
        return;
      case 'shutdown':
        void this.shutdown(message.request, (text) => this.answer(message.worker, message.session, text));
        return;
      case 'reload':
        void this.reload((text) => this.answer(message.worker, message.session, text));
    }
  }

  private answer(worker: number, session: number, reply: string): void {
    this.supervisor.send(worker, { kind: 'answer', session, reply });
  }

  /** DEBUG RELOAD: the data goes away and comes back from the journal files. */
  private async reload(answer: (reply: string) => void): Promise<void> {
    if ((this.access.stateBits() & STATE.loading) !== 0)
      return answer('-LOADING the data set is being loaded already\r\n');
    const problem = await this.home.reload(this.supervisor, this.access, this.journal, this.world.workers);
    answer(problem === null ? '+OK\r\n' : `-ERR ${problem}\r\n`);
  }

  // ---- end ----

  private watchProcess(): void {
    process.on('SIGTERM', () => this.onSignal('SIGTERM'));
    process.on('SIGINT', () => this.onSignal('SIGINT'));
    process.on('uncaughtException', (error) => this.die(error.stack ?? error.message));
    process.on('unhandledRejection', (error) => this.die(error instanceof Error ? (error.stack ?? '') : String(error)));
  }

  private onSignal(name: string): void {
    this.log.line('warning', `Received ${name} scheduling shutdown...`);
    void this.shutdown({ save: null, now: false, force: name === 'SIGINT' && this.shutDown }, () => {});
  }

  /** Ends in order: nothing new is accepted, what is owed leaves, journals are written and synced. */
  private async shutdown(request: ShutdownRequest, refuse: (reply: string) => void): Promise<void> {
    if (this.shutDown) return;
    if (request.save === true)
      this.log.line('warning', 'SHUTDOWN SAVE: there are no snapshots in this version; the journal is synced');
    if (this.journalControl.state !== 0 && !request.force) {
      this.log.line(
        'warning',
        'The journal cannot be written; shutdown is refused. Use SHUTDOWN FORCE to lose what is not on disk.',
      );
      refuse('-ERR Errors trying to SHUTDOWN. Check logs.\r\n');
      return;
    }
    this.shutDown = true;
    this.log.line('warning', 'User requested shutdown...');
    this.access.setState(STATE.shuttingDown, true);
    for (const server of this.servers) server.close();
    this.supervisor.expectEnd();
    const stopped = this.supervisor.nextOfAll('stopped');
    this.supervisor.broadcast({ kind: 'stop' });
    await stopped;
    const clean = this.stopJournal();
    this.removeFiles();
    this.log.line(
      'warning',
      clean ? 'Skein is now ready to exit, bye bye...' : 'The journal could not be written to its end',
    );
    process.exit(clean ? 0 : 1);
  }

  /** Has everything written and synced by the journal thread; false: it could not. */
  private stopJournal(): boolean {
    this.journalControl.stop();
    const end = systemClock.steadyMs() + JOURNAL_STOP_MS;
    while (!this.journalControl.stopped() && systemClock.steadyMs() < end) this.journalControl.nap();
    return this.journalControl.stopped() && this.journalControl.state === 0;
  }

  private removeFiles(): void {
    const pidFile = this.settings.path('pidfile');
    if (pidFile !== '') rmSync(pidFile, { force: true });
    const socket = this.settings.path('unixsocket');
    if (socket !== '') rmSync(socket, { force: true });
  }

  /** The start cannot go on. */
  private fatal(text: string): never {
    this.log.line('warning', text);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  }

  /** A thread died or a bug showed: ends the whole process loudly, after what was published is in its files. */
  private die(text: string): never {
    this.log.line('warning', `=== SKEIN BUG: ${text}`);
    process.stderr.write(`=== SKEIN BUG: ${text}\n`);
    this.home.writeOut(this.journal);
    process.exit(1);
  }
}
