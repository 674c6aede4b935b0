// The chips that a browser offers. Adding one is a line here.
import type { Target } from '../runtime/device.ts';
import { createWasmTarget } from './wasm/target.ts';
import { browserHost } from './wasm/browserHost.ts';
import { openBrowserGpu } from './webgpu/browser.ts';
import { createWebGpuTarget } from './webgpu/target.ts';

/** All targets, fastest first. */
export const createWebTargets = (): readonly Target[] => [createWasmTarget(browserHost), createWebGpuTarget(openBrowserGpu)].sort((a, b) => b.rank - a.rank);
