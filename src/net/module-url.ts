import { extname } from 'node:path';

/**
 * URL of a module beside or above this one, given without its ending: `.ts` when run from source, `.js` when run from the
 * compiled package (tsc does not rewrite such URLs).
 */
export function moduleUrl(path: string, base: string, baseFile: string): URL {
  return new URL(path + extname(baseFile), base);
}
