/**
 * Durability rules (R21) change while the server runs: under the latches of all shards the journals get what the new rules want to be
 * in them, the process word tells every unit to read the rules anew, and then the change is answered.
 *
 * Invariant 1: from the moment that a key is journalled its value is in the journal; from the moment that it is not, its absence is.
 */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import { DurabilityRules } from '../dispatch/durability-rules.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import type { JournalMemory } from '../journal/journal-memory.ts';
import { rulesText, setRulesText } from '../shard/rules-text.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { SHARD_F64 } from '../shard/world.ts';
import { underAllLatches } from './all-latches.ts';
import { CANNOT_WRITE } from './journal-switch.ts';
import { dumpChanged, type RecordSink } from './keyspace-dump.ts';
import { patientFiles } from './patient-files.ts';

/** What the rules act upon. */
export interface RuleTargets {
  access: Pick<ShardAccess, 'latches' | 'turn' | 'spaces' | 'process' | 'headers'>;
  memory: JournalMemory;
}

/** Puts rules in force instead of those so far; null, or why it is not possible: then the old ones stay. */
export function switchRules(targets: RuleTargets, text: string): string | null {
  const { access, memory } = targets;
  let problem: string | null = null;
  underAllLatches(access, () => {
    const before = rulesText(access.process);
    if (before === text) return;
    const after = new DurabilityRules(text);
    if (!journalChanges(targets, new DurabilityRules(before), after)) {
      problem = CANNOT_WRITE;
      return;
    }
    setRulesText(access.process, text);
    new JournalControl(memory).setRulesPromise(after.promises);
  });
  return problem;
}

/** False: the disk refused. */
function journalChanges({ access, memory }: RuleTargets, before: DurabilityRules, after: DurabilityRules): boolean {
  if (!before.hasNone && !after.hasNone) return true;
  const control = new JournalControl(memory);
  const journals = Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, patientFiles));
  for (const journal of journals) {
    if (!journal.enabled) continue;
    const writer = new LiveSink(journal, control, access.headers[journal.shard].f64[SHARD_F64.newestMs]);
    dumpChanged(access.spaces[journal.shard], writer, before, after);
    if (!writer.finish()) return false;
  }
  return true;
}

/** Appends records to a journal in use, whose latch is held, and writes them to its file as they come. */
class LiveSink implements RecordSink {
  readonly journal: Journal;
  private readonly control: JournalControl;
  private readonly nowMs: number;
  private records = 0;
  private failed = false;

  constructor(journal: Journal, control: JournalControl, nowMs: number) {
    this.journal = journal;
    this.control = control;
    this.nowMs = nowMs;
    journal.begin(nowMs);
  }

  next(): void {
    this.records++;
    this.journal.publish();
    if (this.journal.backlogFull()) this.drain();
    this.journal.begin(this.nowMs);
  }

  private drain(): void {
    while (!this.failed && this.journal.undrained()) {
      if (this.journal.drain()) continue;
      if (this.control.state !== 0) this.failed = true;
      else this.control.nap();
      showProgress();
    }
  }

  /** Everything is in the file, and on stable storage. False: the disk refused. */
  finish(): boolean {
    if (this.records === 0) return true;
    this.drain();
    return !this.failed && this.control.syncFile(this.journal.shard, patientFiles);
  }
}
