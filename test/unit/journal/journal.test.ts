import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPEN } from '../../../src/env/files.ts';
import { parseHeader } from '../../../src/journal/batch-header.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import {
  createJournalMemory,
  JOURNAL_STATE,
  type JournalMemory,
  openJournal,
  POLICY,
} from '../../../src/journal/journal-memory.ts';
import { MemoryFiles } from './memory-files.ts';

interface World {
  files: MemoryFiles;
  memory: JournalMemory;
  journals: Journal[];
}

function world(shards: number, position = 0, blockBytes = 256, blocks = 64): World {
  const files = new MemoryFiles();
  const memory = createJournalMemory(shards, { blockBytes, chainBytes: blockBytes * blocks, backlogBytes: 4096 });
  for (let shard = 0; shard < shards; shard++) {
    const fd = files.open(`shard-${shard}`, OPEN.create);
    openJournal(memory, shard, { position, fd, fileBytes: 0, salt: 7 + shard, policy: POLICY.everysec });
  }
  return { files, memory, journals: attach(memory, files) };
}

function attach(memory: JournalMemory, files: MemoryFiles): Journal[] {
  return Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, files));
}

/** Record bytes of a file without its batch headers. */
function records(file: Buffer): string {
  let text = '';
  for (let at = 0; at < file.length; ) {
    const header = parseHeader(file, at, file.length);
    if (header === null) throw new Error(`no header at ${at}`);
    at += header.lineBytes + header.bytes;
    text += file.toString('latin1', at - header.bytes, at);
  }
  return text;
}

const frame = (...args: string[]): string =>
  `*${args.length}\r\n` + args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('');

describe('Journal', () => {
  test('a unit becomes visible with publish, not before, and a SELECT comes with the first record of a database', () => {
    const { files, journals } = world(1);
    const [journal] = journals;
    const set = Buffer.from(frame('SET', 'k', 'v'));
    journal.begin(1000);
    journal.verbatim(0, set, 0, set.length);
    expect(journal.end()).toBe(frame('SELECT', '0').length + set.length);
    expect(journal.undrained()).toBe(false);
    expect(journal.head()).toBe(0);
    journal.publish();
    expect(journal.undrained()).toBe(true);
    expect(journal.drain()).toBe(true);
    expect(journal.written()).toBe(journal.head());
    journal.begin(1001);
    journal.verbatim(0, set, 0, set.length);
    journal.command(3, 5);
    journal.argText('SET');
    journal.arg(set, 0, 2);
    journal.argNumber(-12345678901234);
    journal.argBig(1n << 63n);
    journal.argText('x'.repeat(700));
    journal.publish();
    expect(journal.drain()).toBe(true);
    const expected =
      frame('SELECT', '0') +
      frame('SET', 'k', 'v') +
      frame('SET', 'k', 'v') +
      frame('SELECT', '3') +
      frame('SET', '*3', '-12345678901234', '9223372036854775808', 'x'.repeat(700));
    expect(records(files.content('shard-0'))).toBe(expected);
    expect(journal.head()).toBe(expected.length);
  });

  test('a unit that is not published leaves nothing behind, even over several blocks', () => {
    const { files, memory, journals } = world(1);
    const other = attach(memory, files)[0];
    const big = Buffer.from(frame('SET', 'a', 'b'.repeat(2000)));
    const small = Buffer.from(frame('SET', 'c', 'd'));
    for (const journal of [...journals, other, ...journals]) {
      journal.begin(1);
      journal.verbatim(5, big, 0, big.length);
      journal.begin(1);
      journal.verbatim(0, small, 0, small.length);
      journal.publish();
      journal.drain();
    }
    expect(records(files.content('shard-0'))).toBe(frame('SELECT', '0') + small.toString().repeat(3));
  });

  test('a record that lacks arguments is a bug and not published', () => {
    const { journals } = world(1);
    journals[0].begin(1);
    journals[0].command(0, 2);
    journals[0].argText('DEL');
    expect(() => journals[0].publish()).toThrow(/lacks 1/);
  });

  test('the gate is closed by a backlog, opened by a drain; what was begun may overrun', () => {
    const { journals } = world(1);
    const [journal] = journals;
    const set = Buffer.from(frame('SET', 'k', 'v'.repeat(5000)));
    expect(journal.backlogFull()).toBe(false);
    journal.begin(1);
    journal.verbatim(0, set, 0, set.length);
    journal.verbatim(0, set, 0, set.length);
    journal.publish();
    expect(journal.backlogFull()).toBe(true);
    expect(journal.reserve(10_000)).toBe(false);
    journal.drain();
    expect(journal.backlogFull()).toBe(false);
    expect(journal.reserve(10_000)).toBe(true);
  });

  test('a part of a multi-shard transaction opens a batch and names all parts', () => {
    const { files, journals } = world(3);
    const set = Buffer.from(frame('SET', 'k', 'v'));
    for (const journal of journals) {
      journal.begin(1);
      journal.verbatim(0, set, 0, set.length);
      journal.publish();
    }
    for (const journal of [journals[0], journals[2]]) {
      journal.begin(2);
      journal.transactionOpen();
      journal.verbatim(0, set, 0, set.length);
      journal.verbatim(0, set, 0, set.length);
    }
    publishTransaction([journals[0], journals[2]]);
    journals[2].begin(3);
    journals[2].verbatim(0, set, 0, set.length);
    journals[2].publish();
    for (const journal of journals) journal.drain();
    const first = frame('SELECT', '0') + set.toString();
    const inner = frame('MULTI') + set + set + frame('EXEC');
    const end = first.length + inner.length;
    const mark = `#SKEIN-TX ${first.length} 0:${end} 2:${end}\r\n`;
    expect(records(files.content('shard-0'))).toBe(first + inner + mark);
    expect(records(files.content('shard-1'))).toBe(first);
    expect(records(files.content('shard-2'))).toBe(first + inner + mark + set);
    const file = files.content('shard-2');
    const one = parseHeader(file, 0, file.length)!;
    expect(one).toMatchObject({ shard: 2, end: first.length, bytes: first.length, mark: -1 });
    const two = parseHeader(file, one.lineBytes + one.bytes, file.length)!;
    expect(two).toMatchObject({ bytes: inner.length + mark.length + set.length, mark: inner.length });
  });

  test('long lists of parts become several mark lines of less than 1024 bytes', () => {
    const { files, journals } = world(100, 9_007_199_254_000_000, 256, 64);
    const set = Buffer.from(frame('SET', 'k', 'v'));
    for (const journal of journals) {
      journal.begin(2);
      journal.verbatim(0, set, 0, set.length);
    }
    publishTransaction(journals);
    for (const journal of journals) journal.drain();
    const lines = records(files.content('shard-42'))
      .split('\r\n')
      .filter((line) => line.startsWith('#'));
    expect(lines.length).toBeGreaterThan(1);
    const parts = lines.flatMap((line) => line.split(' ').slice(2));
    const end = 9_007_199_254_000_000 + frame('SELECT', '0').length + set.length;
    expect(parts).toEqual(journals.map((_, shard) => `${shard}:${end}`));
    for (const line of lines) expect(line.length).toBeLessThan(1022);
  });

  test('a full disk: the file is cut back to whole batches, the bytes stay, the state says so, a retry writes them', () => {
    const { files, memory, journals } = world(1);
    const [journal] = journals;
    const state = new Int32Array(memory.control);
    const set = Buffer.from(frame('SET', 'k', 'v'.repeat(100)));
    const append = (): void => {
      journal.begin(1);
      journal.verbatim(0, set, 0, set.length);
      journal.publish();
    };
    append();
    expect(journal.drain()).toBe(true);
    const good = files.content('shard-0');
    files.room = 50;
    append();
    expect(journal.drain()).toBe(false);
    expect(files.content('shard-0')).toEqual(good);
    expect(journal.undrained()).toBe(true);
    expect(state[32]).toBe(JOURNAL_STATE.writeFailed);
    files.room = 5000;
    append();
    expect(journal.drain()).toBe(false); // only the journal thread tries again
    expect(journal.retryDrain()).toBe(true);
    expect(records(files.content('shard-0'))).toBe(frame('SELECT', '0') + set.toString().repeat(3));
  });

  test('short writes are completed', () => {
    const { files, journals } = world(1);
    files.shortWrites = 7;
    const set = Buffer.from(frame('SET', 'k', 'v'.repeat(3000)));
    for (let i = 0; i < 3; i++) {
      journals[0].begin(1);
      journals[0].verbatim(0, set, 0, set.length);
      journals[0].publish();
      if (i < 2) journals[0].drain();
    }
    journals[0].drain();
    expect(records(files.content('shard-0'))).toBe(frame('SELECT', '0') + set.toString().repeat(3));
  });

  test('property: any mix of units over two threads objects, blocks of 64 bytes: the file is the model', () => {
    const unit = fc.record({
      who: fc.integer({ min: 0, max: 1 }),
      db: fc.integer({ min: 0, max: 12 }),
      sizes: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 4 }),
      how: fc.constantFrom('verbatim', 'effect', 'abort'),
      drain: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 60 }), fc.integer({ min: 0, max: 2 ** 40 }), (units, position) => {
        const { files, memory, journals } = world(1, position, 64, 128);
        const threads = [journals[0], attach(memory, files)[0]];
        let model = '';
        let db = -1;
        for (const { who, db: unitDb, sizes, how, drain } of units) {
          const journal = threads[who];
          let text = unitDb === db ? '' : frame('SELECT', `${unitDb}`);
          journal.begin(1);
          for (const size of sizes) {
            const value = String.fromCharCode(97 + (size % 26)).repeat(size);
            const bytes = Buffer.from(`..${frame('SET', value)}..`, 'latin1');
            text += frame('SET', value);
            if (how === 'effect') {
              journal.command(unitDb, 2);
              journal.argText('SET');
              journal.arg(Buffer.from(value), 0, size);
            } else journal.verbatim(unitDb, bytes, 2, bytes.length - 2);
          }
          if (how === 'abort') continue;
          db = unitDb;
          model += text;
          expect(journal.end()).toBe(position + model.length);
          journal.publish();
          if (drain || !journal.reserve(1500)) journal.drain();
        }
        threads[0].drain();
        expect(records(files.content('shard-0'))).toBe(model);
        expect(threads[1].head()).toBe(position + model.length);
      }),
      { numRuns: 200 },
    );
  });
});
