// Reads images between their pixels, on the host. The multilinear rule of DeformConv: what lies outside is zero.
import { forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';

/** The value of `plane` (row-major, `shape`) at real coordinates `at`, multilinear, zero outside. */
export function sampleLinear(plane: readonly number[], shape: Shape, at: readonly number[]): number {
  const strides = stridesOf(shape);
  const base = at.map(Math.floor);
  let value = 0;
  forEachIndex(
    shape.map(() => 2),
    (corner) => {
      let weight = 1;
      let flat = 0;
      for (let i = 0; i < shape.length; i++) {
        const p = base[i]! + corner[i]!;
        if (!(p >= 0 && p < shape[i]!)) return;
        const fraction = at[i]! - base[i]!;
        weight *= corner[i] === 1 ? fraction : 1 - fraction;
        flat += p * strides[i]!;
      }
      value += weight * plane[flat]!;
    },
  );
  return value;
}
