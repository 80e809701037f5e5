import { describe, expect, it } from 'vitest';
import { Args } from '../../../src/resp/args.ts';
import { RequestReader } from '../../../src/resp/request-reader.ts';

function read(text: string): { args: Args; input: Buffer } {
  const input = Buffer.from(`junk${text}`, 'latin1');
  const args = new Args();
  expect(new RequestReader().read(input, 4, input.length, args)).toBe(input.length);
  return { args, input };
}

const words = (args: Args) => Array.from({ length: args.count }, (_, i) => args.text(i));

describe('Args', () => {
  it('copies the arguments and their frame out of the buffer they lie in', () => {
    const text = '*2\r\n$3\r\nGET\r\n$4\r\nk\xff\r\n\r\n';
    const { args, input } = read(text);
    const own = args.copyOwned();
    input.fill(0);
    expect(words(own)).toEqual(['GET', 'k\xff\r\n']);
    expect(own.buf.toString('latin1', own.frameStart, own.frameEnd)).toBe(text);
    expect(own.buf.length).toBe(text.length);
  });

  it.each(['set "k y" v\r\n', 'set k v\r\n', '*1\rX$4\r\nPINGxx'])('copies what has no canonical frame: %j', (text) => {
    const { args, input } = read(text);
    const expected = words(args);
    const own = args.copyOwned();
    input.fill(0);
    expect(words(own)).toEqual(expected);
    expect(own.frameStart).toBe(-1);
  });

  it('copies no arguments', () => {
    expect(read('*0\r\n').args.copyOwned().count).toBe(0);
  });

  it('compares without regard to the case of letters only', () => {
    const { args } = read('*3\r\n$2\r\neX\r\n$2\r\nE8\r\n$2\r\n@[\r\n');
    expect(args.equalsIgnoreCase(0, 'ex')).toBe(true);
    expect(args.equalsIgnoreCase(1, 'ex')).toBe(false);
    expect(args.equalsIgnoreCase(0, 'e')).toBe(false);
    expect(args.equalsIgnoreCase(0, 'exx')).toBe(false);
    // '@' and '[' stand beside the letters, and their lower-case look-alikes are '`' and '{'
    expect(args.equalsIgnoreCase(2, '`{')).toBe(false);
    expect(args.equalsIgnoreCase(2, '@[')).toBe(true);
    expect(args.equals(1, Buffer.from('E8'))).toBe(true);
    expect(args.equals(1, Buffer.from('e8'))).toBe(false);
    expect(args.equals(1, Buffer.from('E'))).toBe(false);
  });

  it('grows and keeps what it has', () => {
    const args = new Args(2);
    args.starts.set([1, 2]);
    args.ends.set([3, 4]);
    args.grow(3);
    expect(args.starts.length).toBeGreaterThanOrEqual(3);
    expect([...args.starts.subarray(0, 2), ...args.ends.subarray(0, 2)]).toEqual([1, 2, 3, 4]);
  });

  it('is made of texts', () => {
    expect(words(Args.of('SET', '', 'v\xe9'))).toEqual(['SET', '', 'v\xe9']);
  });
});
