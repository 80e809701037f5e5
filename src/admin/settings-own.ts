/** Settings that only Skein has. */
import { DurabilityRulesCodec, ShardPoliciesCodec } from './settings-codec-lists.ts';
import { choice, integer, size, special } from './settings-row.ts';

export const OWN_SETTINGS = [
  integer('workers', 0, 0, 60, 'Threads that serve clients; 0 = one for each processor.', {
    atStart: true,
    works: true,
  }),
  integer(
    'shards',
    0,
    0,
    256,
    'Parts of the key space. Fixed when the data set is created; 0 = one for each processor.',
    {
      atStart: true,
      works: true,
    },
  ),
  choice(
    'cross-shard',
    ['auto', 'ring'],
    'auto',
    "Where a command runs whose key another worker owns: on the client's worker under the shard's latch (auto), or always at the owner (ring).",
    {
      works: true,
    },
  ),
  special(
    'shard-appendfsync',
    new ShardPoliciesCodec(),
    '',
    'Shards whose append-only file has another policy than appendfsync.',
    { works: true },
  ),
  special(
    'durability-rule',
    new DurabilityRulesCodec(),
    '',
    'Keys whose durability differs from that of their shard: a pattern as in KEYS, or db:<number> for a database, and none (not journalled), everysec or always. The first rule that matches decides. May stand several times.',
    { works: true },
  ),
  choice(
    'changed-redis-files',
    ['refuse', 'load'],
    'refuse',
    "What a start does where the Redis files beside Skein's data have changed since they were taken over: refuse it, or load them anew and put Skein's data aside.",
    { atStart: true, works: true },
  ),
  size(
    'snapshot-memory',
    '0',
    0,
    2 ** 35 - 1,
    'Memory that a snapshot may need for what changes while it is written; at this bound writes wait until it has given some back. 0 = 30% of the data, at least 64mb.',
    { works: true },
  ),
] as const;
