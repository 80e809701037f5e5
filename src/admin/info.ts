/**
 * The text of INFO. A section is a function that writes its fields; a field of Redis's that has no counterpart here is left
 * out, never invented.
 */
import os from 'node:os';
import { CLIENT_FLAG } from './client-records.ts';
import { humanBytes } from './human-bytes.ts';
import type { InfoCommand, InfoSource } from './info-source.ts';
import { residentBytes } from './resident-memory.ts';
import { SAVE } from './save-state.ts';
import type { CounterName } from './server-counters.ts';
import { REDIS_VERSION, SKEIN_VERSION } from './version.ts';

const SECONDS_PER_DAY = 86_400;

/** Collects `name:value` lines. */
class Fields {
  text = '';

  add(name: string, value: string | number): void {
    this.text += `${name}:${value}\r\n`;
  }

  bytes(name: string, bytes: number): void {
    this.add(name, bytes);
    this.add(`${name}_human`, humanBytes(bytes));
  }
}

type Section = (source: InfoSource, fields: Fields, commands: readonly InfoCommand[]) => void;

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

/** Data memory in use, over all shards, in bytes. */
export function usedBytes(source: Pick<InfoSource, 'spaces'>): number {
  return sum(source.spaces, (space) => space.arena.liveBytes());
}

function server(source: InfoSource, fields: Fields): void {
  const uptime = Math.floor((source.nowMs() - source.startedMs) / 1000);
  const hz = source.settings.number('hz');
  fields.add('redis_version', REDIS_VERSION);
  fields.add('skein_version', SKEIN_VERSION);
  fields.add('redis_mode', 'standalone');
  fields.add('os', `${os.type()} ${os.release()} ${os.machine()}`);
  fields.add('arch_bits', 64);
  fields.add('node_version', process.versions.node);
  fields.add('process_id', source.pid);
  fields.add('process_supervised', 'no');
  fields.add('run_id', source.runId);
  fields.add('tcp_port', source.tcpPort);
  fields.add('server_time_usec', source.clockMicros());
  fields.add('uptime_in_seconds', uptime);
  fields.add('uptime_in_days', Math.floor(uptime / SECONDS_PER_DAY));
  fields.add('hz', hz);
  fields.add('configured_hz', hz);
  fields.add('lru_clock', Math.floor(source.nowMs() / 1000) & 0xffffff);
  fields.add('executable', source.executablePath);
  fields.add('config_file', source.configFile);
  fields.add('io_threads_active', 0);
  fields.add('workers', source.workers);
  fields.add('shards', source.shards);
  source.listeners.forEach((listener, i) => {
    const binds = listener.bind.map((address) => `,bind=${address}`).join('');
    const port = listener.port === 0 ? '' : `,port=${listener.port}`;
    fields.add(`listener${i}`, `name=${listener.name}${binds}${port}`);
  });
}

function clients(source: InfoSource, fields: Fields): void {
  const infos = source.clients.list();
  fields.add('connected_clients', infos.length);
  fields.add('cluster_connections', 0);
  fields.add('maxclients', source.settings.number('maxclients'));
  fields.add('client_recent_max_input_buffer', Math.max(0, ...infos.map((info) => info.queryBytes)));
  fields.add('client_recent_max_output_buffer', Math.max(0, ...infos.map((info) => info.outputBytes)));
  fields.add('blocked_clients', infos.filter((info) => (info.flags & CLIENT_FLAG.waiting) !== 0).length);
  fields.add('total_blocking_keys', source.blocked.keyCount());
  fields.add('total_blocking_keys_on_nokey', source.blocked.endCount());
  fields.add('tracking_clients', source.pushes.trackingClients());
  fields.add('pubsub_clients', infos.filter((info) => (info.flags & CLIENT_FLAG.subscriber) !== 0).length);
  const pause = source.pauseState();
  fields.add('paused_reason', pause.endMs === 0 ? 'none' : 'client_pause');
  fields.add('paused_actions', pause.endMs === 0 ? 'none' : pause.all ? 'all' : 'write');
  fields.add('paused_timeout_milliseconds', pause.endMs === 0 ? 0 : Math.max(0, pause.endMs - source.nowMs()));
  for (let worker = 0; worker < source.workers; worker++) {
    fields.add(`worker${worker}_clients`, source.clients.countOf(worker));
  }
}

function ratio(part: number, whole: number): string {
  return whole === 0 ? '0.00' : (part / whole).toFixed(2);
}

function memory(source: InfoSource, fields: Fields): void {
  const used = usedBytes(source);
  const active = sum(source.spaces, (space) => space.arena.usedPageBytes());
  const resident = sum(source.spaces, (space) => space.arena.committedBytes());
  const rss = residentBytes();
  const peak = source.samples.peakBytes(used);
  fields.bytes('used_memory', used);
  fields.bytes('used_memory_rss', rss);
  fields.bytes('used_memory_peak', peak);
  fields.add('used_memory_peak_perc', `${ratio(used * 100, peak)}%`);
  fields.add('allocator_allocated', used);
  fields.add('allocator_active', active);
  fields.add('allocator_resident', resident);
  const { scripts, scriptBytes, libraries, libraryBytes, functions } = source.scripting.figures();
  fields.add('used_memory_scripts_eval', scriptBytes);
  fields.add('number_of_cached_scripts', scripts);
  fields.add('number_of_functions', functions);
  fields.add('number_of_libraries', libraries);
  fields.add('used_memory_functions', libraryBytes);
  fields.bytes('used_memory_scripts', scriptBytes + libraryBytes);
  fields.bytes('total_system_memory', os.totalmem());
  fields.bytes('maxmemory', source.settings.number('maxmemory'));
  fields.add('maxmemory_policy', source.settings.text('maxmemory-policy'));
  fields.add('allocator_frag_ratio', ratio(active, used));
  fields.add('allocator_frag_bytes', active - used);
  fields.add('allocator_rss_ratio', ratio(resident, active));
  fields.add('allocator_rss_bytes', resident - active);
  fields.add('rss_overhead_ratio', ratio(rss, resident));
  fields.add('rss_overhead_bytes', rss - resident);
  fields.add('mem_fragmentation_ratio', ratio(rss, used));
  fields.add('mem_fragmentation_bytes', rss - used);
  fields.add(
    'mem_clients_normal',
    sum(source.clients.list(), (info) => info.totalBytes),
  );
  fields.add(
    'mem_aof_buffer',
    sum(source.journals, (journal) => journal.head() - journal.written()),
  );
  fields.add('mem_allocator', 'skein-arena');
}

function loading(source: InfoSource, fields: Fields): void {
  const { beganMs, totalBytes, loadedBytes } = source.loadProgress();
  const elapsedSeconds = beganMs === 0 ? 0 : Math.floor((source.nowMs() - beganMs) / 1000);
  fields.add('loading_start_time', Math.floor(beganMs / 1000));
  fields.add('loading_total_bytes', totalBytes);
  fields.add('loading_loaded_bytes', loadedBytes);
  fields.add('loading_loaded_perc', `${ratio(loadedBytes * 100, totalBytes)}%`);
  // in the first second there is nothing to go by
  const left = Math.floor((elapsedSeconds * (totalBytes - loadedBytes)) / (loadedBytes + 1));
  fields.add('loading_eta_seconds', elapsedSeconds === 0 ? 1 : left);
}

function persistence(source: InfoSource, fields: Fields): void {
  const { journals } = source;
  const enabled = journals.some((journal) => journal.enabled);
  fields.add('loading', source.loading ? 1 : 0);
  fields.add('async_loading', 0);
  const { saves } = source;
  const begunMs = saves[SAVE.begunMs];
  const saving = begunMs !== 0 || saves[SAVE.rewriteBegunMs] !== 0;
  fields.add('current_cow_size', saving ? saves[SAVE.keptBytes] : 0);
  fields.add('current_save_keys_processed', saving ? saves[SAVE.keysDone] : 0);
  fields.add('current_save_keys_total', saving ? saves[SAVE.keysTotal] : 0);
  fields.add('rdb_changes_since_last_save', source.counters.sum('changes') - saves[SAVE.changesThen]);
  fields.add('rdb_bgsave_in_progress', begunMs === 0 ? 0 : 1);
  fields.add('rdb_last_save_time', Math.floor(saves[SAVE.lastSaveMs] / 1000));
  fields.add('rdb_last_bgsave_status', saves[SAVE.failed] === 0 ? 'ok' : 'err');
  fields.add('rdb_last_bgsave_time_sec', saves[SAVE.lastSeconds]);
  fields.add('rdb_current_bgsave_time_sec', begunMs === 0 ? -1 : Math.floor((source.nowMs() - begunMs) / 1000));
  fields.add('rdb_saves', saves[SAVE.saves]);
  fields.add('rdb_last_cow_size', saves[SAVE.lastKeptBytes]);
  fields.add('rdb_last_load_keys_expired', saves[SAVE.expiredKeys]);
  fields.add('rdb_last_load_keys_loaded', saves[SAVE.loadedKeys]);
  fields.add('snapshot_memory_limit', source.pastGauge.boundBytes());
  fields.add('snapshot_throttled', source.pastGauge.timesFull());
  fields.add('snapshot_throttled_writes', source.counters.sum('throttledWrites'));
  const admitted = source.counters.sum('admittedWrites');
  fields.add('snapshot_waiting_writes', Math.max(0, source.counters.sum('throttledWrites') - admitted));
  fields.add('aof_enabled', enabled ? 1 : 0);
  const rewriteMs = saves[SAVE.rewriteBegunMs];
  fields.add('aof_rewrite_in_progress', rewriteMs === 0 ? 0 : 1);
  fields.add('aof_rewrite_scheduled', saves[SAVE.rewriteScheduled]);
  fields.add('aof_last_rewrite_time_sec', saves[SAVE.rewriteLastSeconds]);
  fields.add('aof_current_rewrite_time_sec', rewriteMs === 0 ? -1 : Math.floor((source.nowMs() - rewriteMs) / 1000));
  fields.add('aof_last_bgrewrite_status', saves[SAVE.rewriteFailed] === 0 ? 'ok' : 'err');
  fields.add('aof_rewrites', saves[SAVE.rewrites]);
  fields.add('aof_last_write_status', source.diskBroken() ? 'err' : 'ok');
  if (source.loading) loading(source, fields);
  if (!enabled) return;
  fields.add('aof_base_size', saves[SAVE.baseBytes]);
  fields.add('aof_current_size', saves[SAVE.baseBytes] + sum(journals, (journal) => journal.fileBytes()));
  fields.add('aof_delayed_fsync', source.delayedSyncs());
  fields.add(
    'aof_buffer_length',
    sum(journals, (journal) => journal.head() - journal.written()),
  );
  fields.add(
    'aof_unsafe_bytes',
    sum(journals, (journal) => journal.head() - journal.safe()),
  );
}

/** Fields of the statistics that are one counter each. */
const PLAIN_STATS: readonly [field: string, counter: CounterName][] = [
  ['rejected_connections', 'connectionsRejected'],
  ['expired_keys', 'expiredKeys'],
  ['evicted_keys', 'evictedKeys'],
  ['keyspace_hits', 'keyspaceHits'],
  ['keyspace_misses', 'keyspaceMisses'],
  ['total_reads_processed', 'readsProcessed'],
  ['total_writes_processed', 'writesProcessed'],
  ['client_query_buffer_limit_disconnections', 'inputLimitDisconnections'],
  ['client_output_buffer_limit_disconnections', 'outputLimitDisconnections'],
  ['latch_collisions', 'latchCollisions'],
  ['latch_waits', 'latchWaits'],
  ['latch_turns', 'latchTurns'],
  ['forwarded_commands', 'forwardedCommands'],
  ['scripts_taken_back', 'scriptsTakenBack'],
];

function stats(source: InfoSource, fields: Fields): void {
  const { counters, samples } = source;
  fields.add('total_connections_received', counters.sum('connectionsReceived'));
  fields.add('total_commands_processed', counters.sum('commandsProcessed'));
  fields.add('instantaneous_ops_per_sec', samples.opsPerSecond());
  fields.add('total_net_input_bytes', counters.sum('netInputBytes'));
  fields.add('total_net_output_bytes', counters.sum('netOutputBytes'));
  fields.add('instantaneous_input_kbps', (samples.inputBytesPerSecond() / 1024).toFixed(2));
  fields.add('instantaneous_output_kbps', (samples.outputBytesPerSecond() / 1024).toFixed(2));
  for (const [field, counter] of PLAIN_STATS) fields.add(field, counters.sum(counter));
  const { pushes } = source;
  fields.add('pubsub_channels', pushes.channelCount());
  fields.add('pubsub_patterns', pushes.patternCount());
  fields.add('pubsubshard_channels', pushes.shardChannelCount());
  fields.add('tracking_total_keys', pushes.trackedKeys());
  fields.add('tracking_total_items', pushes.trackedItems());
  fields.add('tracking_total_prefixes', pushes.trackedPrefixes());
  fields.add('total_error_replies', source.errorStats.total());
}

function replication(_source: InfoSource, fields: Fields): void {
  fields.add('role', 'master');
  fields.add('connected_slaves', 0);
}

function cpu(_source: InfoSource, fields: Fields): void {
  const { system, user } = process.cpuUsage();
  fields.add('used_cpu_sys', (system / 1e6).toFixed(6));
  fields.add('used_cpu_user', (user / 1e6).toFixed(6));
}

function commandstats(source: InfoSource, fields: Fields, commands: readonly InfoCommand[]): void {
  for (const { name, rows } of commands) {
    const figures = rows.map((row) => source.commandStats.figures(row));
    const calls = sum(figures, (one) => one.calls);
    const rejected = sum(figures, (one) => one.rejected);
    const failed = sum(figures, (one) => one.failed);
    if (calls + rejected + failed === 0) continue;
    const timed = figures.filter((one) => one.micros !== null);
    const micros = sum(timed, (one) => one.micros ?? 0);
    const isUnknown = timed.length === 0 && calls > 0;
    const time = isUnknown ? '' : `,usec=${Math.round(micros)},usec_per_call=${ratio(micros, calls)}`;
    fields.add(`cmdstat_${name}`, `calls=${calls}${time},rejected_calls=${rejected},failed_calls=${failed}`);
  }
}

function latencystats(source: InfoSource, fields: Fields, commands: readonly InfoCommand[]): void {
  const shown = source.settings
    .text('latency-tracking-info-percentiles')
    .split(' ')
    .filter((word) => word !== '');
  if (!source.settings.flag('latency-tracking') || shown.length === 0) return;
  for (const { name, rows } of commands) {
    const micros = source.latencyHistograms.percentiles(rows, shown.map(Number));
    if (micros === null) continue;
    const values = shown.map((percent, i) => `p${percent}=${micros[i].toFixed(3)}`);
    fields.add(`latency_percentiles_usec_${name}`, values.join(','));
  }
}

function errorstats(source: InfoSource, fields: Fields): void {
  for (const { code, count } of source.errorStats.figures()) fields.add(`errorstat_${code}`, `count=${count}`);
}

function cluster(_source: InfoSource, fields: Fields): void {
  fields.add('cluster_enabled', 0);
}

function keyspace(source: InfoSource, fields: Fields): void {
  for (let db = 0; db < source.databases; db++) {
    const keys = sum(source.spaces, (space) => space.count(db));
    const expires = sum(source.spaces, (space) => space.deadlines(db));
    if (keys > 0) fields.add(`db${db}`, `keys=${keys},expires=${expires}`);
  }
}

/** Not part of the default: one line for each shard. */
function shards(source: InfoSource, fields: Fields): void {
  source.spaces.forEach((space, shard) => {
    let keys = 0;
    for (let db = 0; db < source.databases; db++) keys += space.count(db);
    const journal = source.journals[shard];
    const positions = journal.enabled
      ? `,journal_head=${journal.head()},journal_written=${journal.written()},journal_safe=${journal.safe()}`
      : '';
    fields.add(`shard${shard}`, `keys=${keys},used_memory=${space.arena.liveBytes()}${positions}`);
  });
}

interface SectionRow {
  name: string;
  title: string;
  write: Section;
  isDefault: boolean;
}

const NO_FIELDS: Section = () => {};

const SECTIONS: readonly SectionRow[] = [
  { name: 'server', title: 'Server', write: server, isDefault: true },
  { name: 'clients', title: 'Clients', write: clients, isDefault: true },
  { name: 'memory', title: 'Memory', write: memory, isDefault: true },
  { name: 'persistence', title: 'Persistence', write: persistence, isDefault: true },
  { name: 'stats', title: 'Stats', write: stats, isDefault: true },
  { name: 'replication', title: 'Replication', write: replication, isDefault: true },
  { name: 'cpu', title: 'CPU', write: cpu, isDefault: true },
  { name: 'modules', title: 'Modules', write: NO_FIELDS, isDefault: true },
  { name: 'commandstats', title: 'Commandstats', write: commandstats, isDefault: false },
  { name: 'latencystats', title: 'Latencystats', write: latencystats, isDefault: false },
  { name: 'errorstats', title: 'Errorstats', write: errorstats, isDefault: true },
  { name: 'cluster', title: 'Cluster', write: cluster, isDefault: true },
  { name: 'keyspace', title: 'Keyspace', write: keyspace, isDefault: true },
  { name: 'shards', title: 'Shards', write: shards, isDefault: false },
];

/** The text of the named sections (lower case; 'default', 'all' and 'everything' too; none: the default ones). */
export function infoText(source: InfoSource, names: readonly string[], commands: readonly InfoCommand[]): string {
  const all = names.includes('all') || names.includes('everything');
  const usual = names.length === 0 || names.includes('default');
  const parts: string[] = [];
  for (const { name, title, write, isDefault } of SECTIONS) {
    if (!all && !(usual && isDefault) && !names.includes(name)) continue;
    const fields = new Fields();
    write(source, fields, commands);
    parts.push(`# ${title}\r\n${fields.text}`);
  }
  return parts.join('\r\n');
}
