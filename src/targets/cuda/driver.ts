// NVIDIA's row: names of the CUDA driver API and of NVRTC, from their reference manuals (CUDA 11 to 13).
import { fn, none, size, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { cudaNumbers as n } from './abi.ts';
import { cudaErrors } from './errors.ts';

/** Releases whose library has a name of its own, newest first. */
const RELEASES = ['13', '12', '11.2'];
const WINDOWS_RELEASES = ['130_0', '120_0', '112_0'];

/** Each product and each sum is rounded on its own; products are fused only where the kernel says so. */
const EXACT = '--fmad=false';

const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;

export const cudaTable: DriverTable = {
  title: 'CUDA',
  vendor: 'NVIDIA',
  libraries: { win32: ['nvcuda.dll'], other: ['libcuda.so.1', 'libcuda.so'] },
  install: "Install NVIDIA's driver; in a container, start it with the GPU (--gpus all).",
  pciVendors: [0x10de],
  calls: {
    init: fn<never>('cuInit', u32(0)),
    version: fn('cuDriverGetVersion', 'out'),
    countDevices: fn('cuDeviceGetCount', 'out'),
    device: fn('cuDeviceGet', 'out', 'ordinal'),
    deviceName: fn('cuDeviceGetName', 'out', 'bytes', 'device'),
    deviceAttribute: fn('cuDeviceGetAttribute', 'out', 'attribute', 'device'),
    deviceBytes: fn('cuDeviceTotalMem_v2', 'out', 'device'),
    retainContext: fn('cuDevicePrimaryCtxRetain', 'out', 'device'),
    releaseContext: fn('cuDevicePrimaryCtxRelease_v2', 'device'),
    useDevice: fn('cuCtxSetCurrent', 'context'),
    memoryInfo: fn('cuMemGetInfo_v2', 'free', 'total'),
    allocate: fn('cuMemAlloc_v2', 'out', 'bytes'),
    free: fn('cuMemFree_v2', 'address'),
    copyIn: fn('cuMemcpyHtoDAsync_v2', ...copyArgs),
    copyOut: fn('cuMemcpyDtoHAsync_v2', ...copyArgs),
    copy: fn('cuMemcpyDtoDAsync_v2', ...copyArgs),
    loadModule: fn('cuModuleLoadData', 'out', 'image'),
    unloadModule: fn('cuModuleUnload', 'module'),
    findKernel: fn('cuModuleGetFunction', 'out', 'module', 'name'),
    launch: fn('cuLaunchKernel', 'kernel', 'blocks', u32(1), u32(1), 'threads', u32(1), u32(1), 'sharedBytes', 'stream', 'args', none),
    allowShared: fn('cuFuncSetAttribute', 'kernel', u32(n.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES), 'sharedBytes'),
    createStream: fn('cuStreamCreate', 'out', u32(n.CU_STREAM_NON_BLOCKING)),
    destroyStream: fn('cuStreamDestroy_v2', 'stream'),
    waitForStream: fn('cuStreamSynchronize', 'stream'),
    pollStream: fn('cuStreamQuery', 'stream'),
    createEvent: fn('cuEventCreate', 'out', u32(n.CU_EVENT_DEFAULT)),
    recordEvent: fn('cuEventRecord', 'event', 'stream'),
    eventMillis: fn('cuEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('cuEventDestroy_v2', 'event'),
    beginCapture: fn('cuStreamBeginCapture_v2', 'stream', u32(n.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)),
    endCapture: fn('cuStreamEndCapture', 'stream', 'out'),
    instantiate: fn('cuGraphInstantiateWithFlags', 'out', 'graph', size(0)),
    launchGraph: fn('cuGraphLaunch', 'graph', 'stream'),
    destroyGraph: fn('cuGraphDestroy', 'graph'),
    destroyGraphExec: fn('cuGraphExecDestroy', 'graph'),
    errorName: fn('cuGetErrorName', 'status', 'out'),
    errorText: fn('cuGetErrorString', 'status', 'out'),
  },
  launchArguments: 'addresses',
  attributes: {
    maxThreads: n.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
    sharedBytes: n.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK,
    givenSharedBytes: n.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
    subgroupThreads: n.CU_DEVICE_ATTRIBUTE_WARP_SIZE,
    units: n.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
    major: n.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
    minor: n.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
  },
  architecture: { prefix: 'sm_', numbers: ['major', 'minor'] },
  noDevice: [n.CUDA_ERROR_NO_DEVICE],
  notReady: n.CUDA_ERROR_NOT_READY,
  errors: cudaErrors,
  compiler: {
    title: 'NVRTC',
    specific: (architecture) => `${architecture}a`,
    install: 'Install NVRTC (on Debian: apt-get install libnvrtc12; or the CUDA toolkit), or put nvcc on PATH.',
    library: {
      names: {
        win32: WINDOWS_RELEASES.map((release) => `nvrtc64_${release}.dll`),
        other: [...RELEASES.map((release) => `libnvrtc.so.${release}`), 'libnvrtc.so', '/usr/local/cuda/lib64/libnvrtc.so'],
      },
      calls: {
        version: fn('nvrtcVersion', 'major', 'minor'),
        create: fn('nvrtcCreateProgram', 'out', 'source', 'name', u32(0), none, none),
        compile: fn('nvrtcCompileProgram', 'program', 'count', 'options'),
        logBytes: fn('nvrtcGetProgramLogSize', 'program', 'out'),
        log: fn('nvrtcGetProgramLog', 'program', 'out'),
        binaryBytes: fn('nvrtcGetCUBINSize', 'program', 'out'),
        binary: fn('nvrtcGetCUBIN', 'program', 'out'),
        destroy: fn('nvrtcDestroyProgram', 'programCell'),
      },
      options: (architecture) => [`--gpu-architecture=${architecture}`, EXACT],
    },
    program: { name: 'nvcc', folders: ['/usr/local/cuda/bin'], args: (architecture) => ['-cubin', `-arch=${architecture}`, EXACT, '-w'], input: 'kernels.cu' },
  },
};
