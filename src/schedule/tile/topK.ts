// The first k along an axis: rows are dealt out to cores, each ordered in scratch memory, or in global memory where it is too long.
import { delinearize, linearIndex } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { index, mul } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { axisIndex } from '../nest.ts';
import type { Axis } from '../nest.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { heldElements, topKFlops, writeTopKRow } from '../emit/topK.ts';
import type { PrimNodes } from '../positions.ts';
import { createSlot } from '../storage.ts';
import type { Storage } from '../storage.ts';
import { planCores } from './cores.ts';
import type { Write } from './cores.ts';
import { finishTiles, loopCore } from './loops.ts';

const PLACE_BYTES = 4;

export function lowerTopK(node: PrimNodes['topK'], x: Storage, outputs: readonly Storage[], facts: TileFacts): LoweredKernel {
  const { shape, dtype } = node.inputs[0]!;
  const { axis, k } = node.attrs;
  const rows = shape.map((d, i) => (i === axis ? 1 : d));
  const total = elementCount(rows);
  const outer: readonly Axis[] = [{ name: 'row', extent: total }];
  const at = delinearize(axisIndex(outer[0]!), rows);
  const along = axisIndex({ name: 'j', extent: k });
  const held = heldElements(node);
  const fits = held * (byteWidth(dtype) + PLACE_BYTES) <= facts.rules.scratchBytes / 2;
  // Rows of global memory are as long as whole lines.
  const length = fits ? held : Math.ceil(held / facts.rules.lineBytes) * facts.rules.lineBytes;
  const stored = outputs.map(({ slot, offset, strides }): Write => ({
    offset: linearIndex([...at, along], [...strides, strides[axis]!], offset),
    dtype: slot.dtype,
  }));
  const plan = planCores(outer, stored, facts);
  const emitter = new Emitter();
  const slot = (of: typeof dtype): string => {
    const memory = fits ? createSlot('scratch', { dtype: of, shape: [length] }) : createSlot('value', { dtype: of, shape: [total * length] });
    if (!fits) emitter.buffer(memory, 'read');
    return emitter.buffer(memory, 'write');
  };
  const [keys, places] = [slot(dtype), slot('i32')];
  loopCore(emitter, plan, plan.axes.length === 0 ? outer : [], (substitution) => {
    const row = substitution.index(axisIndex(outer[0]!));
    const start: Expr = fits ? index(0) : emitter.bind(mul(emitter.index(row), index(length)));
    writeTopKRow({ emitter, node, x, outputs, at: at.map((i) => substitution.index(i)), keys, places, start, lanes: 1 });
  });
  return finishTiles(emitter, 'topk', plan.cores, { flops: topKFlops(node, total), bytes: 0 }, facts);
}
