// A softmax between two products as one kernel, found from the primitives: interpreted against the reference, and left alone where it is
// something else or does not fit.
import { describe, expect, it } from 'vitest';
import { numeric } from '../../src/core/tensor.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { cudaLeast } from '../../src/targets/cuda/facts.ts';
import { createRandom, randomTensor } from './randomGraph.ts';
import { createCapabilities, createSimtCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';

const capabilities = createSimtCapabilities({ units: 4, sharedBytes: 48 << 10 });

interface Problem {
  readonly shapes: readonly (readonly number[])[];
  readonly dtype?: NumericDType;
  readonly build: (b: Builder, inputs: readonly Operand[]) => Operand;
}
const graphOf = ({ shapes, dtype = 'f32', build }: Problem): PrimGraph => {
  const b = createBuilder(createFolder());
  const inputs = shapes.map((shape, i) => b.input({ dtype, shape }, `x${i}`));
  return b.finish('attention', inputs, [build(b, inputs)]);
};
const namesOf = (graph: PrimGraph, on: Capabilities = capabilities): string[] => {
  const { module } = scheduleGraph(graph, on);
  return module.run.map((call) => module.kernels[call.kernel]!.name.replace(/_\d+$/, ''));
};

const softmax = (b: Builder, x: Operand): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [x.shape.length - 1])));
  return b.div(e, b.reduce('sum', e, [x.shape.length - 1]));
};
/** A row of −∞ alone gives zeros. */
const guarded = (b: Builder, x: Operand): Operand => {
  const [axis, scalar] = [x.shape.length - 1, (value: number): Operand => b.scalar(x.dtype, value)];
  const largest = b.reduce('max', x, [axis]);
  const e = b.exp(b.sub(x, b.where(b.eq(largest, scalar(-Infinity)), scalar(0), largest)));
  const sum = b.reduce('sum', e, [axis]);
  return b.div(e, b.where(b.eq(sum, scalar(0)), scalar(1), sum));
};
const turned = (b: Builder, x: Operand): Operand =>
  b.transpose(
    x,
    x.shape.map((_, i, { length }) => (i < length - 2 ? i : i === length - 1 ? length - 2 : length - 1)),
  );
const scores = (b: Builder, q: Operand, k: Operand): Operand => b.mul(b.matmul(q, turned(b, k)), b.scalar('f32', 0.3));

const one: Readonly<Record<string, Problem>> = {
  heads: {
    shapes: [
      [2, 3, 24, 16],
      [2, 3, 70, 16],
      [2, 3, 70, 20],
    ],
    build: (b, [q, k, v]) => b.matmul(softmax(b, scores(b, q!, k!)), v!),
  },
  'one matrix, whose ends fill no tile': {
    shapes: [
      [37, 9],
      [45, 9],
      [45, 33],
    ],
    build: (b, [q, k, v]) => b.matmul(softmax(b, scores(b, q!, k!)), v!),
  },
  'fewer keys than a tile': {
    shapes: [
      [2, 32, 16],
      [2, 10, 16],
      [2, 10, 16],
    ],
    build: (b, [q, k, v]) => b.matmul(softmax(b, scores(b, q!, k!)), v!),
  },
  'keys that are not turned, and work behind': {
    shapes: [
      [2, 32, 16],
      [2, 16, 40],
      [2, 40, 16],
      [2, 32, 16],
    ],
    build: (b, [q, k, v, r]) => b.max(b.add(b.matmul(softmax(b, b.matmul(q!, k!)), v!), r!), b.scalar('f32', 0)),
  },
  'a mask that is added': {
    shapes: [
      [2, 2, 20, 8],
      [2, 2, 50, 8],
      [2, 2, 50, 8],
      [2, 1, 20, 50],
    ],
    build: (b, [q, k, v, mask]) => b.matmul(softmax(b, b.add(scores(b, q!, k!), mask!)), v!),
  },
  'keys that a row may not see, and rows that see none': {
    shapes: [
      [2, 40, 8],
      [2, 40, 8],
      [2, 40, 8],
    ],
    build: (b, [q, k, v]) => {
      const place = (axis: number): Operand => b.reshape(b.iota('i32', [40], 0), axis === 1 ? [1, 40, 1] : [1, 1, 40]);
      const seen = b.lt(place(2), b.sub(place(1), b.scalar('i32', 3)));
      return b.matmul(guarded(b, b.where(seen, scores(b, q!, k!), b.scalar('f32', -Infinity))), v!);
    },
  },
  'scores that are bent': {
    shapes: [
      [2, 32, 16],
      [2, 40, 16],
      [2, 40, 16],
    ],
    build: (b, [q, k, v]) => b.matmul(softmax(b, b.tanh(scores(b, q!, k!))), v!),
  },
  'heads that lie between others': {
    shapes: [
      [1, 40, 2, 8],
      [1, 40, 2, 8],
      [1, 40, 2, 8],
    ],
    build: (b, inputs) => {
      const [q, k, v] = inputs.map((x) => b.transpose(x, [0, 2, 1, 3]));
      return b.reshape(b.transpose(b.matmul(softmax(b, scores(b, q!, k!)), v!), [0, 2, 1, 3]), [40, 16]);
    },
  },
};

/** Caches so small that keys come in several blocks, the last of them shorter; and such that all are one block. */
const cores = {
  'small caches': createCapabilities({ vectorLanes: 4, pointerBytes: 4, l1Bytes: 1 << 10, l2Bytes: 1 << 12 }),
  'long vectors': createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }),
};

/** Heads that share keys and values, which are repeated by views; a cache before them, and masks by place. */
const grouped: Problem = {
  shapes: [
    [2, 9, 4, 8],
    [2, 2, 21, 8],
    [2, 9, 2, 8],
    [2, 2, 30, 8],
  ],
  build: (b, [q, past, k, v]) => {
    const repeat = (x: Operand): Operand => b.reshape(b.expand(b.reshape(x, [2, 2, 1, 30, 8]), [2, 2, 2, 30, 8]), [2, 4, 30, 8]);
    const [query, fresh] = [q!, k!].map((x) => b.transpose(x, [0, 2, 1, 3]));
    const keys = b.concat([past!, fresh!], 2);
    const place = (size: number, axis: number): Operand => b.reshape(b.iota('i32', [size], 0), axis === 2 ? [1, 1, size, 1] : [1, 1, 1, size]);
    const seen = b.le(place(30, 3), b.add(place(9, 2), b.scalar('i32', 21)));
    const masked = b.where(seen, scores(b, query!, repeat(keys)), b.scalar('f32', -Infinity));
    return b.reshape(b.transpose(b.matmul(softmax(b, masked), repeat(v!)), [0, 2, 1, 3]), [2, 9, 32]);
  },
};

describe('a softmax between two products, on cores with vectors', () => {
  const cases = Object.entries(cores).flatMap(([machine, on]) => Object.entries(one).map(([name, problem]) => ({ machine, on, name, problem })));
  it.each(Object.entries(cores))('reads what heads share where it lies: %s', (_, on) => {
    const graph = graphOf(grouped);
    const names = namesOf(graph, on);
    expect(names.filter((name) => name !== 'map')).toEqual(['attention']);
    const schedule = scheduleGraph(graph, on);
    expect(problemsOf(graph, schedule)).toEqual([]);
    const inputs = graph.inputs.map((x, i) => numeric(randomTensor(createRandom(i), x.dtype, x.shape)));
    expectClose(interpretSchedule(graph, schedule, inputs)[0]!, interpretPrims(graph, inputs)[0]!, 'shared heads', 1e-3);
  });
  it.each(cases)(
    'is one kernel: $name, $machine',
    ({ on, name, problem }) => {
      const graph = graphOf(problem);
      expect(namesOf(graph, on)).toEqual(['attention']);
      const schedule = scheduleGraph(graph, on);
      expect(problemsOf(graph, schedule)).toEqual([]);
      const inputs = graph.inputs.map((x, i) => numeric(randomTensor(createRandom(i + name.length), x.dtype, x.shape)));
      const expected = interpretPrims(graph, inputs)[0]!;
      expectClose(interpretSchedule(graph, schedule, inputs, 'backward')[0]!, expected, name, 1e-3);
      expectClose(interpretSchedule(graph, schedule, inputs, 'forward', lowered(schedule.module))[0]!, expected, name, 1e-3);
    },
    60_000,
  );
  it('is left alone where few rows share their keys', () => {
    const few: Problem = {
      shapes: [
        [6, 2, 16],
        [6, 40, 16],
        [6, 40, 16],
      ],
      build: (b, [x, y, z]) => b.matmul(softmax(b, scores(b, x!, y!)), z!),
    };
    expect(namesOf(graphOf(few), cores['long vectors'])).not.toContain('attention');
  });
});

describe('a softmax between two products', () => {
  it.each(Object.entries(one))(
    'is one kernel: %s',
    (name, problem) => {
      const graph = graphOf(problem);
      expect(namesOf(graph)).toEqual(['attention']);
      const schedule = scheduleGraph(graph, capabilities);
      expect(problemsOf(graph, schedule)).toEqual([]);
      const inputs = graph.inputs.map((x, i) => numeric(randomTensor(createRandom(i + name.length), x.dtype, x.shape)));
      const expected = interpretPrims(graph, inputs)[0]!;
      expectClose(interpretSchedule(graph, schedule, inputs, 'backward')[0]!, expected, name, 1e-3);
      expectClose(interpretSchedule(graph, schedule, inputs, 'forward', lowered(schedule.module))[0]!, expected, name, 1e-3);
    },
    120_000,
  );

  it('keeps infinities to their rows and columns', () => {
    const graph = graphOf({
      shapes: [
        [32, 8],
        [40, 8],
        [40, 8],
      ],
      build: (b, [x, y, z]) => b.matmul(softmax(b, scores(b, x!, y!)), z!),
    });
    const inputs = graph.inputs.map((x, i) => numeric(randomTensor(createRandom(i), x.dtype, x.shape)));
    inputs[0]!.data[8 * 3] = NaN;
    inputs[2]!.data[8 * 39 + 5] = Infinity;
    const schedule = scheduleGraph(graph, capabilities);
    expect(schedule.module.kernels).toHaveLength(1);
    expectClose(interpretSchedule(graph, schedule, inputs)[0]!, interpretPrims(graph, inputs)[0]!, 'infinities', 1e-3);
  });

  const [q, k, v] = [
    [2, 32, 16],
    [2, 40, 16],
    [2, 40, 16],
  ];
  const plain: Problem = { shapes: [q!, k!, v!], build: (b, [x, y, z]) => b.matmul(softmax(b, scores(b, x!, y!)), z!) };
  it('is left alone where it is not quite one', () => {
    const others: Readonly<Record<string, Problem['build']>> = {
      'another function': (b, [x, y, z]) => {
        const s = scores(b, x!, y!);
        const e = b.exp(b.sub(s, b.reduce('min', s, [2])));
        return b.matmul(b.div(e, b.reduce('sum', e, [2])), z!);
      },
      'divided by something else': (b, [x, y, z]) => {
        const s = scores(b, x!, y!);
        const e = b.exp(b.sub(s, b.reduce('max', s, [2])));
        return b.matmul(b.div(e, b.add(b.reduce('sum', e, [2]), b.scalar('f32', 1))), z!);
      },
      'along the other axis': (b, [x, y, z]) => b.matmul(turned(b, softmax(b, turned(b, scores(b, x!, y!)))), z!),
      'a row scaled by a value of its own': (b, [x, y, z]) => {
        const s = scores(b, x!, y!);
        return b.matmul(softmax(b, b.mul(s, b.reduce('max', s, [2]))), z!);
      },
    };
    for (const [name, build] of Object.entries(others)) {
      const graph = graphOf({ shapes: plain.shapes, build });
      expect(namesOf(graph), name).not.toContain('attention');
    }
  });
  it('is left alone where the scores are wanted too', () => {
    const b = createBuilder(createFolder());
    const [x, y, z] = [q!, k!, v!].map((shape, i) => b.input({ dtype: 'f32', shape }, `x${i}`));
    const weights = softmax(b, scores(b, x!, y!));
    expect(namesOf(b.finish('attention', [x!, y!, z!], [b.matmul(weights, z!), weights]))).not.toContain('attention');
  });
  it('is left alone where the machine does better, or has no shuffles', () => {
    expect(namesOf(graphOf(plain))).toContain('attention');
    expect(namesOf(graphOf(plain), createSimtCapabilities({ shuffleThreads: 1 }))).not.toContain('attention');
    expect(namesOf(graphOf(plain), createSimtCapabilities({ sharedBytes: 48 << 10, units: 100 }))).not.toContain('attention');
    expect(namesOf(graphOf({ ...plain, shapes: [[2, 1, 16], k!, v!] }))).not.toContain('attention');
    const halves: Problem = {
      shapes: [
        [2, 128, 64],
        [2, 128, 64],
        [2, 128, 64],
      ],
      dtype: 'f16',
      build: (b, [x, y, z]) => b.matmul(b.cast(softmax(b, b.matmul(x!, turned(b, y!), 'f32')), 'f16'), z!, 'f32'),
    };
    expect(namesOf(graphOf(halves))).toContain('attention');
    expect(namesOf(graphOf(halves), createSimtCapabilities({ sharedBytes: 48 << 10, matrixUnits: cudaLeast.matrixUnitsOf('sm_80') }))).not.toContain('attention');
  });
});
