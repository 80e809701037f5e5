import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPEN } from '../../../src/env/files.ts';
import { parseHeader } from '../../../src/journal/batch-header.ts';
import { writeDecimal, writeHex32 } from '../../../src/journal/decimal.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import { createJournalMemory, openJournal, POLICY } from '../../../src/journal/journal-memory.ts';
import { formatFileLine, MAX_FILE_LINE_BYTES, parseFileLine, parseMarks } from '../../../src/persistence/aof-lines.ts';
import { formatManifest, parseManifest } from '../../../src/persistence/aof-manifest.ts';
import { formatTopManifest } from '../../../src/persistence/data-set.ts';
import { MemoryFiles } from '../journal/memory-files.ts';

describe('golden bytes (FORMATS.md; to change one means to raise the format version)', () => {
  test('manifest of a data set', () => {
    expect(formatTopManifest({ shards: 4, id: '0123456789abcdef0123456789abcdef' }).toString()).toBe(
      'skein-data 1\nshards 4\nid 0123456789abcdef0123456789abcdef\ncrc32 f6fa8316\n',
    );
  });

  test('manifest of a shard', () => {
    const manifest = {
      base: { name: 'appendonly.aof.3.base.aof', sequence: 3 },
      increments: [
        { name: 'appendonly.aof.7.incr.aof', sequence: 7 },
        { name: 'a "b" c', sequence: 8 },
      ],
    };
    const text =
      'file appendonly.aof.3.base.aof seq 3 type b\n' +
      'file appendonly.aof.7.incr.aof seq 7 type i\n' +
      'file "a \\"b\\" c" seq 8 type i\n';
    expect(formatManifest(manifest).toString()).toBe(text);
    expect(parseManifest(Buffer.from(text))).toEqual(manifest);
    const odd = { base: null, increments: [{ name: ' file\n\t.aof .1.incr.aof', sequence: 1 }] };
    expect(formatManifest(odd).toString()).toBe('file " file\\n\\t.aof .1.incr.aof" seq 1 type i\n');
    expect(parseManifest(formatManifest(odd))).toEqual(odd);
    const later = parseManifest(Buffer.from('file "\\x41b" seq 1 type i newkey "new value"\n'));
    expect(later.increments).toEqual([{ name: 'Ab', sequence: 1 }]);
  });

  test('first line of a journal file', () => {
    const line = { shard: 1, shards: 4, start: 9007199254740991, salt: 0xdeadbeef };
    const text = '#SKEIN-AOF 1 1 4 9007199254740991 deadbeef 53656441\r\n';
    expect(formatFileLine(line).toString()).toBe(text);
    expect(parseFileLine(Buffer.from(`${text}more`))).toEqual({ line, bytes: text.length });
    expect(text.length).toBeLessThan(MAX_FILE_LINE_BYTES);
  });

  test('batches, records, marks', () => {
    const files = new MemoryFiles();
    const memory = createJournalMemory(2, { blockBytes: 256, chainBytes: 64 * 1024 });
    const journals = [0, 1].map((shard) => {
      const fd = files.open(`${shard}`, OPEN.create);
      openJournal(memory, shard, { position: 1e15 + shard, fd, fileBytes: 0, salt: 0x89abcdef, policy: POLICY.no });
      return new Journal(memory, shard, files);
    });
    const frame = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\x00\xff\r\n', 'latin1');
    journals[0].begin(1);
    journals[0].verbatim(0, frame, 0, frame.length);
    journals[0].publish();
    for (const journal of journals) {
      journal.begin(1);
      journal.transactionOpen();
      journal.command(12, 2);
      journal.argText('DEL');
      journal.argText('');
    }
    publishTransaction(journals);
    for (const journal of journals) {
      journal.drain();
      journal.seal();
    }
    expect(files.content('0').toString('latin1')).toBe(
      [
        '#SKEIN 0 1000000000000051 51 1000000000000000 - 77046d21\r\n',
        '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n',
        '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\x00\xff\r\n',
        '#SKEIN 0 1000000000000189 138 1000000000000000 72 be8391d9\r\n',
        '*1\r\n$5\r\nMULTI\r\n',
        '*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n',
        '*2\r\n$3\r\nDEL\r\n$0\r\n\r\n',
        '*1\r\n$4\r\nEXEC\r\n',
        '#SKEIN-TX 1000000000000051 0:1000000000000123 1:1000000000000073\r\n',
        '#SKEIN 0 1000000000000189 0 1000000000000000 - 9e5f8314\r\n',
      ].join(''),
    );
    expect(files.content('1').toString('latin1')).toBe(
      [
        '#SKEIN 1 1000000000000139 138 1000000000000001 72 aec87277\r\n',
        '*1\r\n$5\r\nMULTI\r\n',
        '*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n',
        '*2\r\n$3\r\nDEL\r\n$0\r\n\r\n',
        '*1\r\n$4\r\nEXEC\r\n',
        '#SKEIN-TX 1000000000000001 0:1000000000000123 1:1000000000000073\r\n',
        '#SKEIN 1 1000000000000139 0 1000000000000001 - 03b4e3a0\r\n',
      ].join(''),
    );
  });
});

describe('lines', () => {
  test('property: decimals and hexadecimals', () => {
    const bytes = Buffer.alloc(32);
    const check = (value: number): void => {
      expect(bytes.toString('latin1', 3, writeDecimal(bytes, 3, value))).toBe(String(value));
    };
    for (let power = 0; power < 16; power++)
      for (const near of [-1, 0, 1]) if (10 ** power + near >= 0) check(10 ** power + near);
    fc.assert(fc.property(fc.maxSafeNat(), check));
    fc.assert(
      fc.property(fc.nat(0xffffffff), (value) => {
        writeHex32(bytes, 0, value);
        expect(bytes.toString('latin1', 0, 8)).toBe(value.toString(16).padStart(8, '0'));
      }),
    );
  });

  test.each([
    '#SKEIN 0 10 5 0 - 0123456G\r\n',
    '#SKEIN 0 10 5 0 - 0123456A\r\n',
    '#SKEIN 0 10 05 0 - 01234567\r\n',
    '#SKEIN 0 10 11 0 - 01234567\r\n',
    '#SKEIN 0 10 5 0 5 01234567\r\n',
    '#SKEIN 0 10 5 0 01234567\r\n',
    '#SKEIN 0 10 5 0 - 01234567\n',
    '#SKEIN  0 10 5 0 - 01234567\r\n',
    '#SKEIN 0 10 5 -1 - 01234567\r\n',
  ])('not a header: %j', (text) => {
    expect(parseHeader(Buffer.from(text), 0, text.length)).toBe(null);
  });

  test('mark lines: several with the same start, nothing else', () => {
    const parse = (text: string): number[] | null => parseMarks(Buffer.from(text, 'latin1'), 7);
    expect(parse('#SKEIN-TX 7 0:10 3:12\r\n#SKEIN-TX 7 4:1\r\n*1\r\n')).toEqual([0, 10, 3, 12, 4, 1]);
    expect(parse('#SKEIN-TX 8 0:10\r\n')).toBe(null);
    expect(parse('#SKEIN-TX 7\r\n')).toBe(null);
    expect(parse('#SKEIN-TX 7 0:\r\n')).toBe(null);
    expect(parse('#SKEIN-TX 7 0:1')).toBe(null);
    expect(parse('*1\r\n')).toBe(null);
  });

  test.each([
    ['file a seq 1 type i', 'no end'],
    ['', 'Found an empty AOF manifest'],
    ['file a seq 1 type i\n\n', 'line 2: Invalid AOF manifest file format'],
    ['file a seq 1 type i newkey\n', 'line 1: Invalid AOF manifest file format'],
    ['file a seq 1 type x\n', 'line 1: Unknown AOF file type x'],
    [`file ${'a'.repeat(1100)} seq 1 type i\n`, 'line 1: The AOF manifest file contains too long line'],
    ['file a seq 1\n', 'line 1'],
    ['file a seq 1 type i\nfile b seq 1 type i\n', 'line 2: Found a non-monotonic sequence number'],
    [
      'file a seq 1 type b\nfile b seq 2 type b\nfile c seq 1 type i\n',
      'line 2: Found duplicate base file information',
    ],
    ['file ../a seq 1 type i\n', 'not the name of a file'],
    ['# nothing\n', 'names no increment'],
  ])('manifest %j is refused: %s', (text, problem) => {
    expect(() => parseManifest(Buffer.from(text))).toThrow(problem);
  });
});
