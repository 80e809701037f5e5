/** Start options of a server with planted faults (plant.ts). */
import { fileURLToPath } from 'node:url';
import { SKEIN } from '../server/server-command.ts';
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

/** Skein with these plants, whatever the server under test is. */
export function planted(plants: readonly Plant[], env: Readonly<Record<string, string>> = {}) {
  return {
    command: SKEIN,
    nodeOptions: ['--import', fileURLToPath(new URL('./plant.ts', import.meta.url))],
    env: { ...env, SKEIN_PLANT: JSON.stringify(plants), NODE_DISABLE_COMPILE_CACHE: '1' },
  } satisfies StartOptions;
}
