/**
 * Nanoseconds of what every command does to memory: hash, find, insert, replace, remove, allocate, copy, compare; and the longest
 * pause while a table grows.
 *
 *   npx node bench/micro-table.ts [keys] [value bytes]          defaults: 1000000 keys, 8 bytes
 *
 * Single thread, no warm-up beyond the repetitions; the best of several rounds counts. Random look-ups over a large table
 * are dominated by cache and TLB misses, look-ups among few hot keys show the code itself.
 */
import { Arena, createArenaMemory } from '../native-free-shm/arena.ts';
import { copyInto, equalBytes } from '../native-free-shm/bytes.ts';
import { DeadlineHeap } from '../native-free-shm/deadline-heap.ts';
import { HalfSipHash } from '../native-free-shm/half-siphash.ts';
import { HashTable } from '../native-free-shm/hash-table.ts';

const KEY_BYTES = 16;
const ROUNDS = 5;
const keys = Number(process.argv[2] ?? 1_000_000);
const valueBytes = Number(process.argv[3] ?? 8);

const arena = new Arena(createArenaMemory(Math.max(keys * (128 + valueBytes * 2), 2 ** 28)));
const table = new HashTable(arena, 16, 28);
const hasher = new HalfSipHash(0x1b873593, 0x52dce729);
const root = table.create();
/** All keys one behind the other, as they stand in read buffers: not aligned. */
const text = Buffer.alloc(keys * (KEY_BYTES + 1) + 8);
const hashes = new Int32Array(keys);
const entries = new Int32Array(keys);
const order = new Int32Array(keys);
/** Keeps results alive. */
let sink = 0;

function keyStart(i: number): number {
  return i * (KEY_BYTES + 1) + 1;
}

function report(name: string, ns: number, note = ''): void {
  console.log(`${name.padEnd(44)} ${ns.toFixed(1).padStart(9)} ns  ${note}`);
}

/** Best time per operation of several rounds. */
function best(name: string, operations: number, run: () => number, note = ''): void {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    sink += run();
    least = Math.min(least, performance.now() - start);
  }
  report(name, (least / operations) * 1e6, note);
}

function newEntry(i: number): number {
  const handle = arena.allocate(16 + KEY_BYTES + valueBytes);
  const words = arena.i32[handle >>> 26];
  const at = (handle & 0x3ffffff) << 2;
  words[at] = hashes[i];
  words[at + 1] = KEY_BYTES;
  words[at + 2] = valueBytes;
  words[at + 3] = 0;
  copyInto(arena.buf[handle >>> 26], (at << 2) + 16, text, keyStart(i), KEY_BYTES);
  return handle;
}

function prepare(): void {
  for (let i = 0; i < keys; i++) {
    text.write(`key:${String(i).padStart(KEY_BYTES - 4, '0')}`, keyStart(i), 'latin1');
    order[i] = Number((BigInt(i) * 2654435761n) % BigInt(keys));
  }
}

function load(): void {
  let longest = 0;
  const start = performance.now();
  let last = start;
  for (let i = 0; i < keys; i++) {
    hashes[i] = hasher.hash(text, keyStart(i), keyStart(i) + KEY_BYTES);
    entries[i] = newEntry(i);
    table.insert(root, hashes[i], entries[i]);
    if ((i & 63) !== 0) continue;
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  report(
    'hash + allocate + write + insert',
    ((performance.now() - start) / keys) * 1e6,
    `longest pause ${longest.toFixed(2)} ms`,
  );
  const perKey = (arena.liveBytes() / keys).toFixed(1);
  console.log(
    `  bytes per key ${perKey} (index ${(table.bytes(root) / keys).toFixed(2)}), pages ${(arena.usedPageBytes() / keys).toFixed(1)}`,
  );
}

function lookUps(): void {
  const lookUp = (among: number) => (): number => {
    let found = 0;
    for (let i = 0; i < keys; i++) {
      const k = order[i] % among;
      if (table.find(root, hashes[k], text, keyStart(k), keyStart(k) + KEY_BYTES) === entries[k]) found++;
    }
    if (found !== keys) throw new Error(`found ${found} of ${keys}`);
    return found;
  };
  for (const among of [100, 10_000, 100_000, keys]) if (among <= keys) best(`find among ${among}`, keys, lookUp(among));
  best('find, absent', keys, () => {
    let found = 0;
    for (let i = 0; i < keys; i++)
      found += table.find(root, hashes[i] ^ 0x5a5a00, text, keyStart(i), keyStart(i) + KEY_BYTES);
    return found;
  });
}

function changes(): void {
  best('replace by a new block, release the old', keys, () => {
    for (let i = 0; i < keys; i++) {
      const k = order[i];
      const next = newEntry(k);
      table.replace(root, hashes[k], entries[k], next);
      arena.release(entries[k]);
      entries[k] = next;
    }
    return 0;
  });
  best('allocate + release 48 bytes', keys, () => {
    for (let i = 0; i < keys; i++) arena.release(arena.allocate(48));
    return 0;
  });
  best('reserve 1 MiB', keys, () => {
    let yes = 0;
    for (let i = 0; i < keys; i++) if (arena.reserve(2 ** 20 + (i & 255))) yes++;
    return yes;
  });
  best('willChange', keys, () => {
    for (let i = 0; i < keys; i++) arena.willChange(entries[i]);
    return 0;
  });
  let random = 88172645;
  const random32 = (): number => {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return random >>> 0;
  };
  const draws = Math.min(keys, 200_000);
  best('randomEntry', draws, () => {
    let x = 0;
    for (let i = 0; i < draws; i++) x ^= table.randomEntry(root, random32);
    return x;
  });
}

function deadlines(): void {
  const heap = new DeadlineHeap(arena, 3);
  const heapRoot = heap.create();
  const start = performance.now();
  for (let i = 0; i < keys; i++) heap.push(heapRoot, 1e12 + i, entries[order[i]]);
  report('deadline push, ascending', ((performance.now() - start) / keys) * 1e6);
  const popStart = performance.now();
  for (let i = 0; i < keys; i++) heap.remove(heapRoot, 0);
  report('deadline pop', ((performance.now() - popStart) / keys) * 1e6);
}

function removals(): void {
  const start = performance.now();
  for (let i = 0; i < keys; i++) {
    const k = order[i];
    table.remove(root, hashes[k], entries[k]);
    arena.release(entries[k]);
  }
  report('remove + release', ((performance.now() - start) / keys) * 1e6);
}

function copies(): void {
  const shared = arena.buf[0];
  const reply = Buffer.allocUnsafeSlow(65536);
  const times = 500_000;
  for (const length of [8, 16, 32, 64, 256, 4096]) {
    best(`copy ${length}`, times, () => {
      for (let i = 0; i < times; i++) copyInto(reply, i & 1023, shared, (i * 37) & 65535, length);
      return reply[0];
    });
    reply.copy(shared, 4096 * 300, 0, length);
    best(`compare ${length}`, times, () => {
      let same = 0;
      for (let i = 0; i < times; i++) if (equalBytes(reply, 0, shared, 4096 * 300, length)) same++;
      return same;
    });
  }
}

prepare();
best('hash 16 bytes', keys, () => {
  let x = 0;
  for (let i = 0; i < keys; i++) x ^= hasher.hash(text, keyStart(i), keyStart(i) + KEY_BYTES);
  return x;
});
load();
lookUps();
changes();
deadlines();
removals();
copies();
if (Number.isNaN(sink)) throw new Error('unreachable');
