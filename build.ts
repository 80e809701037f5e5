/**
 * The server in some twenty files instead of hundreds: each thread loads most of its modules, one by one, and that is most of what a start costs.
 *
 * `npm run build` writes it into dist/, which the package ships; tests and Redis's suite start a bundle of their own, made the same way
 * (test/server/server-bundle.ts). Modules keep their place relative to each other: a thread's entry is found from the chunk that starts it.
 * Beside each file lies its source map, by which crash reports name the sources (src/net/source-places.ts).
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const PROJECT = import.meta.dirname;
/** What is started by its path: the program, and a file for each kind of thread. */
const ENTRIES = [
  'src/main',
  'workers/shard',
  'workers/journal',
  'workers/sync-lane',
  'workers/background',
  'workers/check',
];

export interface BuiltFile {
  /** From the bundle's folder, with `/`. */
  readonly name: string;
  readonly text: string;
}

/** The files of the bundle, in the same order for the same sources. */
export async function bundle(): Promise<BuiltFile[]> {
  const { dependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const build = await rolldown({
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(PROJECT, `${entry}.ts`)])),
    platform: 'node',
    external: [/^node:/, ...Object.keys(dependencies)],
  });
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    // modules name the threads' entries from where they lie themselves
    chunkFileNames: 'src/net/[name]-[hash].js',
    sourcemap: true,
    sourcemapExcludeSources: true,
  });
  await build.close();
  return output.map((part) => ({ name: part.fileName, text: part.type === 'chunk' ? part.code : String(part.source) }));
}

/** Writes files into a folder that does not exist yet. */
export function writeBundle(folder: string, files: readonly BuiltFile[]): void {
  for (const { name, text } of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Nothing of an earlier build stays, and a build that fails leaves that one alone. */
async function build(folder: string): Promise<void> {
  const files = await bundle();
  const making = `${folder}.${process.pid}`;
  writeBundle(making, files);
  rmSync(folder, { recursive: true, force: true });
  renameSync(making, folder);
}

if (import.meta.main) await build(join(PROJECT, 'dist'));
