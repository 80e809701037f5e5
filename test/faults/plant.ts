/**
 * Gives a server that runs from its sources other texts for some of its modules, without a switch in the product: in the main thread and in
 * the workers, which inherit node's own options (planted-server.ts says which texts).
 *
 *   'SKEIN_PLANTED src/dispatch/executor.ts'='…' node --import /absolute/path/of/test/faults/plant.ts src/main.ts
 *
 * The path must be absolute, for the server changes its folder before it starts threads.
 */
import { registerHooks } from 'node:module';

const PREFIX = 'SKEIN_PLANTED ';
const texts = new Map<string, string>();
for (const [name, text] of Object.entries(process.env))
  if (name.startsWith(PREFIX) && text !== undefined)
    texts.set(new URL(`../../${name.slice(PREFIX.length)}`, import.meta.url).href, text);

registerHooks({
  load(url, context, nextLoad) {
    const source = texts.get(url);
    return source === undefined ? nextLoad(url, context) : { format: 'module', source, shortCircuit: true };
  },
});
