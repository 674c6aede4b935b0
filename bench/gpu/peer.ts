// The process that runs the peers of a GPU: orders go in, answers come out, one JSON value a line.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a peer measured. Milliseconds of one inference: on the device alone; from inputs in the host's memory to outputs there. */
export interface PeerTiming {
  readonly deviceMillis?: number;
  readonly wholeMillis: number;
  readonly firstMillis?: number;
  /** Length of the difference to the right answer, as a part of that answer's length. */
  readonly error: number;
}

export interface Ceilings {
  readonly device: string;
  readonly bytesPerSecond: number;
  readonly bf16PerSecond: number;
}

export class Peer {
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string) {
    this.#process = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Rejects with what the peer says of its problem. */
  async ask<T>(order: Readonly<Record<string, unknown>>): Promise<T> {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the peer ended');
    const reply: T & { readonly problem?: string } = JSON.parse(value);
    if (reply.problem !== undefined) throw new Error(reply.problem);
    return reply;
  }

  close(): void {
    this.#process.stdin.end();
  }
}
