// Nets as cases on disk, in the layout of ONNX's backend tests. Large weights lie in a file beside the model.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '../../src/conformance/suite.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { encodeTensor } from '../../src/formats/onnx/tensorProto.ts';
import type { Constant } from '../../src/graph/graph.ts';
import type { Built } from './net.ts';

/** Forms that the peers of the bench know. */
const OPSET = 21;
/** Constants from here on go into a file of their own, where all together are large. */
const EXTERNAL_BYTES = 1 << 16;
const LARGE_BYTES = 1 << 26;

export function writeModel(folder: string, { graph }: Pick<Built, 'graph'>): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'model.onnx');
  const total = [...graph.constants.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  if (total < LARGE_BYTES) {
    writeFileSync(path, exportModel(graph, { opset: OPSET }));
    return path;
  }
  const location = 'weights.bin';
  const file = openSync(join(folder, location), 'w');
  let end = 0;
  const write = (bytes: Uint8Array) => {
    const offset = end;
    while (end < offset + bytes.length) end += writeSync(file, bytes, end - offset, offset + bytes.length - end, end);
    return { location, offset, length: bytes.length };
  };
  try {
    writeFileSync(path, exportModel(graph, { opset: OPSET, external: { takes: ({ bytes }: Constant) => bytes >= EXTERNAL_BYTES, write } }));
  } finally {
    closeSync(file);
  }
  return path;
}

/** The net as the case `name` in `folder`, with what a run brings where the net says so. */
export function writeCase(folder: string, name: string, built: Built): Case {
  const model = writeModel(folder, built);
  if (built.feeds.size === 0) return { name, model, dataSets: [] };
  const data = join(folder, 'test_data_set_0');
  mkdirSync(data, { recursive: true });
  const inputs = built.graph.inputs.map((value, i) => {
    const path = join(data, `input_${i}.pb`);
    writeFileSync(path, encodeTensor(built.feeds.get(value.name)!, value.name));
    return path;
  });
  return { name, model, dataSets: [{ inputs, outputs: [] }] };
}
