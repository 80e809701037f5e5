/** What happens beyond the store when a setting changes at run time. Settings that are simply read need nothing here. */
import type { SettingsStore } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
import type { JournalControl } from '../journal/journal-control.ts';
import { POLICY } from '../journal/journal-memory.ts';
import { journalPolicies } from '../journal/journal-policies.ts';

/** Carries out the change of these settings, which the store already has; null, or why that is not possible. */
export function applySettings(names: readonly string[], settings: SettingsStore, journal: JournalControl): string | null {
  for (const name of names) {
    if (name === 'appendfsync' || name === 'shard-appendfsync') applyPolicies(settings, journal);
    if (name === 'appendonly') {
      const problem = switchJournal(settings.flag('appendonly'), journal);
      if (problem !== null) return problem;
    }
  }
  return null;
}

/** A shard that is journalled stays so, one that is not too: only when its journal is synced changes. */
function applyPolicies(settings: SettingsStore, journal: JournalControl): void {
  const wanted = journalPolicies({
    appendonly: true,
    appendfsync: enumWord('appendfsync', settings.number('appendfsync')),
    shardPolicies: settings.text('shard-appendfsync'),
    shards: journal.shards,
  });
  for (let shard = 0; shard < journal.shards; shard++) {
    if (journal.policy(shard) !== POLICY.none) journal.setPolicy(shard, wanted[shard]);
  }
}

function switchJournal(on: boolean, journal: JournalControl): string | null {
  const isOn = journal.policy(0) !== POLICY.none;
  if (on === isOn) return null;
  return `the journal can be turned ${on ? 'on' : 'off'} at the start only, in this version`;
}
