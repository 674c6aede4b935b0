// Vectors of languages of CUDA's family: structures that a thread loads and stores whole, at multiples of their size. There is no
// arithmetic on them: lanes are taken out first.
import { invariant } from '../../core/error.ts';
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import type { VectorSyntax } from '../c/dialect.ts';
import { noVectors } from '../c/scalars.ts';
import type { Storage } from '../c/types.ts';

/** How an element is spelled, alone and in the name of a vector. */
const spellings: Partial<Record<ComputeDType, { readonly element: string; readonly name: string }>> = {
  f32: { element: 'float', name: 'float' },
  i32: { element: 'int', name: 'int' },
  u32: { element: 'unsigned', name: 'uint' },
};
const lanes = ['x', 'y', 'z', 'w'];

function spell(type: ExprType): { readonly element: string; readonly vector: string } {
  const spelling = spellings[type.dtype];
  invariant(spelling !== undefined && (type.lanes === 2 || type.lanes === 4), `there are no vectors of ${type.lanes} ${type.dtype}`);
  return { element: spelling.element, vector: `${spelling.name}${type.lanes}` };
}

/** The type of vectors in memory of elements of the same type. */
function inMemory(storage: Storage, type: ExprType): string {
  const { element, vector } = spell(type);
  invariant(storage.c === element, `vectors of ${type.dtype} do not lie in memory of ${storage.c}`);
  return vector;
}

export const wholeVectors: VectorSyntax = {
  ...noVectors,
  type: (_, type) => spell(type).vector,
  pack: (p, type, items) => {
    const { element, vector } = spell(type);
    const used = lanes.slice(0, type.lanes);
    const name = `pack_${vector}`;
    const body = `${vector} v; ${used.map((lane) => `v.${lane} = ${lane}; `).join('')}return v;`;
    return `${p.inline(name, `${vector} ${name}(${used.map((lane) => `${element} ${lane}`).join(', ')})`, body)}(${items.join(', ')})`;
  },
  lane: (x, lane) => `${x}.${lanes[lane]}`,
  load: (_, storage, type, pointer) => `(*(const ${inMemory(storage, type)} *)(${pointer}))`,
  store: (p, storage, type, pointer, x) =>
    // Halves of words, side by side.
    storage.c === 'u16' && type.dtype === 'u32' && type.lanes === 4
      ? `${p.inline('store_u16x4', 'void store_u16x4(u16 *p, uint4 v)', 'uint2 w; w.x = v.x | v.y << 16; w.y = v.z | v.w << 16; *(uint2 *)p = w;')}(${pointer}, ${x});`
      : `*(${inMemory(storage, type)} *)(${pointer}) = ${x};`,
};
