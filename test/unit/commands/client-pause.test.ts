/** CLIENT PAUSE as the gate, the waiting and expiry see it; who sets the state is test/unit/net/pause-switch.test.ts. */
import { describe, expect, it } from 'vitest';
import type { Peer, Session } from '../../../src/dispatch/session.ts';
import { STATE } from '../../../src/shard/world.ts';
import { InProcess } from './in-process.ts';

/** Another client, and what it was answered after it had to wait. */
function client(server: InProcess): { session: Session; answers: string[] } {
  const session = server.connect();
  const answers: string[] = [];
  const peer: Partial<Peer> = {
    complete: (bytes) => {
      session.parked = false;
      answers.push(bytes.toString('latin1'));
    },
  };
  session.peer = peer as Peer;
  return { session, answers };
}

function pause(server: InProcess, bit: number, on: boolean): void {
  server.access.setState(bit, on);
  server.access.pauseEnd[0] = server.nowMs + 1000;
  server.parts().dispatcher.poll();
}

describe('a pause of writes', () => {
  it('lets writes wait, in order, and reads run', () => {
    const server = new InProcess();
    const [a, b] = [client(server), client(server)];
    pause(server, STATE.pausedWrites, true);
    expect(server.runAs(a.session, 'APPEND', 'k', 'a')).toBe('');
    expect(server.runAs(b.session, 'APPEND', 'k', 'b')).toBe('');
    expect([a.session.parked, b.session.parked]).toEqual([true, true]);
    expect(server.run('GET', 'k')).toBe('$-1\r\n');
    expect(server.run('INFO', 'clients')).toMatch(
      /blocked_clients:2\r\n[\s\S]*paused_reason:client_pause\r\npaused_actions:write/,
    );
    expect(server.run('CLIENT', 'LIST').match(/flags=b /g)).toHaveLength(2);
    server.parts().dispatcher.poll();
    expect(a.answers).toEqual([]);
    pause(server, STATE.pausedWrites, false);
    expect([a.answers, b.answers]).toEqual([[':1\r\n'], [':2\r\n']]);
    expect(server.run('GET', 'k')).toBe('$2\r\nab\r\n');
    expect(server.run('INFO', 'clients')).toMatch(/blocked_clients:0\r\n[\s\S]*paused_reason:none/);
    expect(server.run('INFO', 'commandstats')).toContain('cmdstat_append:calls=2,');
  });

  it('lets scripts run that say that they only read, alone and in EXEC; others and PFCOUNT wait', () => {
    const server = new InProcess();
    server.run(
      'FUNCTION',
      'LOAD',
      "#!lua name=l\nredis.register_function{function_name='f', callback=function() return 7 end, flags={'no-writes'}}",
    );
    const reads = '#!lua flags=no-writes\nreturn 5';
    const sha = server.run('SCRIPT', 'LOAD', reads).split('\r\n')[1];
    server.run('PFADD', 'h', 'x');
    pause(server, STATE.pausedWrites, true);
    expect(server.run('EVAL', reads, 0)).toBe(':5\r\n');
    expect(server.run('EVALSHA', sha, 0)).toBe(':5\r\n');
    expect(server.run('EVAL_RO', 'return 6', 0)).toBe(':6\r\n');
    expect(server.run('FCALL', 'f', 0)).toBe(':7\r\n');
    for (const words of [['MULTI'], ['EVAL', reads, 0], ['FCALL', 'f', 0]]) server.run(...words);
    expect(server.run('EXEC')).toBe('*2\r\n:5\r\n:7\r\n');
    const waiting: [string, ...(string | number)[]][] = [
      ['EVAL', 'return 1', 0],
      ['EVAL', '#!lua\nreturn 2', 0],
      ['EVALSHA', '0'.repeat(40), 0],
      ['FCALL', 'none', 0],
      ['PFCOUNT', 'h'],
      ['PUBLISH', 'c', 'm'],
    ];
    const clients = waiting.map((words) => {
      const one = client(server);
      expect([words, server.runAs(one.session, ...words)]).toEqual([words, '']);
      return one;
    });
    pause(server, STATE.pausedWrites, false);
    expect(clients.map(({ answers }) => answers[0].slice(0, 5))).toEqual([
      ...[':1\r\n', ':2\r\n', '-NOSC', '-ERR ', ':1\r\n', ':0\r\n'],
    ]);
  });

  it('refuses at once what is refused anyway', () => {
    const server = new InProcess();
    pause(server, STATE.pausedWrites, true);
    expect(server.run('SET', 'k')).toContain('wrong number');
  });

  it('drops the commands of clients that went', () => {
    const server = new InProcess();
    const gone = client(server);
    pause(server, STATE.pausedWrites, true);
    server.runAs(gone.session, 'SET', 'k', 'v');
    gone.session.peer = null;
    pause(server, STATE.pausedWrites, false);
    expect(server.run('GET', 'k')).toBe('$-1\r\n');
    expect(gone.answers).toEqual([]);
  });

  it('keeps expired keys, which are answered as gone', () => {
    const server = new InProcess();
    server.run('SET', 'k', 'v', 'PX', 10);
    server.effects();
    pause(server, STATE.pausedWrites, true);
    server.nowMs += 20;
    expect(server.run('GET', 'k')).toBe('$-1\r\n');
    expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(server.run('RANDOMKEY')).toBe('$-1\r\n');
    expect(server.run('KEYS', '*')).toBe('*0\r\n');
    expect(server.run('DBSIZE')).toBe(':1\r\n');
    expect(server.effects()).toEqual([]);
    pause(server, STATE.pausedWrites, false);
    expect(server.run('GET', 'k')).toBe('$-1\r\n');
    expect(server.effects()).toEqual(['0 0 DEL k']);
  });
});

describe('a pause of everything', () => {
  it('lets session commands wait as well, until only writes have to', () => {
    const server = new InProcess();
    const { session, answers } = client(server);
    pause(server, STATE.pausedAll | STATE.pausedWrites, true);
    expect(server.runAs(session, 'PING')).toBe('');
    expect(session.parked).toBe(true);
    server.parts().dispatcher.poll();
    expect(answers).toEqual([]);
    pause(server, STATE.pausedAll, false);
    expect(answers).toEqual(['+PONG\r\n']);
  });
});

describe('CLIENT PAUSE', () => {
  it('asks for what its arguments say', () => {
    const asked: [number, boolean][] = [];
    const server = new InProcess({ control: { pause: (_, endMs, all) => asked.push([endMs - server.nowMs, all]) } });
    for (const words of [['100'], ['100', 'all'], ['5', 'WRITE']]) server.run('CLIENT', 'PAUSE', ...words);
    server.nowMs = 0;
    server.run('CLIENT', 'UNPAUSE');
    expect(asked).toEqual([
      [100, true],
      [100, true],
      [5, false],
      [0, false],
    ]);
    expect(server.run('CLIENT', 'PAUSE', '1', 'x')).toBe('-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n');
    expect(server.run('CLIENT', 'PAUSE', 'x')).toBe('-ERR timeout is not an integer or out of range\r\n');
    expect(server.run('CLIENT', 'PAUSE', '-1')).toBe('-ERR timeout is negative\r\n');
    expect(server.run('CLIENT', 'PAUSE', '0')).toBe('+OK\r\n');
  });
});
