/**
 * Turning the journal on and off while the server runs (CONFIG SET appendonly). On: under the latches of all shards a new data
 * set is made whose bases hold what is in memory; the one that was there, which nobody has journalled to, goes away after that.
 */
import type { SettingsStore } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
import { DurabilityRules } from '../dispatch/durability-rules.ts';
import { closeQuietly } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, JournalWords, openJournal, POLICY, type Policy } from '../journal/journal-memory.ts';
import { journalPolicies } from '../journal/journal-policies.ts';
import { type Place, replaceDataSet } from '../persistence/data-set.ts';
import { recoverShards, startOf } from '../persistence/recovery.ts';
import { rulesText } from '../shard/rules-text.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { underAllLatches, underAllLatchesSoon } from './all-latches.ts';
import { dumpKeyspace } from './keyspace-dump.ts';
import { patientFiles } from './patient-files.ts';

export const CANNOT_WRITE = 'the journal cannot be written';

/** The policies that the settings ask for, as if the journal were on. */
export function wantedPolicies(settings: SettingsStore, shards: number): Policy[] {
  return journalPolicies({
    appendonly: true,
    appendfsync: enumWord('appendfsync', settings.number('appendfsync')),
    shardPolicies: settings.text('shard-appendfsync'),
    shards,
  });
}

/** Turns the journal on in `place`, replacing what is there; null, or why it cannot be. */
export function turnJournalOn(
  place: Place,
  access: ShardAccess,
  memory: JournalMemory,
  policies: Policy[],
): string | null {
  try {
    underAllLatches(access, () =>
      begin(place, access, memory, policies, new DurabilityRules(rulesText(access.process))),
    );
    return null;
  } catch (error) {
    return giveUp(access, memory, error);
  }
}

/** The same on the acceptor, whose event loop goes on until it has the latches, and for all keys: no rule leaves any out. */
export async function turnJournalOnSoon(
  place: Place,
  access: ShardAccess,
  memory: JournalMemory,
  policies: Policy[],
): Promise<string | null> {
  try {
    await underAllLatchesSoon(access, () => begin(place, access, memory, policies, new DurabilityRules('')));
    return null;
  } catch (error) {
    return giveUp(access, memory, error);
  }
}

function giveUp(access: ShardAccess, memory: JournalMemory, error: unknown): string {
  setAll(memory, POLICY.none);
  for (const latch of access.latches) if (latch.held()) latch.release();
  return (error as Error).message;
}

function begin(
  where: Place,
  access: ShardAccess,
  memory: JournalMemory,
  policies: Policy[],
  rules: DurabilityRules,
): void {
  const place = { ...where, files: patientFiles };
  const journals = allJournals(memory);
  // positions keep rising, so that what waits for one is never left behind
  const starts = journals.map((journal) => journal.head());
  const dataSet = replaceDataSet(
    place,
    memory.shards,
    (shard, writer) => dumpKeyspace(access.spaces[shard], writer, rules),
    starts,
  );
  const shards = recoverShards(place, dataSet, { loadTruncated: false, warn() {} });
  for (const shard of shards) openJournal(memory, shard.shard, startOf(shard, policies[shard.shard]));
}

function allJournals(memory: JournalMemory): Journal[] {
  return Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, patientFiles));
}

function setAll(memory: JournalMemory, policy: Policy): void {
  const control = new JournalControl(memory);
  for (let shard = 0; shard < memory.shards; shard++) control.setPolicy(shard, policy);
}

/**
 * Turns the journal off: everything published is written and synced first. Where the disk refuses, the files stay as they are, and what
 * they do not have is in memory only, as all that comes now: unless some shard or rule promises `always`. Null, or why it cannot be.
 */
export function turnJournalOff(access: ShardAccess, memory: JournalMemory): string | null {
  let closed = false;
  underAllLatches(access, () => {
    closed = close(memory) || abandon(access, memory);
  });
  return closed ? null : CANNOT_WRITE;
}

/** The same on the acceptor, for files that nobody will read again. */
export async function turnJournalOffSoon(access: ShardAccess, memory: JournalMemory): Promise<void> {
  await underAllLatchesSoon(access, () => {
    if (!close(memory)) letGo(memory);
  });
}

function close(memory: JournalMemory): boolean {
  return new JournalControl(memory).closeJournals(allJournals(memory), patientFiles);
}

/** Does any shard, or any rule, promise that what is answered is on stable storage? */
export function promisesAlways(access: ShardAccess, memory: JournalMemory): boolean {
  const control = new JournalControl(memory);
  for (let shard = 0; shard < memory.shards; shard++) if (control.policy(shard) === POLICY.always) return true;
  return new DurabilityRules(rulesText(access.process)).hasAlways;
}

/** False: somebody waits for what was promised. */
function abandon(access: ShardAccess, memory: JournalMemory): boolean {
  if (promisesAlways(access, memory)) return false;
  letGo(memory);
  return true;
}

/** Closes the files without what is still to be written. All latches are held. */
function letGo(memory: JournalMemory): void {
  const words = Array.from({ length: memory.shards }, (_, shard) => new JournalWords(memory, shard));
  const fds = words.map(({ i32, fd }) => i32[fd]);
  words.forEach((one, shard) => {
    openJournal(memory, shard, { position: one.loadHead(), fd: -1, fileBytes: 0, salt: 0, policy: POLICY.none });
  });
  for (const fd of fds) if (fd >= 0) closeQuietly(patientFiles, fd);
  new JournalControl(memory).renewed();
}
