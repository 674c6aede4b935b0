// HIP's row, which AMD's ROCm and Hygon's DTK share: names of its runtime and of hiprtc, from their public headers.
import { fn, none, size, text, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { ARCHITECTURE_AT, hipNumbers as n } from './abi.ts';
import { hipErrors } from './errors.ts';

/** Each product and each sum is rounded on its own; products are fused only where the kernel says so. */
const EXACT = '-ffp-contract=off';

const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;

export const hipTable: DriverTable = {
  title: 'HIP',
  vendor: 'Hygon or AMD',
  libraries: {
    other: ['libamdhip64.so', 'libgalaxyhip.so', 'libamdhip64.so.7', 'libamdhip64.so.6', 'libamdhip64.so.5', '/opt/dtk/lib/libgalaxyhip.so', '/opt/rocm/lib/libamdhip64.so'],
  },
  install: "Install Hygon's DTK and run `source /opt/dtk/env.sh`, or AMD's ROCm; in a container, start it with /dev/kfd and /dev/dri.",
  pciVendors: [0x1d94, 0x1002],
  calls: {
    init: fn<never>('hipInit', u32(0)),
    countDevices: fn('hipGetDeviceCount', 'out'),
    device: fn('hipDeviceGet', 'out', 'ordinal'),
    deviceName: fn('hipDeviceGetName', 'out', 'bytes', 'device'),
    deviceAttribute: fn('hipDeviceGetAttribute', 'out', 'attribute', 'device'),
    deviceBytes: fn('hipDeviceTotalMem', 'out', 'device'),
    deviceProperties: fn('hipGetDeviceProperties', 'out', 'device'),
    useDevice: fn('hipSetDevice', 'device'),
    memoryInfo: fn('hipMemGetInfo', 'free', 'total'),
    allocate: fn('hipMalloc', 'out', 'bytes'),
    free: fn('hipFree', 'address'),
    copyIn: fn('hipMemcpyHtoDAsync', ...copyArgs),
    copyOut: fn('hipMemcpyDtoHAsync', ...copyArgs),
    copy: fn('hipMemcpyDtoDAsync', ...copyArgs),
    loadModule: fn('hipModuleLoadData', 'out', 'image'),
    unloadModule: fn('hipModuleUnload', 'module'),
    findKernel: fn('hipModuleGetFunction', 'out', 'module', 'name'),
    launch: fn('hipModuleLaunchKernel', 'kernel', 'blocks', u32(1), u32(1), 'threads', u32(1), u32(1), u32(0), 'stream', 'args', none),
    createStream: fn('hipStreamCreateWithFlags', 'out', u32(n.hipStreamNonBlocking)),
    destroyStream: fn('hipStreamDestroy', 'stream'),
    waitForStream: fn('hipStreamSynchronize', 'stream'),
    pollStream: fn('hipStreamQuery', 'stream'),
    createEvent: fn('hipEventCreateWithFlags', 'out', u32(n.hipEventDefault)),
    recordEvent: fn('hipEventRecord', 'event', 'stream'),
    eventMillis: fn('hipEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('hipEventDestroy', 'event'),
    beginCapture: fn('hipStreamBeginCapture', 'stream', u32(n.hipStreamCaptureModeThreadLocal)),
    endCapture: fn('hipStreamEndCapture', 'stream', 'out'),
    instantiate: fn('hipGraphInstantiateWithFlags', 'out', 'graph', size(0)),
    launchGraph: fn('hipGraphLaunch', 'graph', 'stream'),
    destroyGraph: fn('hipGraphDestroy', 'graph'),
    destroyGraphExec: fn('hipGraphExecDestroy', 'graph'),
    errorName: text('hipGetErrorName', 'status'),
    errorText: text('hipGetErrorString', 'status'),
  },
  launchArguments: 'addresses',
  attributes: {
    maxThreads: n.hipDeviceAttributeMaxThreadsPerBlock,
    sharedBytes: n.hipDeviceAttributeMaxSharedMemoryPerBlock,
    subgroupThreads: n.hipDeviceAttributeWarpSize,
    units: n.hipDeviceAttributeMultiprocessorCount,
  },
  architecture: { textAt: ARCHITECTURE_AT },
  noDevice: [n.hipErrorNoDevice, n.hipErrorInvalidDevice],
  notReady: n.hipErrorNotReady,
  errors: hipErrors,
  compiler: {
    title: 'hiprtc',
    install: 'Install hiprtc (it comes with DTK and ROCm), or put hipcc on PATH.',
    library: {
      // Older runtimes have the compiler in themselves.
      names: {
        other: [
          'libhiprtc.so',
          'libhiprtc.so.7',
          'libhiprtc.so.6',
          'libamdhip64.so',
          'libgalaxyhip.so',
          'libamdhip64.so.5',
          '/opt/dtk/lib/libhiprtc.so',
          '/opt/rocm/lib/libhiprtc.so',
        ],
      },
      calls: {
        version: fn('hiprtcVersion', 'major', 'minor'),
        create: fn('hiprtcCreateProgram', 'out', 'source', 'name', u32(0), none, none),
        compile: fn('hiprtcCompileProgram', 'program', 'count', 'options'),
        logBytes: fn('hiprtcGetProgramLogSize', 'program', 'out'),
        log: fn('hiprtcGetProgramLog', 'program', 'out'),
        binaryBytes: fn('hiprtcGetCodeSize', 'program', 'out'),
        binary: fn('hiprtcGetCode', 'program', 'out'),
        destroy: fn('hiprtcDestroyProgram', 'programCell'),
      },
      options: (architecture) => [`--offload-arch=${architecture}`, EXACT],
    },
    program: {
      name: 'hipcc',
      folders: ['/opt/dtk/bin', '/opt/rocm/bin'],
      args: (architecture) => ['--genco', `--offload-arch=${architecture}`, EXACT, '-O3', '-w'],
      input: 'kernels.hip',
    },
  },
};
