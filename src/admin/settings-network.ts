/** Settings of the endpoint: addresses, ports, connections, clients, TLS. */
import { IntegerCodec } from './settings-codec.ts';
import { AddressesCodec, OutputLimitsCodec } from './settings-codec-lists.ts';
import { choice, INT_MAX, integer, LONG_MAX, size, special, text, yesNo } from './settings-row.ts';

export const NETWORK_SETTINGS = [
  special(
    'bind',
    new AddressesCodec(),
    '* -::*',
    'Addresses to listen on. An address with a leading - may be missing.',
    {
      works: true,
      embedded: '127.0.0.1 -::1',
    },
  ),
  text('bind-source-addr', '', 'Local address of outgoing connections (replication, cluster).'),
  integer('port', 6379, 0, 65535, 'TCP port; 0 = do not listen on TCP.', { works: true }),
  integer(
    'tcp-backlog',
    511,
    0,
    INT_MAX,
    'Connections that may wait to be accepted; the kernel caps it (net.core.somaxconn).',
    {
      atStart: true,
      works: true,
    },
  ),
  integer('tcp-keepalive', 300, 0, INT_MAX, 'Seconds of silence before a client connection is probed; 0 = never.', {
    works: true,
  }),
  integer('timeout', 0, 0, INT_MAX, 'Seconds after which an idle client is disconnected; 0 = never.', { works: true }),
  text('unixsocket', '', 'Path of a Unix socket to listen on as well.', { atStart: true, works: true }),
  special(
    'unixsocketperm',
    new IntegerCodec({ min: 0n, max: 0o777n, unsigned: true, form: 'octal' }),
    '0',
    'Mode of the Unix socket, octal; 0 = leave it to the umask.',
    { atStart: true, works: true },
  ),
  yesNo('protected-mode', 'yes', 'Refuse clients from other hosts as long as no password is set.', { works: true }),
  integer('maxclients', 10000, 1, 4294967295, 'Client connections at the same time.', { unsigned: true, works: true }),
  special(
    'client-output-buffer-limit',
    new OutputLimitsCodec(),
    'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    'Bytes of unsent replies at which a client of the class is disconnected: at once (hard) or after so many seconds (soft). 0 = no limit.',
    { works: true },
  ),
  size(
    'client-query-buffer-limit',
    '1gb',
    1048576,
    LONG_MAX,
    'Bytes of unparsed input at which a client is disconnected.',
    {
      unsigned: true,
      works: true,
    },
  ),
  size('proto-max-bulk-len', '512mb', 1048576, LONG_MAX, 'Longest argument of a command, and longest string value.', {
    works: true,
  }),
  special(
    'maxmemory-clients',
    new IntegerCodec({ min: -100n, max: LONG_MAX, form: 'memory or percent' }),
    '0',
    'Memory of all client connections together, in bytes or in per cent of maxmemory, above which the biggest are disconnected; 0 = no limit.',
  ),
  integer('socket-mark-id', 0, 0, 4294967295, 'Mark (SO_MARK) of listening sockets, for packet filters.', {
    atStart: true,
    unsigned: true,
  }),
  integer(
    'io-threads',
    1,
    1,
    128,
    "Redis's threads for input and output. Skein's workers read and write for themselves: see workers.",
    {
      atStart: true,
    },
  ),
  yesNo('io-threads-do-reads', 'no', "Whether Redis's input threads read as well; see io-threads.", { atStart: true }),
  integer('tls-port', 0, 0, 65535, 'TCP port for TLS; 0 = none.'),
  text('tls-cert-file', '', "Server's certificate (PEM)."),
  text('tls-key-file', '', "Server's private key (PEM)."),
  text('tls-key-file-pass', '', 'Passphrase of tls-key-file.', { secret: true }),
  text('tls-client-cert-file', '', 'Certificate for outgoing connections.'),
  text('tls-client-key-file', '', 'Private key for outgoing connections.'),
  text('tls-client-key-file-pass', '', 'Passphrase of tls-client-key-file.', { secret: true }),
  text('tls-dh-params-file', '', 'Diffie-Hellman parameters, for old OpenSSL only.'),
  text('tls-ca-cert-file', '', 'Certificates of the authorities that are trusted, in one file.'),
  text('tls-ca-cert-dir', '', 'Certificates of the authorities that are trusted, in a directory.'),
  choice('tls-auth-clients', ['no', 'yes', 'optional'], 'yes', 'Whether TLS clients must show a valid certificate.'),
  yesNo('tls-replication', 'no', 'Replicate through TLS.'),
  yesNo('tls-cluster', 'no', "Use TLS on the cluster's bus."),
  text(
    'tls-protocols',
    '',
    'Versions of TLS that are allowed, such as "TLSv1.2 TLSv1.3"; empty = the default of the library.',
  ),
  text('tls-ciphers', '', 'Ciphers up to TLS 1.2, in the notation of OpenSSL.'),
  text('tls-ciphersuites', '', 'Cipher suites of TLS 1.3.'),
  yesNo('tls-prefer-server-ciphers', 'no', "The server's order of ciphers counts, not the client's."),
  yesNo('tls-session-caching', 'yes', 'Let clients resume TLS sessions.'),
  integer('tls-session-cache-size', 20480, 0, INT_MAX, 'Number of TLS sessions to remember; 0 = no limit.'),
  integer('tls-session-cache-timeout', 300, 0, INT_MAX, 'Seconds for which a TLS session is remembered.'),
] as const;
