/** Settings that only Skein has. */
import { ShardPoliciesCodec } from './settings-codec-lists.ts';
import { choice, integer, special } from './settings-row.ts';

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
] as const;
