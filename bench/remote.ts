// Processes that hold one runner each: their script is bundled once a run, so that they load fast and hold no code but their runner's. Beside
// it lies anychip, built as users get it, of the source as it is.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleForNode } from '../scripts/bundle.ts';
import type { Message, OrderName, Orders, Reply } from './worker.ts';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Below the folder of the peers' packages, so that they are found; one for each run of the bench. */
const FOLDER = fromHere(`.cache/${process.pid}`);

export const removeBundle = (): void => rmSync(FOLDER, { recursive: true, force: true });

/** Makes the script that processes run, and the package that it loads (runners.ts). */
export async function bundleWorker(): Promise<void> {
  mkdirSync(`${FOLDER}/dist`, { recursive: true });
  await bundleForNode(`${FOLDER}/dist`);
  await build({
    entryPoints: [fromHere('worker.ts')],
    outdir: FOLDER,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
}

/** The line that says what went wrong, among those of a stack. */
const lastError = (said: string): string => (/^.*(?:Error|terminate|abort).*$/m.exec(said)?.[0] ?? said).trim();

/** Nobody waits longer for an answer. */
const PATIENCE_MILLIS = 300_000;

export class Remote {
  readonly #process: ChildProcess;
  #waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;
  #ending: Error | undefined;
  #said = '';

  /** `environment` is added to that of this process. */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#process = fork(`${FOLDER}/worker.js`, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [], env: { ...process.env, ...environment } });
    this.#process.stderr!.on('data', (chunk) => {
      this.#said = `${this.#said}${chunk}`.slice(-2000);
    });
    this.#process.on('message', (reply: Reply) => this.#waiting?.resolve(reply));
    this.#process.on('exit', (code, signal) => this.#end(new Error(`its process ended (${signal ?? code})${this.#said === '' ? '' : `: ${lastError(this.#said)}`}`)));
    this.#process.on('error', (error) => {
      this.#end(error);
      this.#process.kill('SIGKILL');
    });
  }

  #end(error: Error): void {
    this.#ending ??= error;
    this.#waiting?.reject(this.#ending);
  }

  /** Rejects with what went wrong there, or where the process ends or gives no answer. */
  async ask<K extends OrderName>(order: K, given: Parameters<Orders[K]>[0]): Promise<Awaited<ReturnType<Orders[K]>>>;
  async ask(order: OrderName, given: unknown): Promise<unknown> {
    if (this.#ending !== undefined) throw this.#ending;
    let timer: NodeJS.Timeout | undefined;
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MILLIS / 1000} s`)), PATIENCE_MILLIS);
      this.#process.send({ order, given } as Message);
    }).finally(() => clearTimeout(timer));
    if ('problem' in reply) throw new Error(reply.problem);
    return reply.answer;
  }

  /** Ends the process and waits until its memory is free. */
  async close(): Promise<void> {
    if (this.#ending !== undefined) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }
}
