// Work in order, at once where nothing is pending: the part of queues that is the same on every chip. It must not know what the work is.

export class InOrder {
  /** The end of all work handed in, while some of it is not done. */
  #pending: Promise<void> | undefined;
  #failure: unknown;

  /** Runs `work` after all before it; at once if nothing is pending. After a failure the rest is dropped until `finish` reports it. */
  enqueue(work: () => void | Promise<void>): void {
    if (this.#pending === undefined) {
      if (this.#failure === undefined) this.#track(this.#attempt(work));
      return;
    }
    this.#track(this.#pending.then(() => (this.#failure === undefined ? this.#attempt(work) : undefined)));
  }

  /** When all is done; rejects with the first failure, once. */
  async finish(): Promise<void> {
    while (this.#pending !== undefined) await this.#pending;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  #attempt(work: () => void | Promise<void>): void | Promise<void> {
    const fail = (error: unknown): void => {
      this.#failure ??= error;
    };
    try {
      return work()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #track(work: void | Promise<void>): void {
    if (work === undefined) return;
    const pending = work.then(() => {
      if (this.#pending === pending) this.#pending = undefined;
    });
    this.#pending = pending;
  }
}
