/** The connections of one worker by what they have subscribed to. */
import { globMatch } from '../keyspace/glob.ts';
import type { Listener } from './push-listener.ts';

interface PatternListeners {
  readonly bytes: Buffer;
  readonly listeners: Set<Listener>;
}

/** Who has subscribed to one name. */
export interface ListenersOfName {
  readonly all: Set<Listener>;
  /** The position of the log as of the newest subscription: records from there on are for all of them. */
  newest: number;
}

/** Names of one topic, compared whole. */
export class NamedListeners {
  private readonly byName = new Map<string, ListenersOfName>();

  /** `since`: the position of the log from which on messages are for this listener. */
  add(name: string, listener: Listener, since: number): void {
    const there = this.byName.get(name);
    if (there === undefined) {
      this.byName.set(name, { all: new Set([listener]), newest: since });
      return;
    }
    there.all.add(listener);
    there.newest = since;
  }

  remove(name: string, listener: Listener): void {
    const there = this.byName.get(name);
    there?.all.delete(listener);
    if (there?.all.size === 0) this.byName.delete(name);
  }

  get isEmpty(): boolean {
    return this.byName.size === 0;
  }

  /** null: nobody. */
  of(name: string): ListenersOfName | null {
    return this.byName.get(name) ?? null;
  }
}

/** Patterns, in the order in which they were first subscribed to. */
export class PatternTable {
  private readonly byText = new Map<string, PatternListeners>();

  add(text: string, listener: Listener): void {
    const there = this.byText.get(text);
    if (there === undefined)
      this.byText.set(text, { bytes: Buffer.from(text, 'latin1'), listeners: new Set([listener]) });
    else there.listeners.add(listener);
  }

  remove(text: string, listener: Listener): void {
    const there = this.byText.get(text);
    there?.listeners.delete(listener);
    if (there?.listeners.size === 0) this.byText.delete(text);
  }

  get isEmpty(): boolean {
    return this.byText.size === 0;
  }

  /** Calls `visit` for every pattern that fits buf[start, end). */
  forMatching(
    buf: Buffer,
    start: number,
    end: number,
    visit: (text: string, bytes: Buffer, listeners: ReadonlySet<Listener>) => void,
  ): void {
    for (const [text, { bytes, listeners }] of this.byText) {
      if (globMatch(bytes, 0, bytes.length, buf, start, end, false)) visit(text, bytes, listeners);
    }
  }
}
