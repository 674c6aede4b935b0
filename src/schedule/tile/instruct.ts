// A kernel with vectors as wide as tiles becomes one of instructions, copies and waits.
import { expandMath, expandRounding } from '../../kernel/math.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { tileProblems } from '../../kernel/verifyTiles.ts';
import type { TileFacts } from '../../runtime/device.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { allocateTiles } from './allocate.ts';
import { selectInstructions } from './select.ts';
import { synchronize } from './synchronize.ts';

/** The kernel with its vectors as instructions; a problem where there are none for it. `overlaps`: what is copied shares no memory. */
export function instruct(lowered: LoweredKernel, facts: TileFacts, overlaps = false): LoweredKernel | { readonly problem: string } {
  const { functions } = facts.vectors;
  // Small floats that the machine does not convert are whole numbers and bits from here on.
  const kernel = expandRounding(expandMath(lowerSmallFloats(lowered.kernel), false), (fn, dtype) => functions[fn]?.includes(dtype) === true);
  const selected = selectInstructions(kernel, facts, overlaps);
  if ('problem' in selected) return selected;
  const { body, scratch } = allocateTiles(selected, overlaps);
  const params = new Set(kernel.params.map((p) => p.name));
  const made = { ...kernel, body: synchronize(body, params), scratch: [...kernel.scratch, ...scratch] };
  // Places in scratch memory that the machine cannot begin at, or too much of it.
  const [problem] = tileProblems(made);
  return problem === undefined ? { ...lowered, kernel: made } : { problem };
}
