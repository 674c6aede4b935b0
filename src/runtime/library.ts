// What a library is made of that holds a model, its kernels and weights, and runs without this package. Plain data, whatever language its
// callers speak.
import type { NumericDType } from '../core/dtype.ts';
import type { Shape } from '../core/shape.ts';

export interface LibraryPort {
  /** As the model has it. */
  readonly name: string;
  readonly dtype: NumericDType;
  readonly shape: Shape;
}

/** Where bytes lie when the library runs: an input or output of the caller's, by number, or the library's own data. */
export type LibraryPlace = { readonly at: 'input' | 'output'; readonly index: number } | { readonly at: 'data'; readonly offsetBytes: number };

export interface LibraryDescription {
  /** An identifier of C: what the library, its header and its functions are called. */
  readonly name: string;
  /** The model, for people. */
  readonly title: string;
  readonly inputs: readonly LibraryPort[];
  readonly outputs: readonly LibraryPort[];
  /** Inputs of the model whose values decided shapes: they are compiled in and not asked for. */
  readonly fixed: readonly LibraryPort[];
  /** Weights as kernels read them, and constants; weights come first. */
  readonly data: Uint8Array;
  /** The program, if there is anything to compute: what it works on after the arena and the weights. */
  readonly program: { readonly arenaBytes: number; readonly scratchBytes: number; readonly ports: readonly LibraryPlace[] } | undefined;
  /** Outputs that no kernel writes. */
  readonly copies: readonly { readonly to: number; readonly from: LibraryPlace; readonly bytes: number }[];
}

export interface LibraryFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}
