// Chooses in what order the axes of a value lie in memory. Machines whose vectors should run along channels have images with channels
// last, where convolutions make and read them: the input of a product lies as the product reads it, and nothing is turned around.
// What callers bind stays as it is; so does what some kernel needs as a strided view that only row-major order has.
import { dtypes } from '../core/dtype.ts';
import { symbolsIn } from '../core/indexExpr.ts';
import { stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import type { Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import type { Fusion } from './fuse.ts';
import { inputPositions } from './positions.ts';
import { NO_SCOPE, axisSymbols, viewStorage } from './views.ts';

/** Where channels stand in the shape of an image. */
const CHANNELS = 1;
/** Distances between neighbours that are multiples of so many bytes fall into the same few lines of a cache. */
const FOLDED_BYTES = 2048;

/** Elements from one pixel to the next: its channels, and `lanes` more where caches would fold neighbours. */
export const pixelPitch = (channels: number, elementBytes: number, lanes: number): number => ((channels * elementBytes) % FOLDED_BYTES === 0 ? channels + lanes : channels);

/** Strides with channels innermost. */
function channelsLast(shape: Shape, elementBytes: number, lanes: number): readonly number[] {
  const inner = stridesOf([shape[0]!, ...shape.slice(CHANNELS + 1), pixelPitch(shape[CHANNELS]!, elementBytes, lanes)]);
  return [inner[0]!, 1, ...inner.slice(1, -1)];
}

/** Elements that a value of these strides reaches over. */
export const reachOf = (shape: Shape, strides: readonly number[]): number => shape.reduce((reach, size, i) => Math.max(reach, size * strides[i]!), 1);

/** Inputs of which each element goes into results of its own channel alone. */
function alongChannels(node: PrimNode): Operand[] {
  const out = node.outputs[0]!;
  if (node.op === 'conv' || out.shape.length <= CHANNELS + 1) return [];
  const at = axisSymbols(out.shape);
  return inputPositions(node.op, node, at, NO_SCOPE).flatMap((p, i) => {
    const [x, channel] = [node.inputs[i]!, p?.[CHANNELS]];
    if (p === undefined || channel === undefined || x.shape.length <= CHANNELS + 1) return [];
    const names = [...symbolsIn(channel)];
    return names.length === 1 && names[0] === `v${CHANNELS}` ? [x] : [];
  });
}

/** What convolutions make and read, and what is computed from it or for it channel by channel. */
function findImages(graph: PrimGraph): ReadonlySet<Operand> {
  const neighbours = new Map<Operand, Operand[]>();
  const link = (a: Operand, b: Operand): void => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = neighbours.get(from);
      if (known === undefined) neighbours.set(from, [to]);
      else known.push(to);
    }
  };
  const images = new Set<Operand>();
  for (const node of graph.nodes) {
    if (node.op === 'conv') for (const x of [node.inputs[0]!, node.outputs[0]!]) images.add(x);
    for (const x of alongChannels(node)) link(x, node.outputs[0]!);
  }
  for (const x of images) for (const next of neighbours.get(x) ?? []) images.add(next);
  return images;
}

/** Strides of the values that do not lie in row-major order. `lanes`: of vectors that should run along channels. */
export function chooseLayouts(graph: PrimGraph, fusion: Fusion, lanes: number): ReadonlyMap<Operand, readonly number[]> {
  const layouts = new Map<Operand, readonly number[]>();
  if (lanes <= 1) return layouts;
  const bound = new Set([...graph.inputs, ...graph.outputs, ...graph.constants.keys()]);
  const atLoad = new Set(fusion.roots.flatMap((root) => (root.atLoad ? root.node.outputs : [])));
  for (const x of findImages(graph)) {
    if (!fusion.stored.has(x) || bound.has(x) || atLoad.has(x) || x.shape[CHANNELS]! < lanes) continue;
    layouts.set(x, channelsLast(x.shape, Math.ceil(dtypes[x.dtype].bits / 8), lanes));
  }
  for (const x of fusion.whole) {
    const view = fusion.stored.has(x) ? undefined : fusion.views.get(x);
    const strides = view === undefined ? undefined : layouts.get(view.base);
    if (view !== undefined && strides !== undefined && viewStorage(view, { strides, offset: 0 }) === undefined) layouts.delete(view.base);
  }
  return layouts;
}
