import { describe, expect, it } from 'vitest';
import { CLIENT_FLAG } from '../../../src/admin/client-records.ts';
import { InProcess } from './in-process.ts';

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe('the connection', () => {
  it('PING, ECHO, SELECT', () => {
    const server = new InProcess();
    expect(server.run('PING')).toBe('+PONG\r\n');
    expect(server.run('ping', 'a b')).toBe(bulk('a b'));
    expect(server.run('PING', 'a', 'b')).toBe("-ERR wrong number of arguments for 'ping' command\r\n");
    expect(server.run('ECHO', '')).toBe(bulk(''));
    expect(server.run('SELECT', 15)).toBe('+OK\r\n');
    expect(server.session.db).toBe(15);
    expect(server.run('SELECT', 16)).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('SELECT', -1)).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('SELECT', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(server.run('SELECT', '99999999999')).toBe(
      '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n',
    );
    expect(server.session.db).toBe(15);
  });

  it('unknown commands name the command and its first arguments', () => {
    const server = new InProcess();
    expect(server.run('NOSUCH', 'a', 'b\r\n')).toBe(
      "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b  ' \r\n",
    );
    expect(server.run('x'.repeat(200), 'y'.repeat(200), 'z')).toBe(
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'y'.repeat(128)}' \r\n`,
    );
    expect(server.run('CLIENT', 'NOSUCH')).toBe("-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n");
    expect(server.run('CONFIG')).toBe("-ERR wrong number of arguments for 'config' command\r\n");
  });

  it('AUTH without a password set', () => {
    const server = new InProcess();
    expect(server.run('AUTH', 'x')).toMatch(/^-ERR AUTH <password> called without any password configured/);
    expect(server.run('AUTH', 'default', 'anything')).toBe('+OK\r\n');
    expect(server.run('AUTH', 'other', 'x')).toMatch(/^-WRONGPASS /);
    expect(server.run('AUTH', 'a', 'b', 'c')).toBe('-ERR syntax error\r\n');
  });

  it('AUTH with a password', () => {
    const server = new InProcess({ settings: { requirepass: 'secret' } });
    expect(server.run('PING')).toBe('-NOAUTH Authentication required.\r\n');
    for (const wrong of ['', 'secre', 'secrets', 'secretsecret', 'Secret']) {
      expect(server.run('AUTH', wrong)).toBe('-WRONGPASS invalid username-password pair or user is disabled.\r\n');
    }
    expect(server.run('AUTH', 'other', 'secret')).toMatch(/^-WRONGPASS/);
    expect(server.run('AUTH', 'secret')).toBe('+OK\r\n');
    expect(server.run('PING')).toBe('+PONG\r\n');
    expect(server.run('RESET')).toBe('+RESET\r\n');
    expect(server.run('PING')).toMatch(/^-NOAUTH/);
    expect(server.run('AUTH', 'default', 'secret')).toBe('+OK\r\n');
  });

  it('HELLO chooses the protocol', () => {
    const server = new InProcess();
    const tail = (id: number) =>
      `${bulk('id')}:${id}\r\n${bulk('mode')}${bulk('standalone')}${bulk('role')}${bulk('master')}${bulk('modules')}*0\r\n`;
    const head = `${bulk('server')}${bulk('redis')}${bulk('version')}${bulk('7.2.4')}${bulk('proto')}`;
    const { id } = server.session;
    expect(server.run('HELLO')).toBe(`*14\r\n${head}:2\r\n${tail(id)}`);
    expect(server.run('HELLO', 3, 'SETNAME', 'zoe')).toBe(`%7\r\n${head}:3\r\n${tail(id)}`);
    expect(server.session.name).toBe('zoe');
    expect(server.server.clients.read(server.session.record)).toMatchObject({ resp: 3, name: 'zoe' });
    expect(server.run('HELLO')).toMatch(/^%7/);
    expect(server.run('HELLO', 2)).toBe(`*14\r\n${head}:2\r\n${tail(id)}`);
    expect(server.run('HELLO', 4)).toBe('-NOPROTO unsupported protocol version\r\n');
    expect(server.run('HELLO', 'x')).toBe('-ERR Protocol version is not an integer or out of range\r\n');
    expect(server.run('HELLO', 3, 'WHAT')).toBe("-ERR Syntax error in HELLO option 'WHAT'\r\n");
    expect(server.run('HELLO', 3, 'SETNAME')).toBe("-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    expect(server.run('HELLO', 3, 'SETNAME', 'a b')).toMatch(/^-ERR Client names cannot contain spaces/);
    expect(server.session.resp).toBe(2);
  });

  it('HELLO logs in', () => {
    const server = new InProcess({ settings: { requirepass: 'secret' } });
    expect(server.run('HELLO', 3)).toMatch(/^-NOAUTH HELLO must be called with the client already authenticated/);
    expect(server.run('HELLO', 3, 'AUTH', 'default', 'no')).toMatch(/^-WRONGPASS/);
    expect(server.session.resp).toBe(2);
    expect(server.run('HELLO', 3, 'SETNAME', 'zoe', 'AUTH', 'default', 'secret')).toMatch(/^%7/);
    expect(server.session.name).toBe('zoe');
    expect(server.run('PING')).toBe('+PONG\r\n');
  });

  it('RESET and QUIT', () => {
    const server = new InProcess();
    server.run('HELLO', 3, 'SETNAME', 'zoe');
    server.run('SELECT', 3);
    server.run('CLIENT', 'NO-EVICT', 'ON');
    expect(server.run('RESET')).toBe('+RESET\r\n');
    const { session } = server;
    expect([session.db, session.resp, session.name, session.noEvict]).toEqual([0, 2, '', false]);
    expect(server.server.clients.read(session.record)).toMatchObject({ resp: 2, name: '', flags: 0 });
    expect(server.run('QUIT', 'now')).toBe('+OK\r\n');
    expect(server.runAs(server.connect(), 'CLIENT', 'LIST')).toMatch(/^id=1 .* flags=A /m);
    expect(session.closeAfterReply).toBe(true);
  });
});

describe('CLIENT', () => {
  it('names and ids', () => {
    const server = new InProcess();
    expect(server.run('CLIENT', 'ID')).toBe(`:${server.session.id}\r\n`);
    expect(server.run('CLIENT', 'GETNAME')).toBe('$-1\r\n');
    expect(server.run('CLIENT', 'SETNAME', 'zoe')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'GETNAME')).toBe(bulk('zoe'));
    expect(server.run('CLIENT', 'SETNAME', 'a\nb')).toMatch(/^-ERR Client names cannot/);
    expect(server.run('CLIENT', 'SETNAME', '')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'GETNAME')).toBe('$-1\r\n');
    expect(server.run('CLIENT', 'SETINFO', 'LIB-NAME', 'ioredis')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'SETINFO', 'lib-ver', '5.0')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'SETINFO', 'lib-ver', '5 0')).toBe(
      '-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n',
    );
    expect(server.run('CLIENT', 'SETINFO', 'what', 'x')).toBe("-ERR Unrecognized option 'what'\r\n");
    expect([server.session.libName, server.session.libVersion]).toEqual(['ioredis', '5.0']);
  });

  it('INFO and LIST show connections as Redis does', () => {
    const server = new InProcess();
    const other = server.connect();
    server.run('HELLO', 3);
    server.run('CLIENT', 'SETINFO', 'LIB-NAME', 'lib');
    server.nowMs += 2500;
    const own = server.run('CLIENT', 'INFO');
    const line =
      `id=${server.session.id} addr=127.0.0.1:1 laddr=127.0.0.1:6379 fd=8 name= age=2 idle=0 flags=N db=0 sub=0 psub=0 ssub=0` +
      ' multi=-1 qbuf=26 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=26 events=r' +
      ' cmd=client|info user=default redir=-1 resp=3 lib-name=lib lib-ver= watch=0\n';
    expect(own).toBe(`=${line.length + 4}\r\ntxt:${line}\r\n`);
    server.run('CLIENT', 'NO-TOUCH', 'on');
    server.run('HELLO', 2);
    const lines = server.run('CLIENT', 'LIST').split('\r\n')[1].trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/ flags=T .* cmd=client\|list /);
    expect(lines[1]).toMatch(new RegExp(`^id=${other.id} .* cmd=NULL `));
    expect(server.run('CLIENT', 'LIST', 'ID', other.id, 999, other.id).match(/id=/g)).toHaveLength(2);
    expect(server.run('CLIENT', 'LIST', 'TYPE', 'normal').match(/id=/g)).toHaveLength(2);
    expect(server.run('CLIENT', 'LIST', 'TYPE', 'pubsub')).toBe('$0\r\n\r\n');
    expect(server.run('CLIENT', 'LIST', 'TYPE', 'odd')).toBe("-ERR Unknown client type 'odd'\r\n");
    expect(server.run('CLIENT', 'LIST', 'ID', 'x')).toBe('-ERR Invalid client ID\r\n');
    expect(server.run('CLIENT', 'LIST', 'ID')).toBe('-ERR syntax error\r\n');
  });

  it('REPLY silences', () => {
    const server = new InProcess();
    expect(server.run('CLIENT', 'REPLY', 'OFF')).toBe('');
    expect(server.run('PING') + server.run('NOSUCH')).toBe('');
    expect(server.run('CLIENT', 'REPLY', 'SKIP')).toBe('');
    expect(server.run('PING')).toBe('');
    expect(server.run('CLIENT', 'REPLY', 'ON')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'REPLY', 'SKIP')).toBe('');
    expect(server.run('PING')).toBe('');
    expect(server.run('PING')).toBe('+PONG\r\n');
    expect(server.run('CLIENT', 'REPLY', 'MAYBE')).toBe('-ERR syntax error\r\n');
  });

  it('KILL in the old form closes by address', () => {
    const server = new InProcess();
    expect(server.run('CLIENT', 'KILL', '1.2.3.4:5')).toBe('-ERR No such client\r\n');
    expect(server.run('CLIENT', 'KILL', '127.0.0.1:1')).toBe('+OK\r\n');
    expect(server.session.closeAfterReply).toBe(true);
  });

  it('KILL with filters marks the connections that all of them name', () => {
    const server = new InProcess();
    const other = server.connect();
    const { clients } = server.server;
    const kill = (...filter: (string | number)[]) => server.run('CLIENT', 'KILL', ...filter);
    server.nowMs += 10_000;
    expect(kill('ID', 99)).toBe(':0\r\n');
    expect(kill('TYPE', 'pubsub')).toBe(':0\r\n');
    expect(kill('MAXAGE', 11)).toBe(':0\r\n');
    expect(kill('ID', other.id, 'LADDR', 'elsewhere')).toBe(':0\r\n');
    expect(clients.killWanted(other.record)).toBe(false);
    expect(kill('ID', other.id, 'TYPE', 'normal', 'USER', 'default', 'MAXAGE', 10)).toBe(':1\r\n');
    expect(clients.killWanted(other.record)).toBe(true);
    expect(server.session.closeAfterReply).toBe(false);
    expect(kill('ADDR', '127.0.0.1:1', 'SKIPME', 'no')).toBe(':2\r\n');
    expect(server.session.closeAfterReply).toBe(true);
  });

  it('KILL refuses bad filters', () => {
    const server = new InProcess();
    const kill = (...filter: (string | number)[]) => server.run('CLIENT', 'KILL', ...filter);
    expect(kill('ID', 0)).toBe('-ERR client-id should be greater than 0\r\n');
    expect(kill('ID', 'x')).toBe('-ERR client-id should be greater than 0\r\n');
    expect(kill('TYPE', 'odd')).toBe("-ERR Unknown client type 'odd'\r\n");
    expect(kill('USER', 'nobody')).toBe("-ERR No such user 'nobody'\r\n");
    expect(kill('SKIPME', 'maybe')).toBe('-ERR syntax error\r\n');
    expect(kill('ID', 1, 'ADDR')).toBe('-ERR syntax error\r\n');
    expect(server.run('CLIENT', 'KILL')).toBe("-ERR wrong number of arguments for 'client|kill' command\r\n");
  });

  it('NO-EVICT and NO-TOUCH', () => {
    const server = new InProcess();
    expect(server.run('CLIENT', 'NO-EVICT', 'on')).toBe('+OK\r\n');
    expect(server.run('CLIENT', 'NO-TOUCH', 'ON')).toBe('+OK\r\n');
    expect(server.server.clients.read(server.session.record)?.flags).toBe(CLIENT_FLAG.noEvict | CLIENT_FLAG.noTouch);
    expect([server.session.noEvict, server.session.noTouch]).toEqual([true, true]);
    expect(server.run('CLIENT', 'NO-TOUCH', 'off')).toBe('+OK\r\n');
    expect(server.session.noTouch).toBe(false);
    expect(server.run('CLIENT', 'NO-EVICT', 'x')).toBe('-ERR syntax error\r\n');
    expect(server.run('CLIENT', 'HELP')).toMatch(/^\*\d+\r\n\+CLIENT <subcommand>/);
  });
});
