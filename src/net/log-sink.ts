/** Where lines of the log go: a file, or standard output. Whatever happens to it, the server goes on. */
import { writeFileSync, writeSync } from 'node:fs';

/** `path` empty: standard output. */
export function logSink(path: string): (line: string) => void {
  return (line) => {
    try {
      if (path === '') writeSync(1, line);
      else writeFileSync(path, line, { flag: 'a' });
    } catch {
      // nobody reads it, or it cannot be written: no reason to stop
    }
  };
}
