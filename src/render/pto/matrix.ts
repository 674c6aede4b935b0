// The cube core in PTO: tiles of L1 that lines are loaded into, tiles of both factors that are moved from there, TMATMUL, and a store of the
// sums. Names, layouts and rules from PTO's pages (docs/isa of pto-isa, August 2026).
import type { Fragment, Kernel } from '../../kernel/ir.ts';
import { fragmentDType, shapeOf } from '../../kernel/matrix.ts';
import { declaredIn } from '../../kernel/statements.ts';
import type { FragmentText, TileMatrixSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import { storageOf } from '../c/types.ts';

/** Blocks in L1 go column after column where lines are rows, row after row where lines are columns. */
const LIBRARY = `template <typename T, int M, int N> using MatRows = Tile<TileType::Mat, T, M, N, BLayout::ColMajor, DYNAMIC, DYNAMIC, SLayout::RowMajor>;
template <typename T, int M, int N> using MatColumns = Tile<TileType::Mat, T, M, N, BLayout::RowMajor, DYNAMIC, DYNAMIC, SLayout::ColMajor>;
using Sides = Shape<1, 1, 1, DYNAMIC, DYNAMIC>;
template <typename T, int Distance> using LinesOfRows = GlobalTensor<T, Sides, Stride<1, 1, 1, Distance, 1>, Layout::ND>;
template <typename T, int Distance> using LinesOfColumns = GlobalTensor<T, Sides, Stride<1, 1, 1, 1, Distance>, Layout::DN>;
`;

const use = (p: Prelude): void => void p.use('matrix', () => LIBRARY);
const element = (fragment: Fragment): string => storageOf(fragmentDType(fragment)).c;
const TILES = { a: 'TileLeft', b: 'TileRight', sum: 'TileAcc' } as const;

/** A tile of `rows` and `columns` that are there, at an address. */
const tile = (name: string, type: string, fragment: Fragment, sides: string, at: string): string =>
  `${type}<${[element(fragment), ...shapeOf(fragment), ...(type.startsWith('Mat') ? [] : ['DYNAMIC', 'DYNAMIC'])].join(', ')}> ${name}(${sides}); TASSIGN(${name}, ${at});`;
const held = (name: string, fragment: Fragment, sides: string, of: string): string => tile(name, TILES[fragment.role], fragment, sides, `${of}_at`);
const staged = (name: string, fragment: Fragment, sides: string, of: string): string =>
  tile(name, fragment.order === 'rows' ? 'MatRows' : 'MatColumns', fragment, sides, `${of}_at`);

/** Rows and columns of as many lines and elements. */
const sidesOf = ({ order }: Fragment, lines: string, elements: string): readonly [string, string] => (order === 'rows' ? [lines, elements] : [elements, lines]);
/** Lines in global memory. */
const linesAt = (fragment: Fragment, type: string, { buffer, at, stride }: Pick<FragmentText, 'buffer' | 'at' | 'stride'>, sides: string): string =>
  `LinesOf${fragment.order === 'rows' ? 'Rows' : 'Columns'}<${type}, ${stride}> lines(${buffer.name}${at === '0' ? '' : ` + ${at}`}, Sides(${sides}));`;

/** Names of a kernel's fragments, the memory that each lies in, and its bytes. */
export const fragmentsOf = ({ body }: Kernel): readonly { readonly name: string; readonly memory: string; readonly bytes: number }[] =>
  declaredIn(body).map(([name, fragment]) => {
    const [rows, columns] = shapeOf(fragment);
    return { name, memory: fragment.role, bytes: rows * columns * storageOf(fragmentDType(fragment)).bytes };
  });

export const ptoMatrix: TileMatrixSyntax = {
  declare: (_, name, { role }) => (role === 'sum' ? `bool ${name}_new = true;` : `i64 ${name}_rows = 0, ${name}_columns = 0;`),
  copy: (p, to, fragment, from, rows, elements) => {
    use(p);
    const sides = sidesOf(fragment, rows, elements).join(', ');
    return `{ ${staged('A', fragment, sides, to.name)} ${linesAt(fragment, element(fragment), from, sides)} TLOAD(A, lines); }`;
  },
  load: (_, name, fragment, { buffer, lines, elements }) => {
    const [rows, columns] = sidesOf(fragment, lines, elements);
    const sides = `${name}_rows, ${name}_columns`;
    return `${name}_rows = ${rows}; ${name}_columns = ${columns}; { ${staged('A', fragment, sides, buffer.name)} ${held('B', fragment, sides, name)} TMOV(B, A); }`;
  },
  multiply: (_, sum, a, b, fragments) => {
    const into: Fragment = { ...fragments.a, role: 'sum' };
    const tiles = [held('A', fragments.a, `${a}_rows, ${a}_columns`, a), held('B', fragments.b, `${b}_rows, ${b}_columns`, b), held('C', into, `${a}_rows, ${b}_columns`, sum)];
    return `{ ${tiles.join(' ')} if (${sum}_new) TMATMUL(C, A, B); else TMATMUL_ACC(C, C, A, B); } ${sum}_new = false; pipe_barrier(PIPE_M);`;
  },
  store: (p, name, fragment, to) => {
    use(p);
    const sides = `${to.lines}, ${to.elements}`;
    return `{ ${held('A', fragment, sides, name)} ${linesAt(fragment, to.buffer.storage.c, to, sides)} TSTORE(lines, A); }`;
  },
};
