// What is written is what is read back: NumPy files and ONNX tensors of every dtype, in each encoding that ONNX has for it.
import { array, assert, constantFrom, integer, property, string, tuple } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dtypes } from '../../src/core/dtype.ts';
import type { DType, NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { bytesOf, createTensor, stringTensor, tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor, Tensor } from '../../src/core/tensor.ts';
import { decodeNpy, encodeNpy, hasNumpyName } from '../../src/formats/npy.ts';
import type { MessageInit } from '../../src/formats/onnx/messages.ts';
import { readMessage } from '../../src/formats/onnx/readMessage.ts';
import { decodeValue, encodeTensor, tensorFromProto, tensorToProto } from '../../src/formats/onnx/tensorProto.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import { tensorType } from '../../src/graph/graph.ts';
import { codeOfDType } from '../../src/graph/onnxTypes.ts';

const numericDTypes = (Object.keys(dtypes) as DType[]).filter((name): name is NumericDType => name !== 'string');
/** Written and read again. */
const read = (proto: MessageInit<'TensorProto'>): Tensor => tensorFromProto(readMessage('TensorProto', writeMessage('TensorProto', proto)));
const shapes = array(integer({ min: 0, max: 4 }), { maxLength: 4 });

/** Any bits that the dtype can hold. */
const numericTensor = (dtype: NumericDType): Arbitrary<NumericTensor> =>
  shapes.chain((shape) =>
    array(integer({ min: 0, max: 255 }), { minLength: elementCount(shape) * dtypes[dtype].bytes, maxLength: elementCount(shape) * dtypes[dtype].bytes }).map((bytes) => {
      const tensor = createTensor(dtype, shape);
      bytesOf(tensor).set(bytes);
      const { bits, class: kind } = dtypes[dtype];
      if (kind === 'bool') bytesOf(tensor).forEach((x, i, all) => (all[i] = x & 1));
      if (kind === 'float' && bits < 8) bytesOf(tensor).forEach((x, i, all) => (all[i] = x & ((1 << bits) - 1)));
      return bits < 8 && kind !== 'float' && kind !== 'bool' ? tensorFrom(dtype, shape, bytes) : tensor;
    }),
  );
const textTensor: Arbitrary<Tensor> = shapes.chain((shape) =>
  array(string({ unit: 'grapheme' }), { minLength: elementCount(shape), maxLength: elementCount(shape) }).map((data) => stringTensor(shape, data)),
);

function expectSame(actual: Tensor, expected: Tensor): void {
  expect({ dtype: actual.dtype, shape: actual.shape }).toEqual({ dtype: expected.dtype, shape: expected.shape });
  if (actual.dtype === 'string' || expected.dtype === 'string') expect(actual.data).toEqual(expected.data);
  else expect(bytesOf(actual)).toEqual(bytesOf(expected));
}

describe('NumPy files', () => {
  it.each(numericDTypes.filter((dtype) => hasNumpyName(createTensor(dtype, []))))('keep %s', (dtype) => {
    assert(
      property(numericTensor(dtype), (tensor) => expectSame(decodeNpy(encodeNpy(tensor)), tensor)),
      { numRuns: 30 },
    );
  });
});

describe('ONNX tensors', () => {
  it.each(numericDTypes)('keep %s as raw data', (dtype) => {
    assert(
      property(numericTensor(dtype), (tensor) => {
        expectSame(read(tensorToProto(tensor, 'x')), tensor);
        const value = decodeValue(encodeTensor(tensor, 'x'), tensorType(tensor.dtype, tensor.shape));
        if (value === null || Array.isArray(value)) expect.fail('not a tensor');
        else expectSame(value as Tensor, tensor);
      }),
      { numRuns: 30 },
    );
  });

  it('keep strings', () => {
    assert(
      property(textTensor, (tensor) => expectSame(read(tensorToProto(tensor, 'x')), tensor)),
      { numRuns: 30 },
    );
  });

  it.each(['i4', 'u4', 'f4e2m1', 'i2', 'u2'] as const)('pack %s from the lowest bits of a byte up', (dtype) => {
    const { bits } = dtypes[dtype];
    assert(
      property(numericTensor(dtype), (tensor) => {
        const rawData = tensorToProto(tensor, 'x').rawData!.read();
        expect(rawData.length).toBe(Math.ceil((tensor.data.length * bits) / 8));
        for (let i = 0; i < tensor.data.length; i++) {
          const code = (rawData[Math.floor((i * bits) / 8)]! >> ((i * bits) % 8)) & ((1 << bits) - 1);
          expect(code).toBe(Number(tensor.data[i]) & ((1 << bits) - 1));
        }
      }),
      { numRuns: 30 },
    );
  });

  /** Held one an entry of int32_data (onnx.proto, TensorProto). */
  const small = ['i32', 'i16', 'i8', 'u16', 'u8', 'bool'] as const;
  it('read typed fields as they read raw data', () => {
    assert(
      property(tuple(constantFrom(...small), array(integer({ min: 0, max: 100 }), { maxLength: 9 })), ([dtype, items]) => {
        const values = dtype === 'bool' ? items.map((x) => x & 1) : items;
        const proto = { dataType: codeOfDType(dtype), dims: [BigInt(values.length)], int32Data: values };
        expectSame(read(proto), tensorFrom(dtype, [values.length], values));
      }),
    );
    assert(
      property(array(integer({ min: 0, max: 65535 }), { maxLength: 9 }), (bits) => {
        const tensor = createTensor('f16', [bits.length]);
        bits.forEach((x, i) => (tensor.data[i] = x as never));
        expectSame(read({ dataType: codeOfDType('f16'), dims: [BigInt(bits.length)], int32Data: bits }), tensor);
      }),
    );
    const longs = tensorFrom('i64', [3], [-1n, 2n ** 62n, 0n]);
    expectSame(read({ dataType: codeOfDType('i64'), dims: [3n], int64Data: [-1n, 2n ** 62n, 0n] }), longs);
    const floats = tensorFrom('f32', [2], [1.5, -0]);
    expectSame(read({ dataType: codeOfDType('f32'), dims: [2n], floatData: [1.5, -0] }), floats);
  });
});
