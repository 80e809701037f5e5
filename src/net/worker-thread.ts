/**
 * Puts a worker together: shared memory, executor, dispatcher, outbox, connections, timers, and what the acceptor tells it.
 */
import { chmodSync } from 'node:fs';
import net from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { Counters } from '../../native-free-shm/counters.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { RingReader, RingWriter } from '../../native-free-shm/ring.ts';
import { CLIENT_FLAG, ClientRecords } from '../admin/client-records.ts';
import { CommandStats } from '../admin/command-stats.ts';
import { ErrorStats } from '../admin/error-stats.ts';
import { type LatencyEvent, LatencyEvents } from '../admin/latency-events.ts';
import { LatencyHistograms } from '../admin/latency-histograms.ts';
import { COUNTER_NAMES } from '../admin/server-counters.ts';
import { ServerSamples } from '../admin/server-samples.ts';
import { SettingsStore } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
import { SlowLog } from '../admin/slow-log.ts';
import { REDIS_VERSION } from '../admin/version.ts';
import { clientLine } from '../commands/client-text.ts';
import { COMMANDS } from '../commands/command-table.ts';
import { readSizeLimits } from '../commands/size-limits-setting.ts';
import { BlockedClients } from '../dispatch/blocked-clients.ts';
import { CommandTiming } from '../dispatch/command-timing.ts';
import { Dispatcher } from '../dispatch/dispatcher.ts';
import { Executor } from '../dispatch/executor.ts';
import { LookAhead } from '../dispatch/look-ahead.ts';
import { ReadyWaiters } from '../dispatch/ready-waiters.ts';
import type { ServerContext } from '../dispatch/session.ts';
import { Unit } from '../dispatch/unit.ts';
import { UnitListeners } from '../dispatch/unit-listeners.ts';
import { Upkeep } from '../dispatch/upkeep.ts';
import { Watches } from '../dispatch/watches.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import { quickRandom32 } from '../env/random.ts';
import { Journal } from '../journal/journal.ts';
import { EVENT_CLASS } from '../keyspace/key-events.ts';
import type { FromWorker, ThreadStart, ToWorker } from '../messages/thread-messages.ts';
import { eventBitsOf } from '../pubsub/key-event-records.ts';
import { PushHub } from '../pubsub/push-hub.ts';
import { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import { LuaEngine } from '../scripting/lua-engine.ts';
import { ScriptRuntime } from '../scripting/script-runtime.ts';
import { RUNS, ScriptStore } from '../scripting/script-store.ts';
import { loadProgress } from '../shard/load-progress.ts';
import { ShardAccess } from '../shard/shard-access.ts';
import { WaiterQueues } from '../shard/waiter-queues.ts';
import { FIRST_WORKER, NOTIFY, PROCESS, STATE } from '../shard/world.ts';
import { BusyDesk } from './busy-desk.ts';
import type { Connection, ConnectionThread } from './connection.ts';
import { newConnectionLimits, readConnectionLimits } from './connection-limits.ts';
import { InputBuffers } from './input-buffers.ts';
import { reportAcceptErrors } from './listener.ts';
import { Outbox } from './outbox.ts';
import { ReadBuffer } from './socket-adoption.ts';
import { WorkerClients } from './worker-clients.ts';
import { WorkerControl } from './worker-control.ts';
import { WorkerLoad } from './worker-replay.ts';

/** A message through a ring carries one command or one reply; both are bounded by the longest value. */
export const MAX_RING_MESSAGE_BYTES = 1 << 30;
/** Waiting units are looked at so often even where no bell rang, and the thread shows that it lives. */
const TICK_MS = 100;
const SWEEP_EVERY_TICKS = 10;
/** Longer timers are set again when they are over. */
const LONGEST_TIMER_MS = 2 ** 30;
/** Another worker takes over the upkeep of a shard whose owner has not turned its event loop for so long (R30). */
const ABANDONED_AFTER_MS = 1000;
/** How many turns a worker gathers outputs for one sync, measured; several workers gather for each other already. */
const GATHER_TURNS_ALONE = 8;
const GATHER_TURNS = 2;

class WorkerThread implements ConnectionThread {
  readonly dispatcher: Dispatcher;
  readonly outbox: Outbox;
  readonly timing: CommandTiming;
  readonly reply = new ReplyWriter();
  readonly args = new Args();
  readonly ahead: LookAhead;
  readonly limits = newConnectionLimits();
  readonly inputs = new InputBuffers();
  readonly records: ClientRecords;
  readonly counters: Float64Array;
  private readonly start: ThreadStart;
  private readonly port: MessagePort;
  private readonly access: ShardAccess;
  private readonly settings: SettingsStore;
  readonly executor: Executor;
  readonly pushes: PushHub;
  private readonly upkeep: Upkeep;
  private readonly watches: Watches;
  private readonly blocked: BlockedClients;
  private blockedTimer: NodeJS.Timeout | undefined;
  private readonly clients: WorkerClients;
  private readonly server: ServerContext;
  private readonly control: WorkerControl;
  private unixServer: net.Server | null = null;
  private stopping = false;
  /** The shutdown gives up what waits for the disk. */
  private hurried = false;
  private readonly load: WorkerLoad;
  private readonly desk: BusyDesk;
  private readonly scripting: ScriptRuntime;
  /** Bits of BUSY_BITS: another thread runs a script for too long. */
  private busyBits = 0;
  private busyAfterMs = 0;
  private settingsEpoch = -1;
  private maxMemory = 0;
  private latencyThresholdMs = 0;
  private idleTimeout = 0;
  private ticks = 0;
  private upkeepScheduled = false;
  private upkeepHz = 0;
  private upkeepTimer: NodeJS.Timeout | undefined;

  constructor(start: ThreadStart, port: MessagePort) {
    this.start = start;
    this.port = port;
    const { world, worker } = start;
    const access = (this.access = new ShardAccess(world, start.thread, start.threads));
    this.settings = new SettingsStore(start.settings);
    const counters = new Counters(start.counters, COUNTER_NAMES, world.workers + 1);
    this.counters = counters.own(worker);
    const journals = world.shards.map((_, shard) => new Journal(start.journal, shard, systemFiles));
    const unit = new Unit(access.spaces, journals, this.counters, this.args, this.reply, quickRandom32);
    this.control = new WorkerControl(start, port, access, this.settings, this.noteAlwaysSync);
    this.executor = new Executor({ ...this.executorParts(), unit });
    this.ahead = new LookAhead(this.executor);
    this.records = new ClientRecords(start.clients, worker);
    const interests = access.interestTables(world, this.records.watchWords);
    this.watches = new Watches(interests, access.latches, this.records);
    this.scripting = unit.scripting = this.makeScripting();
    this.pushes = this.makePushHub();
    const queues = interests.map((table) => new WaiterQueues(table));
    this.blocked = new BlockedClients({
      queues,
      latches: access.latches,
      clients: this.records,
      worker,
      nowMs: systemClock.wallMs,
      schedule: (atMs) => this.scheduleBlocked(atMs),
    });
    const { executor, blocked } = this;
    const ready = new ReadyWaiters({
      ...{ executor, queues, clients: this.records, outgoing: blocked.outgoing, steadyMs: systemClock.steadyMs },
    });
    unit.listeners = new UnitListeners(interests, this.pushes, ready);
    this.server = this.makeContext(counters, journals);
    this.timing = new CommandTiming(COMMANDS.rows, this.server, systemClock.steadyMs);
    this.outbox = new Outbox({
      reply: this.reply,
      executor: this.executor,
      journals,
      diskBroken: () => this.control.diskBroken(),
      syncFailed: () => this.control.syncFailed(),
      schedule: (run) => setImmediate(run),
      isAlways: (shard) => this.control.isAlways(shard),
      awaitSafe: (stamps) => this.control.awaitSafe(stamps),
      syncHere: () => this.control.syncHere(),
      mostGatherTurns: world.workers === 1 ? GATHER_TURNS_ALONE : GATHER_TURNS,
    });
    this.dispatcher = new Dispatcher({
      server: this.server,
      executor: this.executor,
      facts: {
        stateBits: () => access.stateBits() | this.control.journalStateBits() | this.busyBits | this.desk.bits,
        overMemory: () => this.maxMemory > 0 && access.liveBytes() + this.scripting.store.storedBytes > this.maxMemory,
        diskErrorText: () => this.control.journal.diskErrorText(),
        stopsWritesAfterFailedSave: () =>
          this.settings.flag('stop-writes-on-bgsave-error') && this.settings.text('save') !== '',
      },
      rings: this.makeRings(),
      turn: access.turn,
      reply: this.reply,
      counters: this.counters,
      timing: this.timing,
      ready,
      workers: world.workers,
    });
    this.upkeep = new Upkeep({
      unit,
      latches: access.latches,
      headers: access.headers,
      owns: (shard) => shard % world.workers === worker,
      isAbandoned: (shard, nowMs) =>
        access.heartbeats.ageMs(FIRST_WORKER + (shard % world.workers), nowMs) > ABANDONED_AFTER_MS,
      process: access.process,
      args: this.args,
      reply: this.reply,
      steadyMs: systemClock.steadyMs,
    });
    this.clients = new WorkerClients({
      server: this.server,
      thread: this,
      counters: this.counters,
      readBuffer: start.staticReader ? new ReadBuffer() : null,
      finished: () => Atomics.add(access.process, PROCESS.finished + start.thread, 1),
    });
    this.desk = new BusyDesk({
      store: this.scripting.store,
      scripts: this.dispatcher.scripts,
      clients: this.clients,
      outbox: this.outbox,
      port,
      thread: start.thread,
      steadyMs: systemClock.steadyMs,
      log: (text) => this.control.logAt('warning', text),
      onMessage: (message) => this.onMessage(message),
    });
    this.dispatcher.scripts.whileRunning = () => this.desk.look(this.busyAfterMs);
    this.load = new WorkerLoad({
      access,
      send: (message) => this.send(message),
      fail: (error) => this.control.die(error),
      makeExecutor: () => this.replayExecutor(),
      owns: (shard) => shard % world.workers === start.worker,
      library: (code) => this.scripting.storeLibrary(Buffer.from(code, 'latin1')),
      delayMicros: () => this.settings.number('key-load-delay'),
    });
    this.refreshSettings();
  }

  /** Begins to serve; the port and the upkeep timer keep the loop alive. */
  run(): void {
    this.port.on('message', (message: ToWorker) => {
      this.desk.handleLater();
      this.onMessage(message);
    });
    this.access.doorbells[this.start.thread].listen(() => this.onRing());
    setInterval(() => this.tick(), TICK_MS);
    this.send({ kind: 'ready' });
  }

  private send(message: FromWorker): void {
    this.port.postMessage(message);
  }

  private makeRings() {
    const { rings, worker } = this.start;
    const bells = this.access.doorbells;
    const mine = bells[this.start.thread];
    return {
      worker,
      to: rings[worker].map((memory, to) =>
        to === worker ? null : new RingWriter(memory, bells[FIRST_WORKER + to], MAX_RING_MESSAGE_BYTES),
      ),
      from: rings.map((row, from) =>
        from === worker ? null : new RingReader(row[worker], bells[FIRST_WORKER + from], MAX_RING_MESSAGE_BYTES),
      ),
      ringSelf: () => mine.ring(),
    };
  }

  private makePushHub(): PushHub {
    const { start, access, records } = this;
    return new PushHub({
      memory: start.pubsub,
      worker: start.worker,
      workers: start.world.workers,
      hashKey: start.world.hashKey,
      ringWorker: (worker) => access.ringWorker(worker),
      isOpen: (record, id) => {
        const info = records.read(record);
        return info?.id === id && (info.flags & CLIENT_FLAG.closing) === 0;
      },
      byId: (id) => {
        const session = this.clients.bySession(id)?.session ?? null;
        return session?.closeAfterReply ? null : session;
      },
      noteAllChanges: () => this.noteAllChanges(),
    });
  }

  private makeScripting(): ScriptRuntime {
    return new ScriptRuntime(
      new ScriptStore(this.start.scripts),
      () =>
        new LuaEngine({
          host: this.dispatcher.scripts,
          version: REDIS_VERSION,
          nowMs: systemClock.wallMs,
          steadyMs: systemClock.steadyMs,
          random32: quickRandom32,
        }),
    );
  }

  /** Looks whether another thread has been running a script for so long that others are told so. */
  private lookForSlowScripts(): void {
    const { store } = this.scripting;
    const thread = store.slowThread(this.busyAfterMs, systemClock.steadyMs());
    if (thread === 0) this.busyBits = 0;
    else this.busyBits = store.runs(thread) === RUNS.function ? STATE.functionBusy : STATE.scriptBusy;
  }

  private makeContext(counters: Counters<(typeof COUNTER_NAMES)[number]>, journals: Journal[]): ServerContext {
    const { start, access } = this;
    const { identity, world } = start;
    return {
      settings: this.settings,
      clients: this.records,
      commandStats: new CommandStats(start.commandStats, start.worker),
      errorStats: new ErrorStats(start.errorStats, start.worker),
      counters,
      samples: new ServerSamples(start.samples),
      latencyHistograms: new LatencyHistograms(start.latencyHistograms, start.worker),
      latencyEvents: new LatencyEvents(start.latencyEvents),
      slowLog: new SlowLog(start.slowLog),
      spaces: access.spaces,
      journals,
      saves: new Float64Array(start.saves),
      scripting: this.scripting,
      steadyMs: systemClock.steadyMs,
      pastGauge: access.pastGauge,
      shards: world.shards.length,
      workers: world.workers,
      databases: world.databases,
      thread: start.thread,
      startedMs: identity.startedMs,
      runId: identity.runId,
      executablePath: identity.executablePath,
      configFile: identity.configFile,
      pid: identity.pid,
      tcpPort: identity.tcpPort,
      listeners: identity.listeners,
      control: this.control,
      pushes: this.pushes,
      watches: this.watches,
      blocked: this.blocked,
      get loading() {
        return (access.stateBits() & 1) !== 0;
      },
      loadProgress: () => loadProgress(access.headers),
      delayedSyncs: () => this.control.journal.statistic('delayedSyncs'),
      diskBroken: () => this.control.diskBroken(),
      pauseState: () => access.pauseState(),
      clockMicros: () => Math.floor((performance.timeOrigin + performance.now()) * 1000),
      nowMs: systemClock.wallMs,
      ringWorker: (worker) => access.ringWorker(worker),
    };
  }

  // ---- what connections ask ----

  readClock(): number {
    const now = systemClock.wallMs();
    this.executor.clockMs = now;
    this.access.heartbeats.beat(this.start.thread, now);
    if (this.settings.epoch !== this.settingsEpoch) this.refreshSettings();
    if (this.busyBits !== 0 || this.scripting.store.isAnySlow) this.lookForSlowScripts();
    return now;
  }

  forget(connection: Connection): void {
    this.clients.forget(connection);
  }

  logClosing({ session }: Connection, before: string, after: string): void {
    const info = this.records.read(session.record);
    const line = info === null ? `id=${session.id}` : clientLine(info, session.nowMs);
    this.control.logAt('warning', before + line + after);
  }

  // ---- turns of the event loop ----

  private refreshSettings(): void {
    const settings = this.settings;
    this.settingsEpoch = settings.epoch;
    readSizeLimits(settings, this.access.limits);
    this.maxMemory = settings.number('maxmemory');
    this.executor.maxMemoryBytes = this.maxMemory;
    this.dispatcher.memoryBounded = this.maxMemory > 0;
    this.timing.refresh();
    this.latencyThresholdMs = settings.number('latency-monitor-threshold');
    this.outbox.watchDrain = this.latencyThresholdMs > 0 ? this.timeDrain : null;
    this.setUpkeepRate(settings.number('hz'));
    readConnectionLimits(settings, this.limits);
    this.idleTimeout = settings.number('timeout');
    // 0: never
    this.busyAfterMs = settings.number('busy-reply-threshold') || Number.POSITIVE_INFINITY;
    this.pushes.changes.eventBits = eventBitsOf(settings.text('notify-keyspace-events'));
    this.executor.unit.tellNewKeys((this.pushes.changes.eventBits & EVENT_CLASS.newKey) !== 0);
    this.pushes.reads.maxKeys = settings.number('tracking-table-max-keys');
    if (this.pushes.changes.eventBits !== 0) this.noteAllChanges();
    this.dispatcher.ringMode = enumWord('cross-shard', settings.number('cross-shard')) === 'ring';
    this.executor.unit.maxBulkBytes = this.limits.bulkBytes;
  }

  private onRing(): boolean {
    this.readClock();
    this.outbox.release();
    this.clients.closeKilled();
    this.blocked.ask();
    this.blocked.tidy();
    const more = this.dispatcher.poll();
    const undelivered = this.pushes.deliver();
    // a redirected invalidation goes through the log once more
    this.pushes.log.ringListeners();
    return more || undelivered;
  }

  private tick(): void {
    const now = this.readClock();
    this.lookForSlowScripts();
    this.dispatcher.poll();
    this.watches.tidy();
    this.blocked.tidy();
    this.pushes.catchUp();
    this.pushes.log.ringListeners();
    if (++this.ticks % SWEEP_EVERY_TICKS === 0) this.clients.sweep(now, this.idleTimeout);
  }

  private scheduleBlocked(atMs: number): void {
    clearTimeout(this.blockedTimer);
    const ms = Math.min(Math.max(atMs - systemClock.wallMs(), 0), LONGEST_TIMER_MS);
    this.blockedTimer = setTimeout(this.expireBlocked, ms);
  }

  private readonly expireBlocked = (): void => {
    this.readClock();
    this.blocked.expire();
  };

  /** From now on units note what they change, whoever cares. It stays so: to end it would need all latches. */
  private noteAllChanges(): void {
    Atomics.or(this.access.process, PROCESS.notify, NOTIFY.keyspaceEvents);
  }

  private setUpkeepRate(hz: number): void {
    if (hz === this.upkeepHz) return;
    this.upkeepHz = hz;
    clearInterval(this.upkeepTimer);
    this.upkeepTimer = setInterval(() => this.runUpkeep(this.readClock()), 1000 / hz);
  }

  private readonly runUpkeep = (now: number): void => {
    const began = systemClock.steadyMs();
    const more = this.upkeep.tick(now);
    this.dispatcher.publish();
    const expired = systemClock.steadyMs();
    this.noteLatency('expire-cycle', expired - began, now);
    this.control.drainAll(this.server.journals);
    this.noteLatency('aof-write', systemClock.steadyMs() - expired, now);
    if (!more || this.upkeepScheduled) return;
    this.upkeepScheduled = true;
    setImmediate(this.continueUpkeep);
  };

  private readonly noteAlwaysSync = (ms: number): void => {
    this.noteLatency('aof-fsync-always', ms, systemClock.wallMs());
  };

  private readonly timeDrain = (drain: () => number): number => {
    const began = systemClock.steadyMs();
    const busy = drain();
    this.noteLatency('aof-write', systemClock.steadyMs() - began, systemClock.wallMs());
    return busy;
  };

  private noteLatency(event: LatencyEvent, ms: number, nowMs: number): void {
    if (this.latencyThresholdMs > 0 && ms >= this.latencyThresholdMs) this.server.latencyEvents.add(event, ms, nowMs);
  }

  private readonly continueUpkeep = (): void => {
    this.upkeepScheduled = false;
    this.runUpkeep(this.readClock());
  };

  /** An executor that journals nothing and for which no time has passed: nothing expires while records are replayed. */
  private replayExecutor(): Executor {
    const unit = new Unit(
      this.access.spaces,
      this.server.journals,
      new Float64Array(COUNTER_NAMES.length),
      this.args,
      this.reply,
      quickRandom32,
      false,
    );
    unit.scripting = this.scripting;
    // the limit may have been higher when the records were written
    unit.maxBulkBytes = Number.MAX_SAFE_INTEGER;
    return new Executor({ ...this.executorParts(), unit });
  }

  private executorParts() {
    const { access, start } = this;
    return {
      latches: access.latches,
      headers: access.headers,
      process: access.process,
      turn: access.turn,
      doorbell: access.doorbells[start.thread],
      hasher: new HalfSipHash(start.world.hashKey[0], start.world.hashKey[1]),
      awaitJournal: (stamps?: readonly number[]) => this.control.awaitSafe(stamps),
      fail: (error: unknown) => this.control.die(error),
    };
  }

  // ---- what the acceptor says ----

  private onMessage(message: ToWorker): void {
    switch (message.kind) {
      case 'client':
        this.clients.adopt(message.socket, '');
        return;
      case 'listen-unix':
        this.listenUnix(message.path, message.mode);
        return;
      case 'scan':
        this.load.scan(message.order);
        return;
      case 'replay':
        this.load.replay(message);
        return;
      case 'load-rdb':
        this.load.loadRdb(message.path, message.keepsExpired, message.sumShare);
        return;
      case 'load-records':
        this.load.loadRecords(message);
        return;
      case 'answer': {
        const session = this.clients.bySession(message.session)?.session;
        session?.peer?.complete(Buffer.from(message.reply, 'latin1'));
        return;
      }
      case 'quiesce':
        this.dispatcher.poll();
        this.send({ kind: 'quiet' });
        return;
      case 'stop':
        this.stop(message.now);
        return;
      default:
        message satisfies never;
    }
  }

  /** Unix sockets cannot be transferred to another thread: this worker listens on the path itself (R28). */
  private listenUnix(path: string, mode: number): void {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.clients.adopt(socket, path),
    );
    server.once('error', (error) => this.send({ kind: 'listen-failed', message: error.message }));
    server.listen(path, () => {
      server.removeAllListeners('error');
      reportAcceptErrors(server, (text) => this.control.logAt('warning', text));
      if (mode !== 0) chmodSync(path, mode);
      this.unixServer = server;
      this.send({ kind: 'listening' });
    });
  }

  /** Clean shutdown: nothing new is read, everything owed leaves, then the connections end. */
  private stop(now: boolean): void {
    this.hurried = this.hurried || now;
    if (this.stopping) return;
    this.stopping = true;
    this.unixServer?.close();
    setImmediate(this.finishStopping);
  }

  private readonly finishStopping = (): void => {
    // what other threads have sent for this one's clients: an element that was taken for a client that waits must reach it
    const more = this.dispatcher.poll();
    // what waits for a broken disk would wait for ever
    const owes = this.clients.owesOutput && !this.control.diskBroken();
    if ((more || owes) && !this.hurried) {
      setImmediate(this.finishStopping);
      return;
    }
    this.clients.endAll();
    this.access.doorbells[this.start.thread].close();
    this.send({ kind: 'stopped' });
  };
}

/** Starts a worker in this thread. */
export function startWorker(start: ThreadStart, port: MessagePort): void {
  new WorkerThread(start, port).run();
}
