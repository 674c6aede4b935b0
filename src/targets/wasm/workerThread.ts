// What a worker does: thread 0 runs whole plans when told to, others help whoever runs one.
import type { HostPort } from './host.ts';
import { instantiate } from './instance.ts';
import type { FromWorker, ProgramModule, ToWorker } from './messages.ts';
import { Team } from './team.ts';
import type { Memory } from './webAssembly.ts';

class WorkerThread {
  readonly #memory: Memory;
  readonly #thread: number;
  readonly #team: Team;
  #handled = 0;

  constructor({ memory, thread, programs }: Extract<ToWorker, { kind: 'start' }>) {
    this.#memory = memory;
    this.#thread = thread;
    this.#team = new Team(memory.buffer, thread, true);
    programs.forEach((program) => this.#load(program));
  }

  #load({ id, module }: ProgramModule): void {
    this.#team.programs.set(id, instantiate(module, this.#memory));
  }

  handle(message: ToWorker): void {
    if (message.kind === 'load') this.#load(message.program);
    if (message.kind === 'unload') this.#team.programs.delete(message.id);
    if (message.kind === 'run') this.#team.run(message.request, message.threads);
  }

  /** Helps until the next message is there. */
  serve(): void {
    this.#handled++;
    if (this.#thread > 0) this.#team.serve(this.#handled);
  }
}

const isMessage = (message: unknown): message is ToWorker => typeof message === 'object' && message !== null && 'kind' in message;

/** Does what messages from `port` ask for, from now on. */
export function serve(port: HostPort): void {
  let thread: WorkerThread | undefined;
  const answer = (message: ToWorker): FromWorker => {
    try {
      if (message.kind === 'start') thread = new WorkerThread(message);
      else thread?.handle(message);
      return { ok: true };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    }
  };
  port.onMessage((message) => {
    if (!isMessage(message)) return;
    port.post(answer(message));
    thread?.serve();
  });
}
