/** Where a stack's places are in the sources: the server may run from a bundle, whose files have the lines of many (build.ts). */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The end of a line of a stack: `file:///…/dist/src/net/acceptor-x.js:12:34`, perhaps with a bracket behind it. */
const PLACE = /(file:\/\/\S+?\.js):(\d+):(\d+)(?=\)?$)/gm;

/** What went wrong and where, as a log shows it. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? withSourcePlaces(error.stack ?? error.message) : String(error);
}

/**
 * The stack with `src/net/acceptor.ts:56:7` in place of places in files that have a source map beside them; others stay. Reads the maps when it is
 * called and not before: Node.js with its own support for them would read all of them in each thread at every start.
 */
function withSourcePlaces(stack: string): string {
  const maps = new Map<string, SourceMap | null>();
  return stack.replace(PLACE, (place, url: string, line: string, column: string) => {
    if (!maps.has(url)) maps.set(url, mapOf(url));
    const origin = maps.get(url)?.findOrigin(Number(line), Number(column));
    if (origin === undefined || !('fileName' in origin)) return place;
    return `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`;
  });
}

function mapOf(url: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    // no map is there: it is a source file, or a package's
    return null;
  }
}
