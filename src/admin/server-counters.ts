/**
 * The statistics of the process: each thread counts into its own row (one writer, plain additions), readers sum over the
 * threads. `COUNTER` says which column means what; the columns are handed to `Counters` of native-free-shm by name.
 */
import type { Counters } from '../../native-free-shm/counters.ts';

/** Columns in order; add at the end. */
export const COUNTER_NAMES = [
  'connectionsReceived',
  'connectionsRejected',
  'commandsProcessed',
  'netInputBytes',
  'netOutputBytes',
  'readsProcessed',
  'writesProcessed',
  'expiredKeys',
  'evictedKeys',
  'keyspaceHits',
  'keyspaceMisses',
  'protocolErrors',
  'latchCollisions',
  'latchWaits',
  'latchTurns',
  'forwardedCommands',
  'outputLimitDisconnections',
  'inputLimitDisconnections',
  'changes',
  'throttledWrites',
  'admittedWrites',
  'scriptsTakenBack',
] as const;
export type CounterName = (typeof COUNTER_NAMES)[number];
export type ServerCounters = Counters<CounterName>;

/** Column of each counter in a thread's Float64Array. */
export const COUNTER: Readonly<Record<CounterName, number>> = Object.fromEntries(
  COUNTER_NAMES.map((name, index) => [name, index]),
) as Record<CounterName, number>;
