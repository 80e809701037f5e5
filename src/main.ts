#!/usr/bin/env node
/** The entry that stands in redis-server's place. Looks at the runtime first, so that an old Node gets one clear line. */
import { enableCompileCache } from 'node:module';

const [major, minor] = process.versions.node.split('.').map(Number);
if (!((major === 24 && minor >= 21) || (major === 26 && minor >= 6) || major > 26)) {
  process.stderr.write(
    `Skein needs Node.js 24.21 or later of 24, or 26.6 and later; this is ${process.versions.node}. Try: npx node src/main.ts\n`,
  );
  process.exit(1);
}
if (process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined) enableCompileCache();
const { startServer } = await import('../workers/acceptor.ts');
await startServer(process.argv.slice(2));
