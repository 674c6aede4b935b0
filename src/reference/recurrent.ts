// Reference of the recurrent family: the equations of the specification, one batch element, one step, one hidden unit at a time.
import { createTensor, elementWriter, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { HostValue, NodeOf } from '../graph/graph.ts';
import { defaultActivations, resolveCell } from '../graph/ops/recurrentGeometry.ts';
import type { Activation, ActivationName, CellSizes } from '../graph/ops/recurrentGeometry.ts';
import type { recurrentOps } from '../graph/ops/recurrent.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

const functions: { readonly [A in ActivationName]: (x: number, alpha: number, beta: number) => number } = {
  Affine: (x, alpha, beta) => alpha * x + beta,
  Elu: (x, alpha) => (x >= 0 ? x : alpha * (Math.exp(x) - 1)),
  HardSigmoid: (x, alpha, beta) => Math.min(Math.max(alpha * x + beta, 0), 1),
  LeakyRelu: (x, alpha) => (x >= 0 ? x : alpha * x),
  Relu: (x) => Math.max(x, 0),
  ScaledTanh: (x, alpha, beta) => alpha * Math.tanh(beta * x),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  Softsign: (x) => x / (1 + Math.abs(x)),
  Tanh: (x) => Math.tanh(x),
  ThresholdedRelu: (x, alpha) => (x >= alpha ? x : 0),
};

type Vector = readonly number[];

/** What one direction's cell works with. */
interface Weights {
  readonly hidden: number;
  /** Gate `gate` of unit `j`: W·x, R·h, and the two biases. */
  readonly input: (gate: number, j: number, x: Vector) => number;
  readonly recurrent: (gate: number, j: number, h: Vector) => number;
  readonly inputBias: (gate: number, j: number) => number;
  readonly recurrentBias: (gate: number, j: number) => number;
  /** Peephole weights: 0 input, 1 output, 2 forget. */
  readonly peephole: (gate: number, j: number) => number;
  readonly activations: readonly ((x: number) => number)[];
}
interface State {
  readonly h: Vector;
  readonly c: Vector;
}
type Step = (weights: Weights, x: Vector, state: State) => State;

const clipped = ({ name, alpha, beta }: Activation, clip: number | undefined): ((x: number) => number) => {
  const f = functions[name];
  return clip === undefined ? (x) => f(x, alpha, beta) : (x) => f(Math.min(Math.max(x, -clip), clip), alpha, beta);
};

const units = (weights: Weights, f: (j: number) => number): number[] => Array.from({ length: weights.hidden }, (_, j) => f(j));

/** W·x + R·h and both biases, of one gate. */
const sum = (w: Weights, gate: number, j: number, x: Vector, h: Vector): number => w.input(gate, j, x) + w.recurrent(gate, j, h) + w.inputBias(gate, j) + w.recurrentBias(gate, j);

const rnnStep: Step = (w, x, { h, c }) => ({ h: units(w, (j) => w.activations[0]!(sum(w, 0, j, x, h))), c });

const gruStep =
  (isLinearBeforeReset: boolean): Step =>
  (w, x, { h, c }) => {
    const [f, g] = w.activations;
    const update = units(w, (j) => f!(sum(w, 0, j, x, h)));
    const reset = units(w, (j) => f!(sum(w, 1, j, x, h)));
    const kept = h.map((v, j) => v * reset[j]!);
    const candidate = units(w, (j) => {
      const own = w.input(2, j, x) + w.inputBias(2, j);
      const before = isLinearBeforeReset ? reset[j]! * (w.recurrent(2, j, h) + w.recurrentBias(2, j)) : w.recurrent(2, j, kept) + w.recurrentBias(2, j);
      return g!(own + before);
    });
    return { h: units(w, (j) => (1 - update[j]!) * candidate[j]! + update[j]! * h[j]!), c };
  };

const lstmStep =
  (isCoupled: boolean): Step =>
  (w, x, state) => {
    const [f, g, last] = w.activations;
    const gate = (at: number, j: number, peephole: number, c: Vector): number => f!(sum(w, at, j, x, state.h) + w.peephole(peephole, j) * c[j]!);
    const c = units(w, (j) => {
      const input = gate(0, j, 0, state.c);
      const forget = isCoupled ? 1 - input : gate(2, j, 2, state.c);
      return forget * state.c[j]! + input * g!(sum(w, 3, j, x, state.h));
    });
    return { h: units(w, (j) => gate(1, j, 1, c) * last!(c[j]!)), c };
  };

function weightsOf(inputs: readonly HostValue[], sizes: CellSizes, gates: number, direction: number, clip: number | undefined): Weights {
  const { hidden, input } = sizes;
  const [w, r] = [toNumbers(numericAt(inputs, 1)), toNumbers(numericAt(inputs, 2))];
  const [bias, peepholes] = [3, 7].map((i) => (optionalAt(inputs, i) === undefined ? undefined : toNumbers(numericAt(inputs, i))));
  const row = (gate: number, j: number): number => (direction * gates + gate) * hidden + j;
  const dot = (matrix: Vector, start: number, x: Vector): number => x.reduce((total, v, i) => total + v * matrix[start + i]!, 0);
  return {
    hidden,
    input: (gate, j, x) => dot(w, row(gate, j) * input, x),
    recurrent: (gate, j, h) => dot(r, row(gate, j) * hidden, h),
    inputBias: (gate, j) => bias?.[(direction * 2 * gates + gate) * hidden + j] ?? 0,
    recurrentBias: (gate, j) => bias?.[((direction * 2 + 1) * gates + gate) * hidden + j] ?? 0,
    peephole: (gate, j) => peepholes?.[(direction * 3 + gate) * hidden + j] ?? 0,
    activations: sizes.directions[direction]!.activations.map((a) => clipped(a, clip)),
  };
}

type CellNode = NodeOf<'RNN'> | NodeOf<'GRU'> | NodeOf<'LSTM'>;

/** Y, Y_h and Y_c. */
function runCell({ op, attrs }: CellNode, inputs: readonly HostValue[], gates: number, step: Step): NumericTensor[] {
  const sizes = resolveCell(
    attrs,
    Array.from({ length: 8 }, (_, i) => optionalAt(inputs, i)?.shape),
    gates,
    defaultActivations[op],
  );
  const { steps, batch, hidden, isBatchFirst } = sizes;
  const x = numericAt(inputs, 0);
  const values = toNumbers(x);
  const directions = sizes.directions.length;
  const optional = (i: number): number[] | undefined => (optionalAt(inputs, i) === undefined ? undefined : toNumbers(numericAt(inputs, i)));
  const [lengths, firstH, firstC] = [optional(4), optional(5), optional(6)];
  const stateAt = (d: number, n: number): number => (isBatchFirst ? n * directions + d : d * batch + n) * hidden;
  const y = createTensor(x.dtype, isBatchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden]);
  const lastShape = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  const [lastH, lastC] = [createTensor(x.dtype, lastShape), createTensor(x.dtype, lastShape)];
  const [writeY, writeH, writeC] = [elementWriter(y), elementWriter(lastH), elementWriter(lastC)];
  sizes.directions.forEach(({ isReverse }, d) => {
    const weights = weightsOf(inputs, sizes, gates, d, attrs.clip);
    for (let n = 0; n < batch; n++) {
      const at = stateAt(d, n);
      const initial = (held: number[] | undefined): number[] => Array.from({ length: hidden }, (_, j) => held?.[at + j] ?? 0);
      let state: State = { h: initial(firstH), c: initial(firstC) };
      const length = Math.min(lengths?.[n] ?? steps, steps);
      for (let i = 0; i < length; i++) {
        const t = isReverse ? length - 1 - i : i;
        const start = (isBatchFirst ? n * steps + t : t * batch + n) * sizes.input;
        state = step(weights, values.slice(start, start + sizes.input), state);
        const out = (isBatchFirst ? (n * steps + t) * directions + d : (t * directions + d) * batch + n) * hidden;
        state.h.forEach((v, j) => writeY(out + j, v));
      }
      state.h.forEach((v, j) => writeH(at + j, v));
      state.c.forEach((v, j) => writeC(at + j, v));
    }
  });
  return [y, lastH, lastC];
}

export const recurrentEvaluations: Evaluations<keyof typeof recurrentOps> = {
  RNN: (node, inputs) => runCell(node, inputs, 1, rnnStep).slice(0, 2),
  GRU: (node, inputs) => runCell(node, inputs, 3, gruStep(node.attrs.linear_before_reset !== 0)).slice(0, 2),
  LSTM: (node, inputs) => runCell(node, inputs, 4, lstmStep(node.attrs.input_forget !== 0)),
};
