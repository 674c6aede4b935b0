// What ACL's headers say of everything that its row relies on (CANN 8). Functions and errors stand in the row itself.
import type { AbiPart } from '../../driver/abi.ts';

export const ascendNumbers = {
  ACL_MEM_MALLOC_HUGE_FIRST: 0,
  ACL_MEMCPY_HOST_TO_DEVICE: 1,
  ACL_MEMCPY_DEVICE_TO_HOST: 2,
  ACL_MEMCPY_DEVICE_TO_DEVICE: 3,
  ACL_HBM_MEM: 1,
  ACL_ERROR_REPEAT_INITIALIZE: 100002,
  ACL_ERROR_RT_NO_DEVICE: 207004,
} as const;

export const ascendAbi: readonly AbiPart[] = [
  { headers: ['acl/acl.h'], declares: 'driver', numbers: ascendNumbers, sizes: { aclError: 4, aclrtStream: 8, aclrtEvent: 8, aclrtBinHandle: 8, aclrtFuncHandle: 8 } },
  { headers: ['acl/acl_rt_compile.h'], declares: 'compiler', numbers: {}, sizes: { aclrtcProg: 8 } },
];
