/**
 * A server without sockets and threads: commands go through look-up, gate, route and execute as in a worker, and the reply's
 * bytes come back. `effects()` gives what the commands journalled.
 */
import { Counters } from '../../../native-free-shm/counters.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { ClientRecords, createClientRecords } from '../../../src/admin/client-records.ts';
import { CommandStats, createCommandStats } from '../../../src/admin/command-stats.ts';
import { createErrorStats, ErrorStats } from '../../../src/admin/error-stats.ts';
import { createLatencyEvents, LatencyEvents } from '../../../src/admin/latency-events.ts';
import { createLatencyHistograms, LatencyHistograms } from '../../../src/admin/latency-histograms.ts';
import { createSaveState } from '../../../src/admin/save-state.ts';
import { COUNTER_NAMES } from '../../../src/admin/server-counters.ts';
import { createServerSamples, ServerSamples } from '../../../src/admin/server-samples.ts';
import { loadSettings } from '../../../src/admin/settings-parser.ts';
import { SettingsStore, type SettingValues } from '../../../src/admin/settings-store.ts';
import { createSlowLog, SlowLog } from '../../../src/admin/slow-log.ts';
import { REDIS_VERSION } from '../../../src/admin/version.ts';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { readSizeLimits } from '../../../src/commands/size-limits-setting.ts';
import { BlockedClients } from '../../../src/dispatch/blocked-clients.ts';
import { CommandTiming } from '../../../src/dispatch/command-timing.ts';
import { Dispatcher } from '../../../src/dispatch/dispatcher.ts';
import { Executor } from '../../../src/dispatch/executor.ts';
import { ReadyWaiters } from '../../../src/dispatch/ready-waiters.ts';
import { type Control, type ServerContext, Session } from '../../../src/dispatch/session.ts';
import { Unit } from '../../../src/dispatch/unit.ts';
import { UnitListeners } from '../../../src/dispatch/unit-listeners.ts';
import { Watches } from '../../../src/dispatch/watches.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { createPubsubMemory } from '../../../src/pubsub/pubsub-memory.ts';
import { PushHub } from '../../../src/pubsub/push-hub.ts';
import { Args } from '../../../src/resp/args.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { RequestReader } from '../../../src/resp/request-reader.ts';
import type { ScriptEngine } from '../../../src/scripting/engine.ts';
import { LuaEngine } from '../../../src/scripting/lua-engine.ts';
import { ScriptRuntime } from '../../../src/scripting/script-runtime.ts';
import { createScriptStore, ScriptStore } from '../../../src/scripting/script-store.ts';
import { ShardAccess } from '../../../src/shard/shard-access.ts';
import { WaiterQueues } from '../../../src/shard/waiter-queues.ts';
import { createWorldMemory, FIRST_WORKER, NOTIFY, PROCESS } from '../../../src/shard/world.ts';

export interface InProcessOptions {
  shards?: number;
  databases?: number;
  arenaBytes?: number;
  /** False: nothing is recorded. */
  journalled?: boolean;
  settings?: Record<string, string>;
  /** Parts of the control that a test wants to see called. */
  control?: Partial<Control>;
}

/** Stands in for a shard's journal and keeps the records as text: `<shard> <db> WORD WORD …`. */
class RecordingJournal {
  readonly enabled: boolean;
  readonly shard: number;
  private readonly log: string[];
  private staged: { db: number; owed: number; words: string[] }[] = [];

  constructor(shard: number, log: string[], enabled: boolean) {
    this.enabled = enabled;
    this.shard = shard;
    this.log = log;
  }
  begin(): void {
    this.staged = [];
  }
  verbatim(db: number, buf: Buffer, start: number, end: number): void {
    const words = buf.toString('latin1', start, end).split('\r\n');
    this.staged.push({ db, owed: 0, words: words.filter((_, i) => i > 0 && i % 2 === 0) });
  }
  command(db: number, argc: number): void {
    this.staged.push({ db, owed: argc, words: [] });
  }
  arg(buf: Buffer, start: number, end: number): void {
    this.argText(buf.toString('latin1', start, end));
  }
  argText(text: string): void {
    const record = this.staged[this.staged.length - 1];
    if (record.owed-- === 0) throw new Error('a journal record has more arguments than announced');
    record.words.push(text);
  }
  argNumber(n: number): void {
    this.argText(String(n));
  }
  argBig(n: bigint): void {
    this.argText(String(n));
  }
  transactionOpen(): void {
    this.staged.push({ db: 0, owed: 0, words: ['MULTI'] });
  }
  transactionClose(): void {}
  closePart(): number {
    return 0;
  }
  end(): number {
    return 0;
  }
  writeMarks(): void {}
  step(): void {}
  publish(): void {
    for (const { db, owed, words } of this.staged) {
      if (owed !== 0) throw new Error(`a journal record lacks ${owed} arguments`);
      if (words[0] !== 'MULTI') this.log.push(`${this.shard} ${db} ${words.join(' ')}`);
    }
    this.staged = [];
  }
  reserve(): boolean {
    return true;
  }
  backlogFull(): boolean {
    return false;
  }
  syncLate(): boolean {
    return false;
  }
  undrained(): boolean {
    return false;
  }
  head(): number {
    return 0;
  }
  written(): number {
    return 0;
  }
  safe(): number {
    return 0;
  }
  fileBytes(): number {
    return 0;
  }
}

const NO_CONTROL: Control = {
  shutdown() {},
  shutdownPending: () => false,
  abortShutdown: () => false,
  reload() {},
  save() {},
  pause() {},
  setActiveExpire() {},
  skipChecksums() {},
  sleepSync() {},
  directory: () => null,
  log() {},
  rewriteConfig: () => null,
  settingsChanged: () => null,
  crash() {},
};

/** Redis's defaults with these settings over them. */
function settingsOf(settings: Record<string, string>): SettingValues {
  const loaded = loadSettings(['-', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])], {
    readFile: () => new Uint8Array(0),
    readStdin: () => new Uint8Array(0),
    listFiles: () => [],
    directory: (path) => path,
    cwd: '/',
  });
  return Object.fromEntries(loaded.values) as unknown as SettingValues;
}

export class InProcess {
  readonly access: ShardAccess;
  readonly server: ServerContext;
  readonly session: Session;
  readonly settings: SettingsStore;
  /** Unix ms of the next commands; advance it as the test likes. */
  nowMs = 1_700_000_000_000;
  /** What commands are timed with. */
  steadyMs: () => number = () => performance.now();
  readonly timing: CommandTiming;
  readonly blocked: BlockedClients;
  private readonly executor: Executor;
  private readonly dispatcher: Dispatcher;
  private readonly reply = new ReplyWriter();
  private readonly args = new Args();
  private readonly reader = new RequestReader();
  private readonly log: string[] = [];

  constructor(options: InProcessOptions = {}) {
    const shards = options.shards ?? 1;
    const world = createWorldMemory({
      shards,
      workers: 1,
      databases: options.databases ?? 16,
      arenaBytes: options.arenaBytes ?? 2 ** 30,
      hashKey: [0x12345678, 0x0abcdef0],
    });
    const access = (this.access = new ShardAccess(world, FIRST_WORKER, FIRST_WORKER));
    this.settings = new SettingsStore(SettingsStore.create(settingsOf(options.settings ?? {})));
    const counters = new Counters(new SharedArrayBuffer(Counters.bytes(COUNTER_NAMES, 2)), COUNTER_NAMES, 2);
    const journals = world.shards.map(
      (_, i) => new RecordingJournal(i, this.log, options.journalled ?? true) as unknown as Journal,
    );
    let seed = 42;
    // the low bits of the bare sequence repeat after a few steps, so they are mixed with the high ones
    const random = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 0;
    };
    const unit = new Unit(access.spaces, journals, counters.own(0), this.args, this.reply, random);
    unit.maxBulkBytes = 512 * 1024 * 1024;
    this.executor = new Executor({
      unit,
      latches: access.latches,
      headers: access.headers,
      process: access.process,
      turn: access.turn,
      doorbell: access.doorbells[FIRST_WORKER],
      hasher: new HalfSipHash(world.hashKey[0], world.hashKey[1]),
      awaitJournal() {},
      fail: (error) => {
        throw error;
      },
    });
    const clients = new ClientRecords(createClientRecords(1, 16), 0);
    const interests = access.interestTables(world, clients.watchWords);
    const pushes = new PushHub({
      memory: createPubsubMemory(1, shards, 2 ** 20),
      worker: 0,
      workers: 1,
      hashKey: world.hashKey,
      ringWorker() {},
      isOpen: () => false,
      byId: () => null,
      noteAllChanges: () => {
        access.process[PROCESS.notify] |= NOTIFY.keyspaceEvents;
      },
    });
    const queues = interests.map((table) => new WaiterQueues(table));
    const blocked = (this.blocked = new BlockedClients({
      queues,
      latches: access.latches,
      clients,
      worker: 0,
      nowMs: () => this.nowMs,
      schedule() {},
    }));
    const { executor } = this;
    const { outgoing } = blocked;
    const ready = new ReadyWaiters({ executor, queues, clients, outgoing, steadyMs: () => this.steadyMs() });
    unit.listeners = new UnitListeners(interests, pushes, ready);
    const scripting = new ScriptRuntime(new ScriptStore(createScriptStore(2 ** 20)), (): ScriptEngine => {
      const engine: ScriptEngine = new LuaEngine({
        host: this.dispatcher.scripts,
        version: REDIS_VERSION,
        nowMs: () => this.nowMs,
        steadyMs: () => this.steadyMs(),
        random32: random,
        fuel: 20_000_000,
      });
      return engine;
    });
    unit.scripting = scripting;
    const server: ServerContext = {
      scripting,
      steadyMs: () => this.steadyMs(),
      settings: this.settings,
      clients,
      watches: new Watches(interests, access.latches, clients),
      blocked,
      commandStats: new CommandStats(createCommandStats(COMMANDS.rows.length, 1), 0),
      errorStats: new ErrorStats(createErrorStats(1), 0),
      counters,
      samples: new ServerSamples(createServerSamples()),
      latencyHistograms: new LatencyHistograms(createLatencyHistograms(COMMANDS.rows.length, 1), 0),
      latencyEvents: new LatencyEvents(createLatencyEvents()),
      slowLog: new SlowLog(createSlowLog()),
      spaces: access.spaces,
      journals,
      saves: new Float64Array(createSaveState(this.nowMs)),
      pastGauge: access.pastGauge,
      shards,
      workers: 1,
      databases: world.databases,
      thread: FIRST_WORKER,
      startedMs: this.nowMs,
      runId: 'f'.repeat(40),
      executablePath: '/usr/bin/skein',
      configFile: '',
      pid: 1,
      tcpPort: 6379,
      listeners: [],
      control: { ...NO_CONTROL, ...options.control },
      pushes,
      loading: false,
      loadProgress: () => ({ beganMs: 0, totalBytes: 0, loadedBytes: 0 }),
      diskBroken: () => false,
      delayedSyncs: () => 0,
      pauseState: () => access.pauseState(),
      clockMicros: () => this.nowMs * 1000,
      nowMs: () => this.nowMs,
      ringWorker() {},
    };
    this.server = server;
    this.timing = new CommandTiming(COMMANDS.rows, server, () => this.steadyMs());
    this.dispatcher = new Dispatcher({
      server,
      executor: this.executor,
      facts: {
        stateBits: () => access.stateBits(),
        overMemory: () => false,
        diskErrorText: () => '',
        stopsWritesAfterFailedSave: () => true,
      },
      rings: { worker: 0, to: [null], from: [null], ringSelf() {} },
      turn: access.turn,
      reply: this.reply,
      counters: counters.own(0),
      timing: this.timing,
      ready,
      workers: 1,
    });
    this.session = this.connect();
  }

  /** Another client of the same server. */
  connect(): Session {
    const session = new Session(this.server, 1 + this.server.clients.count(), this.settings.text('requirepass') === '');
    session.record = this.server.clients.open({
      id: session.id,
      addr: '127.0.0.1:1',
      laddr: '127.0.0.1:6379',
      fd: 8,
      nowMs: this.nowMs,
    });
    session.createdMs = this.nowMs;
    return session;
  }

  /** What a benchmark drives by itself. */
  parts() {
    const { dispatcher, executor, reply, session } = this;
    executor.clockMs = session.nowMs = this.nowMs;
    return { dispatcher, executor, reply, session };
  }

  /** Runs one command and returns its reply, byte for byte as latin1. */
  run(...words: (string | number | Buffer)[]): string {
    return this.runAs(this.session, ...words);
  }

  runAs(session: Session, ...words: (string | number | Buffer)[]): string {
    const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word), 'latin1');
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    const frame = Buffer.concat(parts);
    this.reader.authenticated = true;
    if (this.reader.read(frame, 0, frame.length, this.args) !== frame.length)
      throw new Error('the frame was not parsed whole');
    this.executor.clockMs = session.nowMs = this.nowMs;
    this.reply.resp = session.resp;
    const start = this.reply.pos;
    readSizeLimits(this.settings, this.access.limits);
    this.timing.refresh();
    this.dispatcher.dispatch(session, this.args);
    this.executor.clearTouched();
    const out = this.reply.buf.toString('latin1', start, this.reply.pos);
    this.reply.rewind(start);
    return out;
  }

  /** What was journalled since the last call, one record a line: `<shard> <db> WORD WORD …`. */
  effects(): string[] {
    return this.log.splice(0);
  }
}
