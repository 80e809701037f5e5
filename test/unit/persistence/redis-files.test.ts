/** Files of a Redis server: which of them count, where they end, and that taking them over never harms them. */
import { describe, expect, test } from 'vitest';
import { DamageError } from '../../../src/persistence/damage.ts';
import { createDataSet, readDataSet, replaceDataSet, type StateSource } from '../../../src/persistence/data-set.ts';
import { surveyRecords } from '../../../src/persistence/record-survey.ts';
import { findRedisJournal, knowsRedisFiles } from '../../../src/persistence/redis-files.ts';
import { MemoryFiles } from '../journal/memory-files.ts';
import { JournalWorld, placeIn } from './journal-world.ts';

const MANIFEST = '/data/aof/appendonly.aof.manifest';
const BASE = '/data/aof/appendonly.aof.2.base.aof';
const INCREMENT = '/data/aof/appendonly.aof.2.incr.aof';

const record = (...args: string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;

/** Whole units of an append-only file, in order. */
const UNITS = [
  record('SELECT', '0'),
  '#TS:1628217470\r\n',
  record('SET', 'a', '1'),
  record('MULTI') + record('SET', 'b', '*3\r\n') + record('DEL', 'a') + record('EXEC'),
  record('RPUSH', 'l', 'x', ''),
];

function redisFolder(increment = UNITS.join('')): MemoryFiles {
  const files = new MemoryFiles();
  files.setContent(BASE, Buffer.from(record('SET', 'base', '1')));
  files.setContent(INCREMENT, Buffer.from(increment));
  files.setContent(
    MANIFEST,
    Buffer.from(
      'file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\n' +
        'file appendonly.aof.2.incr.aof seq 2 type i\n',
    ),
  );
  return files;
}

function survey(files: MemoryFiles, path: string) {
  const steps = surveyRecords(files, path, 0);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function contentOf(files: MemoryFiles): Map<string, string> {
  return new Map([MANIFEST, BASE, INCREMENT].map((path) => [path, files.content(path).toString('latin1')]));
}

const SOURCE: StateSource = (_shard, writer) => {
  writer.journal.command(0, 3);
  for (const text of ['SET', 'k', 'v']) writer.journal.argText(text);
  writer.next();
};

describe('an append-only file of Redis', () => {
  test('torn at every byte ends behind its last whole record or transaction', () => {
    const whole = UNITS.join('');
    for (let cut = 0; cut <= whole.length; cut++) {
      let end = 0;
      for (const unit of UNITS)
        if (end + unit.length <= cut) end += unit.length;
        else break;
      const { wholeTo, size, damage } = survey(redisFolder(whole.slice(0, cut)), INCREMENT);
      expect([cut, wholeTo, size, damage]).toEqual([cut, end, cut, null]);
    }
  });

  test('with something else in it is damaged there', () => {
    const good = UNITS.join('');
    for (const bad of ['!!!', '\0\0\0\0', record('EXEC'), '*1\r\n#4\r\nPING\r\n', 'SET a b\r\n']) {
      const { damage, wholeTo } = survey(redisFolder(good + bad + good), INCREMENT);
      expect(damage, bad).toBeInstanceOf(DamageError);
      expect(wholeTo, bad).toBe(good.length);
    }
    const nested = survey(redisFolder(record('MULTI') + record('MULTI')), INCREMENT);
    expect([nested.wholeTo, nested.damage?.problem]).toEqual([0, 'MULTI within MULTI']);
  });
});

describe('the manifest of Redis', () => {
  test('names base and increments; history does not count; only the last may be torn', () => {
    expect(findRedisJournal(placeIn(redisFolder()))?.files).toEqual([
      { path: BASE, mayBeTorn: false, inJournal: true },
      { path: INCREMENT, mayBeTorn: true, inJournal: true },
    ]);
    expect(findRedisJournal(placeIn(new MemoryFiles()))).toBe(null);
  });

  test('the single file of older servers counts where there is no manifest, or where an upgrade stopped half way', () => {
    const files = new MemoryFiles();
    files.setContent('/data/appendonly.aof', Buffer.from(record('SET', 'a', '1')));
    expect(findRedisJournal(placeIn(files))?.files[0].path).toBe('/data/appendonly.aof');
    files.setContent(MANIFEST, Buffer.from('file appendonly.aof seq 1 type b\n'));
    expect(findRedisJournal(placeIn(files))?.files[0].path).toBe('/data/appendonly.aof');
  });

  test('each bit of it flipped: refused, or the same files', () => {
    const found = findRedisJournal(placeIn(redisFolder()));
    const bytes = redisFolder().content(MANIFEST);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const files = redisFolder();
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      files.setContent(MANIFEST, flipped);
      try {
        const paths = findRedisJournal(placeIn(files))?.files.map(({ path }) => path);
        // a base that became history, or a history that became an increment, cannot be told from the truth
        if (paths?.length === found?.files.length) expect(paths).toEqual(found?.files.map(({ path }) => path));
      } catch (error) {
        expect(error).toBeInstanceOf(DamageError);
      }
    }
  });
});

describe('a data set beside files of Redis', () => {
  test('knows which it has taken over, copied or not, and sees that they have changed', () => {
    const files = redisFolder();
    createDataSet(placeIn(files), 2, SOURCE);
    expect(knowsRedisFiles(placeIn(files.clone()))).toBe(true);
    files.setContent(INCREMENT, Buffer.concat([files.content(INCREMENT), Buffer.from(record('SET', 'a', '2'))]));
    expect(knowsRedisFiles(placeIn(files))).toBe(false);
    replaceDataSet(placeIn(files), 2, SOURCE);
    expect(knowsRedisFiles(placeIn(files))).toBe(true);
    const alone = new MemoryFiles();
    createDataSet(placeIn(alone), 2, SOURCE);
    expect(knowsRedisFiles(placeIn(alone))).toBe(true);
    for (const [path, content] of contentOf(files)) alone.setContent(path, Buffer.from(content, 'latin1'));
    expect(knowsRedisFiles(placeIn(alone))).toBe(false);
  });

  test.each([0, 1, 3])(
    'made where %d shards were, interrupted at any sync or rename: the old, the new, or only Redis',
    (old) => {
      const before = redisFolder();
      if (old > 0) createDataSet(placeIn(before), old);
      const untouched = contentOf(before);
      const seen = new Set<string>();
      for (let crashAt = 0; ; crashAt++) {
        const files = before.clone();
        let steps = 0;
        files.onSync = files.onRename = () => {
          if (steps++ === crashAt) throw new Error('crash');
        };
        let done = true;
        try {
          replaceDataSet(placeIn(files), 2, SOURCE);
        } catch (error) {
          expect((error as Error).message).toBe('crash');
          done = false;
        }
        const after = files.afterPowerLoss(() => 0);
        const dataSet = readDataSet(placeIn(after));
        expect(contentOf(after)).toEqual(untouched);
        seen.add(String(dataSet?.shards));
        if (dataSet?.shards === 2) {
          expect(knowsRedisFiles(placeIn(after))).toBe(true);
          expect(new JournalWorld(after, 2).replayed).toEqual([['0 SET k v'], ['0 SET k v']]);
          // a start that is interrupted as well changes nothing
          expect(readDataSet(placeIn(after))).toEqual(dataSet);
        } else expect(dataSet?.shards).toBe(old === 0 ? undefined : old);
        if (!done) continue;
        expect(seen).toEqual(new Set([old === 0 ? 'undefined' : String(old), '2']));
        return;
      }
    },
  );

  test('planted, and found: folders that are never synced', () => {
    const files = redisFolder();
    files.syncFolder = () => {};
    createDataSet(placeIn(files), 2, SOURCE);
    const after = files.afterPowerLoss(() => 0);
    expect(() => new JournalWorld(after, 2).replayed).toThrow(/missing/);
  });
});
