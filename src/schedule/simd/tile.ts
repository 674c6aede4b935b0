// Transposing nests in tiles: where one operand lies along another axis than the result, small squares of both are walked together, so
// that every cache line is used up while it is near. It knows axes and offsets, no loops.
import { byteWidth } from '../../core/dtype.ts';
import { coefficientOf } from '../../core/indexExpr.ts';
import { splitAxis, replaceAxis } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { visitPoints } from '../point.ts';

/** Sides of a tile, the best first: rows enough to use up a line, and not so many that their lines push one another out. */
const SIDES = [8, 16, 7, 10, 12, 13, 14, 9, 11, 6, 5];
/** For elements of less than four bytes, of which a line holds more. */
const NARROW_SIDES = [16, ...SIDES];
/** Elements that neighbours along the result lie apart in the operand before a tile pays. */
const FAR = 16;

const sideOf = (axis: Axis, bytes: number): number | undefined => (bytes < 4 ? NARROW_SIDES : SIDES).find((side) => axis.extent % side === 0 && axis.extent > side);

/** The axis along which some operand is contiguous while the last axis strides through it. */
function findAcross(nest: Nest): Axis | undefined {
  const last = nest.outer.at(-1);
  let found: Axis | undefined;
  if (last === undefined) return undefined;
  visitPoints(
    nest.stages.map((stage) => stage.value),
    nest.dynamic,
    (e) => {
      if (e.kind !== 'load' || Math.abs(coefficientOf(e.offset, last.name) ?? 0) < FAR) return;
      found ??= nest.outer.find((axis) => axis !== last && Math.abs(coefficientOf(e.offset, axis.name) ?? 0) === 1);
    },
  );
  return found;
}

/** `nest` with the two axes split, and the inner parts walked innermost; as it is where nothing is gained. */
export function tileTransposed(nest: Nest, fresh: () => string): Nest {
  const [stage, ...more] = nest.stages;
  if (stage?.kind !== 'store' || stage.axes.length > 0 || more.length > 0) return nest;
  const across = findAcross(nest);
  const last = nest.outer.at(-1);
  if (across === undefined || last === undefined) return nest;
  const [columns, rows] = [across, last].map((axis) => sideOf(axis, byteWidth(stage.value.dtype)));
  if (columns === undefined || rows === undefined) return nest;
  const [a, b] = [splitAxis(across, columns, fresh), splitAxis(last, rows, fresh)];
  const tiled = replaceAxis(replaceAxis(nest, across, a), last, b);
  const others = nest.outer.filter((axis) => axis !== across && axis !== last);
  return { ...tiled, outer: [...others, a.axes[0], b.axes[0], a.axes[1], b.axes[1]] };
}
