// Which adapter is used, and what it can do.
import { AnychipError } from '../../core/error.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { SUBGROUPS, TIMESTAMPS } from './api.ts';
import type { GpuAdapter, GpuDevice, OpenGpu, WaitForGpu } from './api.ts';

/** Where an adapter does not say: what most GPUs run in step, and a small GPU's number of units. */
const COMMON_SUBGROUP = 32;
const COMMON_UNITS = 16;
/** SwiftShader on a small processor: a thread is a lane of a vector, and each of them loads on its own, at a checked address. */
const SOFTWARE = { subgroupThreads: 4, units: 4, turns: { registers: 80, loadCost: 16, stridedCost: 1 } } as const;

export interface GpuFacts {
  readonly simt: SimtFacts;
  readonly maxBufferBytes: number;
  /** Blocks of memory that a kernel may use. */
  readonly maxBindings: number;
  /** It runs on the processor. */
  readonly isSoftware: boolean;
  /** For people; the driver where the adapter tells. */
  readonly title: string;
  readonly driver: string | undefined;
}

async function requestAdapter(open: OpenGpu): Promise<GpuAdapter> {
  const gpu = await open();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter !== null) return adapter;
  throw new AnychipError('device', 'WebGPU finds no GPU whose driver it can use', {
    hint: "Install the GPU vendor's driver; where there is no GPU, Debian's package chromium brings a software one.",
  });
}

export async function findFacts(open: OpenGpu): Promise<GpuFacts> {
  const { info, limits, features } = await requestAdapter(open);
  const isSoftware = info.isFallbackAdapter === true || info.architecture === 'swiftshader';
  // Browsers tell less than Node, lest a machine be known by it.
  const name = (isSoftware ? info.architecture : info.device || `${info.vendor} ${info.architecture}`.trim()) || 'an adapter without a name';
  return {
    simt: {
      maxThreads: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      subgroupThreads: info.subgroupMaxSize ?? COMMON_SUBGROUP,
      shuffleThreads: features.has(SUBGROUPS) ? (info.subgroupMinSize ?? 1) : 1,
      sharedBytes: limits.maxComputeWorkgroupStorageSize,
      vectorLanes: 1,
      units: COMMON_UNITS,
      matrixUnits: [],
      ...(isSoftware ? SOFTWARE : {}),
    },
    maxBufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
    maxBindings: limits.maxStorageBuffersPerShaderStage,
    isSoftware,
    title: isSoftware ? `software adapter ${name}` : name,
    driver: info.description === '' ? undefined : info.description,
  };
}

/** All that the adapter has of what kernels are limited by. */
const WANTED = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

export interface GpuMachine {
  readonly device: GpuDevice;
  readonly maxBufferBytes: number;
  readonly maxBindings: number;
  readonly uniformAlignment: number;
  readonly hasTimestamps: boolean;
  readonly wait: WaitForGpu;
}

/** A device of the adapter that `findFacts` tells of. */
export async function openMachine(open: OpenGpu, wait: WaitForGpu): Promise<GpuMachine> {
  const adapter = await requestAdapter(open);
  const { limits, features } = adapter;
  const has = [SUBGROUPS, TIMESTAMPS].filter((name) => features.has(name));
  try {
    const device = await adapter.requestDevice({
      requiredFeatures: has,
      requiredLimits: Object.fromEntries(WANTED.map((name) => [name, limits[name]])),
    });
    return {
      device,
      maxBufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
      maxBindings: limits.maxStorageBuffersPerShaderStage,
      uniformAlignment: limits.minUniformBufferOffsetAlignment,
      hasTimestamps: has.includes(TIMESTAMPS),
      wait,
    };
  } catch (cause) {
    throw new AnychipError('device', `the GPU cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: 'Close other programs that use it, or use another device.',
      cause,
    });
  }
}
