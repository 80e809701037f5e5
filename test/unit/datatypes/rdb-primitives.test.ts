import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Crc64 } from '../../../src/datatypes/crc64.ts';
import { lzfCompress, lzfExpand } from '../../../src/datatypes/lzf.ts';

function crcOf(bytes: Buffer): string {
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length);
  const out = Buffer.alloc(8);
  crc.writeTo(out, 0);
  expect(crc.equals(out, 0)).toBe(true);
  return out.reverse().toString('hex');
}

/** Bit by bit over the definition. */
function plainCrc(bytes: Buffer): string {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  return crc.toString(16).padStart(16, '0');
}

describe('the CRC-64', () => {
  test('of blocks that several sum up, each with zeros for the others, is that of the whole', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 150 }),
        (array, of, blockBytes) => {
          const bytes = Buffer.from(array);
          let [low, high] = [0, 0];
          for (let part = 0; part < of; part++) {
            const crc = new Crc64();
            for (let block = 0; block * blockBytes < bytes.length; block++) {
              const end = Math.min((block + 1) * blockBytes, bytes.length);
              if (block % of === part) crc.update(bytes, block * blockBytes, end);
              else crc.skip(end - block * blockBytes);
            }
            low ^= crc.low;
            high ^= crc.high;
          }
          const whole = new Crc64();
          whole.update(bytes, 0, bytes.length);
          expect([low, high]).toEqual([whole.low, whole.high]);
        },
      ),
    );
  });

  test('skips as far as the largest files are long', () => {
    const [near, far] = [new Crc64(), new Crc64()];
    near.low = far.low = 0x1234567;
    far.skip(2 ** 40 + 12_345);
    for (let i = 0; i < 2 ** 8; i++) near.skip(2 ** 32);
    near.update(Buffer.alloc(12_345), 0, 12_345);
    expect([near.low, near.high]).toEqual([far.low, far.high]);
  });

  test('has its known value', () => {
    expect(crcOf(Buffer.from('123456789'))).toBe('e9c6d914c4b8d9ca');
  });

  test('is that of the definition, also in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), (array, cut) => {
        const bytes = Buffer.from(array);
        expect(crcOf(bytes)).toBe(plainCrc(bytes));
        const crc = new Crc64();
        const middle = Math.min(cut, bytes.length);
        crc.update(bytes, 0, middle);
        crc.update(bytes, middle, bytes.length);
        const out = Buffer.alloc(8);
        crc.writeTo(out, 0);
        expect(out.reverse().toString('hex')).toBe(plainCrc(bytes));
      }),
    );
  });
});

describe('LZF', () => {
  const texts = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.array(fc.constantFrom(1, 2, 3), { maxLength: 2000 }).map((a) => Uint8Array.from(a)),
    fc.tuple(fc.nat(20000), fc.nat(255)).map(([n, byte]) => new Uint8Array(n).fill(byte)),
  );

  test('gives back what it took', () => {
    let shorter = 0;
    fc.assert(
      fc.property(texts, (array) => {
        const bytes = Buffer.from(array);
        const packed = Buffer.alloc(Math.max(bytes.length - 4, 1));
        const length = lzfCompress(bytes, 0, bytes.length, packed);
        if (length === 0 || bytes.length <= 4) return;
        shorter++;
        const back = Buffer.alloc(bytes.length);
        expect(lzfExpand(packed, 0, length, back, bytes.length)).toBe(true);
        expect(back.equals(bytes)).toBe(true);
      }),
    );
    expect(shorter).toBeGreaterThan(10);
  });

  test('never writes or reads beyond its buffers, whatever it is given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(300), (array, length) => {
        const out = Buffer.alloc(length + 8, 7);
        lzfExpand(Buffer.from(array), 0, array.length, out, length);
        expect(out.subarray(length).every((byte) => byte === 7)).toBe(true);
      }),
    );
  });
});
