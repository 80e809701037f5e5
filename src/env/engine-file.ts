/** The bytes of the script engine: a WebAssembly module out of the package lua-redis-wasm. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Reads the module from the package's folder. */
export function readEngineFile(): Buffer {
  const entry = createRequire(import.meta.url).resolve('lua-redis-wasm');
  return readFileSync(join(dirname(entry), 'redis_lua.wasm'));
}
