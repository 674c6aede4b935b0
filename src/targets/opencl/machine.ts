// Which OpenCL device is used, and what it can do.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import { openNative } from '../../ffi/native.ts';
import type { Native, NativeLibrary } from '../../ffi/native.ts';
import type { Capabilities, SimdCapabilities, SimdFacts, SimtCapabilities } from '../../runtime/device.ts';
import { OpenCl } from './api.ts';
import type { ClArg } from './api.ts';

const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['/System/Library/Frameworks/OpenCL.framework/OpenCL'],
  win32: ['OpenCL.dll'],
};
const OTHER_LIBRARIES = ['libOpenCL.so.1', 'libOpenCL.so'];

/** cl_device_type: what is taken first, which family of kernels it is made for, and how it runs threads where it is given those of GPUs. */
export const KINDS = [
  { bit: 4, title: 'GPU', family: 'simt', rank: 110, threads: {} },
  { bit: 8, title: 'accelerator', family: 'simt', rank: 60, threads: {} },
  // Drivers make vectors of neighbouring threads.
  { bit: 2, title: 'CPU', family: 'simd', rank: 60, threads: { turns: { registers: 80, loadCost: 2, stridedCost: 4 } } },
] as const;
type Kind = (typeof KINDS)[number];

/** cl_platform_info and cl_device_info. */
const PLATFORM_NAME = 0x0902;
const info = {
  type: 0x1000,
  units: 0x1002,
  maxThreads: 0x1004,
  maxBufferBytes: 0x1010,
  memoryBytes: 0x101f,
  addressBits: 0x100d,
  cacheBytes: 0x101e,
  singleConfig: 0x101b,
  sharedBytes: 0x1023,
  littleEndian: 0x1026,
  available: 0x1027,
  compiler: 0x1028,
  name: 0x102b,
  driver: 0x102d,
  version: 0x102f,
  extensions: 0x1030,
  doubleConfig: 0x1032,
  vectorLanes: 0x103a,
  preferredMultiple: 0x1067,
  /** cl_intel_required_subgroup_size. */
  subgroupSizes: 0x4108,
} as const;
const DEVICE_TYPE_ALL = 0xffffffff;
const CORRECTLY_ROUNDED_DIVIDE_SQRT = 1n << 7n;
/** Where a driver does not say: what most GPUs run in step. */
const COMMON_SUBGROUP = 32;

/** What OpenCL does not tell of a processor: caches and registers of the least one that has such vectors. */
const CORE_CACHES = { l1Bytes: 32 << 10, l2Bytes: 512 << 10 } as const;
const CORE_REGISTERS: Readonly<Record<number, number>> = { 16: 32 };
const LEAST_CORE_REGISTERS = 16;
/** Vectors of OpenCL C have no more. */
const MOST_LANES = 16;

export interface ClFound {
  readonly cl: OpenCl;
  readonly device: bigint;
  readonly kind: Kind;
  readonly machine: Pick<SimdCapabilities, 'family' | 'simd'> | Pick<SimtCapabilities, 'family' | 'simt'>;
  readonly maxBufferBytes: number;
  readonly hasDoubles: boolean;
  /** Options every program is built with. */
  readonly buildOptions: string;
  /** For people. */
  readonly title: string;
  readonly driver: string;
  readonly memoryBytes: number;
  /** Differs between machines that cannot run each other's programs. */
  readonly identity: readonly string[];
}

/** A device in use: in a context. */
export interface ClMachine extends ClFound {
  readonly context: bigint;
}

function openLibrary(native: Native): NativeLibrary {
  const problems: unknown[] = [];
  for (const path of LIBRARIES[process.platform] ?? OTHER_LIBRARIES) {
    try {
      return native.open(path);
    } catch (error) {
      problems.push(error);
    }
  }
  throw new AnychipError('device', 'there is no OpenCL library on this machine', {
    hint: "Install the GPU vendor's driver with OpenCL; on Debian, ocl-icd-libopencl1 and for instance pocl-opencl-icd run it on the processor.",
    facts: { problems: problems.map(String) },
  });
}

class DeviceFacts {
  readonly #cl: OpenCl;
  readonly #device: bigint;
  constructor(cl: OpenCl, device: bigint) {
    this.#cl = cl;
    this.#device = device;
  }
  text(what: number): string {
    return this.#cl.query('clGetDeviceInfo', [this.#device], what).text;
  }
  word(what: number): bigint {
    const { bytes, u64, i32 } = this.#cl.query('clGetDeviceInfo', [this.#device], what);
    return bytes.byteLength === 8 ? u64[0]! : BigInt.asUintN(32, BigInt(i32[0]!));
  }
  words(what: number): number[] {
    return [...this.#cl.query('clGetDeviceInfo', [this.#device], what).u64].map(Number);
  }
  number(what: number): number {
    return Number(this.word(what));
  }
  /** `otherwise` where the driver does not know the question. */
  optional(what: number, otherwise: number): number {
    try {
      return this.number(what);
    } catch (error) {
      if (error instanceof AnychipError) return otherwise;
      throw error;
    }
  }
}

/** Handles that a listing function gives: none where it says there are none. */
function listHandles(cl: OpenCl, list: (count: number, into: ClArg, counted: ClArg) => void): bigint[] {
  const count = new HostMemory(cl.native, 8);
  try {
    list(0, 0n, count);
  } catch (error) {
    const status = error instanceof AnychipError ? error.facts['status'] : undefined;
    if (status === -1 || status === -1001) return [];
    throw error;
  }
  const handles = new HostMemory(cl.native, count.i32[0]! * 8);
  list(count.i32[0]!, handles, 0n);
  return [...handles.u64].slice(0, count.i32[0]);
}

interface Candidate {
  readonly device: bigint;
  readonly platform: string;
  /** Position in KINDS. */
  readonly kind: number;
  readonly units: number;
}

function findDevices(cl: OpenCl): Candidate[] {
  const platforms = listHandles(cl, (count, into, counted) => cl.call('clGetPlatformIDs', count, into, counted));
  return platforms.flatMap((platform) => {
    const name = cl.query('clGetPlatformInfo', [platform], PLATFORM_NAME).text;
    const devices = listHandles(cl, (count, into, counted) => cl.call('clGetDeviceIDs', platform, DEVICE_TYPE_ALL, count, into, counted));
    return devices.flatMap((device) => {
      const facts = new DeviceFacts(cl, device);
      if (facts.number(info.available) === 0 || facts.number(info.compiler) === 0 || facts.number(info.littleEndian) === 0) return [];
      const type = facts.number(info.type);
      const kind = KINDS.findIndex(({ bit }) => (type & bit) !== 0);
      return kind < 0 ? [] : [{ device, platform: name, kind, units: facts.number(info.units) }];
    });
  });
}

function coreFacts(facts: DeviceFacts): SimdFacts {
  const vectorLanes = Math.min(Math.max(facts.number(info.vectorLanes), 1), MOST_LANES);
  return {
    vectorLanes,
    vectorRegisters: CORE_REGISTERS[vectorLanes] ?? LEAST_CORE_REGISTERS,
    loadsFirst: false,
    ...CORE_CACHES,
    pointerBytes: facts.number(info.addressBits) === 32 ? 4 : 8,
    convertsHalves: true,
  };
}

/** What a kernel needs to take values of other threads: the function, and to say how many threads a subgroup has. */
const SHUFFLES = ['cl_khr_subgroup_shuffle', 'cl_intel_required_subgroup_size'];

/** The largest size of a subgroup that a kernel can ask for, where its threads take each other's values. */
function shuffleThreadsOf(facts: DeviceFacts): number {
  const extensions = new Set(facts.text(info.extensions).split(' '));
  return SHUFFLES.every((name) => extensions.has(name)) ? Math.max(1, ...facts.words(info.subgroupSizes)) : 1;
}

function machineOf(facts: DeviceFacts, { units, kind }: Candidate, family: Capabilities['family']): ClFound['machine'] {
  if (family === 'simd') return { family: 'simd', simd: coreFacts(facts) };
  const simt = {
    maxThreads: facts.number(info.maxThreads),
    subgroupThreads: facts.optional(info.preferredMultiple, COMMON_SUBGROUP),
    shuffleThreads: shuffleThreadsOf(facts),
    sharedBytes: facts.number(info.sharedBytes),
    vectorLanes: Math.max(facts.number(info.vectorLanes), 1),
    matrixUnits: [],
    units,
    ...KINDS[kind]!.threads,
  };
  return { family: 'simt', simt };
}

/** `ANYCHIP_OPENCL_FAMILY=simt` treats a processor as if it were a GPU: to test kernels for GPUs where there is none. */
function askedFamily(text = process.env['ANYCHIP_OPENCL_FAMILY']): Capabilities['family'] | undefined {
  if (text === undefined || text === '' || text === 'simd' || text === 'simt') return text === '' ? undefined : text;
  throw new AnychipError('bad-argument', `ANYCHIP_OPENCL_FAMILY is '${text}'`, { hint: "It may be 'simd' or 'simt'; without it the device decides." });
}

/** The best device there is: a GPU before others, then the one with most units. Rejects with a 'device' error. */
export async function findMachine(family = askedFamily()): Promise<ClFound> {
  const native = await openNative();
  const cl = new OpenCl(native, openLibrary(native));
  const [best] = findDevices(cl).sort((a, b) => a.kind - b.kind || b.units - a.units);
  if (best === undefined) {
    throw new AnychipError('device', 'OpenCL is installed, but no driver offers a device', { hint: "Install the GPU vendor's driver, or pocl-opencl-icd to use the processor." });
  }
  const facts = new DeviceFacts(cl, best.device);
  const exact = (facts.word(info.singleConfig) & CORRECTLY_ROUNDED_DIVIDE_SQRT) !== 0n;
  const [name, version, driver] = [facts.text(info.name), facts.text(info.version), facts.text(info.driver)];
  return {
    cl,
    device: best.device,
    kind: KINDS[best.kind]!,
    machine: machineOf(facts, best, family ?? KINDS[best.kind]!.family),
    maxBufferBytes: facts.number(info.maxBufferBytes),
    hasDoubles: facts.optional(info.doubleConfig, 0) !== 0,
    buildOptions: `-cl-std=CL1.2${exact ? ' -cl-fp32-correctly-rounded-divide-sqrt' : ''}`,
    title: `${name} (${KINDS[best.kind]?.title}), ${best.units} ${best.units === 1 ? 'unit' : 'units'}`,
    driver: `${best.platform} ${driver}`,
    memoryBytes: facts.number(info.memoryBytes),
    identity: ['opencl 1', best.platform, name, version, driver],
  };
}

export const useMachine = (found: ClFound): ClMachine => ({
  ...found,
  context: found.cl.create('clCreateContext', 0n, 1, HostMemory.words(found.cl.native, [found.device]), 0n, 0n),
});
export const leaveMachine = ({ cl, context }: ClMachine): void => cl.call('clReleaseContext', context);
