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
    // Symbols of what is added up or joined are others.
    const names = [...symbolsIn(channel)].filter((name) => name.startsWith('v'));
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

export type Layouts = ReadonlyMap<Operand, readonly number[]>;

/** Strides of the values that should not lie in row-major order, if they are kept in memory. `lanes`: of vectors that should run along channels. */
export function wishedLayouts(graph: PrimGraph, lanes: number): Layouts {
  const layouts = new Map<Operand, readonly number[]>();
  if (lanes <= 1) return layouts;
  const bound = new Set([...graph.inputs, ...graph.outputs, ...graph.constants.keys()]);
  for (const x of findImages(graph)) {
    if (!bound.has(x) && x.shape[CHANNELS]! >= lanes) layouts.set(x, channelsLast(x.shape, Math.ceil(dtypes[x.dtype].bits / 8), lanes));
  }
  return layouts;
}

/** The layouts that values get, and the views that cannot be had with them though they could with the wished ones. */
export function chooseLayouts(wished: Layouts, fusion: Fusion): { readonly layouts: Layouts; readonly lost: readonly Operand[] } {
  const layouts = new Map(wished);
  const atLoad = new Set(fusion.roots.flatMap((root) => (root.atLoad ? root.node.outputs : [])));
  for (const x of wished.keys()) if (!fusion.stored.has(x) || atLoad.has(x)) layouts.delete(x);
  const views = [...fusion.whole].flatMap((x) => {
    const view = fusion.stored.has(x) ? undefined : fusion.views.get(x);
    return view === undefined ? [] : [{ x, view }];
  });
  const isHad = ({ view }: (typeof views)[number]): boolean => {
    const strides = layouts.get(view.base) ?? stridesOf(view.base.shape);
    return viewStorage(view, { strides, offset: 0 }) !== undefined;
  };
  for (const each of views) if (each.view.words === undefined && !isHad(each)) layouts.delete(each.view.base);
  return { layouts, lost: views.flatMap((each) => (isHad(each) ? [] : [each.x])) };
}
