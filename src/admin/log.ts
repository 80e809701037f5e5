/**
 * The server log: lines on standard output or in `logfile`, with pid, role and time as Redis writes them.
 * A closed standard output does not stop the server.
 */
export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning';

const MARKS: Record<LogLevel, string> = { debug: '.', verbose: '-', notice: '*', warning: '#' };
const ORDER: readonly LogLevel[] = ['debug', 'verbose', 'notice', 'warning'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** '07 Mar 2026 08:15:02.042', local time. */
export function logTime(unixMs: number): string {
  const d = new Date(unixMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${two(d.getDate())} ${MONTHS[d.getMonth()]} ${d.getFullYear()}`;
  return `${day} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

export class Log {
  private readonly pid: number;
  private readonly nowMs: () => number;
  private readonly write: (line: string) => void;
  private threshold = 2;

  /** `write` takes whole lines and must not throw. */
  constructor(pid: number, nowMs: () => number, write: (line: string) => void) {
    this.pid = pid;
    this.nowMs = nowMs;
    this.write = write;
  }

  setLevel(level: string): void {
    this.threshold = level === 'nothing' ? ORDER.length : Math.max(0, (ORDER as readonly string[]).indexOf(level));
  }

  line(level: LogLevel, text: string): void {
    if (ORDER.indexOf(level) < this.threshold) return;
    this.write(`${this.pid}:M ${logTime(this.nowMs())} ${MARKS[level]} ${text}\n`);
  }
}
