// The dtypes that buffers of kernels may have, where nothing but the renderer decides.
import { dtypes } from '../core/dtype.ts';
import type { DType } from '../core/dtype.ts';

/** Strings, and the exponent-only float, whose rounding has no default, stay on the host. */
const HOST_ONLY: ReadonlySet<string> = new Set(['string', 'f8e8m0']);
const isDType = (name: string): name is DType => name in dtypes;

export const storedDTypes: readonly DType[] = Object.keys(dtypes)
  .filter(isDType)
  .filter((dtype) => !HOST_ONLY.has(dtype));
