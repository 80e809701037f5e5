/** COMMAND DOCS: the documentation of commands, out of their rows. */
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { commandTable } from './command-registry.ts';
import type { CommandRow } from './command-row.ts';
import type { CommandDocArgument } from './spec.ts';

/** A map whose entries are collected before their number is known. */
type Entries = (() => void)[];

function replyEntries(entries: Entries, reply: ReplyWriter): void {
  reply.map(entries.length);
  for (const write of entries) write();
}

class DocsWriter {
  private readonly reply: ReplyWriter;

  constructor(reply: ReplyWriter) {
    this.reply = reply;
  }

  private text(entries: Entries, name: string, value: string | undefined): void {
    if (value === undefined) return;
    entries.push(() => {
      this.reply.bulkText(name);
      this.reply.bulkText(value);
    });
  }

  private statusSet(entries: Entries, name: string, values: readonly string[] | undefined): void {
    if (values === undefined || values.length === 0) return;
    entries.push(() => {
      this.reply.bulkText(name);
      this.reply.set(values.length);
      for (const value of values) this.reply.simple(value);
    });
  }

  private argument(argument: CommandDocArgument): void {
    const entries: Entries = [];
    const isGroup = argument.type === 'oneof' || argument.type === 'block';
    this.text(entries, 'name', argument.name);
    this.text(entries, 'type', argument.type);
    if (!isGroup && argument.type !== 'pure-token') {
      this.text(entries, 'display_text', argument.display ?? argument.name);
    }
    if (argument.keySpecIndex !== undefined) {
      const index = argument.keySpecIndex;
      entries.push(() => {
        this.reply.bulkText('key_spec_index');
        this.reply.integer(index);
      });
    }
    this.text(entries, 'token', argument.token);
    this.text(entries, 'since', argument.since);
    this.text(entries, 'deprecated_since', argument.deprecatedSince);
    const flags: string[] = [];
    if (argument.optional) flags.push('optional');
    if (argument.multiple) flags.push('multiple');
    if (argument.multipleToken) flags.push('multiple_token');
    this.statusSet(entries, 'flags', flags);
    if (isGroup) this.arguments(entries, argument.arguments ?? []);
    replyEntries(entries, this.reply);
  }

  private arguments(entries: Entries, list: readonly CommandDocArgument[]): void {
    entries.push(() => {
      this.reply.bulkText('arguments');
      this.reply.array(list.length);
      for (const argument of list) this.argument(argument);
    });
  }

  private history(entries: Entries, history: readonly [string, string][] | undefined): void {
    if (history === undefined) return;
    entries.push(() => {
      this.reply.bulkText('history');
      this.reply.set(history.length);
      for (const [version, change] of history) {
        this.reply.array(2);
        this.reply.bulkText(version);
        this.reply.bulkText(change);
      }
    });
  }

  command(row: CommandRow): void {
    const { spec } = row;
    const entries: Entries = [];
    this.text(entries, 'summary', spec.summary);
    this.text(entries, 'since', spec.since);
    this.text(entries, 'group', spec.group);
    this.text(entries, 'complexity', spec.complexity);
    this.statusSet(entries, 'doc_flags', spec.docFlags);
    this.text(entries, 'deprecated_since', spec.deprecatedSince);
    this.text(entries, 'replaced_by', spec.replacedBy);
    this.history(entries, spec.history);
    if (spec.arguments !== undefined) this.arguments(entries, spec.arguments);
    const subcommands = row.shownSubcommands();
    if (subcommands.length > 0) {
      entries.push(() => {
        this.reply.bulkText('subcommands');
        this.all(subcommands);
      });
    }
    replyEntries(entries, this.reply);
  }

  all(rows: readonly CommandRow[]): void {
    this.reply.map(rows.length);
    for (const row of rows) {
      this.reply.bulkText(row.fullName);
      this.command(row);
    }
  }
}

export function commandDocs(_session: Session, args: Args, reply: ReplyWriter): void {
  const writer = new DocsWriter(reply);
  if (args.count === 2) return writer.all(commandTable().commands);
  const rows: CommandRow[] = [];
  for (let i = 2; i < args.count; i++) {
    const row = commandTable().byName(args.text(i));
    if (row !== null) rows.push(row);
  }
  writer.all(rows);
}
