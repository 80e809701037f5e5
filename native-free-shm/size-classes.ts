/**
 * Size classes of blocks up to 16 KiB; longer blocks are runs of whole pages.
 *
 *   16 … 512     in steps of 16                           32 classes
 *   … 4096       8 per doubling                           24 classes
 *   … 16384      65536/n for n = 15 … 4, rounded down     12 classes: a slab of 64 KiB is filled without a rest
 *
 * Invariant 1: class sizes are multiples of 16 and ascend; CLASS_OF[granules] is the smallest class that holds them.
 */
import { GRANULE_BYTES, PAGE_BYTES, SLAB_BYTES } from './arena-layout.ts';

function classSizes(): number[] {
  const sizes: number[] = [];
  for (let bytes = 16; bytes <= 512; bytes += 16) sizes.push(bytes);
  for (let from = 512; from < 4096; from *= 2) {
    for (let step = 1; step <= 8; step++) sizes.push(from + (from / 8) * step);
  }
  for (let blocks = 15; blocks >= 4; blocks--)
    sizes.push(Math.floor(SLAB_BYTES / blocks / GRANULE_BYTES) * GRANULE_BYTES);
  return sizes;
}

const SIZES = classSizes();
export const CLASS_COUNT = SIZES.length;
/** Longest block that lies in a slab, in bytes. */
export const MAX_SMALL_BYTES = SIZES[CLASS_COUNT - 1];
/** Block size of each class, in bytes. */
export const CLASS_BYTES = new Int32Array(SIZES);
export const CLASS_GRANULES = CLASS_BYTES.map((bytes) => bytes / GRANULE_BYTES);
export const CLASS_BLOCKS = CLASS_BYTES.map((bytes) => Math.floor(SLAB_BYTES / bytes));
/** Class by number of granules, 0 … MAX_SMALL_BYTES / 16. */
export const CLASS_OF = buildClassOf();

function buildClassOf(): Uint8Array {
  const table = new Uint8Array(MAX_SMALL_BYTES / GRANULE_BYTES + 1);
  let sizeClass = 0;
  for (let granules = 1; granules < table.length; granules++) {
    if (granules > CLASS_GRANULES[sizeClass]) sizeClass++;
    table[granules] = sizeClass;
  }
  return table;
}

/**
 * Highest ratio of the share of a slab (or of the pages of a run) that a block takes to the bytes that were asked for, where a
 * request counts as 16 bytes at least.
 */
export const WORST_INFLATION = worstInflation();

function worstInflation(): number {
  let worst = (5 * PAGE_BYTES) / (MAX_SMALL_BYTES + 1);
  for (let i = 0; i < CLASS_COUNT; i++) {
    const least = i === 0 ? GRANULE_BYTES : CLASS_BYTES[i - 1] + 1;
    worst = Math.max(worst, SLAB_BYTES / CLASS_BLOCKS[i] / least);
  }
  return worst;
}
