// The vision family: values from the specification (ONNX's own cases of Resize-19, GridSample-20, TreeEnsemble …), images written by
// other programs' encoders, and decompositions against the reference.
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { intTensor, stringTensor, tensorFrom, toNumbers, toStrings } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { visionUpgrades } from '../../src/formats/onnx/upgrade/vision.ts';
import type { RawAttr, RawNode } from '../../src/formats/onnx/upgrade/upgrade.ts';
import { createSource, decomposed, expectAgreement, numbers, primitivesOf, reference } from './rules.ts';

const random = createSource(11);
const f32 = (shape: readonly number[], values: readonly number[]) => tensorFrom('f32', shape, values);
const square = f32(
  [1, 1, 4, 4],
  Array.from({ length: 16 }, (_, i) => i + 1),
);
const scales = (...values: number[]) => f32([values.length], values);

function expectClose(actual: readonly number[], wanted: readonly number[], digits = 4): void {
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((v, i) => expect(actual[i], `element ${i}`).toBeCloseTo(v, digits));
}

describe('Resize', () => {
  it('shrinks with a stretched filter', () => {
    const shrink = (mode: string) => numbers({ op: 'Resize', attrs: { mode, antialias: 1 }, inputs: [square, null, scales(1, 1, 0.6, 0.6), null] }).values;
    expectClose(shrink('cubic'), [2.5180721, 4.2858863, 9.589329, 11.357142]);
    expectClose(shrink('linear'), [2.875, 4.5, 9.375, 11]);
    // By hand: 0.25, 0.75, 0.75, 0.25 around each centre, over 2.
    expectClose(numbers({ op: 'Resize', attrs: { mode: 'linear', antialias: 1 }, inputs: [f32([4], [1, 2, 3, 4]), null, scales(0.5), null] }).values, [1.625, 3.375]);
  });
  it('places symmetric half pixels', () => {
    const attrs = { mode: 'linear', coordinate_transformation_mode: 'half_pixel_symmetric' };
    expectClose(numbers({ op: 'Resize', attrs, inputs: [f32([1, 1, 1, 4], [1, 2, 3, 4]), null, scales(1, 1, 1, 0.6), null] }).values, [5 / 3, 10 / 3]);
    const grown = numbers({ op: 'Resize', attrs, inputs: [f32([1, 1, 2, 2], [1, 2, 3, 4]), null, scales(1, 1, 2.3, 2.94), null] });
    expectClose(grown.values, [1, 1.15986, 1.5, 1.84014, 2, 1.56522, 1.72508, 2.06522, 2.40535, 2.56522, 2.43478, 2.59465, 2.93478, 3.27492, 3.43478, 3, 3.15986, 3.5, 3.84014, 4]);
  });
  it('keeps the aspect ratio, on chosen axes', () => {
    const wide = f32([1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8]);
    const shape = (policy: string, ...sizes: number[]) =>
      numbers({ op: 'Resize', attrs: { axes: [2, 3], keep_aspect_ratio_policy: policy }, inputs: [wide, null, null, intTensor(sizes)] }).shape;
    expect(shape('not_larger', 1, 3)).toEqual([1, 1, 1, 2]);
    expect(shape('not_smaller', 1, 3)).toEqual([1, 1, 2, 3]);
    expect(shape('stretch', 7, 8)).toEqual([1, 1, 7, 8]);
    const swapped = numbers({ op: 'Resize', attrs: { axes: [3, 2] }, inputs: [wide, null, scales(2, 3), null] });
    expect(swapped.shape).toEqual([1, 1, 6, 8]);
  });
  it('crops, and extrapolates outside', () => {
    const attrs = { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: 10 };
    const roi = scales(0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7);
    expectClose(numbers({ op: 'Resize', attrs, inputs: [square, roi, null, intTensor([1, 1, 3, 3])] }).values, [7.6, 10, 10, 12.4, 10, 10, 10, 10, 10]);
  });
  it('takes any dtype to the nearest, strings too', () => {
    const [words] = reference({
      op: 'Resize',
      attrs: { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
      inputs: [stringTensor([2], ['a', 'b']), null, scales(2), null],
    });
    expect(isTensor(words!) && toStrings(words)).toEqual(['a', 'a', 'b', 'b']);
    const large = tensorFrom('i64', [2], [2n ** 62n + 1n, 7n]);
    const [kept] = reference({ op: 'Resize', inputs: [large, null, scales(2), null] });
    expect(isTensor(kept!) && kept.data).toEqual(BigInt64Array.from([2n ** 62n + 1n, 2n ** 62n + 1n, 7n, 7n]));
  });
  it('refuses both scales and sizes, and what it does not know', () => {
    expect(() => reference({ op: 'Resize', inputs: [square, null, scales(1, 1, 2, 2), intTensor([1, 1, 8, 8])] })).toThrow(AnychipError);
    expect(() => reference({ op: 'Resize', inputs: [square, null, scales(1, 1, 1e30, 1), null] })).toThrow(AnychipError);
    expect(() => reference({ op: 'Resize', inputs: [square, null, null, intTensor([1, 1, -1, 2 ** 40])] })).toThrow(AnychipError);
    expect(() => reference({ op: 'Resize', attrs: { mode: 'round' }, inputs: [square, null, scales(1, 1, 2, 2), null] })).toThrow(/mode 'round'/);
  });
  it('is written in views where it repeats pixels', () => {
    const attrs = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    expect(new Set(primitivesOf({ op: 'Resize', attrs, inputs: [square, null, scales(1, 1, 2, 3), null] }))).toEqual(new Set(['reshape', 'expand']));
    expect(primitivesOf({ op: 'Resize', attrs, inputs: [square, null, scales(1, 1, 0.5, 1), null] })).toEqual(['slice']);
  });
  const modes = ['half_pixel', 'half_pixel_symmetric', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'tf_half_pixel_for_nn'];
  it.each(modes)('agrees on %s', (coordinate_transformation_mode) => {
    const roundings = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];
    for (const [i, factors] of [
      [1, 1, 2, 2],
      [1, 1, 0.6, 0.4],
      [1, 1, 2.3, 0.5],
      [2, 1, 3, 1],
    ].entries()) {
      for (const mode of ['nearest', 'linear', 'cubic']) {
        for (const flag of [0, 1]) {
          const attrs = { mode, coordinate_transformation_mode, antialias: flag, exclude_outside: 1 - flag, nearest_mode: roundings[i]! };
          for (const dtype of ['f32', 'f16', 'u8'] as const)
            expectAgreement({ op: 'Resize', attrs, inputs: [random(dtype, [1, 2, 5, 4], 0, 9), null, scales(...factors), null] }, dtype === 'u8' ? 1 : undefined);
        }
      }
    }
  });
});

describe('GridSample', () => {
  const plane = f32([1, 1, 3, 2], [0, 1, 2, 3, 4, 5]);
  const places = f32([1, 2, 4, 2], [-1, -0.8, -0.6, -0.5, -0.1, -0.2, 0.7, 0, 0, 0.4, 0.2, -0.2, -0.3, 0.5, -1, 1]);
  it.each([
    ['nearest', 0, [0, 0, 2, 3, 4, 3, 4, 4]],
    ['nearest', 1, [0, 0, 2, 3, 2, 3, 4, 4]],
    ['linear', 0, [0, 0.45, 1.8, 2.4, 3.7, 2.1, 3.7, 1]],
    ['linear', 1, [0.4, 1.2, 2.05, 2.85, 3.3, 2.2, 3.35, 4]],
    ['cubic', 0, [-0.17325, 0.284265, 1.923106, 2.568, 5.170375, 2.284414, 4.744844, 1.046875]],
    ['cubic', 1, [0.304001, 1.12875, 2.26627, 3.144844, 4.5315, 2.45536, 4.599819, 4]],
  ] as const)('samples planes: %s, aligned %i', (mode, align_corners, wanted) => {
    expectClose(numbers({ op: 'GridSample', attrs: { mode, align_corners }, inputs: [plane, places] }).values, wanted, 4);
  });
  const volume = f32(
    [1, 1, 3, 2, 2],
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  const points = [
    [-1, -1, -1],
    [-1, -0.5, 0.3],
    [-0.5, -0.5, -0.5],
    [1, -0.6, -1],
    [-0.2, -0.2, -0.2],
    [0.4, 0.2, 0.6],
    [0, 0, 0],
    [-1, 0, 0],
    [0, 0, 0],
    [-1, 1, 0],
    [-0.2, -0.2, -0.2],
    [1, 0.4, -0.2],
    [0.5, 0.5, 0.5],
    [-1, -0.8, 0.8],
    [1, 1, 1],
    [0.4, 0.6, -0.3],
  ].flat();
  const spots = (factor: number) =>
    f32(
      [1, 2, 4, 2, 3],
      points.map((v) => Math.fround(v) * factor),
    );
  it.each([
    ['nearest', 'zeros', 0, 1, [1, 5, 1, 0, 5, 12, 5, 5, 5, 0, 5, 0, 12, 9, 0, 8]],
    ['nearest', 'zeros', 1, 1, [1, 5, 1, 2, 5, 12, 5, 5, 5, 7, 5, 8, 12, 9, 12, 8]],
    ['linear', 'zeros', 0, 1, [0.125, 3.4, 2, 0.45, 4.7, 10.9, 6.5, 3, 6.5, 1.75, 4.7, 3.3, 11, 2.52, 1.5, 5.49]],
    ['linear', 'zeros', 1, 1, [1, 6.7, 3.75, 2.4, 5.4, 9.3, 6.5, 6, 6.5, 7, 5.4, 6.6, 9.25, 8.4, 12, 6.1]],
    ['nearest', 'border', 0, 2.5, [1, 9, 1, 2, 1, 12, 5, 5, 5, 7, 1, 4, 12, 9, 12, 4]],
    ['nearest', 'reflection', 0, 2.5, [12, 10, 1, 9, 1, 12, 5, 6, 5, 6, 1, 3, 12, 8, 1, 4]],
  ] as const)('samples volumes: %s, %s, aligned %i', (mode, padding_mode, align_corners, factor, wanted) => {
    expectClose(numbers({ op: 'GridSample', attrs: { mode, padding_mode, align_corners }, inputs: [volume, spots(factor)] }).values, wanted);
  });
  it.each(['zeros', 'border', 'reflection'])('agrees with padding by %s', (padding_mode) => {
    for (const mode of ['nearest', 'linear', 'cubic']) {
      for (const align_corners of [0, 1]) {
        const attrs = { mode, padding_mode, align_corners };
        expectAgreement({ op: 'GridSample', attrs, inputs: [random('f32', [2, 3, 4, 5]), random('f32', [2, 3, 2, 2], -2, 2)] });
        expectAgreement({ op: 'GridSample', attrs, inputs: [volume, spots(1.7)] });
      }
    }
  });
  it('refuses grids of another rank', () => {
    expect(() => reference({ op: 'GridSample', inputs: [plane, random('f32', [1, 2, 2, 3])] })).toThrow(AnychipError);
  });
});

describe('AffineGrid', () => {
  const identity = f32([1, 2, 3], [1, 0, 0, 0, 1, 0]);
  it('lays the identity over the image', () => {
    expectClose(numbers({ op: 'AffineGrid', inputs: [identity, intTensor([1, 1, 2, 2])] }).values, [-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]);
    expectClose(numbers({ op: 'AffineGrid', attrs: { align_corners: 1 }, inputs: [identity, intTensor([1, 1, 2, 2])] }).values, [-1, -1, 1, -1, -1, 1, 1, 1]);
  });
  it('agrees', () => {
    for (const align_corners of [0, 1]) {
      expectAgreement({ op: 'AffineGrid', attrs: { align_corners }, inputs: [random('f32', [2, 2, 3]), intTensor([2, 3, 4, 5])] });
      expectAgreement({ op: 'AffineGrid', attrs: { align_corners }, inputs: [random('f16', [2, 3, 4]), intTensor([2, 3, 4, 1, 2])] });
    }
  });
});

describe('regions', () => {
  it('averages aligned samples', () => {
    // One bin of 2×2 samples over a plane x + 4y: its value at the centre of the region.
    const plane = f32(
      [1, 1, 4, 4],
      Array.from({ length: 16 }, (_, i) => i),
    );
    const inputs = [plane, f32([1, 4], [1, 1, 3, 3]), intTensor([0])];
    const attrs = { sampling_ratio: 2 };
    expectClose(numbers({ op: 'RoiAlign', attrs, inputs }).values, [7.5]);
    expectClose(numbers({ op: 'RoiAlign', attrs: { ...attrs, coordinate_transformation_mode: 'output_half_pixel' }, inputs }).values, [10]);
    expectClose(numbers({ op: 'RoiAlign', inputs }).values, [7.5]);
  });
  it('pools the largest pixel of rounded bins', () => {
    const plane = f32(
      [1, 1, 4, 4],
      Array.from({ length: 16 }, (_, i) => i),
    );
    expect(numbers({ op: 'MaxRoiPool', attrs: { pooled_shape: [2, 2] }, inputs: [plane, f32([2, 5], [0, 0, 0, 3, 3, 0, 9, 9, 12, 12])] })).toEqual({
      shape: [2, 1, 2, 2],
      values: [5, 7, 13, 15, 0, 0, 0, 0],
    });
  });
  it('agrees', () => {
    for (const mode of ['avg', 'max']) {
      for (const coordinate_transformation_mode of ['half_pixel', 'output_half_pixel']) {
        const attrs = { mode, coordinate_transformation_mode, sampling_ratio: 2, output_height: 3, output_width: 2, spatial_scale: 0.5 };
        expectAgreement({ op: 'RoiAlign', attrs, inputs: [random('f32', [2, 3, 6, 7]), random('f32', [4, 4], -3, 16), intTensor([0, 1, 1, 0])] });
      }
    }
    const rois = f32([4, 5], [0, 1, 2, 6, 9, 1, 0, 0, 3, 2, 1, -5, -3, 20, 40, 0, 13, 11, 12, 10]);
    expectAgreement({ op: 'MaxRoiPool', attrs: { pooled_shape: [2, 3], spatial_scale: 0.5 }, inputs: [random('f32', [2, 3, 6, 7]), rois] });
  });
  it('leaves to the host what counts samples by the data', () => {
    expect(decomposed({ op: 'RoiAlign', inputs: [square, f32([1, 4], [0, 0, 2, 2]), intTensor([0])] })).toMatch(/samples/);
    expect(() => reference({ op: 'RoiAlign', inputs: [square, f32([1, 4], [0, 0, 2, 2]), intTensor([3])] })).toThrow(AnychipError);
    expect(() => reference({ op: 'MaxRoiPool', attrs: { pooled_shape: [-1, 2] }, inputs: [square, f32([1, 5], [0, 0, 0, 2, 2])] })).toThrow(AnychipError);
  });
});

describe('ImageDecoder', () => {
  // Two rows: red, green; blue, grey.
  const rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 100, 100, 100];
  const rgba = Buffer.from(Array.from({ length: 4 }, (_, i) => [...rgb.slice(3 * i, 3 * i + 3), 255]).flat());
  const decode = (bytes: Uint8Array, pixel_format = 'RGB'): NumericTensor => {
    const [image] = reference({ op: 'ImageDecoder', attrs: { pixel_format }, inputs: [tensorFrom('u8', [bytes.length], bytes)] });
    if (image === undefined || !isTensor(image) || image.dtype === 'string') throw new Error('no image');
    return image;
  };
  const png = (() => {
    const file = new PNG({ width: 2, height: 2 });
    rgba.copy(file.data);
    return PNG.sync.write(file);
  })();
  it('reads PNG in every layout', () => {
    expect(decode(png)).toMatchObject({ shape: [2, 2, 3], dtype: 'u8' });
    expect(toNumbers(decode(png))).toEqual(rgb);
    expect(toNumbers(decode(png, 'BGR')).slice(0, 6)).toEqual([0, 0, 255, 0, 255, 0]);
    expect(decode(png, 'Grayscale').shape).toEqual([2, 2, 1]);
    expect(toNumbers(decode(png, 'Grayscale'))).toEqual([76, 150, 29, 100]);
  });
  it('reads JPEG within its loss', () => {
    const flat = { width: 8, height: 8, data: Buffer.from(Array.from({ length: 64 }, () => [200, 100, 50, 255]).flat()) };
    const image = decode(jpeg.encode(flat, 95).data);
    expect(image.shape).toEqual([8, 8, 3]);
    [200, 100, 50].forEach((v, i) => expect(Math.abs(toNumbers(image)[i]! - v)).toBeLessThan(5));
  });
  it('reads BMP and PNM', () => {
    const header = new DataView(new ArrayBuffer(54 + 16));
    header.setUint16(0, 0x424d);
    for (const [at, value] of [
      [10, 54],
      [14, 40],
      [18, 2],
      [22, 2],
    ] as const)
      header.setUint32(at, value, true);
    header.setUint16(26, 1, true);
    header.setUint16(28, 24, true);
    const bmp = new Uint8Array(header.buffer);
    // Rows bottom up, blue first, padded to four bytes.
    bmp.set([255, 0, 0, 100, 100, 100, 0, 0, 0, 0, 255, 0, 255, 0], 54);
    expect(toNumbers(decode(bmp))).toEqual(rgb);
    expect(toNumbers(decode(Uint8Array.from([...Buffer.from('P6\n# made by hand\n2 2\n255\n'), ...rgb])))).toEqual(rgb);
    expect(toNumbers(decode(Buffer.from('P1 3 1 101'), 'Grayscale'))).toEqual([0, 255, 0]);
    expect(toNumbers(decode(Buffer.from('P2\n2 1\n15\n15 3\n'), 'Grayscale'))).toEqual([255, 51]);
  });
  it('says what it cannot read', () => {
    expect(() => decode(Buffer.from('RIFF....WEBPVP8 '))).toThrow(/WebP/);
    expect(() => decode(Buffer.from('nothing'))).toThrow(AnychipError);
    expect(() => decode(png.subarray(0, 40))).toThrow(AnychipError);
    expect(() => decode(Buffer.from('P6 9 9 255 x'))).toThrow(AnychipError);
    expect(() => decode(png, 'CMYK')).toThrow(AnychipError);
  });
});

describe('upgrades', () => {
  const node = (op: string, inputs: readonly string[], attrs: Readonly<Record<string, RawAttr>>): RawNode => ({
    domain: '',
    op,
    name: '',
    inputs,
    outputs: ['y'],
    attrs: new Map(Object.entries(attrs)),
  });
  const upgrade = (opset: number, raw: RawNode): { readonly node: RawNode; readonly constants: readonly number[][] } => {
    const constants: number[][] = [];
    const [first] = visionUpgrades[raw.op]!(raw, { opset, fresh: (hint) => hint, constant: (tensor) => `c${constants.push(toNumbers(tensor)) - 1}` });
    return { node: first!, constants };
  };
  it('makes Resize of Upsample', () => {
    const seven = upgrade(7, node('Upsample', ['x'], { mode: { kind: 'string', value: 'linear' }, scales: { kind: 'floats', value: [1, 1, 2, 3] } }));
    expect(seven).toMatchObject({ node: { op: 'Resize', inputs: ['x', '', 'c0'] }, constants: [[1, 1, 2, 3]] });
    expect(seven.node.attrs.get('coordinate_transformation_mode')).toEqual({ kind: 'string', value: 'asymmetric' });
    expect(upgrade(9, node('Upsample', ['x', 's'], {})).node.inputs).toEqual(['x', '', 's']);
    expect(upgrade(10, node('Resize', ['x', 's'], {})).node.inputs).toEqual(['x', '', 's']);
    expect(upgrade(13, node('Resize', ['x', '', 's'], {})).node.attrs.size).toBe(0);
  });
  it('renames modes and keeps what RoiAlign meant', () => {
    expect(upgrade(16, node('GridSample', ['x', 'g'], { mode: { kind: 'string', value: 'bicubic' } })).node.attrs.get('mode')).toEqual({ kind: 'string', value: 'cubic' });
    expect(upgrade(10, node('RoiAlign', ['x', 'r', 'b'], {})).node.attrs.get('coordinate_transformation_mode')).toEqual({ kind: 'string', value: 'output_half_pixel' });
    expect(upgrade(16, node('RoiAlign', ['x', 'r', 'b'], {})).node.attrs.size).toBe(0);
  });
});
