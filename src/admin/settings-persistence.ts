/** Settings of durability: snapshots and the append-only file. */
import { DirectoryCodec } from './settings-codec.ts';
import { SavePointsCodec } from './settings-codec-lists.ts';
import { choice, INT_MAX, INT_MIN, integer, LONG_MAX, size, special, text, yesNo } from './settings-row.ts';

function isFileName(value: string): boolean {
  return !value.includes('/') && !value.includes('\\');
}

function checkFileName(name: string, kind: string, mayBeEmpty: boolean): (value: string) => string | null {
  return (value) => {
    if (value === '' && !mayBeEmpty) return `${name} can't be empty`;
    return isFileName(value) ? null : `${name} can't be a path, just a ${kind}`;
  };
}

export const PERSISTENCE_SETTINGS = [
  special('dir', new DirectoryCodec(), '.', 'Directory of the data files.', {
    embedded: './data',
    guarded: true,
    notWhileLoading: true,
    works: true,
  }),
  special(
    'save',
    new SavePointsCodec(),
    '3600 1 300 100 60 10000',
    'Take a snapshot after so many seconds if there were so many changes. "" = never.',
    { works: true },
  ),
  text('dbfilename', 'dump.rdb', 'Name of the snapshot in dir.', {
    guarded: true,
    mayBeEmpty: true,
    check: checkFileName('dbfilename', 'filename', true),
    works: true,
  }),
  yesNo('rdbcompression', 'yes', 'Compress texts in snapshots.', { works: true }),
  yesNo('rdbchecksum', 'yes', 'End snapshots with a checksum.', { atStart: true, works: true }),
  yesNo('rdb-del-sync-files', 'no', 'Remove snapshots that were only made for replication.'),
  yesNo('rdb-save-incremental-fsync', 'yes', 'Flush a snapshot to disk every 4 MB while it is written.'),
  integer(
    'rdb-key-save-delay',
    0,
    INT_MIN,
    INT_MAX,
    'Microseconds to wait per key while a snapshot is saved (for tests).',
    { hidden: true, works: true },
  ),
  integer('key-load-delay', 0, INT_MIN, INT_MAX, 'Microseconds to wait per key while data are loaded (for tests).', {
    hidden: true,
    works: true,
  }),
  integer(
    'loading-process-events-interval-bytes',
    2097152,
    1024,
    INT_MAX,
    'Bytes that are loaded between two looks at the clients.',
    {
      hidden: true,
    },
  ),
  choice(
    'sanitize-dump-payload',
    ['no', 'yes', 'clients'],
    'no',
    'Check every structure in a snapshot or in RESTORE in full.',
  ),
  yesNo('stop-writes-on-bgsave-error', 'yes', 'Refuse writes after a snapshot has failed.', { works: true }),
  yesNo('appendonly', 'no', 'Keep an append-only file (journal) of every write.', {
    embedded: 'yes',
    notWhileLoading: true,
    works: true,
  }),
  text('appendfilename', 'appendonly.aof', 'First part of the names of the append-only files.', {
    atStart: true,
    mayBeEmpty: true,
    check: checkFileName('appendfilename', 'filename', false),
    works: true,
  }),
  text('appenddirname', 'appendonlydir', 'Directory, inside dir, of the append-only files.', {
    atStart: true,
    mayBeEmpty: true,
    check: checkFileName('appenddirname', 'dirname', false),
    works: true,
  }),
  choice(
    'appendfsync',
    ['everysec', 'always', 'no'],
    'everysec',
    'When the append-only file is forced to disk: once a second, before a reply leaves, or when the kernel likes.',
    {
      works: true,
    },
  ),
  yesNo(
    'no-appendfsync-on-rewrite',
    'no',
    'Do not force the append-only file to disk while a snapshot or rewrite runs.',
  ),
  integer(
    'auto-aof-rewrite-percentage',
    100,
    0,
    INT_MAX,
    'Growth in per cent since the last rewrite at which the append-only file is rewritten; 0 = never.',
    { works: true },
  ),
  size(
    'auto-aof-rewrite-min-size',
    '64mb',
    0,
    LONG_MAX,
    'Size below which the append-only file is not rewritten by itself.',
    { works: true },
  ),
  yesNo('aof-rewrite-incremental-fsync', 'yes', 'Flush a rewritten append-only file to disk every 4 MB.'),
  yesNo(
    'aof-load-truncated',
    'yes',
    'Load an append-only file whose end is torn, cutting the torn record; otherwise refuse to start.',
    {
      works: true,
    },
  ),
  yesNo(
    'aof-use-rdb-preamble',
    'yes',
    'Write the base of a rewritten append-only file as a snapshot. Skein always does.',
  ),
  yesNo('aof-timestamp-enabled', 'no', 'Note the time in the append-only file, for recovery to a point in time.'),
  yesNo('aof-disable-auto-gc', 'no', 'Keep append-only files that are no longer needed (for tests).'),
] as const;
