/**
 * The server as the package has it (build.ts), for tests start hundreds of servers. Made once per run from the sources as they are, and
 * started by whatever tests do not plant faults (those name texts of the sources) or are told another server (server-command.ts).
 *
 * `node test/server/server-bundle.ts` makes it and prints the path of its entry.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuiltFile, bundle, writeBundle } from '../../build.ts';
import { PLANTED_CODE_CACHE } from '../faults/planted-server.ts';
import { SKEIN_FROM_SOURCE } from './server-command.ts';
import { ServerProcess, type StartOptions } from './server-process.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
/** Below node_modules, so that packages are found from there. One folder per content: runs at the same time may differ. */
const HOME = join(PROJECT, 'node_modules/.cache/skein-bundles');
const KEPT_MS = 24 * 3600 * 1000;

/** The entry's path. */
export async function bundleServer(): Promise<string> {
  const files = [...(await bundle()), { name: 'package.json', text: '{ "type": "module" }\n' }];
  const folder = join(HOME, createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16));
  if (!existsSync(folder)) place(folder, files);
  dropOld(folder);
  return join(folder, 'src/main.js');
}

/** As a whole, or somebody else has been faster. */
function place(folder: string, files: readonly BuiltFile[]): void {
  const making = `${folder}.${process.pid}`;
  writeBundle(making, files);
  try {
    renameSync(making, folder);
  } catch (error) {
    rmSync(making, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

function dropOld(used: string): void {
  const now = Date.now();
  utimesSync(used, now / 1000, now / 1000);
  for (const name of readdirSync(HOME)) {
    const folder = join(HOME, name);
    if (now - statSync(folder).mtimeMs > KEPT_MS) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * For vitest, before the first test. A server that ends in order leaves its compiled code for those after it; most servers of the tests
 * are killed, and on a fresh machine each of them would compile everything anew.
 */
export async function setup(): Promise<void> {
  if (process.env['SERVER_UNDER_TEST'] !== undefined) return;
  const main = await bundleServer();
  process.env['SKEIN_BUNDLE'] = main;
  const starts: StartOptions[] = [
    { command: { ...SKEIN_FROM_SOURCE, args: [main] } },
    { command: SKEIN_FROM_SOURCE, env: { NODE_COMPILE_CACHE: PLANTED_CODE_CACHE } },
  ];
  await Promise.all(starts.map(async (start) => (await ServerProcess.start(start)).stop()));
}

if (import.meta.main) process.stdout.write(`${await bundleServer()}\n`);
