// Kunlunxin's row: the XPU runtime (libxpurt), from xpu/runtime.h and xpu/defs.h. There is no compiler at run time: XTDK's clang compiles
// each kernel to an object, and its tool for objects makes of that what the runtime copies to the chip. The runtime is handed a record of
// it; the record's layout is that of open code for both generations (FlagTree's driver, and what XTDK's tool writes for host programs).
import { join } from 'node:path';
import { fn, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { kunlunNumbers as n } from './abi.ts';
import { kunlunErrors } from './errors.ts';

const install = "Install Kunlunxin's driver and runtime (XRE), and put libxpurt.so where the linker finds it (LD_LIBRARY_PATH).";
const copy = (kind: number) => fn('xpu_memcpy', 'to', 'from', 'bytes', u32(kind));
/** A folder below one that the environment names. */
const below = (name: string, ...folder: readonly string[]): readonly string[] => {
  const home = process.env[name];
  return home === undefined || home === '' ? [] : [join(home, ...folder)];
};

const xpu2 = (name: string) => ({ name, architecture: 'xpu2' });
/** Cards, and from 200 on those of KL2 that are shared out to virtual machines. */
const models = {
  [n.R200]: xpu2('R200'),
  [n.R300]: xpu2('R300'),
  [n.R200_8F]: xpu2('R200-8F'),
  [n.R200_8FS]: xpu2('R200-8FS'),
  [n.R100]: xpu2('R100'),
  [n.R420]: xpu2('R420'),
  [n.RG800]: xpu2('RG800'),
  [n.R200_SRIOV_PF]: xpu2('R200'),
  [n.R300_SRIOV_PF]: xpu2('R300'),
  [n.R200_8F_SRIOV_PF]: xpu2('R200-8F'),
  [n.R200_8FS_SRIOV_PF]: xpu2('R200-8FS'),
  [n.RG800_SRIOV_PF]: xpu2('RG800'),
  [n.KL3]: { name: 'P800', architecture: 'xpu3' },
};

export const kunlunTable = {
  title: 'Kunlunxin',
  vendor: 'Kunlunxin',
  libraries: { other: ['libxpurt.so', 'libxpurt.so.1', '/usr/local/xpu/lib64/libxpurt.so'] },
  install,
  pciVendors: [0x1d22],
  calls: {
    init: fn<never>('xpu_set_device', u32(0)),
    countDevices: fn('xpu_device_count', 'out'),
    deviceAttribute: fn('xpu_device_get_attr', 'out', 'attribute', 'device'),
    deviceBytes: fn('xpu_device_get_attr', 'out', u32(n.XPUATTR_MEM_MAIN_CAPACITY), 'device'),
    useDevice: fn('xpu_set_device', 'device'),
    allocate: fn('xpu_malloc', 'out', 'bytes', u32(n.XPU_MEM_MAIN)),
    free: fn('xpu_free', 'address'),
    copyIn: copy(n.XPU_HOST_TO_DEVICE),
    copyOut: copy(n.XPU_DEVICE_TO_HOST),
    copy: copy(n.XPU_DEVICE_TO_DEVICE),
    setArgument: fn('xpu_launch_argument_set', 'value', 'bytes', 'offset'),
    configure: fn('xpu_launch_config', 'blocks', 'threads', 'stream'),
    launch: fn('xpu_launch_async', 'kernel'),
    createStream: fn('xpu_stream_create', 'out'),
    destroyStream: fn('xpu_stream_destroy', 'stream'),
    waitForStream: fn('xpu_wait', 'stream'),
  },
  record: { bytes: 64, codeAt: 8, codeBytesAt: 16, hashAt: 32, nameAt: 40 },
  launchArguments: 'separate',
  attributes: { units: n.XPUATTR_NUM_CLUSTER },
  architecture: { attribute: n.XPUATTR_MODEL, models },
  signless: true,
  noDevice: [n.XPUERR_NODEV],
  errors: kunlunErrors,
  compiler: {
    title: 'XTDK',
    install: "Install Kunlunxin's compiler (XTDK), and set XTDK_HOME to its folder or put its bin on PATH.",
    program: {
      name: 'clang++',
      folders: [...below('XTDK_HOME', 'bin'), ...below('KUNLUN_HOME', 'xtdk', 'bin'), '/usr/local/xtdk/bin'],
      beside: 'xpu-kernel.t',
      args: (architecture, _, folder) => [
        `--xpu-arch=${architecture}`,
        '--xpu-device-only',
        '-c',
        '-std=c++11',
        '-O2',
        '-fno-builtin',
        '-ffp-contract=off',
        '-w',
        `-I${join(folder, '..', 'include')}`,
      ],
      input: 'kernel.xpu',
      link: (architecture, folder) => ({ args: ['out', 'linked', folder], linker: { name: `${architecture}-elfconv-triton`, folders: [folder] } }),
    },
  },
} satisfies DriverTable;
