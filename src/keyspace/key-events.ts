/**
 * What can happen to a key, by the names of Redis's keyspace notifications, and the class by which `notify-keyspace-events`
 * selects them.
 */
export const EVENT_CLASS = {
  generic: 1 << 2,
  string: 1 << 3,
  list: 1 << 4,
  set: 1 << 5,
  hash: 1 << 6,
  sortedSet: 1 << 7,
  expired: 1 << 8,
  evicted: 1 << 9,
  stream: 1 << 10,
  miss: 1 << 11,
  newKey: 1 << 14,
} as const;

export interface KeyEvent {
  readonly name: string;
  /** An EVENT_CLASS bit. */
  readonly classBit: number;
  /** Place in KEY_EVENTS, by which threads name it to each other. */
  readonly index: number;
}

const allEvents: KeyEvent[] = [];
/** All events, by index. */
export const KEY_EVENTS: readonly KeyEvent[] = allEvents;

function events<Name extends string>(classBit: number, names: readonly Name[]): { [name in Name]: KeyEvent } {
  const table: { [name: string]: KeyEvent } = {};
  for (const name of names) {
    const event: KeyEvent = { name, classBit, index: allEvents.length };
    allEvents.push(event);
    table[name] = event;
  }
  return table as { [name in Name]: KeyEvent };
}

const { generic, string, list, set, hash, sortedSet, stream } = EVENT_CLASS;

export const GENERIC_EVENT = events(generic, [
  ...(['del', 'expire', 'persist', 'rename_from', 'rename_to', 'move_from', 'move_to', 'copy_to', 'restore'] as const),
  'sortstore',
]);
export const STRING_EVENT = events(string, [
  'set',
  'append',
  'setrange',
  'incrby',
  'incrbyfloat',
  'setbit',
  'pfadd',
] as const);
export const LIST_EVENT = events(list, ['lpush', 'rpush', 'lpop', 'rpop', 'linsert', 'lset', 'lrem', 'ltrim'] as const);
export const SET_EVENT = events(set, [
  ...(['sadd', 'srem', 'spop', 'sinterstore', 'sunionstore', 'sdiffstore'] as const),
]);
export const HASH_EVENT = events(hash, [
  ...(['hset', 'hincrby', 'hincrbyfloat', 'hdel', 'hexpire', 'hexpired', 'hpersist'] as const),
]);
export const SORTED_SET_EVENT = events(sortedSet, [
  ...(['zadd', 'zincr', 'zrem', 'zremrangebyscore', 'zremrangebyrank', 'zremrangebylex', 'zdiffstore'] as const),
  ...(['zinterstore', 'zunionstore', 'zrangestore', 'zpopmin', 'zpopmax', 'geosearchstore', 'georadiusstore'] as const),
]);
export const STREAM_EVENT = events(stream, [
  ...(['xadd', 'xdel', 'xtrim', 'xsetid', 'xgroup-create', 'xgroup-createconsumer', 'xgroup-delconsumer'] as const),
  ...(['xgroup-destroy', 'xgroup-setid'] as const),
]);
/** What happens to keys by themselves, and what Redis tells beside the change: that a key is new, that one was missed. */
export const LIFE_EVENT = {
  ...events(EVENT_CLASS.expired, ['expired']),
  ...events(EVENT_CLASS.evicted, ['evicted']),
  ...events(EVENT_CLASS.newKey, ['new']),
  ...events(EVENT_CLASS.miss, ['keymiss']),
};
