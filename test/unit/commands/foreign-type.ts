/** Makes an existing key look like one of another type, for the type checks of commands. */
import { TYPE_LIST, TYPE_SHIFT, WORD_META } from '../../../src/keyspace/entry.ts';
import type { InProcess } from './in-process.ts';

/** Turns the string `key` (database 0) into what passes for a list. Nothing may be done to its value afterwards. */
export function makeForeign(server: InProcess, key: string): void {
  for (const ks of server.access.spaces) {
    ks.forEach(0, (h) => {
      ks.key(h);
      if (ks.kBuf.toString('latin1', ks.kStart, ks.kEnd) !== key) return;
      ks.arena.i32[h >>> 26][((h & 0x3ffffff) << 2) + WORD_META] |= TYPE_LIST << TYPE_SHIFT;
    });
  }
}
