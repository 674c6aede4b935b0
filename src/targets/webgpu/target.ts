// Whatever a WebGPU implementation drives: a browser's, or Dawn in Node.
import { AnychipError } from '../../core/error.ts';
import type { DType } from '../../core/dtype.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { WgslRenderer } from '../../render/wgsl/renderer.ts';
import type { Availability, SimtCapabilities, SimtFacts, Target } from '../../runtime/device.ts';
import type { OpenGpu, WaitForGpu } from './api.ts';
import { WgslCompiler } from './compiler.ts';
import { WebGpuDevice } from './device.ts';
import { findFacts, openMachine } from './machine.ts';
import type { GpuFacts } from './machine.ts';

/** What every implementation has at least. */
const LEAST_FACTS: SimtFacts = { maxThreads: 256, subgroupThreads: 32, shuffleThreads: 1, sharedBytes: 16 << 10, vectorLanes: 1, units: 1, matrixUnits: [] };
const LEAST_BUFFER_BYTES = 128 << 20;
/** A GPU comes before WebAssembly; one in software after it. */
const [GPU_RANK, SOFTWARE_RANK] = [60, 40];
/** 64 bits are pairs of words. For integers that costs little, for doubles much. */
const simulated: readonly DType[] = ['f64'];

export function createWebGpuTarget(open: OpenGpu, wait: WaitForGpu = (work) => work): Target {
  let found: GpuFacts | undefined;
  let probed: Promise<Availability> | undefined;
  const probe = async (): Promise<Availability> => {
    try {
      found = await findFacts(open);
      const { title: detail, driver, isSoftware } = found;
      return { ok: true, detail, ...(driver === undefined ? {} : { driver }), rank: isSoftware ? SOFTWARE_RANK : GPU_RANK };
    } catch (error) {
      const hint = (error instanceof AnychipError ? error.hint : undefined) ?? 'Use another device.';
      return { ok: false, needs: 'software', reason: error instanceof AnychipError ? error.reason : String(error), hint };
    }
  };
  return {
    name: 'webgpu',
    evidence: 'E3',
    rank: GPU_RANK,
    probe: () => (probed ??= probe()),
    get capabilities(): SimtCapabilities {
      return { family: 'simt', storage: storedDTypes, simulated, simt: found?.simt ?? LEAST_FACTS, maxBufferBytes: found?.maxBufferBytes ?? LEAST_BUFFER_BYTES };
    },
    createRenderer: () => new WgslRenderer(),
    createCompiler: () => new WgslCompiler(),
    openDevice: async () => new WebGpuDevice(await openMachine(open, wait)),
  };
}
