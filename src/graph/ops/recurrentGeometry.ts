// Sizes, directions and activations of RNN, GRU and LSTM. Knows shapes and attributes only, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

const fail = (reason: string, hint = 'Check the operator against its specification.'): never => {
  throw new AnychipError('shape', reason, { hint });
};

export type ActivationName = 'Affine' | 'Elu' | 'HardSigmoid' | 'LeakyRelu' | 'Relu' | 'ScaledTanh' | 'Sigmoid' | 'Softplus' | 'Softsign' | 'Tanh' | 'ThresholdedRelu';
export interface Activation {
  readonly name: ActivationName;
  readonly alpha: number;
  readonly beta: number;
}

/** Defaults of the parameters that an activation takes; those it lacks are not consumed from the attributes. */
const parameters: { readonly [A in ActivationName]: { readonly alpha?: number; readonly beta?: number } } = {
  Affine: { alpha: 1, beta: 0 },
  Elu: { alpha: 1 },
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  LeakyRelu: { alpha: 0.01 },
  Relu: {},
  ScaledTanh: { alpha: 1, beta: 1 },
  Sigmoid: {},
  Softplus: {},
  Softsign: {},
  Tanh: {},
  ThresholdedRelu: { alpha: 1 },
};
const activationNames = new Map(Object.keys(parameters).map((name) => [name.toLowerCase(), name]));
const isActivation = (name: string | undefined): name is ActivationName => name !== undefined && Object.hasOwn(parameters, name);

export interface CellAttrs {
  readonly activation_alpha: readonly number[] | undefined;
  readonly activation_beta: readonly number[] | undefined;
  readonly activations: readonly string[] | undefined;
  readonly direction: string;
  readonly hidden_size: number | undefined;
  readonly layout: number;
}

export interface CellSizes {
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
  /** For each direction, whether time runs backwards, and its activations. */
  readonly directions: readonly { readonly isReverse: boolean; readonly activations: readonly Activation[] }[];
  /** Batch before time in X, Y and the states. */
  readonly isBatchFirst: boolean;
}

const directionsOf: Readonly<Record<string, readonly boolean[]>> = { forward: [false], reverse: [true], bidirectional: [false, true] };

function activationsOf(attrs: CellAttrs, defaults: readonly ActivationName[], directions: number): Activation[] {
  const named = attrs.activations ?? Array.from({ length: directions }, () => defaults).flat();
  if (named.length !== defaults.length * directions) fail(`${named.length} activations where ${defaults.length * directions} are needed`);
  const [alphas, betas] = [[...(attrs.activation_alpha ?? [])], [...(attrs.activation_beta ?? [])]];
  return named.map((given) => {
    const name = activationNames.get(given.toLowerCase());
    if (!isActivation(name)) return fail(`an activation '${given}'`, `Activations are ${Object.keys(parameters).join(', ')}.`);
    const { alpha, beta } = parameters[name];
    return { name, alpha: alpha === undefined ? 0 : (alphas.shift() ?? alpha), beta: beta === undefined ? 0 : (betas.shift() ?? beta) };
  });
}

/** Shapes of the operands in the order of the schema; `gates` parts of W and R. */
export function resolveCell(attrs: CellAttrs, shapes: readonly (Shape | undefined)[], gates: number, defaults: readonly ActivationName[]): CellSizes {
  const reversed = Object.hasOwn(directionsOf, attrs.direction) ? directionsOf[attrs.direction]! : fail(`a direction '${attrs.direction}'`);
  const [x, w, r, bias, lengths, h, c, peephole] = shapes;
  if (x?.length !== 3 || w?.length !== 3 || r?.length !== 3) return fail('X, W and R must have rank 3');
  const isBatchFirst = attrs.layout !== 0;
  const [steps, batch] = isBatchFirst ? [x[1]!, x[0]!] : [x[0]!, x[1]!];
  const [count, hidden, input] = [reversed.length, r[2]!, x[2]!];
  const check = (name: string, shape: Shape | undefined, wanted: Shape): void => {
    if (shape !== undefined && !sameShape(shape, wanted)) fail(`${name} has shape ${formatShape(shape)}, not ${formatShape(wanted)}`);
  };
  if (attrs.hidden_size !== undefined && attrs.hidden_size !== hidden) fail(`hidden_size ${attrs.hidden_size} with R of ${formatShape(r)}`);
  const state = isBatchFirst ? [batch, count, hidden] : [count, batch, hidden];
  check('W', w, [count, gates * hidden, input]);
  check('R', r, [count, gates * hidden, hidden]);
  check('B', bias, [count, 2 * gates * hidden]);
  check('sequence_lens', lengths, [batch]);
  check('initial_h', h, state);
  check('initial_c', c, state);
  check('P', peephole, [count, 3 * hidden]);
  const all = activationsOf(attrs, defaults, count);
  const directions = reversed.map((isReverse, d) => ({ isReverse, activations: all.slice(d * defaults.length, (d + 1) * defaults.length) }));
  return { steps, batch, input, hidden, directions, isBatchFirst };
}

export const defaultActivations = { RNN: ['Tanh'], GRU: ['Sigmoid', 'Tanh'], LSTM: ['Sigmoid', 'Tanh', 'Tanh'] } as const satisfies Record<string, readonly ActivationName[]>;
