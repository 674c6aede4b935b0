// The threads of a device, started when there is first something for them to do: helpers that share wide calls, and one worker that runs
// whole plans in the background, so that the event loop goes on.
import { AnychipError } from '../../core/error.ts';
import { trace } from '../../core/trace.ts';
import type { HostWorker, WasmHost } from './host.ts';
import { instantiate } from './instance.ts';
import type { FromWorker, ProgramModule, ToWorker } from './messages.ts';
import { Team } from './team.ts';
import type { RunRequest } from './team.ts';
import type { Memory } from './webAssembly.ts';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: AnychipError) => void;
}

const isAnswer = (message: unknown): message is FromWorker => typeof message === 'object' && message !== null && 'ok' in message;

/** One worker; the process stays alive for it while an answer is due. */
class Thread {
  readonly #worker: Promise<HostWorker>;
  readonly #waiting: Waiting[] = [];

  constructor(host: WasmHost) {
    this.#worker = host.startWorker({
      onMessage: (message) => this.#settle(isAnswer(message) ? message : { ok: false, reason: 'a worker answered nonsense' }),
      onError: (reason) => {
        while (this.#waiting.length > 0) this.#settle({ ok: false, reason });
      },
    });
  }

  async ask(message: ToWorker, sent: () => void = () => undefined): Promise<void> {
    const worker = await this.#worker;
    worker.keepAlive(true);
    const answer = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    worker.post(message);
    sent();
    await answer;
    if (this.#waiting.length === 0) worker.keepAlive(false);
  }

  #settle(answer: FromWorker): void {
    const waiting = this.#waiting.shift();
    if (answer.ok) waiting?.resolve();
    else waiting?.reject(new AnychipError('device', `a worker thread failed: ${answer.reason}`));
  }

  terminate(): void {
    void this.#worker.then(
      (worker) => worker.terminate(),
      () => undefined,
    );
  }
}

export class Pool {
  readonly #host: WasmHost;
  readonly #memory: Memory;
  readonly #threads: number;
  readonly #team: Team;
  readonly #programs = new Map<number, ProgramModule>();
  #helpers: readonly Thread[] | undefined;
  /** Whether all helpers are there; until then runs go on without them. */
  #canShare = false;
  #runner: Thread | undefined;
  /** One could not be started: their script is blocked or missing. */
  #hasNoWorkers = false;
  /** Loading programs and running in the background exclude each other. */
  #busy: Promise<void> | undefined;

  /** `threads` includes the one that runs the plan. More than one, or a run in the background, needs a shared memory. */
  constructor(host: WasmHost, memory: Memory, threads: number) {
    this.#host = host;
    this.#memory = memory;
    this.#threads = threads;
    this.#team = new Team(memory.buffer, 0, host.canSleep());
  }

  load(program: ProgramModule): Promise<void> {
    return this.#exclusively(async () => {
      this.#team.programs.set(program.id, instantiate(program.module, this.#memory));
      this.#programs.set(program.id, program);
      await this.#tellAll({ kind: 'load', program });
    });
  }

  unload(id: number): void {
    if (!this.#programs.delete(id)) return;
    this.#team.programs.delete(id);
    // Whether anyone still answers does not matter any more.
    void this.#exclusively(() => this.#tellAll({ kind: 'unload', id })).catch(() => undefined);
  }

  /** Runs a request on this thread, at once where nothing is in the way. */
  runHere(request: RunRequest): void | Promise<void> {
    if (this.#busy !== undefined) return this.#busy.then(() => this.runHere(request));
    this.#team.run(request, this.#threadsFor(request));
  }

  /** Runs a request on the worker for plans; on this thread where workers cannot be started. */
  runInBackground(request: RunRequest): Promise<void> {
    return this.#exclusively(async () => {
      const runner = await this.#findRunner();
      const threads = this.#threadsFor(request);
      if (runner === undefined) this.#team.run(request, threads);
      else await runner.ask({ kind: 'run', request, threads });
    });
  }

  /** Where helpers would help for the first time, they are sent for. */
  #threadsFor(request: RunRequest): number {
    if (this.#threads === 1 || request.wide.length === 0) return 1;
    if (this.#helpers === undefined) this.#startHelpers();
    return this.#canShare ? this.#threads : 1;
  }

  dispose(): void {
    for (const thread of [...(this.#helpers ?? []), ...(this.#runner === undefined ? [] : [this.#runner])]) thread.terminate();
    this.#helpers = undefined;
    this.#runner = undefined;
    this.#canShare = false;
  }

  #startMessage(thread: number): ToWorker {
    return { kind: 'start', memory: this.#memory, thread, programs: [...this.#programs.values()] };
  }

  /** The worker for plans, started when it is first asked for. */
  async #findRunner(): Promise<Thread | undefined> {
    if (this.#runner !== undefined || this.#hasNoWorkers) return this.#runner;
    const runner = new Thread(this.#host);
    try {
      await runner.ask(this.#startMessage(0));
      this.#runner = runner;
    } catch (error) {
      this.#giveUpWorkers([runner], error);
    }
    return this.#runner;
  }

  #giveUpWorkers(started: readonly Thread[], error: unknown): void {
    trace(1, () => ({ kind: 'placement', message: `one thread only: ${String(error)}` }));
    for (const thread of started) thread.terminate();
    this.#hasNoWorkers = true;
  }

  #startHelpers(): void {
    // Their first message: announced before they are there, for a helper goes on when there is more mail than it has seen.
    this.#team.announceMail();
    const helpers = Array.from({ length: this.#threads - 1 }, () => new Thread(this.#host));
    this.#helpers = helpers;
    Promise.all(helpers.map((helper, i) => helper.ask(this.#startMessage(i + 1)))).then(
      () => void (this.#canShare = this.#helpers === helpers),
      (error: unknown) => {
        this.#giveUpWorkers(helpers, error);
        if (this.#helpers === helpers) this.#helpers = [];
      },
    );
  }

  async #tellAll(message: ToWorker): Promise<void> {
    const helpers = this.#helpers ?? [];
    let unsent = helpers.length;
    const told = helpers.map((helper) => helper.ask(message, () => void (--unsent === 0 && this.#team.announceMail())));
    if (this.#runner !== undefined) told.push(this.#runner.ask(message));
    await Promise.all(told);
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    while (this.#busy !== undefined) await this.#busy;
    const done = work();
    const busy = done.then(
      () => undefined,
      () => undefined,
    );
    this.#busy = busy;
    await busy;
    if (this.#busy === busy) this.#busy = undefined;
    return done;
  }
}
