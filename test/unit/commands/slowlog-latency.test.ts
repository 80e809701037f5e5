import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { isSecretArgument } from '../../../src/commands/secret-arguments.ts';
import { Args } from '../../../src/resp/args.ts';
import { InProcess } from './in-process.ts';

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

describe('SLOWLOG', () => {
  it('shows slow commands with their clients', () => {
    const server = new InProcess({ settings: { 'slowlog-log-slower-than': '0' } });
    server.steadyMs = () => 1;
    server.run('CLIENT', 'SETNAME', 'joe');
    server.run('SLOWLOG', 'RESET');
    server.run('SET', 'a', 'b');
    const entry = `*6\r\n:2\r\n:1700000000\r\n:0\r\n*3\r\n${bulk('SET')}${bulk('a')}${bulk('b')}${bulk('')}${bulk('joe')}`;
    expect(server.run('SLOWLOG', 'GET', 1)).toBe(`*1\r\n${entry}`);
    expect(server.run('SLOWLOG', 'LEN')).toBe(':3\r\n');
    expect(server.run('SLOWLOG', 'GET', 0)).toBe('*0\r\n');
    expect(server.run('SLOWLOG', 'GET', -1)).toMatch(/^\*5\r\n/);
  });

  it('refuses what is no count', () => {
    const server = new InProcess();
    const refusal = '-ERR count should be greater than or equal to -1\r\n';
    expect(server.run('SLOWLOG', 'GET', -2)).toBe(refusal);
    expect(server.run('SLOWLOG', 'GET', 'x')).toBe(refusal);
    expect(server.run('SLOWLOG', 'GET', 1, 2)).toMatch(/^-ERR unknown subcommand or wrong number/);
    expect(server.run('SLOWLOG', 'HELP')).toContain('RESET');
  });

  it('shows no secret', () => {
    const shown = (...words: string[]): string => {
      const args = Args.of(...words);
      const row = COMMANDS.lookup(args)!;
      return words.map((word, i) => (isSecretArgument(row, args, i) ? '*' : word)).join(' ');
    };
    expect(shown('AUTH', 'user', 'password')).toBe('AUTH * *');
    expect(shown('hello', '3', 'setname', 'x', 'AUTH', 'u', 'p')).toBe('hello 3 setname x AUTH * *');
    expect(shown('hello', '3', 'AUTH', 'u', 'p', 'setname', 'x')).toBe('hello 3 AUTH * * setname x');
    expect(shown('config', 'set', 'RequirePass', 'p', 'hz', '10')).toBe('config set RequirePass * hz 10');
    expect(shown('config', 'get', 'requirepass')).toBe('config get requirepass');
  });
});

describe('LATENCY', () => {
  function withEvents(): InProcess {
    const server = new InProcess({ settings: { 'latency-monitor-threshold': '1' } });
    // on a busy machine LATENCY itself would be one more spike
    server.steadyMs = () => 1;
    server.server.latencyEvents.add('command', 300, 1_700_000_000_000);
    server.server.latencyEvents.add('command', 100, 1_700_000_001_000);
    server.nowMs += 61_000;
    return server;
  }

  it('shows and forgets events', () => {
    const server = withEvents();
    expect(server.run('LATENCY', 'LATEST')).toBe(`*1\r\n*4\r\n${bulk('command')}:1700000001\r\n:100\r\n:300\r\n`);
    const history = '*2\r\n*2\r\n:1700000000\r\n:300\r\n*2\r\n:1700000001\r\n:100\r\n';
    expect(server.run('LATENCY', 'HISTORY', 'command')).toBe(history);
    expect(server.run('LATENCY', 'HISTORY', 'nosuch')).toBe('*0\r\n');
    expect(server.run('LATENCY', 'RESET', 'nosuch')).toBe(':0\r\n');
    expect(server.run('LATENCY', 'RESET', 'command')).toBe(':1\r\n');
    expect(server.run('LATENCY', 'LATEST')).toBe('*0\r\n');
    expect(server.run('LATENCY', 'GRAPH', 'command')).toBe("-ERR No samples available for event 'command'\r\n");
  });

  it('draws and reports', () => {
    const server = withEvents();
    const graph = server.run('LATENCY', 'GRAPH', 'command').split('\n');
    expect(graph[1]).toBe('command - high 300 ms, low 100 ms (all time high 300 ms)');
    expect(graph.slice(3, 10)).toEqual(['# ', '| ', '| ', '|_', '', '11', 'mm']);
    const report = server.run('LATENCY', 'DOCTOR');
    expect(report).toContain(
      'command: 2 spikes, one every 30.50 seconds; mean 200 ms, mean deviation 100 ms, worst ever 300 ms.',
    );
    expect(report).toContain('SLOWLOG GET');
    expect(new InProcess().run('LATENCY', 'DOCTOR')).toContain('monitoring is off');
  });

  it('shows histograms of named commands, subcommands by their container', () => {
    const server = new InProcess();
    let now = 1;
    server.steadyMs = () => (now += 0.0005);
    server.run('SET', 'a', 'b');
    server.run('CONFIG', 'GET', 'hz');
    server.session.resp = 3;
    const entry = (name: string) =>
      `${bulk(name)}%2\r\n${bulk('calls')}:1\r\n${bulk('histogram_usec')}%1\r\n:1\r\n:1\r\n`;
    expect(server.run('LATENCY', 'HISTOGRAM', 'set', 'nosuch', 'get')).toBe(`%1\r\n${entry('set')}`);
    expect(server.run('LATENCY', 'HISTOGRAM', 'config')).toBe(`%1\r\n${entry('config|get')}`);
  });
});
