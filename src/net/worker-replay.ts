/** Replays a shard's journal files into memory: the commands run as they did, without a client, a gate and a journal. */
import { COMMANDS } from '../commands/command-table.ts';
import { DONE, type Executor } from '../dispatch/executor.ts';
import { systemFiles } from '../env/files.ts';
import type { ReplayRequest } from '../messages/thread-messages.ts';
import { replayShard as replayFiles } from '../persistence/replay.ts';
import type { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import { STATE } from '../shard/world.ts';

const MINUS = 45;

/** Replays one shard with `executor`, which must not journal; returns the number of records. Throws on a record that fails. */
export function replayShard(executor: Executor, request: ReplayRequest): number {
  const reply = new ReplyWriter();
  executor.gateBits = STATE.loading;
  let records = 0;
  replayFiles(systemFiles, request.files, {
    apply(db: number, args: Args): void {
      const row = COMMANDS.lookup(args);
      if (row === null || row.run === null)
        throw new Error(`the journal of shard ${request.shard} holds ${args.text(0)}`);
      const shard = executor.routeReplay(row, args, db, request.shard);
      if (shard !== request.shard)
        throw new Error(`the journal of shard ${request.shard} holds a key of shard ${shard}`);
      if (executor.execute(row, args, reply, db, true) !== DONE)
        throw new Error(`shard ${request.shard} is not free to be loaded`);
      if (reply.pos > 0 && reply.buf[0] === MINUS) {
        throw new Error(
          `replaying ${args.text(0)} in shard ${request.shard}: ${reply.buf.toString('latin1', 1, reply.pos)}`,
        );
      }
      reply.rewind(0);
      records++;
    },
    progress() {},
  });
  executor.clearTouched();
  return records;
}
