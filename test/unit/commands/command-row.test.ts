import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMAND_ROOM } from '../../../src/admin/command-stats.ts';
import { keyPositions } from '../../../src/commands/command-keys.ts';
import { CommandRow, CommandTable, NameTable } from '../../../src/commands/command-row.ts';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { type CommandSpec, FLAG, type KeySpec } from '../../../src/commands/spec.ts';
import { keysFrom, oneKey } from '../../../src/commands/spec-parts.ts';
import { Args } from '../../../src/resp/args.ts';

function spec(name: string, more: Partial<CommandSpec> = {}): CommandSpec {
  return {
    name,
    arity: -1,
    flags: [],
    keys: [],
    acl: [],
    since: '1.0.0',
    group: 'generic',
    summary: '',
    complexity: '',
    ...more,
  };
}

/** Arguments as a reader would leave them. */
function argsOf(...words: string[]): Args {
  const args = new Args();
  args.buf = Buffer.from(words.join(' '), 'latin1');
  args.count = words.length;
  let at = 0;
  words.forEach((word, i) => {
    args.starts[i] = at;
    args.ends[i] = at + word.length;
    at += word.length + 1;
  });
  return args;
}

describe('the command table', () => {
  it('has no more rows than the statistics have room for', () => {
    const specs = (rows: number) => Array.from({ length: rows }, (_, i) => spec(`c${i}`));
    expect(new CommandTable(specs(COMMAND_ROOM)).rows.length).toBe(COMMAND_ROOM);
    expect(() => new CommandTable(specs(COMMAND_ROOM + 1))).toThrow('room for');
  });

  it('finds every command and subcommand in any case', () => {
    const swapCase = (text: string) =>
      text.replace(/[a-z]/g, (letter, at: number) => (at % 2 === 0 ? letter.toUpperCase() : letter));
    for (const row of COMMANDS.rows) {
      const words = row.fullName.split('|');
      expect(COMMANDS.lookup(argsOf(...words))).toBe(row);
      expect(COMMANDS.lookup(argsOf(...words.map(swapCase), 'x'))).toBe(row);
      expect(COMMANDS.rows[row.id]).toBe(row);
      if (!row.parent?.spec.hiddenSubcommands) expect(COMMANDS.byName(swapCase(row.fullName))).toBe(row);
    }
    expect(COMMANDS.lookup(argsOf('CLIENT', 'NOSUCH'))?.fullName).toBe('client');
    expect(COMMANDS.lookup(argsOf('CLIENT'))?.isContainer).toBe(true);
    expect(COMMANDS.byName('get|x')).toBeNull();
  });

  it('agrees with a plain map', () => {
    const name = fc.stringMatching(/^[a-d_\-0]{1,10}$/);
    const word = fc.oneof(
      name,
      fc.stringMatching(/^[a-dA-D_\-0]{1,10}$/),
      fc.uint8Array({ maxLength: 10 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 40 }), fc.array(word, { maxLength: 40 }), (names, words) => {
        const rows = names.map((one, id) => new CommandRow(spec(one), id, null));
        const table = new NameTable(rows);
        const model = new Map(rows.map((row) => [row.spec.name, row]));
        for (const one of [...words, ...names, ...names.map((n) => n.toUpperCase())]) {
          const bytes = Buffer.from(`##${one}##`, 'latin1');
          const lower = one.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
          expect(table.find(bytes, 2, bytes.length - 2)).toBe(model.get(lower) ?? null);
        }
      }),
    );
  });

  it('refuses two commands of one name and unknown ACL categories', () => {
    expect(() => new CommandTable([spec('a'), spec('a')])).toThrow('two commands are called a');
    expect(() => new CommandTable([spec('long-name'), spec('long-name')])).toThrow('two commands');
    expect(() => new CommandRow(spec('a', { acl: ['nosuch'] }), 0, null)).toThrow('no ACL category nosuch');
  });

  it('every row has what it needs', () => {
    for (const row of COMMANDS.rows) {
      expect(Number(row.run !== null) + Number(row.session !== null) + Number(row.isContainer), row.fullName).toBe(1);
      expect(row.spec.summary.length, row.fullName).toBeGreaterThan(10);
      expect(row.spec.complexity, row.fullName).not.toBe('');
      if (row.isWrite) expect(row.run, row.fullName).not.toBeNull();
      if (row.oneKey) expect(row.firstKey, row.fullName).toBeLessThan(Math.abs(row.arity));
    }
  });
});

describe('keys of commands', () => {
  const legacy = (...keys: KeySpec[]) => {
    const row = new CommandRow(spec('x', { keys }), 0, null);
    return [row.firstKey, row.lastKey, row.keyStep, (row.flagBits & FLAG.movablekeys) !== 0];
  };

  it('are told to old clients by three numbers where that is possible', () => {
    expect(legacy()).toEqual([0, 0, 0, false]);
    expect(legacy(oneKey(2, 'RO'))).toEqual([2, 2, 1, false]);
    expect(legacy(keysFrom(1, 'RO'))).toEqual([1, -1, 1, false]);
    expect(legacy(oneKey(1, 'RW'), oneKey(2, 'OW'))).toEqual([1, 2, 1, false]);
    expect(legacy(oneKey(2, 'OW'), keysFrom(3, 'RO'))).toEqual([2, -1, 1, false]);
    expect(legacy(oneKey(1, 'OW'), oneKey(3, 'RO'))).toEqual([1, 1, 1, true]);
    const keynum: KeySpec = { flags: ['RO'], begin: 1, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } };
    expect(legacy(keynum)).toEqual([0, 0, 0, true]);
    expect(legacy({ ...oneKey(1, 'RO'), flags: ['incomplete'] })).toEqual([1, 1, 1, true]);
  });

  it('are found by ranges, steps, limits and counts', () => {
    const positions = (keys: KeySpec[], ...words: string[]) => {
      const out = new Int32Array(words.length);
      const count = keyPositions(new CommandRow(spec('x', { keys }), 0, null), argsOf(...words), out);
      return count < 0 ? count : [...out.subarray(0, count)];
    };
    const range = (begin: number, last: number, step: number, limit: number): KeySpec => ({
      flags: ['RO'],
      begin,
      find: { kind: 'range', last, step, limit },
    });
    expect(positions([range(1, -1, 1, 0)], 'x', 'a', 'b')).toEqual([1, 2]);
    expect(positions([range(1, -1, 2, 0)], 'x', 'a', '1', 'b', '2')).toEqual([1, 3]);
    expect(positions([range(1, -1, 1, 2)], 'x', 'a', 'b', '1', '2')).toEqual([1, 2]);
    expect(positions([range(2, 0, 1, 0)], 'x', 'a')).toBe(-1);
    const keynum: KeySpec = { flags: ['RO'], begin: 1, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } };
    expect(positions([keynum], 'x', '2', 'a', 'b', 'c')).toEqual([2, 3]);
    expect(positions([keynum], 'x', '0', 'a')).toEqual([]);
    expect(positions([keynum], 'x', '3', 'a', 'b')).toBe(-1);
    expect(positions([keynum], 'x', '-1', 'a')).toBe(-1);
    expect(positions([keynum], 'x', 'n', 'a')).toBe(-1);
  });
});
