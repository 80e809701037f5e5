/** What happens beyond the store when a setting changes at run time. Settings that are simply read need nothing here. */
import type { SettingsStore } from '../admin/settings-store.ts';
import type { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, POLICY } from '../journal/journal-memory.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { placeOf } from './data-home.ts';
import { turnJournalOff, turnJournalOn, wantedPolicies } from './journal-switch.ts';

/** What the effects of settings act upon. */
export interface SettingsTargets {
  settings: SettingsStore;
  access: ShardAccess;
  journal: JournalControl;
  journalMemory: JournalMemory;
}

/** Carries out the change of these settings, which the store already has; null, or why that is not possible. */
export function applySettings(names: readonly string[], targets: SettingsTargets): string | null {
  for (const name of names) {
    if (name === 'appendfsync' || name === 'shard-appendfsync') applyPolicies(targets);
    if (name === 'appendonly') {
      const problem = switchJournal(targets);
      if (problem !== null) return problem;
    }
  }
  return null;
}

/** A shard that is journalled stays so, one that is not too: only when its journal is synced changes. */
function applyPolicies({ settings, journal }: SettingsTargets): void {
  const wanted = wantedPolicies(settings, journal.shards);
  for (let shard = 0; shard < journal.shards; shard++) {
    if (journal.policy(shard) !== POLICY.none) journal.setPolicy(shard, wanted[shard]);
  }
}

function switchJournal({ settings, access, journal, journalMemory }: SettingsTargets): string | null {
  const on = settings.flag('appendonly');
  if (on === (journal.policy(0) !== POLICY.none)) return null;
  if (!on) return turnJournalOff(access, journalMemory);
  return turnJournalOn(placeOf(settings), access, journalMemory, wantedPolicies(settings, journal.shards));
}
