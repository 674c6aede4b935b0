// Where sums become something smaller, as quantised layers round them to bytes: if the sums cannot stay in registers until then, what is
// made of them should be kept instead.
import { tensorBytes } from '../core/tensor.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import { prims } from '../graph/prims.ts';

/** Steps between sums and what they are narrowed to. */
const MOST_STEPS = 16;

/** Whether the result takes fewer bytes than the sums of a contraction that it is computed from, element by element. */
export function narrowsSums(node: PrimNode, producers: ReadonlyMap<Operand, PrimNode>): boolean {
  if (node.op !== 'cast') return false;
  const bytesOf = (x: Operand): number => tensorBytes(x.dtype, x.shape);
  const own = bytesOf(node.outputs[0]!);
  const isWider = (x: Operand, steps: number): boolean => {
    const maker = producers.get(x);
    if (maker === undefined || steps === 0) return false;
    const { kind } = prims[maker.op];
    if (kind === 'contraction') return bytesOf(x) > own;
    return kind === 'elementwise' && maker.inputs.some((input) => isWider(input, steps - 1));
  };
  return isWider(node.inputs[0]!, MOST_STEPS);
}
