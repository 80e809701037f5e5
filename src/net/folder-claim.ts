/**
 * One server for each data set: who uses the append-only folder of a directory listens on a name for it that only one process of this
 * machine can have (a socket of Linux's abstract namespace). It needs no file, and goes away with the process however that ends.
 * Servers in different network namespaces, or of other machines on a shared disk, are not told apart.
 */
import { mkdirSync, statSync } from 'node:fs';
import net from 'node:net';
import { basename } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Place } from '../persistence/data-set.ts';
import { CLAIMS, PROCESS } from '../shard/world.ts';

/** Sockets that are held to the end of the process. */
const held: net.Server[] = [];

/** Two paths to one directory are one name. */
function nameOf({ parent, folder }: Place): string {
  mkdirSync(parent, { recursive: true });
  const { dev, ino } = statSync(parent, { bigint: true });
  return `skein:${dev}:${ino}:${basename(folder)}`;
}

/** Claims a place, unless some thread of this process has done so; null, or why it cannot be had. `process`: the process words. */
export function claimOnce(process: Int32Array, place: Place): string | null {
  const number = claimNumber(place);
  if (!process.subarray(PROCESS.claims, PROCESS.claims + CLAIMS).includes(number)) {
    const problem = claimFolder(place);
    if (problem !== null) return problem;
  }
  noteClaim(process, number);
  return null;
}

/** Notes for all threads that a place is this process's, and the last one that it has turned to. Past the room for them it is not noted. */
export function noteClaim(process: Int32Array, number: number): void {
  for (let at = PROCESS.claims; at < PROCESS.claims + CLAIMS; at++) {
    const there = Atomics.compareExchange(process, at, 0, number);
    if (there === 0 || there === number) break;
  }
  process[PROCESS.claimedPlace] = number;
}

/** Is this the place that the process has turned to last, where its journal is if it has one? */
export function isClaimed(process: Int32Array, place: Place): boolean {
  return process[PROCESS.claimedPlace] === claimNumber(place);
}

/** Number of a place that is claimed, never 0: what threads of one process tell each other. */
export function claimNumber(place: Place): number {
  return crc32(nameOf(place)) | 1;
}

/** Claims a place for this process, to its end; null, or why that cannot be. */
export function claimFolder(place: Place): string | null {
  if (process.platform !== 'linux') return null;
  const server = net.createServer((socket) => socket.destroy());
  server.unref();
  // the name is taken, or not, before `listen` returns; the event that says so comes later
  server.on('error', () => {});
  server.listen(`\0${nameOf(place)}`);
  if (!server.listening)
    return `The data in ${place.folder} are in use by another server. Stop it, or choose another dir.`;
  held.push(server);
  return null;
}
