/**
 * EVAL and FCALL on a client's own thread: one unit of several commands, which the script names while it runs (R6).
 *
 *   latches of the declared keys ──► run ──► a command needs another shard ──► try ──► had: go on
 *        ▲                                                                       └──► not: end the script, undo, release
 *        └────────────────── with all latches, from now on for this script ◄─────────────┘
 *
 * Invariant 1: while not all shards are latched, every change can be taken back: an UndoLog and the roots of each latched shard, and
 *              the journal's staged records. What cannot be taken back (PUBLISH) runs only with all latches.
 * Invariant 2: after `call` has answered false the script runs no further command.
 * Invariant 3: inside, nothing waits and time stands still, as in EXEC.
 */
import { UndoLog } from '../../native-free-shm/undo-log.ts';
import { COUNTER } from '../admin/server-counters.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { OUTCOME, type ScriptEngine, type ScriptHost } from '../scripting/engine.ts';
import type { ScriptRuntime } from '../scripting/script-runtime.ts';
import { scriptSha } from '../scripting/script-sha.ts';
import { RUNS } from '../scripting/script-store.ts';
import { BUSY_BITS } from '../shard/world.ts';
import type { CommandTiming } from './command-timing.ts';
import { DONE, type Executor } from './executor.ts';
import { type GateFacts, refuseByFlags } from './gate.ts';
import { feedMonitors } from './monitor-feed.ts';
import type { ServerContext, Session } from './session.ts';
import { NEED_MORE, type SeveralCommands } from './several-commands.ts';

const NO_SUCH_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
const NO_SUCH_FUNCTION = 'ERR Function not found';
const NEGATIVE_KEYS = "ERR Number of keys can't be negative";
const TOO_MANY_KEYS = "ERR Number of keys can't be greater than number of args";
const BAD_KEYS = 'ERR Bad number of keys provided';
const BAD_NUMBER = 'ERR value is not an integer or out of range';
const WRITES_IN_RO = 'ERR Can not execute a script with write flag using *_ro command.';
const OOM_SCRIPT = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
const UNKNOWN_COMMAND = 'ERR Unknown Redis command called from script';
const NOT_IN_SCRIPTS = 'ERR This Redis command is not allowed from script';
const WRONG_ARITY = 'ERR Wrong number of args calling Redis command from script';
const NO_WRITES = 'ERR Write commands are not allowed from read-only scripts.';
const NO_ARGUMENTS = 'ERR Please specify at least one argument for this redis lib call';
const OUT_OF_ROOM = 'OOM there is no room for another script';
/** So many scripts are remembered to reach for keys that they do not declare. */
const MOST_REACHING = 100_000;
const FIRST_KEY = 3;
const PUBLISHES: ReadonlySet<string> = new Set(['publish', 'spublish']);

/** What is to be run. */
interface Called {
  /** SHA1 of a script, name of a function. */
  name: string;
  isFunction: boolean;
  keys: number;
  mayWrite: boolean;
  /** Its writes run although memory is short. */
  ignoresMemory: boolean;
}

export class Scripts implements ScriptHost {
  private readonly server: ServerContext;
  private readonly executor: Executor;
  private readonly several: SeveralCommands;
  private readonly runtime: ScriptRuntime;
  private readonly facts: GateFacts;
  private readonly counters: Float64Array;
  private readonly timing: CommandTiming;
  private readonly undoLogs: readonly UndoLog[];
  private readonly oldRoots: readonly Int32Array[];
  private readonly reaching = new Set<string>();

  /** Called again and again while a script runs. */
  whileRunning: () => void = () => {};
  // the running script
  private session: Session | null = null;
  private called: Called | null = null;
  private calledArgs: Args | null = null;
  private undoable = false;
  private restart = false;
  private wrote = false;
  /** It has read for a client that keeps copies. */
  private reads = false;
  /** SCRIPT KILL has ended it. */
  private killed = false;
  /** The error that the last script answered is one of its commands', and counted. */
  isErrorCounted = false;

  constructor(parts: {
    server: ServerContext;
    executor: Executor;
    several: SeveralCommands;
    runtime: ScriptRuntime;
    facts: GateFacts;
    counters: Float64Array;
    timing: CommandTiming;
  }) {
    this.server = parts.server;
    this.executor = parts.executor;
    this.several = parts.several;
    this.runtime = parts.runtime;
    this.facts = parts.facts;
    this.counters = parts.counters;
    this.timing = parts.timing;
    const { spaces } = parts.executor.unit;
    this.undoLogs = spaces.map((ks) => new UndoLog(ks.arena));
    this.oldRoots = spaces.map((ks) => new Int32Array(ks.roots.length));
  }

  /** As Transactions.run, for a script command. */
  run(session: Session, row: CommandRow, args: Args, reply: ReplyWriter, waits: boolean, turn: boolean): number {
    this.isErrorCounted = false;
    const called = this.resolve(row, args);
    if (typeof called === 'string') {
      reply.error(called);
      return DONE;
    }
    const { executor, several } = this;
    const { unit } = executor;
    this.collect(called, args);
    const outcome = several.latchCollected(reply, called.mayWrite, waits, turn);
    if (outcome !== DONE) return outcome;
    this.undoable = several.latchedCount < unit.spaces.length;
    if (this.undoable) for (let i = 0; i < several.latchedCount; i++) this.capture(several.latched[i]);
    const mark = reply.mark();
    const changes = unit.counters[COUNTER.changes];
    this.execute(session, called, args, reply);
    if (this.restart) {
      reply.rewind(mark);
      this.takeBack();
      unit.counters[COUNTER.changes] = changes;
      several.abandon();
      this.remember(called.name);
      this.counters[COUNTER.scriptsTakenBack]++;
      // with all latches this time: it has them, or whoever waits is rung
      return this.run(session, row, args, reply, waits, turn);
    }
    if (this.undoable) for (let i = 0; i < several.latchedCount; i++) this.undoLogs[several.latched[i]].keep();
    several.end(reply, row, mark);
    session.applyDeferredSettings();
    return DONE;
  }

  /** Inside EXEC, which has all latches: the unit is EXEC's. */
  runInside(session: Session, row: CommandRow, args: Args, reply: ReplyWriter): void {
    this.isErrorCounted = false;
    const called = this.resolve(row, args);
    if (typeof called === 'string') return reply.error(called);
    this.undoable = false;
    this.execute(session, called, args, reply);
  }

  private collect(called: Called, args: Args): void {
    const { several, executor } = this;
    several.beginCollecting();
    if (this.reaching.has(called.name) || called.keys === 0) {
      // without keys nothing says where it will go; what only computes needs no latch, and is short
      if (this.reaching.has(called.name)) {
        for (let shard = 0; shard < this.undoLogs.length; shard++) several.collectShard(shard);
      }
      return;
    }
    for (let i = 0; i < called.keys; i++) {
      if (executor.locateAhead(args, FIRST_KEY + i) >= 0) several.collectShard(args.keyShard);
    }
    args.located = 0;
  }

  // ---- what is called

  private resolve(row: CommandRow, args: Args): Called | string {
    const isFunction = row.spec.name.startsWith('fcall');
    if (isFunction && this.runtime.findFunction(args.text(1)) === undefined) return NO_SUCH_FUNCTION;
    const count = parseInt64(args.buf, args.starts[2], args.ends[2]);
    if (count === null) return isFunction ? BAD_KEYS : BAD_NUMBER;
    const keys = Number(count);
    if (keys > args.count - FIRST_KEY) return TOO_MANY_KEYS;
    if (keys < 0) return NEGATIVE_KEYS;
    const name = row.spec.name;
    const readsOnly = name.endsWith('_ro');
    if (isFunction) return this.resolveFunction(args, keys, readsOnly);
    return name.startsWith('evalsha')
      ? this.resolveSha(args, keys, readsOnly)
      : this.resolveSource(args, keys, readsOnly);
  }

  private resolveSha(args: Args, keys: number, readsOnly: boolean): Called | string {
    const sha = args.text(1).toLowerCase();
    const source = this.runtime.sourceOf(sha);
    return source === undefined ? NO_SUCH_SCRIPT : this.prepare(sha, source, keys, readsOnly);
  }

  private resolveSource(args: Args, keys: number, readsOnly: boolean): Called | string {
    const source = args.buf.subarray(args.starts[1], args.ends[1]);
    const sha = scriptSha(source);
    const known = this.runtime.sourceOf(sha);
    if (known !== undefined) return this.prepare(sha, known, keys, readsOnly);
    const own = Buffer.from(source);
    const called = this.prepare(sha, own, keys, readsOnly);
    const isBad = typeof called === 'string' && called.startsWith('ERR');
    if (!isBad && !this.runtime.store.addScript(sha, own, false)) return OUT_OF_ROOM;
    return called;
  }

  private prepare(sha: string, source: Buffer, keys: number, readsOnly: boolean): Called | string {
    const header = this.runtime.prepare(sha, source);
    if (typeof header === 'string') return header;
    if (!header.exists) {
      return { name: sha, isFunction: false, keys, mayWrite: !readsOnly, ignoresMemory: false };
    }
    return this.judge({ name: sha, isFunction: false, keys, flags: header.flags, readsOnly });
  }

  private resolveFunction(args: Args, keys: number, readsOnly: boolean): Called | string {
    const known = this.runtime.findFunction(args.text(1));
    if (known === undefined) return NO_SUCH_FUNCTION;
    return this.judge({ name: known.name, isFunction: true, keys, flags: new Set(known.flags), readsOnly });
  }

  /** What the flags of a script say: may it run now? */
  private judge(asked: {
    name: string;
    isFunction: boolean;
    keys: number;
    flags: ReadonlySet<string>;
    readsOnly: boolean;
  }): Called | string {
    const { flags, name, isFunction, keys } = asked;
    const mayWrite = !flags.has('no-writes');
    const ignoresMemory = flags.has('allow-oom') || !mayWrite;
    if (asked.readsOnly && mayWrite) return WRITES_IN_RO;
    if (mayWrite) {
      const refusal = refuseByFlags(FLAG.write, this.facts, this.stateBits());
      if (refusal !== null) return refusal;
    }
    if (!ignoresMemory && this.facts.overMemory()) return OOM_SCRIPT;
    return { name, isFunction, keys, mayWrite, ignoresMemory };
  }

  /** As in Redis: a script that has read has read all keys that it declares; what it really read is tracked besides. */
  private trackDeclared(called: Called, args: Args): void {
    const { executor } = this;
    for (let arg = FIRST_KEY; arg < FIRST_KEY + called.keys; arg++) {
      const shard = executor.locateAhead(args, arg);
      if (shard >= 0) executor.unit.reads!.note(shard, args.keyHash, args.buf, args.starts[arg], args.ends[arg]);
    }
    args.located = 0;
  }

  // ---- the run

  private execute(session: Session, called: Called, args: Args, reply: ReplyWriter): void {
    const { executor, server } = this;
    const { unit } = executor;
    const { db } = session;
    const { isExecuting, parked } = session;
    const { store, engine } = this.runtime;
    this.session = session;
    this.called = called;
    this.calledArgs = args;
    this.restart = this.wrote = this.reads = false;
    unit.session = session;
    unit.several = unit.inScript = true;
    session.isExecuting = true;
    store.begin(server.thread, called.isFunction ? RUNS.function : RUNS.script, server.steadyMs());
    const mark = reply.mark();
    const outcome = called.isFunction
      ? engine.callFunction(called.name, args, FIRST_KEY, called.keys, reply)
      : engine.run(called.name, args, FIRST_KEY, called.keys, reply);
    this.killed = store.isKilled(server.thread);
    store.end(server.thread);
    unit.inScript = false;
    session.db = db;
    session.isExecuting = isExecuting;
    session.parked = parked;
    this.session = null;
    if (this.restart) return;
    this.isErrorCounted = engine.error.isCounted;
    if (this.reads) this.trackDeclared(called, args);
    if (outcome === OUTCOME.done) return;
    reply.rewind(mark);
    reply.error(this.errorOf(engine, called, outcome));
  }

  private errorOf(engine: ScriptEngine, called: Called, outcome: number): string {
    const { text, line: at } = engine.failure;
    const chunk = called.isFunction ? 'user_function' : 'user_script';
    let said = text;
    if (outcome !== OUTCOME.failed) {
      const verb = called.isFunction ? 'FUNCTION KILL' : 'SCRIPT KILL';
      said = this.killed
        ? `ERR Error running script, ${chunk}: Script killed by user with ${verb}.`
        : `ERR Error running script, ${chunk}: Script ended, for it computed too long without a call.`;
    }
    const line = at > 0 ? at : this.lineOfTailCall(called);
    const place = outcome === OUTCOME.failed && line > 0 ? `, on @${chunk}:${line}.` : '';
    return `${said} script: ${called.name}${place}`;
  }

  /** `return redis.call(…)` leaves the engine no trace of its line: it is the last line of that form. */
  private lineOfTailCall({ isFunction, name }: Called): number {
    const source = isFunction ? this.runtime.codeOf(name) : this.runtime.sourceOf(name);
    if (source === undefined) return 0;
    const lines = source.toString('latin1').split('\n');
    return lines.findLastIndex((line) => /\breturn\b.*\b(redis\.|call\b|pcall\b)/.test(line)) + 1;
  }

  // ---- ScriptHost

  call(args: Args, reply: ReplyWriter): boolean {
    if (args.count === 0) {
      reply.error(NO_ARGUMENTS);
      return true;
    }
    if (this.runtime.store.isKilled(this.server.thread)) return false;
    const row = COMMANDS.lookup(args);
    const refusal = this.refuse(row, args);
    if (refusal !== null || row === null) {
      if (row !== null) this.server.commandStats.rejected(row.id);
      reply.error(refusal!);
      this.countError(reply, 0);
      return true;
    }
    const session = this.session!;
    const { log } = this.server.pushes;
    if (log.anyMonitor) feedMonitors(log, session, row, args, true);
    const start = reply.pos;
    const { timing } = this;
    const began = --timing.countdown[row.id] < 0 ? timing.begin(row.id) : 0;
    if (row.isWrite) this.noteWrite();
    if (row.session !== null) {
      if (this.undoable && PUBLISHES.has(row.fullName)) return this.giveUp();
      row.session(session, args, reply);
    } else if (!this.runData(row, args, reply)) return this.giveUp();
    if (began !== 0) timing.endNested(row, began);
    const failed = reply.buf[start] === 45;
    this.server.commandStats.called(row.id, 0, failed);
    this.counters[COUNTER.commandsProcessed]++;
    if (failed) this.countError(reply, start);
    return true;
  }

  /** False: it reaches for a shard whose latch cannot be had. */
  private runData(row: CommandRow, args: Args, reply: ReplyWriter): boolean {
    const { executor, several } = this;
    const { unit } = executor;
    const session = this.session!;
    if (unit.reads !== null && unit.reads.readerWorker >= 0 && (row.flagBits & FLAG.readonly) !== 0) this.reads = true;
    let outcome = several.runNested(row, args, reply, session.db, session.noTouch);
    if (outcome === NEED_MORE) {
      const before = several.latchedCount;
      if (!several.tryLatchMore(unit.held, unit.heldCount)) return false;
      for (let i = before; i < several.latchedCount; i++) this.capture(several.latched[i]);
      outcome = several.runNested(row, args, reply, session.db, session.noTouch);
      if (outcome !== DONE) throw new Error(`${row.fullName} reached for yet another shard`);
    }
    // a script sees the reply now
    if (executor.large.active) executor.large.finish(reply);
    return true;
  }

  private giveUp(): false {
    this.restart = true;
    return false;
  }

  private noteWrite(): void {
    if (this.wrote) return;
    this.wrote = true;
    this.runtime.store.noteWrite(this.server.thread);
  }

  /** Why a script may not run this command now; null: it may. */
  private refuse(row: CommandRow | null, args: Args): string | null {
    if (row === null || (row.isContainer && args.count >= 2)) return UNKNOWN_COMMAND;
    if (!row.arityFits(args.count)) return WRONG_ARITY;
    if ((row.flagBits & FLAG.noscript) !== 0 && !this.runtime.store.isFree) return NOT_IN_SCRIPTS;
    if (row.isScript) return NOT_IN_SCRIPTS;
    const called = this.called!;
    // what may be replicated counts as a write, so that a pause of writes need not stop scripts that only read
    const changes = row.isWrite || (row.flagBits & FLAG.may_replicate) !== 0;
    if (changes && !called.mayWrite) return NO_WRITES;
    let flags = row.flagBits & (FLAG.write | FLAG.denyoom);
    // a script that has begun to write is not stopped half-way for lack of memory
    if (called.ignoresMemory || this.wrote) flags &= ~FLAG.denyoom;
    return flags === 0 ? null : refuseByFlags(flags, this.facts, this.stateBits());
  }

  /** That others are slow does not concern a script that has its latches. */
  private stateBits(): number {
    return this.facts.stateBits() & ~BUSY_BITS;
  }

  private countError(reply: ReplyWriter, start: number): void {
    let end = start + 1;
    while (end < reply.pos && reply.buf[end] !== 13) end++;
    this.server.errorStats.count(reply.buf, start + 1, end);
  }

  runsOn(): boolean {
    // what a library does while it is loaded is no script: the engine itself bounds it
    if (this.session === null) return true;
    this.whileRunning();
    return !this.runtime.store.isKilled(this.server.thread);
  }

  get runningName(): string {
    return this.called === null ? '' : this.called.name;
  }

  /** Tells others what runs. */
  describe(): void {
    const args = this.calledArgs!;
    const words = Array.from({ length: args.count }, (_, i) => args.text(i));
    this.runtime.store.describe(this.server.thread, this.runningName, words);
  }

  log(_level: number, text: string): void {
    this.server.control.log(text);
  }

  allows(args: Args): boolean | null {
    const row = COMMANDS.lookup(args);
    return row === null || row.isContainer ? null : true;
  }

  // ---- undo

  private capture(shard: number): void {
    if (!this.undoable) return;
    this.undoLogs[shard].begin();
    this.oldRoots[shard].set(this.executor.unit.spaces[shard].roots);
  }

  private takeBack(): void {
    const { several, executor } = this;
    const { unit } = executor;
    for (let i = 0; i < several.latchedCount; i++) {
      const shard = several.latched[i];
      this.undoLogs[shard].undo();
      unit.spaces[shard].roots.set(this.oldRoots[shard]);
    }
    unit.forget();
  }

  /** The script reaches for keys that it does not declare: from now on it begins with all latches. */
  private remember(name: string): void {
    if (this.reaching.size >= MOST_REACHING) this.reaching.clear();
    this.reaching.add(name);
  }
}
