/** How long an element takes from RPUSH to the client that waits for it in BLPOP. */
import type { RespClient } from '../test/server/resp-client.ts';

/** Microseconds from the sending of each push to the reply of the client that waits, one at a time. */
export async function handOver(taker: RespClient, pusher: RespClient, pushes: number): Promise<number[]> {
  const micros: number[] = [];
  for (let i = 0; i < pushes; i++) {
    const taken = taker.call('BLPOP', 'queue', 0);
    // two round trips of another client: by now the other one waits
    await pusher.call('PING');
    await pusher.call('PING');
    const began = performance.now();
    const pushed = pusher.call('RPUSH', 'queue', 'x');
    await taken;
    micros.push((performance.now() - began) * 1000);
    await pushed;
  }
  return micros;
}
