/**
 * The WebAssembly module of the engine, made ready for us, and what it needs of the outside besides the host.
 *
 *   module file   … | memory section: 64 MiB | …      ──►      … | memory section: 64 MiB … 1 GiB | …
 *   Lua           every 1000 instructions ──► its hook ──► ours, through a module of four lines ──► its own, which counts the fuel
 *
 * Invariant 1: the memory only grows; addresses stay what they are, views of the old memory are empty then.
 */
const HEADER_BYTES = 8;
const MEMORY_SECTION = 5;
const PAGE_BYTES = 65_536;
const FIRST_PAGES = 1024;
const MOST_PAGES = 16_384;
const WITH_MAXIMUM = 1;
const GROW_PAGES = 256;
const STACK_BYTES = 2 << 20;
/** Static data of the module and the first state lie within so many words. */
export const MAX_STATIC_WORDS = 1 << 18;

/** The part of the WebAssembly interface that we use; our types know the language and Node only. */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: WasmApi };

/** The functions of the module that we use; addresses and lengths are int32. */
export interface LuaExports {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  __indirect_function_table: {
    readonly length: number;
    get(index: number): unknown;
    set(index: number, f: unknown): void;
  };
  __wasm_call_ctors(): void;
  set_limits(fuel: number, replyBytes: number, argBytes: number): void;
  set_compat(bits: number): void;
  init(): number;
  eval_with_args(
    result: number,
    source: number,
    sourceBytes: number,
    args: number,
    argsBytes: number,
    keys: number,
  ): void;
  alloc(bytes: number): number;
  free_mem(address: number): void;
  setThrew(threw: number, value: number): void;
  _emscripten_stack_restore(address: number): void;
  emscripten_stack_get_current(): number;
}

/** What the module calls; each answers through the two words at `result`: address and length. */
export interface LuaImports {
  call(result: number, address: number, bytes: number): void;
  control(result: number, address: number, bytes: number): void;
  sha1hex(result: number, address: number, bytes: number): void;
  log(level: number, address: number, bytes: number): void;
  setResp(version: number): void;
  /** The memory has grown: views of it are empty. */
  grew(): void;
  /** Unix ms. */
  nowMs(): number;
}

/** The module brings 64 KiB of stack, which deep JSON overflows. Called outside of any run; stacks grow downwards. */
export function giveStack(lua: LuaExports): void {
  const lowest = lua.alloc(STACK_BYTES);
  if (lowest === 0) throw new EngineBrokenError('script engine: no memory for its stack');
  lua._emscripten_stack_restore((lowest + STACK_BYTES) & ~15);
}

/** A module that exports the function e.h (two int32, no result) which it imports: only such a function can stand in a table. */
const HOOK_MODULE = [
  [0, 97, 115, 109, 1, 0, 0, 0],
  [1, 6, 1, 96, 2, 127, 127, 0],
  [2, 7, 1, 1, 101, 1, 104, 0, 0],
  [7, 5, 1, 1, 104, 0, 0],
];
/** In front of the hook in a Lua state stand: which events (counting only), the distance of calls and how far it is to the next. */
const HOOK_EVENTS = 0x0108;
const MAX_HOOK_DISTANCE = 1_000_000;

/** Has `before` called whenever the engine's own hook is due: every so many instructions. A script must have run already. */
export function hookInto(lua: LuaExports, before: () => void): void {
  const table = lua.__indirect_function_table;
  const words = new Int32Array(lua.memory.buffer, 0, MAX_STATIC_WORDS);
  const found: number[] = [];
  for (let i = 0; i < words.length - 3; i++) {
    const distance = words[i + 1];
    if ((words[i] & 0xffff) !== HOOK_EVENTS || distance <= 0 || distance > MAX_HOOK_DISTANCE) continue;
    if (words[i + 2] >= 0 && words[i + 2] <= distance && words[i + 3] > 0 && words[i + 3] < table.length)
      found.push(i + 3);
  }
  if (found.length !== 1) throw new EngineBrokenError('script engine: it keeps its hook elsewhere');
  const index = words[found[0]];
  const own = table.get(index) as (state: number, record: number) => void;
  const hook = (state: number, record: number): void => {
    before();
    own(state, record);
  };
  const module = new WebAssembly.Module(new Uint8Array(HOOK_MODULE.flat()));
  table.set(index, (new WebAssembly.Instance(module, { e: { h: hook } }).exports as { h: unknown }).h);
}

/** The engine went wrong inside: this instance is not to be used any more. */
export class EngineBrokenError extends Error {}

function leb(n: number): number[] {
  const bytes: number[] = [];
  for (; n > 127; n >>>= 7) bytes.push((n & 127) | 128);
  return [...bytes, n];
}

function readLeb(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return { value, end: at };
  }
}

/** The module with a memory that can grow so far and no further. */
function withMemoryLimits(file: Buffer): Uint8Array<ArrayBuffer> {
  for (let at = HEADER_BYTES; at < file.length; ) {
    const size = readLeb(file, at + 1);
    const end = size.end + size.value;
    if (file[at] === MEMORY_SECTION) {
      const body = [1, WITH_MAXIMUM, ...leb(FIRST_PAGES), ...leb(MOST_PAGES)];
      const section = Buffer.from([MEMORY_SECTION, ...leb(body.length), ...body]);
      return new Uint8Array(Buffer.concat([file.subarray(0, at), section, file.subarray(end)]));
    }
    at = end;
  }
  throw new Error('the script engine has no memory of its own');
}

/** Compiles and instantiates the module; one instance is one Lua state. */
export function instantiateLua(file: Buffer, imports: LuaImports): LuaExports {
  const jump = new Error('longjmp');
  const refuse = (): number => -1;
  const broken = (what: string) => (): never => {
    throw new EngineBrokenError(`script engine: ${what}`);
  };
  const env = {
    host_redis_props: (result: number): void => {
      const words = new Int32Array(lua.memory.buffer);
      words[result >> 2] = words[(result >> 2) + 1] = 0;
    },
    host_redis_call: imports.control,
    host_redis_pcall: imports.call,
    host_sha1hex: imports.sha1hex,
    host_redis_log: imports.log,
    host_redis_setresp: imports.setResp,
    exit: broken('exit'),
    __assert_fail: broken('assertion failed'),
    _abort_js: broken('abort'),
    invoke_vii: (index: number, a: number, b: number): void => {
      const stack = lua.emscripten_stack_get_current();
      try {
        (lua.__indirect_function_table.get(index) as (a: number, b: number) => void)(a, b);
      } catch (error) {
        lua._emscripten_stack_restore(stack);
        if (error !== jump) throw error;
        lua.setThrew(1, 0);
      }
    },
    _emscripten_throw_longjmp: (): never => {
      throw jump;
    },
    emscripten_resize_heap: (bytes: number): number => {
      const missing = Math.ceil(((bytes >>> 0) - lua.memory.buffer.byteLength) / PAGE_BYTES);
      const pages = lua.memory.buffer.byteLength / PAGE_BYTES;
      if (pages + missing > MOST_PAGES) return 0;
      try {
        lua.memory.grow(Math.min(Math.max(missing, GROW_PAGES), MOST_PAGES - pages));
        imports.grew();
        return 1;
      } catch {
        return 0;
      }
    },
    __syscall_openat: refuse,
    __syscall_fcntl64: refuse,
    __syscall_ioctl: refuse,
    __syscall_dup3: refuse,
  };
  const clock = (_clock: number, _precision: bigint, address: number): number => {
    new DataView(lua.memory.buffer).setBigUint64(address, BigInt(imports.nowMs()) * 1_000_000n, true);
    return 0;
  };
  const wasi = { clock_time_get: clock, fd_write: refuse, fd_read: refuse, fd_close: refuse, fd_seek: refuse };
  const module = new WebAssembly.Module(withMemoryLimits(file));
  const instance = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasi });
  const lua = instance.exports as unknown as LuaExports;
  lua.__wasm_call_ctors();
  return lua;
}
