// What Cambricon's headers say of everything that its row relies on. Functions and errors stand in the row itself.
import type { AbiPart } from '../../driver/abi.ts';

/** Numbers of attributes from the driver's part in the kernel, which is public. */
export const cambriconNumbers = {
  CN_KERNEL_CLASS_BLOCK: 1,
  CN_ERROR_NO_DEVICE: 100004,
  CN_DEVICE_ATTRIBUTE_MAX_CLUSTER_COUNT: 0x205,
  CN_DEVICE_ATTRIBUTE_MAX_CORE_COUNT_PER_CLUSTER: 0x206,
  CN_DEVICE_ATTRIBUTE_MLU_ISA_VERSION: 0x20a,
  CN_DEVICE_ATTRIBUTE_NEURAL_RAM_SIZE_PER_CORE: 0x302,
} as const;

export const cambriconAbi: readonly AbiPart[] = [
  { headers: ['cn_api.h'], declares: 'driver', numbers: cambriconNumbers, sizes: { CNresult: 4, CNdev: 4, CNcontext: 8, CNmodule: 8, CNkernel: 8, CNqueue: 8 } },
  { headers: ['cnrtc.h'], declares: 'compiler', numbers: {}, sizes: { cnrtcCode: 8 } },
];
