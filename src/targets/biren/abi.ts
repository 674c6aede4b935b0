// What Biren's headers should say of everything that its row relies on, as the vendor's manuals spell it (BIRENSUPA driver and runtime API
// references). Which numbers the flags have is not printed there: none is taken to be 0. Not compared with the headers yet.
import type { AbiPart } from '../../driver/abi.ts';

export const birenNumbers = { suStreamDefault: 0, suEventDefault: 0, suErrorNoDevice: 100 } as const;

export const birenAbi: readonly AbiPart[] = [
  {
    headers: ['supa_driver.h'],
    declares: 'driver',
    numbers: birenNumbers,
    sizes: { suError_t: 4, suDevice: 4, suDeviceptr_t: 8, suContext: 8, suModule_t: 8, suDevFunc_t: 8, suStream_t: 8, suEvent_t: 8 },
  },
];
