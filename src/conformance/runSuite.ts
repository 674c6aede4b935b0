// Runs the cases of a suite in processes of their own, so that a crash or a hang in one case is that case's failure, not the run's.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { codeFile } from '../core/packageFiles.ts';
import type { CaseResult, Outcome } from './report.ts';
import type { CaseOptions } from './runCase.ts';
import type { Case } from './suite.ts';
import type { Job } from './worker.ts';

export interface SuiteOptions extends CaseOptions {
  /** Processes at once; default: the machine's cores, each case then on one thread. */
  readonly jobs?: number;
  /** A case that takes longer is a failure with the code 'timeout'. */
  readonly timeoutMillis?: number;
  readonly onResult?: (result: CaseResult, done: number, total: number) => void;
}

const DEFAULT_TIMEOUT_MILLIS = 120_000;

/** Results in the order of `cases`. */
export async function runSuite(cases: readonly Case[], options: SuiteOptions): Promise<CaseResult[]> {
  const jobs = Math.min(options.jobs ?? availableParallelism(), cases.length);
  const results: CaseResult[] = [];
  let next = 0;
  let done = 0;
  const caseOptions: CaseOptions = {
    device: options.device,
    threads: options.threads ?? (jobs > 1 ? 1 : undefined),
    maxMemoryBytes: options.maxMemoryBytes,
    precision: options.precision,
  };
  const serve = async (): Promise<void> => {
    const worker = new CaseWorker();
    for (let i = next++; i < cases.length; i = next++) {
      const start = performance.now();
      const outcome = await worker.run({ test: cases[i]!, options: caseOptions }, options.timeoutMillis ?? DEFAULT_TIMEOUT_MILLIS);
      results[i] = { name: cases[i]!.name, outcome, millis: performance.now() - start };
      options.onResult?.(results[i]!, ++done, cases.length);
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: jobs }, serve));
  return results;
}

/** One child process, started again after a crash. */
class CaseWorker {
  #child: ChildProcess | undefined;

  run(job: Job, timeoutMillis: number): Promise<Outcome> {
    const child = (this.#child ??= start());
    return new Promise((resolve) => {
      const end = (outcome: Outcome, alive: boolean): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (!alive) {
          child.kill('SIGKILL');
          this.#child = undefined;
        }
        resolve(outcome);
      };
      const fail = (code: string, message: string): void => end({ kind: 'failed', code, message }, false);
      const timer = setTimeout(() => fail('timeout', `no answer within ${timeoutMillis / 1000} s`), timeoutMillis);
      child.once('message', (outcome: Outcome) => end(outcome, true));
      child.once('exit', (code, signal) => fail('crash', `the process ended with ${signal ?? `exit code ${code}`}`));
      child.once('error', (error) => fail('crash', error.message));
      child.send(job);
    });
  }

  stop(): void {
    this.#child?.disconnect();
  }
}

// The same kind of file as this one: .ts when run from source, .js when built.
const start = (): ChildProcess => fork(fileURLToPath(codeFile('conformance/worker')), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
