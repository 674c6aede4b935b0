// Huawei's row: names of the ACL runtime and of aclrtc, from the public headers of CANN 8 (acl_rt.h, acl_rt_compile.h).
import { fn, none, text, u32 } from '../../driver/table.ts';
import type { DriverTable } from '../../driver/table.ts';
import { ascendNumbers as n } from './abi.ts';
import { ascendErrors } from './errors.ts';

const install = 'Install the Ascend driver and CANN toolkit, and run set_env.sh of the toolkit in this shell.';

export const ascendTable: DriverTable = {
  title: 'Ascend',
  vendor: 'Huawei',
  libraries: { other: ['libascendcl.so', 'libacl_rt.so', '/usr/local/Ascend/ascend-toolkit/latest/lib64/libascendcl.so'] },
  install,
  pciVendors: [0x19e5],
  calls: {
    init: fn<never>('aclInit', none),
    countDevices: fn('aclrtGetDeviceCount', 'out'),
    deviceName: text('aclrtGetSocName'),
    useDevice: fn('aclrtSetDevice', 'device'),
    releaseContext: fn('aclrtResetDevice', 'device'),
    memoryInfo: fn('aclrtGetMemInfo', u32(n.ACL_HBM_MEM), 'free', 'total'),
    allocate: fn('aclrtMalloc', 'out', 'bytes', u32(n.ACL_MEM_MALLOC_HUGE_FIRST)),
    free: fn('aclrtFree', 'address'),
    copyIn: fn('aclrtMemcpyAsync', 'to', 'bytes', 'from', 'bytes', u32(n.ACL_MEMCPY_HOST_TO_DEVICE), 'stream'),
    copyOut: fn('aclrtMemcpyAsync', 'to', 'bytes', 'from', 'bytes', u32(n.ACL_MEMCPY_DEVICE_TO_HOST), 'stream'),
    copy: fn('aclrtMemcpyAsync', 'to', 'bytes', 'from', 'bytes', u32(n.ACL_MEMCPY_DEVICE_TO_DEVICE), 'stream'),
    loadModule: fn('aclrtBinaryLoadFromData', 'image', 'bytes', none, 'out'),
    unloadModule: fn('aclrtBinaryUnLoad', 'module'),
    findKernel: fn('aclrtBinaryGetFunction', 'module', 'name', 'out'),
    launch: fn('aclrtLaunchKernel', 'kernel', 'blocks', 'args', 'argBytes', 'stream'),
    createStream: fn('aclrtCreateStream', 'out'),
    destroyStream: fn('aclrtDestroyStream', 'stream'),
    waitForStream: fn('aclrtSynchronizeStream', 'stream'),
    createEvent: fn('aclrtCreateEvent', 'out'),
    recordEvent: fn('aclrtRecordEvent', 'event', 'stream'),
    eventMillis: fn('aclrtEventElapsedTime', 'out', 'start', 'end'),
    destroyEvent: fn('aclrtDestroyEvent', 'event'),
    errorText: text('aclGetRecentErrMsg'),
  },
  launchArguments: 'packed',
  attributes: {},
  architecture: { ofChip: true },
  noDevice: [n.ACL_ERROR_RT_NO_DEVICE],
  started: n.ACL_ERROR_REPEAT_INITIALIZE,
  errors: ascendErrors,
  compiler: {
    title: 'aclrtc',
    install,
    library: {
      names: { other: ['libacl_rtc.so', '/usr/local/Ascend/ascend-toolkit/latest/lib64/libacl_rtc.so'] },
      calls: {
        create: fn('aclrtcCreateProg', 'out', 'source', 'name', u32(0), none, none),
        compile: fn('aclrtcCompileProg', 'program', 'count', 'options'),
        logBytes: fn('aclrtcGetCompileLogSize', 'program', 'out'),
        log: fn('aclrtcGetCompileLog', 'program', 'out'),
        binaryBytes: fn('aclrtcGetBinDataSize', 'program', 'out'),
        binary: fn('aclrtcGetBinData', 'program', 'out'),
        destroy: fn('aclrtcDestroyProg', 'programCell'),
      },
      options: (architecture) => [`--npu-arch=${architecture}`],
    },
  },
};
