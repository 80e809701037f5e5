/**
 * Strict serializability of transactions of list appends and whole-list reads, by cycles in the graph of their dependencies: the
 * method of Elle's list-append checker.
 *
 * Each appended value is unique, so a read of a list tells the order of all appends to it (the *version order* of the key is its
 * longest read), and every transaction's place among the others of that key:
 *
 *   wr   it appended the last value of what the other read        ww   it appended the value before one of the other's
 *   rw   it read the list as it was before the other appended     rt   it was answered before the other was sent
 *
 * Transactions that have an order have no cycle. `fail`: known to have had no effect; `info`: nobody knows.
 */
export type Outcome = 'ok' | 'fail' | 'info';

export interface Append {
  readonly kind: 'append';
  readonly key: string;
  readonly value: string;
}
export interface Read {
  readonly kind: 'read';
  readonly key: string;
  readonly values: readonly string[];
}

export interface ListTransaction {
  readonly client: number;
  readonly callMs: number;
  /** Infinity for `info`. */
  readonly returnMs: number;
  readonly outcome: Outcome;
  readonly operations: readonly (Append | Read)[];
}

export type EdgeKind = 'ww' | 'wr' | 'rw' | 'rt';
export interface Anomaly {
  /** G0, G1a, G1b, G1c, G-single, G2-item (with -realtime), internal, duplicate, phantom, incompatible-order, lost-append. */
  readonly kind: string;
  readonly text: string;
}

interface Edge {
  readonly to: number;
  readonly kind: EdgeKind;
}

/** All anomalies of a history; empty: it is strictly serializable as far as its reads tell. */
export function checkListAppend(history: readonly ListTransaction[]): Anomaly[] {
  const checker = new ListAppendChecker(history);
  return checker.check();
}

class ListAppendChecker {
  private readonly history: readonly ListTransaction[];
  private readonly anomalies: Anomaly[] = [];
  /** By key and value: who appended it. */
  private readonly writers = new Map<string, number>();
  /** By key: the longest read. */
  private readonly orders = new Map<string, readonly string[]>();
  private readonly edges: Edge[][];

  constructor(history: readonly ListTransaction[]) {
    this.history = history;
    this.edges = history.map(() => []);
  }

  check(): Anomaly[] {
    this.indexWriters();
    for (const [t, transaction] of this.history.entries()) this.checkAlone(transaction, t);
    this.findOrders();
    // edges out of an order that does not exist would say nothing
    if (this.anomalies.length > 0) return this.anomalies;
    this.addDependencies();
    this.addRealTime();
    for (const component of components(this.edges)) {
      if (component.length > 1) this.report(classify(this.edges, component), this.describe(component));
    }
    return this.anomalies;
  }

  private report(kind: string, text: string): void {
    this.anomalies.push({ kind, text });
  }

  private describe(component: readonly number[]): string {
    return component
      .slice(0, 6)
      .map((t) => {
        const { client, callMs, returnMs, operations } = this.history[t];
        const parts = operations.map((op) =>
          op.kind === 'append' ? `${op.key}+${op.value}` : `${op.key}=[…${op.values.slice(-3).join(' ')}]`,
        );
        return `client ${client} [${callMs.toFixed(3)}, ${returnMs.toFixed(3)}] ${parts.join(' ')}`;
      })
      .join('\n');
  }

  private indexWriters(): void {
    this.history.forEach(({ operations }, t) => {
      for (const op of operations) {
        if (op.kind !== 'append') continue;
        const name = nameOf(op.key, op.value);
        if (this.writers.has(name)) throw new Error(`the test appends ${op.value} twice to ${op.key}`);
        this.writers.set(name, t);
      }
    });
  }

  /** What one transaction shows by itself. */
  private checkAlone(transaction: ListTransaction, t: number): void {
    if (transaction.outcome !== 'ok') return;
    const known = new Map<string, { whole: boolean; values: string[] }>();
    for (const op of transaction.operations) {
      const mine = known.get(op.key);
      if (op.kind === 'append') {
        if (mine === undefined) known.set(op.key, { whole: false, values: [op.value] });
        else mine.values.push(op.value);
        continue;
      }
      if (mine !== undefined && !agrees(op.values, mine.values, mine.whole)) {
        this.report('internal', `${op.key}: expected …${mine.values.join(' ')}, read ${op.values.join(' ')}`);
      }
      known.set(op.key, { whole: true, values: [...op.values] });
      this.checkRead(op, t);
    }
  }

  private checkRead(read: Read, t: number): void {
    if (new Set(read.values).size !== read.values.length)
      this.report('duplicate', `${read.key}: ${read.values.join(' ')}`);
    for (const value of read.values) {
      const writer = this.writers.get(nameOf(read.key, value));
      if (writer === undefined) this.report('phantom', `${read.key}: nobody appended ${value}`);
      else if (this.history[writer].outcome === 'fail') this.report('G1a', `${read.key}: ${value} was given up`);
    }
    const last = read.values.at(-1);
    const writer = last === undefined ? undefined : this.writers.get(nameOf(read.key, last));
    if (last === undefined || writer === undefined || writer === t) return;
    const appends = this.history[writer].operations.filter((op) => op.kind === 'append' && op.key === read.key);
    if ((appends.at(-1) as Append).value !== last) this.report('G1b', `${read.key}: ${last} is not the writer's last`);
  }

  private *reads(): Generator<[Read, number]> {
    for (let t = 0; t < this.history.length; t++) {
      if (this.history[t].outcome !== 'ok') continue;
      for (const op of this.history[t].operations) if (op.kind === 'read') yield [op, t];
    }
  }

  private findOrders(): void {
    for (const [{ key, values }] of this.reads()) {
      if (values.length > (this.orders.get(key)?.length ?? 0)) this.orders.set(key, values);
    }
    for (const [{ key, values }] of this.reads()) {
      const order = this.orders.get(key) ?? [];
      if (values.some((value, i) => order[i] !== value)) {
        this.report('incompatible-order', `${key}: ${values.join(' ')}\nagainst ${order.join(' ')}`);
      }
    }
  }

  private link(from: number, to: number, kind: EdgeKind): void {
    if (from !== to) this.edges[from].push({ to, kind });
  }

  private addDependencies(): void {
    const unseen = new Map<string, number[]>();
    for (const [name, writer] of this.writers) {
      if (this.history[writer].outcome !== 'ok') continue;
      const key = keyOf(name);
      if (this.orders.get(key)?.includes(name.slice(key.length + 1)) === true) continue;
      unseen.set(key, [...(unseen.get(key) ?? []), writer]);
    }
    for (const [key, order] of this.orders) {
      for (let i = 1; i < order.length; i++)
        this.link(this.writer(key, order[i - 1]), this.writer(key, order[i]), 'ww');
    }
    for (const [{ key, values }, reader] of this.reads()) {
      const order = this.orders.get(key) ?? [];
      if (values.length > 0) this.link(this.writer(key, values[values.length - 1]), reader, 'wr');
      if (values.length < order.length) this.link(reader, this.writer(key, order[values.length]), 'rw');
      // an acknowledged append that nobody saw comes behind all that was seen
      else for (const writer of unseen.get(key) ?? []) this.link(reader, writer, 'rw');
    }
  }

  private writer(key: string, value: string): number {
    return this.writers.get(nameOf(key, value))!;
  }

  /** Real-time order, transitively reduced: who is called next comes behind the latest of those that were answered. */
  private addRealTime(): void {
    const events = this.history.flatMap(({ callMs, returnMs, outcome }, t) =>
      outcome === 'ok'
        ? [
            { at: callMs, t, isReturn: false },
            { at: returnMs, t, isReturn: true },
          ]
        : outcome === 'info'
          ? [{ at: callMs, t, isReturn: false }]
          : [],
    );
    events.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
    let front = new Set<number>();
    const before = new Map<number, Set<number>>();
    for (const { t, isReturn } of events) {
      if (isReturn) {
        front = front.difference(before.get(t)!);
        front.add(t);
      } else {
        for (const earlier of front) this.link(earlier, t, 'rt');
        before.set(t, new Set(front));
      }
    }
  }
}

/** Is `read` what must be there after one's own `values`? `whole`: they are the whole list, else only its end. */
function agrees(read: readonly string[], values: readonly string[], whole: boolean): boolean {
  const skipped = read.length - values.length;
  return (whole ? skipped === 0 : skipped >= 0) && values.every((value, i) => read[skipped + i] === value);
}

const nameOf = (key: string, value: string) => `${key} ${value}`;
const keyOf = (name: string) => name.slice(0, name.lastIndexOf(' '));

/** Strongly connected components of a graph (Tarjan, without recursion). */
export function components(edges: readonly (readonly Edge[])[], allowed?: (edge: Edge) => boolean): number[][] {
  const found: number[][] = [];
  const index = new Int32Array(edges.length).fill(-1);
  const low = new Int32Array(edges.length);
  const onStack = new Uint8Array(edges.length);
  const stack: number[] = [];
  let next = 0;
  const open = (node: number): { node: number; at: number } => {
    index[node] = low[node] = next++;
    stack.push(node);
    onStack[node] = 1;
    return { node, at: 0 };
  };
  for (let root = 0; root < edges.length; root++) {
    if (index[root] !== -1) continue;
    const calls = [open(root)];
    while (calls.length > 0) {
      const call = calls[calls.length - 1];
      const { node } = call;
      if (call.at < edges[node].length) {
        const edge = edges[node][call.at++];
        if (allowed !== undefined && !allowed(edge)) continue;
        if (index[edge.to] === -1) calls.push(open(edge.to));
        else if (onStack[edge.to] !== 0) low[node] = Math.min(low[node], index[edge.to]);
        continue;
      }
      calls.pop();
      const above = calls.at(-1);
      if (above !== undefined) low[above.node] = Math.min(low[above.node], low[node]);
      if (low[node] !== index[node]) continue;
      const component: number[] = [];
      for (let member = -1; member !== node; ) {
        member = stack.pop()!;
        onStack[member] = 0;
        component.push(member);
      }
      found.push(component);
    }
  }
  return found;
}

/** The name of the weakest level that a component's cycles violate. */
function classify(edges: readonly (readonly Edge[])[], component: readonly number[]): string {
  const inside = new Set(component);
  const own = edges.map((list, node) => (inside.has(node) ? list.filter((edge) => inside.has(edge.to)) : []));
  const cyclic = (kinds: ReadonlySet<EdgeKind>) =>
    components(own, (edge) => kinds.has(edge.kind)).some((part) => part.length > 1);
  for (const suffix of ['', '-realtime']) {
    const also: EdgeKind[] = suffix === '' ? [] : ['rt'];
    if (cyclic(new Set<EdgeKind>(['ww', ...also]))) return `G0${suffix}`;
    if (cyclic(new Set<EdgeKind>(['ww', 'wr', ...also]))) return `G1c${suffix}`;
    if (hasSingleReadCycle(own, component, new Set<EdgeKind>(['ww', 'wr', ...also]))) return `G-single${suffix}`;
    if (cyclic(new Set<EdgeKind>(['ww', 'wr', 'rw', ...also]))) return `G2-item${suffix}`;
  }
  throw new Error('a component without a cycle');
}

/** A cycle with exactly one rw edge: from its end back to its begin by edges of the other kinds. */
function hasSingleReadCycle(
  edges: readonly (readonly Edge[])[],
  component: readonly number[],
  kinds: ReadonlySet<EdgeKind>,
): boolean {
  for (const from of component) {
    for (const { to, kind } of edges[from]) if (kind === 'rw' && reaches(edges, to, from, kinds)) return true;
  }
  return false;
}

function reaches(edges: readonly (readonly Edge[])[], from: number, to: number, kinds: ReadonlySet<EdgeKind>): boolean {
  const seen = new Set([from]);
  for (const node of seen) {
    if (node === to) return true;
    for (const edge of edges[node]) if (kinds.has(edge.kind)) seen.add(edge.to);
  }
  return false;
}
