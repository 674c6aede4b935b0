// Which OpenCL device is used, and what it can do.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import { openNative } from '../../ffi/native.ts';
import type { Native, NativeLibrary } from '../../ffi/native.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { OpenCl } from './api.ts';
import type { ClArg } from './api.ts';

const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['/System/Library/Frameworks/OpenCL.framework/OpenCL'],
  win32: ['OpenCL.dll'],
};
const OTHER_LIBRARIES = ['libOpenCL.so.1', 'libOpenCL.so'];

/** cl_device_type: what is taken first. */
const KINDS = [
  { bit: 4, title: 'GPU' },
  { bit: 8, title: 'accelerator' },
  { bit: 2, title: 'CPU' },
] as const;

/** cl_platform_info and cl_device_info. */
const PLATFORM_NAME = 0x0902;
const info = {
  type: 0x1000,
  units: 0x1002,
  maxThreads: 0x1004,
  maxBufferBytes: 0x1010,
  singleConfig: 0x101b,
  sharedBytes: 0x1023,
  littleEndian: 0x1026,
  available: 0x1027,
  compiler: 0x1028,
  name: 0x102b,
  driver: 0x102d,
  version: 0x102f,
  doubleConfig: 0x1032,
  vectorLanes: 0x103a,
  preferredMultiple: 0x1067,
} as const;
const DEVICE_TYPE_ALL = 0xffffffff;
const CORRECTLY_ROUNDED_DIVIDE_SQRT = 1n << 7n;
/** Where a driver does not say: what most GPUs run in step. */
const COMMON_SUBGROUP = 32;

export interface ClMachine {
  readonly cl: OpenCl;
  readonly device: bigint;
  readonly context: bigint;
  readonly facts: SimtFacts;
  readonly maxBufferBytes: number;
  readonly hasDoubles: boolean;
  /** Options every program is built with. */
  readonly buildOptions: string;
  /** For people. */
  readonly title: string;
  /** Differs between machines that cannot run each other's programs. */
  readonly identity: readonly string[];
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

/** Opens the library and its best device: a GPU before others, then the one with most units. Rejects with a 'device' error. */
export async function openMachine(): Promise<ClMachine> {
  const native = await openNative();
  const cl = new OpenCl(native, openLibrary(native));
  const [best] = findDevices(cl).sort((a, b) => a.kind - b.kind || b.units - a.units);
  if (best === undefined) {
    throw new AnychipError('device', 'OpenCL is installed, but no driver offers a device', { hint: "Install the GPU vendor's driver, or pocl-opencl-icd to use the processor." });
  }
  const facts = new DeviceFacts(cl, best.device);
  const context = cl.create('clCreateContext', 0n, 1, HostMemory.words(native, [best.device]), 0n, 0n);
  const exact = (facts.word(info.singleConfig) & CORRECTLY_ROUNDED_DIVIDE_SQRT) !== 0n;
  const [name, version, driver] = [facts.text(info.name), facts.text(info.version), facts.text(info.driver)];
  return {
    cl,
    device: best.device,
    context,
    facts: {
      maxThreads: facts.number(info.maxThreads),
      subgroupThreads: facts.optional(info.preferredMultiple, COMMON_SUBGROUP),
      sharedBytes: facts.number(info.sharedBytes),
      vectorLanes: Math.max(facts.number(info.vectorLanes), 1),
      matrixUnits: [],
      units: best.units,
    },
    maxBufferBytes: facts.number(info.maxBufferBytes),
    hasDoubles: facts.optional(info.doubleConfig, 0) !== 0,
    buildOptions: `-cl-std=CL1.2${exact ? ' -cl-fp32-correctly-rounded-divide-sqrt' : ''}`,
    title: `${name} (${KINDS[best.kind]?.title}, ${best.platform}, driver ${driver}), ${best.units} ${best.units === 1 ? 'unit' : 'units'}`,
    identity: ['opencl 1', best.platform, name, version, driver],
  };
}
