/**
 * A few snapshots of made-up data into no file, by which the background thread's code is compiled before it is needed. V8 compiles on the
 * cores that serve clients, for the better part of the first seconds: 99 of 100 commands took up to four times as long in a process's
 * first snapshot, and twice in its second.
 */
import { createSaveState } from '../admin/save-state.ts';
import type { Files } from '../env/files.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { RehearsalTask, SaveTask } from '../messages/background-tasks.ts';
import { ShardAccess } from '../shard/shard-access.ts';
import { createWorldMemory } from '../shard/world.ts';
import { saveInto } from './background-save.ts';

const ROUNDS = 10;
const KEYS = 10_000;
const MEMBERS = 5_000;
const ROOM_BYTES = 16 * 2 ** 20;
/** Every key of so many changes while a snapshot runs, every key of so many has a deadline. */
const CHANGES_EVERY = 16;
const EXPIRES_EVERY = 8;
/** The only thread of the world of its own. */
const THREAD = 1;
const FAR_MS = 2 ** 42;
const VALUE = Buffer.from('v'.repeat(16), 'latin1');

/** Takes everything, keeps nothing. */
const NOWHERE: Files = {
  open: () => 0,
  close() {},
  size: () => 0,
  readAt: () => 0,
  writeAt: (_fd, _buf, _offset, length) => length,
  writePartsAt: (_fd, parts) => parts.reduce((sum, part) => sum + part.length, 0),
  truncate() {},
  syncData() {},
  syncFolder() {},
  rename() {},
  remove() {},
  removeFolder() {},
  exists: () => false,
  list: () => [],
  makeFolder() {},
};

/** Runs until it is through, or no longer wanted. Returns how many snapshots it wrote. */
export function runRehearsal({ ended }: RehearsalTask): number {
  const world = createWorldMemory({ shards: 1, workers: 1, databases: 1, arenaBytes: ROOM_BYTES, hashKey: [1, 2] });
  const { spaces, pasts } = new ShardAccess(world, THREAD, THREAD);
  const [space] = spaces;
  for (let n = 0; n < KEYS; n++) setKey(space, n);
  addSortedSet(space);
  const stop = new Int32Array(ended);
  let round = 0;
  for (; round < ROUNDS && Atomics.load(stop, 0) === 0; round++) {
    const task: SaveTask = {
      world,
      thread: THREAD,
      files: [{ shards: [0], folder: '', workingName: '', finalName: '' }],
      roots: [[space.root(0)]],
      deadlines: [[space.deadlines(0)]],
      saves: createSaveState(0),
      rules: '',
      libraries: [],
      packs: true,
      withChecksum: true,
      aux: [],
    };
    pasts[0].begin();
    for (let n = 0; n < KEYS; n += CHANGES_EVERY) setKey(space, n);
    const { problem } = saveInto(NOWHERE, task);
    if (problem !== '') throw new Error(`rehearsal of a snapshot: ${problem}`);
  }
  return round;
}

function setKey(space: Keyspace, n: number): void {
  const key = Buffer.from(`key:${n}`, 'latin1');
  const hash = space.hasher.hash(key, 0, key.length);
  const old = space.find(0, hash, key, 0, key.length);
  const deadline = n % EXPIRES_EVERY === 0 ? FAR_MS : -1;
  space.setString(0, hash, key, 0, key.length, VALUE, 0, VALUE.length, deadline, old);
}

function addSortedSet(space: Keyspace): void {
  const { sortedSets } = space.values;
  sortedSets.create(MEMBERS, VALUE.length);
  for (let n = 0; n < MEMBERS; n++) {
    const member = Buffer.from(`m:${n}`, 'latin1');
    sortedSets.append(member, 0, member.length, n / 2);
  }
  const key = Buffer.from('sorted set', 'latin1');
  const hash = space.hasher.hash(key, 0, key.length);
  space.createStructure(0, hash, key, 0, key.length, TYPE_SORTED_SET, sortedSets.root, sortedSets.encoding, -1, 0);
}
