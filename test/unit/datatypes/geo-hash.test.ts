import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cellIndex,
  cellStart,
  coordinateText,
  distanceMeters,
  GeoPlace,
  geohashText,
  interleave,
  MAX_LATITUDE,
  MAX_LONGITUDE,
  scoreOf,
} from '../../../src/datatypes/geo-hash.ts';
import { GeoShape } from '../../../src/datatypes/geo-search.ts';

const longitude = fc.double({ min: -MAX_LONGITUDE, max: MAX_LONGITUDE, noNaN: true });
const latitude = fc.double({ min: -MAX_LATITUDE, max: MAX_LATITUDE, noNaN: true });

describe('geo hash', () => {
  it('interleaves as 64-bit integers would', () => {
    const slow = (lat: number, lon: number): bigint => {
      let bits = 0n;
      for (let i = 0n; i < 27n; i++) {
        bits |= ((BigInt(lat) >> i) & 1n) << (2n * i);
        bits |= ((BigInt(lon) >> i) & 1n) << (2n * i + 1n);
      }
      return bits;
    };
    const index = fc.oneof(fc.nat(2 ** 26 - 1), fc.constantFrom(0, 1, 2 ** 13 - 1, 2 ** 13, 2 ** 26 - 1));
    fc.assert(
      fc.property(index, index, (lat, lon) => {
        expect(BigInt(interleave(lat, lon))).toBe(slow(lat, lon));
      }),
    );
    expect(interleave(2 ** 26, 0)).toBe(2 ** 52);
  });

  it('decodes what is no score of a place as Redis on x86 does', () => {
    const placeOf = (score: number): number[] => {
      const place = new GeoPlace();
      place.decode(score);
      return [place.longitude, place.latitude];
    };
    const [west, south] = placeOf(0);
    expect([1e30, Number.POSITIVE_INFINITY, 2 ** 64].map(placeOf)).toEqual([1, 2, 3].map(() => [west, south]));
    for (const score of [Number.NEGATIVE_INFINITY, -1e30, -(2 ** 63), 2 ** 63])
      expect(placeOf(score)).toEqual([180, south]);
    for (const score of [-5, 1e17, -3e17, 1e18, 3.6e18]) expect(placeOf(score)).toEqual([180, MAX_LATITUDE]);
  });

  it('decodes a score to the middle of its cell', () => {
    const cell = 360 / 2 ** 26;
    fc.assert(
      fc.property(longitude, latitude, (lon, lat) => {
        const place = new GeoPlace();
        place.decode(scoreOf(lon, lat));
        expect(Math.abs(place.longitude - lon)).toBeLessThanOrEqual(cell);
        expect(Math.abs(place.latitude - lat)).toBeLessThanOrEqual(cell);
        const back = scoreOf(place.longitude, place.latitude);
        if (lon < MAX_LONGITUDE && lat < MAX_LATITUDE) expect(back).toBe(scoreOf(lon, lat));
      }),
    );
  });

  it('knows places and distances of the documentation', () => {
    expect(scoreOf(13.361389, 38.115556)).toBe(3479099956230698);
    expect(scoreOf(15.087269, 37.502669)).toBe(3479447370796909);
    const place = new GeoPlace();
    place.decode(3479099956230698);
    expect(coordinateText(place.longitude)).toBe('13.36138933897018433');
    expect(coordinateText(place.latitude)).toBe('38.11555639549629859');
    expect(geohashText(place)).toBe('sqc8b49rny0');
    expect(distanceMeters(13.361389338970184, 38.1155563954963, 15.087267458438873, 37.50266842333162)).toBeCloseTo(
      166274.1516,
      4,
    );
  });

  it('writes coordinates as C does, ties to the even digit', () => {
    expect(coordinateText(0)).toBe('0');
    expect(coordinateText(-0)).toBe('0');
    expect(coordinateText(180)).toBe('180');
    expect(coordinateText(-100)).toBe('-100');
    expect(coordinateText(0.5)).toBe('0.5');
    // 18 decimals that end in 5: to even
    expect(coordinateText(2 ** -18)).toBe('0.00000381469726562');
    expect(coordinateText(3 * 2 ** -18)).toBe('0.00001144409179688');
  });

  it('cells tile the range', () => {
    fc.assert(
      fc.property(longitude, fc.integer({ min: 1, max: 26 }), (lon, step) => {
        const index = cellIndex(lon, MAX_LONGITUDE, step);
        expect(cellStart(index, MAX_LONGITUDE, step)).toBeLessThanOrEqual(lon + 1e-9);
        if (lon < MAX_LONGITUDE) expect(cellStart(index + 1, MAX_LONGITUDE, step)).toBeGreaterThan(lon - 1e-9);
      }),
    );
  });
});

describe('geo search', () => {
  it('covers every place of the shape, each score by at most one range', () => {
    const near = fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true }));
    const shape = new GeoShape();
    fc.assert(
      fc.property(
        fc.double({ min: -170, max: 170, noNaN: true }),
        fc.double({ min: -60, max: 60, noNaN: true }),
        fc.constantFrom(1, 100, 1000, 50_000, 200_000),
        fc.boolean(),
        fc.array(near, { maxLength: 30 }),
        (lon, lat, meters, isBox, places) => {
          Object.assign(shape, {
            longitude: lon,
            latitude: lat,
            isBox,
            radius: meters,
            width: meters,
            height: meters / 2,
          });
          shape.meters = 1;
          shape.cover();
          for (const [dx, dy] of places) {
            const scale = meters / 100_000;
            const score = scoreOf(lon + dx * scale, lat + dy * scale);
            const ranges = shape.ranges.filter((range) => !range.isBelow(score) && !range.isAbove(score));
            expect(ranges.length).toBeLessThanOrEqual(1);
            if (shape.contains(score)) expect(ranges.length).toBe(1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
