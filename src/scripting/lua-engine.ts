/**
 * Lua 5.1 with Redis's libraries, as the package lua-redis-wasm has it, behind the seam.
 *
 *   engine memory  | static data: fuel …  | Lua's heap: scripts, tables, arguments of calls, replies … |     up to 1 GiB
 *
 *   run:    KEYS and ARGV are copied in ──► driver ──► redis.call ──► Args over the engine's memory ──► ScriptHost.call ──► RESP
 *           ──► the engine's form of a reply ──► … ──► the script's reply, copied out as RESP
 *
 * Invariant 1: arguments of a call are read out of the engine's memory while the engine stands still; nothing is kept of them.
 * Invariant 2: each call into the host refills the fuel, so that it bounds what a script does between two of them.
 */
import { createHash } from 'node:crypto';
import { copyInto } from '../../native-free-shm/bytes.ts';
import { readEngineFile } from '../env/engine-file.ts';
import { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import {
  type LibraryFunction,
  OUTCOME,
  type ScriptEngine,
  type ScriptError,
  type ScriptFailure,
  type ScriptHost,
} from './engine.ts';
import { bootstrapSource, END_TEXT, NIL_TEXT } from './lua-bootstrap.ts';
import {
  EngineBrokenError,
  giveStack,
  hookInto,
  instantiateLua,
  type LuaExports,
  MAX_STATIC_WORDS,
} from './lua-memory.ts';
import { EngineReply, writeEngineReply } from './lua-replies.ts';

/** Instructions between two calls of the host: some seconds of computing. */
const MOST_FUEL = 0x7fffffff;
/** Where the words of a Lua table lie, by byte. */
const TABLE = { type: 4, isReadonly: 8 } as const;
const LUA_TABLE = 5;
/** Calls of the hook (a thousand instructions each) between two calls of the host. */
const HOOKS_PER_LOOK = 16;
/** The code of a library may run so long: it registers functions and does nothing else. */
const MAX_LOAD_MS = 500;
const NO_ARGS = new Args(1);

let file: Buffer | null = null;

/** What the engine asks of its surroundings besides the host. */
export interface EngineParts {
  host: ScriptHost;
  /** redis.REDIS_VERSION. */
  version: string;
  nowMs: () => number;
  steadyMs: () => number;
  /** 32 random bits. */
  random32: () => number;
  /** Instructions that a script may use between two calls of the host. */
  fuel?: number;
}

export class LuaEngine implements ScriptEngine {
  readonly failure: ScriptFailure = { text: '', line: 0 };
  readonly error: ScriptError = { isCounted: false };
  isBroken = false;
  private readonly lua: LuaExports;
  private readonly parts: EngineParts;
  private readonly secret: string;
  private readonly args = new Args();
  private readonly nested = new ReplyWriter();
  private readonly answer = new EngineReply();
  private readonly defined = new Set<string>();
  private readonly resultAt: number;
  /** Place of the fuel that is left, in words. */
  private readonly fuelAt: number;
  private hooks = 0;
  /** When the library that is loaded now has had its time, steady ms. */
  private loadEndsMs = Number.POSITIVE_INFINITY;
  private memory: Buffer;
  /** `memory` and `words` are to be made anew: asking the memory for its buffer each time would cost as much as a small call. */
  private hasGrown = false;
  private words: Int32Array;
  private globals = 0;
  private outcome: number = OUTCOME.done;
  private scriptResp: 2 | 3 = 2;
  private readonly fuel: number;

  constructor(parts: EngineParts) {
    this.parts = parts;
    this.fuel = parts.fuel ?? MOST_FUEL;
    this.secret = `k${Array.from({ length: 4 }, () => (parts.random32() >>> 0).toString(36)).join('')}`;
    file ??= readEngineFile();
    this.lua = instantiateLua(file, {
      call: this.onCall,
      control: this.onControl,
      sha1hex: this.onSha1,
      log: this.onLog,
      setResp: () => {},
      grew: () => {
        this.hasGrown = true;
      },
      nowMs: parts.nowMs,
    });
    this.memory = Buffer.from(this.lua.memory.buffer);
    this.words = new Int32Array(this.lua.memory.buffer);
    this.lua.set_limits(0x3a5a7c91, 0, 0);
    this.lua.set_compat(0);
    if (this.lua.init() !== 0) throw new EngineBrokenError('script engine: it did not start');
    this.resultAt = this.lua.alloc(8);
    this.fuelAt = this.findFuel();
    hookInto(this.lua, this.onHook);
    giveStack(this.lua);
    this.refresh();
    this.boot();
  }

  /** The place of the fuel that is left, found by a number that stands nowhere else: the limit, and behind it what is left of it. */
  private findFuel(): number {
    this.evaluate('return 1', NO_ARGS, 0, 0);
    const { words } = this;
    const found: number[] = [];
    for (let i = 0; i < MAX_STATIC_WORDS; i++) {
      if (words[i] <= 0x3a5a7c91 && words[i] > 0x3a5a7c91 - 1_000_000) found.push(i);
    }
    if (found.length !== 2) throw new EngineBrokenError('script engine: it keeps its fuel elsewhere');
    this.lua.set_limits(this.fuel, 0, 0);
    return found[1];
  }

  private boot(): void {
    const found = this.evaluateText('return tostring(_G)');
    this.globals = this.tableAddress(found);
    const source = Buffer.from(bootstrapSource(this.secret, this.parts.version), 'latin1');
    // under a name of its own, so that errors of scripts are not located in it
    const ready = this.evaluateText("return loadstring(ARGV[1], '=bootstrap')()", argsOf(source));
    if (ready !== 'ready') throw new EngineBrokenError(`script engine: ${ready}`);
  }

  private evaluateText(source: string, args: Args = NO_ARGS): string {
    const at = this.evaluate(source, args, 0, 0);
    const text = this.memory.toString('latin1', at + 5, at + 5 + this.memory.readInt32LE(at + 1));
    this.lua.free_mem(at);
    return text;
  }

  private tableAddress(text: string): number {
    const address = Number(/^table: (0x[0-9a-f]+)$/.exec(text)?.[1]);
    if (!(address > 0) || this.memory[address + TABLE.type] !== LUA_TABLE)
      throw new EngineBrokenError(`script engine: ${text} is no table`);
    return address;
  }

  memoryBytes(): number {
    return this.lua.memory.buffer.byteLength;
  }

  // ---- memory

  private refresh(): void {
    if (!this.hasGrown) return;
    this.hasGrown = false;
    this.memory = Buffer.from(this.lua.memory.buffer);
    this.words = new Int32Array(this.lua.memory.buffer);
  }

  private allocate(bytes: number): number {
    const at = this.lua.alloc(Math.max(bytes, 1));
    this.refresh();
    if (at === 0) throw new EngineBrokenError('script engine: out of memory');
    return at;
  }

  /** Evaluates a chunk whose KEYS are `keys` arguments from `first` on, and ARGV the others. Returns the address of its reply. */
  private evaluate(source: string, args: Args, first: number, keys: number): number {
    const { lua } = this;
    const sourceAt = this.allocate(source.length);
    this.memory.write(source, sourceAt, 'latin1');
    let bytes = 4;
    for (let i = first; i < args.count; i++) bytes += 4 + args.ends[i] - args.starts[i];
    const argsAt = this.allocate(bytes);
    this.copyArgs(args, first, argsAt);
    lua.eval_with_args(this.resultAt, sourceAt, source.length, argsAt, bytes, keys);
    this.refresh();
    lua.free_mem(sourceAt);
    lua.free_mem(argsAt);
    return this.words[this.resultAt >> 2];
  }

  private copyArgs(args: Args, first: number, to: number): void {
    const { memory } = this;
    memory.writeInt32LE(Math.max(args.count - first, 0), to);
    let at = to + 4;
    for (let i = first; i < args.count; i++) {
      const start = args.starts[i];
      const end = args.ends[i];
      memory.writeInt32LE(end - start, at);
      copyInto(memory, at + 4, args.buf, start, end - start);
      at += 4 + end - start;
    }
  }

  // ---- what the engine calls

  private readonly onCall = (result: number, address: number, bytes: number): void => {
    this.refresh();
    const { args, nested, answer } = this;
    this.readArgs(address, bytes);
    answer.begin();
    nested.resp = this.scriptResp;
    const mark = nested.mark();
    if (this.outcome === OUTCOME.ended || !this.parts.host.call(args, nested)) {
      this.outcome = OUTCOME.ended;
      answer.error(END_TEXT);
    } else if (nested.buf[mark] === 95) answer.error(NIL_TEXT);
    else answer.fromResp(nested.buf, mark);
    nested.rewind(mark);
    this.refuel();
    this.give(result);
  };

  private refuel(): void {
    this.words[this.fuelAt] = this.fuel;
  }

  /** A thousand instructions are over. Without fuel the engine's own hook ends the script. */
  private readonly onHook = (): void => {
    if (++this.hooks % HOOKS_PER_LOOK !== 0) return;
    this.refresh();
    if (!this.parts.host.runsOn() || this.parts.steadyMs() > this.loadEndsMs) this.words[this.fuelAt] = 0;
  };

  private readArgs(address: number, bytes: number): void {
    const { args, memory } = this;
    const count = memory.readInt32LE(address);
    args.grow(count);
    args.buf = memory;
    args.count = count;
    args.frameStart = -1;
    args.located = 0;
    let at = address + 4;
    for (let i = 0; i < count; i++) {
      const length = memory.readInt32LE(at);
      args.starts[i] = at + 4;
      args.ends[i] = at += 4 + length;
    }
    if (at - address > bytes) throw new EngineBrokenError('script engine: arguments are longer than they say');
  }

  /** Hands `answer` over: the engine frees it. */
  private give(result: number): void {
    const { answer } = this;
    const at = this.allocate(answer.pos);
    copyInto(this.memory, at, answer.buf, 0, answer.pos);
    this.words[result >> 2] = at;
    this.words[(result >> 2) + 1] = answer.pos;
  }

  /** What the bootstrap asks of us: see lua-bootstrap.ts. */
  private readonly onControl = (result: number, address: number, bytes: number): void => {
    this.refresh();
    const { args, answer } = this;
    this.readArgs(address, bytes);
    answer.begin();
    const verb = args.text(0);
    this.refuel();
    if (verb === 'acl') this.answerAcl();
    else {
      this.obey(verb);
      answer.status('OK');
    }
    this.give(result);
  };

  private obey(verb: string): void {
    const { args, words } = this;
    const table = args.count > 1 && verb !== 'fail' && verb !== 'resp' ? this.tableAddress(args.text(1)) : this.globals;
    if (verb === 'open') words[(table + TABLE.isReadonly) >> 2] = 0;
    else if (verb === 'shut' || verb === 'lock') words[(table + TABLE.isReadonly) >> 2] = 1;
    else if (verb === 'resp') this.scriptResp = args.text(1) === '3' ? 3 : 2;
    else if (verb === 'counted') this.error.isCounted = true;
    else if (verb === 'fail') this.noteFailure(args.text(1), args.text(2), Number(args.text(3)));
    else throw new EngineBrokenError(`script engine: ${verb}`);
  }

  private noteFailure(kind: string, text: string, line: number): void {
    if (kind === 'end') this.outcome = OUTCOME.ended;
    else this.outcome = kind === 'fuel' ? OUTCOME.stopped : OUTCOME.failed;
    this.failure.text = text;
    this.failure.line = line;
  }

  private answerAcl(): void {
    const { args } = this;
    const asked = new Args(args.count);
    asked.buf = args.buf;
    asked.count = args.count - 1;
    for (let i = 1; i < args.count; i++) {
      asked.starts[i - 1] = args.starts[i];
      asked.ends[i - 1] = args.ends[i];
    }
    const allowed = this.parts.host.allows(asked);
    if (allowed === null) this.answer.error('Invalid command passed to redis.acl_check_cmd()');
    else this.answer.integer(allowed ? 1 : 0);
  }

  private readonly onSha1 = (result: number, address: number, bytes: number): void => {
    this.refresh();
    const hash = createHash('sha1')
      .update(Buffer.from(this.memory.subarray(address, address + bytes)))
      .digest('hex');
    const at = this.allocate(hash.length);
    this.memory.write(hash, at, 'latin1');
    this.words[result >> 2] = at;
    this.words[(result >> 2) + 1] = hash.length;
  };

  private readonly onLog = (level: number, address: number, bytes: number): void => {
    this.refresh();
    this.parts.host.log(level, this.memory.toString('latin1', address, address + bytes));
  };

  // ---- ScriptEngine

  define(name: string, source: Buffer): string | null {
    if (this.defined.has(name)) return null;
    this.operate('"define"', argsOf(Buffer.from(name, 'latin1'), source), 0, null);
    if (this.outcome !== OUTCOME.done) return this.failure.text;
    this.defined.add(name);
    return null;
  }

  isDefined(name: string): boolean {
    return this.defined.has(name);
  }

  forgetScripts(): void {
    this.defined.clear();
    this.operate('"forget"', NO_ARGS, 0, null);
  }

  run(name: string, args: Args, first: number, keys: number, reply: ReplyWriter): number {
    return this.operate(`"run","${name}"`, args, keys, reply, first);
  }

  loadLibrary(name: string, code: Buffer): LibraryFunction[] | string {
    const list = new ReplyWriter();
    this.loadEndsMs = this.parts.steadyMs() + MAX_LOAD_MS;
    this.operate('"load"', argsOf(Buffer.from(name, 'latin1'), code), 0, list);
    this.loadEndsMs = Number.POSITIVE_INFINITY;
    if (this.outcome !== OUTCOME.done) return this.outcome === OUTCOME.stopped ? STOPPED_LOADING : this.failure.text;
    return functionsOf(list.buf);
  }

  forgetLibrary(name: string): void {
    this.operate('"unload"', argsOf(Buffer.from(name, 'latin1')), 0, null);
  }

  callFunction(name: string, args: Args, first: number, keys: number, reply: ReplyWriter): number {
    // the name goes in front of the keys
    const given = new Args(args.count + 1);
    given.count = args.count - first + 1;
    const nameBytes = Buffer.from(name, 'latin1');
    const end = args.count === 0 ? 0 : args.ends[args.count - 1];
    const begin = first < args.count ? args.starts[first] : end;
    given.buf = Buffer.concat([nameBytes, args.buf.subarray(begin, end)]);
    given.starts[0] = 0;
    given.ends[0] = nameBytes.length;
    for (let i = first; i < args.count; i++) {
      given.starts[i - first + 1] = args.starts[i] - begin + nameBytes.length;
      given.ends[i - first + 1] = args.ends[i] - begin + nameBytes.length;
    }
    return this.operate('"call"', given, keys + 1, reply, 0);
  }

  private operate(operation: string, args: Args, keys: number, reply: ReplyWriter | null, first = 0): number {
    this.outcome = OUTCOME.done;
    this.scriptResp = 2;
    this.failure.text = '';
    this.failure.line = 0;
    this.error.isCounted = false;
    this.lua.set_limits(this.fuel, 0, 0);
    try {
      this.drive(operation, args, keys, reply, first);
    } catch (error) {
      // a trap of the module, which may have left anything behind
      this.isBroken = true;
      if (this.outcome !== OUTCOME.ended) this.noteFailure('error', `ERR script engine: ${String(error)}`, 0);
    }
    return this.outcome;
  }

  private drive(operation: string, args: Args, keys: number, reply: ReplyWriter | null, first: number): void {
    const at = this.evaluate(`return ${this.secret}(${operation})`, args, first, keys);
    try {
      // an error here is one that the driver could not catch: no memory for it, or none for the reply
      if (this.outcome === OUTCOME.done && at !== 0 && this.memory[at] === 6)
        this.noteFailure('error', this.topError(at), 0);
      if (this.outcome === OUTCOME.done && reply !== null) this.writeReply(at, reply);
    } finally {
      if (at !== 0) this.lua.free_mem(at);
    }
  }

  private topError(at: number): string {
    return `ERR ${this.memory.toString('latin1', at + 9, at + 5 + this.memory.readInt32LE(at + 1))}`;
  }

  private writeReply(at: number, reply: ReplyWriter): void {
    const mark = reply.mark();
    if (at === 0) return reply.null();
    try {
      writeEngineReply(this.memory, at, reply, this.scriptResp);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      reply.rewind(mark);
      reply.error(`ERR ${error.message}`);
    }
  }
}

const STOPPED_LOADING = 'ERR Error registering functions: FUNCTION LOAD timeout';

function argsOf(...values: Buffer[]): Args {
  const args = new Args(values.length);
  args.buf = Buffer.concat(values);
  let at = 0;
  for (const value of values) {
    args.starts[args.count] = at;
    args.ends[args.count++] = at += value.length;
  }
  return args;
}

/** The list that the driver answers: [[name, description or nothing, [flag …]] …] as RESP. */
function functionsOf(resp: Buffer): LibraryFunction[] {
  let at = 0;
  const line = (): string => {
    const end = resp.indexOf('\r\n', at);
    const text = resp.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  const value = (): string | null => {
    const length = Number(line().slice(1));
    if (length < 0) return null;
    const text = resp.toString('latin1', at, at + length);
    at += length + 2;
    return text;
  };
  const functions: LibraryFunction[] = [];
  const count = Number(line().slice(1));
  for (let i = 0; i < count; i++) {
    line();
    const name = value() ?? '';
    const description = value();
    const flags: string[] = [];
    const flagCount = Number(line().slice(1));
    for (let f = 0; f < flagCount; f++) flags.push(value() ?? '');
    functions.push({ name, description, flags });
  }
  return functions;
}
