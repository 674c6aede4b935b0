// Nets that look at images, with random weights: the layers of VGG, Inception, MobileNet and ResNet as their papers have them, batch
// normalisations folded into the convolutions before them, as exporters do. Sizes can be made small for tests.
import type { Value } from '../../src/graph/graph.ts';
import { Net } from './net.ts';
import type { Built } from './net.ts';

/** How layers are written: in floats, or as products of bytes between DequantizeLinear and QuantizeLinear (quantised.ts). */
export interface Style {
  /** A weight of random numbers in [-spread, spread); filters are the first axis. */
  weight(net: Net, shape: readonly number[], spread: number): Value;
  /** A vector that is added to results of products with weights of that spread. */
  bias(net: Net, length: number, spread: number): Value;
  /** What layers hand on; `isPositive` behind ReLU. */
  handOn(net: Net, x: Value, isPositive: boolean): Value;
}

export const floats: Style = {
  weight: (net, shape, spread) => net.weight(shape, spread),
  bias: (net, length) => net.weight([length], 0.1),
  handOn: (_, x) => x,
};

type Pair = readonly [number, number];
type Activation = 'relu' | 'relu6' | 'none';

interface ConvOptions {
  readonly kernel?: number | Pair;
  readonly stride?: number;
  readonly groups?: number;
  readonly activation?: Activation;
}

/** A tensor of images and how many channels it has. */
interface Maps {
  readonly value: Value;
  readonly channels: number;
}

/** Variance that a layer keeps: behind ReLU half of it is gone (He et al., "Delving Deep into Rectifiers", 2015). */
const spreadFor = (fanIn: number): number => Math.sqrt(6 / fanIn);

class ImageNet {
  readonly net: Net;
  readonly #style: Style;

  constructor(name: string, style: Style) {
    this.net = new Net(name);
    this.#style = style;
  }

  images(size: number): Maps {
    return { value: this.#style.handOn(this.net, this.net.input('images', 'f32', [1, 3, size, size]), true), channels: 3 };
  }

  conv({ value, channels }: Maps, filters: number, { kernel = 1, stride = 1, groups = 1, activation = 'relu' }: ConvOptions = {}): Maps {
    const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    const [up, left] = [(height - 1) >> 1, (width - 1) >> 1];
    const spread = spreadFor((channels / groups) * height * width);
    const weight = this.#style.weight(this.net, [filters, channels / groups, height, width], spread);
    const attrs = { kernel_shape: [height, width], pads: [up, left, up, left], strides: [stride, stride], dilations: [1, 1], group: groups };
    const sums = this.net.op('Conv', [value, weight, this.#style.bias(this.net, filters, spread)], attrs);
    return { value: this.#style.handOn(this.net, this.#activate(sums, activation), activation !== 'none'), channels: filters };
  }

  #activate(x: Value, activation: Activation): Value {
    if (activation === 'none') return x;
    return activation === 'relu' ? this.net.op('Relu', [x]) : this.net.op('Clip', [x, this.net.scalar('f32', 0), this.net.scalar('f32', 6)]);
  }

  add(a: Maps, b: Maps, activation: Activation = 'none'): Maps {
    const sum = this.#activate(this.net.op('Add', [a.value, b.value]), activation);
    return { value: this.#style.handOn(this.net, sum, activation !== 'none'), channels: a.channels };
  }

  maxPool({ value, channels }: Maps, kernel: number, stride: number, pad = 0): Maps {
    const attrs = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1] };
    return { value: this.net.op('MaxPool', [value], attrs), channels };
  }

  averagePool({ value, channels }: Maps): Maps {
    return { value: this.net.op('AveragePool', [value], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], count_include_pad: 1 }), channels };
  }

  concat(parts: readonly Maps[]): Maps {
    const value = this.net.op(
      'Concat',
      parts.map((part) => part.value),
      { axis: 1 },
    );
    return { value, channels: parts.reduce((sum, { channels }) => sum + channels, 0) };
  }

  /** Classes from the mean over each channel. */
  classify({ value, channels }: Maps, classes: number): Built {
    const pooled = this.#style.handOn(this.net, this.net.op('Flatten', [this.net.op('GlobalAveragePool', [value])], { axis: 1 }), true);
    const spread = spreadFor(channels);
    const weight = this.#style.weight(this.net, [classes, channels], spread);
    this.net.output('classes', this.net.op('Gemm', [pooled, weight, this.#style.bias(this.net, classes, spread)], { transB: 1 }), 'f32', [1, classes]);
    return this.net.build();
  }
}

/** How large a net is: `width` divides the numbers of channels. */
export interface ImageSize {
  readonly size: number;
  readonly width?: number;
  readonly classes?: number;
}

/** The 13 convolutions of 3×3 of VGG-16 (Simonyan & Zisserman, 2014), without its large layers of classes. */
export function vggLike({ size, width = 1, classes = 1000 }: ImageSize): Built {
  const n = new ImageNet('VGG-like', floats);
  let x = n.images(size);
  for (const [filters, count] of [[64, 2], [128, 2], [256, 3], [512, 3], [512, 3]] as const) {
    for (let i = 0; i < count; i++) x = n.conv(x, filters / width, { kernel: 3 });
    x = n.maxPool(x, 2, 2);
  } // prettier-ignore
  return n.classify(x, classes);
}

/** Modules of Inception v3 (Szegedy et al., 2015): branches of 1×1, 5×5, two 3×3 and a pool; factored 1×7 and 7×1; joined by channels. */
export function inceptionLike({ size, width = 1, classes = 1000 }: ImageSize): Built {
  const n = new ImageNet('Inception-like', floats);
  const of = (channels: number): number => Math.max(1, Math.round(channels / width));
  const chain = (x: Maps, steps: readonly (readonly [number, number | Pair, number?])[]): Maps =>
    steps.reduce((last, [filters, kernel, stride = 1]) => n.conv(last, of(filters), { kernel, stride }), x);
  let x = chain(n.images(size), [[32, 3, 2], [32, 3], [64, 3]]); // prettier-ignore
  x = n.maxPool(chain(n.maxPool(x, 3, 2, 1), [[80, 1], [192, 3]]), 3, 2, 1); // prettier-ignore
  for (const pooled of [32, 64, 64]) {
    x = n.concat([chain(x, [[64, 1]]), chain(x, [[48, 1], [64, 5]]), chain(x, [[64, 1], [96, 3], [96, 3]]), chain(n.averagePool(x), [[pooled, 1]])]); // prettier-ignore
  }
  x = n.concat([chain(x, [[384, 3, 2]]), chain(x, [[64, 1], [96, 3], [96, 3, 2]]), n.maxPool(x, 3, 2, 1)]); // prettier-ignore
  for (const inside of [128, 160, 160, 192]) {
    x = n.concat([
      chain(x, [[192, 1]]),
      chain(x, [[inside, 1], [inside, [1, 7]], [192, [7, 1]]]),
      chain(x, [[inside, 1], [inside, [7, 1]], [inside, [1, 7]], [inside, [7, 1]], [192, [1, 7]]]),
      chain(n.averagePool(x), [[192, 1]]),
    ]); // prettier-ignore
  }
  return n.classify(x, classes);
}

/** MobileNetV2 (Sandler et al., 2018, table 2): bottlenecks that widen, convolve each channel, and narrow. */
export function mobileNetLike({ size, width = 1, classes = 1000 }: ImageSize, style: Style = floats): Built {
  const n = new ImageNet('MobileNet-like', style);
  const of = (channels: number): number => Math.max(1, Math.round(channels / width));
  let x = n.conv(n.images(size), of(32), { kernel: 3, stride: 2, activation: 'relu6' });
  const rows = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]] as const; // prettier-ignore
  for (const [factor, channels, count, stride] of rows) {
    for (let i = 0; i < count; i++) {
      const inside = x.channels * factor;
      const wide = factor === 1 ? x : n.conv(x, inside, { activation: 'relu6' });
      const spread = n.conv(wide, inside, { kernel: 3, stride: i === 0 ? stride : 1, groups: inside, activation: 'relu6' });
      const narrow = n.conv(spread, of(channels), { activation: 'none' });
      x = i === 0 ? narrow : n.add(x, narrow);
    }
  }
  return n.classify(n.conv(x, of(1280), { activation: 'relu6' }), classes);
}

/** ResNet-50 (He et al., 2015, table 1), or the start of it: `blocks` of each of the four stages. */
export function resNetLike({ size, width = 1, classes = 1000 }: ImageSize, style: Style = floats, blocks: readonly number[] = [3, 4, 6, 3]): Built {
  const n = new ImageNet('ResNet-like', style);
  let x = n.maxPool(n.conv(n.images(size), 64 / width, { kernel: 7, stride: 2 }), 3, 2, 1);
  blocks.forEach((count, stage) => {
    const inside = (64 << stage) / width;
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const long = n.conv(n.conv(n.conv(x, inside), inside, { kernel: 3, stride }), 4 * inside, { activation: 'none' });
      const short = i === 0 ? n.conv(x, 4 * inside, { stride, activation: 'none' }) : x;
      x = n.add(long, short, 'relu');
    }
  });
  return n.classify(x, classes);
}
