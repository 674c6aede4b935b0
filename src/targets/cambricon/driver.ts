// Cambricon's row: names of its driver interface and of CNRTC, from open code that calls them (InfiniTensor's cndrv) and from cnrtc.h.
import { fn, none, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { cambriconNumbers as n } from './abi.ts';
import { cambriconErrors } from './errors.ts';

const install = "Install Cambricon's driver and the Neuware toolkit (CNToolkit), and set NEUWARE_HOME.";
const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;

export const cambriconTable: DriverTable = {
  title: 'Cambricon',
  vendor: 'Cambricon',
  libraries: { other: ['libcndrv.so', '/usr/local/neuware/lib64/libcndrv.so'] },
  install,
  pciVendors: [0xcabc],
  calls: {
    init: fn<never>('cnInit', u32(0)),
    countDevices: fn('cnDeviceGetCount', 'out'),
    device: fn('cnDeviceGet', 'out', 'ordinal'),
    deviceName: fn('cnDeviceGetName', 'out', 'bytes', 'device'),
    deviceAttribute: fn('cnDeviceGetAttribute', 'out', 'attribute', 'device'),
    deviceBytes: fn('cnDeviceTotalMem', 'out', 'device'),
    retainContext: fn('cnSharedContextAcquire', 'out', 'device'),
    releaseContext: fn('cnSharedContextRelease', 'device'),
    useDevice: fn('cnCtxSetCurrent', 'context'),
    memoryInfo: fn('cnMemGetInfo', 'free', 'total'),
    allocate: fn('cnMalloc', 'out', 'bytes'),
    free: fn('cnFree', 'address'),
    copyIn: fn('cnMemcpyHtoDAsync', ...copyArgs),
    copyOut: fn('cnMemcpyDtoHAsync', ...copyArgs),
    copy: fn('cnMemcpyDtoDAsync', ...copyArgs),
    loadModule: fn('cnModuleLoadFatBinary', 'image', 'out'),
    unloadModule: fn('cnModuleUnload', 'module'),
    findKernel: fn('cnModuleGetKernel', 'module', 'name', 'out'),
    launch: fn('cnInvokeKernel', 'kernel', 'blocks', u32(1), u32(1), u32(n.CN_KERNEL_CLASS_BLOCK), u32(0), 'stream', 'args', none),
    createStream: fn('cnCreateQueue', 'out', u32(0)),
    destroyStream: fn('cnDestroyQueue', 'stream'),
    waitForStream: fn('cnQueueSync', 'stream'),
    errorText: fn('cnGetErrorString', 'status', 'out'),
  },
  launchArguments: 'addresses',
  attributes: {
    units: [n.CN_DEVICE_ATTRIBUTE_MAX_CLUSTER_COUNT, n.CN_DEVICE_ATTRIBUTE_MAX_CORE_COUNT_PER_CLUSTER],
    sharedBytes: n.CN_DEVICE_ATTRIBUTE_NEURAL_RAM_SIZE_PER_CORE,
    // Three digits, as architectures are numbered.
    major: n.CN_DEVICE_ATTRIBUTE_MLU_ISA_VERSION,
  },
  architecture: { prefix: 'mtp_', numbers: ['major'] },
  noDevice: [n.CN_ERROR_NO_DEVICE],
  errors: cambriconErrors,
  compiler: {
    title: 'CNRTC',
    install,
    library: {
      names: { other: ['libcnrtc.so', '/usr/local/neuware/lib64/libcnrtc.so'] },
      calls: {
        create: fn('cnrtcCreateCodeV2', 'out', 'source', u32(0), 'name', u32(0), none, none),
        compile: fn('cnrtcCompileCode', 'program', 'count', 'options'),
        logBytes: fn('cnrtcGetCompilationLogSize', 'program', 'out'),
        log: fn('cnrtcGetCompilationLog', 'program', 'out'),
        binaryBytes: fn('cnrtcGetFatBinarySize', 'program', 'out'),
        binary: fn('cnrtcGetFatBinary', 'program', 'out'),
        destroy: fn('cnrtcDestroyCode', 'programCell'),
      },
      options: (architecture) => ['--bang-fatbin-only', `--bang-mlu-arch=${architecture}`],
    },
  },
};
