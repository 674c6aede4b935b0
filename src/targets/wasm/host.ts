// What a WebAssembly device needs of whatever runs JavaScript: workers, cores, what may be waited for. nodeHost.ts and browserHost.ts give
// it; nothing else in this folder knows which of the two it is in.

/** A thread with an event loop of its own. */
export interface HostWorker {
  post(message: unknown): void;
  /** Whether the process stays alive for it; it does not at first. */
  keepAlive(on: boolean): void;
  terminate(): void;
}

export interface WorkerEvents {
  readonly onMessage: (message: unknown) => void;
  readonly onError: (reason: string) => void;
}

/** The other end, within a worker. */
export interface HostPort {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

export interface WasmHost {
  /** Whether memory can be shared with workers; else why not, for people. */
  memorySharing(): 'shared' | { readonly whyNot: string };
  /** Whether the thread that runs plans may sleep. */
  canSleep(): boolean;
  /** Threads that can run at once. */
  availableCores(): number;
  /** What runs WebAssembly here, with its version, where it says so. */
  readonly engine?: string;
  /** Asks for relaxed SIMD where the engine has it on request only. */
  allowRelaxedSimd(): void;
  /** Starts a worker that serves (workerThread.ts). */
  startWorker(events: WorkerEvents): Promise<HostWorker>;
}
