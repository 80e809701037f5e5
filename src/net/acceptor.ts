/**
 * The acceptor: makes the shared memory, starts the other threads, brings the data back, listens, hands connections out,
 * watches over everything, and ends it in order.
 */
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Counters } from '../../native-free-shm/counters.ts';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { LatchWatch } from '../../native-free-shm/latch-watch.ts';
import { createRingMemory } from '../../native-free-shm/ring.ts';
import { createClientRecords } from '../admin/client-records.ts';
import { COMMAND_ROOM, createCommandStats } from '../admin/command-stats.ts';
import { createErrorStats } from '../admin/error-stats.ts';
import { createLatencyEvents } from '../admin/latency-events.ts';
import { createLatencyHistograms } from '../admin/latency-histograms.ts';
import { Log } from '../admin/log.ts';
import { createSaveState, SAVE } from '../admin/save-state.ts';
import { COUNTER, COUNTER_NAMES } from '../admin/server-counters.ts';
import { createServerSamples, ServerSamples } from '../admin/server-samples.ts';
import type { LoadedSettings } from '../admin/settings-parser.ts';
import { SettingsStore, type SettingValues } from '../admin/settings-store.ts';
import { enumWord, INDEX } from '../admin/settings-table.ts';
import { createSlowLog } from '../admin/slow-log.ts';
import { REDIS_VERSION, SKEIN_VERSION } from '../admin/version.ts';
import { systemClock } from '../env/clock.ts';
import { errnoText } from '../env/files.ts';
import { random32, randomHex } from '../env/random.ts';
import type { JournalReport } from '../journal/committer.ts';
import { createJournalMemory, JOURNAL_STATE, type JournalMemory } from '../journal/journal-memory.ts';
import { takeLaneWish } from '../journal/sync-lanes.ts';
import type { FromWorker, Identity } from '../messages/thread-messages.ts';
import { DamageError } from '../persistence/damage.ts';
import { DataSetError } from '../persistence/data-set.ts';
import { LostSafeDataError } from '../persistence/greatest-cut.ts';
import { TruncatedError } from '../persistence/recovery.ts';
import { createPubsubMemory } from '../pubsub/pubsub-memory.ts';
import { createScriptStore } from '../scripting/script-store.ts';
import { ShardAccess } from '../shard/shard-access.ts';
import { ACCEPTOR, createWorldMemory, FIRST_WORKER, PROCESS, STATE, type WorldMemory } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { DataHome, placeOf } from './data-home.ts';
import { claimNumber, noteClaim } from './folder-claim.ts';
import { JournalRenewal } from './journal-renewal.ts';
import { baseBytes } from './journal-rewrite.ts';
import { deny, HandOff, isLoopback, listenTcp, refuseTooMany } from './listener.ts';
import { logSink } from './log-sink.ts';
import { MemoryAhead } from './memory-ahead.ts';
import { moduleUrl } from './module-url.ts';
import { mostClients, openFileLimit } from './open-files.ts';
import { ClientPause } from './pause-switch.ts';
import { switchRules } from './rule-switch.ts';
import { RunningScripts } from './running-scripts.ts';
import { Saving } from './saving.ts';
import { Shutdown } from './shutdown.ts';
import { Snapshots } from './snapshots.ts';
import { readerWorks } from './socket-adoption.ts';
import { Supervisor } from './supervisor.ts';

/** Address space, that is: memory is committed as it is touched. */
const NO_ROOM = 'The shared memory cannot be reserved';
const CANNOT_LOAD = 'The data cannot be loaded';
const GIB = 2 ** 30;
const RING_BYTES = 1 << 20;
const SAMPLE_INTERVAL_MS = 100;
/** A load that is over sooner is one that no client hears of: they wait so long. */
const PATIENCE_MS = 150;
/** A latch held so long by one batch without any progress means that its holder will never let go. */
const LATCH_BOUND_MS = 30_000;
/** A worker whose event loop has not turned for so long gets no new connection (R30). Each of them ticks ten times a second. */
const STUCK_MS = 500;
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
  private readonly supervisor: Supervisor;
  private readonly counters: Counters<(typeof COUNTER_NAMES)[number]>;
  private readonly counted: Float64Array;
  private readonly samples: ServerSamples;
  private readonly memories;
  private readonly handOff: HandOff;
  private readonly threads: number;
  private servers: net.Server[] = [];
  private readonly shutdown: Shutdown;
  private readonly snapshots: Snapshots;
  private readonly renewal: JournalRenewal;
  private readonly saving: Saving;
  private readonly memoryAhead: MemoryAhead;
  private readonly clientPause: ClientPause;
  private readonly runningScripts: RunningScripts;
  private readonly startedMs = systemClock.wallMs();

  /** `workerThreads`: the workers, one or more, which load their modules meanwhile. */
  constructor(loaded: LoadedSettings, workerThreads: readonly Worker[]) {
    this.loaded = loaded;
    const settingsMemory = SettingsStore.create(
      Object.fromEntries(loaded.values) as unknown as SettingValues,
      loaded.configFile,
    );
    this.settings = new SettingsStore(settingsMemory);
    this.log = new Log(process.pid, systemClock.wallMs, this.logSink());
    this.log.setLevel(enumWord('loglevel', this.settings.number('loglevel')));
    this.enterFolder();
    const workers = workerThreads.length;
    const processors = availableParallelism();
    this.home = new DataHome(this.settings, (level, text) => this.log.line(level, text));
    const wished = this.settings.number('shards');
    const shards = this.step(CANNOT_LOAD, () => this.home.open(wished || processors, wished !== 0));
    const databases = this.settings.number('databases');
    const arenaBytes = Math.min(64, Math.ceil(totalmem() / GIB) + 1) * GIB;
    const hashKey: [number, number] = [random32() | 0, random32() | 0];
    this.world = this.step(NO_ROOM, () => createWorldMemory({ shards, workers, databases, arenaBytes, hashKey }));
    this.threads = FIRST_WORKER + workers;
    this.access = new ShardAccess(this.world, ACCEPTOR, this.threads);
    if (this.settings.flag('appendonly')) noteClaim(this.access.process, claimNumber(this.home.place));
    const lanes = Math.min(shards - 1, MAX_SYNC_LANES);
    this.journal = this.step(NO_ROOM, () => createJournalMemory(shards, { lanes }));
    const clients = this.settings.number('maxclients') + 64;
    this.memories = {
      settings: settingsMemory,
      journal: this.journal,
      clients: createClientRecords(workers, Math.min(clients, 1 << 20)),
      counters: new SharedArrayBuffer(Counters.bytes(COUNTER_NAMES, workers + 1)),
      commandStats: createCommandStats(COMMAND_ROOM, workers),
      errorStats: createErrorStats(workers),
      samples: createServerSamples(),
      latencyHistograms: createLatencyHistograms(COMMAND_ROOM, workers),
      latencyEvents: createLatencyEvents(),
      slowLog: createSlowLog(),
      pubsub: createPubsubMemory(workers, shards),
      scripts: createScriptStore(),
      saves: createSaveState(this.startedMs),
      rings: Array.from({ length: workers }, (_, from) =>
        Array.from({ length: workers }, (_, to) => createRingMemory(from === to ? 1024 : RING_BYTES)),
      ),
    };
    this.runningScripts = new RunningScripts(this.memories.scripts);
    this.counters = new Counters(this.memories.counters, COUNTER_NAMES, workers + 1);
    this.counted = this.counters.own(workers);
    this.samples = new ServerSamples(this.memories.samples);
    this.supervisor = new Supervisor(workerThreads, {
      onMessage: (message) => this.onMessage(message),
      onDeath: (text) => this.shutdown.die(text),
    });
    const { access, settings, log, home, journal, supervisor } = this;
    this.shutdown = new Shutdown({
      log,
      settings,
      access,
      world: this.world,
      journal,
      home,
      supervisor,
      isBusy: () => this.runningScripts.isBusy(this.settings.number('busy-reply-threshold'), systemClock.steadyMs()),
      save: () => this.snapshots.save(() => {}, false),
      stopSaving: () => this.snapshots.stop(),
      stopListening: () => {
        for (const server of this.servers) server.close();
      },
    });
    this.snapshots = new Snapshots({
      settings,
      log,
      access,
      saves: new Float64Array(this.memories.saves),
      world: this.world,
      thread: this.threads + 1,
      changes: () => this.counters.sum('changes'),
      libraries: () => this.runningScripts.libraryCodes(),
      aux: () => [
        ['redis-ver', REDIS_VERSION],
        ['redis-bits', '64'],
        ['ctime', String(Math.floor(systemClock.wallMs() / 1000))],
        ['used-mem', String(access.liveBytes())],
        ['aof-base', '0'],
      ],
    });
    this.renewal = new JournalRenewal({ settings, access, memory: journal, snapshots: this.snapshots, log });
    const saves = new Float64Array(this.memories.saves);
    this.memoryAhead = new MemoryAhead(this.world, access);
    this.saving = new Saving({ settings, log, access, saves, journal, snapshots: this.snapshots });
    const ringWorkers = (): void => {
      for (let worker = 0; worker < workers; worker++) access.ringWorker(worker);
    };
    this.clientPause = new ClientPause(access, ringWorkers, systemClock.wallMs);
    this.handOff = new HandOff(
      workers,
      (worker) => Atomics.load(access.process, PROCESS.finished + FIRST_WORKER + worker),
      (worker) => access.heartbeats.ageMs(FIRST_WORKER + worker, systemClock.wallMs()) > STUCK_MS,
    );
  }

  /** Starts everything; returns when connections are accepted. */
  async run(): Promise<void> {
    this.shutdown.watchProcess();
    if (this.loaded.withoutEffect.length > 0) {
      this.log.line('warning', `Settings without effect in this version: ${this.loaded.withoutEffect.join(', ')}`);
    }
    this.access.setState(STATE.loading, true);
    const staticReader = process.env['SKEIN_READER'] !== 'data' && (await readerWorks());
    if (!staticReader) this.log.line('notice', 'Connections are read through plain data events');
    const port = await this.listen();
    // not before: where the port is taken the file is that server's who has it
    this.writePidFile();
    this.announce();
    await this.startThreads(port, staticReader);
    this.boundClients();
    await this.listenUnix();
    setInterval(() => this.sample(), SAMPLE_INTERVAL_MS);
    const patience = setTimeout(() => this.acceptAll(), PATIENCE_MS);
    await this.recover();
    await this.load();
    this.beginRules();
    await underAllLatchesSoon(this.access, () => this.access.setState(STATE.loading, false));
    clearTimeout(patience);
    this.acceptAll();
    this.shutdown.noteServing();
    this.log.line(
      'notice',
      `${this.world.workers} workers, ${this.world.shards.length} shards, port ${port}, PID: ${process.pid}`,
    );
    for (const { name } of this.listeners()) this.log.line('notice', `Ready to accept connections ${name}`);
  }

  // ---- start ----

  private logSink(): (line: string) => void {
    // standard output may be closed at any time; that must not stop the server
    process.stdout.on('error', () => {});
    const file = this.settings.path('logfile');
    if (file === '') return logSink('');
    const path = resolve(file);
    try {
      writeFileSync(path, '', { flag: 'a' });
    } catch (error) {
      process.stderr.write(`Can't open the log file: ${(error as Error).message}\n`);
      process.exit(1);
    }
    return logSink(path);
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

  /** Brings the journals to their cut and opens them. */
  private async recover(): Promise<void> {
    try {
      await this.home.recover(this.supervisor, this.world.workers, this.journal);
    } catch (error) {
      this.refuseStart(CANNOT_LOAD, error);
    }
  }

  /** Brings the data into memory; what a Redis server left is taken over. */
  private async load(): Promise<void> {
    const { home, supervisor, access, world, journal, snapshots } = this;
    const saves = new Float64Array(this.memories.saves);
    try {
      const loaded = await home.load(supervisor, access, world.workers);
      saves[SAVE.loadedKeys] = loaded?.keys ?? 0;
      saves[SAVE.expiredKeys] = loaded?.expired ?? 0;
      await home.takeOver(supervisor, access, world.workers, journal, snapshots);
      if (home.hasDataSet) saves[SAVE.baseBytes] = baseBytes(placeOf(this.settings), journal.shards);
    } catch (error) {
      this.refuseStart(CANNOT_LOAD, error);
    }
  }

  /** Puts the durability rules in force: the journal forgets what it must not have, if it has it from other rules. */
  private beginRules(): void {
    const rules = this.settings.text('durability-rule');
    const problem = switchRules({ access: this.access, memory: this.journal }, rules);
    if (problem !== null) this.fatal(`The durability rules cannot be put in force: ${problem}`);
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
        (text) => this.log.line('warning', text),
      );
    } catch (error) {
      this.log.line('warning', `Warning: Could not create server TCP listening socket: ${(error as Error).message}`);
      this.fatal(`Failed listening on port ${port} (tcp), aborting.`);
    }
    return port;
  }

  /** Clients must leave the server the files that it needs itself. */
  private boundClients(): void {
    const most = mostClients(this.early.length, this.world.shards.length);
    if (this.settings.number('maxclients') <= most) return;
    const allowed = `the system allows ${openFileLimit()} open files (ulimit -n)`;
    if (most < 1) this.fatal(`There is no room for clients: ${allowed}`);
    this.settings.change(() => new Map([['maxclients', most]]));
    this.log.line('warning', `maxclients has been reduced to ${most}: ${allowed}`);
  }

  /** Where clients may connect, as INFO shows it. */
  private listeners(): Identity['listeners'] {
    const port = this.settings.number('port');
    const path = this.settings.path('unixsocket');
    return [
      ...(port === 0 ? [] : [{ name: 'tcp', bind: this.settings.text('bind').split(' '), port }]),
      ...(path === '' ? [] : [{ name: 'unix', bind: [path], port: 0 }]),
    ];
  }

  private async startThreads(tcpPort: number, staticReader: boolean): Promise<void> {
    const identity: Identity = {
      pid: process.pid,
      runId: randomHex(20),
      startedMs: this.startedMs,
      executablePath: process.argv[1] ?? '',
      configFile: this.loaded.configFile,
      tcpPort,
      listeners: this.listeners(),
    };
    const { world, threads } = this;
    for (let worker = 0; worker < world.workers; worker++) {
      this.supervisor.give({
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
    await ready;
  }

  /** A thread that clients have nothing to do with. */
  private startBeside(file: string, workerData: object, name: string, title: string): Worker {
    const url = moduleUrl(`../../workers/${file}`, import.meta.url, import.meta.filename);
    const thread = new Worker(url, { workerData, name, trackUnmanagedFds: false }); // as for the workers
    this.supervisor.watchJournal(thread, title);
    return thread;
  }

  private startJournalThread(): void {
    const { journal, memories, world } = this;
    const words = { first: PROCESS.doorbells, stride: DOORBELL_WORDS, threads: this.threads + 1 };
    const doorbells = { memory: world.process, ...words };
    const threshold = INDEX['latency-monitor-threshold'];
    const latency = { events: memories.latencyEvents, numbers: memories.settings.values, threshold };
    const data = { journal, doorbells, latency };
    const thread = this.startBeside('journal', data, 'skein-journal', 'the journal thread');
    thread.on('message', (report: JournalReport) => this.onJournalReport(report));
  }

  /** Sync lanes, once files are to be synced at the same time. */
  private startLanesIfWanted(): void {
    const { journal } = this;
    if (!takeLaneWish(journal)) return;
    for (let lane = 0; lane < journal.lanes; lane++)
      this.startBeside('sync-lane', { journal, lane }, `skein-sync-${lane}`, `sync lane ${lane}`);
  }

  private onJournalReport(report: JournalReport): void {
    if (report.state === 0) {
      const what = this.settings.flag('appendonly')
        ? 'The journal files take writes again'
        : 'There is no journal any more';
      this.log.line('warning', what);
    } else
      this.log.line(
        'warning',
        `The journal of shard ${report.shard} cannot be written: ${errnoText(report.errno)}. Writes are refused.`,
      );
    if ((report.state & JOURNAL_STATE.syncFailed) !== 0) this.renewal.begin();
  }

  private async listenUnix(): Promise<void> {
    const path = this.settings.path('unixsocket');
    if (path === '') return;
    try {
      unlinkSync(path);
    } catch {
      // it was not there, or is no socket: then listening fails
    }
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

  /** From here on clients are served, though with LOADING where they ask for data that are not there yet. */
  private acceptAll(): void {
    this.accepting = true;
    for (const socket of this.early.splice(0)) this.accept(socket);
  }

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
    this.shutdown.checkShards();
    this.saving.look();
    this.memoryAhead.look();
    this.startLanesIfWanted();
    const late = this.latchWatch.look(systemClock.steadyMs(), LATCH_BOUND_MS);
    if (late >= 0 && !this.runningScripts.isRunning(this.latchWatch.holderOf(late)))
      this.shutdown.die(
        `the latch of shard ${late} was held for ${LATCH_BOUND_MS} ms by thread ${this.latchWatch.holderOf(late)}, which shows no progress`,
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
      case 'load-failed':
        this.fatal(`${CANNOT_LOAD}: ${message.message}`);
        break;
      case 'log':
        this.log.line(message.level, message.text);
        return;
      case 'pause':
        void this.clientPause
          .request(message.endMs, message.all)
          .then(() => this.answer(message.worker, message.session, '+OK\r\n'));
        return;
      case 'shutdown':
        void this.shutdown.request(message.request, (text) => this.answer(message.worker, message.session, text));
        return;
      case 'save':
        void this.saving.save(message.how, (text) => this.answer(message.worker, message.session, text));
        return;
      case 'reload':
        void this.reload(message.loadsAof, (text) => this.answer(message.worker, message.session, text));
        return;
      case 'ready':
      case 'scanned':
      case 'replayed':
      case 'rdb-loaded':
      case 'records-loaded':
      case 'listening':
      case 'listen-failed':
      case 'stopped':
      case 'quiet':
        // answers: whoever asked waits for them (Supervisor.next)
        return;
      default:
        message satisfies never;
    }
  }

  private answer(worker: number, session: number, reply: string): void {
    this.supervisor.send(worker, { kind: 'answer', session, reply });
  }

  /** DEBUG RELOAD: the data goes away and comes back from the journal files. */
  private async reload(loadsAof: boolean, answer: (reply: string) => void): Promise<void> {
    if ((this.access.stateBits() & STATE.loading) !== 0)
      return answer('-LOADING the data set is being loaded already\r\n');
    const { supervisor, access, journal: memory, snapshots } = this;
    const { workers } = this.world;
    const problem = await this.home.reload({ supervisor, access, memory, workers, snapshots, loadsAof });
    answer(problem === null ? '+OK\r\n' : `-ERR ${problem}\r\n`);
  }

  private announced = false;

  /** The line from which on whoever has started the process may connect, or sees why not. */
  private announce(): void {
    if (this.announced) return;
    this.announced = true;
    this.log.line(
      'notice',
      `Skein ${SKEIN_VERSION} (Redis ${REDIS_VERSION}) on Node.js ${process.versions.node} is starting, PID: ${process.pid}`,
    );
  }

  /** The start cannot go on. */
  private fatal(text: string): never {
    this.announce();
    this.log.line('warning', text);
    if (this.settings.path('logfile') !== '') process.stderr.write(`${text}\n`);
    process.exit(1);
  }

  /** Runs a step of the start; what the system or the data refuses ends it with one line, a bug goes on to whoever watches. */
  private step<T>(what: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      return this.refuseStart(what, error);
    }
  }

  private refuseStart(what: string, error: unknown): never {
    const known =
      error instanceof DamageError ||
      error instanceof DataSetError ||
      error instanceof LostSafeDataError ||
      error instanceof TruncatedError ||
      (error instanceof RangeError && error.message.includes('allocation failed')) ||
      (error instanceof Error && 'syscall' in error);
    if (!known) throw error;
    this.fatal(`${what}: ${error.message}`);
  }
}
