/** The rules of the house as functions from source text to complaints. They read lines, for TypeScript 7 has no stable compiler API. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

export interface Source {
  /** From the project's folder, with `/`. */
  readonly path: string;
  readonly text: string;
}

export const CODE_FOLDERS = ['bench', 'native-free-shm', 'src', 'test', 'workers'];
const MAX_LINES = 700;

/** What a room may import besides itself. Imports run downwards; a room that is not named here may not exist. */
const BELOW_COMMANDS = [
  'native-free-shm',
  'src/resp',
  'src/datatypes',
  'src/keyspace',
  'src/admin',
  'src/shard',
  'src/env',
  'src/pubsub',
  'src/scripting',
];
const BESIDE = ['src/messages', 'src/journal', 'src/persistence'];
const MAY_IMPORT: Record<string, readonly string[]> = {
  'native-free-shm': [],
  'src/env': ['native-free-shm'],
  'src/resp': ['native-free-shm'],
  'src/datatypes': ['native-free-shm', 'src/resp'],
  'src/keyspace': ['native-free-shm', 'src/resp', 'src/datatypes'],
  'src/journal': ['native-free-shm', 'src/resp', 'src/env'],
  'src/persistence': ['native-free-shm', 'src/resp', 'src/datatypes', 'src/keyspace', 'src/env', 'src/journal'],
  'src/admin': ['native-free-shm', 'src/resp', 'src/env'],
  'src/shard': ['native-free-shm', 'src/resp', 'src/datatypes', 'src/keyspace', 'src/journal', 'src/env'],
  'src/pubsub': ['native-free-shm', 'src/resp', 'src/keyspace'],
  'src/scripting': ['native-free-shm', 'src/resp', 'src/env'],
  'src/messages': [
    ...['native-free-shm', 'src/resp', 'src/admin', 'src/journal', 'src/persistence', 'src/shard', 'src/pubsub'],
    'src/scripting',
  ],
  'src/commands': BELOW_COMMANDS,
  'src/dispatch': [...BELOW_COMMANDS, ...BESIDE, 'src/commands'],
  'src/net': [...BELOW_COMMANDS, ...BESIDE, 'src/commands', 'src/dispatch'],
  workers: [...BELOW_COMMANDS, ...BESIDE, 'src/commands', 'src/dispatch', 'src/net'],
  src: ['workers', 'src/env', 'src/admin'],
};
/** Types that may be named upwards: handlers are written against the unit and the session that call them. */
const MAY_IMPORT_TYPES: Record<string, readonly string[]> = { 'src/commands': ['src/dispatch'] };

/** Every TypeScript file of the project. */
export function projectSources(root: string): Source[] {
  return CODE_FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => ({ path: join(folder, name), text: readFileSync(join(root, folder, name), 'utf8') })),
  );
}

function roomOf(path: string): string {
  const [top, second, third] = path.split('/');
  return top === 'src' && third !== undefined ? `src/${second}` : top;
}

/** The text without comments and without prose in strings; lines keep their numbers. */
function codeOf(text: string): string {
  const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return text.replace(tokens, (token) => {
    const isCode = !token.startsWith('/') && !token.includes(' ');
    return isCode ? token : token.replace(/[^\n]/g, '');
  });
}

const IMPORT =
  /^(?:import|export)(\s+type)?\b[^;'"]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)|new URL\('([^']+)',\s*import\.meta\.url/gm;

/** Imports (and thread entry files) that run upwards. */
export function upwardImports(source: Source): string[] {
  const from = roomOf(source.path);
  if (from === 'test' || from === 'bench') return [];
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return [`${source.path}: no such room in the house: ${from}`];
  const complaints: string[] = [];
  for (const [, type, ...targets] of codeOf(source.text).matchAll(IMPORT)) {
    const target = targets.find((one) => one !== undefined) ?? '';
    if (!target.startsWith('.')) continue;
    const to = roomOf(normalize(join(dirname(source.path), target)));
    const typesToo = type === undefined ? [] : (MAY_IMPORT_TYPES[from] ?? []);
    if (to !== from && ![...allowed, ...typesToo].includes(to)) complaints.push(`${source.path} imports ${target}`);
  }
  return complaints;
}

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  readonly allowed: (path: string) => boolean;
}

const nowhere = () => false;
const edges = (path: string) => /^(src\/env|src\/net|workers|bench|test)\//.test(path);
const BANS: readonly Ban[] = [
  { what: 'the clock belongs to src/env', pattern: /\bDate\.now\b|\bnew Date\(\)/, allowed: edges },
  { what: 'randomness belongs to src/env', pattern: /\bMath\.random\b|\brandomBytes\b/, allowed: edges },
  { what: 'timers belong to the edges', pattern: /\bset(Timeout|Interval)\b/, allowed: edges },
  {
    what: 'files and sockets belong to the edges',
    pattern: /^import (?!type)[^;]*'node:(fs|net)(\/promises)?'/m,
    allowed: edges,
  },
  {
    what: 'a test waits for a condition (test/server/wait-until.ts)',
    pattern: /\bsetTimeout\b/,
    allowed: (path) => !path.startsWith('test/') || path === 'test/server/wait-until.ts',
  },
  { what: 'any', pattern: /(: |[<|&] ?|\bas )any\b/, allowed: nowhere },
  { what: 'a barrel', pattern: /^export \*/m, allowed: nowhere },
  { what: 'a default export', pattern: /^export default\b/m, allowed: nowhere },
  { what: 'an event emitter inside', pattern: /extends EventEmitter\b/, allowed: nowhere },
];

/** Constructs that do not belong where they stand. */
export function banned(source: Source): string[] {
  if (source.path.startsWith('test/tidy/')) return []; // its samples are what it looks for
  const code = codeOf(source.text);
  return BANS.filter((ban) => !ban.allowed(source.path) && ban.pattern.test(code)).map((ban) => {
    const line = code.slice(0, code.search(ban.pattern)).split('\n').length;
    return `${source.path}:${line}: ${ban.what}`;
  });
}

/** Names and sizes of single files. */
export function misshapen(source: Source): string[] {
  const complaints: string[] = [];
  const name = basename(source.path);
  const lines = source.text.split('\n').length;
  if (lines > MAX_LINES) complaints.push(`${source.path}: ${lines} lines`);
  if (/\b(TO[D]O|FIX[M]E)\b/.test(source.text)) complaints.push(`${source.path}: unfinished work`);
  if (/^(utils?|helpers?|common|misc|index)\.|[-.]utils?\./.test(name)) complaints.push(`${source.path}: says nothing`);
  if (!/^[a-z0-9-]+(\.test|\.bench)?\.ts$/.test(name)) complaints.push(`${source.path}: not kebab-case`);
  return complaints;
}

/** Files that share a basename. A thread's file in workers/ is named after what it runs: journal, shard. */
export function sameNames(paths: readonly string[]): string[] {
  const named = paths.filter((path) => !path.startsWith('workers/'));
  const byName = Map.groupBy(named, (path) => basename(path));
  return [...byName.values()].filter((same) => same.length > 1).map((same) => same.join(' = '));
}
