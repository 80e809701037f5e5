/** Which commands are timed, and what follows from it: the clock of these tests moves only when a test says so. */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { Args } from '../../../src/resp/args.ts';
import { InProcess } from '../commands/in-process.ts';

/** A server whose every look at the clock advances it by `stepMs`. */
function steppingServer(stepMs: number, settings: Record<string, string> = {}) {
  let now = 1;
  let looks = 0;
  const server = new InProcess({ settings });
  server.steadyMs = () => {
    looks++;
    return (now += stepMs);
  };
  return { server, looks: () => looks };
}

describe('timing of commands', () => {
  it('looks at the clock for one quick call in 256, and for each call of other commands', () => {
    const { server, looks } = steppingServer(0.003);
    for (let i = 0; i < 16; i++) server.run('GET', 'k');
    expect(looks()).toBe(32);
    for (let i = 0; i < 256 * 4; i++) server.run('GET', 'k');
    expect(looks()).toBe(32 + 8);
    for (let i = 0; i < 20; i++) server.run('KEYS', '*');
    expect(looks()).toBe(32 + 8 + 40);
    const stats = server.run('INFO', 'commandstats');
    expect(stats).toContain('cmdstat_get:calls=1040,usec=3120,usec_per_call=3.00,');
    expect(stats).toContain('cmdstat_keys:calls=20,usec=60,usec_per_call=3.00,');
    expect(server.run('LATENCY', 'HISTOGRAM', 'get')).toContain(':1040\r\n$14\r\nhistogram_usec\r\n*2\r\n:4\r\n:1040');
    expect(server.run('INFO', 'latencystats')).toMatch(
      /latency_percentiles_usec_get:p50=3\.\d+,p99=3\.\d+,p99\.9=3\.\d+/,
    );
    server.run('CONFIG', 'RESETSTAT');
    expect(server.run('INFO', 'latencystats')).not.toContain('usec_get');
    server.run('CONFIG', 'SET', 'latency-tracking', 'no');
    server.run('KEYS', '*');
    expect(server.run('INFO', 'latencystats')).toBe('$16\r\n# Latencystats\r\n\r\n');
  });

  it('lets a sample stand for the calls that were not timed', () => {
    const { server } = steppingServer(0.9);
    for (let i = 0; i < 16; i++) server.run('GET', 'k');
    let now = 1;
    server.steadyMs = () => (now += 0.003);
    for (let i = 0; i < 256; i++) server.run('GET', 'k');
    // 16 calls of 900 µs, each for itself, and one of 3 µs for 256
    expect(server.run('INFO', 'commandstats')).toContain(`cmdstat_get:calls=272,usec=${16 * 900 + 256 * 3},`);
    expect(server.run('LATENCY', 'HISTOGRAM', 'get')).toContain('*4\r\n:4\r\n:256\r\n:1024\r\n:272\r\n');
  });

  it('has an event of its own for the serving of who waits in blocking', () => {
    const { server } = steppingServer(0.003, { 'latency-monitor-threshold': '15' });
    const serve = (ms: number): void =>
      server.timing.endUnblocked(COMMANDS.byName('blpop')!, Args.of('BLPOP', 'k', '0'), ms, { addr: '', name: '' });
    serve(14);
    expect(server.run('LATENCY', 'LATEST')).toBe('*0\r\n');
    serve(20);
    expect(server.run('LATENCY', 'LATEST')).toMatch(
      /^\*1\r\n\*4\r\n\$18\r\ncommand-unblocking\r\n:\d+\r\n:20\r\n:20\r\n$/,
    );
    expect(server.run('SLOWLOG', 'LEN')).toBe(':2\r\n');
  });

  it('times every call while the threshold of SLOWLOG is small', () => {
    const { server } = steppingServer(0.5, { 'slowlog-log-slower-than': '500' });
    for (let i = 0; i < 100; i++) server.run('GET', `k${i}`);
    expect(server.run('SLOWLOG', 'LEN')).toBe(':100\r\n');
    server.run('CONFIG', 'SET', 'slowlog-log-slower-than', '501');
    server.run('SLOWLOG', 'RESET');
    server.run('GET', 'k');
    expect(server.run('SLOWLOG', 'LEN')).toBe(':0\r\n');
    server.run('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
    server.steadyMs = () => performance.now() * 1000;
    server.run('GET', 'k');
    expect(server.run('SLOWLOG', 'LEN')).toBe(':0\r\n');
  });

  it('notes a slow quick command that was alone in its segment, and times all after one that was not', () => {
    const { server } = steppingServer(0);
    let now = 1;
    server.steadyMs = () => now;
    for (let i = 0; i < 17; i++) server.run('GET', 'k');
    const { timing, session } = server;
    const get = COMMANDS.byName('get')!.id;
    timing.openSegment(0);
    now += 20;
    timing.closeSegment(1, get, Args.of('get', 'slow'), session);
    expect(server.server.slowLog.newest(9).map(({ args, micros }) => [...args, micros])).toEqual([
      ['get', 'slow', 20_000],
    ]);
    timing.openSegment(1);
    now += 20;
    timing.closeSegment(3, get, Args.of('get', 'any'), session);
    expect(server.server.slowLog.length()).toBe(1);
    timing.openSegment(3);
    server.steadyMs = () => (now += 15);
    server.run('GET', 'met');
    server.steadyMs = () => now;
    timing.closeSegment(4, get, Args.of('get', 'met'), session);
    expect(server.server.slowLog.newest(1)[0].args).toEqual(['GET', 'met']);
    // ten seconds later it samples again
    now += 10_001;
    timing.openSegment(4);
    timing.closeSegment(4, -1, Args.of('get'), session);
    server.run('GET', 'k');
    server.steadyMs = () => (now += 15);
    server.run('GET', 'unseen');
    expect(server.server.slowLog.length()).toBe(2);
  });

  it('tells slow events of fast and other commands apart', () => {
    const { server } = steppingServer(10, { 'latency-monitor-threshold': '10' });
    server.run('GET', 'k');
    server.run('KEYS', '*');
    const events = server.server.latencyEvents.all().map(({ event, highestMs }) => [event, highestMs]);
    expect(events).toEqual([
      ['command', 10],
      ['fast-command', 10],
    ]);
  });
});
