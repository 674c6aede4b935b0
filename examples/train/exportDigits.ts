// The trained network as a Graph of ONNX's operators, and from there as a file.
import { tensorFrom } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { constantOf, tensorType } from '../../src/graph/graph.ts';
import type { Constant, Graph, Node, Value } from '../../src/graph/graph.ts';
import { EPSILON } from './network.ts';
import type { Block, Dense } from './network.ts';
import { SIZE } from './render.ts';

/** image [batch, 1, SIZE, SIZE] of any contrast → probabilities [batch, 10]. */
export function exportDigits(blocks: readonly Block[], dense: Dense, notes: ReadonlyMap<string, string>): Uint8Array {
  const image: Value = { name: 'image', type: tensorType('f32', ['batch', 1, SIZE, SIZE]) };
  const probabilities: Value = { name: 'probabilities', type: tensorType('f32', ['batch', dense.outputs]) };
  const constants = new Map<Value, Constant>();
  const nodes: Node[] = [];
  const constant = (name: string, shape: readonly number[], data: Float32Array): Value => {
    const value: Value = { name, type: tensorType('f32', shape) };
    constants.set(value, constantOf(tensorFrom('f32', shape, data)));
    return value;
  };
  const fresh = (name: string): Value => ({ name, type: undefined });
  const pads = { auto_pad: 'NOTSET', dilations: undefined, strides: undefined } as const;

  let x = fresh('contrast');
  nodes.push({ op: 'MeanVarianceNormalization', name: 'contrast', attrs: { axes: [2, 3] }, inputs: [image], outputs: [x] });
  blocks.forEach((block, i) => {
    const { channels } = block.output;
    const name = `block${i + 1}`;
    const [conv, norm, relu, pool] = [fresh(`${name}.conv`), fresh(`${name}.norm`), fresh(`${name}.relu`), fresh(`${name}.pool`)] as const;
    const weight = constant(`${name}.weight`, [channels, block.input.channels, 3, 3], block.weight.value);
    const statistics = [
      constant(`${name}.scale`, [channels], block.scale.value),
      constant(`${name}.shift`, [channels], block.shift.value),
      constant(`${name}.mean`, [channels], block.mean),
      constant(`${name}.variance`, [channels], block.variance),
    ];
    nodes.push(
      { op: 'Conv', name: conv.name, attrs: { ...pads, group: 1, kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, inputs: [x, weight], outputs: [conv] },
      { op: 'BatchNormalization', name: norm.name, attrs: { epsilon: EPSILON, momentum: 0.9, training_mode: 0 }, inputs: [conv, ...statistics], outputs: [norm] },
      { op: 'Relu', name: relu.name, attrs: {}, inputs: [norm], outputs: [relu] },
      {
        op: 'MaxPool',
        name: pool.name,
        attrs: { ...pads, pads: undefined, ceil_mode: 0, kernel_shape: [2, 2], storage_order: 0, strides: [2, 2] },
        inputs: [relu],
        outputs: [pool],
      },
    );
    x = pool;
  });
  const [flat, scores] = [fresh('flat'), fresh('scores')];
  const weight = constant('dense.weight', [dense.outputs, dense.inputs], dense.weight.value);
  const bias = constant('dense.bias', [dense.outputs], dense.bias.value);
  nodes.push(
    { op: 'Flatten', name: flat.name, attrs: { axis: 1 }, inputs: [x], outputs: [flat] },
    { op: 'Gemm', name: scores.name, attrs: { alpha: 1, beta: 1, transA: 0, transB: 1 }, inputs: [flat, weight, bias], outputs: [scores] },
    { op: 'Softmax', name: 'probabilities', attrs: { axis: 1 }, inputs: [scores], outputs: [probabilities] },
  );
  const graph: Graph = { name: 'digits', inputs: [image], outputs: [probabilities], nodes, constants };
  return exportModel(graph, { metadata: notes });
}
