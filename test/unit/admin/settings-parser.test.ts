import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  informationWanted,
  loadSettings,
  SettingsError,
  type SettingsSources,
} from '../../../src/admin/settings-parser.ts';
import { settingByName } from '../../../src/admin/settings-table.ts';
import { parseMemory, quoteWord, splitWords } from '../../../src/admin/settings-words.ts';

function world(files: Record<string, string> = {}, stdin = ''): SettingsSources {
  return {
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('none'), { code: 'ENOENT' });
      return Buffer.from(text);
    },
    readStdin: () => Buffer.from(stdin),
    listFiles: (pattern) =>
      Object.keys(files).filter((name) => name.startsWith(pattern.slice(0, pattern.indexOf('*')))),
    directory: (path) => (path === '/nowhere' ? null : path),
    cwd: '/work',
  };
}

function shown(args: string[], files: Record<string, string>, name: string, stdin = ''): string {
  const row = settingByName(name)!;
  return row.codec.format(loadSettings(args, world(files, stdin)).values.get(row.name)!);
}

function refusal(args: string[], files: Record<string, string> = {}): string {
  try {
    loadSettings(args, world(files));
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

describe('words', () => {
  test('a quoted word comes back, whatever its bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1 }), (words) => {
        expect(splitWords(words.map(quoteWord).join(' '))).toEqual(words);
      }),
    );
  });

  test.each([
    ['a  b\tc', ['a', 'b', 'c']],
    ['', []],
    ['"a b" \'c d\'', ['a b', 'c d']],
    ['"\\x41\\n\\"\\\\\\q" x', ['A\n"\\q', 'x']],
    ["'it\\'s \\n'", ["it's \\n"]],
    ['ab"c d"', ['abc d']],
    ['"a"b', null],
    ['"a', null],
    ["'a", null],
  ])('splits %j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test('memory sizes', () => {
    expect(['1', '1b', '1k', '1KB', '2m', '2Mb', '3g', '3gB'].map(parseMemory)).toEqual(
      [1, 1, 1000, 1024, 2e6, 2 ** 21, 3e9, 3 * 2 ** 30].map(BigInt),
    );
    expect(['-1', '1tb', '1.5gb', ' 1', '1 k'].map(parseMemory)).toEqual(Array(5).fill(null));
  });
});

describe('loadSettings', () => {
  test('without a file: the embedded defaults, relative to the working directory', () => {
    const { values, configFile, withoutEffect } = loadSettings([], world());
    expect([values.get('appendonly'), values.get('dir'), values.get('bind'), configFile, withoutEffect]).toEqual([
      1,
      '/work/data',
      '127.0.0.1 -::1',
      '',
      [],
    ]);
    expect(shown(['--port', '6380'], {}, 'appendonly')).toBe('yes');
    expect(shown(['--dir', '/srv'], {}, 'dir')).toBe('/srv');
  });

  test("with a file: Redis's defaults", () => {
    const { values, configFile } = loadSettings(['a.conf'], world({ '/work/a.conf': 'port 7\n' }));
    expect([values.get('appendonly'), values.get('dir'), values.get('bind'), values.get('port'), configFile]).toEqual([
      0,
      '/work',
      '* -::*',
      7,
      '/work/a.conf',
    ]);
  });

  test('file, standard input and options win in this order', () => {
    const files = { '/a': 'port 1\ntimeout 1\nhz 1' };
    const args = ['/a', '--hz', '3', '-'];
    expect(['port', 'timeout', 'hz'].map((name) => shown(args, files, name, '\nhz 2\ntimeout 2'))).toEqual([
      '1',
      '2',
      '3',
    ]);
    expect(shown(['-'], {}, 'port', 'port 9')).toBe('9');
    expect(shown(['-'], {}, 'appendonly', 'port 9')).toBe('no');
  });

  test('options take several words, one word with blanks, and values that begin with --', () => {
    expect(shown(['--save', '1', '2', '--port', '5'], {}, 'save')).toBe('1 2');
    expect(shown(['--port 55'], {}, 'port')).toBe('55');
    expect(shown(['--requirepass', '--x', '--port', '5'], {}, 'requirepass')).toBe('--x');
    expect(shown(['--requirepass', '--x', '--port', '5'], {}, 'port')).toBe('5');
    expect(shown(['--requirepass', 'ä "b'], {}, 'requirepass')).toBe(Buffer.from('ä "b').toString('latin1'));
    expect(shown(['--save', '--port', '5'], {}, 'save')).toBe('');
    expect(shown(['--port', '5', '--save'], {}, 'save')).toBe('');
  });

  test('several words may come as one', () => {
    expect(shown(['--save', '3600 1 60 10'], {}, 'save')).toBe('3600 1 60 10');
    expect(shown(['/a'], { '/a': 'save \'3600 1\'\nsave "60 10"' }, 'save')).toBe('3600 1 60 10');
    expect(shown(['--shutdown-on-sigterm', 'nosave force'], {}, 'shutdown-on-sigterm')).toBe('nosave force');
    expect(shown(['--durability-rule', 'lock:* always'], {}, 'durability-rule')).toBe('lock:* always');
    expect(shown(['--client-output-buffer-limit', 'pubsub 0 0 0'], {}, 'client-output-buffer-limit')).toContain(
      'pubsub 0 0 0',
    );
  });

  test('save lines add up, the first replaces the default, "" empties', () => {
    expect(shown(['/a'], { '/a': 'save 1 1\nsave 2 2 3 3' }, 'save')).toBe('1 1 2 2 3 3');
    expect(shown(['/a'], { '/a': 'save 1 1\nsave ""\nsave 4 4' }, 'save')).toBe('4 4');
    expect(shown(['/a'], { '/a': 'port 1' }, 'save')).toBe('3600 1 300 100 60 10000');
  });

  test('includes, globs, depth', () => {
    const files = {
      '/a': 'port 1\ninclude b.conf\ninclude /etc/d/*.conf\ninclude /none/*.conf',
      '/work/b.conf': 'port 2\ntimeout 2',
      '/etc/d/1.conf': 'timeout 3',
    };
    expect(['port', 'timeout'].map((name) => shown(['/a'], files, name))).toEqual(['2', '3']);
    expect(refusal(['/a'], { '/a': 'include /a' })).toContain('too deeply');
    expect(refusal(['/a'], { '/a': 'include /b' })).toBe(
      "Fatal error, can't open config file '/b': No such file or directory",
    );
  });

  test('a refused line is shown with its number, text, reason and file', () => {
    expect(refusal(['/a', '--port', 'abc'], { '/a': 'port 1\n' })).toBe(
      `\n*** FATAL CONFIG FILE ERROR (Skein) ***\nReading the configuration file, at line 3\n>>> 'port "abc"'\n` +
        "argument couldn't be parsed into an integer\n(options)",
    );
    const inFile = refusal(['/a'], { '/a': '# x\n\n  Nonsense 1 \n' });
    expect(inFile).toContain("at line 3\n>>> 'Nonsense 1'\nBad directive or wrong number of arguments\n(/a, line 3)");
    expect(refusal(['/a'], { '/a': 'include /b', '/b': '\nport' })).toContain(
      'wrong number of arguments\n(/b, line 2)',
    );
    expect(refusal(['/a'], { '/a': 'port "1' })).toContain('Unbalanced quotes in configuration line');
    expect(refusal(['/a'], { '/a': 'dir /nowhere' })).toContain('No such file or directory');
    expect(refusal(['/missing'])).toContain("can't open config file '/missing'");
    expect(refusal(['/a'], { '/a': 'loadmodule /x.so' })).toContain('native modules are not supported');
    expect(refusal(['-x'])).toContain('Bad directive');
  });

  test('settings without effect are named when they leave their default, with the directives', () => {
    const text = 'io-threads 4\nrepl-timeout 60\nmaxmemory-samples 9\nrename-command A B\nuser x on\nuser y on\nport 9';
    const { withoutEffect, directives } = loadSettings(['/a'], world({ '/a': text }));
    expect(withoutEffect).toEqual(['io-threads', 'maxmemory-samples', 'rename-command', 'user']);
    expect(directives[1]).toEqual({ name: 'user', words: ['x', 'on'], file: '/a', line: 5 });
  });

  test('names in any case, aliases, withdrawn names, clamping', () => {
    expect(shown(['/a'], { '/a': 'PORT 12' }, 'port')).toBe('12');
    expect(shown(['/a'], { '/a': 'slaveof h 12' }, 'replicaof')).toBe('h 12');
    expect(shown(['/a'], { '/a': 'list-max-ziplist-entries 5\nhz 5000' }, 'hz')).toBe('500');
  });

  test('version and help', () => {
    expect([['-v'], ['--version'], ['-h'], ['--help'], ['--port', '1'], []].map(informationWanted)).toEqual([
      'version',
      'version',
      'help',
      'help',
      null,
      null,
    ]);
  });
});
