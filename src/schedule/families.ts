// The kernel families this build knows: from what a machine is capable of to how kernels are made for it.
import type { Capabilities } from '../runtime/device.ts';
import type { Family } from './family.ts';
import { createSimdFamily } from './simd/family.ts';

export const createFamily = (capabilities: Capabilities): Family => createSimdFamily(capabilities);
