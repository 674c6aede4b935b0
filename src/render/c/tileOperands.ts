// What printers of vector instructions ask of operands and of their tables.
import { invariant } from '../../core/error.ts';
import type { BufferText, TileOperand } from './dialect.ts';

/** Elements of scratch memory. */
export type Tile = Extract<TileOperand, { readonly buffer: BufferText }>;

export const isTile = (x: TileOperand | undefined): x is Tile => x !== undefined && 'buffer' in x;

export function tileOf(x: TileOperand | undefined): Tile {
  invariant(isTile(x), 'an operand that must be a tile');
  return x;
}

export const isIn = <T extends object>(table: T, key: PropertyKey): key is keyof T => key in table;
