// How the threads of a device share a run: a few words at the start of their memory. Every thread has a Team over the same words.
//
// `LEFT` counts the chunks of the job at hand that nobody has taken. A thread takes one by compare-and-exchange, so a thread that wakes
// late finds nothing and nobody waits for it; who runs the plan waits only for chunks taken. It must not know what runs JavaScript.
import { AnychipError } from '../../core/error.ts';

/** Bytes at the start of memory that the words below fill. */
export const TEAM_BYTES = 1024;

// Words that different threads write lie on lines of their own.
const [LEFT, FINISHED, WAKE, SLEEPERS, MAIL, FAILED] = [0, 16, 32, 48, 64, 80];
// What the job is: written while `LEFT` is 0 and all chunks are finished.
const [PROGRAM, CALL, BASES, SCRATCH, STRIDE, STEPS, CHUNKS] = [96, 97, 98, 99, 100, 101, 102];

const CHUNKS_PER_THREAD = 4;
/** Milliseconds an idle thread looks for work before it sleeps. */
const SPIN_MILLIS = 0.2;
const SPINS_PER_CLOCK = 64;
/** To the last grid step there is. */
export const ALL_STEPS = 2 ** 31 - 1;

/** Runs the calls [first, last) of a program, each for its grid steps [from, to). */
export type Calls = (first: number, last: number, bases: number, scratch: number, from: number, to: number) => void;

/** Calls [first, last) of a program. Plain data: it can be sent to a worker. */
export interface RunRequest {
  readonly program: number;
  readonly first: number;
  readonly last: number;
  /** Calls in this range that several threads share, in order, with their grid steps. */
  readonly wide: readonly { readonly call: number; readonly steps: number }[];
  /** Addresses: of the table of base addresses, and of the scratch memory of thread 0. */
  readonly bases: number;
  readonly scratch: number;
  /** Bytes from one thread's scratch memory to the next one's. */
  readonly stride: number;
}

export class Team {
  readonly programs = new Map<number, Calls>();
  readonly #words: Int32Array;
  readonly #thread: number;
  readonly #canSleep: boolean;

  /** `thread`: 0 for the one that runs plans, others help. */
  constructor(buffer: ArrayBufferLike, thread: number, canSleep: boolean) {
    this.#words = new Int32Array(buffer, 0, TEAM_BYTES / 4);
    this.#thread = thread;
    this.#canSleep = canSleep;
  }

  // ── thread 0 ──

  /** Runs a request to its end with `threads` threads. A failure of a helper is thrown here. */
  run(request: RunRequest, threads: number): void {
    const calls = this.#calls(request.program);
    let next = request.first;
    const alone = (last: number): void => {
      if (next < last) calls(next, last, request.bases, request.scratch, 0, ALL_STEPS);
    };
    for (const { call, steps } of threads > 1 ? request.wide : []) {
      alone(call);
      this.#share(request, call, steps, Math.min(steps, threads * CHUNKS_PER_THREAD));
      next = call + 1;
    }
    alone(request.last);
  }

  #share(request: RunRequest, call: number, steps: number, chunks: number): void {
    const words = this.#words;
    words[PROGRAM] = request.program;
    words[CALL] = call;
    words[BASES] = request.bases;
    words[SCRATCH] = request.scratch;
    words[STRIDE] = request.stride;
    words[STEPS] = steps;
    words[CHUNKS] = chunks;
    words[FINISHED] = 0;
    Atomics.store(words, LEFT, chunks);
    this.wake();
    while (this.#help());
    this.#awaitFinished(chunks);
    if (Atomics.exchange(words, FAILED, 0) !== 0) throw new AnychipError('device', 'a kernel failed on another thread');
  }

  #awaitFinished(chunks: number): void {
    for (let spins = 0; ; spins++) {
      const finished = Atomics.load(this.#words, FINISHED);
      if (finished === chunks) return;
      if (this.#canSleep && spins > SPINS_PER_CLOCK * SPINS_PER_CLOCK) Atomics.wait(this.#words, FINISHED, finished);
    }
  }

  /** Helpers look for work, or into their mail. */
  wake(): void {
    Atomics.add(this.#words, WAKE, 1);
    if (Atomics.load(this.#words, SLEEPERS) > 0) Atomics.notify(this.#words, WAKE);
  }

  /** Tells helpers that a message was sent to each of them: they read messages only when told. */
  announceMail(): void {
    Atomics.add(this.#words, MAIL, 1);
    this.wake();
  }

  // ── every thread ──

  #calls(program: number): Calls {
    const calls = this.programs.get(program);
    if (calls === undefined) throw new AnychipError('internal', `thread ${this.#thread} has no program ${program}`);
    return calls;
  }

  /** Runs one chunk of the job at hand, if there is one left. */
  #help(): boolean {
    const words = this.#words;
    const left = Atomics.load(words, LEFT);
    if (left === 0) return false;
    if (Atomics.compareExchange(words, LEFT, left, left - 1) !== left) return true;
    const [chunks, steps] = [words[CHUNKS]!, words[STEPS]!];
    const from = (chunk: number): number => Math.floor((chunk * steps) / chunks);
    const [chunk, call] = [chunks - left, words[CALL]!];
    try {
      this.#calls(words[PROGRAM]!)(call, call + 1, words[BASES]!, words[SCRATCH]! + this.#thread * words[STRIDE]!, from(chunk), from(chunk + 1));
    } catch {
      Atomics.store(words, FAILED, 1);
    }
    if (Atomics.add(words, FINISHED, 1) + 1 === chunks && this.#thread > 0) Atomics.notify(words, FINISHED);
    return true;
  }

  // ── helpers ──

  /** Helps until there is more mail than the `handled` messages: a thread that never returns receives none. */
  serve(handled: number): void {
    const words = this.#words;
    let idleSince = performance.now();
    for (let spins = 1; Atomics.load(words, MAIL) === handled; spins++) {
      if (this.#help()) {
        spins = 0;
        continue;
      }
      if (spins % SPINS_PER_CLOCK !== 0) continue;
      if (spins === SPINS_PER_CLOCK) idleSince = performance.now();
      else if (performance.now() - idleSince > SPIN_MILLIS) {
        this.#sleep(handled);
        spins = 0;
      }
    }
  }

  #sleep(handled: number): void {
    const words = this.#words;
    Atomics.add(words, SLEEPERS, 1);
    const seen = Atomics.load(words, WAKE);
    if (Atomics.load(words, LEFT) === 0 && Atomics.load(words, MAIL) === handled) Atomics.wait(words, WAKE, seen);
    Atomics.sub(words, SLEEPERS, 1);
  }
}
