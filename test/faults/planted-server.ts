/** Start options of a server with planted faults (plant.ts). */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SKEIN_FROM_SOURCE } from '../server/server-command.ts';
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
const CODE_CACHE = join(tmpdir(), 'skein-planted-code');

/** Skein with these plants, whatever the server under test is. */
export function planted(plants: readonly Plant[], env: Readonly<Record<string, string>> = {}) {
  return {
    command: SKEIN_FROM_SOURCE,
    nodeOptions: ['--import', fileURLToPath(new URL('./plant.ts', import.meta.url))],
    env: { ...env, SKEIN_PLANT: JSON.stringify(plants), NODE_COMPILE_CACHE: CODE_CACHE },
  } satisfies StartOptions;
}
