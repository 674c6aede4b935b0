// What CUDA's headers say of everything that its row relies on (CUDA 11 to 13). Functions and errors stand in the row itself.
import type { AbiPart } from '../../driver/abi.ts';

export const cudaNumbers = {
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: 1,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: 8,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: 97,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: 8,
  CU_DEVICE_ATTRIBUTE_WARP_SIZE: 10,
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 16,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 76,
  CU_STREAM_NON_BLOCKING: 1,
  CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: 1,
  CU_EVENT_DEFAULT: 0,
  CUDA_ERROR_NO_DEVICE: 100,
  CUDA_ERROR_NOT_READY: 600,
} as const;

export const cudaAbi: readonly AbiPart[] = [
  { headers: ['cuda.h'], declares: 'driver', numbers: cudaNumbers, sizes: { CUresult: 4, CUdevice: 4, CUdeviceptr: 8, CUcontext: 8, CUmodule: 8, CUfunction: 8, CUstream: 8 } },
  { headers: ['nvrtc.h'], declares: 'compiler', numbers: { NVRTC_SUCCESS: 0, NVRTC_ERROR_COMPILATION: 6 }, sizes: { nvrtcResult: 4, nvrtcProgram: 8 } },
];
