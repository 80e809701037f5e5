/** Records what clients did and saw, on one clock, and says where a history cannot be explained. */
import { decodeReply } from '../server/reply-reader.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import { checkLinearizable } from './linearizability.ts';
import { STRING_MODEL, type StringOperation } from './string-model.ts';

export class History {
  readonly operations: StringOperation[] = [];
  private clients = 0;

  /** A new logical client; who lost a connection goes on as another one. */
  newClient(): number {
    return this.clients++;
  }

  /** Sends the commands as one pipeline and records each with the time its own reply came. */
  async run(client: number, connection: RespClient, commands: readonly Command[]): Promise<void> {
    const callMs = performance.now();
    const replies = connection.pipelineEach(commands);
    await Promise.all(
      replies.map(async (reply, i) => {
        const input = commands[i];
        try {
          const output = decodeReply(await reply);
          this.operations.push({ client, callMs, returnMs: performance.now(), input, output });
        } catch {
          this.operations.push({ client, callMs, returnMs: Infinity, input, output: undefined });
        }
      }),
    );
  }
}

/** Splits a history by `groupOf` the commands and throws at the first group without an explanation. */
export function expectLinearizable(
  operations: readonly StringOperation[],
  groupOf: (command: Command) => string = (command) => String(command[1]),
  maxSteps?: number,
): void {
  for (const [group, part] of Map.groupBy(operations, (op) => groupOf(op.input))) {
    const verdict = checkLinearizable(STRING_MODEL, part, maxSteps);
    if (verdict.kind === 'linearizable') continue;
    if (verdict.kind === 'undecided') throw new Error(`${group}: undecided after ${verdict.steps} steps`);
    const near = verdict.explained.slice(-12).map(describe).join('\n');
    throw new Error(`${group}: not linearizable; explained so far\n…\n${near}\nbut not\n${describe(verdict.stuck)}`);
  }
}

function describe(op: StringOperation): string {
  const output = JSON.stringify(op.output) ?? 'no answer';
  return `  client ${op.client} ${op.input.join(' ')} → ${output}  [${op.callMs.toFixed(3)}, ${op.returnMs.toFixed(3)}]`;
}
