// Matrix units of NVIDIA's GPUs as functions over the machine's own instructions (PTX ISA, "Warp Level Matrix Multiply-Accumulate
// Instructions"): no header is needed. Where another compiler gives CUDA a meaning, it brings the functions itself.
import { AnychipError } from '../../core/error.ts';
import type { Fragment, MatrixUnit } from '../../kernel/ir.ts';
import type { MatrixSyntax } from '../c/dialect.ts';
import type { Prelude } from '../c/prelude.ts';
import { storageOf } from '../c/types.ts';
import { declareSum, storeSum, warpgroupMatrix } from './warpgroup.ts';

/** How a factor's dtype is spelled, what its memory holds, how many 32-bit registers a thread has of one, and what its products' types are called. */
interface Input {
  readonly name: string;
  readonly element: string;
  readonly registers: number;
  readonly types: string;
}
const inputs: Readonly<Partial<Record<MatrixUnit['in'], Input>>> = {
  f16: { name: 'f16', element: storageOf('u16').c, registers: 8, types: 'f32.f32' },
  bf16: { name: 'bf16', element: storageOf('u16').c, registers: 4, types: 'f32.bf16.bf16.f32' },
  tf32: { name: 'tf32', element: 'float', registers: 4, types: 'f32.tf32.tf32.f32' },
  i8: { name: 's8', element: storageOf('i8').c, registers: 2, types: 's32.s8.s8.s32' },
  u8: { name: 'u8', element: storageOf('u8').c, registers: 2, types: 's32.u8.u8.s32' },
};
const SUM_REGISTERS = 8;

function inputOf(unit: MatrixUnit): Input {
  const input = inputs[unit.in];
  if (input === undefined) throw new AnychipError('internal', `no matrix unit of CUDA multiplies ${unit.in}`);
  return input;
}

const sumOf = ({ acc }: MatrixUnit): { readonly c: string; readonly name: string; readonly letter: string } =>
  acc === 'f32' ? { c: 'float', name: 'f32', letter: 'f' } : { c: 'int', name: 's32', letter: 'r' };
const shapeOf = ({ m, n, k }: MatrixUnit): string => `m${m}n${n}k${k}`;
const orderOf = ({ order }: Fragment): string => (order === 'rows' ? 'row' : 'col');
const tag = (unit: MatrixUnit): string => `${unit.in}_${shapeOf(unit)}`;

const list = (from: number, count: number): string => `{${Array.from({ length: count }, (_, i) => `%${from + i}`).join(', ')}}`;
const operands = (constraint: string, name: string, count: number): string => Array.from({ length: count }, (_, i) => `"${constraint}"(${name}[${i}])`).join(', ');

/** A function that only the chip's compiler is shown; any other has it from elsewhere. */
function useFunction(p: Prelude, name: string, signature: string, body: readonly string[]): string {
  return p.use(name, () => `#ifdef __CUDA_ARCH__\n${p.dialect.helper} void ${name}(${signature}) {\n${body.map((line) => `  ${line}\n`).join('')}}\n#endif\n`);
}

/** The address within shared memory. A warp whose threads went different ways before must meet first: the instructions are aligned. */
const SHARED_ADDRESS = '__syncwarp(); unsigned at = (unsigned)__cvta_generic_to_shared(p);';

export const cudaMatrix: MatrixSyntax = {
  ...warpgroupMatrix,
  declare: (_, name, { unit, role }) => {
    if (unit.layout === 'swizzled') return declareSum(name, unit);
    if (role !== 'sum') return `unsigned ${name}[${inputOf(unit).registers}];`;
    return `${sumOf(unit).c} ${name}[${SUM_REGISTERS}] = {${Array.from({ length: SUM_REGISTERS }, () => '0').join(', ')}};`;
  },
  load: (p, name, fragment, pointer, stride) => {
    const { unit, role } = fragment;
    const input = inputOf(unit);
    const full = `matrix_load_${role}_${orderOf(fragment)}_${tag(unit)}`;
    const { registers } = input;
    const text = `wmma.load.${role}.sync.aligned.${orderOf(fragment)}.${shapeOf(unit)}.shared.${input.name} ${list(0, registers)}, [%${registers}], %${registers + 1};`;
    const rounding = unit.in === 'tf32' ? [`for (int i = 0; i < ${registers}; i++) asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(f[i]) : "f"(__uint_as_float(f[i])));`] : [];
    useFunction(p, full, `unsigned (&f)[${registers}], const ${input.element} *p, int stride`, [
      SHARED_ADDRESS,
      `asm volatile("${text}" : ${operands('=r', 'f', registers)} : "r"(at), "r"(stride) : "memory");`,
      ...rounding,
    ]);
    return `${full}(${name}, ${pointer}, ${stride});`;
  },
  multiply: (p, sum, a, b, fragments) => {
    const { unit } = fragments.a;
    const { registers, types } = inputOf(unit);
    const { c, letter } = sumOf(unit);
    const full = `matrix_multiply_${orderOf(fragments.a)}_${orderOf(fragments.b)}_${tag(unit)}`;
    const text = `wmma.mma.sync.aligned.${orderOf(fragments.a)}.${orderOf(fragments.b)}.${shapeOf(unit)}.${types} ${list(0, SUM_REGISTERS)}, ${list(SUM_REGISTERS, registers)}, ${list(SUM_REGISTERS + registers, registers)}, ${list(0, SUM_REGISTERS)};`;
    useFunction(p, full, `${c} (&d)[${SUM_REGISTERS}], const unsigned (&a)[${registers}], const unsigned (&b)[${registers}]`, [
      `asm volatile("${text}" : ${operands(`+${letter}`, 'd', SUM_REGISTERS)} : ${operands('r', 'a', registers)}, ${operands('r', 'b', registers)});`,
    ]);
    return `${full}(${sum}, ${a}, ${b});`;
  },
  store: (p, name, fragment, pointer, stride, columns) => {
    const { unit } = fragment;
    if (unit.layout === 'swizzled') return storeSum(p, name, unit, pointer, stride, columns);
    const { c, name: type, letter } = sumOf(unit);
    const full = `matrix_store_${orderOf(fragment)}_${type}_${shapeOf(unit)}`;
    const text = `wmma.store.d.sync.aligned.${orderOf(fragment)}.${shapeOf(unit)}.shared.${type} [%0], ${list(2, SUM_REGISTERS)}, %1;`;
    useFunction(p, full, `${c} *p, const ${c} (&d)[${SUM_REGISTERS}], int stride`, [
      SHARED_ADDRESS,
      `asm volatile("${text}" :: "r"(at), "r"(stride), ${operands(letter, 'd', SUM_REGISTERS)} : "memory");`,
    ]);
    return `${full}(${pointer}, ${name}, ${stride});`;
  },
};
