// Evaluates single primitives on constants, for builders that fold.
import { invariant } from '../core/error.ts';
import { numeric } from '../core/tensor.ts';
import type { Folder } from '../graph/builder.ts';
import { isTensor } from '../graph/graph.ts';
import type { NodeOf } from '../graph/graph.ts';
import { createContext } from './interpret.ts';
import { primEvaluations } from './prims.ts';

export function createFolder(): Folder {
  const context = createContext();
  return (op, attrs, inputs) => {
    // The rule looks at attributes only; TypeScript cannot see that `attrs` belongs to `op` inside a union.
    // oxlint-disable-next-line typescript/consistent-type-assertions -- TypeScript cannot follow which attributes go with which operator
    const node = { op, name: op, attrs, inputs: [], outputs: [] } as unknown as NodeOf<typeof op>;
    return primEvaluations[op](node, inputs, context).map((value) => {
      invariant(isTensor(value), 'a primitive gave something that is not a tensor');
      return numeric(value);
    });
  };
}
