import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { POLICY, type Policy } from '../../../src/journal/journal-memory.ts';
import { DamageError } from '../../../src/persistence/damage.ts';
import {
  createDataSet,
  DataSetError,
  replaceDataSet,
  type StateSource,
  setAside,
} from '../../../src/persistence/data-set.ts';
import { greatestCut, LostSafeDataError } from '../../../src/persistence/greatest-cut.ts';
import { TruncatedError } from '../../../src/persistence/recovery.ts';
import type { ScanResult } from '../../../src/persistence/scan.ts';
import { noteFaults } from '../../crash/fault-tally.ts';
import { MemoryFiles } from '../journal/memory-files.ts';
import { incrementPath, JournalWorld, placeIn } from './journal-world.ts';

/** A small file: five batches, one of two records. */
function smallWorld(): JournalWorld {
  const world = new JournalWorld(new MemoryFiles(), 1);
  for (let i = 0; i < 5; i++) {
    world.unit([0], `k${i}`, 'v'.repeat(i));
    if (i === 2) world.unit([0], 'second', 'x');
    world.journals[0].drain();
    if (i === 3) world.tick();
  }
  return world;
}

const ALL = ['0 SET k0 ', '0 SET k1 v', '0 SET k2 vv', '0 SET second x', '0 SET k3 vvv', '0 SET k4 vvvv'];

describe('recovery of one shard', () => {
  test('an empty place becomes a data set; what was drained is there again; positions go on', () => {
    const world = smallWorld();
    const again = new JournalWorld(world.files.clone(), 1);
    expect(again.replayed[0]).toEqual(ALL);
    expect(again.warnings).toEqual([]);
    expect(again.dataSet).toEqual(world.dataSet);
    expect(again.journals[0].head()).toBe(world.journals[0].head());
    again.unit([0], 'more', 'y');
    again.journals[0].drain();
    expect(new JournalWorld(again.files.clone(), 1).replayed[0]).toEqual([...ALL, '0 SET more y']);
  });

  test('torn at every byte: whole batches are kept, the rest is cut with a warning that names file and bytes', () => {
    const world = smallWorld();
    const path = incrementPath(0);
    const content = world.files.content(path);
    let lastKept = 0;
    for (let length = 0; length < content.length; length++) {
      const files = world.files.clone();
      files.setContent(path, content.subarray(0, length));
      noteFaults('files torn at every byte, in memory');
      if (length < content.indexOf('\n') + 1) {
        expect(() => new JournalWorld(files, 1)).toThrow(DamageError);
        continue;
      }
      const again = new JournalWorld(files, 1);
      const kept = again.replayed[0].length;
      expect(again.replayed[0]).toEqual(ALL.slice(0, kept));
      expect([0, 1, 2, 4, 5]).toContain(kept);
      expect(kept).toBeGreaterThanOrEqual(lastKept);
      lastKept = kept;
      const left = files.content(path).length;
      expect(content.subarray(0, left)).toEqual(files.content(path));
      if (left === length) expect(again.warnings).toEqual([]);
      else expect(again.warnings).toEqual([expect.stringContaining(`${path}: cut from ${length} to ${left} bytes`)]);
      expect(new JournalWorld(files.clone(), 1).warnings).toEqual([]);
    }
    expect(lastKept).toBe(5);
  });

  test('each bit of each byte flipped: refused with the file, or the last batch is cut; never other data', () => {
    const world = smallWorld();
    const path = incrementPath(0);
    const content = world.files.content(path);
    const lastBatch = content.lastIndexOf('#SKEIN ');
    for (let at = 0; at < content.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const files = world.files.clone();
        const flipped = Buffer.from(content);
        flipped[at] ^= 1 << bit;
        files.setContent(path, flipped);
        noteFaults('bits flipped one by one, in memory');
        try {
          const again = new JournalWorld(files, 1);
          expect(at).toBeGreaterThanOrEqual(lastBatch);
          expect(again.replayed[0]).toEqual(ALL.slice(0, 5));
          expect(again.warnings.length).toBe(1);
        } catch (error) {
          if (!(error instanceof DamageError)) throw error;
          expect(at).toBeLessThan(lastBatch);
          expect(error.path).toBe(path);
          expect(error.offset).toBeLessThanOrEqual(at);
          expect(files.content(path)).toEqual(flipped);
        }
      }
    }
  });

  test('after a clean end every flip is refused', () => {
    const world = smallWorld();
    expect(world.committer.finish()).toBe(true);
    const path = incrementPath(0);
    const content = world.files.content(path);
    const seal = content.lastIndexOf('#SKEIN ');
    for (let at = 0; at < seal; at++) {
      const files = world.files.clone();
      const flipped = Buffer.from(content);
      flipped[at] ^= 4;
      files.setContent(path, flipped);
      expect(() => new JournalWorld(files, 1)).toThrow(DamageError);
    }
    expect(new JournalWorld(world.files.clone(), 1).replayed[0]).toEqual(ALL);
  });

  test('pages lost behind the last safe position are a torn tail, lost before it they are damage', () => {
    const world = new JournalWorld(new MemoryFiles(), 1);
    const value = 'x'.repeat(3000);
    for (let i = 0; i < 4; i++) {
      world.unit([0], `k${i}`, value);
      world.journals[0].drain();
      if (i === 0) world.tick();
    }
    const path = incrementPath(0);
    const lose = (page: number): MemoryFiles => {
      const files = world.files.clone();
      const content = files.content(path);
      content.fill(0, page * 1024, page * 1024 + 1024);
      files.setContent(path, content);
      return files;
    };
    const kept = new JournalWorld(lose(5), 1);
    expect(kept.replayed[0]).toEqual([`0 SET k0 ${value}`]);
    expect(kept.warnings.length).toBe(1);
    expect(() => new JournalWorld(lose(1), 1)).toThrow(DamageError);
  });

  test('damage in the middle is refused though nothing was ever synced', () => {
    const world = new JournalWorld(new MemoryFiles(), 1, POLICY.no);
    for (let i = 0; i < 4; i++) {
      world.unit([0], `k${i}`, 'v');
      world.journals[0].drain();
    }
    const path = incrementPath(0);
    const content = world.files.content(path);
    content[content.indexOf('k1')] ^= 1;
    world.files.setContent(path, content);
    expect(() => new JournalWorld(world.files, 1)).toThrow(/checksum of a batch/);
  });

  test('a torn value that contains a journal file is torn all the same', () => {
    const world = smallWorld();
    world.unit([0], 'file', world.files.content(incrementPath(0)).toString('latin1'));
    world.journals[0].drain();
    const path = incrementPath(0);
    const content = world.files.content(path);
    world.files.setContent(path, content.subarray(0, content.length - 1));
    expect(new JournalWorld(world.files, 1).replayed[0]).toEqual(ALL);
  });

  test('aof-load-truncated no: refused, and nothing is changed', () => {
    const world = smallWorld();
    const path = incrementPath(0);
    const torn = world.files.content(path).subarray(0, -1);
    world.files.setContent(path, torn);
    expect(() => new JournalWorld(world.files, 1, POLICY.everysec, false)).toThrow(TruncatedError);
    expect(world.files.content(path)).toEqual(torn);
  });

  test('what was not synced when the last increment began is torn at every byte; what is behind it goes with it', () => {
    const world = smallWorld();
    const old = world.files.content(incrementPath(0));
    let atCut: MemoryFiles | null = null;
    world.files.onSync = (path) => {
      if (world.inRotation || atCut !== null || path !== incrementPath(0)) return;
      world.unit([0], 'behind', 'z');
      world.journals[0].drain();
      atCut = world.files.clone();
    };
    world.rotate();
    const safe = old.indexOf('#SKEIN 0', old.indexOf('k3'));
    for (let length = old.length; length > safe; length--) {
      const files = atCut!.clone();
      files.setContent(incrementPath(0), old.subarray(0, length));
      const again = new JournalWorld(files, 1);
      const isWhole = length === old.length;
      expect(again.replayed[0]).toEqual(isWhole ? [...ALL, '0 SET behind z'] : ALL.slice(0, 5));
      expect(again.warnings.length).toBe(isWhole ? 0 : 1);
      again.unit([0], 'more', 'y');
      again.journals[0].drain();
      const third = new JournalWorld(files.clone(), 1);
      expect(third.replayed[0]).toEqual([...again.replayed[0], '0 SET more y']);
    }
    // from the end of the rotation on every position before it is safe
    world.unit([0], 'later', 'y');
    world.journals[0].drain();
    const late = world.files.clone();
    late.setContent(incrementPath(0), old.subarray(0, -1));
    expect(() => new JournalWorld(late, 1)).toThrow(/1\.incr\.aof.*it ends at position \d+, but \d+ was safe/);
  });

  test('a kill before the old increment is synced: the next start syncs it, and a loss of power takes nothing', () => {
    const world = smallWorld();
    world.files.onSync = () => {
      if (!world.inRotation) throw new Error('killed');
    };
    expect(() => world.rotate()).toThrow('killed');
    world.unit([0], 'behind', 'z');
    world.journals[0].drain();
    world.files.onSync = () => {};
    const again = new JournalWorld(world.files, 1);
    expect(again.replayed[0]).toEqual([...ALL, '0 SET behind z']);
    const third = new JournalWorld(
      world.files.afterPowerLoss(() => 0),
      1,
    );
    expect(third.replayed[0]).toEqual(again.replayed[0]);
  });

  test('a missing manifest, a file of another shard, files of a stock server are refused', () => {
    const world = smallWorld();
    const without = (path: string): MemoryFiles => {
      const files = world.files.clone();
      files.remove(path);
      return files;
    };
    expect(() => new JournalWorld(without('/data/aof/skein.manifest'), 1)).toThrow(DataSetError);
    expect(() => new JournalWorld(without(incrementPath(0)), 1)).toThrow(/missing/);
    expect(() => new JournalWorld(without('/data/aof/shard-0/appendonly.aof.manifest'), 1)).toThrow(/missing/);
    const two = new JournalWorld(new MemoryFiles(), 2);
    const swapped = two.files.clone();
    swapped.setContent(incrementPath(0), two.files.content(incrementPath(1)));
    expect(() => new JournalWorld(swapped, 2)).toThrow(/it is of shard 1 of 2, expected shard 0/);
  });

  test('a creation that was interrupted at any write or sync is done again', () => {
    const source: StateSource = (_shard, writer) => {
      writer.journal.command(0, 3);
      for (const text of ['SET', 'k', 'v']) writer.journal.argText(text);
      writer.next();
    };
    for (let crashAt = 0; ; crashAt++) {
      const files = new MemoryFiles();
      let syncs = 0;
      files.onSync = () => {
        if (syncs++ === crashAt) throw new Error('crash');
      };
      try {
        createDataSet(placeIn(files), 2, source);
        files.onSync = () => {};
        expect(crashAt).toBeGreaterThan(8);
        expect(new JournalWorld(files, 2).replayed).toEqual([['0 SET k v'], ['0 SET k v']]);
        return;
      } catch (error) {
        expect((error as Error).message).toBe('crash');
      }
      const world = new JournalWorld(
        files.afterPowerLoss(() => 0),
        3,
      );
      expect(world.dataSet.shards).toBe(3);
      expect(world.replayed).toEqual([[], [], []]);
    }
  });

  test('a replacement that was interrupted at any sync or rename leaves the old data set or the new one', () => {
    const before = new JournalWorld(new MemoryFiles(), 1);
    before.unit([0], 'old', 'x');
    before.tick();
    const source: StateSource = (_shard, writer) => {
      writer.journal.command(0, 2);
      for (const text of ['DEL', 'new']) writer.journal.argText(text);
      writer.next();
    };
    const seen = new Set<string>();
    for (let crashAt = 0; ; crashAt++) {
      const files = before.files.clone();
      let steps = 0;
      files.onSync = files.onRename = () => {
        if (steps++ === crashAt) throw new Error('crash');
      };
      let done = true;
      try {
        replaceDataSet(placeIn(files), 2, source, [7, 8]);
      } catch (error) {
        expect((error as Error).message).toBe('crash');
        done = false;
      }
      const world = new JournalWorld(
        files.afterPowerLoss(() => 0),
        5,
      );
      const state = `${world.dataSet.shards} ${world.replayed.join(' ')}`;
      expect(['1 0 SET old x', '2 0 DEL new 0 DEL new']).toContain(state);
      seen.add(state);
      if (world.dataSet.shards === 2) expect(world.journals.map((journal) => journal.head())).toEqual([7, 8]);
      if (!done) continue;
      expect(world.dataSet.shards).toBe(2);
      expect(seen.size).toBe(2);
      expect(files.paths().filter((path) => path.includes('-old-'))).toEqual([]);
      return;
    }
  });

  test('a data set made from a state: bases first, then the increments; put aside, another can be made', () => {
    const files = new MemoryFiles();
    const place = placeIn(files);
    const dataSet = createDataSet(place, 2, (shard, writer) => {
      for (let i = 0; i < 3000; i++) {
        writer.journal.command(shard, 3);
        writer.journal.argText('SET');
        writer.journal.argText(`k${i}`);
        writer.journal.argText('v'.repeat(i));
        writer.next();
      }
    });
    expect(() => createDataSet(place, 2)).toThrow();
    const world = new JournalWorld(files.clone(), 2);
    expect(world.dataSet).toEqual(dataSet);
    expect(world.replayed[1].length).toBe(3000);
    expect(world.replayed[1][2999]).toBe(`1 SET k2999 ${'v'.repeat(2999)}`);
    world.unit([0, 1], 'new', 'x');
    for (const journal of world.journals) journal.drain();
    const again = new JournalWorld(world.files.clone(), 2);
    expect(again.replayed.map((records) => records.length)).toEqual([3001, 3001]);
    const base = '/data/aof/shard-1/appendonly.aof.1.base.aof';
    const cut = world.files.clone();
    cut.setContent(base, cut.content(base).subarray(0, cut.content(base).lastIndexOf('#SKEIN ')));
    expect(() => new JournalWorld(cut, 2)).toThrow(/a base file without its end/);
    const aside = setAside(world.place);
    expect(world.files.exists(`${aside}/skein.manifest`)).toBe(true);
    expect(new JournalWorld(world.files, 4).dataSet.shards).toBe(4);
  });
});

interface ModelUnit {
  start: number;
  end: number;
  /** Number of the unit over all shards. */
  id: number;
}

/** All combinations of unit boundaries that no unit straddles; their greatest, by brute force. */
function bruteForceCut(shards: ModelUnit[][], available: number[], start: number): number[] {
  const best = available.map(() => start);
  const members = new Map<number, number[]>();
  shards.forEach((units, shard) => {
    for (const { id } of units) members.set(id, [...(members.get(id) ?? []), shard]);
  });
  const choose = (shard: number, cut: number[]): void => {
    if (shard === shards.length) {
      const keeps = (s: number, id: number): boolean => shards[s].some((unit) => unit.id === id && unit.end <= cut[s]);
      for (const [id, of] of members) if (new Set(of.map((s) => keeps(s, id))).size > 1) return;
      cut.forEach((position, s) => {
        best[s] = Math.max(best[s], position);
      });
      return;
    }
    for (const position of [start, ...shards[shard].map(({ end }) => end)])
      if (position <= available[shard]) choose(shard + 1, [...cut, position]);
  };
  choose(0, []);
  return best;
}

describe('the cut over several shards', () => {
  const unitArbitrary = fc.uniqueArray(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 3 });

  test('property: greatest cut equals brute force for any truncation', () => {
    fc.assert(
      fc.property(
        fc.array(unitArbitrary, { maxLength: 12 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (units, kept, drains) => {
          const world = new JournalWorld(new MemoryFiles(), 3, POLICY.no);
          const model: ModelUnit[][] = [[], [], []];
          const ids: string[][] = [[], [], []];
          units.forEach((shards, id) => {
            const starts = world.journals.map((journal) => journal.head());
            world.unit(shards, `k${id}`, 'v');
            for (const shard of shards) {
              model[shard].push({ start: starts[shard], end: world.journals[shard].head(), id });
              ids[shard].push(`0 SET k${id} v`);
              if (drains[id]) world.journals[shard].drain();
            }
          });
          for (const journal of world.journals) journal.drain();
          const files = world.files.clone();
          const available = kept.map((share, shard) => {
            const content = files.content(incrementPath(shard));
            const first = content.indexOf('\n') + 1;
            const length = first + Math.round(share * (content.length - first));
            files.setContent(incrementPath(shard), content.subarray(0, length));
            return positionAt(content, length);
          });
          const expected = bruteForceCut(model, available, 0);
          const truncated = files.clone();
          const again = new JournalWorld(files, 3);
          expect(again.journals.map((journal) => journal.head())).toEqual(expected);
          again.replayed.forEach((records, shard) => {
            expect(records).toEqual(ids[shard].filter((_, i) => model[shard][i].end <= expected[shard]));
          });
          expect(new JournalWorld(files.clone(), 3).warnings).toEqual([]);
          // A recovery that was interrupted after it had cut some of the files comes to the same cut.
          for (const [shard, isCut] of drains.slice(0, 3).entries())
            if (isCut) truncated.setContent(incrementPath(shard), files.content(incrementPath(shard)));
          const twice = new JournalWorld(truncated, 3);
          expect(twice.journals.map((journal) => journal.head())).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('property: power loss at any moment, always: nothing safe is lost, transactions whole or absent', () => {
    const policies = fc.constantFrom<Policy>(POLICY.no, POLICY.everysec, POLICY.always);
    const step = fc.oneof(
      { weight: 6, arbitrary: unitArbitrary.map((shards) => ({ shards })) },
      { weight: 1, arbitrary: fc.constant('tick' as const) },
      { weight: 1, arbitrary: fc.constant('rotate' as const) },
      { weight: 2, arbitrary: fc.constant('sync' as const) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 }).map((drain) => ({ drain })) },
    );
    fc.assert(
      fc.property(
        fc.tuple(policies, policies, fc.constant(POLICY.always)),
        fc.array(step, { maxLength: 25 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        fc.integer({ min: 0, max: 30 }),
        fc.array(fc.option(unitArbitrary), { minLength: 30, maxLength: 30 }),
        (shardPolicies, steps, survive, crashAtSync, duringSync) => {
          const world = new JournalWorld(new MemoryFiles(), 3);
          for (const shard of [0, 1, 2]) world.control.setPolicy(shard, shardPolicies[shard]);
          const crash = (): MemoryFiles =>
            world.files.afterPowerLoss((path, unsynced) => {
              const [, shard, sequence] = /shard-(\d).*\.(\d+)\./.exec(path) ?? ['', '0', '0'];
              return Math.round(unsynced * survive[(Number(shard) + Number(sequence)) % 3]);
            });
          let crashed: MemoryFiles | null = null;
          let safe: number[] = [];
          const take = (): void => {
            safe = world.journals.map((journal) => journal.safe());
            crashed = crash();
          };
          let syncs = 0;
          let id = 0;
          const members = new Map<string, number[]>();
          const append = (shards: number[]): void => {
            members.set(`0 SET k${id} v`, shards);
            world.unit(shards, `k${id++}`, 'v');
          };
          // While the journal thread syncs, others append and drain, and the power may fail.
          world.files.onSync = () => {
            if (crashed !== null) return;
            if (syncs === crashAtSync) take();
            if (world.inRotation) return;
            const shards = duringSync[syncs++ % 30];
            if (crashed !== null || shards === null) return;
            append(shards);
            for (const shard of shards) world.journals[shard].drain();
          };
          for (const one of steps) {
            if (one === 'tick') world.tick();
            else if (one === 'rotate') world.rotate();
            else if (one === 'sync') world.sync();
            else if ('drain' in one) world.journals[one.drain].drain();
            else append(one.shards);
            if (crashed !== null) break;
          }
          if (crashed === null) take();
          const again = new JournalWorld(crashed!, 3);
          for (const journal of again.journals) expect(journal.head()).toBeGreaterThanOrEqual(safe[journal.shard]);
          for (const [record, shards] of members) {
            const present = shards.map((shard) => again.replayed[shard].includes(record));
            expect(new Set(present).size).toBe(1);
          }
          again.replayed.forEach((records, shard) => {
            const all = [...members].filter(([, shards]) => shards.includes(shard)).map(([record]) => record);
            expect(records).toEqual(all.slice(0, records.length));
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a cut before a recorded safe position is refused, nothing is changed', () => {
    const world = new JournalWorld(new MemoryFiles(), 2);
    world.unit([0, 1], 'a', '1');
    for (const journal of world.journals) journal.drain();
    world.tick();
    world.unit([0], 'b', '2');
    world.journals[0].drain();
    const files = world.files.clone();
    const content = files.content(incrementPath(1));
    files.setContent(incrementPath(1), content.subarray(0, content.indexOf('\n') + 1));
    const before = files.content(incrementPath(0));
    expect(() => new JournalWorld(files, 2)).toThrow(LostSafeDataError);
    expect(files.content(incrementPath(0))).toEqual(before);
  });

  test('a chain of transactions falls back shard by shard', () => {
    const scan = (shard: number, end: number, parts: ScanResult['parts']): ScanResult => ({
      shard,
      files: [{ path: `f${shard}`, isBase: false }],
      end,
      endFile: 0,
      endOffset: end,
      salt: 0,
      safe: 0,
      required: [0, 0, 0],
      parts,
      tornBytes: 0,
      fileBytes: [end],
      unbegun: false,
    });
    const first = [0, 10, 1, 10];
    const second = [1, 20, 2, 10];
    const third = [2, 20, 0, 20];
    const part = (start: number, ends: number[]): ScanResult['parts'][number] => ({
      start,
      file: 0,
      offset: start,
      ends,
    });
    const scans = [
      scan(0, 0, []),
      scan(1, 20, [part(0, first), part(10, second)]),
      scan(2, 20, [part(0, second), part(10, third)]),
    ];
    expect(greatestCut(scans)).toEqual([0, 0, 0]);
  });
});

/** Position behind the last whole batch in the first `length` bytes. */
function positionAt(content: Buffer, length: number): number {
  let position = 0;
  let at = content.indexOf('\n') + 1;
  for (;;) {
    const match = /^#SKEIN \d+ (\d+) (\d+) .*\r\n/.exec(content.toString('latin1', at, at + 128));
    if (match === null) return position;
    at += match[0].length + Number(match[2]);
    if (at > length) return position;
    position = Number(match[1]);
  }
}
