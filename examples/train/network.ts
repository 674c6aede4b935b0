// A small convolutional network with its gradients written out: blocks of 3 × 3 convolution, batch normalisation, ReLU and 2 × 2 max pooling,
// then one dense layer. Plain loops over typed arrays; planes carry a border of one zero, so that no loop asks where the edge is.

/** A learned array with its gradient and the two moments of Adam. */
export class Parameter {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  readonly #first: Float32Array;
  readonly #second: Float32Array;

  constructor(size: number, init: (i: number) => number) {
    this.value = Float32Array.from({ length: size }, (_, i) => init(i));
    this.gradient = new Float32Array(size);
    this.#first = new Float32Array(size);
    this.#second = new Float32Array(size);
  }

  /** Adam (Kingma and Ba, 2015); `step` counts from 1. The gradient is used up. */
  update(rate: number, step: number): void {
    const scale = (rate * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
    for (let i = 0; i < this.value.length; i++) {
      const g = this.gradient[i]!;
      const m = (this.#first[i] = 0.9 * this.#first[i]! + 0.1 * g);
      const v = (this.#second[i] = 0.999 * this.#second[i]! + 0.001 * g * g);
      this.value[i]! -= (scale * m) / (Math.sqrt(v) + 1e-8);
    }
    this.gradient.fill(0);
  }
}

/** Planes of a batch: [batch][channels][size + 2·border][size + 2·border]. */
export interface Planes {
  readonly channels: number;
  readonly size: number;
  readonly border: 0 | 1;
  readonly data: Float32Array;
}

export const createPlanes = (batch: number, channels: number, size: number, border: 0 | 1): Planes => ({
  channels,
  size,
  border,
  data: new Float32Array(batch * channels * (size + 2 * border) ** 2),
});
const planeLength = ({ size, border }: Planes): number => (size + 2 * border) ** 2;

/** out[size, size] += 3 × 3 correlation of one bordered plane with nine weights. */
function correlate(x: Float32Array, xAt: number, w: Float32Array, wAt: number, out: Float32Array, outAt: number, size: number, flipped: boolean): void {
  const row = size + 2;
  const at = (i: number): number => w[wAt + (flipped ? 8 - i : i)]!;
  const [a, b, c, d, e, f, g, h, i] = [at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)];
  for (let y = 0; y < size; y++) {
    let p = xAt + y * row;
    let q = outAt + y * size;
    for (let k = 0; k < size; k++, p++, q++) {
      out[q]! +=
        a * x[p]! +
        b * x[p + 1]! +
        c * x[p + 2]! +
        d * x[p + row]! +
        e * x[p + row + 1]! +
        f * x[p + row + 2]! +
        g * x[p + 2 * row]! +
        h * x[p + 2 * row + 1]! +
        i * x[p + 2 * row + 2]!;
    }
  }
}

/** gradient[9] += correlation of one bordered plane with the gradient of one output plane (bordered too). */
function correlateGradient(x: Float32Array, xAt: number, dy: Float32Array, dyAt: number, gradient: Float32Array, gradientAt: number, size: number): void {
  const row = size + 2;
  const sums = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let [a, b, c, d, e, f, g, h, i] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let y = 0; y < size; y++) {
    let p = xAt + y * row;
    let q = dyAt + (y + 1) * row + 1;
    for (let k = 0; k < size; k++, p++, q++) {
      const v = dy[q]!;
      a += v * x[p]!;
      b += v * x[p + 1]!;
      c += v * x[p + 2]!;
      d += v * x[p + row]!;
      e += v * x[p + row + 1]!;
      f += v * x[p + row + 2]!;
      g += v * x[p + 2 * row]!;
      h += v * x[p + 2 * row + 1]!;
      i += v * x[p + 2 * row + 2]!;
    }
  }
  [sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7], sums[8]] = [a, b, c, d, e, f, g, h, i];
  for (let k = 0; k < 9; k++) gradient[gradientAt + k]! += sums[k]!;
}

const EPSILON = 1e-5;
const MOMENTUM = 0.98;

/** Convolution, batch normalisation, ReLU, 2 × 2 max pooling. */
export class Block {
  readonly weight: Parameter;
  readonly scale: Parameter;
  readonly shift: Parameter;
  /** Running statistics for inference. */
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly input: Planes;
  readonly output: Planes;
  readonly #batch: number;
  readonly #normalised: Float32Array;
  readonly #gradient: Planes;
  readonly #deviation: Float32Array;
  readonly #chosen: Uint32Array;

  constructor(batch: number, input: Planes, channels: number, border: 0 | 1, normal: () => number) {
    const spread = Math.sqrt(2 / (9 * input.channels));
    this.weight = new Parameter(channels * input.channels * 9, () => normal() * spread);
    this.scale = new Parameter(channels, () => 1);
    this.shift = new Parameter(channels, () => 0);
    this.mean = new Float32Array(channels);
    this.variance = new Float32Array(channels).fill(1);
    this.input = input;
    this.output = createPlanes(batch, channels, input.size / 2, border);
    this.#batch = batch;
    this.#normalised = new Float32Array(batch * channels * input.size ** 2);
    this.#gradient = createPlanes(batch, channels, input.size, 1);
    this.#deviation = new Float32Array(channels);
    this.#chosen = new Uint32Array(batch * channels * this.output.size ** 2);
  }

  forward(training: boolean): void {
    const { channels } = this.output;
    const area = this.input.size ** 2;
    const inLength = planeLength(this.input);
    const z = this.#normalised.fill(0);
    for (let n = 0; n < this.#batch; n++) {
      for (let o = 0; o < channels; o++) {
        for (let i = 0; i < this.input.channels; i++) {
          const weightAt = (o * this.input.channels + i) * 9;
          correlate(this.input.data, (n * this.input.channels + i) * inLength, this.weight.value, weightAt, z, (n * channels + o) * area, this.input.size, false);
        }
      }
    }
    for (let o = 0; o < channels; o++) {
      this.#normalise(o, training);
      for (let n = 0; n < this.#batch; n++) this.#pool(n, o);
    }
  }

  #normalise(o: number, training: boolean): void {
    const { channels } = this.output;
    const area = this.input.size ** 2;
    const z = this.#normalised;
    let [mean, variance] = [this.mean[o]!, this.variance[o]!];
    if (training) {
      let [sum, squares] = [0, 0];
      for (let n = 0; n < this.#batch; n++) {
        for (let p = (n * channels + o) * area, end = p + area; p < end; p++) {
          sum += z[p]!;
          squares += z[p]! * z[p]!;
        }
      }
      mean = sum / (this.#batch * area);
      variance = Math.max(0, squares / (this.#batch * area) - mean * mean);
      this.mean[o] = MOMENTUM * this.mean[o]! + (1 - MOMENTUM) * mean;
      this.variance[o] = MOMENTUM * this.variance[o]! + (1 - MOMENTUM) * variance;
    }
    const deviation = Math.sqrt(variance + EPSILON);
    this.#deviation[o] = deviation;
    for (let n = 0; n < this.#batch; n++) for (let p = (n * channels + o) * area, end = p + area; p < end; p++) z[p] = (z[p]! - mean) / deviation;
  }

  /** ReLU after pooling gives what ReLU before it gives, for a quarter of the work. */
  #pool(n: number, o: number): void {
    const { channels, size, border, data } = this.output;
    const row = this.input.size;
    const from = (n * channels + o) * row * row;
    const to = (n * channels + o) * planeLength(this.output);
    const [scale, shift] = [this.scale.value[o]!, this.shift.value[o]!];
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const corner = from + 2 * y * row + 2 * x;
        let [best, value] = [corner, -Infinity];
        for (const p of [corner, corner + 1, corner + row, corner + row + 1]) {
          const v = scale * this.#normalised[p]! + shift;
          if (v > value) [best, value] = [p, v];
        }
        this.#chosen[(n * channels + o) * size * size + y * size + x] = best;
        data[to + (y + border) * (size + 2 * border) + x + border] = Math.max(0, value);
      }
    }
  }

  /** Adds to the gradients of the parameters, given that of the output; writes that of the input where there is one to write. */
  backward(dOutput: Float32Array, dInput: Float32Array | undefined): void {
    const { channels } = this.output;
    const inLength = planeLength(this.input);
    const { data: dz } = this.#gradient;
    dz.fill(0);
    for (let o = 0; o < channels; o++) this.#backwardChannel(o, dOutput);
    dInput?.fill(0);
    const length = planeLength(this.#gradient);
    const area = this.input.size ** 2;
    for (let n = 0; n < this.#batch; n++) {
      for (let o = 0; o < channels; o++) {
        for (let i = 0; i < this.input.channels; i++) {
          const weightAt = (o * this.input.channels + i) * 9;
          const dzAt = (n * channels + o) * length;
          correlateGradient(this.input.data, (n * this.input.channels + i) * inLength, dz, dzAt, this.weight.gradient, weightAt, this.input.size);
          if (dInput !== undefined) correlate(dz, dzAt, this.weight.value, weightAt, dInput, (n * this.input.channels + i) * area, this.input.size, true);
        }
      }
    }
  }

  /** Through pooling, ReLU and batch normalisation (Ioffe and Szegedy, 2015) of one channel. `dOutput` has no border. */
  #backwardChannel(o: number, dOutput: Float32Array): void {
    const { channels, size, border, data } = this.output;
    const row = this.input.size;
    const area = row * row;
    const { data: dz } = this.#gradient;
    const bordered = planeLength(this.#gradient);
    let [dScale, dShift] = [0, 0];
    for (let n = 0; n < this.#batch; n++) {
      const plane = n * channels + o;
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          if (!(data[plane * planeLength(this.output) + (y + border) * (size + 2 * border) + x + border]! > 0)) continue;
          const g = dOutput[plane * size * size + y * size + x]!;
          const p = this.#chosen[plane * size * size + y * size + x]! - plane * area;
          dz[plane * bordered + (Math.floor(p / row) + 1) * (row + 2) + (p % row) + 1] = g;
          dShift += g;
          dScale += g * this.#normalised[plane * area + p]!;
        }
      }
    }
    this.scale.gradient[o]! += dScale;
    this.shift.gradient[o]! += dShift;
    const count = this.#batch * area;
    const factor = this.scale.value[o]! / this.#deviation[o]!;
    for (let n = 0; n < this.#batch; n++) {
      const plane = n * channels + o;
      for (let y = 0; y < row; y++) {
        for (let x = 0; x < row; x++) {
          const q = plane * bordered + (y + 1) * (row + 2) + x + 1;
          dz[q] = factor * (dz[q]! - dShift / count - (this.#normalised[plane * area + y * row + x]! * dScale) / count);
        }
      }
    }
  }
}

/** Scores = weight · input + bias. */
export class Dense {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly inputs: number;
  readonly outputs: number;

  constructor(inputs: number, outputs: number, normal: () => number) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.weight = new Parameter(inputs * outputs, () => normal() * Math.sqrt(1 / inputs));
    this.bias = new Parameter(outputs, () => 0);
  }

  forward(input: Float32Array, batch: number): Float32Array {
    const scores = new Float32Array(batch * this.outputs);
    for (let n = 0; n < batch; n++) {
      for (let o = 0; o < this.outputs; o++) {
        let sum = this.bias.value[o]!;
        for (let i = 0; i < this.inputs; i++) sum += this.weight.value[o * this.inputs + i]! * input[n * this.inputs + i]!;
        scores[n * this.outputs + o] = sum;
      }
    }
    return scores;
  }

  backward(input: Float32Array, dScores: Float32Array, batch: number): Float32Array {
    const dInput = new Float32Array(batch * this.inputs);
    for (let n = 0; n < batch; n++) {
      for (let o = 0; o < this.outputs; o++) {
        const g = dScores[n * this.outputs + o]!;
        this.bias.gradient[o]! += g;
        for (let i = 0; i < this.inputs; i++) {
          this.weight.gradient[o * this.inputs + i]! += g * input[n * this.inputs + i]!;
          dInput[n * this.inputs + i]! += g * this.weight.value[o * this.inputs + i]!;
        }
      }
    }
    return dInput;
  }
}

export { EPSILON };
