/** Prints what the crash tests of this run have done, all files together (fault-tally.ts). */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function setup(): () => void {
  // one list for all projects
  if (process.env['SKEIN_FAULT_TALLY'] !== undefined) return () => {};
  const folder = mkdtempSync(join(tmpdir(), 'skein-tally-'));
  const path = join(folder, 'tally');
  process.env['SKEIN_FAULT_TALLY'] = path;
  return () => {
    if (existsSync(path)) process.stdout.write(summary(readFileSync(path, 'latin1')));
    rmSync(folder, { recursive: true, force: true });
  };
}

function summary(list: string): string {
  const counts = new Map<string, number>();
  for (const line of list.trimEnd().split('\n')) {
    const [count, kind] = [Number.parseInt(line, 10), line.slice(line.indexOf(' ') + 1)];
    counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  const checked = counts.get('acknowledged writes checked') ?? 0;
  counts.delete('acknowledged writes checked');
  const faults = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...counts].map(([kind, count]) => `  ${count} ${kind}\n`).join('');
  return `Crash tests: ${faults} faults injected, ${checked} acknowledged writes checked\n${kinds}`;
}
