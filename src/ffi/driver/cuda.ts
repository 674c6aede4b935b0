// NVIDIA's row: names and numbers of the CUDA driver API and of NVRTC, from their reference manuals (CUDA 11 to 13).
import type { DriverTable } from './table.ts';

/** Releases whose library has a name of its own, newest first. */
const RELEASES = ['13', '12', '11.2'];
const WINDOWS_RELEASES = ['130_0', '120_0', '112_0'];

/** Each product and each sum is rounded on its own; products are fused only where the kernel says so. */
const EXACT = '--fmad=false';

export const cudaTable: DriverTable = {
  title: 'CUDA',
  vendor: 'NVIDIA',
  libraries: { win32: ['nvcuda.dll'], other: ['libcuda.so.1', 'libcuda.so'] },
  install: "Install NVIDIA's driver; in a container, start it with the GPU (--gpus all).",
  pciVendor: 0x10de,
  symbols: {
    init: 'cuInit',
    version: 'cuDriverGetVersion',
    countDevices: 'cuDeviceGetCount',
    device: 'cuDeviceGet',
    deviceName: 'cuDeviceGetName',
    deviceAttribute: 'cuDeviceGetAttribute',
    deviceBytes: 'cuDeviceTotalMem_v2',
    retainContext: 'cuDevicePrimaryCtxRetain',
    releaseContext: 'cuDevicePrimaryCtxRelease_v2',
    useContext: 'cuCtxSetCurrent',
    memoryInfo: 'cuMemGetInfo_v2',
    allocate: 'cuMemAlloc_v2',
    free: 'cuMemFree_v2',
    copyIn: 'cuMemcpyHtoDAsync_v2',
    copyOut: 'cuMemcpyDtoHAsync_v2',
    copy: 'cuMemcpyDtoDAsync_v2',
    loadModule: 'cuModuleLoadData',
    unloadModule: 'cuModuleUnload',
    findKernel: 'cuModuleGetFunction',
    launch: 'cuLaunchKernel',
    createStream: 'cuStreamCreate',
    destroyStream: 'cuStreamDestroy_v2',
    waitForStream: 'cuStreamSynchronize',
    pollStream: 'cuStreamQuery',
    createEvent: 'cuEventCreate',
    recordEvent: 'cuEventRecord',
    eventMillis: 'cuEventElapsedTime',
    destroyEvent: 'cuEventDestroy_v2',
    beginCapture: 'cuStreamBeginCapture_v2',
    endCapture: 'cuStreamEndCapture',
    instantiate: 'cuGraphInstantiateWithFlags',
    launchGraph: 'cuGraphLaunch',
    destroyGraph: 'cuGraphDestroy',
    destroyGraphExec: 'cuGraphExecDestroy',
    errorName: 'cuGetErrorName',
    errorText: 'cuGetErrorString',
  },
  attributes: { maxThreads: 1, sharedBytes: 8, subgroupThreads: 10, units: 16, major: 75, minor: 76 },
  streamFlags: 1,
  captureMode: 1,
  noDevice: 100,
  notReady: 600,
  faults: { 2: 'memory', 700: 'lost', 701: 'launch', 702: 'lost', 715: 'lost', 716: 'lost', 718: 'lost', 719: 'lost', 999: 'lost' },
  compiler: {
    title: 'NVRTC',
    libraries: {
      win32: WINDOWS_RELEASES.map((release) => `nvrtc64_${release}.dll`),
      other: [...RELEASES.map((release) => `libnvrtc.so.${release}`), 'libnvrtc.so', '/usr/local/cuda/lib64/libnvrtc.so'],
    },
    install: 'Install NVRTC (on Debian: apt-get install libnvrtc12; or the CUDA toolkit), or put nvcc on PATH.',
    symbols: {
      version: 'nvrtcVersion',
      create: 'nvrtcCreateProgram',
      compile: 'nvrtcCompileProgram',
      logBytes: 'nvrtcGetProgramLogSize',
      log: 'nvrtcGetProgramLog',
      binaryBytes: 'nvrtcGetCUBINSize',
      binary: 'nvrtcGetCUBIN',
      destroy: 'nvrtcDestroyProgram',
    },
    options: (architecture) => [`--gpu-architecture=${architecture}`, EXACT],
    program: { name: 'nvcc', folders: ['/usr/local/cuda/bin'], args: (architecture) => ['-cubin', `-arch=${architecture}`, EXACT, '-w'], input: 'kernels.cu' },
  },
};
