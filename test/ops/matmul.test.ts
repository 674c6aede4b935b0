// The matmul family: values from the specification, and decompositions against the reference.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { elementCount } from '../../src/core/shape.ts';
import { intTensor, tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createSource, decomposed, expectAgreement, numbers, primitivesOf, reference } from './rules.ts';

const random = createSource(5);
const f32 = (shape: readonly number[], values: readonly number[]): NumericTensor => tensorFrom('f32', shape, values);
const count = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 4));
};

describe('MatMul', () => {
  it('multiplies by the rules of NumPy', () => {
    expect(numbers({ op: 'MatMul', inputs: [f32([2, 2], [1, 2, 3, 4]), f32([2], [5, 6])] })).toEqual({ shape: [2], values: [17, 39] });
    expect(numbers({ op: 'MatMul', inputs: [f32([2], [5, 6]), f32([2, 2], [1, 2, 3, 4])] })).toEqual({ shape: [2], values: [23, 34] });
    expect(numbers({ op: 'MatMul', inputs: [f32([2], [1, 2]), f32([2], [3, 4])] })).toEqual({ shape: [], values: [11] });
  });
  it.each([
    [[3], [3]],
    [[3], [3, 2]],
    [[4, 3], [3]],
    [
      [4, 3],
      [3, 5],
    ],
    [
      [2, 4, 3],
      [3, 5],
    ],
    [[2, 4, 3], [3]],
    [[3], [2, 3, 5]],
    [
      [2, 1, 4, 3],
      [5, 3, 2],
    ],
    [
      [1, 4, 3],
      [2, 2, 3, 2],
    ],
    [
      [2, 0, 3],
      [3, 4],
    ],
    [
      [2, 0],
      [0, 3],
    ],
  ])('%j × %j', (a, b) => {
    for (const dtype of ['f32', 'f16', 'bf16', 'f64', 'i32', 'u32', 'i64', 'u64'] as const)
      expectAgreement({ op: 'MatMul', inputs: [random(dtype, a, -9, 9), random(dtype, b, -9, 9)] });
  });
  it('refuses inner dimensions that differ', () => {
    expect(() => decomposed({ op: 'MatMul', inputs: [random('f32', [2, 3]), random('f32', [2, 3])] })).toThrow(AnychipError);
    expect(() => reference({ op: 'MatMul', inputs: [random('f32', []), random('f32', [2, 3])] })).toThrow(AnychipError);
  });
});

describe('Gemm', () => {
  it('scales and adds', () => {
    const inputs = [f32([2, 1], [1, 2]), f32([2, 2], [1, 2, 3, 4]), f32([2], [10, 20])];
    expect(numbers({ op: 'Gemm', attrs: { transA: 1, alpha: 2, beta: 0.5 }, inputs })).toEqual({ shape: [1, 2], values: [14 + 5, 20 + 10] });
  });
  it('agrees', () => {
    for (const dtype of ['f32', 'f16', 'f64', 'i32', 'u64'] as const) {
      for (const [transA, transB] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ] as const) {
        for (const shape of [null, [], [5], [4, 1], [4, 5]]) {
          const low = dtype === 'u64' ? 0 : -5;
          const c = shape === null ? null : random(dtype, shape, low, 5);
          const inputs = [random(dtype, transA === 1 ? [3, 4] : [4, 3], low, 5), random(dtype, transB === 1 ? [5, 3] : [3, 5], low, 5), c];
          expectAgreement({ op: 'Gemm', attrs: { transA, transB, alpha: 0.5, beta: 2 }, inputs });
          expectAgreement({ op: 'Gemm', attrs: { transA, transB, beta: 0 }, inputs });
        }
      }
    }
  });
});

describe('Einsum', () => {
  it('reads equations', () => {
    const x = f32([2, 2], [1, 2, 3, 4]);
    expect(numbers({ op: 'Einsum', attrs: { equation: 'ii' }, inputs: [x] })).toEqual({ shape: [], values: [5] });
    expect(numbers({ op: 'Einsum', attrs: { equation: 'ba' }, inputs: [x] }).values).toEqual([1, 3, 2, 4]);
    expect(numbers({ op: 'Einsum', attrs: { equation: 'ij->i' }, inputs: [x] }).values).toEqual([3, 7]);
    expect(numbers({ op: 'Einsum', attrs: { equation: 'i,j' }, inputs: [f32([2], [1, 2]), f32([2], [3, 4])] }).values).toEqual([3, 4, 6, 8]);
  });
  const cases: readonly { readonly equation: string; readonly shapes: readonly (readonly number[])[] }[] = [
    { equation: 'ij->ji', shapes: [[3, 4]] },
    { equation: 'ii->i', shapes: [[4, 4]] },
    { equation: 'iij->j', shapes: [[3, 3, 2]] },
    { equation: 'i...->...', shapes: [[3, 2, 4]] },
    { equation: '...ii->...i', shapes: [[2, 3, 3]] },
    {
      equation: 'bij, bjk -> bik',
      shapes: [
        [2, 3, 4],
        [2, 4, 5],
      ],
    },
    {
      equation: '...ij,...jk->...ik',
      shapes: [
        [3, 1, 2, 4],
        [5, 4, 3],
      ],
    },
    {
      equation: '...ij,jk',
      shapes: [
        [2, 3, 4],
        [4, 5],
      ],
    },
    { equation: 'i,i', shapes: [[4], [4]] },
    { equation: 'i,j->ij', shapes: [[4], [3]] },
    {
      equation: 'ij,ij->',
      shapes: [
        [4, 3],
        [4, 3],
      ],
    },
    {
      equation: 'bhqd,bhkd->bhqk',
      shapes: [
        [2, 3, 4, 5],
        [2, 3, 6, 5],
      ],
    },
    {
      equation: 'ab,bc,cd->ad',
      shapes: [
        [2, 3],
        [3, 4],
        [4, 5],
      ],
    },
    {
      equation: 'ab,ac,ad->bcd',
      shapes: [
        [3, 2],
        [3, 4],
        [3, 2],
      ],
    },
    { equation: 'a,ab,abc->abc', shapes: [[2], [2, 3], [2, 3, 4]] },
    {
      equation: 'ij,kj->ikj',
      shapes: [
        [2, 3],
        [4, 3],
      ],
    },
    {
      equation: 'ij,jk->ik',
      shapes: [
        [2, 1],
        [3, 4],
      ],
    },
    {
      equation: 'aab,bc->ac',
      shapes: [
        [3, 3, 2],
        [2, 4],
      ],
    },
    { equation: '...,...->...', shapes: [[2, 3], [3]] },
    { equation: 'ijk,k->', shapes: [[2, 3, 4], [4]] },
    {
      equation: 'Ab,bA',
      shapes: [
        [2, 3],
        [3, 2],
      ],
    },
    { equation: ',a->a', shapes: [[], [3]] },
  ];
  it.each(cases)('$equation', ({ equation, shapes }) => {
    for (const dtype of ['f32', 'f16', 'i32', 'i64', 'u8'] as const)
      expectAgreement({ op: 'Einsum', attrs: { equation }, inputs: shapes.map((shape) => random(dtype, shape, -3, 3)) });
  });
  it('contracts by matrix products', () => {
    expect(primitivesOf({ op: 'Einsum', attrs: { equation: 'bij,bjk->bik' }, inputs: [random('f32', [2, 3, 4]), random('f32', [2, 4, 5])] })).toEqual(['matmul']);
  });
  it('refuses what is no equation', () => {
    const x = random('f32', [2, 3]);
    for (const equation of ['ij->k', 'ij->ii', 'i1->i', 'ijk', 'ij,jk', 'ij->i->j', '....ij']) {
      expect(() => reference({ op: 'Einsum', attrs: { equation }, inputs: [x] })).toThrow(AnychipError);
    }
    expect(() => decomposed({ op: 'Einsum', attrs: { equation: 'ij,ik' }, inputs: [x, random('f32', [3, 2])] })).toThrow(AnychipError);
  });
});

describe('Det', () => {
  it('eliminates with pivots', () => {
    close(numbers({ op: 'Det', inputs: [f32([2, 2], [0, 1, 2, 3])] }).values, [-2]);
    close(numbers({ op: 'Det', inputs: [f32([3, 3], [2, 0, 1, 1, 3, 2, 1, 1, 4])] }).values, [18]);
    close(numbers({ op: 'Det', inputs: [f32([2, 2], [1, 2, 2, 4])] }).values, [0]);
  });
  it('agrees', () => {
    for (const n of [0, 1, 2, 3, 5, 8]) expectAgreement({ op: 'Det', inputs: [random('f32', [2, 3, n, n], -2, 2)] }, 1e-3);
    expectAgreement({ op: 'Det', inputs: [f32([3, 3], [0, 0, 1, 0, 2, 0, 3, 0, 0])] });
    expect(decomposed({ op: 'Det', inputs: [random('f32', [40, 40])] })).toMatch(/40/);
  });
});

describe('Attention', () => {
  it('weighs values by keys', () => {
    const inputs = [f32([1, 1, 1, 1], [1]), f32([1, 1, 2, 1], [0, Math.log(3)]), f32([1, 1, 2, 2], [0, 4, 4, 8]), null, null, null, null];
    close(numbers({ op: 'Attention', inputs }).values, [3, 7]);
    close(numbers({ op: 'Attention', attrs: { qk_matmul_output_mode: 3 }, inputs, outputs: 4 }, 3).values, [0.25, 0.75]);
    close(numbers({ op: 'Attention', attrs: { is_causal: 1 }, inputs }).values, [0, 4]);
  });
  it('gives zeros to queries that see nothing', () => {
    const inputs = [f32([1, 1, 2, 1], [1, 1]), f32([1, 1, 2, 1], [1, 2]), f32([1, 1, 2, 1], [5, 5]), tensorFrom('bool', [2, 2], [0, 0, 1, 1])];
    close(numbers({ op: 'Attention', inputs }).values, [0, 5]);
    expectAgreement({ op: 'Attention', inputs });
  });
  const full = {
    inputs: [
      [2, 6, 3, 4],
      [2, 2, 5, 4],
      [2, 2, 5, 3],
    ],
    attrs: {},
  } as const;
  const flat = {
    inputs: [
      [2, 3, 24],
      [2, 5, 8],
      [2, 5, 6],
    ],
    attrs: { q_num_heads: 6, kv_num_heads: 2 },
  } as const;
  it.each([
    ['4-D', full],
    ['3-D', flat],
  ] as const)('agrees on %s operands', (_, { inputs: shapes, attrs: heads }) => {
    for (const dtype of ['f32', 'f16', 'f64'] as const) {
      const operands = shapes.map((shape) => random(dtype, shape));
      const masks = [null, random(dtype, [3, 5]), random(dtype, [2, 1, 3, 5]), random(dtype, [6, 1, 4]), random('bool', [2, 6, 3, 5], 0, 2), random('bool', [3, 3], 0, 2)];
      for (const mask of masks) {
        for (const qk_matmul_output_mode of [0, 1, 2, 3]) {
          const attrs = { ...heads, qk_matmul_output_mode };
          expectAgreement({ op: 'Attention', attrs, inputs: [...operands, mask], outputs: 4 });
          expectAgreement({ op: 'Attention', attrs: { ...attrs, is_causal: 1, softcap: 0.7, scale: 0.3 }, inputs: [...operands, mask], outputs: 4 });
        }
        expectAgreement({ op: 'Attention', attrs: { ...heads, left_window_size: 1, right_window_size: 2 }, inputs: [...operands, mask] });
      }
    }
  });
  it('appends to the past', () => {
    const past = [random('f32', [2, 2, 4, 4]), random('f32', [2, 2, 4, 3])];
    for (const { inputs: shapes, attrs } of [full, flat]) {
      const operands = shapes.map((shape) => random('f32', shape));
      for (const is_causal of [0, 1]) expectAgreement({ op: 'Attention', attrs: { ...attrs, is_causal }, inputs: [...operands, random('f32', [3, 9]), ...past], outputs: 4 });
      const call = { op: 'Attention', attrs, inputs: [...operands, null, ...past], outputs: 4 } as const;
      expect(numbers(call, 1).shape).toEqual([2, 2, 9, 4]);
      expect(numbers(call, 2).shape).toEqual([2, 2, 9, 3]);
    }
  });
  it('looks at filled places of a cache only', () => {
    const operands = full.inputs.map((shape) => random('f32', shape));
    for (const is_causal of [0, 1]) {
      for (const lengths of [
        [4, 5],
        [1, 3],
      ]) {
        const call = { op: 'Attention', attrs: { is_causal }, inputs: [...operands, null, null, null, intTensor(lengths)], outputs: 1 } as const;
        expectAgreement(call);
        expectAgreement({ ...call, attrs: { is_causal, left_window_size: 1 } });
      }
    }
    // Query i of 3 sees keys up to i + 1 − 3: only the last one sees the only key.
    const inputs = [f32([1, 1, 3, 1], [1, 1, 1]), f32([1, 1, 2, 1], [1, 1]), f32([1, 1, 2, 1], [7, 9]), null, null, null, intTensor([1])];
    expect(numbers({ op: 'Attention', attrs: { is_causal: 1 }, inputs }).values).toEqual([0, 0, 7]);
  });
  it('refuses heads and caches that do not fit', () => {
    const operands = full.inputs.map((shape) => random('f32', shape));
    expect(() => decomposed({ op: 'Attention', inputs: [random('f32', [2, 5, 3, 4]), ...operands.slice(1)] })).toThrow(/heads/);
    expect(() => decomposed({ op: 'Attention', inputs: [...operands, null, random('f32', [2, 2, 4, 4])] })).toThrow(/together/);
    expect(() => reference({ op: 'Attention', inputs: [...operands, random('f32', [4, 5])] })).toThrow(/attn_mask/);
    expect(() => reference({ op: 'Attention', inputs: flat.inputs.map((shape) => random('f32', shape)) })).toThrow(/num_heads/);
  });
});

describe('RotaryEmbedding', () => {
  it('turns pairs', () => {
    const inputs = [f32([1, 1, 1, 4], [1, 2, 3, 4]), f32([1, 1, 2], [0, 1]), f32([1, 1, 2], [1, 0]), null];
    expect(numbers({ op: 'RotaryEmbedding', inputs }).values).toEqual([-3, 2, 1, 4]);
    expect(numbers({ op: 'RotaryEmbedding', attrs: { interleaved: 1 }, inputs }).values).toEqual([-2, 1, 3, 4]);
  });
  it('agrees', () => {
    for (const dtype of ['f32', 'f16'] as const) {
      for (const [shape, num_heads] of [
        [[2, 3, 4, 8], 0],
        [[2, 4, 24], 3],
      ] as const) {
        for (const interleaved of [0, 1]) {
          for (const rotary_embedding_dim of [0, 4]) {
            const half = rotary_embedding_dim === 0 ? 4 : 2;
            const attrs = { interleaved, num_heads, rotary_embedding_dim };
            const positions = intTensor(
              count(elementCount([2, 4])).map((i) => (i * 3) % 10),
              [2, 4],
            );
            expectAgreement({ op: 'RotaryEmbedding', attrs, inputs: [random(dtype, shape), random(dtype, [10, half]), random(dtype, [10, half]), positions] });
            expectAgreement({ op: 'RotaryEmbedding', attrs, inputs: [random(dtype, shape), random(dtype, [2, 4, half]), random(dtype, [2, 4, half]), null] });
          }
        }
      }
    }
  });
  it('refuses positions beyond the caches', () => {
    const cache = random('f32', [2, 2]);
    expect(() => reference({ op: 'RotaryEmbedding', inputs: [random('f32', [1, 1, 1, 4]), cache, cache, intTensor([5], [1, 1])] })).toThrow(/position 5/);
  });
});

describe('LinearAttention', () => {
  const heads = { q_num_heads: 4, kv_num_heads: 2 };
  const [batch, steps, keySize, valueSize] = [2, 5, 3, 4];
  const shapes = { q: [batch, steps, 4 * keySize], k: [batch, steps, 2 * keySize], v: [batch, steps, 2 * valueSize], past: [batch, 2, keySize, valueSize] };
  it.each([
    ['linear', undefined, undefined],
    ['gated', 2 * keySize, undefined],
    ['gated', 2, undefined],
    ['delta', undefined, 1],
    ['gated_delta', 2, 2],
  ] as const)('agrees on %s with decays %s and rates %s', (update_rule, decays, rates) => {
    for (const past of [null, random('f32', shapes.past)]) {
      const decay = decays === undefined ? null : random('f32', [batch, steps, decays], -1, 0);
      const beta = rates === undefined ? null : random('f32', [batch, steps, rates], 0, 1);
      const inputs = [random('f32', shapes.q), random('f32', shapes.k), random('f32', shapes.v), past, decay, beta];
      expectAgreement({ op: 'LinearAttention', attrs: { ...heads, update_rule }, inputs, outputs: 2 });
    }
  });
  it('with the rule linear is attention without softmax to what came before', () => {
    const one = { q_num_heads: 1, kv_num_heads: 1, scale: 1, update_rule: 'linear' };
    const [q, k, v] = [tensorFrom('f32', [1, 2, 2], [1, 2, 3, 4]), tensorFrom('f32', [1, 2, 2], [1, 0, 1, 1]), tensorFrom('f32', [1, 2, 1], [10, 100])];
    // Step 0: q₀·k₀ = 1 → 10. Step 1: q₁·k₀ = 3 and q₁·k₁ = 7 → 30 + 700.
    expect(numbers({ op: 'LinearAttention', attrs: one, inputs: [q, k, v], outputs: 2 }).values).toEqual([10, 730]);
    expect(numbers({ op: 'LinearAttention', attrs: one, inputs: [q, k, v], outputs: 2 }, 1)).toEqual({ shape: [1, 1, 2, 1], values: [110, 100] });
    expect(() => numbers({ op: 'LinearAttention', attrs: { ...one, update_rule: 'gated' }, inputs: [q, k, v], outputs: 2 })).toThrow(/decay/);
  });
});
