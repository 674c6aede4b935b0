// The kernel families this build knows: a total table from a machine's family to how kernels are made for it.
import type { Capabilities } from '../runtime/device.ts';
import type { Decide } from './decide.ts';
import type { Family } from './family.ts';
import { createSimdFamily } from './simd/family.ts';
import { createSimtFamily } from './simt/family.ts';
import { createTileFamily } from './tile/family.ts';

type CapabilitiesOf = { readonly [F in Capabilities['family']]: Extract<Capabilities, { readonly family: F }> };

const families: { readonly [F in keyof CapabilitiesOf]: (capabilities: CapabilitiesOf[F], decide: Decide) => Family } = {
  simd: createSimdFamily,
  simt: createSimtFamily,
  tile: createTileFamily,
};

const dispatch = <F extends keyof CapabilitiesOf>(capabilities: CapabilitiesOf[F] & { readonly family: F }, decide: Decide): Family =>
  families[capabilities.family](capabilities, decide);

export const createFamily = (capabilities: Capabilities, decide: Decide): Family => dispatch(capabilities, decide);
