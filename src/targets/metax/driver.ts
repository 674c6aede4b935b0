// MetaX's row: names of the MACA runtime and of MCRTC, as public code that calls them spells them. Which numbers its attributes have is
// not public: what a device would be asked is what the chip has. Graphs and events' flags are left out for the same reason.
import { fn, none, text, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { metaxNumbers as n } from './abi.ts';
import { metaxErrors } from './errors.ts';

/** Each product and each sum is rounded on its own; products are fused only where the kernel says so. */
const EXACT = '-ffp-contract=off';

const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;

export const metaxTable: DriverTable = {
  title: 'MACA',
  vendor: 'MetaX',
  libraries: { other: ['libmcruntime.so', '/opt/maca/lib/libmcruntime.so'] },
  install: "Install MetaX's driver and MACA SDK, with /opt/maca/lib on LD_LIBRARY_PATH; in a container, start it with /dev/mxcd and /dev/dri.",
  pciVendors: [0x9999],
  calls: {
    init: fn<never>('mcInit', u32(0)),
    countDevices: fn('mcGetDeviceCount', 'out'),
    device: fn('mcDeviceGet', 'out', 'ordinal'),
    deviceName: fn('mcDeviceGetName', 'out', 'bytes', 'device'),
    deviceBytes: fn('mcDeviceTotalMem', 'out', 'device'),
    useDevice: fn('mcSetDevice', 'device'),
    memoryInfo: fn('mcMemGetInfo', 'free', 'total'),
    allocate: fn('mcMalloc', 'out', 'bytes'),
    free: fn('mcFree', 'address'),
    copyIn: fn('mcMemcpyHtoDAsync', ...copyArgs),
    copyOut: fn('mcMemcpyDtoHAsync', ...copyArgs),
    copy: fn('mcMemcpyDtoDAsync', ...copyArgs),
    loadModule: fn('mcModuleLoadData', 'out', 'image'),
    unloadModule: fn('mcModuleUnload', 'module'),
    findKernel: fn('mcModuleGetFunction', 'out', 'module', 'name'),
    launch: fn('mcModuleLaunchKernel', 'kernel', 'blocks', u32(1), u32(1), 'threads', u32(1), u32(1), u32(0), 'stream', 'args', none),
    createStream: fn('mcStreamCreate', 'out'),
    destroyStream: fn('mcStreamDestroy', 'stream'),
    waitForStream: fn('mcStreamSynchronize', 'stream'),
    pollStream: fn('mcStreamQuery', 'stream'),
    createEvent: fn('mcEventCreate', 'out'),
    recordEvent: fn('mcEventRecord', 'event', 'stream'),
    eventMillis: fn('mcEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('mcEventDestroy', 'event'),
    errorName: text('mcGetErrorName', 'status'),
    errorText: text('mcGetErrorString', 'status'),
  },
  launchArguments: 'addresses',
  attributes: {},
  architecture: { always: 'xcore1000' },
  noDevice: [n.mcErrorNoDevice],
  notReady: n.mcErrorNotReady,
  errors: metaxErrors,
  compiler: {
    title: 'MCRTC',
    install: 'Install the MACA SDK, which has MCRTC in libmcruntime and mxcc in /opt/maca/mxgpu_llvm/bin.',
    library: {
      names: { other: ['libmcruntime.so', '/opt/maca/lib/libmcruntime.so'] },
      calls: {
        version: fn('mcrtcVersion', 'major', 'minor'),
        create: fn('mcrtcCreateProgram', 'out', 'source', 'name', u32(0), none, none),
        compile: fn('mcrtcCompileProgram', 'program', 'count', 'options'),
        logBytes: fn('mcrtcGetProgramLogSize', 'program', 'out'),
        log: fn('mcrtcGetProgramLog', 'program', 'out'),
        binaryBytes: fn('mcrtcGetBitcodeSize', 'program', 'out'),
        binary: fn('mcrtcGetBitcode', 'program', 'out'),
        destroy: fn('mcrtcDestroyProgram', 'programCell'),
      },
      options: (architecture) => ['-x maca', `--offload-arch=${architecture}`, EXACT],
    },
    program: {
      name: 'mxcc',
      folders: ['/opt/maca/mxgpu_llvm/bin', '/opt/maca/bin'],
      args: (architecture) => ['-x', 'maca', '-device-obj', `--offload-arch=${architecture}`, EXACT, '-O3', '-w'],
      input: 'kernels.maca',
    },
  },
};
