// Walks the windows of convolutions and pools on the host: which taps of a window meet which elements of the input.
// Knows geometry only; what is done with the taps is the operator's business.
import { elementCount, forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import type { WindowGeometry } from '../graph/ops/convGeometry.ts';

/** The taps of one window that lie on data: `kernel[i]` is the flat tap, `input[i]` the flat spatial element it meets. */
export interface Taps {
  readonly kernel: readonly number[];
  readonly input: readonly number[];
  /** Taps on data or on the padding that the model asks for (windows of ceil_mode may reach further). */
  readonly padded: number;
}

/** Calls `visit` for every window in row-major order of the outputs. */
export function forEachWindow(spatial: Shape, g: WindowGeometry, visit: (taps: Taps, output: number) => void): void {
  const strides = stridesOf(spatial);
  forEachIndex(g.out, (position, output) => {
    const kernel: number[] = [];
    const input: number[] = [];
    let padded = 0;
    forEachIndex(g.kernel, (tap, flatTap) => {
      let flat = 0;
      let onData = true;
      let onPadding = true;
      for (let i = 0; i < spatial.length; i++) {
        const at = position[i]! * g.strides[i]! + tap[i]! * g.dilations[i]! - g.low[i]!;
        onData &&= at >= 0 && at < spatial[i]!;
        onPadding &&= at < spatial[i]! + g.high[i]!;
        flat += at * strides[i]!;
      }
      if (onPadding) padded++;
      if (!onData) return;
      kernel.push(flatTap);
      input.push(flat);
    });
    visit({ kernel, input, padded }, output);
  });
}

/** Number of planes (N·C) and elements of each, of a tensor [N, C, d…]. */
export const planesOf = (shape: Shape): { readonly count: number; readonly size: number } => ({ count: shape[0]! * shape[1]!, size: elementCount(shape.slice(2)) });
