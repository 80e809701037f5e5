import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  BINS,
  CONTROL_F64_BYTE,
  CONTROL_FIELDS,
  CTL_BIG_RUN,
  CTL_BIN_HEAD,
  CTL_BIN_PAGES,
  CTL_BIN_RUNS,
  CTL_CAPTURE,
  CTL_PARTIAL,
  F64_LIVE,
  F64_LIVE_BLOCKS,
  F64_PEAK,
  FREE_MAGIC,
  KIND_FREE,
  KIND_MASK,
  KIND_RUN,
  KIND_SLAB,
  PAGE_FREE_HEAD,
  PAGE_NEXT,
  PAGE_PREV,
  PAGE2_BUMP,
  PAGE2_LIVE,
  RUN_PAGES_SHIFT,
  SLAB_CLASS_SHIFT,
  SLAB_PAGE_SHIFT,
} from '../../native-free-shm/arena-layout.ts';
import { layoutDocument } from '../../native-free-shm/layout-doc.ts';
import { CLASS_COUNT, CLASS_GRANULES, CLASS_OF, MAX_SMALL_BYTES } from '../../native-free-shm/size-classes.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('layout', () => {
  it('LAYOUT.md is what layout-doc.ts prints', () => {
    expect(read('../../LAYOUT.md')).toBe(layoutDocument());
  });

  it('keeps the budget: 16-byte keys with values of 8, 64 and 256 bytes cost at most 57, 105 and 297 bytes', () => {
    const rows = [...layoutDocument().matchAll(/^\| (8|64|256) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|/gm)];
    expect(rows.map((row) => Number(row[2]))).toEqual([48, 96, 288]);
    for (let i = 0; i < 3; i++) expect(Number(rows[i][4])).toBeLessThanOrEqual([57, 105, 297][i]);
  });

  it('arena.ts repeats the numbers of arena-layout.ts', () => {
    const source = read('../../native-free-shm/arena.ts');
    const numbers: Record<string, number> = {
      CTL_BIG_RUN,
      CTL_CAPTURE,
      CTL_PARTIAL,
      LIVE: F64_LIVE,
      PEAK: F64_PEAK,
      LIVE_BLOCKS: F64_LIVE_BLOCKS,
      KIND: KIND_MASK,
      FREE: KIND_FREE,
      RUN: KIND_RUN,
      SLAB: KIND_SLAB,
      LENGTH_SHIFT: RUN_PAGES_SHIFT,
      CLASS_SHIFT: SLAB_CLASS_SHIFT,
      NEXT: PAGE_NEXT,
      PREV: PAGE_PREV,
      FREE_HEAD: PAGE_FREE_HEAD,
      SLAB_LIVE: PAGE2_LIVE,
      SLAB_BUMP: PAGE2_BUMP,
      FREE_MAGIC,
      MAX_SMALL: MAX_SMALL_BYTES,
    };
    for (const [name, value] of Object.entries(numbers)) {
      const found = new RegExp(`^const ${name} = (\\w+);`, 'm').exec(source);
      expect([name, Number(found?.[1])]).toEqual([name, value]);
    }
    expect(SLAB_PAGE_SHIFT).toBe(RUN_PAGES_SHIFT);
  });

  it('control areas do not overlap', () => {
    const starts = CONTROL_FIELDS.map((field) => field.at);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(new Set(starts).size).toBe(starts.length);
    expect(CTL_BIN_RUNS - CTL_BIN_HEAD).toBeGreaterThanOrEqual(BINS);
    expect(CTL_BIN_PAGES - CTL_BIN_RUNS).toBeGreaterThanOrEqual(BINS);
    expect(CTL_PARTIAL - CTL_BIN_PAGES).toBeGreaterThanOrEqual(BINS);
    expect((CTL_PARTIAL + CLASS_COUNT) * 4).toBeLessThanOrEqual(CONTROL_F64_BYTE);
  });

  it('every length up to the longest small block has the smallest class that holds it', () => {
    for (let granules = 1; granules <= MAX_SMALL_BYTES / 16; granules++) {
      const sizeClass = CLASS_OF[granules];
      expect(CLASS_GRANULES[sizeClass]).toBeGreaterThanOrEqual(granules);
      if (sizeClass > 0) expect(CLASS_GRANULES[sizeClass - 1]).toBeLessThan(granules);
    }
  });
});
