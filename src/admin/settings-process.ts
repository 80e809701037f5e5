/** Settings of the process: logging, supervision, security, observation, scripts, databases. */
import { FlagsCodec } from './settings-codec.ts';
import { EventClassesCodec, OomScoresCodec, PercentilesCodec } from './settings-codec-lists.ts';
import { choice, INT_MAX, integer, LONG_MAX, special, text, yesNo } from './settings-row.ts';

const PERMISSIONS = ['no', 'yes', 'local'];

/** Words of shutdown-on-sigterm and shutdown-on-sigint; bit i of the setting's number stands for word i. */
export const SHUTDOWN_WORDS = ['save', 'nosave', 'now', 'force'] as const;

function shutdownFlags(): FlagsCodec {
  return new FlagsCodec('default', SHUTDOWN_WORDS, (has) =>
    has('save') && has('nosave') ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : null,
  );
}

const TITLE_FIELDS = ['title', 'listen-addr', 'server-mode', 'port', 'tls-port', 'unixsocket', 'config-file'];

function checkTitle(value: string): string | null {
  const names = [...value.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]);
  const rest = value.replace(/\{[^{}]*\}/g, '');
  const known = names.every((name) => TITLE_FIELDS.includes(name));
  return known && !/[{}]/.test(rest) ? null : 'template format is invalid or contains unknown variables';
}

export const PROCESS_SETTINGS = [
  integer('databases', 16, 1, INT_MAX, 'Number of databases that SELECT knows.', { atStart: true, works: true }),
  yesNo('daemonize', 'no', 'Go to the background. Skein stays in the foreground: use the init system.', {
    atStart: true,
  }),
  choice('supervised', ['upstart', 'systemd', 'auto', 'no'], 'no', 'Tell the init system when the server is ready.', {
    atStart: true,
  }),
  text('pidfile', '', 'File that holds the process id while the server runs.', { atStart: true, works: true }),
  choice(
    'loglevel',
    ['debug', 'verbose', 'notice', 'warning', 'nothing'],
    'notice',
    'Least importance of what is logged.',
    {
      works: true,
    },
  ),
  text('logfile', '', 'Log file; empty = standard output.', { atStart: true, mayBeEmpty: true, works: true }),
  yesNo('syslog-enabled', 'no', 'Log to syslog as well.', { atStart: true }),
  text('syslog-ident', 'redis', 'Name in syslog.', { atStart: true, mayBeEmpty: true }),
  choice(
    'syslog-facility',
    ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
    'local0',
    'Facility of syslog.',
    { atStart: true },
  ),
  yesNo('crash-log-enabled', 'yes', 'Print a report when the server crashes.', { works: true }),
  yesNo('crash-memcheck-enabled', 'yes', 'Test the memory when the server crashes.'),
  yesNo('use-exit-on-panic', 'no', 'Exit instead of abort on a panic (for tests).', { hidden: true }),
  yesNo('always-show-logo', 'no', 'Show the logo in log files, too.', { atStart: true }),
  yesNo('set-proc-title', 'yes', 'Show the state in the title of the process.', { atStart: true }),
  text('proc-title-template', '{title} {listen-addr} {server-mode}', 'Title of the process.', {
    mayBeEmpty: true,
    check: checkTitle,
  }),
  yesNo('disable-thp', 'yes', 'Switch transparent huge pages off for the process.', { atStart: true }),
  choice(
    'oom-score-adj',
    ['no', 'yes', 'relative', 'absolute'],
    'no',
    'Change the score that the out-of-memory killer of the kernel goes by.',
    {
      synonyms: { relative: 'yes' },
    },
  ),
  special(
    'oom-score-adj-values',
    new OomScoresCodec(),
    '0 200 800',
    'Scores of a master, a replica and a background child.',
  ),
  text('server-cpulist', '', 'Processors of the server.', { alias: 'server_cpulist', atStart: true }),
  text('bio-cpulist', '', 'Processors of background threads.', { alias: 'bio_cpulist', atStart: true }),
  text('aof-rewrite-cpulist', '', 'Processors of a rewrite of the append-only file.', {
    alias: 'aof_rewrite_cpulist',
    atStart: true,
  }),
  text('bgsave-cpulist', '', 'Processors of a background snapshot.', { alias: 'bgsave_cpulist', atStart: true }),
  text('ignore-warnings', '', 'Warnings at the start that are not to stop it.', { mayBeEmpty: true }),
  text('locale-collate', '', 'Locale of comparisons in SORT ALPHA; empty = from the environment.', {
    mayBeEmpty: true,
  }),
  integer('hz', 10, 0, INT_MAX, 'How often in a second background work is looked at (1..500).', {
    clamp: [1, 500],
    works: true,
  }),
  yesNo('dynamic-hz', 'yes', 'Raise hz with the number of clients.'),
  integer('watchdog-period', 0, 0, INT_MAX, 'Milliseconds after which a slow command is reported (for debugging).', {
    hidden: true,
  }),
  integer('shutdown-timeout', 10, 0, INT_MAX, 'Seconds for which a shutdown waits for replicas.'),
  special('shutdown-on-sigterm', shutdownFlags(), 'default', 'Options of the shutdown on SIGTERM.', { works: true }),
  special('shutdown-on-sigint', shutdownFlags(), 'default', 'Options of the shutdown on SIGINT.', { works: true }),
  text('requirepass', '', 'Password of the default user.', { secret: true, works: true }),
  text('aclfile', '', 'File with the users of the access control list.', { atStart: true, mayBeEmpty: true }),
  choice('acl-pubsub-default', ['allchannels', 'resetchannels'], 'resetchannels', 'Channels of a new user.'),
  integer('acllog-max-len', 128, 0, LONG_MAX, 'Entries of ACL LOG.'),
  choice(
    'enable-protected-configs',
    PERMISSIONS,
    'no',
    'Whether CONFIG SET may change dir and dbfilename: never, always, or from this machine.',
    {
      atStart: true,
      works: true,
    },
  ),
  choice('enable-debug-command', PERMISSIONS, 'no', 'Whether DEBUG is allowed: never, always, or from this machine.', {
    atStart: true,
    works: true,
  }),
  choice('enable-module-command', PERMISSIONS, 'no', 'Whether MODULE is allowed. Skein loads no native modules.', {
    atStart: true,
  }),
  integer(
    'slowlog-log-slower-than',
    10000,
    -1,
    LONG_MAX,
    'Microseconds from which a command is noted in SLOWLOG; -1 = none.',
    { works: true },
  ),
  integer('slowlog-max-len', 128, 0, LONG_MAX, 'Entries of SLOWLOG.', { works: true }),
  integer(
    'latency-monitor-threshold',
    0,
    0,
    LONG_MAX,
    'Milliseconds from which an event is noted for LATENCY; 0 = none.',
    { works: true },
  ),
  yesNo('latency-tracking', 'yes', 'Keep a histogram of the time of each command.', { works: true }),
  special(
    'latency-tracking-info-percentiles',
    new PercentilesCodec(),
    '50 99 99.9',
    'Percentiles that INFO latencystats shows.',
    { works: true },
  ),
  special(
    'notify-keyspace-events',
    new EventClassesCodec(),
    '',
    'Classes of key events that are published; empty = none.',
    { works: true },
  ),
  integer(
    'busy-reply-threshold',
    5000,
    0,
    LONG_MAX,
    'Milliseconds after which a running script makes other clients see BUSY; 0 = never.',
    {
      alias: 'lua-time-limit',
      works: true,
    },
  ),
  yesNo('lua-enable-deprecated-api', 'no', 'Let scripts see names that Redis has withdrawn.', {
    atStart: true,
    hidden: true,
  }),
  yesNo(
    'close-on-replica-write',
    'yes',
    'Close the connection of a master that is written to as if it were a client (for tests).',
    { hidden: true },
  ),
  yesNo('enable-debug-assert', 'no', 'Costly assertions (for tests).', { atStart: true, hidden: true }),
] as const;
