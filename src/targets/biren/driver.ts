// Biren's row: names of the BIRENSUPA driver interface and options of brcc, its compiler, as the vendor's manuals give them. What they do not
// print is left out: numbers of attributes, of capture modes and of the status of work that is not done.
import { fn, none, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { birenNumbers as n } from './abi.ts';
import { birenErrors } from './errors.ts';
import { ARCHITECTURE } from './facts.ts';

const copyArgs = ['to', 'from', 'bytes', 'stream'] as const;
const SDK = '/usr/local/birensupa/sdk/latest';
const deviceOnly = (architecture: string) => ['--supa-device-only', `--supa-gpu-arch=${architecture}`];

export const birenTable: DriverTable = {
  title: 'BIRENSUPA',
  vendor: 'Biren',
  libraries: { other: ['libsupa-runtime.so', `${SDK}/supa/lib/libsupa-runtime.so`] },
  install: `Install Biren's driver and the BIRENSUPA SDK, and source ${SDK}/scripts/brsw_set_env.sh; in a container, start it with /dev/biren.`,
  pciVendors: [],
  deviceFiles: ['/dev/biren'],
  calls: {
    init: fn<never>('sudrvInit', u32(0)),
    countDevices: fn('sudrvGetDeviceCount', 'out'),
    device: fn('sudrvDeviceGet', 'out', 'ordinal'),
    deviceName: fn('sudrvDeviceGetName', 'out', 'bytes', 'device'),
    deviceBytes: fn('sudrvDeviceTotalMem', 'out', 'device'),
    retainContext: fn('sudrvPrimaryContextRetain', 'out', 'device'),
    releaseContext: fn('sudrvPrimaryContextRelease', 'device'),
    useDevice: fn('sudrvContextSetCurrent', 'context'),
    memoryInfo: fn('sudrvMemGetInfo', 'free', 'total'),
    allocate: fn('sudrvMallocDevice', 'out', 'bytes'),
    free: fn('sudrvFree', 'address'),
    copyIn: fn('sudrvMemcpyAsync', ...copyArgs),
    copyOut: fn('sudrvMemcpyDtoHAsync', ...copyArgs),
    copy: fn('sudrvMemcpyDtoDAsync', ...copyArgs),
    loadModule: fn('sudrvModuleLoadFatBinary', 'out', 'image'),
    unloadModule: fn('sudrvModuleUnload', 'module'),
    findKernel: fn('sudrvModuleGetFunction', 'out', 'module', 'name'),
    launch: fn('sudrvModuleLaunchKernel', 'kernel', 'blocks', u32(1), u32(1), 'threads', u32(1), u32(1), u32(0), 'stream', 'args', none),
    createStream: fn('sudrvStreamCreateWithFlags', 'out', u32(n.suStreamDefault)),
    destroyStream: fn('sudrvStreamDestroy', 'stream'),
    waitForStream: fn('sudrvStreamSynchronize', 'stream'),
    createEvent: fn('sudrvEventCreateWithFlags', 'out', u32(n.suEventDefault)),
    recordEvent: fn('sudrvEventRecord', 'event', 'stream'),
    eventMillis: fn('sudrvEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('sudrvEventDestroy', 'event'),
    errorName: fn('sudrvGetErrorName', 'status', 'out'),
    errorText: fn('sudrvGetErrorString', 'status', 'out'),
  },
  launchArguments: 'addresses',
  attributes: {},
  architecture: { always: ARCHITECTURE },
  noDevice: [n.suErrorNoDevice],
  errors: birenErrors,
  // There is no compiler at run time. What compiling for the device alone makes is code to be linked, by the same program.
  compiler: {
    title: 'brcc',
    install: `Install the BIRENSUPA SDK, which has brcc in ${SDK}/brcc/bin.`,
    program: {
      name: 'brcc',
      folders: [`${SDK}/brcc/bin`],
      args: (architecture) => ['-x', 'supa', '-c', ...deviceOnly(architecture), '-std=c++17', '-ffp-contract=off', '-w'],
      input: 'kernels.su',
      link: (architecture) => ({ args: ['--supa-link', ...deviceOnly(architecture), '-o', 'linked', 'out'] }),
    },
  },
};
