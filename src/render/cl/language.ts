// OpenCL C 1.2. Buffers arrive as a memory object and an offset, because parts of a memory object cannot be passed at any address.
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import { invariant } from '../../core/error.ts';
import type { Dialect, FloatSyntax, VectorSyntax } from '../c/dialect.ts';
import type { LaunchedLanguage } from '../c/launched.ts';

// Contracting a·b + c behind our back would undo arithmetic that is exact on purpose.
const HEAD = `#pragma OPENCL FP_CONTRACT OFF
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifdef cl_khr_subgroup_shuffle
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable
#endif
typedef char i8;
typedef uchar u8;
typedef ushort u16;
typedef long i64;
typedef ulong u64;
#ifdef FP_FAST_FMAF
#define FMA_F32(a, b, c) fma(a, b, c)
#else
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#endif
#define FMA_F64(a, b, c) fma(a, b, c)
`;

const names: Partial<Record<ComputeDType, string>> = { f32: 'float', f64: 'double', i32: 'int', u32: 'uint', i64: 'long', u64: 'ulong', bool: 'int' };
/** OpenCL's own name of an element type, which its functions carry in theirs. */
const elementNames: Readonly<Record<string, string>> = { unsigned: 'uint', i8: 'char', u8: 'uchar', u16: 'ushort', float: 'float', int: 'int', short: 'short' };

const nameOf = ({ dtype, lanes }: ExprType): string => {
  const name = names[dtype];
  invariant(name !== undefined, `${dtype} has no vectors`);
  return lanes === 1 ? name : `${name}${lanes}`;
};
const hex = '0123456789abcdef';

const vectors: VectorSyntax = {
  type: (_, type) => nameOf(type),
  pack: (_, type, items) => `((${nameOf(type)})(${items.join(', ')}))`,
  splat: (_, type, x) => `((${nameOf(type)})(${x}))`,
  lane: (x, lane) => `${x}.s${hex[lane]}`,
  convert: (_, type, x) => `convert_${nameOf(type)}(${x})`,
  bitcast: (_, type, x) => `as_${nameOf(type)}(${x})`,
  select: (_, __, mask, a, b) => `(${mask} ? ${a} : ${b})`,
  load: (_, storage, type, pointer) => {
    const value = `vload${type.lanes}(0, ${pointer})`;
    return elementNames[storage.c] === nameOf({ dtype: type.dtype, lanes: 1 }) ? value : `convert_${nameOf(type)}(${value})`;
  },
  store: (_, storage, type, pointer, x) => {
    const element = elementNames[storage.c]!;
    const value = element === nameOf({ dtype: type.dtype, lanes: 1 }) ? x : `convert_${element}${type.lanes}(${x})`;
    return `vstore${type.lanes}(${value}, 0, ${pointer});`;
  },
  // Functions and operators take whole vectors.
  lanewise: (_, signature, __, body) => `${signature} { return ${body}; }\n`,
};

/** Loads and stores of halves are in every OpenCL; memory is declared as whole numbers, because variables of half are not. */
const halves: FloatSyntax = {
  c: 'half',
  load: (_, lanes, buffer, at) => `vload_half${count(lanes)}(0, ${buffer} + ${at})`,
  store: (_, lanes, buffer, at, x) => `vstore_half${count(lanes)}_rte(${x}, 0, ${buffer} + ${at});`,
  round: (p, lanes, x) => {
    const [type, name, n] = [nameOf({ dtype: 'f32', lanes }), `round_half${count(lanes)}`, count(lanes)];
    const body = `ushort a[${lanes}]; vstore_half${n}_rte(x, 0, (half *)a); return vload_half${n}(0, (const half *)a);`;
    return `${p.inline(name, `${type} ${name}(${type} x)`, body)}(${x})`;
  },
};
const count = (lanes: number): string => (lanes === 1 ? '' : String(lanes));

const createDialect = (wide: boolean): Dialect => ({
  head: HEAD,
  index: wide ? 'long' : 'int',
  wideSuffix: 'l',
  helper: 'static inline',
  unroll: '#pragma unroll',
  barrier: 'barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);',
  shuffle: (x, mask) => `sub_group_shuffle_xor(${x}, ${mask})`,
  nan: (dtype) => (dtype === 'f32' ? 'NAN' : '((double)NAN)'),
  infinity: (dtype) => (dtype === 'f32' ? 'INFINITY' : '((double)INFINITY)'),
  real: (fn) => fn,
  fma: (_, dtype) => (dtype === 'f32' ? 'FMA_F32' : 'FMA_F64'),
  bitcast: (_, __, to, x) => `as_${nameOf({ dtype: to, lanes: 1 })}(${x})`,
  vectors,
  floats: { f16: halves },
});

export const clLanguage: LaunchedLanguage = {
  name: 'opencl-c',
  dialect: createDialect,
  head: (symbol, threads, block) =>
    `__kernel __attribute__((reqd_work_group_size(${threads}, 1, 1)))${block?.subgroup === undefined ? '' : ` __attribute__((intel_reqd_sub_group_size(${block.subgroup})))`}\nvoid ${symbol}`,
  param: (buffer, element, disjoint) => {
    const type = `__global ${buffer.access === 'read' ? 'const ' : ''}${element} *`;
    return {
      declaration: `__global char *${buffer.name}_at, const long ${buffer.name}_offset`,
      statement: `${type}${disjoint ? 'restrict ' : ''}${buffer.name} = (${type})(${buffer.name}_at + ${buffer.name}_offset);`,
    };
  },
  scratch: ({ name, elements, shared }, element) => {
    const space = shared === true ? '__local ' : '';
    if (element !== halves.c) return [`${space}${element} ${name}[${elements}];`];
    return [`${space}ushort ${name}_bits[${elements}];`, `${space}half *${name} = (${space}half *)${name}_bits;`];
  },
  block: 'get_group_id(0)',
  thread: 'get_local_id(0)',
};
