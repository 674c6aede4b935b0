// What MUSA's headers should say of everything that its row relies on: they follow CUDA's numbering. Not compared with them yet.
import type { AbiPart } from '../../driver/abi.ts';

export const musaNumbers = {
  MU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: 1,
  MU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: 8,
  MU_DEVICE_ATTRIBUTE_WARP_SIZE: 10,
  MU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 16,
  MU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 75,
  MU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 76,
  MU_STREAM_NON_BLOCKING: 1,
  MU_EVENT_DEFAULT: 0,
  MUSA_ERROR_NO_DEVICE: 100,
  MUSA_ERROR_NOT_READY: 600,
} as const;

export const musaAbi: readonly AbiPart[] = [
  { headers: ['musa.h'], declares: 'driver', numbers: musaNumbers, sizes: { MUresult: 4, MUdevice: 4, MUdeviceptr: 8, MUcontext: 8, MUmodule: 8, MUfunction: 8, MUstream: 8 } },
  { headers: ['mtrtc.h'], declares: 'compiler', numbers: { MTRTC_SUCCESS: 0, MTRTC_ERROR_COMPILATION: 6 }, sizes: { mtrtcResult: 4, mtrtcProgram: 8 } },
];
