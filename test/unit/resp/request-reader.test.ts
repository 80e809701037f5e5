import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Args } from '../../../src/resp/args.ts';
import { NEED_MORE, PROTOCOL_ERROR, RequestReader } from '../../../src/resp/request-reader.ts';
import { type ModelLimits, modelStep } from './request-model.ts';

const ANY_LIMITS: ModelLimits = { authenticated: true, maxBulkBytes: 512 * 1024 * 1024 };

function frame(words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
}

function readerWith(limits: ModelLimits): RequestReader {
  const reader = new RequestReader();
  reader.authenticated = limits.authenticated;
  reader.maxBulkBytes = limits.maxBulkBytes;
  return reader;
}

/** What the reader says: one line per command, at last an error or what is left over. */
type Transcript = string[];

function described(args: Args): string {
  const words = Array.from({ length: args.count }, (_, i) => args.text(i));
  if (args.count === 0) return 'empty';
  if (args.frameStart < 0) return `loose ${JSON.stringify(words)}`;
  expect(args.buf.toString('latin1', args.frameStart, args.frameEnd)).toBe(frame(words));
  return `frame ${JSON.stringify(words)}`;
}

/** Reads all of the input, which arrives in pieces that end at `cuts`, as a connection would. */
function transcript(input: Buffer, cuts: number[], limits: ModelLimits): Transcript {
  const reader = readerWith(limits);
  const args = new Args(1);
  const out: Transcript = [];
  let kept = Buffer.alloc(0);
  let from = 0;
  for (const cut of [...cuts, input.length]) {
    // a new buffer and a new place in it each time: the reader may keep offsets only
    const shift = (cut * 7) % 5;
    const all = Buffer.concat([Buffer.alloc(shift, '*'), kept, input.subarray(from, cut), Buffer.from('$9\r\n')]);
    const end = all.length - 4;
    from = cut;
    let pos = shift;
    while (pos < end) {
      const next = reader.read(all, pos, end, args);
      if (next === PROTOCOL_ERROR) return [...out, `error ${reader.error}`];
      if (next === NEED_MORE) {
        expect(reader.needBytes).toBeGreaterThan(end - pos);
        break;
      }
      expect(next).toBeGreaterThan(pos);
      out.push(described(args));
      pos = next;
    }
    kept = Buffer.from(all.subarray(pos, end));
  }
  return [...out, `left ${JSON.stringify(kept.toString('latin1'))}`];
}

function modelTranscript(input: string, limits: ModelLimits): Transcript {
  const out: Transcript = [];
  for (;;) {
    const step = modelStep(input, limits);
    if (step === 'more') return [...out, `left ${JSON.stringify(input)}`];
    if ('error' in step) return [...out, `error ${step.error}`];
    const { words, canonical, end } = step;
    out.push(words.length === 0 ? 'empty' : `${canonical ? 'frame' : 'loose'} ${JSON.stringify(words)}`);
    input = input.slice(end);
  }
}

const byte = fc.oneof(
  fc.constantFrom(...'\r\n\0*$ "\'\\x019:-'),
  fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
);
const word = fc.array(byte, { maxLength: 12 }).map((bytes) => bytes.join(''));
const longWord = fc.integer({ min: 9, max: 1200 }).map((length) => 'v'.repeat(length));
const anyFrame = fc.array(fc.oneof({ weight: 5, arbitrary: word }, longWord), { maxLength: 14 }).map(frame);
const inlineLine = fc.tuple(word, fc.constantFrom('\n', '\r\n')).map(([text, end]) => text + end);
const oddity = fc.constantFrom(
  '*0\r\n',
  '*-1\r\n',
  '*-10\r\n',
  '\r\n',
  '\n',
  '*1\r\n$0\r\n\r\n',
  '*1\rX$1\rYaZZ',
  '*01\r\n',
  '*1\r\n$01\r\n',
  '*1\r\n$-1\r\n',
  '*+1\r\n',
  '*1\r\n:1\r\n',
  '*11\r\n',
  '*1\r\n$16385\r\n',
  '*2147483648\r\n',
  '*:\r\n',
  '*1\r\n$:\r\n',
  '*1\r\n$1:\r\n',
  '*-9223372036854775808\r\n',
  '*-9223372036854775809\r\n',
);
const pipeline = fc
  .array(fc.oneof({ weight: 6, arbitrary: anyFrame }, { weight: 2, arbitrary: inlineLine }, oddity), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join(''));
const limits = fc.record({ authenticated: fc.boolean(), maxBulkBytes: fc.constantFrom(1000, 512 * 1024 * 1024) });
/** A pipeline, sometimes with one byte replaced or the end missing. */
const input = fc.tuple(pipeline, fc.option(fc.tuple(fc.nat(), byte)), fc.option(fc.nat())).map(([text, fault, cut]) => {
  if (fault !== null) {
    const at = fault[0] % text.length;
    text = text.slice(0, at) + fault[1] + text.slice(at + 1);
  }
  return cut === null ? text : text.slice(0, cut % (text.length + 1));
});

describe('RequestReader', () => {
  it('reads as the model does, whole, byte by byte and cut anywhere', () => {
    fc.assert(
      fc.property(input, limits, fc.array(fc.nat(), { maxLength: 5 }), (text, allowed, somewhere) => {
        const bytes = Buffer.from(text, 'latin1');
        const expected = modelTranscript(text, allowed);
        const cuts = somewhere.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);
        expect(transcript(bytes, [], allowed)).toEqual(expected);
        expect(transcript(bytes, cuts, allowed)).toEqual(expected);
        if (bytes.length < 300)
          expect(
            transcript(
              bytes,
              Array.from(bytes, (_, i) => i),
              allowed,
            ),
          ).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });

  it('reads a pipeline cut once, at every point', () => {
    const text =
      frame(['SET', 'key', 'a\r\nb']) + frame(['PING']) + 'get "k\\x41"\r\n*0\r\n' + frame(Array(12).fill('x'));
    const bytes = Buffer.from(text, 'latin1');
    const expected = modelTranscript(text, ANY_LIMITS);
    for (let cut = 0; cut <= bytes.length; cut++) expect(transcript(bytes, [cut], ANY_LIMITS)).toEqual(expected);
  });

  it.each([
    ['*3000000000\r\n', 'Protocol error: invalid multibulk length'],
    ['*abc\r\n', 'Protocol error: invalid multibulk length'],
    ['*\r\n', 'Protocol error: invalid multibulk length'],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n', "Protocol error: expected '$', got 'f'"],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n', 'Protocol error: invalid bulk length'],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\n$blabla\r\n', 'Protocol error: invalid bulk length'],
    ['"foo"bar\r\n', 'Protocol error: unbalanced quotes in request'],
    ["'foo\r\n", 'Protocol error: unbalanced quotes in request'],
    [`*${'1'.repeat(65536)}`, 'Protocol error: too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(65536)}`, 'Protocol error: too big bulk count string'],
    ['x'.repeat(65537), 'Protocol error: too big inline request'],
    [`\0\n${'x'.repeat(65537)}`, 'Protocol error: too big inline request'],
    [`*\0\r\n${'x'.repeat(65537)}`, 'Protocol error: too big mbulk count string'],
  ])('refuses %.30j', (text, error) => {
    expect(transcript(Buffer.from(text, 'latin1'), [], ANY_LIMITS)).toEqual([`error ${error}`]);
  });

  it('keeps clients that have not authenticated within narrow limits', () => {
    const allowed = { ...ANY_LIMITS, authenticated: false };
    const refusal = (text: string) => transcript(Buffer.from(text), [], allowed)[0];
    expect(refusal(frame(Array(11).fill('x')))).toBe('error Protocol error: unauthenticated multibulk length');
    expect(refusal('*11\r\n')).toBe('error Protocol error: unauthenticated multibulk length');
    expect(refusal('*1\r\n$16385\r\n')).toBe('error Protocol error: unauthenticated bulk length');
    expect(refusal(frame(['x'.repeat(16385)]))).toBe('error Protocol error: unauthenticated bulk length');
    expect(refusal(frame(Array(10).fill('x')))).toMatch(/^frame/);
    expect(refusal(frame(['x'.repeat(16384)]))).toMatch(/^frame/);
  });

  it('waits for a line of 64 KiB and for no longer one', () => {
    const line = (bytes: number) => transcript(Buffer.from('x'.repeat(bytes)), [], ANY_LIMITS)[0];
    expect(line(65536)).toMatch(/^left/);
    expect(line(65537)).toMatch(/^error/);
    const whole = `${'x'.repeat(65536)}\n`;
    expect(transcript(Buffer.from(whole), [], ANY_LIMITS)[0]).toMatch(/^loose/);
  });

  it('says how many bytes a big argument needs, and does not reserve for arguments that are only announced', () => {
    const reader = new RequestReader();
    const args = new Args();
    const cut = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc');
    expect(reader.read(cut, 0, cut.length, args)).toBe(NEED_MORE);
    expect(reader.needBytes).toBe(cut.length - 3 + 1_000_002);
    const announced = new RequestReader();
    const many = Buffer.from('*1000000\r\n$1\r\na\r\n');
    expect(announced.read(many, 0, many.length, args)).toBe(NEED_MORE);
    expect(announced.needBytes).toBeLessThan(100);
    expect(args.starts.length).toBeLessThan(1000);
  });

  it('does not keep the room of a huge command for ever', () => {
    const args = new Args();
    const reader = new RequestReader();
    const huge = Buffer.from(frame(Array(200_000).fill('')));
    expect(reader.read(huge, 0, huge.length, args)).toBe(huge.length);
    expect([args.count, args.length(199_999)]).toEqual([200_000, 0]);
    const small = Buffer.from(frame(['PING']));
    expect(reader.read(small, 0, 5, args)).toBe(NEED_MORE);
    expect(reader.read(small, 0, small.length, args)).toBe(small.length);
    expect(args.text(0)).toBe('PING');
    expect(args.starts.length).toBeLessThan(100_000);
  });

  it('needs no more bytes once the big frame is there', () => {
    const args = new Args();
    const reader = new RequestReader();
    const big = Buffer.from(frame(['SET', 'k', 'x'.repeat(1_000_000)]));
    expect(reader.read(big, 0, 100, args)).toBe(NEED_MORE);
    expect(reader.needBytes).toBe(big.length);
    expect(reader.read(big, 0, big.length, args)).toBe(big.length);
    expect(reader.needBytes).toBe(0);
  });

  it('leaves no trace of a cut frame in the arguments of another connection', () => {
    const args = new Args();
    const [a, b] = [new RequestReader(), new RequestReader()];
    const whole = Buffer.from(frame(['SET', 'first', 'one']));
    const other = Buffer.from(frame(['GET', 'second']));
    expect(a.read(whole, 0, 25, args)).toBe(NEED_MORE);
    expect(b.read(other, 0, other.length, args)).toBe(other.length);
    expect(a.read(whole, 0, whole.length, args)).toBe(whole.length);
    expect([args.text(0), args.text(1), args.text(2)]).toEqual(['SET', 'first', 'one']);
  });

  it.each([
    ['many arguments', frame(Array(3000).fill('abc'))],
    ['one long argument', frame(['SET', 'k', 'v'.repeat(20_000)])],
    ['a long line', `${'word '.repeat(5000)}\n`],
  ])('looks at each byte a bounded number of times when a frame of %s comes byte by byte', (_, text) => {
    const bytes = Buffer.from(text);
    let looks = 0;
    const counted = new Proxy(bytes, {
      get(target, property) {
        looks++;
        return Reflect.get(target, property, target);
      },
    });
    const reader = new RequestReader();
    const args = new Args();
    for (let end = 1; end < bytes.length; end++) expect(reader.read(counted, 0, end, args)).toBe(NEED_MORE);
    expect(reader.read(counted, 0, bytes.length, args)).toBe(bytes.length);
    expect(looks).toBeLessThan(8 * bytes.length);
  });
});
