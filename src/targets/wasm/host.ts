// The seam to whatever runs JavaScript here, Node or a browser: workers, cores, what may be waited for. Nothing else in this folder knows
// which of the two it is in.
import { AnychipError } from '../../core/error.ts';

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

/** A browser's worker, and what a worker calls `self`. */
interface BrowserWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(kind: 'message' | 'error', listener: (event: { readonly data?: unknown; readonly message?: string }) => void): void;
}

type BrowserWorkerConstructor = new (url: URL, options: { readonly type: 'module' }) => BrowserWorker;

const property = (name: string): unknown => Reflect.get(globalThis, name);
const node = globalThis.process?.versions?.node === undefined ? undefined : globalThis.process;

/** Whether memory can be shared with workers: browsers want the page to be isolated from other origins. */
export const canShareMemory = (): boolean => typeof SharedArrayBuffer === 'function' && (node !== undefined || property('crossOriginIsolated') === true);

/** Whether this thread may sleep: the main thread of a browser may not. */
export const canSleep = (): boolean => node !== undefined || property('document') === undefined;

/** Threads that can run at once. */
export function availableCores(): number {
  if (node !== undefined) return node.getBuiltinModule('node:os').availableParallelism();
  const navigator = property('navigator');
  const cores: unknown = typeof navigator === 'object' && navigator !== null ? Reflect.get(navigator, 'hardwareConcurrency') : undefined;
  return typeof cores === 'number' ? cores : 1;
}

/** Node 20 has relaxed SIMD, but only on request. */
export function allowRelaxedSimd(): void {
  node?.getBuiltinModule('node:v8').setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/** The same kind of file as this one: .ts when run from source, .js when built. */
const isSource = import.meta.url.endsWith('.ts');

/** Starts a worker on worker.ts. */
export async function startWorker(events: WorkerEvents): Promise<HostWorker> {
  if (node !== undefined) return startNodeWorker(events);
  const Worker: BrowserWorkerConstructor | undefined = Reflect.get(globalThis, 'Worker');
  if (Worker === undefined) throw new AnychipError('device', 'there are no workers here', { hint: 'Use one thread.' });
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', (event) => events.onMessage(event.data));
  worker.addEventListener('error', (event) => events.onError(event.message ?? 'a worker failed'));
  return { post: (message) => worker.postMessage(message), keepAlive: () => undefined, terminate: () => worker.terminate() };
}

async function startNodeWorker(events: WorkerEvents): Promise<HostWorker> {
  const { Worker } = await import('node:worker_threads');
  const url = new URL(isSource ? './worker.ts' : './worker.js', import.meta.url);
  // Node before 22 reads no TypeScript: from source, a worker needs a loader.
  const loader = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(url.href)}, ${JSON.stringify(url.href)}));`;
  const worker = isSource ? new Worker(loader, { eval: true }) : new Worker(url);
  worker.unref();
  worker.on('message', events.onMessage);
  worker.on('error', (error) => events.onError(error instanceof Error ? error.message : String(error)));
  return {
    post: (message) => worker.postMessage(message),
    keepAlive: (on) => (on ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
}

/** Within a worker: the way to whoever started it. */
export async function openPort(): Promise<HostPort> {
  if (node === undefined) {
    const scope: BrowserWorker = Reflect.get(globalThis, 'self');
    return { post: (message) => scope.postMessage(message), onMessage: (listener) => scope.addEventListener('message', (event) => listener(event.data)) };
  }
  const { parentPort } = await import('node:worker_threads');
  if (parentPort === null) throw new AnychipError('internal', 'this thread was started by nobody');
  return { post: (message) => parentPort.postMessage(message), onMessage: (listener) => void parentPort.on('message', listener) };
}
