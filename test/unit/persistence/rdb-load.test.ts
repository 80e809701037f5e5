/** RDB files out of the blue: whatever is in them, and however many threads take their shards out of one, all of it arrives, once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Crc64 } from '../../../src/datatypes/crc64.ts';
import { NO_DEADLINE } from '../../../src/keyspace/entry.ts';
import { RDB_OPCODE, RDB_TYPE } from '../../../src/keyspace/rdb-types.ts';
import { slotMap, slotOf } from '../../../src/keyspace/slot.ts';
import { DamageError } from '../../../src/persistence/damage.ts';
import { checkShares, type ShareSum } from '../../../src/persistence/rdb-file-reader.ts';
import { RdbFileWriter } from '../../../src/persistence/rdb-file-writer.ts';
import { type RdbLoaded, type RdbLoadParts, rdbLoadSteps } from '../../../src/persistence/rdb-load.ts';
import { InProcess } from '../commands/in-process.ts';
import { MemoryFiles } from '../journal/memory-files.ts';

const PATH = 'folder/dump.rdb';
const NOW_MS = 1_700_000_000_000;

type Value = string | string[];

interface Entry {
  db: number;
  key: string;
  value: Value;
  deadline: number;
  idle: number;
}

/** Lengths around those at which the form of a length changes, and whatever fills a read of the file. */
const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(62, 63, 64, 65, 255, 4096, 4097, 16_383, 16_384, 70_000), fc.constantFrom('x', 'no run '))
      .map(([bytes, unit]) => unit.repeat(bytes).slice(0, bytes)),
  },
);

const entry: fc.Arbitrary<Entry> = fc.record({
  db: fc.constantFrom(0, 0, 0, 3),
  key: text,
  value: fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 1, arbitrary: fc.array(text, { minLength: 1, maxLength: 9 }) },
  ),
  deadline: fc.constantFrom(NO_DEADLINE, NO_DEADLINE, NO_DEADLINE, NOW_MS + 5000, 2 ** 41 + 7, NOW_MS - 1, NOW_MS),
  idle: fc.constantFrom(-1, -1, -1, 70),
});

/** `says`: what the file says about the number of keys in a section, times the truth. A database is a section, or several. */
function write(
  entries: readonly Entry[],
  packs: boolean,
  says = 1,
  sectionOf: (entry: Entry) => number = () => 0,
): MemoryFiles {
  const files = new MemoryFiles();
  const file = new RdbFileWriter(files, PATH, packs, true);
  const { out } = file;
  const nameOf = (one: Entry): string => `${one.db} ${sectionOf(one)}`;
  const sizes = new Map<string, number>();
  for (const one of entries) sizes.set(nameOf(one), (sizes.get(nameOf(one)) ?? 0) + 1);
  let section = '';
  for (const one of entries) {
    const { db, key, value, deadline, idle } = one;
    if (nameOf(one) !== section) {
      section = nameOf(one);
      file.selectDb(db, Math.floor(sizes.get(section)! * says), 0);
    }
    if (deadline !== NO_DEADLINE) {
      out.byte(RDB_OPCODE.expireTimeMs);
      out.millis(deadline);
    }
    if (idle >= 0) {
      out.byte(RDB_OPCODE.idle);
      out.length(idle);
    }
    out.byte(typeof value === 'string' ? RDB_TYPE.string : RDB_TYPE.list);
    out.stringText(key);
    if (typeof value === 'string') {
      out.stringText(value);
    } else {
      out.length(value.length);
      for (const one of value) out.stringText(one);
    }
    file.flushIfLarge();
  }
  file.finish('folder', PATH);
  return files;
}

/** Loads as so many threads do, one after the other. */
function load(server: InProcess, files: MemoryFiles, threads: number, more: Partial<RdbLoadParts> = {}): RdbLoaded[] {
  const { spaces, latches } = server.access;
  const loaded: RdbLoaded[] = [];
  for (let part = 0; part < threads; part++) {
    const steps = rdbLoadSteps(PATH, {
      files,
      spaces,
      latches,
      hasher: spaces[0].hasher,
      owns: (shard) => shard % threads === part,
      nowMs: NOW_MS,
      clockMs: NOW_MS,
      library() {},
      progress() {},
      sumShare: { part, of: threads },
      ...more,
    });
    let step = steps.next();
    while (!step.done) step = steps.next();
    loaded.push(step.value);
  }
  checkShares(
    PATH,
    loaded[0].endOffset,
    loaded.map((one) => one.shareSum),
  );
  return loaded;
}

const sum = (loaded: readonly RdbLoaded[], of: (one: RdbLoaded) => number): number =>
  loaded.reduce((all, one) => all + of(one), 0);

/** What the shards hold: `db key` → value, deadline and idle time. */
function contents(server: InProcess): Map<string, [string, number, number]> {
  const found = new Map<string, [string, number, number]>();
  for (const ks of server.access.spaces) {
    for (const db of [0, 3]) {
      if (ks.root(db) !== 0) ks.table.check(ks.root(db));
      ks.clock = Math.floor(NOW_MS / 1000) & 0xffffff;
      if (ks.root(db) === 0) continue;
      ks.forEach(db, (h) => {
        ks.key(h);
        const key = ks.kBuf.toString('latin1', ks.kStart, ks.kEnd);
        let value = `list of ${ks.typeOf(h)}`;
        if (ks.typeOf(h) === 0) {
          ks.value(h);
          value = ks.vBuf.toString('latin1', ks.vStart, ks.vEnd);
        }
        found.set(`${db} ${key}`, [value, ks.deadlineOf(h), ks.idleSeconds(h)]);
      });
    }
  }
  return found;
}

function expected(entries: readonly Entry[]): Map<string, [string, number, number]> {
  const alive = entries.filter(({ deadline }) => deadline === NO_DEADLINE || deadline > NOW_MS);
  const shown = (value: Value): string => (typeof value === 'string' ? value : 'list of 1');
  return new Map(
    alive.map(({ db, key, value, deadline, idle }) => [`${db} ${key}`, [shown(value), deadline, Math.max(idle, 0)]]),
  );
}

const distinct = (entries: readonly Entry[]): Entry[] => [
  ...new Map(entries.map((one) => [`${one.db} ${one.key}`, one])).values(),
];

const filler = (keys: number, from = 0): Entry[] =>
  Array.from({ length: keys }, (_, i) => ({
    db: 0,
    key: `filler:${from + i}`,
    value: `${from + i}`.padStart(30 + ((i * 7) % 90), '.'),
    deadline: i % 5 === 0 ? NOW_MS + i + 1 : NO_DEADLINE,
    idle: -1,
  }));

describe('an RDB file', () => {
  test('arrives as it is, in any number of shards and threads, whatever it says about its number of keys', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 150 }),
        fc.constantFrom(0, 100, 100, 14_000),
        fc.constantFrom([1, 1], [4, 1], [4, 2], [5, 3]),
        fc.boolean(),
        fc.constantFrom(0, 0.3, 1, 2 ** 30),
        (random, more, [shards, threads], packs, saysTimes) => {
          const half = random.length >> 1;
          const entries = distinct([...random.slice(0, half), ...filler(more), ...random.slice(half)]);
          const files = write(entries, packs, saysTimes);
          const server = new InProcess({ shards });
          const loaded = load(server, files, threads);
          const wanted = expected(entries);
          expect(contents(server)).toEqual(wanted);
          expect(sum(loaded, (one) => one.keys)).toBe(wanted.size);
          expect(sum(loaded, (one) => one.expired)).toBe(entries.length - wanted.size);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('tells of each entry and byte once, in small steps', () => {
    const files = write(filler(20_000), true);
    const server = new InProcess({ shards: 2 });
    const told: [number, number][] = [];
    const [{ endOffset }] = load(server, files, 1, { progress: (bytes, entries) => told.push([bytes, entries]) });
    expect(told.reduce((all, [bytes]) => all + bytes, 0)).toBe(endOffset);
    expect(told.reduce((all, [, entries]) => all + entries, 0)).toBe(20_000);
    for (const [, entries] of told) expect(entries).toBeLessThanOrEqual(512);
  });

  test.each([
    { order: 'mixed', ready: [2, 2] },
    { order: 'one shard after the other', ready: [1, 2] },
  ])('makes the tables before the keys come: $order', ({ order, ready }) => {
    const server = new InProcess({ shards: 2 });
    const shards = slotMap(2);
    const shardOf = ({ key }: Entry): number => shards[slotOf(Buffer.from(key, 'latin1'), 0, key.length)];
    const isMixed = order === 'mixed';
    const entries = isMixed ? filler(30_000) : filler(30_000).toSorted((a, b) => shardOf(a) - shardOf(b));
    const { spaces } = server.access;
    const isReady = (shard: number): boolean => {
      const { table } = spaces[shard];
      const root = spaces[shard].root(0);
      return root !== 0 && table.bucketCount(root) * 9 > 14_000;
    };
    const seen: number[] = [];
    let met = 0;
    const progress = (_: number, keys: number): void => {
      met += keys;
      if (met > [2000, 20_000][seen.length]) seen.push(spaces.filter((_, shard) => isReady(shard)).length);
    };
    load(server, write(entries, true, 1, isMixed ? undefined : shardOf), 1, { progress });
    expect(seen).toEqual(ready);
  });

  test.each([0, 70, 20_000])('with a key that stands twice, %i keys apart, is refused', (apart) => {
    const entries = [...filler(1), ...filler(apart, 10), ...filler(1)];
    const files = write(entries, true);
    expect(() => load(new InProcess({ shards: 3 }), files, 2)).toThrow(/a key stands twice/);
  });

  test('that does not fit into the memory is refused', () => {
    const files = write(filler(60_000), true);
    const server = new InProcess({ arenaBytes: 4 * 2 ** 20 });
    expect(() => load(server, files, 1)).toThrow(/the memory is full at byte \d+/);
  });
});

/** The whole file, and a writer of another one. */
function bytesOf(files: MemoryFiles): Buffer {
  const fd = files.open(PATH, 0);
  const bytes = Buffer.alloc(files.size(fd));
  files.readAt(fd, bytes, 0, bytes.length, 0);
  return bytes;
}

function fileOf(bytes: Buffer): MemoryFiles {
  const files = new MemoryFiles();
  const fd = files.open(PATH, 2);
  files.writeAt(fd, bytes, 0, bytes.length, 0);
  return files;
}

describe('damage', () => {
  // some blocks of the sum, and several reads
  const whole = bytesOf(write(filler(45_000), false));

  test('of a value is found by the sums of all threads together, wherever it is, and by the file and its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 }), (place, threads) => {
        const bytes = Buffer.from(whole);
        // the dots that values begin with
        const at = bytes.indexOf('....', Math.floor((place / 41) * bytes.length));
        bytes[at] ^= 1;
        const error = thrown(() => load(new InProcess({ shards: 3 }), fileOf(bytes), threads));
        expect(error).toBeInstanceOf(DamageError);
        expect(error.message).toBe(
          `${PATH} is damaged at byte ${bytes.length - 8}: its checksum is wrong (RDB CRC error)`,
        );
      }),
      { numRuns: 12 },
    );
  });

  test('of the sum itself is found; a sum of 0 says that there is none', () => {
    for (const threads of [1, 2]) {
      const bytes = Buffer.from(whole);
      bytes[bytes.length - 1] ^= 128;
      expect(() => load(new InProcess({ shards: 3 }), fileOf(bytes), threads)).toThrow(/RDB CRC error/);
      bytes.fill(0, bytes.length - 8);
      expect(sum(load(new InProcess({ shards: 3 }), fileOf(bytes), threads), (one) => one.keys)).toBe(45_000);
    }
  });

  test('a file that ends too early is refused, wherever', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        const cut = fileOf(Buffer.from(whole.subarray(0, length)));
        expect(() => load(new InProcess({ shards: 3 }), cut, 2)).toThrow(DamageError);
      }),
      { numRuns: 15 },
    );
  });

  test('the shares of a file add up to its sum', () => {
    const crc = new Crc64();
    crc.update(whole, 0, whole.length - 8);
    const sums: (ShareSum | null)[] = load(new InProcess({ shards: 3 }), fileOf(whole), 3).map((one) => one.shareSum);
    expect(sums.reduce((all, one) => all ^ one!.low, 0)).toBe(crc.low);
    expect(sums.reduce((all, one) => all ^ one!.high, 0)).toBe(crc.high);
  });
});

function thrown(run: () => void): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
