/** The append-only files of a server's data set, for tests that damage them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';

/** `describe` for tests that only make sense with Skein's files. */
export const describeSkein = describe.skipIf(serverUnderTest().kind === 'stock');

/** The last increment of a shard: the file that is appended to. */
export function lastIncrement(folder: string, shard: number): string {
  return increments(folder, shard)[0];
}

/** The increments of a shard that are there, the last one first. */
export function increments(folder: string, shard: number): string[] {
  const shardFolder = join(folder, 'appendonlydir', `shard-${shard}`);
  const names = readdirSync(shardFolder).filter((name) => name.endsWith('.incr.aof'));
  const sequence = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1]);
  return names.sort((a, b) => sequence(b) - sequence(a)).map((name) => join(shardFolder, name));
}

export const fileBytes = (path: string): number => statSync(path).size;

export function cutFile(path: string, bytes: number): void {
  truncateSync(path, bytes);
}

/** Changes one bit. */
export function flipBit(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] ^= 0x10;
  writeFileSync(path, bytes);
}

export function zeroBytes(path: string, from: number, to: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0, from, to);
  writeFileSync(path, bytes);
}

/** May this process mount? Where not, the tests that need it are left out, and somebody should know. */
export function canMount(): boolean {
  if (serverUnderTest().kind === 'stock') return false;
  const folder = mkdtempSync(join(tmpdir(), 'skein-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
  if (!mounted) process.stderr.write('no full disk, no read-only one: this machine lets us mount nothing\n');
  return mounted;
}
