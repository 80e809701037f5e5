/**
 * The longest common subsequence of two byte ranges: its length, or the way to read it off.
 *
 * Row by row over the table of lengths: length(i, j) belongs to the first i bytes of a and the first j bytes of b. Only one
 * row is kept. For reading the subsequence off, one bit per cell remembers which neighbour was longer; 32 times smaller than the
 * table itself.
 */

import { showProgress } from '../../native-free-shm/heartbeats.ts';

export interface ByteRange {
  buf: Buffer;
  start: number;
  end: number;
}

/** Length of the longest common subsequence. Time a × b, memory b. */
export function commonLength(a: ByteRange, b: ByteRange): number {
  const width = b.end - b.start;
  const row = new Uint32Array(width + 1);
  for (let i = a.start; i < a.end; i++) fillRow(row, a.buf[i], b, width);
  return row[width];
}

/** Turns the row of length(i - 1, ·) into that of length(i, ·), `byte` being byte i of a. */
function fillRow(row: Uint32Array, byte: number, b: ByteRange, width: number): void {
  showProgress();
  const { buf, start } = b;
  let diagonal = 0;
  let left = 0;
  for (let j = 1; j <= width; j++) {
    const up = row[j];
    left = buf[start + j - 1] === byte ? diagonal + 1 : up > left ? up : left;
    row[j] = left;
    diagonal = up;
  }
}

/** As fillRow; besides sets the bit of each cell whose upper neighbour is longer than its left one, from `bitsStart` on. */
function fillRowAndBits(row: Uint32Array, byte: number, b: ByteRange, width: number, up: Uint8Array, upStart: number) {
  showProgress();
  const { buf, start } = b;
  let diagonal = 0;
  let left = 0;
  for (let j = 1; j <= width; j++) {
    const above = row[j];
    if (above > left) {
      up[upStart + (j >> 3)] |= 1 << (j & 7);
      left = buf[start + j - 1] === byte ? diagonal + 1 : above;
    } else if (buf[start + j - 1] === byte) {
      left = diagonal + 1;
    }
    row[j] = left;
    diagonal = above;
  }
}

/** A longest common subsequence as runs of neighbouring bytes that match, the last run first. */
export interface CommonRuns {
  length: number;
  /** Per run three numbers: where it begins in a, where it begins in b, how many bytes it has. */
  runs: number[];
}

/**
 * A longest common subsequence. Among several it is the one that is found when the table is read from its end, a step to the
 * left (in b) being preferred where both neighbours are equally long. Time a × b, memory a × b / 8.
 */
export function commonRuns(a: ByteRange, b: ByteRange): CommonRuns {
  const height = a.end - a.start;
  const width = b.end - b.start;
  const rowBytes = (width >> 3) + 1;
  const up = new Uint8Array(rowBytes * height);
  const row = new Uint32Array(width + 1);
  for (let i = 0; i < height; i++) fillRowAndBits(row, a.buf[a.start + i], b, width, up, rowBytes * i);
  return { length: row[width], runs: readRuns(a, b, up, rowBytes) };
}

function readRuns(a: ByteRange, b: ByteRange, up: Uint8Array, rowBytes: number): number[] {
  const runs: number[] = [];
  let run = 0;
  let i = a.end - a.start;
  let j = b.end - b.start;
  while (i > 0 && j > 0) {
    if (a.buf[a.start + i - 1] === b.buf[b.start + j - 1]) {
      run++;
      i--;
      j--;
      continue;
    }
    if (run > 0) runs.push(i, j, run);
    run = 0;
    if ((up[rowBytes * (i - 1) + (j >> 3)] & (1 << (j & 7))) !== 0) i--;
    else j--;
  }
  if (run > 0) runs.push(i, j, run);
  return runs;
}
