// WebGPU as a browser offers it.
import { AnychipError } from '../../core/error.ts';
import type { Gpu } from './api.ts';

const isGpu = (x: unknown): x is Gpu => typeof x === 'object' && x !== null && 'requestAdapter' in x;

export async function openBrowserGpu(): Promise<Gpu> {
  const navigator: unknown = Reflect.get(globalThis, 'navigator');
  const gpu: unknown = typeof navigator === 'object' && navigator !== null ? Reflect.get(navigator, 'gpu') : undefined;
  if (isGpu(gpu)) return gpu;
  throw new AnychipError('device', 'this browser offers no WebGPU', { hint: 'Open the page over https or from localhost, in a browser with WebGPU, or use wasm.' });
}
