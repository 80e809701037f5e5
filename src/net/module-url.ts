import { extname } from 'node:path';

/**
 * URL of a module beside or above this one, given without its ending: `.ts` when run from source, `.js` when run from the
 * bundle (build.ts), which leaves such URLs as they are.
 */
export function moduleUrl(path: string, base: string, baseFile: string): URL {
  return new URL(path + extname(baseFile), base);
}
