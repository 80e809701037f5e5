import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Args } from '../../../src/resp/args.ts';
import { splitInline } from '../../../src/resp/inline-request.ts';
import { splitWords } from './request-model.ts';

function split(line: string): string[] | null {
  const buf = Buffer.from(`<<${line}>>`, 'latin1');
  const args = new Args(1);
  if (!splitInline(buf, 2, buf.length - 2, args)) return null;
  expect(args.frameStart).toBe(-1);
  return Array.from({ length: args.count }, (_, i) => args.text(i));
}

describe('splitInline', () => {
  it.each<[string, string[] | null]>([
    ['', []],
    [' \t\v\f\r ', []],
    ['set k v', ['set', 'k', 'v']],
    ['  set   k\tv  ', ['set', 'k', 'v']],
    ['a\vb \vc\f', ['a\vb', 'c\f']],
    ['"a b" c', ['a b', 'c']],
    ['""', ['']],
    ["''", ['']],
    ['x"a b"', ['xa b']],
    ["x'a b' y", ['xa b', 'y']],
    ['"\\n\\r\\t\\b\\a\\\\\\"\\q"', ['\n\r\t\b\x07\\"q']],
    ['"\\x41\\xfF\\x4g\\x"', ['A\xffx4gx']],
    ["'\\n\\'\"'", ['\\n\'"']],
    ["'\\\\'", null],
    ["'\\\\ '", ['\\\\ ']],
    ['"a"b', null],
    ["'a'b", null],
    ['"a', null],
    ["'a", null],
    ['"a\\"', null],
    ['"\\', null],
    ["'\\'", null],
    ['a\\ b', ['a\\', 'b']],
  ])('%j', (line, words) => {
    expect(split(line)).toEqual(words);
  });

  it('splits as the model does', () => {
    const character = fc.constantFrom(...'ab01fx\\\\\\"""\'\' \t\v\r', '\xff');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 24 }), (characters) => {
        const line = characters.join('');
        expect(split(line)).toEqual(splitWords(line));
      }),
      { numRuns: 5000 },
    );
  });
});
