// Words of 32 bits that hold several small integers each, the first in the lowest bits: some machines multiply two such words part by
// part and add the products up, in one instruction.

/** Two integers of 16 bits with sign on both sides; or four of 8 bits, those of the first side without sign, those of the second with it. */
export type WordParts = 'shorts' | 'bytes';

/** How a machine multiplies small integers faster than floats: in words, or as whole matrices of i8. */
export type IntegerProducts = WordParts | 'matrices';

export interface WordLayout {
  readonly count: number;
  readonly bits: number;
  /** Of the parts of a word on either side. */
  readonly dtypes: readonly ['i16', 'i16'] | readonly ['u8', 'i8'];
}

export const wordLayouts: { readonly [P in WordParts]: WordLayout } = {
  shorts: { count: 2, bits: 16, dtypes: ['i16', 'i16'] },
  bytes: { count: 4, bits: 8, dtypes: ['u8', 'i8'] },
};

const widen = { i16: (x: number): number => (x << 16) >> 16, i8: (x: number): number => (x << 24) >> 24, u8: (x: number): number => x & 0xff };

/** Σ of the products of the parts of two words (i32), in i32, which wraps around. */
export function wordProduct(parts: WordParts, a: number, b: number): number {
  const { count, bits, dtypes } = wordLayouts[parts];
  let sum = 0;
  for (let i = 0; i < count; i++) sum += widen[dtypes[0]](a >> (i * bits)) * widen[dtypes[1]](b >> (i * bits));
  return sum | 0;
}
