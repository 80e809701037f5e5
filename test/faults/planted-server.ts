/** Start options of a server with planted faults: texts of its sources are replaced before it loads them (plant.ts). */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT_FOLDER, SKEIN, SKEIN_FROM_SOURCE } from '../server/server-command.ts';
import type { StartOptions } from '../server/server-process.ts';

/** A fault: `text`, which stands exactly once in a source file, gives way to `replacement`. */
export interface Plant {
  /** From the project's folder. */
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
}

/** Lets this thread work for nothing: makes the window of a race wide enough to be hit within seconds. */
export function busy(microseconds: number): string {
  return `{ const until = performance.now() + ${microseconds / 1000}; while (performance.now() < until); }`;
}

// A compile cache of its own: entries are checked against the source, so planted code is never taken for the real one, nor the
// other way round; but the real server's cache should not be filled with it.
export const PLANTED_CODE_CACHE = join(tmpdir(), 'skein-planted-code');

function replaced(source: string, { file, text, replacement }: Plant): string {
  const parts = source.split(text);
  // a fault that is not planted must not look like one that was not found
  if (parts.length !== 2) throw new Error(`plant: ${file} has ${parts.length - 1} times the text: ${text}`);
  return parts.join(replacement);
}

/** The module with its faults, as JavaScript: else each thread of each server would load the compiler for it, which takes it longest. */
function plantedModule(file: string, plants: readonly Plant[]): [string, string] {
  const source = readFileSync(join(PROJECT_FOLDER, file), 'utf8');
  return [`SKEIN_PLANTED ${file}`, stripTypeScriptTypes(plants.reduce(replaced, source))];
}

/** Skein with these plants, whatever the server under test is. Without plants it is as quick to start as any other. */
export function planted(plants: readonly Plant[], env: Readonly<Record<string, string>> = {}) {
  if (plants.length === 0) return { command: SKEIN, nodeOptions: [], env } satisfies StartOptions;
  const modules = Map.groupBy(plants, ({ file }) => file);
  const texts = Object.fromEntries([...modules].map(([file, here]) => plantedModule(file, here)));
  return {
    command: SKEIN_FROM_SOURCE,
    nodeOptions: ['--import', fileURLToPath(new URL('./plant.ts', import.meta.url))],
    env: { ...env, ...texts, NODE_COMPILE_CACHE: PLANTED_CODE_CACHE },
  } satisfies StartOptions;
}
