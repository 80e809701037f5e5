/**
 * Which programs the process tests start: the server under test, and stock redis-server as the oracle.
 *
 * `SERVER_UNDER_TEST='redis-server'` runs every test against stock itself: the tests must be green then, too.
 * `SERVER_UNDER_TEST='node src/main.ts'` starts every server from its sources, as tests with planted faults always do.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface ServerCommand {
  /** `skein` understands Skein's own options, `stock` does not. */
  readonly kind: 'skein' | 'stock';
  readonly program: string;
  readonly args: readonly string[];
}

export const PROJECT_FOLDER = fileURLToPath(new URL('../../', import.meta.url));

export const STOCK: ServerCommand = { kind: 'stock', program: 'redis-server', args: [] };
/** As in `npm start`. */
export const SKEIN_FROM_SOURCE: ServerCommand = {
  kind: 'skein',
  program: process.execPath,
  args: [`${PROJECT_FOLDER}src/main.ts`],
};
const bundle = process.env['SKEIN_BUNDLE'];
/** From the same sources, put together for this run (server-bundle.ts). */
export const SKEIN: ServerCommand = bundle ? { ...SKEIN_FROM_SOURCE, args: [bundle] } : SKEIN_FROM_SOURCE;

/** The server under test: Skein, unless the environment names another one. */
export function serverUnderTest(): ServerCommand {
  const named = process.env['SERVER_UNDER_TEST']?.trim();
  if (!named) return SKEIN;
  const [program, ...args] = named.split(/\s+/);
  return { kind: program.endsWith('redis-server') ? 'stock' : 'skein', program, args };
}

/** True where the program can be started by this name. */
export function isInstalled(program: string): boolean {
  return program.includes('/') ? existsSync(program) : spawnSync(program, ['--version']).error === undefined;
}
