/**
 * Plants faults into a server without a switch in the product: texts of its source files are replaced as they are loaded, in
 * the main thread and in the workers, which inherit node's own options.
 *
 *   SKEIN_PLANT='[{"file":"src/dispatch/executor.ts","text":"…","replacement":"…"}]' \
 *   node --import /absolute/path/of/test/faults/plant.ts src/main.ts
 *
 * The path must be absolute, for the server changes its folder before it starts threads. A text that is not there exactly
 * once ends the thread that loads the file: a fault that is not planted must not look like one that was not found.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Plant } from './planted-server.ts';

const plants = JSON.parse(process.env['SKEIN_PLANT'] ?? '[]') as Plant[];

function replaced(source: string, { file, text, replacement }: Plant): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`plant: ${file} has ${parts.length - 1} times the text: ${text}`);
  return parts.join(replacement);
}

registerHooks({
  load(url, context, nextLoad) {
    const here = plants.filter(({ file }) => url.startsWith('file:') && url.endsWith(`/${file}`));
    const loaded = nextLoad(url, context);
    if (here.length === 0) return loaded;
    return { ...loaded, source: here.reduce(replaced, readFileSync(fileURLToPath(url), 'utf8')) };
  },
});
