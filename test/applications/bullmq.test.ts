/** BullMQ as applications use it: each job is worked on exactly once, in whatever way it came into the queue. */
import { FlowProducer, type Job, type Processor, Queue, QueueEvents, Worker, type WorkerOptions } from 'bullmq';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SHAPES, startShape } from '../clients/client-shapes.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitForClock, waitUntil } from '../server/wait-until.ts';

const servers = new ServerGroup();
let server: ServerProcess;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await startShape(servers, SHAPES[0]);
});
afterEach(async () => {
  // workers first: a queue that is gone would trouble them
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => servers.removeAll());

const connection = () => ({ host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null });

function queue(name: string): Queue {
  const made = new Queue(name, { connection: connection() });
  made.setMaxListeners(0); // calls that are under way listen for its end
  made.on('error', () => {}); // the calls' own promises say what went wrong
  closers.push(() => made.close());
  return made;
}

/** A worker whose own errors (not those of jobs) fail the test when it ends. */
function worker(name: string, work: Processor, options: Partial<WorkerOptions> = {}): Worker {
  const made = new Worker(name, work, { connection: connection(), drainDelay: 1, ...options });
  const errors: Error[] = [];
  made.on('error', (error) => errors.push(error));
  closers.push(async () => {
    await made.close();
    expect(errors).toEqual([]);
  });
  return made;
}

async function queueEvents(name: string): Promise<QueueEvents> {
  const made = new QueueEvents(name, { connection: connection(), lastEventId: '0' });
  made.on('error', () => {});
  closers.push(() => made.close());
  await made.waitUntilReady();
  return made;
}

/** Numbers from 0 to below `count`. */
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

describe('jobs', () => {
  test('a thousand by three workers with ten at once each: each exactly once, with its result', async () => {
    const jobs = queue('many');
    const done: number[] = [];
    let atOnce = 0;
    let mostAtOnce = 0;
    const work: Processor = async (job) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await job.updateProgress(50);
      done.push(job.data.n);
      atOnce--;
      return job.data.n * 2;
    };
    for (const _ of upTo(3)) worker('many', work, { concurrency: 10 });
    const singly = await Promise.all(upTo(200).map((n) => jobs.add('one', { n })));
    const inBulk = await jobs.addBulk(upTo(800).map((n) => ({ name: 'bulk', data: { n: 200 + n } })));
    await waitUntil('all jobs', async () => (await jobs.getCompletedCount()) === 1000, 30_000);
    expect(ascending(done)).toEqual(upTo(1000));
    expect(mostAtOnce).toBeGreaterThan(1);
    expect(mostAtOnce).toBeLessThanOrEqual(30);
    for (const { id } of [singly[0], singly[199], inBulk[0], inBulk[799]]) {
      const job = await jobs.getJob(id!);
      expect(job?.returnvalue).toBe(job?.data.n * 2);
      expect(job?.progress).toBe(50);
    }
    expect(await jobs.getJobCounts('wait', 'active', 'delayed', 'prioritized', 'failed', 'completed')).toEqual({
      wait: 0,
      active: 0,
      delayed: 0,
      prioritized: 0,
      failed: 0,
      completed: 1000,
    });
    const newest = await jobs.getJobs(['completed'], 0, 9);
    expect(newest.map((job) => job.finishedOn! > 0)).toEqual(upTo(10).map(() => true));
  });

  test('added while workers wait: a job wakes one of them, and one job wakes only one', async () => {
    const jobs = queue('waiting');
    const done: string[] = [];
    const idle = upTo(4).map(() =>
      worker('waiting', async (job) => {
        done.push(job.name);
      }),
    );
    await Promise.all(idle.map((one) => one.waitUntilReady()));
    for (const n of upTo(40)) {
      await jobs.add(`job ${n}`, {});
      await waitUntil(`job ${n}`, () => done.length > n);
    }
    expect(done).toEqual(upTo(40).map((n) => `job ${n}`));
  });

  test('an own id keeps a job from being added twice; so does deduplication', async () => {
    const jobs = queue('same');
    await Promise.all(upTo(20).map((n) => jobs.add('x', { n }, { jobId: 'only-one' })));
    await Promise.all(upTo(20).map((n) => jobs.add('y', { n }, { deduplication: { id: 'key' } })));
    expect(await jobs.getWaitingCount()).toBe(2);
    const done: string[] = [];
    worker('same', async (job) => {
      done.push(job.name);
    });
    await waitUntil('both', () => done.length === 2);
    expect(done).toEqual(['x', 'y']);
  });

  test('first in, first out; last in, first out', async () => {
    const jobs = queue('order');
    for (const n of upTo(10)) await jobs.add('fifo', { n });
    for (const n of upTo(5)) await jobs.add('lifo', { n: 100 + n }, { lifo: true });
    const done: number[] = [];
    worker('order', async (job) => {
      done.push(job.data.n);
    });
    await waitUntil('all', () => done.length === 15);
    expect(done).toEqual([104, 103, 102, 101, 100, ...upTo(10)]);
  });

  test('priorities: the smaller the number the sooner, equals in their order, those without one first', async () => {
    const jobs = queue('priorities');
    const priorities = [5, 1, 3, 0, 5, 2, 1, 0, 1000, 3];
    for (const [n, priority] of priorities.entries()) await jobs.add('p', { n }, { priority });
    expect(await jobs.getPrioritizedCount()).toBe(8);
    const changed = (await jobs.getPrioritized()).find((job) => job.data.n === 8);
    await changed?.changePriority({ priority: 4 });
    const done: number[] = [];
    worker('priorities', async (job) => {
      done.push(job.data.n);
    });
    await waitUntil('all', () => done.length === priorities.length);
    expect(done).toEqual([3, 7, 1, 6, 5, 2, 9, 8, 0, 4]);
  });
});

describe('time', () => {
  test('delayed jobs: none before its time, in the order of their times, each once', async () => {
    const jobs = queue('delayed');
    const done: { n: number; early: number }[] = [];
    for (const _ of upTo(2)) {
      worker('delayed', async (job) => {
        done.push({ n: job.data.n, early: job.timestamp + job.data.delay - Date.now() });
      });
    }
    const count = 60;
    await jobs.addBulk(
      upTo(count).map((n) => {
        const delay = 100 + ((n * 37) % count) * 10;
        return { name: 'later', data: { n, delay }, opts: { delay } };
      }),
    );
    const far = await jobs.add('far', { n: 1000, delay: 1e9 }, { delay: 1e9 });
    await waitUntil('all', () => done.length === count);
    expect(ascending(done.map((one) => one.n))).toEqual(upTo(count));
    for (const { n, early } of done) expect(early, `job ${n}`).toBeLessThanOrEqual(1);
    expect(await jobs.getDelayedCount()).toBe(1);
    await far.changeDelay(2e9);
    expect((await jobs.getJob(far.id!))?.delay).toBe(2e9);
    await far.promote();
    await waitUntil('the promoted one', () => done.length === count + 1);
  });

  test('a rate limit: never more than its number in its time', async () => {
    const jobs = queue('limited');
    const [max, duration] = [5, 300];
    const starts: number[] = [];
    const limiter = { max, duration };
    for (const _ of upTo(2)) {
      worker(
        'limited',
        async () => {
          starts.push(Date.now());
        },
        { limiter, concurrency: 3 },
      );
    }
    await jobs.addBulk(upTo(20).map((n) => ({ name: 'l', data: { n } })));
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 20);
    expect(starts.length).toBe(20);
    starts.sort((a, b) => a - b);
    // the window is the server's: what begins in it may be seen here a little later, so only four of them are compared whole
    expect(starts[19] - starts[0]).toBeGreaterThanOrEqual(2 * duration);
  });

  test('a worker that meets a limit of another service puts its job back', async () => {
    const jobs = queue('manual');
    let refused = 0;
    const done: number[] = [];
    const limited: Worker = worker(
      'manual',
      async (job) => {
        if (job.data.n === 1 && refused++ === 0) {
          await limited.rateLimit(100);
          throw Worker.RateLimitError();
        }
        done.push(job.data.n);
      },
      { limiter: { max: 100, duration: 1000 } },
    );
    await jobs.addBulk(upTo(3).map((n) => ({ name: 'm', data: { n } })));
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 3);
    expect(refused).toBe(2);
    expect(done).toEqual([0, 1, 2]);
    expect((await jobs.getCompleted()).map((job) => job.attemptsMade)).toEqual([1, 1, 1]);
  });

  test('a scheduler makes job after job, can be changed and removed, and has one job per time', async () => {
    const jobs = queue('scheduled');
    const done: { id: string; name: string; n: number }[] = [];
    for (const _ of upTo(2)) {
      worker('scheduled', async (job) => {
        done.push({ id: job.id!, name: job.name, n: job.data.n });
      });
    }
    const count = (name: string) => done.filter((one) => one.name === name).length;
    await jobs.upsertJobScheduler('tick', { every: 100, limit: 5 }, { name: 'tick', data: { n: 1 } });
    await jobs.upsertJobScheduler('cron', { pattern: '* * * * * *' }, { name: 'cron', data: { n: 2 } });
    expect(await jobs.getJobSchedulersCount()).toBe(2);
    await waitUntil('five ticks and a second', () => count('tick') === 5 && count('cron') >= 2);
    await jobs.upsertJobScheduler('cron', { every: 50 }, { name: 'changed', data: { n: 3 } });
    await waitUntil('the change', () => count('changed') >= 3);
    expect(await jobs.removeJobScheduler('cron')).toBe(true);
    await waitUntil('nothing is left to do', async () => (await jobs.getActiveCount()) === 0);
    expect(await jobs.getJobCountByTypes('delayed', 'wait')).toBe(0);
    expect(new Set(done.map((one) => one.id)).size).toBe(done.length);
    expect(count('tick')).toBe(5);
  });
});

describe('failure', () => {
  test('retries with fixed and growing pauses, the reason kept, then failed; retried by hand', async () => {
    const jobs = queue('retries');
    const tries: Record<string, number[]> = { fixed: [], growing: [], hopeless: [] };
    let mend = false;
    worker('retries', async (job) => {
      tries[job.name].push(Date.now());
      if (job.name === 'hopeless' ? !mend : tries[job.name].length < 3) throw new Error(`try ${job.attemptsMade}`);
    });
    await jobs.add('fixed', {}, { attempts: 3, backoff: { type: 'fixed', delay: 60 } });
    await jobs.add('growing', {}, { attempts: 3, backoff: { type: 'exponential', delay: 60 } });
    const hopeless = await jobs.add('hopeless', {}, { attempts: 2 });
    await waitUntil('the ends', async () => (await jobs.getCompletedCount()) === 2 && (await hopeless.isFailed()));
    expect(Object.values(tries).map((one) => one.length)).toEqual([3, 3, 2]);
    const [first, second, third] = tries['growing'];
    expect(second - first).toBeGreaterThanOrEqual(59);
    expect(third - second).toBeGreaterThanOrEqual(119);
    expect(tries['fixed'][1] - tries['fixed'][0]).toBeGreaterThanOrEqual(59);
    const failed = await jobs.getJob(hopeless.id!);
    expect(failed?.failedReason).toBe('try 1');
    expect(failed?.stacktrace?.length).toBe(2);
    mend = true;
    await jobs.retryJobs();
    await waitUntil('the mended one', async () => (await jobs.getCompletedCount()) === 3);
    expect(await jobs.getFailedCount()).toBe(0);
  });

  test('a job whose worker has died is found stalled and done by another one', async () => {
    const jobs = queue('stalled');
    const taker = new Worker('stalled', null, { connection: connection(), lockDuration: 300 });
    closers.push(() => taker.close(true));
    taker.on('error', () => {});
    await jobs.addBulk(upTo(3).map((n) => ({ name: 's', data: { n } })));
    // taken and never finished, and nobody renews the locks
    const taken = [await taker.getNextJob('gone-1'), await taker.getNextJob('gone-2')];
    expect(taken.map((job) => job?.data.n)).toEqual([0, 1]);
    const done: number[] = [];
    const stalled: string[] = [];
    const other = worker(
      'stalled',
      async (job) => {
        done.push(job.data.n);
      },
      { stalledInterval: 150, lockDuration: 1000 },
    );
    other.on('stalled', (id) => stalled.push(id));
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 3);
    expect(ascending(done)).toEqual([0, 1, 2]);
    expect(stalled.sort()).toEqual(taken.map((job) => job!.id).sort());
    // whoever lost the lock cannot finish the job any more
    await expect(taken[0]!.moveToCompleted('late', 'gone-1')).rejects.toThrow(/lock|not in the active state/i);
  });

  test('a server that goes away and comes back: the jobs that it has on disk are done', async () => {
    const lasting = await startShape(servers, SHAPES[0], { options: { appendonly: 'yes', appendfsync: 'always' } });
    const reconnecting = { ...connection(), port: lasting.port, retryStrategy: () => 50 };
    const jobs = new Queue('lasting', { connection: reconnecting });
    jobs.on('error', () => {});
    closers.push(() => jobs.close());
    const done = new Set<number>();
    const made = new Worker(
      'lasting',
      async (job) => {
        done.add(job.data.n);
      },
      { connection: reconnecting, concurrency: 2, autorun: false, stalledInterval: 200, lockDuration: 500 },
    );
    made.on('error', () => {}); // the connection breaks
    closers.push(() => made.close());
    await jobs.addBulk(upTo(100).map((n) => ({ name: 'd', data: { n } })));
    await lasting.kill();
    servers.add(await lasting.restart());
    made.run();
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 100, 20_000);
    expect(ascending([...done])).toEqual(upTo(100));
  });
});

describe('flows', () => {
  test('a parent waits for all its children, over queues, and sees their values', async () => {
    const flows = new FlowProducer({ connection: connection() });
    closers.push(() => flows.close());
    const [parents, leaves] = [queue('parents'), queue('leaves')];
    const order: string[] = [];
    worker(
      'leaves',
      async (job) => {
        order.push(job.name);
        return job.data.n;
      },
      { concurrency: 5 },
    );
    const sum = async (job: Job) => {
      const values: number[] = Object.values(await job.getChildrenValues());
      order.push(job.name);
      return values.reduce((a, b) => a + b, 0);
    };
    worker('parents', sum, { concurrency: 2 });
    const trees = await flows.addBulk(
      upTo(10).map((t) => ({
        name: `root ${t}`,
        queueName: 'parents',
        children: upTo(3).map((m) => ({
          name: `middle ${t}.${m}`,
          queueName: 'parents',
          children: upTo(5).map((n) => ({ name: `leaf ${t}.${m}.${n}`, queueName: 'leaves', data: { n: t + n } })),
        })),
      })),
    );
    await waitUntil('all parents', async () => (await parents.getCompletedCount()) === 40, 20_000);
    expect(await leaves.getCompletedCount()).toBe(150);
    expect(new Set(order).size).toBe(190);
    expect(order.length).toBe(190);
    for (const [t, tree] of trees.entries()) {
      expect((await parents.getJob(tree.job.id!))?.returnvalue).toBe(3 * (10 + 5 * t));
      for (const m of upTo(3)) {
        const middle = order.indexOf(`middle ${t}.${m}`);
        expect(order.indexOf(`root ${t}`)).toBeGreaterThan(middle);
        for (const n of upTo(5)) expect(middle).toBeGreaterThan(order.indexOf(`leaf ${t}.${m}.${n}`));
      }
    }
    const flow = await flows.getFlow({ id: trees[0].job.id!, queueName: 'parents' });
    expect(flow.children?.length).toBe(3);
  });

  test('a child that fails fails its parent, or is left out, as it was told', async () => {
    const flows = new FlowProducer({ connection: connection() });
    closers.push(() => flows.close());
    const parents = queue('strict');
    queue('failing');
    worker('failing', async (job) => {
      if (job.name === 'bad') throw new Error('bad child');
      return 'good';
    });
    worker('strict', async (job) => [
      Object.values(await job.getChildrenValues()),
      Object.values(await job.getIgnoredChildrenFailures()),
    ]);
    const child = (name: string, opts: object) => ({ name, queueName: 'failing', opts });
    const broken = await flows.add({
      name: 'broken',
      queueName: 'strict',
      children: [child('good', {}), child('bad', { failParentOnFailure: true })],
    });
    const lenient = await flows.add({
      name: 'lenient',
      queueName: 'strict',
      children: [child('good', {}), child('bad', { ignoreDependencyOnFailure: true })],
    });
    await waitUntil('both', async () => (await broken.job.isFailed()) && (await lenient.job.isCompleted()));
    expect((await parents.getJob(broken.job.id!))?.failedReason).toContain('failed');
    expect((await parents.getJob(lenient.job.id!))?.returnvalue).toEqual([['good'], ['bad child']]);
  });
});

describe('the whole queue', () => {
  test('events come in order, one of each kind for each job, and waitUntilFinished answers', async () => {
    const jobs = queue('events');
    const events = await queueEvents('events');
    const seen = new Map<string, string[]>();
    const note = (kind: string) => (event: { jobId: string }) => {
      seen.set(event.jobId, [...(seen.get(event.jobId) ?? []), kind]);
    };
    for (const kind of ['added', 'waiting', 'active', 'completed', 'failed'] as const) events.on(kind, note(kind));
    events.on('progress', note('progress'));
    worker(
      'events',
      async (job) => {
        await job.updateProgress(1);
        if (job.data.n % 10 === 9) throw new Error('ninth');
        return job.data.n;
      },
      { concurrency: 4 },
    );
    const added = await jobs.addBulk(upTo(50).map((n) => ({ name: 'e', data: { n } })));
    const ends = await Promise.allSettled(added.map((job) => job.waitUntilFinished(events, 10_000)));
    for (const [n, end] of ends.entries()) {
      if (n % 10 === 9) expect(end).toMatchObject({ status: 'rejected', reason: { message: 'ninth' } });
      else expect(end).toEqual({ status: 'fulfilled', value: n });
    }
    const last = (n: number) => (n % 10 === 9 ? 'failed' : 'completed');
    const whole = () => added.every((job, n) => seen.get(job.id!)?.includes(last(n)));
    await waitUntil('all events', whole);
    for (const [n, job] of added.entries()) {
      expect(seen.get(job.id!)).toEqual(['added', 'waiting', 'active', 'progress', last(n)]);
    }
    await jobs.trimEvents(10);
  });

  test('paused for all, resumed, drained, cleaned, obliterated', async () => {
    const jobs = queue('whole');
    const done: number[] = [];
    const made = worker('whole', async (job) => {
      done.push(job.data.n);
    });
    await made.waitUntilReady();
    await jobs.pause();
    await jobs.addBulk(upTo(20).map((n) => ({ name: 'w', data: { n } })));
    expect(await jobs.isPaused()).toBe(true);
    await waitForClock(Date.now() + 100); // nothing is to happen in this time
    expect(done).toEqual([]);
    await jobs.resume();
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 20);
    expect(done).toEqual(upTo(20));
    expect((await jobs.clean(0, 5, 'completed')).length).toBe(5);
    expect(await jobs.getCompletedCount()).toBe(15);
    await jobs.pause();
    await jobs.addBulk(upTo(20).map((n) => ({ name: 'w', data: { n }, opts: { delay: n % 2 === 0 ? 0 : 1e6 } })));
    await jobs.drain(true);
    expect(await jobs.getJobCountByTypes('wait', 'prioritized', 'delayed')).toBe(0);
    await jobs.addBulk(upTo(3).map((n) => ({ name: 'w', data: { n } })));
    await jobs.obliterate({ force: true });
    const redis = await createClient({ url: `redis://127.0.0.1:${server.port}` }).connect();
    closers.push(() => redis.close());
    expect(await redis.keys('bull:whole:*')).toEqual([]);
  });

  test('over node-redis instead of ioredis', async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
    client.on('error', () => {});
    const jobs = new Queue('node-redis', { connection: client });
    closers.push(async () => {
      await jobs.close();
      if (client.isOpen) client.destroy();
    });
    const done: number[] = [];
    worker(
      'node-redis',
      async (job) => {
        done.push(job.data.n);
      },
      { connection: client, concurrency: 5 },
    );
    await jobs.addBulk(upTo(100).map((n) => ({ name: 'n', data: { n }, opts: { delay: n % 3 === 0 ? 50 : 0 } })));
    await waitUntil('all', async () => (await jobs.getCompletedCount()) === 100);
    expect(ascending(done)).toEqual(upTo(100));
  });
});
