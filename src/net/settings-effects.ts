/** What happens beyond the store when a setting changes at run time. Settings that are simply read need nothing here. */
import { asleep } from '../../native-free-shm/heartbeats.ts';
import { SAVE } from '../admin/save-state.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import type { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, POLICY } from '../journal/journal-memory.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { placeOf } from './data-home.ts';
import { endTurn, takeTurn, WORK, workUnderWay } from './data-set-turn.ts';
import { claimOnce } from './folder-claim.ts';
import { turnJournalOff, turnJournalOn, wantedPolicies } from './journal-switch.ts';
import { mostClients } from './open-files.ts';
import { switchRules } from './rule-switch.ts';

/** How often, and how many times, it is looked whether a rewrite has ended: 20 s in all. */
const LOOK_MS = 2;
const REWRITE_LOOKS = 10_000;

/** What the effects of settings act upon. */
export interface SettingsTargets {
  settings: SettingsStore;
  access: ShardAccess;
  journal: JournalControl;
  journalMemory: JournalMemory;
  /** Words of SAVE. */
  saves: Float64Array;
  /** Open connections. */
  clients: () => number;
}

/** Why these cannot change while the server runs: its sockets are opened at the start. */
const SOCKETS_STAY: Readonly<Record<string, string>> = {
  port: 'Unable to listen on this port. Check server logs.',
  bind: 'Failed to bind to specified addresses.',
};

/** Carries out the change of these settings, which the store already has; null, or why that is not possible. */
export function applySettings(names: readonly string[], targets: SettingsTargets): string | null {
  for (const name of names) {
    if (Object.hasOwn(SOCKETS_STAY, name)) return SOCKETS_STAY[name];
    if (name === 'maxclients') {
      const most = mostClients(targets.clients(), targets.journal.shards);
      if (targets.settings.number(name) > most)
        return `The operating system is not able to handle the specified number of clients, try with ${most}`;
    }
    if (name === 'appendfsync' || name === 'shard-appendfsync') applyPolicies(targets);
    if (name === 'durability-rule') {
      const { settings, access, journalMemory } = targets;
      const problem = switchRules({ access, memory: journalMemory }, settings.text(name));
      if (problem !== null) return problem;
    }
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

function switchJournal({ settings, access, journal, journalMemory, saves }: SettingsTargets): string | null {
  const isAsWished = (): boolean => settings.flag('appendonly') === (journal.policy(0) !== POLICY.none);
  const work = workUnderWay(access.process);
  if ((work === 0 || work === WORK.rewrite) && isAsWished()) return null;
  const busy = takeTurnSoon(access.process, saves);
  if (busy !== null) return busy;
  try {
    if (isAsWished()) return null;
    if (!settings.flag('appendonly')) return turnJournalOff(access, journalMemory);
    const place = placeOf(settings);
    const policies = wantedPolicies(settings, journal.shards);
    return claimOnce(access.process, place) ?? turnJournalOn(place, access, journalMemory, policies);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return error.message;
    throw error;
  } finally {
    endTurn(access.process);
  }
}

/**
 * Takes the turn; null, or why it cannot be had. A rewrite of the journal is ended: it would name files of a data set that is not in use
 * any more. A reload is not waited for: it needs this thread.
 */
function takeTurnSoon(process: Int32Array, saves: Float64Array): string | null {
  const napping = new Int32Array(new SharedArrayBuffer(4));
  for (let looks = 0; looks < REWRITE_LOOKS; looks++) {
    const work = takeTurn(process, WORK.journalSwitch);
    if (work === 0) return null;
    if (work === WORK.reload) return 'the data set is being loaded';
    if (work === WORK.rewrite) saves[SAVE.stop] = 1;
    asleep(() => Atomics.wait(napping, 0, 0, LOOK_MS));
  }
  return 'a rewrite of the journal is under way and does not end';
}
