/** Settings of replication and cluster. */
import { MasterCodec } from './settings-codec-lists.ts';
import { choice, INT_MAX, integer, LONG_MAX, size, special, text, ULONG_MAX, yesNo } from './settings-row.ts';

function checkHostname(value: string): string | null {
  if (value.length >= 256) return 'Hostnames must be less than 256 characters';
  return /^[A-Za-z0-9.-]*$/.test(value) ? null : 'Hostnames may only contain alphanumeric characters, hyphens or dots';
}

function checkNodeName(value: string): string | null {
  return /^[A-Za-z0-9./_-]{0,127}$/.test(value) ? null : 'Announced human node name contained invalid character';
}

export const REPLICATION_SETTINGS = [
  special('replicaof', new MasterCodec(), 'no one', 'Host and port of the master whose data to copy.', {
    alias: 'slaveof',
    atStart: true,
  }),
  text('masterauth', '', 'Password for the master.', { secret: true }),
  text('masteruser', '', 'User name for the master.', { secret: true }),
  yesNo('replica-serve-stale-data', 'yes', 'Answer reads while the master cannot be reached.', {
    alias: 'slave-serve-stale-data',
  }),
  yesNo('replica-read-only', 'yes', 'A replica refuses writes of clients.', { alias: 'slave-read-only' }),
  yesNo('replica-ignore-maxmemory', 'yes', 'A replica leaves eviction to its master.', {
    alias: 'slave-ignore-maxmemory',
  }),
  yesNo('replica-lazy-flush', 'no', 'A replica frees its old data in the background before it loads new ones.', {
    alias: 'slave-lazy-flush',
  }),
  yesNo('replica-announced', 'yes', 'Sentinels name this replica to clients.'),
  yesNo('replica-ignore-disk-write-errors', 'no', 'A replica goes on when it cannot write to disk.'),
  integer(
    'replica-priority',
    100,
    0,
    INT_MAX,
    'Sentinels promote the replica with the lowest number; 0 = never this one.',
    { alias: 'slave-priority' },
  ),
  text('replica-announce-ip', '', 'Address that a replica tells its master.', { alias: 'slave-announce-ip' }),
  integer('replica-announce-port', 0, 0, 65535, 'Port that a replica tells its master; 0 = its own.', {
    alias: 'slave-announce-port',
  }),
  integer('min-replicas-to-write', 0, 0, INT_MAX, 'Refuse writes with fewer good replicas; 0 = never.', {
    alias: 'min-slaves-to-write',
  }),
  integer('min-replicas-max-lag', 10, 0, INT_MAX, 'Seconds of silence up to which a replica counts as good.', {
    alias: 'min-slaves-max-lag',
  }),
  size(
    'repl-backlog-size',
    '1mb',
    1,
    LONG_MAX,
    'Bytes of the stream that are kept for replicas that come back (at least 16 KiB).',
    {
      clamp: [16384, Number.MAX_VALUE],
    },
  ),
  integer(
    'repl-backlog-ttl',
    3600,
    0,
    LONG_MAX,
    'Seconds without replicas after which the backlog is dropped; 0 = never.',
  ),
  integer('repl-timeout', 60, 1, INT_MAX, 'Seconds of silence after which a replication link is cut.'),
  integer('repl-ping-replica-period', 10, 1, INT_MAX, 'Seconds between the pings to replicas.', {
    alias: 'repl-ping-slave-period',
  }),
  yesNo('repl-disable-tcp-nodelay', 'no', 'Fewer, later packets on replication links.'),
  yesNo('repl-diskless-sync', 'yes', 'Send a snapshot to replicas without writing it to disk first.'),
  integer('repl-diskless-sync-delay', 5, 0, INT_MAX, 'Seconds to wait for more replicas before a diskless transfer.'),
  integer(
    'repl-diskless-sync-max-replicas',
    0,
    0,
    INT_MAX,
    'Begin the diskless transfer at once when so many replicas wait; 0 = wait for the delay.',
  ),
  choice(
    'repl-diskless-load',
    ['disabled', 'on-empty-db', 'swapdb'],
    'disabled',
    'Load a snapshot from the link without writing it to disk first.',
    {
      notWhileLoading: true,
    },
  ),
  choice(
    'propagation-error-behavior',
    ['ignore', 'panic', 'panic-on-replicas'],
    'ignore',
    'What to do when a command from the master or the append-only file fails.',
  ),
  yesNo('cluster-enabled', 'no', 'Be a node of a Redis Cluster.', { atStart: true }),
  text('cluster-config-file', 'nodes.conf', "The cluster's own file in dir.", { atStart: true, mayBeEmpty: true }),
  integer('cluster-node-timeout', 15000, 0, LONG_MAX, 'Milliseconds of silence after which a node counts as failing.'),
  integer('cluster-port', 0, 0, 65535, "Port of the cluster's bus; 0 = port + 10000.", { atStart: true }),
  integer(
    'cluster-replica-validity-factor',
    10,
    0,
    INT_MAX,
    'How old the data of a replica may be for it to be promoted; 0 = any age.',
    {
      alias: 'cluster-slave-validity-factor',
    },
  ),
  integer('cluster-migration-barrier', 1, 0, INT_MAX, 'Replicas that a master keeps when others take one from it.'),
  yesNo('cluster-allow-replica-migration', 'yes', 'Replicas may move to masters that have none.'),
  yesNo('cluster-require-full-coverage', 'yes', 'Refuse commands while some slot has no master.'),
  yesNo('cluster-replica-no-failover', 'no', 'Replicas do not promote themselves.', {
    alias: 'cluster-slave-no-failover',
  }),
  yesNo('cluster-allow-reads-when-down', 'no', 'Answer reads while the cluster is down.'),
  yesNo('cluster-allow-pubsubshard-when-down', 'yes', 'Sharded pub/sub works while the cluster is down.'),
  size(
    'cluster-link-sendbuf-limit',
    '0',
    0,
    ULONG_MAX,
    'Bytes of unsent messages at which a link of the bus is cut; 0 = no limit.',
    {
      unsigned: true,
    },
  ),
  text('cluster-announce-ip', '', 'Address that the node tells the cluster.'),
  text('cluster-announce-hostname', '', 'Host name that the node tells the cluster.', { check: checkHostname }),
  text('cluster-announce-human-nodename', '', 'Name of the node in log lines.', { check: checkNodeName }),
  integer('cluster-announce-port', 0, 0, 65535, 'Port that the node tells the cluster; 0 = its own.'),
  integer('cluster-announce-tls-port', 0, 0, 65535, 'TLS port that the node tells the cluster; 0 = its own.'),
  integer('cluster-announce-bus-port', 0, 0, 65535, 'Port of the bus that the node tells the cluster; 0 = its own.'),
  choice(
    'cluster-preferred-endpoint-type',
    ['ip', 'hostname', 'unknown-endpoint'],
    'ip',
    'What clients are told about where a slot is.',
  ),
] as const;
