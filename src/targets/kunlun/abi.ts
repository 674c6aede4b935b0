// What Kunlunxin's headers say of everything that its row relies on. Functions and errors stand in the row itself; the record of a kernel is
// in no header (driver.ts).
import type { AbiPart } from '../../driver/abi.ts';

export const kunlunNumbers = {
  XPU_MEM_MAIN: 0,
  XPU_DEVICE_TO_HOST: 0,
  XPU_HOST_TO_DEVICE: 1,
  XPU_DEVICE_TO_DEVICE: 2,
  XPUATTR_MODEL: 4,
  XPUATTR_MEM_MAIN_CAPACITY: 5,
  XPUATTR_NUM_CLUSTER: 7,
  R200: 2,
  R300: 3,
  R200_8F: 4,
  R200_8FS: 5,
  R100: 6,
  R420: 8,
  RG800: 9,
  R200_SRIOV_PF: 200,
  R300_SRIOV_PF: 204,
  R200_8F_SRIOV_PF: 208,
  R200_8FS_SRIOV_PF: 212,
  RG800_SRIOV_PF: 216,
  KL3: 300,
  XPUERR_NODEV: 703,
} as const;

export const kunlunAbi: readonly AbiPart[] = [
  { headers: ['xpu/runtime.h'], declares: 'driver', numbers: kunlunNumbers, sizes: { XPUStream: 8, XPUFunc: 8, XPUMemoryKind: 4, XPUMemcpyKind: 4, XPUDeviceAttr: 4 } },
];
