/** What a few string keys do under Redis commands: the object whose histories are checked. */
import { type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Command } from '../server/resp-client.ts';
import type { Model, Operation } from './linearizability.ts';

/** Key to value; absent keys are not in it. */
type State = ReadonlyMap<string, string>;

export type StringOperation = Operation<Command, Reply>;

interface Outcome {
  readonly state: State;
  readonly output: Reply;
}

const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };
const NOT_INTEGER = new ReplyError('ERR value is not an integer or out of range');
const NO_SUCH_KEY = new ReplyError('ERR no such key');

function put(state: State, key: string, value: string): State {
  return new Map(state).set(key, value);
}

function without(state: State, keys: readonly string[]): State {
  const left = new Map(state);
  for (const key of keys) left.delete(key);
  return left;
}

function increment(state: State, key: string): Outcome {
  const now = state.get(key) ?? '0';
  const valid = /^(0|-?[1-9][0-9]{0,18})$/.test(now) && BigInt(now) < INT64.most && BigInt(now) >= INT64.least;
  if (!valid) return { state, output: NOT_INTEGER };
  const sum = BigInt(now) + 1n;
  const output = Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  return { state: put(state, key, String(sum)), output };
}

function setMany(state: State, pairs: readonly string[]): State {
  const after = new Map(state);
  for (let i = 0; i < pairs.length; i += 2) after.set(pairs[i], pairs[i + 1]);
  return after;
}

const COMMANDS: Readonly<Record<string, (state: State, args: readonly string[]) => Outcome>> = {
  GET: (state, [key]) => ({ state, output: state.get(key) ?? null }),
  STRLEN: (state, [key]) => ({ state, output: (state.get(key) ?? '').length }),
  MGET: (state, keys) => ({ state, output: keys.map((key) => state.get(key) ?? null) }),
  SET: (state, [key, value]) => ({ state: put(state, key, value), output: 'OK' }),
  SETNX: (state, [key, value]) =>
    state.has(key) ? { state, output: 0 } : { state: put(state, key, value), output: 1 },
  GETSET: (state, [key, value]) => ({ state: put(state, key, value), output: state.get(key) ?? null }),
  GETDEL: (state, [key]) => ({ state: without(state, [key]), output: state.get(key) ?? null }),
  DEL: (state, keys) => ({ state: without(state, keys), output: keys.filter((key) => state.has(key)).length }),
  INCR: (state, [key]) => increment(state, key),
  APPEND: (state, [key, tail]) => {
    const value = (state.get(key) ?? '') + tail;
    return { state: put(state, key, value), output: value.length };
  },
  MSET: (state, pairs) => ({ state: setMany(state, pairs), output: 'OK' }),
  MSETNX: (state, pairs) =>
    pairs.some((key, i) => i % 2 === 0 && state.has(key))
      ? { state, output: 0 }
      : { state: setMany(state, pairs), output: 1 },
  RENAME: (state, [from, to]) => {
    const value = state.get(from);
    if (value === undefined) return { state, output: NO_SUCH_KEY };
    return { state: put(without(state, [from]), to, value), output: 'OK' };
  },
  COPY: (state, [from, to]) => {
    const value = state.get(from);
    if (value === undefined || state.has(to)) return { state, output: 0 };
    return { state: put(state, to, value), output: 1 };
  },
};
const READS = new Set(['GET', 'STRLEN', 'MGET']);

function same(a: Reply, b: Reply): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (a instanceof ReplyError && b instanceof ReplyError) return a.message === b.message;
  return a === b;
}

/** Keys are independent objects: a history of single-key commands is checked key by key, a group of keys as a whole. */
export const STRING_MODEL: Model<State, Command, Reply> = {
  initial: new Map(),
  apply(state, input) {
    const [name, ...args] = input.map(String);
    const command = COMMANDS[name];
    if (command === undefined) throw new Error(`the model does not know ${name}`);
    return command(state, args);
  },
  same,
  key: (state) => JSON.stringify([...state].sort()),
  isRead: (input) => READS.has(String(input[0])),
};
