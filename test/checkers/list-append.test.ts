/** The checker itself: each kind of anomaly in a history made by hand, and orders shuffled in time that must pass. */
import { expect, test } from 'vitest';
import { dice } from './concurrent-clients.ts';
import { type Append, checkListAppend, type ListTransaction, type Outcome, type Read } from './list-append.ts';

const a = (key: string, value: string): Append => ({ kind: 'append', key, value });
const r = (key: string, ...values: string[]): Read => ({ kind: 'read', key, values });
let clock = 0;
/** A transaction that is under way together with all others of its history. */
const t = (...operations: (Append | Read)[]): ListTransaction => ({
  client: clock++,
  callMs: 0,
  returnMs: 1000,
  outcome: 'ok',
  operations,
});
const as = (outcome: Outcome, transaction: ListTransaction): ListTransaction => ({ ...transaction, outcome });
/** One after the other. */
const inTime = (...list: ListTransaction[]) => list.map((one, i) => ({ ...one, callMs: i * 10, returnMs: i * 10 + 5 }));

test.each<[string, ListTransaction[]]>([
  ['internal', [t(a('x', '1'), r('x'))]],
  ['internal', [t(r('x'), a('x', '1'), r('x', '2', '1')), t(a('x', '2'))]],
  ['duplicate', [t(a('x', '1')), t(r('x', '1', '1'))]],
  ['phantom', [t(r('x', '9'))]],
  ['G1a', [as('fail', t(a('x', '1'))), t(r('x', '1'))]],
  ['G1b', [t(a('x', '1'), a('x', '2')), t(r('x', '1')), t(r('x', '1', '2'))]],
  ['incompatible-order', [t(a('x', '1')), t(a('x', '2')), t(r('x', '1', '2')), t(r('x', '2'))]],
  ['G0', [t(a('x', '1'), a('y', '1')), t(a('x', '2'), a('y', '2')), t(r('x', '1', '2')), t(r('y', '2', '1'))]],
  ['G1c', [t(a('x', '1'), r('y', '1')), t(a('y', '1'), r('x', '1'))]],
  ['G-single', [t(a('x', '1'), a('y', '1')), t(r('x', '1'), r('y')), t(r('y', '1'))]],
  ['G2-item', [t(r('x'), a('y', '1')), t(r('y'), a('x', '1')), t(r('x', '1'), r('y', '1'))]],
  ['G-single-realtime', inTime(t(a('x', '1')), t(r('x')))],
  ['G-single-realtime', [...inTime(t(a('x', '1')), t(r('x', '1')), t(r('x')))]],
  ['G0-realtime', inTime(t(a('x', '2')), t(a('x', '1')), t(r('x', '1', '2')))],
])('%s is found', (kind, history) => {
  expect(checkListAppend(history).map((anomaly) => anomaly.kind)).toContain(kind);
});

test('what nobody knows may have happened or not', () => {
  const unknown = { ...as('info', t(a('x', '1'))), returnMs: Infinity };
  expect(checkListAppend([unknown, ...inTime(t(r('x')), t(r('x', '1')))])).toEqual([]);
  expect(checkListAppend([unknown, ...inTime(t(r('x')))])).toEqual([]);
});

/** Transactions of random appends and reads in one order, with times that overlap and agree with it. */
function serial(seed: number, count: number): ListTransaction[] {
  const roll = dice(seed);
  const lists = new Map<string, string[]>();
  return Array.from({ length: count }, (_, i) => {
    const operations = Array.from({ length: 1 + roll(4) }, (_, n): Append | Read => {
      const key = `k${roll(5)}`;
      const list = lists.get(key) ?? [];
      if (roll(2) === 0) return r(key, ...list);
      lists.set(key, [...list, `${i}.${n}`]);
      return a(key, `${i}.${n}`);
    });
    // the moment of its effect is i
    return { client: i, callMs: i - roll(30) / 3, returnMs: i + roll(30) / 3, outcome: 'ok', operations };
  });
}

test('orders that overlap in time pass, however they are listed', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const roll = dice(seed);
    const history = serial(seed, 300).sort(() => roll(3) - 1);
    expect(checkListAppend(history)).toEqual([]);
  }
});

test('one read that misses its last value is found among thousands of transactions', () => {
  const history = serial(7, 3000);
  for (let i = 1500; ; i++) {
    const read = history[i].operations.find((op) => op.kind === 'read' && op.values.length > 0) as Read | undefined;
    const alone = history[i].operations.every((op) => op.kind === 'read' && op.key === read?.key);
    if (read === undefined || !alone) continue;
    // answered at once, so that the value before it was already acknowledged
    const late = {
      ...history[i],
      callMs: i + 20,
      returnMs: i + 21,
      operations: [r(read.key, ...read.values.slice(0, -1))],
    };
    const broken = history.map((one, n) => (n === i ? late : one));
    expect(checkListAppend(broken).map((anomaly) => anomaly.kind)).toEqual(['G-single-realtime']);
    return;
  }
});
