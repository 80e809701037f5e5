/** When snapshots are taken and the journal is rewritten: on request, at save points, when the journal has grown. */
import type { Log } from '../admin/log.ts';
import { SAVE } from '../admin/save-state.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, POLICY } from '../journal/journal-memory.ts';
import type { SaveHow } from '../messages/thread-messages.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { STATE } from '../shard/world.ts';
import { placeOf } from './data-home.ts';
import { endTurn, takeTurn, WORK } from './data-set-turn.ts';
import { baseBytes, rewriteJournals, writeUnused } from './journal-rewrite.ts';
import type { Snapshots } from './snapshots.ts';

/** After a rewrite failed the next one comes by itself so late, then twice as late, and so on. */
const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;

export interface SavingParts {
  settings: SettingsStore;
  log: Log;
  access: ShardAccess;
  /** Words of SAVE. */
  saves: Float64Array;
  journal: JournalMemory;
  snapshots: Snapshots;
}

export class Saving {
  private readonly parts: SavingParts;
  /** BGSAVE SCHEDULE: a snapshot comes when the one under way is done. */
  private scheduled = false;
  private waitMs = 0;
  private notBeforeMs = 0;

  constructor(parts: SavingParts) {
    this.parts = parts;
  }

  /** SAVE and its kin; answers when the thing is done, or begun for those in the background. */
  async save(how: SaveHow, answer: (reply: string) => void): Promise<void> {
    const { access, snapshots } = this.parts;
    if ((access.stateBits() & STATE.loading) !== 0) return answer('-LOADING the data set is being loaded\r\n');
    // the last snapshot, if there is one, is the shutdown's own
    if ((access.stateBits() & STATE.shuttingDown) !== 0) return answer('-ERR The server is shutting down\r\n');
    if (how === 'rewrite') return this.rewrite(answer);
    if (snapshots.running) {
      if (how === 'schedule') {
        this.scheduled = true;
        return answer('+Background saving scheduled\r\n');
      }
      return answer('-ERR Background save already in progress\r\n');
    }
    if (how === 'save') {
      const problem = await snapshots.save(() => {}, false);
      return answer(problem === null ? '+OK\r\n' : '-ERR\r\n');
    }
    let begun = false;
    const problem = await snapshots.save(() => {
      begun = true;
      answer('+Background saving started\r\n');
    });
    if (!begun) answer(`-ERR Can't save in background: ${problem}\r\n`);
  }

  /** BGREWRITEAOF; `answer` null: nobody asked, the journal has grown. */
  private async rewrite(answer: ((reply: string) => void) | null): Promise<void> {
    const { saves, snapshots, access } = this.parts;
    if (snapshots.running || takeTurn(access.process, WORK.rewrite) !== 0) {
      if (saves[SAVE.rewriteBegunMs] !== 0)
        return answer?.('-ERR Background append only file rewriting already in progress\r\n');
      saves[SAVE.rewriteScheduled] = 1;
      return answer?.('+Background append only file rewriting scheduled\r\n');
    }
    saves[SAVE.rewriteScheduled] = 0;
    try {
      await this.rewriteInTurn(answer);
    } finally {
      endTurn(access.process);
    }
  }

  private async rewriteInTurn(answer: ((reply: string) => void) | null): Promise<void> {
    const { saves, snapshots, log, journal: memory, settings, access } = this.parts;
    const place = placeOf(settings);
    let begun = false;
    const write = this.journalIsUsed() ? rewriteJournals : writeUnused;
    const problem = await write({ settings, access, memory, snapshots, saves, log }, () => {
      begun = true;
      answer?.('+Background append only file rewriting started\r\n');
    });
    if (problem !== null && !begun) answer?.(`-ERR Can't rewrite the append only file: ${problem}\r\n`);
    if (problem === null) saves[SAVE.baseBytes] = baseBytes(place, memory.shards);
    this.waitMs = problem === null ? 0 : Math.min(Math.max(this.waitMs * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS);
    this.notBeforeMs = systemClock.steadyMs() + this.waitMs;
  }

  private journalIsUsed(): boolean {
    return new JournalControl(this.parts.journal).policy(0) !== POLICY.none;
  }

  /** Has the journal grown as far as auto-aof-rewrite-percentage and -min-size allow? */
  private journalHasGrown(): boolean {
    const { settings, saves, journal } = this.parts;
    const percentage = settings.number('auto-aof-rewrite-percentage');
    if (percentage === 0 || !this.journalIsUsed() || systemClock.steadyMs() < this.notBeforeMs) return false;
    const base = saves[SAVE.baseBytes];
    let bytes = base;
    for (let shard = 0; shard < journal.shards; shard++) bytes += new Journal(journal, shard, systemFiles).fileBytes();
    if (bytes < settings.number('auto-aof-rewrite-min-size')) return false;
    return ((bytes - base) * 100) / Math.max(base, 1) >= percentage;
  }

  /** Save points, and what was to come after the last snapshot. Called now and then. */
  look(): void {
    const { access, snapshots, saves } = this.parts;
    snapshots.readDelay();
    if ((access.stateBits() & (STATE.loading | STATE.shuttingDown)) !== 0 || snapshots.running) return;
    if (this.scheduled) {
      this.scheduled = false;
      void snapshots.save(() => {});
    } else if (saves[SAVE.rewriteScheduled] !== 0 || this.journalHasGrown()) {
      void this.rewrite(null);
    } else {
      snapshots.lookAtSavePoints();
      snapshots.rehearse();
    }
  }
}
