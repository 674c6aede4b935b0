// The chips this build knows. Adding one is a folder and a line here.
import type { Engine } from '../runtime/device.ts';
import { createOmEngine } from './ascend/om/engine.ts';
import { createPtoTarget } from './ascend/pto.ts';
import { createAscendTarget } from './ascend/target.ts';
import { createBirenTarget } from './biren/target.ts';
import { createCambriconTarget } from './cambricon/target.ts';
import { createCpuTarget } from './cpu/target.ts';
import { createCudaTarget } from './cuda/target.ts';
import { createHipTarget } from './hip/target.ts';
import { createKunlunTarget } from './kunlun/target.ts';
import { createMetaxTarget } from './metax/target.ts';
import { createMusaTarget } from './musa/target.ts';
import { createOpenClTarget } from './opencl/target.ts';
import { nodeHost } from './wasm/nodeHost.ts';
import { createWasmTarget } from './wasm/target.ts';
import { withNaps } from './webgpu/nap.ts';
import { openNodeGpu } from './webgpu/node.ts';
import { createWebGpuTarget } from './webgpu/target.ts';

/** All targets, fastest first. */
export const createTargets = (): readonly Engine[] =>
  [
    createCpuTarget(),
    createCudaTarget(),
    createAscendTarget(),
    createPtoTarget(),
    createOmEngine(),
    createCambriconTarget(),
    createHipTarget(),
    createBirenTarget(),
    createKunlunTarget(),
    createMetaxTarget(),
    createMusaTarget(),
    createOpenClTarget(),
    createWasmTarget(nodeHost),
    createWebGpuTarget(openNodeGpu, withNaps),
  ].sort((a, b) => b.rank - a.rank);
