// Declarations of the reduce family: sums, extremes and running sums along axes.
import { int, op } from '../schema.ts';

const reduce = { since: 1, inputs: ['data', 'axes?'], outputs: ['reduced'], attrs: { keepdims: int(1), noop_with_empty_axes: int(0) }, hostInputs: ['axes'] } as const;
const extreme = { since: 1, inputs: ['data'], outputs: ['reduced'], attrs: { axis: int(0), keepdims: int(1), select_last_index: int(0) } } as const;
const running = { inputs: ['x', 'axis'], outputs: ['y'], attrs: { exclusive: int(0), reverse: int(0) }, hostInputs: ['axis'] } as const;

export const reduceOps = {
  ReduceSum: op(reduce),
  ReduceMean: op(reduce),
  ReduceProd: op(reduce),
  ReduceMax: op(reduce),
  ReduceMin: op(reduce),
  ReduceL1: op(reduce),
  ReduceL2: op(reduce),
  ReduceLogSum: op(reduce),
  ReduceLogSumExp: op(reduce),
  ReduceSumSquare: op(reduce),
  ArgMax: op(extreme),
  ArgMin: op(extreme),
  CumSum: op({ ...running, since: 11 }),
  CumProd: op({ ...running, since: 26 }),
} as const;
