// Runs damaged models in processes of their own. The only good ends are success and an AnychipError that says what is wrong: any other
// exception, a crash, more than the time limit or memory far over its limit is a failure of anychip.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { listCases } from '../../src/conformance/suite.ts';
import { createRandom } from '../../src/reference/randomSource.ts';
import { seedModels } from './models.ts';
import { mutateModel } from './mutate.ts';
import type { FuzzAnswer, FuzzJob, FuzzOutcome } from './worker.ts';

export interface FuzzOptions {
  readonly count: number;
  readonly seed: number;
  /** Share of the models that run on `device` instead of the reference. */
  readonly deviceShare: number;
  readonly device: string;
  /** Folders of cases whose models are seeds beside those made by hand. */
  readonly folders: readonly string[];
  readonly maxMemoryBytes?: number;
  readonly onResult?: (result: FuzzResult, done: number) => void;
}

export interface FuzzResult {
  readonly id: number;
  readonly seedModel: string;
  readonly device: string;
  readonly outcome: FuzzOutcome;
  readonly millis: number;
  readonly bytes: Uint8Array;
}

export const SUITE = '/usr/share/libonnx-testdata/data';
const TIME_LIMIT_MILLIS = 10_000;
/** Small, so that what fits is computed within the time limit even by the reference. */
export const MAX_MEMORY_BYTES = 32 * 2 ** 20;
/** What the process itself takes, its garbage included. */
const OVERHEAD_BYTES = 768 * 2 ** 20;
/** Larger models make slow mutants that test nothing more. */
const MAX_SEED_BYTES = 4 * 2 ** 20;

/** Paths and bytes of the models to damage. */
function seedsOf(folders: readonly string[]): [name: string, bytes: () => Uint8Array][] {
  const own = [...seedModels()].map(([name, bytes]): [string, () => Uint8Array] => [name, () => bytes]);
  const cases = folders.filter((folder) => existsSync(folder)).flatMap((folder) => listCases(folder));
  const found = cases.filter(({ model }) => statSync(model).size <= MAX_SEED_BYTES).map(({ name, model }): [string, () => Uint8Array] => [name, () => readFileSync(model)]);
  return [...own, ...found];
}

/** Results of all models that failed, and the number of each outcome. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult[]> {
  const seeds = seedsOf(options.folders);
  const own = seedModels().size;
  const results: FuzzResult[] = [];
  let next = 0;
  const serve = async (): Promise<void> => {
    const worker = new FuzzWorker();
    for (let id = next++; id < options.count; id = next++) {
      // One stream a model: a failure is found again by its number alone.
      const random = createRandom(options.seed)(options.seed * 1_000_003 + id);
      const [seedModel, bytes] = seeds[random() < 0.25 ? Math.floor(random() * own) : Math.floor(random() * seeds.length)]!;
      const mutant = mutateModel(random, bytes());
      const device = random() < options.deviceShare ? options.device : 'reference';
      const start = performance.now();
      const job = { model: Buffer.from(mutant).toString('base64'), device, maxMemoryBytes: options.maxMemoryBytes ?? MAX_MEMORY_BYTES };
      const first = await worker.run(job);
      // A machine that is busy with something else is slow once; a model that hangs does so again.
      const outcome = isHang(first) ? await worker.run(job) : first;
      const result = { id, seedModel, device, outcome, millis: performance.now() - start, bytes: mutant };
      results.push(result);
      options.onResult?.(result, results.length);
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, serve));
  return results.sort((a, b) => a.id - b.id);
}

const HANG = 'hang';
const isHang = (outcome: FuzzOutcome): boolean => outcome.kind === 'failed' && outcome.what === HANG;

class FuzzWorker {
  #child: ChildProcess | undefined;

  async run(job: FuzzJob): Promise<FuzzOutcome> {
    const child = (this.#child ??= await start());
    return new Promise((resolve) => {
      const end = (outcome: FuzzOutcome, alive: boolean): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (!alive) {
          child.kill('SIGKILL');
          this.#child = undefined;
        }
        resolve(outcome);
      };
      const fail = (what: string, detail = ''): void => end({ kind: 'failed', what, detail }, false);
      const timer = setTimeout(() => fail(HANG, `no answer within ${TIME_LIMIT_MILLIS / 1000} s`), TIME_LIMIT_MILLIS);
      child.once('message', ({ outcome, peakBytes }: FuzzAnswer) =>
        peakBytes > job.maxMemoryBytes + OVERHEAD_BYTES ? fail('memory', `a peak of ${Math.round(peakBytes / 2 ** 20)} MiB`) : end(outcome, true),
      );
      child.once('exit', (code, signal) => fail('crash', `the process ended with ${signal ?? `exit code ${code}`}`));
      child.send(job);
    });
  }

  stop(): void {
    this.#child?.disconnect();
  }
}

/** A process that has loaded everything, so that its start counts against no model. */
async function start(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const warm: FuzzJob = { model: '', device: 'reference', maxMemoryBytes: MAX_MEMORY_BYTES };
  await new Promise<void>((resolve) => {
    child.once('message', () => resolve());
    child.send(warm);
  });
  return child;
}
