/** Settings of memory: limit, eviction, expiry, freeing, encodings of values. */
import { choice, INT_MAX, INT_MIN, integer, LONG_MAX, size, ULONG_MAX, yesNo } from './settings-row.ts';

const POLICIES = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
];

export const MEMORY_SETTINGS = [
  size(
    'maxmemory',
    '0',
    0,
    ULONG_MAX,
    'Bytes that the data may take; 0 = no limit. At the limit, maxmemory-policy decides.',
    {
      unsigned: true,
      works: true,
    },
  ),
  choice(
    'maxmemory-policy',
    POLICIES,
    'noeviction',
    'Which keys go at the limit. This version knows noeviction: writes that need memory are refused.',
  ),
  integer(
    'maxmemory-samples',
    5,
    1,
    INT_MAX,
    'Keys that are compared to find one to evict; more = nearer to the exact order.',
  ),
  integer(
    'maxmemory-eviction-tenacity',
    10,
    0,
    100,
    'How long a command may evict before it runs: 0 = least delay, 100 = until there is room.',
  ),
  integer('lfu-log-factor', 10, 0, INT_MAX, 'How slowly the access counter of LFU grows.'),
  integer('lfu-decay-time', 1, 0, INT_MAX, 'Minutes after which the access counter of LFU is halved.'),
  integer(
    'active-expire-effort',
    1,
    1,
    10,
    'How much of its time a worker may spend on keys that have expired unseen.',
  ),
  yesNo('lazyfree-lazy-eviction', 'no', 'Free evicted values in the background. Skein frees every big value in steps.'),
  yesNo('lazyfree-lazy-expire', 'no', 'Free expired values in the background. Skein frees every big value in steps.'),
  yesNo(
    'lazyfree-lazy-server-del',
    'no',
    'Free overwritten values in the background. Skein frees every big value in steps.',
  ),
  yesNo('lazyfree-lazy-user-del', 'no', 'DEL behaves as UNLINK. Skein frees every big value in steps.'),
  yesNo(
    'lazyfree-lazy-user-flush',
    'no',
    'FLUSHALL and FLUSHDB behave as with ASYNC. Skein frees dropped tables in steps.',
  ),
  yesNo('activerehashing', 'yes', 'Spend idle time on resizing the main tables.'),
  yesNo('activedefrag', 'no', "Move values to give memory back. Skein's arenas give pages back by themselves."),
  size('active-defrag-ignore-bytes', '100mb', 1, LONG_MAX, 'Bytes of waste below which activedefrag does nothing.', {
    unsigned: true,
  }),
  integer('active-defrag-threshold-lower', 10, 0, 1000, 'Per cent of waste at which activedefrag begins.'),
  integer('active-defrag-threshold-upper', 100, 0, 1000, 'Per cent of waste at which activedefrag works hardest.'),
  integer('active-defrag-cycle-min', 1, 1, 99, 'Per cent of CPU for activedefrag at the lower threshold.'),
  integer('active-defrag-cycle-max', 25, 1, 99, 'Per cent of CPU for activedefrag at the upper threshold.'),
  integer(
    'active-defrag-max-scan-fields',
    1000,
    1,
    LONG_MAX,
    'Elements of one value that activedefrag looks at in one go.',
  ),
  yesNo('jemalloc-bg-thread', 'yes', 'A thread of jemalloc that gives memory back. Skein does not use jemalloc.'),
  integer('hash-max-listpack-entries', 512, 0, LONG_MAX, 'Fields up to which a hash is kept as a compact list.', {
    alias: 'hash-max-ziplist-entries',
    unsigned: true,
  }),
  size(
    'hash-max-listpack-value',
    '64',
    0,
    LONG_MAX,
    'Bytes of a field or value up to which a hash is kept as a compact list.',
    {
      alias: 'hash-max-ziplist-value',
      unsigned: true,
    },
  ),
  integer(
    'list-max-listpack-size',
    -2,
    INT_MIN,
    INT_MAX,
    'Size of a node of a list: elements if positive; -1 … -5 = 4, 8, 16, 32, 64 KiB.',
    {
      alias: 'list-max-ziplist-size',
    },
  ),
  integer(
    'list-compress-depth',
    0,
    0,
    INT_MAX,
    'Nodes at both ends of a list that are not compressed; 0 = compress none.',
  ),
  integer(
    'set-max-intset-entries',
    512,
    0,
    LONG_MAX,
    'Members up to which a set of integers is kept as sorted integers.',
    { unsigned: true },
  ),
  integer('set-max-listpack-entries', 128, 0, LONG_MAX, 'Members up to which a set is kept as a compact list.', {
    unsigned: true,
  }),
  size('set-max-listpack-value', '64', 0, LONG_MAX, 'Bytes of a member up to which a set is kept as a compact list.', {
    unsigned: true,
  }),
  integer(
    'zset-max-listpack-entries',
    128,
    0,
    LONG_MAX,
    'Members up to which a sorted set is kept as a compact list.',
    {
      alias: 'zset-max-ziplist-entries',
      unsigned: true,
    },
  ),
  size(
    'zset-max-listpack-value',
    '64',
    0,
    LONG_MAX,
    'Bytes of a member up to which a sorted set is kept as a compact list.',
    {
      alias: 'zset-max-ziplist-value',
      unsigned: true,
    },
  ),
  size('hll-sparse-max-bytes', '3000', 0, LONG_MAX, 'Bytes up to which a HyperLogLog is kept in its sparse form.', {
    unsigned: true,
  }),
  size('stream-node-max-bytes', '4096', 0, LONG_MAX, 'Bytes of a node of a stream; 0 = no limit.', { unsigned: true }),
  integer('stream-node-max-entries', 100, 0, LONG_MAX, 'Entries of a node of a stream; 0 = no limit.'),
  integer(
    'tracking-table-max-keys',
    1000000,
    0,
    LONG_MAX,
    'Keys that are remembered for client-side caching; 0 = no limit.',
    {
      unsigned: true,
    },
  ),
] as const;
