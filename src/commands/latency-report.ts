/** What LATENCY GRAPH draws and LATENCY DOCTOR says. */
import type { LatencyEvent, LatencySeries } from '../admin/latency-events.ts';
import type { SettingsStore } from '../admin/settings-store.ts';

const GRAPH_COLUMNS = 80;
/** Heights of a column inside one line, the lowest first. */
const MARKS = ['_', 'o', '#'];
const GRAPH_LINES = 4;

/** 12s, 3m, 2h, 1d. */
function age(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** One column a sample, the newest at the right, its age written downwards below it. */
export function latencyGraphText(series: LatencySeries, nowMs: number): string {
  const samples = series.samples.slice(-GRAPH_COLUMNS);
  const values = samples.map(({ latencyMs }) => latencyMs);
  const high = Math.max(...values);
  const low = Math.min(...values);
  const steps = GRAPH_LINES * MARKS.length;
  const heights = values.map((ms) => (high === low ? 1 : 1 + Math.round(((ms - low) / (high - low)) * (steps - 1))));
  let text = `${series.event} - high ${high} ms, low ${low} ms (all time high ${series.highestMs} ms)\n`;
  text += `${'-'.repeat(GRAPH_COLUMNS)}\n`;
  for (let line = GRAPH_LINES - 1; line >= 0; line--) {
    const marks = heights.map((height) => {
      const inLine = Math.min(height - line * MARKS.length, MARKS.length);
      if (inLine <= 0) return ' ';
      return height > (line + 1) * MARKS.length ? '|' : MARKS[inLine - 1];
    });
    if (marks.some((mark) => mark !== ' ')) text += `${marks.join('')}\n`;
  }
  const ages = samples.map(({ unixSeconds }) => age(Math.floor(nowMs / 1000) - unixSeconds));
  text += '\n';
  for (let i = 0; ages.some((one) => i < one.length); i++) text += `${ages.map((one) => one[i] ?? ' ').join('')}\n`;
  return text;
}

const ADVICE: Record<LatencyEvent, string> = {
  command:
    'Look at SLOWLOG GET for the commands; set slowlog-log-slower-than low enough to see them. Commands over many elements can be split: SCAN instead of KEYS, UNLINK instead of DEL, shorter ranges.',
  'fast-command':
    'Commands that should be quick were slow: very long values, or a machine that gives this process too little time. Compare with the times of other processes, and look for swapping.',
  'command-unblocking':
    'What clients waited for in blocking (BLPOP and its kin) took long to be served: long elements, or many at once. Pop fewer of them at a time.',
  'expire-cycle': 'Many keys expire at the same moment. Add a random part to their time to live.',
  'aof-write': 'Writing to the journal files blocks: the disk is busy or slow. Other programs should leave it alone.',
  'aof-fsync-always':
    'Syncing the journal takes long, and with appendfsync always replies wait for it. Use a faster disk, or appendfsync everysec.',
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Figures of one event in a sentence. */
function figures({ event, samples, highestMs }: LatencySeries, nowMs: number): string {
  const values = samples.map(({ latencyMs }) => latencyMs);
  const average = mean(values);
  const deviation = mean(values.map((ms) => Math.abs(ms - average)));
  const seconds = Math.max(1, Math.floor(nowMs / 1000) - samples[0].unixSeconds);
  const every = (seconds / samples.length).toFixed(2);
  return `${event}: ${samples.length} spikes, one every ${every} seconds; mean ${Math.round(average)} ms, mean deviation ${Math.round(deviation)} ms, worst ever ${highestMs} ms.`;
}

export function latencyReport(events: readonly LatencySeries[], settings: SettingsStore, nowMs: number): string {
  const threshold = settings.number('latency-monitor-threshold');
  if (events.length === 0) {
    if (threshold > 0) return `No event has taken ${threshold} ms or longer. There is nothing to complain about.\n`;
    return 'Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n';
  }
  const lines = events.map((series, i) => `${i + 1}. ${figures(series, nowMs)}`);
  const advice = events.map(({ event }) => `- ${event}: ${ADVICE[event]}`);
  return `Spikes of latency, by kind of event:\n\n${lines.join('\n')}\n\nAdvice:\n\n${advice.join('\n')}\n`;
}
