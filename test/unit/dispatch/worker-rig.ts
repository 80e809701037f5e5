/**
 * Several workers in one thread, without sockets: each has its own executor and dispatcher over the same shared memory, and
 * rings to the others. Nothing runs by itself: `poll` is what a bell would do. Latches can be held by a thread of the test.
 */
import { Counters } from '../../../native-free-shm/counters.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { createRingMemory, RingReader, RingWriter } from '../../../native-free-shm/ring.ts';
import { ClientRecords, type ClientRecordsMemory, createClientRecords } from '../../../src/admin/client-records.ts';
import { CommandStats, createCommandStats } from '../../../src/admin/command-stats.ts';
import { createErrorStats, ErrorStats } from '../../../src/admin/error-stats.ts';
import { createLatencyEvents, LatencyEvents } from '../../../src/admin/latency-events.ts';
import { createLatencyHistograms, LatencyHistograms } from '../../../src/admin/latency-histograms.ts';
import { COUNTER_NAMES } from '../../../src/admin/server-counters.ts';
import { SettingsStore } from '../../../src/admin/settings-store.ts';
import { createSlowLog, SlowLog } from '../../../src/admin/slow-log.ts';
import { REDIS_VERSION } from '../../../src/admin/version.ts';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { BlockedClients } from '../../../src/dispatch/blocked-clients.ts';
import { CommandTiming } from '../../../src/dispatch/command-timing.ts';
import { ANSWERED, Dispatcher } from '../../../src/dispatch/dispatcher.ts';
import { Executor } from '../../../src/dispatch/executor.ts';
import { ReadyWaiters } from '../../../src/dispatch/ready-waiters.ts';
import { type ServerContext, Session } from '../../../src/dispatch/session.ts';
import { Unit } from '../../../src/dispatch/unit.ts';
import { UnitListeners } from '../../../src/dispatch/unit-listeners.ts';
import { Watches } from '../../../src/dispatch/watches.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { slotMap, slotOf } from '../../../src/keyspace/slot.ts';
import { createPubsubMemory, type PubsubMemory } from '../../../src/pubsub/pubsub-memory.ts';
import { PushHub } from '../../../src/pubsub/push-hub.ts';
import { Args } from '../../../src/resp/args.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { RequestReader } from '../../../src/resp/request-reader.ts';
import { LuaEngine } from '../../../src/scripting/lua-engine.ts';
import { ScriptRuntime } from '../../../src/scripting/script-runtime.ts';
import { createScriptStore, ScriptStore } from '../../../src/scripting/script-store.ts';
import { ShardAccess } from '../../../src/shard/shard-access.ts';
import { WaiterQueues } from '../../../src/shard/waiter-queues.ts';
import { createWorldMemory, FIRST_WORKER, type WorldMemory } from '../../../src/shard/world.ts';

export interface RigOptions {
  workers?: number;
  shards?: number;
  arenaBytes?: number;
  maxMessageBytes?: number;
}

const RING_BYTES = 1 << 16;
const DATABASES = 2;
const HASH_KEY: [number, number] = [1, 2];

/** A shard's journal as far as gates see it: counts records. */
export class StubJournal {
  readonly shard: number;
  enabled = true;
  full = false;
  records = 0;
  private staged = 0;

  constructor(shard: number) {
    this.shard = shard;
  }
  begin(): void {
    this.staged = 0;
  }
  verbatim(): void {
    this.staged++;
  }
  command(): void {
    this.staged++;
  }
  arg(): void {}
  argText(): void {}
  argNumber(): void {}
  argBig(): void {}
  transactionOpen(): void {}
  transactionClose(): void {}
  closePart(): number {
    return 0;
  }
  end(): number {
    return 0;
  }
  head(): number {
    return 0;
  }
  writeMarks(): void {}
  step(): void {}
  publish(): void {
    this.records += this.staged;
    this.staged = 0;
  }
  reserve(): boolean {
    return true;
  }
  backlogFull(): boolean {
    return this.full;
  }
  syncLate(): boolean {
    return false;
  }
  drain(): boolean {
    return !this.full;
  }
}

/** A client: what it was answered, in order. */
export class RigClient {
  readonly session: Session;
  readonly replies: string[] = [];
  readonly pushes: string[] = [];
  /** Shards that the last reply was stamped with. */
  stamps: number[] = [];
  /** How often a parked command turned out to wait in blocking. */
  waits = 0;

  constructor(worker: RigWorker) {
    const { clients } = worker.server;
    this.session = new Session(worker.server, clients.nextId(), true);
    const opening = { id: this.session.id, addr: '127.0.0.1:5', laddr: '127.0.0.1:6379', fd: 9, nowMs: 0 };
    this.session.record = clients.open(opening);
    this.session.addr = opening.addr;
    this.session.peer = {
      complete: (bytes) => {
        this.session.parked = false;
        this.stamps = worker.takeTouched();
        this.replies.push(bytes.toString('latin1'));
      },
      waits: () => {
        this.waits++;
      },
      push: (bytes, start, end) => this.pushes.push(bytes.toString('latin1', start, end)),
      pushShared: ({ buf }, start, end) => this.pushes.push(buf.toString('latin1', start, end)),
      flushPushes() {},
      close() {},
    };
  }
}

export class RigWorker {
  readonly access: ShardAccess;
  readonly executor: Executor;
  readonly dispatcher: Dispatcher;
  readonly reply = new ReplyWriter();
  readonly server: ServerContext;
  readonly facts = {
    stateBits: () => this.access.stateBits(),
    overMemory: () => false,
    diskErrorText: () => '',
    stopsWritesAfterFailedSave: () => false,
  };
  private readonly args = new Args();
  private readonly reader = new RequestReader();

  constructor(rig: WorkerRig, worker: number, rings: SharedArrayBuffer[][], options: Required<RigOptions>) {
    const thread = FIRST_WORKER + worker;
    const access = (this.access = new ShardAccess(rig.world, thread, FIRST_WORKER + options.workers));
    const counters = new Counters(new SharedArrayBuffer(Counters.bytes(COUNTER_NAMES, 2)), COUNTER_NAMES, 2);
    const journals = rig.journals as unknown as Journal[];
    const unit = new Unit(access.spaces, journals, counters.own(0), this.args, this.reply, () => rig.random32());
    unit.maxBulkBytes = 2 ** 29;
    this.executor = new Executor({
      unit,
      latches: access.latches,
      headers: access.headers,
      process: access.process,
      turn: access.turn,
      doorbell: access.doorbells[thread],
      hasher: new HalfSipHash(...HASH_KEY),
      awaitJournal() {},
      fail: (error) => {
        throw error;
      },
    });
    const clients = new ClientRecords(rig.clients, worker);
    const interests = access.interestTables(rig.world, clients.watchWords);
    const pushes = new PushHub({
      memory: rig.pubsub,
      worker,
      workers: options.workers,
      hashKey: HASH_KEY,
      ringWorker() {},
      isOpen: () => true,
      byId: () => null,
      noteAllChanges() {},
    });
    const queues = interests.map((table) => new WaiterQueues(table));
    const blocked = new BlockedClients({
      queues,
      latches: access.latches,
      clients,
      worker,
      nowMs: () => rig.nowMs,
      schedule() {},
    });
    const { executor } = this;
    const { outgoing } = blocked;
    const ready = new ReadyWaiters({ executor, queues, clients, outgoing, steadyMs: () => rig.steadyMs() });
    unit.listeners = new UnitListeners(interests, pushes, ready);
    const scripting = new ScriptRuntime(
      new ScriptStore(rig.scripts),
      () =>
        new LuaEngine({
          host: this.dispatcher.scripts,
          version: REDIS_VERSION,
          nowMs: () => rig.nowMs,
          steadyMs: () => rig.steadyMs(),
          random32: () => rig.random32(),
        }),
    );
    unit.scripting = scripting;
    this.server = {
      scripting,
      steadyMs: () => rig.steadyMs(),
      thread,
      control: { log() {} },
      pushes,
      watches: new Watches(interests, access.latches, clients),
      blocked,
      commandStats: new CommandStats(createCommandStats(COMMANDS.rows.length, 1), 0),
      errorStats: new ErrorStats(createErrorStats(1), 0),
      latencyHistograms: new LatencyHistograms(createLatencyHistograms(COMMANDS.rows.length, 1), 0),
      latencyEvents: new LatencyEvents(createLatencyEvents()),
      slowLog: new SlowLog(rig.slowLog),
      settings: rig.settings,
      clients,
      spaces: access.spaces,
      shards: options.shards,
      nowMs: () => rig.nowMs,
    } as unknown as ServerContext;
    const bells = access.doorbells;
    this.dispatcher = new Dispatcher({
      server: this.server,
      executor: this.executor,
      facts: this.facts,
      rings: {
        worker,
        to: rings[worker].map((memory, to) =>
          to === worker ? null : new RingWriter(memory, bells[FIRST_WORKER + to], options.maxMessageBytes),
        ),
        from: rings.map((row, from) =>
          from === worker ? null : new RingReader(row[worker], bells[FIRST_WORKER + from], options.maxMessageBytes),
        ),
        ringSelf() {},
      },
      turn: access.turn,
      reply: this.reply,
      counters: counters.own(0),
      timing: new CommandTiming(COMMANDS.rows, this.server, () => rig.steadyMs()),
      ready,
      workers: options.workers,
    });
    this.rig = rig;
  }
  private readonly rig: WorkerRig;

  connect(): RigClient {
    return new RigClient(this);
  }

  /** Sends one command; its reply, if it came at once, is the client's last, and is returned too. Null: it is parked. */
  send(client: RigClient, ...words: (string | number | Buffer)[]): string | null {
    const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word), 'latin1');
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    const frame = Buffer.concat(parts);
    this.reader.authenticated = true;
    this.reader.read(frame, 0, frame.length, this.args);
    this.executor.clockMs = this.rig.nowMs;
    const outcome = this.dispatcher.dispatch(client.session, this.args);
    this.dispatcher.publish();
    // the read buffer is used again for the next batch
    frame.fill(0);
    if (outcome !== ANSWERED) {
      this.executor.clearTouched();
      return null;
    }
    client.stamps = this.takeTouched();
    const text = this.reply.buf.toString('latin1', 0, this.reply.pos);
    this.reply.rewind(0);
    client.replies.push(text);
    return text;
  }

  takeTouched(): number[] {
    const touched = [...this.executor.touched.subarray(0, this.executor.touchedCount)].sort();
    this.executor.clearTouched();
    return touched;
  }
}

export class WorkerRig {
  readonly world: WorldMemory;
  readonly journals: StubJournal[];
  readonly workers: RigWorker[];
  readonly settings = new SettingsStore(SettingsStore.create({}));
  readonly slowLog = createSlowLog();
  readonly scripts = createScriptStore(2 ** 20);
  readonly clients: ClientRecordsMemory;
  readonly pubsub: PubsubMemory;
  /** The latches as a thread sees them that is no worker. */
  readonly outside: ShardAccess;
  nowMs = 1_700_000_000_000;
  /** What commands are timed with. */
  steadyMs: () => number = () => performance.now();
  private seed = 1;

  constructor(options: RigOptions = {}) {
    const full: Required<RigOptions> = {
      workers: options.workers ?? 1,
      shards: options.shards ?? 1,
      arenaBytes: options.arenaBytes ?? 2 ** 28,
      maxMessageBytes: options.maxMessageBytes ?? 2 ** 30,
    };
    const { workers, shards } = full;
    this.world = createWorldMemory({
      shards,
      workers,
      databases: DATABASES,
      arenaBytes: full.arenaBytes,
      hashKey: HASH_KEY,
    });
    this.journals = Array.from({ length: shards }, (_, shard) => new StubJournal(shard));
    const rings = Array.from({ length: workers }, () =>
      Array.from({ length: workers }, () => createRingMemory(RING_BYTES)),
    );
    this.clients = createClientRecords(workers, 16);
    this.pubsub = createPubsubMemory(workers, shards, 2 ** 20);
    this.workers = rings.map((_, worker) => new RigWorker(this, worker, rings, full));
    this.outside = new ShardAccess(this.world, FIRST_WORKER + workers, FIRST_WORKER + workers);
  }

  random32(): number {
    return (this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0);
  }

  /** Lets all workers handle what they have, until nothing is under way between them. */
  poll(): void {
    for (let round = 0; round < 64; round++) for (const worker of this.workers) worker.dispatcher.poll();
  }

  /** A key of this shard. */
  keyOf(shard: number, n = 0): string {
    const map = slotMap(this.journals.length);
    for (let i = 0; ; i++) {
      const key = Buffer.from(`k${i}`);
      if (map[slotOf(key, 0, key.length)] === shard && n-- === 0) return key.toString();
    }
  }
}
