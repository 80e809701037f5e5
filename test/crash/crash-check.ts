/**
 * Is what came back after a crash allowed? Per client: the keys of each shard must be as after some number of the client's
 * commands (a prefix), no fewer than were promised; and a command that changed several shards is there in all or in none.
 */
import { slotMap, slotOf } from '../../src/keyspace/slot.ts';
import type { ClientHistory, KeyValues } from './crash-load.ts';
import { noteChecked } from './fault-tally.ts';

export interface Durability {
  readonly shards: number;
  /** How many of the client's commands must be there, by shard. */
  readonly durable: (history: ClientHistory, shard: number) => number;
}

/** A run of positions between which a shard's keys did not change: [first, next run's first). */
interface Run {
  readonly first: number;
  readonly state: KeyValues;
}

function shardOf(key: string, shards: number): number {
  const bytes = Buffer.from(key, 'latin1');
  return slotMap(shards)[slotOf(bytes, 0, bytes.length)];
}

function textOf(state: KeyValues, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => state.get(key) ?? null)).slice(0, 400);
}

function areSame(a: KeyValues, b: KeyValues, keys: readonly string[]): boolean {
  return keys.every((key) => a.get(key) === b.get(key));
}

function runsOf({ states }: ClientHistory, keys: readonly string[]): Run[] {
  const runs: Run[] = [{ first: 0, state: states[0] }];
  for (let first = 1; first < states.length; first++)
    if (!areSame(states[first], states[first - 1], keys)) runs.push({ first, state: states[first] });
  return runs;
}

/** Throws unless `found` can be explained. */
export function checkRecovered(history: ClientHistory, found: KeyValues, promise: Durability): void {
  const keysByShard = Map.groupBy(history.keys, (key) => shardOf(key, promise.shards));
  const shards = [...keysByShard.keys()];
  const runs = shards.map((shard) => runsOf(history, keysByShard.get(shard)!));
  const fitting = shards.map((shard, s) => {
    const least = promise.durable(history, shard);
    const keys = keysByShard.get(shard)!;
    const fits = runs[s].flatMap((run, i) => {
      const last = (runs[s][i + 1]?.first ?? history.states.length) - 1;
      return last >= least && areSame(run.state, found, keys) ? [i] : [];
    });
    if (fits.length === 0) throw lost(history, shard, least, runs[s], found, keys);
    return fits.reverse(); // the latest first
  });
  if (!choose(runs, fitting, [])) throw new Error(torn(history, shards, runs, fitting));
  noteChecked(Math.max(0, ...shards.map((shard) => promise.durable(history, shard))));
}

/** Tries to take one run of each shard so that no command is in one shard and not in another. */
function choose(runs: readonly Run[][], fitting: readonly number[][], taken: number[]): boolean {
  const s = taken.length;
  if (s === runs.length) return true;
  return fitting[s].some(
    (run) => taken.every((other, t) => whole(runs[s], run, runs[t], other)) && choose(runs, fitting, [...taken, run]),
  );
}

/** A command that changed both shards began a run in both; both must have reached it, or neither. */
function whole(a: readonly Run[], runA: number, b: readonly Run[], runB: number): boolean {
  const reachedA = a[runA].first;
  const reachedB = b[runB].first;
  const [low, high] = reachedA < reachedB ? [reachedA, reachedB] : [reachedB, reachedA];
  const ahead = new Set((reachedA < reachedB ? b : a).map(({ first }) => first).filter((p) => p > low && p <= high));
  return !(reachedA < reachedB ? a : b).some(({ first }) => ahead.has(first));
}

function lost(
  history: ClientHistory,
  shard: number,
  least: number,
  runs: readonly Run[],
  found: KeyValues,
  keys: readonly string[],
): Error {
  const older = runs.findLastIndex((run) => areSame(run.state, found, keys));
  const known = older < 0 ? 'a state that never was' : `the state after command ${runs[older].first}`;
  const next = runs[older + 1]?.first ?? 0;
  const command = next > 0 ? `; lost: ${history.commands[next - 1].join(' ').slice(0, 80)}` : '';
  return new Error(
    `client ${history.client}, shard ${shard}: ${known} came back, but ${least} of ${history.commands.length} commands must be there${command}` +
      `\n  found ${textOf(found, keys)}\n  latest ${textOf(runs[runs.length - 1].state, keys)}`,
  );
}

function torn(history: ClientHistory, shards: readonly number[], runs: readonly Run[][], fitting: readonly number[][]) {
  const reached = shards.map((shard, s) => `shard ${shard} after command ${runs[s][fitting[s][0]].first}`).join(', ');
  return `client ${history.client}: a command over several shards came back in part: ${reached}`;
}

/** Everything that was acknowledged. */
export const ACKNOWLEDGED = (history: ClientHistory): number => history.ackedAtMs.length;
/** Nothing in particular: any prefix. */
export const NOTHING = (): number => 0;
/** What was acknowledged so long before `momentMs`. */
export function acknowledgedBefore(momentMs: number): (history: ClientHistory) => number {
  return (history) => history.ackedAtMs.filter((ms) => ms <= momentMs).length;
}
