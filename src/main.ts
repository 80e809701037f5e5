#!/usr/bin/env node
/** The entry that stands in redis-server's place. Looks at the runtime first, so that an old Node gets one clear line. */
// as a whole: where an old Node lacks a name, an import by name would end with a stack instead of the line below
import nodeModule from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [major, minor] = process.versions.node.split('.').map(Number);
if (!((major === 24 && minor >= 21) || (major === 26 && minor >= 6) || major > 26)) {
  // in the repository there is a fitting one, beside the package there is none
  const hint = import.meta.url.endsWith('.ts') ? ' Try: npx node src/main.ts' : '';
  process.stderr.write(
    `Skein needs Node.js 24.21 or later of 24, or 26.6 and later; this is ${process.versions.node}.${hint}\n`,
  );
  process.exit(1);
}
if (process.argv[2] === 'check') {
  const { runCheck } = await import('../workers/check.ts');
  process.exit(runCheck(process.argv.slice(3)));
}
const { hugePagesOnRequest } = await import('./env/huge-pages.ts');

// What has to stand in the environment before a process starts. The process goes on under its own id.
// - The C library asks for huge pages behind the shared memory: random reads over a large data set then miss the address cache far less.
// - Compiled code is kept on disk for all threads, and not only for what the first one loads from now on.
const wanted: Record<string, string> = {};
const { env } = process;
if (env['GLIBC_TUNABLES'] === undefined && env['SKEIN_HUGE_PAGES'] !== 'no' && hugePagesOnRequest())
  wanted['GLIBC_TUNABLES'] = 'glibc.malloc.hugetlb=1';
if (env['NODE_COMPILE_CACHE'] === undefined && env['NODE_DISABLE_COMPILE_CACHE'] === undefined)
  wanted['NODE_COMPILE_CACHE'] = join(tmpdir(), 'node-compile-cache');
if (Object.keys(wanted).length > 0 && typeof process.execve === 'function') {
  const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...env, ...wanted });
}
const { favourInlining, startWithYoungRoom } = await import('./env/compiler.ts');
favourInlining();
startWithYoungRoom();
const { findModulesByPath } = await import('./env/source-modules.ts');
findModulesByPath(import.meta.filename);
// for systems on which a process cannot start over
if (env['NODE_DISABLE_COMPILE_CACHE'] === undefined) nodeModule.enableCompileCache();
const { startServer } = await import('../workers/acceptor.ts');
await startServer(process.argv.slice(2));
