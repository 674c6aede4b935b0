// The first k along an axis: rows are dealt out to grid steps, each ordered in the thread's own memory.
import { delinearize } from '../../core/indexExpr.ts';
import { elementCount } from '../../core/shape.ts';
import { index } from '../../kernel/build.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { heldElements, topKFlops, topKWork, writeTopKRow } from '../emit/topK.ts';
import type { PrimNodes } from '../positions.ts';
import { createSlot } from '../storage.ts';
import type { Storage } from '../storage.ts';
import { GRID_VAR, chunkOf, loopFlat, stepBounds } from './lowerNest.ts';
import type { SimdShape } from './lowerNest.ts';

export function lowerTopK(name: string, node: PrimNodes['topK'], x: Storage, outputs: readonly Storage[], machine: SimdShape): LoweredKernel {
  const { shape, dtype } = node.inputs[0]!;
  const rows = shape.map((d, i) => (i === node.attrs.axis ? 1 : d));
  const total = elementCount(rows);
  const emitter = new Emitter();
  const chunk = chunkOf(total, topKWork(node));
  const { from, to } = stepBounds(emitter, total, chunk.size, chunk.steps);
  loopFlat(emitter, [{ name: 'row', extent: total }], from, to, (bindings) => {
    const held = [heldElements(node)];
    const keys = emitter.buffer(createSlot('scratch', { dtype, shape: held }), 'write');
    const places = emitter.buffer(createSlot('scratch', { dtype: 'i32', shape: held }), 'write');
    writeTopKRow({ emitter, node, x, outputs, at: delinearize(bindings.get('row')!, rows), keys, places, start: index(0), lanes: machine.vectorLanes });
  });
  return emitter.finish(name, { var: GRID_VAR, extent: chunk.steps }, { flops: topKFlops(node, total), bytes: 0 });
}
