// Moore Threads' row: names of the MUSA driver API and of its run-time compiler, as public code that calls them spells them.
// Graphs are left out: under which names libraries export them is not established.
import { errorsCalled } from '../../driver/errorNumbers.ts';
import { fn, none, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { musaNumbers as n } from './abi.ts';

/** Each product and each sum is rounded on its own; products are fused only where the kernel says so. */
const EXACT = '-ffp-contract=off';

const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;

export const musaTable: DriverTable = {
  title: 'MUSA',
  vendor: 'Moore Threads',
  libraries: { other: ['libmusa.so', 'libmusa.so.1', '/usr/local/musa/lib/libmusa.so'] },
  install: "Install Moore Threads' driver and MUSA SDK, with /usr/local/musa/lib on LD_LIBRARY_PATH; in a container, use mthreads' runtime.",
  pciVendors: [0x1ed5],
  calls: {
    init: fn<never>('muInit', u32(0)),
    version: fn('muDriverGetVersion', 'out'),
    countDevices: fn('muDeviceGetCount', 'out'),
    device: fn('muDeviceGet', 'out', 'ordinal'),
    deviceName: fn('muDeviceGetName', 'out', 'bytes', 'device'),
    deviceAttribute: fn('muDeviceGetAttribute', 'out', 'attribute', 'device'),
    deviceBytes: fn('muDeviceTotalMem_v2', 'out', 'device'),
    retainContext: fn('muDevicePrimaryCtxRetain', 'out', 'device'),
    releaseContext: fn('muDevicePrimaryCtxRelease_v2', 'device'),
    useDevice: fn('muCtxSetCurrent', 'context'),
    memoryInfo: fn('muMemGetInfo_v2', 'free', 'total'),
    allocate: fn('muMemAlloc_v2', 'out', 'bytes'),
    free: fn('muMemFree_v2', 'address'),
    copyIn: fn('muMemcpyHtoDAsync_v2', ...copyArgs),
    copyOut: fn('muMemcpyDtoHAsync_v2', ...copyArgs),
    copy: fn('muMemcpyDtoDAsync_v2', ...copyArgs),
    loadModule: fn('muModuleLoadData', 'out', 'image'),
    unloadModule: fn('muModuleUnload', 'module'),
    findKernel: fn('muModuleGetFunction', 'out', 'module', 'name'),
    launch: fn('muLaunchKernel', 'kernel', 'blocks', u32(1), u32(1), 'threads', u32(1), u32(1), u32(0), 'stream', 'args', none),
    createStream: fn('muStreamCreate', 'out', u32(n.MU_STREAM_NON_BLOCKING)),
    destroyStream: fn('muStreamDestroy_v2', 'stream'),
    waitForStream: fn('muStreamSynchronize', 'stream'),
    pollStream: fn('muStreamQuery', 'stream'),
    createEvent: fn('muEventCreate', 'out', u32(n.MU_EVENT_DEFAULT)),
    recordEvent: fn('muEventRecord', 'event', 'stream'),
    eventMillis: fn('muEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('muEventDestroy_v2', 'event'),
    errorName: fn('muGetErrorName', 'status', 'out'),
    errorText: fn('muGetErrorString', 'status', 'out'),
  },
  launchArguments: 'addresses',
  attributes: {
    maxThreads: n.MU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
    sharedBytes: n.MU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK,
    subgroupThreads: n.MU_DEVICE_ATTRIBUTE_WARP_SIZE,
    units: n.MU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
    major: n.MU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
    minor: n.MU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
  },
  architecture: { prefix: 'mp_', numbers: ['major', 'minor'] },
  noDevice: [n.MUSA_ERROR_NO_DEVICE],
  notReady: n.MUSA_ERROR_NOT_READY,
  errors: errorsCalled('MUSA_ERROR_'),
  compiler: {
    title: 'MTRTC',
    install: 'Install the MUSA SDK, which has libmtrtc and mcc in /usr/local/musa.',
    library: {
      names: { other: ['libmtrtc.so', 'libmusartc.so', '/usr/local/musa/lib/libmtrtc.so'] },
      calls: {
        version: fn('mtrtcVersion', 'major', 'minor'),
        create: fn('mtrtcCreateProgram', 'out', 'source', 'name', u32(0), none, none),
        compile: fn('mtrtcCompileProgram', 'program', 'count', 'options'),
        logBytes: fn('mtrtcGetProgramLogSize', 'program', 'out'),
        log: fn('mtrtcGetProgramLog', 'program', 'out'),
        binaryBytes: fn('mtrtcGetFatBinSize', 'program', 'out'),
        binary: fn('mtrtcGetFatBin', 'program', 'out'),
        destroy: fn('mtrtcDestroyProgram', 'programCell'),
      },
      options: (architecture) => [`--gpu-architecture=${architecture}`, EXACT],
    },
    program: {
      name: 'mcc',
      folders: ['/usr/local/musa/bin'],
      args: (architecture) => ['-x', 'musa', '--cuda-device-only', `--offload-arch=${architecture}`, EXACT, '-O3', '-w'],
      input: 'kernels.mu',
    },
  },
};
