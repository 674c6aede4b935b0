// Views and sources as operators of ONNX: shapes, places and counts become constants.
import { range } from '../../core/integers.ts';
import { tensorFrom, intTensor } from '../../core/tensor.ts';
import { wordLayouts } from '../../core/words.ts';
import type { Value } from '../../graph/graph.ts';
import { codeOfDType } from '../../graph/onnxTypes.ts';
import { call, reshape } from './composer.ts';
import type { Compose, Compositions } from './composer.ts';

/** Before the first element, for steps backwards. */
const BEFORE = -Number.MAX_SAFE_INTEGER;

const slice: Compose<'slice'> = ({ attrs: { starts, sizes, steps } }, [x], c) => {
  const ends = starts.map((start, i) => {
    const end = start + sizes[i]! * steps[i]!;
    return end < 0 ? BEFORE : end;
  });
  return call('Slice', [x!, c.ints(starts), c.ints(ends), c.ints(range(starts.length)), c.ints(steps)]);
};

/** Each window is a gather of a table of places, whose second axis goes behind all others. */
const window: Compose<'window'> = ({ attrs: { windows }, inputs: [data], outputs: [result] }, [x], c) => {
  let value: Value = x!;
  windows.forEach(({ axis, size, stride, dilation }, w) => {
    const count = result!.shape[axis]!;
    const places = intTensor(
      range(count * size).map((i) => Math.floor(i / size) * stride + (i % size) * dilation),
      [count, size],
    );
    const gathered = c.value(call('Gather', [value, c.constant(places)], { axis }));
    const rank = data!.shape.length + w + 1;
    value = c.value(call('Transpose', [gathered], { perm: [...range(rank).filter((a) => a !== axis + 1), axis + 1] }));
  });
  return call('Identity', [value]);
};

const iota: Compose<'iota'> = ({ attrs: { shape, axis }, outputs: [y] }, _, c) => {
  const line = shape.map((n, i) => (i === axis ? n : 1));
  return call('Expand', [c.constant(tensorFrom(y!.dtype, line, range(shape[axis]!))), c.ints(shape)]);
};

const words: Compose<'words'> = ({ attrs: { parts, axis }, inputs: [data] }, [x], c) => {
  const { count, bits } = wordLayouts[parts];
  const unsigned = bits === 8 ? 'u8' : 'u16';
  const whole = data!.dtype === unsigned ? x! : c.value(call('BitCast', [x!], { to: codeOfDType(unsigned) }));
  const part = (i: number): Value => {
    const own = c.cast(c.value(call('Slice', [whole, c.ints([i]), c.ints([data!.shape[axis]!]), c.ints([axis]), c.ints([count])])), 'u32');
    return i === 0 ? own : c.value(call('BitShift', [own, c.scalar('u32', i * bits)], { direction: 'LEFT' }));
  };
  const word = range(count)
    .map(part)
    .reduce((a, b) => c.value(call('BitwiseOr', [a, b])));
  return call('BitCast', [word], { to: codeOfDType('i32') });
};

type View = 'iota' | 'reshape' | 'transpose' | 'expand' | 'slice' | 'pad' | 'window' | 'words' | 'concat';

export const views: Pick<Compositions, View> = {
  iota,
  reshape: ({ attrs: { shape } }, [x], c) => reshape(c, x!, shape),
  transpose: ({ attrs: { perm } }, [x]) => call('Transpose', [x!], { perm }),
  expand: ({ attrs: { shape } }, [x], c) => call('Expand', [x!, c.ints(shape)]),
  slice,
  pad: ({ attrs: { low, high } }, [x, value], c) => call('Pad', [x!, c.ints([...low, ...high]), value!]),
  window,
  words,
  concat: ({ attrs: { axis } }, inputs) => call('Concat', inputs, { axis }),
};
