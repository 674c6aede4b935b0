// What MetaX's headers should say of everything that its row relies on, as public code that calls them has it. Not compared with them yet.
import type { AbiPart } from '../../driver/abi.ts';

export const metaxNumbers = { mcErrorNoDevice: 100, mcErrorNotReady: 600 } as const;

export const metaxAbi: readonly AbiPart[] = [
  { headers: ['mcr/mc_runtime_api.h'], declares: 'driver', numbers: metaxNumbers, sizes: { mcError_t: 4, mcDevice_t: 4, mcDeviceptr_t: 8, mcModule_t: 8, mcStream_t: 8 } },
  { headers: ['mcr/mcrtc.h'], declares: 'compiler', numbers: { MCRTC_SUCCESS: 0, MCRTC_ERROR_COMPILATION: 6 }, sizes: { mcrtcResult: 4, mcrtcProgram: 8 } },
];
