// WebAssembly's surroundings in a browser: a page, or a worker of it.
import type { HostPort, HostWorker, WasmHost, WorkerEvents } from './host.ts';

/** A browser's worker, and what a worker calls `self`, as far as used here. */
interface BrowserWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(kind: 'message' | 'error', listener: (event: { readonly data?: unknown; readonly message?: string }) => void): void;
}

declare const Worker: new (url: URL, options: { readonly type: 'module' }) => BrowserWorker;
declare const self: BrowserWorker;
declare const crossOriginIsolated: boolean;
declare const navigator: { readonly hardwareConcurrency?: number };

async function startWorker(events: WorkerEvents): Promise<HostWorker> {
  // Bundlers look for exactly this expression to find the worker's file.
  const worker = new Worker(new URL('./browserWorker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', (event) => events.onMessage(event.data));
  worker.addEventListener('error', (event) => events.onError(event.message ?? 'its script cannot be loaded'));
  return { post: (message) => worker.postMessage(message), keepAlive: () => undefined, terminate: () => worker.terminate() };
}

export const browserHost: WasmHost = {
  memorySharing: () =>
    typeof SharedArrayBuffer === 'function' && crossOriginIsolated
      ? 'shared'
      : { whyNot: 'the page is not cross-origin isolated (headers COOP and COEP), so memory cannot be shared' },
  // The main thread of a page may not.
  canSleep: () => !('document' in globalThis),
  availableCores: () => navigator.hardwareConcurrency ?? 1,
  // What an engine has, it has without asking.
  allowRelaxedSimd: () => undefined,
  startWorker,
};

/** Within a worker: the way to whoever started it. */
export const browserPort: HostPort = {
  post: (message) => self.postMessage(message),
  onMessage: (listener) => self.addEventListener('message', (event) => listener(event.data)),
};
