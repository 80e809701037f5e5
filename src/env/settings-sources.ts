/** The world as the settings parser sees it: files, standard input, directories of this machine. */
import fs from 'node:fs';

/** Real path of an existing directory, relative ones being taken from the working directory; null if there is none. */
export function realDirectory(path: string): string | null {
  try {
    const real = fs.realpathSync(path);
    return fs.statSync(real).isDirectory() ? real : null;
  } catch {
    return null;
  }
}

/** What loadSettings (src/admin/settings-parser.ts) is given. */
export const systemSources = {
  readFile: (path: string): Uint8Array => fs.readFileSync(path),
  readStdin: (): Uint8Array => fs.readFileSync(0),
  listFiles: (pattern: string): string[] => fs.globSync(pattern).sort(),
  directory: realDirectory,
  cwd: process.cwd(),
};
