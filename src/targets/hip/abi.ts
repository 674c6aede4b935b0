// What HIP's headers say of everything that its row relies on (ROCm 5.2 to 6.3). Functions and errors stand in the row itself.
import type { AbiPart } from '../../driver/abi.ts';

export const hipNumbers = {
  hipDeviceAttributeMaxThreadsPerBlock: 56,
  hipDeviceAttributeMaxSharedMemoryPerBlock: 74,
  hipDeviceAttributeWarpSize: 87,
  hipDeviceAttributeMultiprocessorCount: 63,
  hipStreamNonBlocking: 1,
  hipStreamCaptureModeThreadLocal: 1,
  hipEventDefault: 0,
  hipErrorNoDevice: 100,
  hipErrorInvalidDevice: 101,
  hipErrorNotReady: 600,
} as const;

/** The architecture in the properties of a device, as the function without a revision in its name lays them out. */
export const ARCHITECTURE_AT = 396;

const defines = ['__HIP_PLATFORM_AMD__ 1', '__HIP_DISABLE_CPP_FUNCTIONS__ 1'];

export const hipAbi: readonly AbiPart[] = [
  {
    headers: ['hip/hip_runtime_api.h'],
    defines,
    declares: 'driver',
    numbers: hipNumbers,
    sizes: { hipError_t: 4, hipDevice_t: 4, hipDeviceptr_t: 8, hipModule_t: 8, hipStream_t: 8 },
  },
  { headers: ['hip/hiprtc.h'], defines, declares: 'compiler', numbers: { HIPRTC_SUCCESS: 0, HIPRTC_ERROR_COMPILATION: 6 }, sizes: { hiprtcResult: 4, hiprtcProgram: 8 } },
];
