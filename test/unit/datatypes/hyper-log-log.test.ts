import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  denseRegister,
  ElementPlace,
  HeightHistogram,
  isHyperLogLog,
  REGISTERS,
  rememberCardinality,
  rememberedCardinality,
  setDenseRegister,
} from '../../../src/datatypes/hyper-log-log.ts';
import { HyperLogLogScratch } from '../../../src/datatypes/hyper-log-log-scratch.ts';
import {
  addSparse,
  RAISE,
  RunWalk,
  raiseToSparse,
  sparseRegister,
} from '../../../src/datatypes/hyper-log-log-sparse.ts';
import { MurmurHash64 } from '../../../src/datatypes/murmur-hash.ts';

const SEED = 0xadc83b19;

/** The hash as its author defines it, in 64 bits. */
function murmurModel(bytes: Buffer): bigint {
  const cut = (n: bigint) => BigInt.asUintN(64, n);
  const m = 0xc6a4a7935bd1e995n;
  let hash = cut(BigInt(SEED) ^ (BigInt(bytes.length) * m));
  const whole = bytes.length & ~7;
  for (let i = 0; i < whole; i += 8) {
    let word = cut(bytes.readBigUInt64LE(i) * m);
    word = cut((word ^ (word >> 47n)) * m);
    hash = cut((hash ^ word) * m);
  }
  let rest = 0n;
  for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8n) | BigInt(bytes[i]);
  if (whole < bytes.length) hash = cut((hash ^ rest) * m);
  hash = cut((hash ^ (hash >> 47n)) * m);
  return hash ^ (hash >> 47n);
}

test('MurmurHash64A in halves is the same number', () => {
  const murmur = new MurmurHash64(SEED);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (array, lead) => {
      const bytes = Buffer.concat([Buffer.alloc(lead, 7), array]);
      murmur.hash(bytes, lead, bytes.length);
      const own = (BigInt(murmur.high >>> 0) << 32n) | BigInt(murmur.low >>> 0);
      expect(own).toBe(murmurModel(Buffer.from(array)));
    }),
    { numRuns: 500 },
  );
});

test('the place of an element: 14 bits of the hash, then 1 + the zero bits that follow', () => {
  const place = new ElementPlace();
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(`element ${i}`);
    place.locate(bytes, 0, bytes.length);
    const hash = murmurModel(bytes);
    let height = 1;
    for (let rest = (hash >> 14n) | (1n << 50n); (rest & 1n) === 0n; rest >>= 1n) height++;
    expect([place.index, place.height]).toEqual([Number(hash & 16383n), height]);
  }
});

function heightsOf(scratch: HyperLogLogScratch): Uint8Array {
  const heights = new Uint8Array(REGISTERS);
  if (scratch.isDense) for (let i = 0; i < REGISTERS; i++) heights[i] = denseRegister(scratch.buf, 0, i);
  else expect(raiseToSparse(heights, scratch.buf, 0, scratch.length)).toBe(true);
  return heights;
}

describe('registers', () => {
  // neighbours, so that runs divide and join
  const index = fc.oneof(
    fc.integer({ min: 100, max: 130 }),
    fc.integer({ min: 0, max: REGISTERS - 1 }),
    fc.constant(0),
  );
  const height = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 1, max: 3 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 32 }) },
    { weight: 1, arbitrary: fc.integer({ min: 33, max: 51 }) },
  );

  test('sparse, dense and on the way from one to the other, are an array of heights', () => {
    const scratch = new HyperLogLogScratch();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(index, height), { maxLength: 150, size: 'max' }),
        fc.constantFrom(40, 120, 3000),
        (raises, most) => {
          const model = new Uint8Array(REGISTERS);
          scratch.clear();
          for (const [at, wanted] of raises) {
            if (!scratch.isDense) expect(sparseRegister(scratch.buf, 0, scratch.length, at)).toBe(model[at]);
            const isHigher = wanted > model[at];
            expect(scratch.raise(at, wanted, most)).toBe(isHigher ? RAISE.raised : RAISE.kept);
            if (isHigher) model[at] = wanted;
            if (!scratch.isDense) expect(scratch.length).toBeLessThanOrEqual(most);
            expect(isHyperLogLog(scratch.buf, 0, scratch.length)).toBe(true);
          }
          expect(Buffer.compare(heightsOf(scratch), model)).toBe(0);
          const histogram = new HeightHistogram();
          if (scratch.isDense) histogram.addDense(scratch.buf, 0);
          else addSparse(histogram, scratch.buf, 0, scratch.length);
          const direct = new HeightHistogram();
          direct.addHeights(model);
          expect(histogram.registers).toEqual(direct.registers);
        },
      ),
      { numRuns: 80 },
    );
  });

  test('equal neighbours become one run of up to four', () => {
    const scratch = new HyperLogLogScratch();
    scratch.clear();
    for (const at of [5, 6, 7, 8, 9]) scratch.raise(at, 2, 3000);
    const walk = new RunWalk();
    walk.start(scratch.buf, 0, scratch.length);
    const runs: number[][] = [];
    while (walk.next()) runs.push([walk.height, walk.length]);
    expect(runs).toEqual([
      [0, 5],
      [2, 4],
      [2, 1],
      [0, REGISTERS - 10],
    ]);
    expect(walk.isWhole()).toBe(true);
  });

  test('the last dense register ends with the value', () => {
    const bytes = Buffer.alloc(16 + 12288 + 1, 0xaa);
    setDenseRegister(bytes, 0, REGISTERS - 1, 63);
    expect(bytes[16 + 12288]).toBe(0xaa);
    expect(denseRegister(bytes.subarray(0, 16 + 12288), 0, REGISTERS - 1)).toBe(63);
  });

  test('damaged runs are noticed', () => {
    const scratch = new HyperLogLogScratch();
    const heights = new Uint8Array(REGISTERS);
    const damaged = (change: () => void) => {
      scratch.clear();
      change();
      const isSound = raiseToSparse(heights, scratch.buf, 0, scratch.length);
      expect(addSparse(new HeightHistogram(), scratch.buf, 0, scratch.length)).toBe(isSound);
      return !isSound;
    };
    expect(damaged(() => {})).toBe(false);
    expect(damaged(() => scratch.length--)).toBe(true);
    expect(damaged(() => (scratch.buf[scratch.length - 1] = 0))).toBe(true);
    expect(damaged(() => (scratch.buf[scratch.length++] = 0x80))).toBe(true);
    scratch.clear();
    scratch.buf[16] = 0x40;
    expect(scratch.raise(REGISTERS - 1, 3, 3000)).toBe(RAISE.damaged);
    expect(scratch.raise(REGISTERS - 1, 40, 3000)).toBe(RAISE.damaged);
  });
});

test('estimates are near the truth and remembered', () => {
  const scratch = new HyperLogLogScratch();
  const place = new ElementPlace();
  const histogram = new HeightHistogram();
  scratch.clear();
  for (let i = 1; i <= 20_000; i++) {
    const bytes = Buffer.from(`${i}`);
    place.locate(bytes, 0, bytes.length);
    scratch.raise(place.index, place.height, 3000);
    if (i !== 10 && i % 5000 !== 0) continue;
    histogram.clear();
    histogram.addHeights(heightsOf(scratch));
    expect(Math.abs(histogram.cardinality() - i)).toBeLessThanOrEqual(i * 0.03);
  }
  histogram.clear();
  histogram.registers[0] = REGISTERS;
  expect(histogram.cardinality()).toBe(0);
  rememberCardinality(scratch.buf, 0, 2 ** 40 + 5);
  expect(rememberedCardinality(scratch.buf, 0)).toBe(2 ** 40 + 5);
  scratch.forgetCardinality();
  expect(rememberedCardinality(scratch.buf, 0)).toBe(-1);
});
