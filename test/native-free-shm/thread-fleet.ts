/** Starts real threads for a stress test and collects what each reports. */
import { Worker } from 'node:worker_threads';

/** How long one stress run lasts: short by default, SKEIN_STRESS_SECONDS for a real hunt. */
export const STRESS_MS = process.env.SKEIN_STRESS_SECONDS ? Number(process.env.SKEIN_STRESS_SECONDS) * 1000 : 800;
/** A wake-up that has not come after this long is lost. Far above any pause of a busy machine. */
export const LOST_MS = 20_000;
/** Timeout of a test that contains `runs` stress runs. */
export const stressTimeout = (runs: number): number => runs * (STRESS_MS + 2 * LOST_MS);

/**
 * Runs one thread of `script` (beside this file) per element of `jobs`, with that element as workerData. Each must post exactly one
 * message, its report, and end by itself; the reports come back in the order of the jobs.
 */
export async function runThreads<Job, Report>(script: string, jobs: readonly Job[]): Promise<Report[]> {
  const workers: Worker[] = [];
  try {
    return await Promise.all(
      jobs.map(
        (job) =>
          new Promise<Report>((resolve, reject) => {
            const worker = new Worker(new URL(script, import.meta.url), { workerData: job });
            workers.push(worker);
            const reports: Report[] = [];
            worker.on('message', (report: Report) => reports.push(report));
            worker.on('error', reject);
            worker.on('exit', (code) => {
              if (code === 0 && reports.length === 1) resolve(reports[0]);
              else reject(new Error(`${script} ended with code ${code} after ${reports.length} reports`));
            });
          }),
      ),
    );
  } finally {
    for (const worker of workers) void worker.terminate();
  }
}
