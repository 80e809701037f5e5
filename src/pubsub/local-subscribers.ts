/** The connections of one worker by what they have subscribed to. */
import { globMatch } from '../keyspace/glob.ts';
import type { Listener } from './push-listener.ts';

interface PatternListeners {
  readonly bytes: Buffer;
  readonly listeners: Set<Listener>;
}

const NOBODY: ReadonlySet<Listener> = new Set();

/** Names of one topic, compared whole. */
export class NamedListeners {
  private readonly byName = new Map<string, Set<Listener>>();

  add(name: string, listener: Listener): void {
    const there = this.byName.get(name);
    if (there === undefined) this.byName.set(name, new Set([listener]));
    else there.add(listener);
  }

  remove(name: string, listener: Listener): void {
    const there = this.byName.get(name);
    there?.delete(listener);
    if (there?.size === 0) this.byName.delete(name);
  }

  get isEmpty(): boolean {
    return this.byName.size === 0;
  }

  of(name: string): ReadonlySet<Listener> {
    return this.byName.get(name) ?? NOBODY;
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
