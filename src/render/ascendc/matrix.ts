// The cube core in Ascend C: copies into L1 that turn lines into blocks, fills of the buffers of both factors, Mmad, Fixpipe. Names, block
// orders and rules from the Ascend C API reference (CANN 8, architecture 2201).
import { invariant } from '../../core/error.ts';
import type { Fragment, Kernel } from '../../kernel/ir.ts';
import { fragmentDType, hasOwnLines, linesOf, shapeOf } from '../../kernel/matrix.ts';
import { declaredIn } from '../../kernel/statements.ts';
import type { TileMatrixSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import { isIn } from '../c/tileOperands.ts';
import { storageOf } from '../c/types.ts';

/**
 * Blocks have 16 lines of 32 bytes, C0 elements. In L1 the blocks of a factor whose lines are its own lie column after column; lines along
 * the sum are turned as they are filled in, square after square, and beyond the last of them are zeros up to a whole square. In L0A blocks
 * go row after row, in L0B as well, each turned; of floats two of them make a square.
 */
const library = (helper: string): string => {
  const template = (name: string, parameters: string, body: readonly string[]): string =>
    `template <class T> ${helper} void ${name}(LocalTensor<T> to, ${parameters}) {\n  constexpr uint32_t C0 = 32 / sizeof(T), SQUARE = sizeof(T) == 1 ? 32 : 16;\n${body.map((line) => `  ${line}\n`).join('')}}\n`;
  const sizes = 'uint32_t side, uint32_t depth, uint32_t sides, uint32_t depths';
  return [
    `${helper} uint32_t any_blocks(uint32_t x, uint32_t by) { return (x + by - 1) / by; }\n`,
    template('any_bring', 'GlobalTensor<T> from, uint32_t lines, uint32_t elements, uint32_t stride, uint32_t most', [
      'Nd2NzParams p;',
      'p.ndNum = 1; p.nValue = lines; p.dValue = elements; p.srcNdMatrixStride = 0; p.srcDValue = stride;',
      'p.dstNzC0Stride = most; p.dstNzNStride = 1; p.dstNzMatrixStride = 0;',
      'DataCopy(to, from, p);',
    ]),
    template('any_bring_turned', 'GlobalTensor<T> from, uint32_t lines, uint32_t elements, uint32_t stride, uint32_t most, uint32_t sides', [
      'const uint32_t group = sizeof(T) == 4 ? SQUARE : most, rest = lines % SQUARE;',
      'for (uint32_t at = 0; at < lines; at += group) any_bring(to[at * sides], from[(uint64_t)at * stride], lines - at < group ? lines - at : group, elements, stride, group);',
      'if (rest == 0) return;',
      'InitConstValueParams<uint16_t> p;',
      'p.repeatTimes = any_blocks(elements, C0); p.blockNum = SQUARE - rest; p.dstGap = group - (SQUARE - rest); p.initValue = 0;',
      'Fill(to[sizeof(T) == 4 ? (lines - rest) * sides + rest * C0 : lines * C0].template ReinterpretCast<uint16_t>(), p);',
    ]),
    template('any_fill_a', `LocalTensor<T> from, ${sizes}`, [
      'LoadData2DParams p;',
      'p.startIndex = 0; p.repeatTimes = any_blocks(depth, C0); p.srcStride = sides / 16; p.sid = 0; p.dstGap = 0; p.ifTranspose = false; p.addrMode = 0;',
      'for (uint32_t i = 0; i < any_blocks(side, 16); i++) LoadData(to[i * p.repeatTimes * 16 * C0], from[i * 16 * C0], p);',
    ]),
    template('any_fill_b', `LocalTensor<T> from, ${sizes}`, [
      'LoadData2DParams p;',
      'p.startIndex = 0; p.repeatTimes = any_blocks(side, 16); p.srcStride = 1; p.sid = 0; p.dstGap = 0; p.ifTranspose = false; p.addrMode = 0;',
      'for (uint32_t i = 0; i < any_blocks(depth, C0); i++) LoadData(to[i * p.repeatTimes * 16 * C0], from[i * sides * C0], p);',
    ]),
    template('any_turn_a', `LocalTensor<T> from, ${sizes}`, [
      'const uint32_t along = any_blocks(depth, SQUARE), step = sizeof(T) == 4 ? SQUARE * SQUARE : depths * SQUARE;',
      'LoadData2dTransposeParams p;',
      'p.startIndex = 0; p.repeatTimes = along; p.srcStride = sizeof(T) == 4 ? sides / SQUARE : 1;',
      'p.dstGap = sizeof(T) == 4 ? 1 : 0; p.dstFracGap = sizeof(T) == 1 ? along - 1 : 0; p.addrMode = 0;',
      'for (uint32_t i = 0; i < any_blocks(side, SQUARE); i++) LoadDataWithTranspose(to[i * along * SQUARE * SQUARE], from[i * step], p);',
    ]),
    template('any_turn_b', `LocalTensor<T> from, ${sizes}`, [
      'const uint32_t along = any_blocks(side, SQUARE), step = sizeof(T) == 4 ? sides * SQUARE : SQUARE * SQUARE;',
      'LoadData2dTransposeParams p;',
      'p.startIndex = 0; p.repeatTimes = along; p.srcStride = sizeof(T) == 4 ? 1 : depths / SQUARE;',
      'p.dstGap = sizeof(T) == 1 ? 1 : 0; p.dstFracGap = sizeof(T) == 4 ? along - 1 : 0; p.addrMode = 0;',
      'for (uint32_t i = 0; i < any_blocks(depth, SQUARE); i++) LoadDataWithTranspose(to[i * along * SQUARE * SQUARE], from[i * step], p);',
    ]),
    `template <class S, class T> ${helper} void any_multiply(LocalTensor<S> sum, LocalTensor<T> a, LocalTensor<T> b, uint32_t m, uint32_t n, uint32_t k, bool isFirst, bool inSquares) {
  MmadParams p;
  p.m = m; p.n = n; p.k = k; p.cmatrixInitVal = isFirst; p.cmatrixSource = false; p.kDirectionAlign = inSquares;
  Mmad(sum, a, b, p);
  PipeBarrier<PIPE_M>();
}
template <class D, class S> ${helper} void any_drain(GlobalTensor<D> to, LocalTensor<S> sum, uint32_t lines, uint32_t elements, uint32_t side, uint32_t stride, QuantMode_t rounding) {
  FixpipeParamsV220 p;
  p.nSize = elements; p.mSize = lines; p.srcStride = any_blocks(side, 16) * 16; p.dstStride = stride; p.quantPre = rounding;
  p.ndNum = 1; p.srcNdStride = 0; p.dstNdStride = 0;
  Fixpipe<D, S, CFG_ROW_MAJOR>(to, sum, p);
}
`,
  ].join('');
};

const use = (p: Prelude): void => void p.use('matrix', () => library(p.dialect.helper));

const element = (fragment: Fragment): string => storageOf(fragmentDType(fragment)).c;
/** Most points along a factor's own side, and along the sum. */
const sidesOf = ({ unit, role }: Fragment): readonly [number, number] => [role === 'a' ? unit.m : unit.n, unit.k];

const POSITIONS = { a: 'A2', b: 'B2', sum: 'CO1' } as const;
const ROUNDINGS = { half: 'F322F16', bfloat16_t: 'F322BF16' } as const;

/** Memory of all fragments of a kernel; none where it uses no matrix unit. */
export const matrixMemory = ({ body }: Kernel): string[] =>
  declaredIn(body).map(([name, fragment]) => {
    const [rows, columns] = shapeOf(fragment);
    const c = element(fragment);
    return `TBuf<TPosition::${POSITIONS[fragment.role]}> ${name}_at; pipe.InitBuffer(${name}_at, ${rows * columns} * sizeof(${c})); LocalTensor<${c}> ${name} = ${name}_at.Get<${c}>();`;
  });

export const ascendMatrix: TileMatrixSyntax = {
  declare: (_, name, { role }) => (role === 'sum' ? `bool ${name}_new = true; uint32_t ${name}_side = 0;` : `uint32_t ${name}_side = 0, ${name}_depth = 0;`),
  copy: (p, to, fragment, from, rows, elements) => {
    use(p);
    const place = `${to.name}, ${from.at === '0' ? from.buffer.name : `${from.buffer.name}[${from.at}]`}, ${rows}, ${elements}, ${from.stride}`;
    const [sides, depths] = sidesOf(fragment);
    return hasOwnLines(fragment) ? `any_bring(${place}, ${sides});` : `any_bring_turned(${place}, ${depths}, ${sides});`;
  },
  load: (p, name, fragment, { buffer, lines, elements }) => {
    use(p);
    const [side, depth] = hasOwnLines(fragment) ? [lines, elements] : [elements, lines];
    const fill = `any_${hasOwnLines(fragment) ? 'fill' : 'turn'}_${fragment.role}`;
    return `${name}_side = ${side}; ${name}_depth = ${depth}; ${fill}(${name}, ${buffer.name}, ${name}_side, ${name}_depth, ${sidesOf(fragment).join(', ')});`;
  },
  multiply: (_, sum, a, b, fragments) => {
    const bytes = storageOf(fragmentDType(fragments.b)).bytes;
    // Squares of bytes are two blocks wide.
    const n = bytes === 1 && !hasOwnLines(fragments.b) ? `any_blocks(${b}_side, 32) * 32` : `${b}_side`;
    const inSquares = bytes === 4 && !hasOwnLines(fragments.a);
    return `any_multiply(${sum}, ${a}, ${b}, ${a}_side, ${n}, ${a}_depth, ${sum}_new, ${inSquares}); ${sum}_new = false; ${sum}_side = ${a}_side;`;
  },
  store: (_, name, fragment, { buffer, at, stride, lines, elements }) => {
    invariant(fragment.order === 'rows' && linesOf(fragment)[0] === fragment.unit.m, 'a sum is written row by row');
    const { c } = buffer.storage;
    const rounding = isIn(ROUNDINGS, c) ? ROUNDINGS[c] : 'NoQuant';
    return `any_drain(${at === '0' ? buffer.name : `${buffer.name}[${at}]`}, ${name}, ${lines}, ${elements}, ${name}_side, ${stride}, QuantMode_t::${rounding});`;
  },
};
