// Decompositions of the recurrent family: time is unrolled. The products of all steps with W are one matrix product; each step adds the
// product of the state with R. Steps beyond a sequence's length keep the state.
import { accumulatorOf, inputAt, onHost } from '../lowering.ts';
import type { Lowerings, OnHost } from '../lowering.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { NodeOf } from '../../graph/graph.ts';
import { defaultActivations, resolveCell } from '../../graph/ops/recurrentGeometry.ts';
import type { Activation, ActivationName, CellSizes } from '../../graph/ops/recurrentGeometry.ts';
import type { recurrentOps } from '../../graph/ops/recurrent.ts';
import { sliceAxis } from './views.ts';

/** Unrolled steps of all directions; beyond, compiling would take longer than anyone waits. */
const MAX_STEPS = 1024;

type Maker = (b: Builder, x: Operand, alpha: Operand, beta: Operand) => Operand;
const one = (b: Builder, x: Operand): Operand => b.scalar(x.dtype, 1);
const zero = (b: Builder, x: Operand): Operand => b.scalar(x.dtype, 0);
const sigmoid = (b: Builder, x: Operand): Operand => b.reciprocal(b.add(one(b, x), b.exp(b.neg(x))));

const makers: { readonly [A in ActivationName]: Maker } = {
  Affine: (b, x, alpha, beta) => b.add(b.mul(alpha, x), beta),
  Elu: (b, x, alpha) => b.where(b.ge(x, zero(b, x)), x, b.mul(alpha, b.sub(b.exp(x), one(b, x)))),
  HardSigmoid: (b, x, alpha, beta) => b.min(b.max(b.add(b.mul(alpha, x), beta), zero(b, x)), one(b, x)),
  LeakyRelu: (b, x, alpha) => b.where(b.ge(x, zero(b, x)), x, b.mul(alpha, x)),
  Relu: (b, x) => b.max(x, zero(b, x)),
  ScaledTanh: (b, x, alpha, beta) => b.mul(alpha, b.tanh(b.mul(beta, x))),
  Sigmoid: sigmoid,
  Softplus: (b, x) => b.add(b.max(x, zero(b, x)), b.log(b.add(one(b, x), b.exp(b.neg(b.abs(x)))))),
  Softsign: (b, x) => b.div(x, b.add(one(b, x), b.abs(x))),
  Tanh: (b, x) => b.tanh(x),
  ThresholdedRelu: (b, x, alpha) => b.where(b.ge(x, alpha), x, zero(b, x)),
};

interface State {
  readonly h: Operand;
  readonly c: Operand;
}

/** One direction's cell; states are [batch, hidden]. */
interface Cell {
  readonly b: Builder;
  readonly sizes: CellSizes;
  /** R transposed, [hidden, gates·hidden]. */
  readonly recurrent: Operand;
  /** [gates·hidden] each. */
  readonly inputBias: Operand | undefined;
  readonly recurrentBias: Operand | undefined;
  /** [3·hidden] */
  readonly peephole: Operand | undefined;
  readonly activate: (which: number, x: Operand) => Operand;
}
/** The next state from the step's part of X·W [batch, gates·hidden], biases not added yet. */
type Step = (cell: Cell, projected: Operand, state: State) => State;

/** Columns of one gate. */
const gateOf = ({ b, sizes }: Cell, x: Operand, gate: number): Operand => sliceAxis(b, x, x.shape.length - 1, gate * sizes.hidden, sizes.hidden);
const plus = (b: Builder, x: Operand, y: Operand | undefined): Operand => (y === undefined ? x : b.add(x, y));

/** All gates: X·W + h·R + both biases. */
const sums = (cell: Cell, projected: Operand, h: Operand): Operand =>
  plus(cell.b, plus(cell.b, cell.b.add(projected, cell.b.matmul(h, cell.recurrent)), cell.inputBias), cell.recurrentBias);

const rnnStep: Step = (cell, projected, { h, c }) => ({ h: cell.activate(0, sums(cell, projected, h)), c });

const gruStep =
  (isLinearBeforeReset: boolean): Step =>
  (cell, projected, { h, c }) => {
    const { b } = cell;
    const gate = (x: Operand | undefined, i: number): Operand | undefined => (x === undefined ? undefined : gateOf(cell, x, i));
    const product = b.matmul(h, cell.recurrent);
    const all = (i: number): Operand => plus(b, plus(b, b.add(gateOf(cell, projected, i), gateOf(cell, product, i)), gate(cell.inputBias, i)), gate(cell.recurrentBias, i));
    const [update, reset] = [cell.activate(0, all(0)), cell.activate(0, all(1))];
    const own = plus(b, gateOf(cell, projected, 2), gate(cell.inputBias, 2));
    const bias = gate(cell.recurrentBias, 2);
    const before = isLinearBeforeReset ? b.mul(reset, plus(b, gateOf(cell, product, 2), bias)) : plus(b, b.matmul(b.mul(reset, h), gateOf(cell, cell.recurrent, 2)), bias);
    const candidate = cell.activate(1, b.add(own, before));
    return { h: b.add(b.mul(b.sub(one(b, update), update), candidate), b.mul(update, h)), c };
  };

const lstmStep =
  (isCoupled: boolean): Step =>
  (cell, projected, state) => {
    const { b } = cell;
    const all = sums(cell, projected, state.h);
    const gate = (i: number, peephole: number, c: Operand): Operand => {
      const sum = gateOf(cell, all, i);
      return cell.activate(0, cell.peephole === undefined ? sum : b.add(sum, b.mul(gateOf(cell, cell.peephole, peephole), c)));
    };
    const input = gate(0, 0, state.c);
    const forget = isCoupled ? b.sub(one(b, input), input) : gate(2, 2, state.c);
    const c = b.add(b.mul(forget, state.c), b.mul(input, cell.activate(1, gateOf(cell, all, 3))));
    return { h: b.mul(gate(1, 1, c), cell.activate(2, c)), c };
  };

function activator(b: Builder, activations: readonly Activation[], clip: number | undefined): Cell['activate'] {
  return (which, x) => {
    const { name, alpha, beta } = activations[which]!;
    const inside = clip === undefined ? x : b.max(b.min(x, b.scalar(x.dtype, clip)), b.scalar(x.dtype, -clip));
    return makers[name](b, inside, b.scalar(x.dtype, alpha), b.scalar(x.dtype, beta));
  };
}

type CellNode = NodeOf<'RNN'> | NodeOf<'GRU'> | NodeOf<'LSTM'>;

/** Y, Y_h and Y_c. */
function unroll(b: Builder, { op, attrs }: CellNode, inputs: readonly (Operand | null)[], gates: number, step: Step): readonly Operand[] | OnHost {
  const sizes = resolveCell(
    attrs,
    Array.from({ length: 8 }, (_, i) => inputs[i]?.shape),
    gates,
    defaultActivations[op],
  );
  const { steps, batch, hidden, directions, isBatchFirst } = sizes;
  if (steps * directions.length > MAX_STEPS) return onHost(`${steps} time steps are too many to unroll`);
  const { dtype } = inputAt(inputs, 0);
  const acc = accumulatorOf(dtype);
  const wide = (x: Operand): Operand => b.cast(x, acc);
  /** Direction `d` of a parameter, without that axis. */
  const part = (i: number, d: number): Operand | undefined => {
    const x = inputs[i] ?? null;
    return x === null ? undefined : b.reshape(sliceAxis(b, wide(x), 0, d, 1), x.shape.slice(1));
  };
  const timeFirst = isBatchFirst ? b.transpose(inputAt(inputs, 0), [1, 0, 2]) : inputAt(inputs, 0);
  const rows = b.reshape(wide(timeFirst), [steps * batch, sizes.input]);
  const initial = (i: number, d: number): Operand => {
    const x = inputs[i] ?? null;
    return x === null ? b.full(acc, [batch, hidden], 0) : b.reshape(sliceAxis(b, wide(x), isBatchFirst ? 1 : 0, d, 1), [batch, hidden]);
  };
  const lengths = inputs[4] ?? null;
  const counts = lengths === null ? undefined : b.reshape(b.cast(lengths, 'i32'), [batch, 1]);
  const ends = directions.map(({ isReverse, activations }, d) => {
    const bias = part(3, d);
    const cell: Cell = {
      b,
      sizes,
      recurrent: b.transpose(part(2, d)!, [1, 0]),
      inputBias: bias && sliceAxis(b, bias, 0, 0, gates * hidden),
      recurrentBias: bias && sliceAxis(b, bias, 0, gates * hidden, gates * hidden),
      peephole: part(7, d),
      activate: activator(b, activations, attrs.clip),
    };
    const projected = b.reshape(b.matmul(rows, b.transpose(part(1, d)!, [1, 0])), [steps, batch, gates * hidden]);
    let state: State = { h: initial(5, d), c: initial(6, d) };
    const shown: Operand[] = [];
    for (let i = 0; i < steps; i++) {
      const t = isReverse ? steps - 1 - i : i;
      const next = step(cell, b.reshape(sliceAxis(b, projected, 0, t, 1), [batch, gates * hidden]), state);
      const isInside = counts === undefined ? undefined : b.gt(counts, b.scalar('i32', t));
      const keep = (now: Operand, before: Operand): Operand => (isInside === undefined ? now : b.where(isInside, now, before));
      shown[t] = keep(next.h, b.scalar(acc, 0));
      state = { h: keep(next.h, state.h), c: keep(next.c, state.c) };
    }
    return { shown, state };
  });
  return joinEnds(b, sizes, { acc, dtype }, ends);
}

interface End {
  /** What Y shows of each step. */
  readonly shown: readonly Operand[];
  readonly state: State;
}

/** Y, Y_h and Y_c of what each direction gave. */
function joinEnds(
  b: Builder,
  { steps, batch, hidden, directions, isBatchFirst }: Cell['sizes'],
  { acc, dtype }: { readonly acc: NumericDType; readonly dtype: NumericDType },
  ends: readonly End[],
): readonly Operand[] {
  // Y is built time by direction: [steps, directions, batch, hidden].
  const all =
    steps === 0
      ? b.full(acc, [0, directions.length, batch, hidden], 0)
      : b.concat(
          Array.from({ length: steps }, (_, t) =>
            stacked(
              b,
              ends.map((e) => e.shown[t]!),
            ),
          ),
          0,
        );
  const last = (which: 'h' | 'c'): Operand => {
    const joined = b.reshape(
      stacked(
        b,
        ends.map((e) => e.state[which]),
      ),
      [directions.length, batch, hidden],
    );
    return b.cast(isBatchFirst ? b.transpose(joined, [1, 0, 2]) : joined, dtype);
  };
  return [b.cast(isBatchFirst ? b.transpose(all, [2, 0, 1, 3]) : all, dtype), last('h'), last('c')];
}

/** [batch, hidden] each → [1, n, batch, hidden]. */
const stacked = (b: Builder, xs: readonly Operand[]): Operand =>
  b.concat(
    xs.map((x) => b.reshape(x, [1, 1, ...x.shape])),
    1,
  );

const withoutCell = (result: readonly Operand[] | OnHost): readonly Operand[] | OnHost => ('onHost' in result ? result : result.slice(0, 2));

export const recurrentLowerings: Lowerings<keyof typeof recurrentOps> = {
  RNN: (b, node, inputs) => withoutCell(unroll(b, node, inputs, 1, rnnStep)),
  GRU: (b, node, inputs) => withoutCell(unroll(b, node, inputs, 3, gruStep(node.attrs.linear_before_reset !== 0))),
  LSTM: (b, node, inputs) => unroll(b, node, inputs, 4, lstmStep(node.attrs.input_forget !== 0)),
};
