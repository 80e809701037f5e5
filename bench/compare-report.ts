/** Medians, ratios and the two result files of a comparison. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Load, Sample } from './compare-measure.ts';

/** All samples of one load on one server. */
export interface Cell {
  readonly group: string;
  readonly server: string;
  readonly load: Load;
  readonly samples: Sample[];
}

export interface MemoryRow {
  readonly server: string;
  readonly keys: number;
  readonly valueBytes: number;
  readonly bytesPerKey: number;
}

/** used_memory that some data took. */
export interface DataRow {
  readonly server: string;
  readonly data: string;
  readonly bytes: number;
}

export interface Report {
  readonly cells: readonly Cell[];
  readonly memory: readonly MemoryRow[];
  readonly data: readonly DataRow[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function medians(samples: readonly Sample[]): Sample {
  const of = (field: keyof Sample) => median(samples.map((sample) => sample[field]));
  return { perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMicros: of('cpuMicros') };
}

function sameLoad(a: Cell, b: Cell): boolean {
  return a.group === b.group && JSON.stringify(a.load) === JSON.stringify(b.load);
}

function thousands(n: number): string {
  return n >= 1e6 ? `${(n / 1e6).toFixed(2)} M` : `${(n / 1e3).toFixed(1)} k`;
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Medians of each load on each server, and how many times stock's they are. */
export function throughputTable(cells: readonly Cell[]): string {
  const head = [
    'load',
    'server',
    'per second',
    '× redis',
    'lowest–highest',
    'p50 ms',
    'p99 ms',
    'CPU µs',
    'CPU × redis',
  ];
  const rows = cells.map((cell) => {
    const { load, samples } = cell;
    const own = medians(samples);
    const stock = cells.find((other) => other.server === 'redis' && sameLoad(other, cell));
    const redis = stock ? medians(stock.samples) : own;
    const rates = samples.map((sample) => sample.perSecond);
    return [
      `${cell.group} ${load.operation.toUpperCase()} -P ${load.pipeline} -d ${load.valueBytes}`,
      cell.server,
      thousands(own.perSecond),
      (own.perSecond / redis.perSecond).toFixed(2),
      `${thousands(Math.min(...rates))} – ${thousands(Math.max(...rates))}`,
      own.p50Ms.toFixed(3),
      own.p99Ms.toFixed(3),
      own.cpuMicros.toFixed(2),
      redis.cpuMicros > 0 ? (own.cpuMicros / redis.cpuMicros).toFixed(2) : '–',
    ];
  });
  return table(head, rows);
}

function memoryTable(rows: readonly MemoryRow[]): string {
  const stock = (row: MemoryRow) =>
    rows.find((other) => other.server === 'redis' && other.keys === row.keys && other.valueBytes === row.valueBytes);
  return table(
    ['keys', 'value bytes', 'server', 'bytes per key', '× redis'],
    rows.map((row) => [
      String(row.keys),
      String(row.valueBytes),
      row.server,
      row.bytesPerKey.toFixed(1),
      (row.bytesPerKey / (stock(row)?.bytesPerKey ?? row.bytesPerKey)).toFixed(2),
    ]),
  );
}

function dataTable(rows: readonly DataRow[]): string {
  const stock = (row: DataRow) => rows.find((other) => other.server === 'redis' && other.data === row.data);
  return table(
    ['data', 'server', 'MB', '× redis'],
    rows.map((row) => [
      row.data,
      row.server,
      (row.bytes / 1e6).toFixed(1),
      (row.bytes / (stock(row)?.bytes ?? row.bytes)).toFixed(2),
    ]),
  );
}

/** The report as Markdown. Groups come in the order they were measured, loads within a group side by side. */
export function markdown(title: string, report: Report): string {
  const parts = [`# ${title}`, `${cpus().length} CPUs shared by servers and load; Node ${process.version}; medians.`];
  const seen = new Set<Cell>();
  const ordered: Cell[] = [];
  for (const cell of report.cells) {
    for (const other of report.cells) {
      if (seen.has(other) || !sameLoad(cell, other)) continue;
      seen.add(other);
      ordered.push(other);
    }
  }
  if (ordered.length > 0) parts.push(throughputTable(ordered));
  if (report.memory.length > 0) parts.push(memoryTable(report.memory));
  if (report.data.length > 0) parts.push(dataTable(report.data));
  return `${parts.join('\n\n')}\n`;
}

/** Writes `<day>-<name>.md` and `.json` into bench/results. Returns the Markdown. */
export function writeReport(name: string, report: Report, settings: object): string {
  const day = new Date().toISOString().slice(0, 10);
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const text = markdown(`${name}, ${day}`, report);
  writeFileSync(new URL(`${day}-${name}.md`, folder), text);
  writeFileSync(new URL(`${day}-${name}.json`, folder), `${JSON.stringify({ settings, ...report }, null, 1)}\n`);
  return text;
}
