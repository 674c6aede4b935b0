// WebAssembly's surroundings in Node.
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { codeFile, isSource } from '../../core/packageFiles.ts';
import type { HostWorker, WasmHost, WorkerEvents } from './host.ts';

async function startWorker(events: WorkerEvents): Promise<HostWorker> {
  const url = codeFile('targets/wasm/nodeWorker');
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

export const nodeHost: WasmHost = {
  memorySharing: () => 'shared',
  canSleep: () => true,
  availableCores: availableParallelism,
  engine: `V8 ${process.versions.v8}`,
  // Node 20 has it behind a flag.
  allowRelaxedSimd: () => setFlagsFromString('--experimental-wasm-relaxed-simd'),
  startWorker,
};
