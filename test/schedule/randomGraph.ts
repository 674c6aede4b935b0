// Small random primitive graphs with everything in them, and random inputs for them: the same seed gives the same graph.
import { dtypes } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import type { Shape } from '../../src/core/shape.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';

export type Random = (below: number) => number;

/** Integers below a bound (Park and Miller's minimal standard generator). */
export function createRandom(seed: number): Random {
  let state = (seed * 48271 + 11) % 2147483647 || 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return Math.floor((state / 2147483647) * below);
  };
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random(items.length)]!;

/** Values that are exact in every dtype, so that results do not depend on the order of sums. */
export function randomTensor(random: Random, dtype: NumericDType, shape: Shape): NumericTensor {
  const signed = dtypes[dtype].class === 'float' || dtypes[dtype].class === 'int';
  const values = Array.from({ length: elementCount(shape) }, () => (dtype === 'bool' ? random(2) : random(9) - (signed ? 4 : 0)));
  return tensorFrom(dtype, shape, values);
}

interface Maker {
  readonly b: Builder;
  readonly random: Random;
  readonly values: Operand[];
}
type Make = (m: Maker, x: Operand) => Operand | readonly Operand[] | undefined;

const axisOf = ({ random }: Maker, x: Operand): number | undefined => (x.shape.length === 0 ? undefined : random(x.shape.length));
const isFloat = (x: Operand): boolean => dtypes[x.dtype].class === 'float';

/** Another operand with the same dtype that broadcasts with x: one of the same shape, a slice of x, or a scalar. */
function partner(m: Maker, x: Operand): Operand {
  const same = m.values.filter((y) => y.dtype === x.dtype && y.shape.length === x.shape.length && y.shape.every((d, i) => d === x.shape[i] || d === 1));
  if (m.random(3) === 0 && !x.shape.includes(0)) {
    const axis = axisOf(m, x);
    if (axis !== undefined)
      return m.b.slice(
        x,
        x.shape.map(() => 0),
        x.shape.map((d, i) => (i === axis ? 1 : d)),
      );
  }
  return m.random(4) === 0 ? m.b.scalar(x.dtype, 2) : pick(m.random, same);
}

const makers: readonly Make[] = [
  (m, x) => (x.dtype === 'bool' ? m.b.not(x) : m.b.neg(x)),
  (m, x) => (x.dtype === 'bool' ? undefined : m.b.abs(x)),
  (m, x) => (isFloat(x) ? m.b.floor(m.b.mul(x, m.b.scalar(x.dtype, 0.5))) : undefined),
  (m, x) => (x.dtype === 'bool' ? m.b.xor(x, partner(m, x)) : m.b.add(x, partner(m, x))),
  (m, x) => (x.dtype === 'bool' ? m.b.and(x, partner(m, x)) : m.b.sub(x, partner(m, x))),
  (m, x) => (x.dtype === 'bool' ? m.b.or(x, partner(m, x)) : m.b.max(m.b.min(x, m.b.scalar(x.dtype, 5)), partner(m, x))),
  (m, x) => (x.dtype === 'bool' ? undefined : m.b.where(m.b.lt(x, partner(m, x)), x, m.b.scalar(x.dtype, 1))),
  (m, x) => m.b.cast(x, pick(m.random, ['f32', 'i32', 'i64', 'u8', 'bool'] as const)),
  (m, x) => {
    const { random, b } = m;
    const count = elementCount(x.shape);
    const divisors = [1, 2, 3, 4, 5, 6, 8].filter((d) => count > 0 && count % d === 0);
    const first = pick(random, divisors.length > 0 ? divisors : [1]);
    return count === 0 ? undefined : b.reshape(x, random(2) === 0 ? [first, count / first] : [count / first, 1, first]);
  },
  (m, x) => {
    const perm = x.shape.map((_, i) => i);
    for (let i = perm.length - 1; i > 0; i--) {
      const j = m.random(i + 1);
      [perm[i], perm[j]] = [perm[j]!, perm[i]!];
    }
    return m.b.transpose(x, perm);
  },
  (m, x) => {
    const parts = x.shape.map((d) => {
      const size = Math.max(1, m.random(d + 1));
      const step = d >= 3 && m.random(2) === 0 && (size - 1) * 2 < d ? 2 : 1;
      const start = m.random(d - (size - 1) * step);
      return m.random(3) === 0 ? { start: start + (size - 1) * step, size, step: -step } : { start, size, step };
    });
    return x.shape.includes(0)
      ? undefined
      : m.b.slice(
          x,
          parts.map((p) => p.start),
          parts.map((p) => p.size),
          parts.map((p) => p.step),
        );
  },
  (m, x) =>
    m.b.pad(
      x,
      x.shape.map(() => m.random(3)),
      x.shape.map(() => m.random(3)),
      m.b.scalar(x.dtype, 1),
    ),
  (m, x) => {
    const axis = axisOf(m, x);
    if (axis === undefined || x.shape[axis]! < 2 || x.shape.length > 3) return undefined;
    return m.b.window(x, [{ axis, size: 2, stride: 1 + m.random(2), dilation: 1 }]);
  },
  (m, x) => {
    const axis = axisOf(m, x);
    return axis === undefined ? undefined : m.b.concat([x, m.random(2) === 0 ? x : x.dtype === 'bool' ? m.b.not(x) : m.b.abs(x), x].slice(0, 2 + m.random(2)), axis);
  },
  (m, x) =>
    m.b.reduce(
      pick(m.random, isFloat(x) || x.dtype === 'bool' ? ['max', 'min'] : ['sum', 'max', 'min']),
      x,
      x.shape.flatMap((_, i) => (m.random(2) === 0 ? [i] : [])),
    ),
  (m, x) => {
    // A row kernel: normalised by the sum of the same row.
    const axis = axisOf(m, x);
    if (axis === undefined || !isFloat(x)) return undefined;
    const centred = m.b.sub(x, m.b.reduce('max', x, [axis]));
    return m.b.add(centred, m.b.reduce('sum', centred, [axis]));
  },
  (m, x) => {
    const axis = axisOf(m, x);
    return axis === undefined || x.shape[axis] === 0 || x.shape.includes(0) ? undefined : m.b.argReduce(pick(m.random, ['max', 'min'] as const), x, axis, m.random(2) === 0);
  },
  (m, x) => {
    // The extreme of each two-dimensional window: its position counts through an axis that is two in memory.
    if (x.shape.length !== 2 || x.shape.some((d) => d < 3)) return undefined;
    const windows = m.b.window(
      x,
      [0, 1].map((axis) => ({ axis, size: 2 + axis, stride: 1, dilation: 1 })),
    );
    return m.b.argReduce('max', m.b.reshape(windows, [...windows.shape.slice(0, 2), 6]), 2, m.random(2) === 0);
  },
  (m, x) => {
    const axis = axisOf(m, x);
    return axis === undefined || x.dtype === 'bool' ? undefined : m.b.scan('sum', x, axis, { exclusive: m.random(2) === 0, reverse: m.random(2) === 0 });
  },
  (m, x) => {
    const axis = axisOf(m, x);
    return axis === undefined ? undefined : m.b.topK(x, axis, m.random(x.shape[axis]! + 1), m.random(2) === 0);
  },
  (m, x) => {
    if (x.shape.length < 2 || x.dtype === 'bool' || x.dtype === 'u8') return undefined;
    const t = x.shape.map((_, i) => i);
    const rank = t.length;
    [t[rank - 2], t[rank - 1]] = [rank - 1, rank - 2];
    return m.b.add(m.b.matmul(x, m.b.transpose(x, t), x.dtype), m.b.scalar(x.dtype, 1));
  },
  (m, x) => {
    if (x.shape.length !== 3 || x.dtype !== 'f32' || x.shape.includes(0)) return undefined;
    const w = m.b.constant(randomTensor(m.random, 'f32', [4, x.shape[1]!, Math.min(2, x.shape[2]!)]));
    return m.b.max(m.b.conv(x, w, { strides: [1 + m.random(2)], dilations: [1], low: [m.random(2)], high: [m.random(2)], groups: 1, acc: 'f32' }), m.b.scalar('f32', 0));
  },
  (m, x) => {
    const axis = axisOf(m, x);
    if (axis === undefined || x.shape.includes(0)) return undefined;
    const shape = x.shape.map((d, i) => (i === axis ? 3 : d));
    const indices = m.b.constant(
      tensorFrom(
        'i64',
        x.shape.map((_, i) => (i === axis ? 3 : 1)),
        [0, -1, m.random(x.shape[axis]!)],
      ),
    );
    return m.b.gather(
      x,
      x.shape.map((_, i) => (i === axis ? { index: 0 } : { axis: i })),
      [indices],
      shape,
    );
  },
  (m, x) => {
    const axis = axisOf(m, x);
    if (axis === undefined || x.shape.includes(0) || x.dtype === 'bool') return undefined;
    const indices = m.b.reshape(
      m.b.argReduce('max', x, axis),
      x.shape.map((d, i) => (i === axis ? 1 : d)),
    );
    const updates = m.b.reduce('max', x, [axis]);
    return m.b.scatter(
      pick(m.random, ['replace', 'add', 'min'] as const),
      x,
      m.b.reshape(updates, indices.shape),
      x.shape.map((_, i) => (i === axis ? { index: 0 } : { axis: i })),
      [indices],
    );
  },
  (m, x) => m.b.iota(x.dtype === 'bool' ? 'i32' : x.dtype, x.shape.length === 0 ? [3] : x.shape, x.shape.length === 0 ? 0 : m.random(x.shape.length)),
];

const MAX_ELEMENTS = 400;

export function randomGraph(seed: number, size = 12): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const random = createRandom(seed);
  const b = createBuilder(createFolder());
  const types = Array.from({ length: 1 + random(3) }, () => {
    const shape = Array.from({ length: 1 + random(3) }, () => pick(random, [1, 2, 3, 4, 6, 9]));
    return { dtype: pick(random, ['f32', 'f32', 'f32', 'i32', 'i64'] as const), shape };
  });
  const inputs = types.map((type, i) => b.input(type, `in${i}`));
  const maker: Maker = { b, random, values: [...inputs, b.constant(randomTensor(random, 'f32', [3, 4]))] };
  for (let i = 0; i < size; i++) {
    const made = pick(random, makers)(maker, pick(random, maker.values));
    const list = made === undefined ? [] : 'name' in made ? [made] : made;
    for (const x of list) if (elementCount(x.shape) <= MAX_ELEMENTS && x.shape.length <= 5) maker.values.push(x);
  }
  const outputs = [maker.values.at(-1)!, ...Array.from({ length: 1 + random(2) }, () => pick(random, maker.values))];
  const graph = b.finish('random', inputs, outputs);
  return { graph, inputs: types.map((t) => randomTensor(random, t.dtype, t.shape)) };
}
