// Memory of kernels in WGSL. Blocks of memory are bound as arrays of words, one binding for each block a call touches: what is written may
// be bound once only. Elements narrower than a word are taken out of it and put in by atomic operations, since neighbours belong to other
// threads; wider ones are two words. Scratch memory is nobody else's, so its elements are as wide as what they are computed in.
import { invariant } from '../../core/error.ts';
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { BufferParam, ComputeDType, Kernel } from '../../kernel/ir.ts';
import { computeType } from '../../kernel/computeType.ts';
import type { Library } from './library.ts';
import { typeNames } from './types.ts';

/** What a kernel reads and writes under a name. */
export interface Memory {
  readonly dtype: NumericDType;
  load(at: string): string;
  /** A statement. */
  store(at: string, value: string): string;
}

const bytesOf = (dtype: NumericDType): number => dtypes[dtype].bytes;

interface Binding {
  readonly name: string;
  readonly atomic: boolean;
}

/** A word as a value of the type, and the reverse. */
const fromWord: { readonly [D in ComputeDType]?: (word: string) => string } = {
  f32: (word) => `bitcast<f32>(${word})`,
  i32: (word) => `bitcast<i32>(${word})`,
  u32: (word) => word,
  bool: (word) => `(${word} != 0u)`,
};
const toWord: { readonly [D in ComputeDType]?: (value: string) => string } = {
  f32: (value) => `bitcast<u32>(${value})`,
  i32: (value) => `bitcast<u32>(${value})`,
  u32: (value) => value,
  bool: (value) => `select(0u, 1u, ${value})`,
};

const wordAt = ({ name, atomic }: Binding, at: string): string => (atomic ? `atomicLoad(&${name}[${at}])` : `${name}[${at}]`);
const setWord = ({ name, atomic }: Binding, at: string, word: string): string => (atomic ? `atomicStore(&${name}[${at}], ${word});` : `${name}[${at}] = ${word};`);

/** The buffer `param`, which begins at element `start` of the block bound as `binding`. */
function boundMemory(param: BufferParam, binding: Binding, start: string, library: Library): Memory {
  const { dtype } = param;
  const type = computeType(dtype);
  const bytes = bytesOf(dtype);
  const place = (at: string): string => `${start} + ${at}`;
  if (bytes === 8) {
    const load = (): string => library.define(`load64_${binding.name}`, `(i: i32) -> vec2u { return vec2u(${wordAt(binding, '2i * i')}, ${wordAt(binding, '2i * i + 1i')}); }`);
    const store = (): string => library.define(`store64_${binding.name}`, `(i: i32, v: vec2u) { ${setWord(binding, '2i * i', 'v.x')} ${setWord(binding, '2i * i + 1i', 'v.y')} }`);
    return { dtype, load: (at) => `${load()}(${place(at)})`, store: (at, value) => `${store()}(${place(at)}, ${value});` };
  }
  const [read, write] = [fromWord[type], toWord[type]];
  invariant(read !== undefined && write !== undefined, `memory of ${dtype}`);
  if (bytes === 4) return { dtype, load: (at) => read(wordAt(binding, place(at))), store: (at, value) => setWord(binding, place(at), write(value)) };
  const bits = 8 * bytes;
  const [shift, mask] = bytes === 1 ? ['2u', '3u'] : ['1u', '1u'];
  const first = `(u32(i) & ${mask}) * ${bits}u`;
  const word = `i >> ${shift}`;
  const load = (): string => library.define(`load${bits}_${binding.name}`, `(i: i32) -> u32 { return extractBits(${wordAt(binding, word)}, ${first}, ${bits}u); }`);
  const store = (): string => {
    const [clear, set] = [`atomicAnd(&${binding.name}[${word}], ~(${2 ** bits - 1}u << first));`, `atomicOr(&${binding.name}[${word}], (v & ${2 ** bits - 1}u) << first);`];
    return library.define(`store${bits}_${binding.name}`, `(i: i32, v: u32) { let first = ${first}; ${clear} ${set} }`);
  };
  const widened = (x: string): string => (type === 'i32' ? `extractBits(${x}, 0u, ${bits}u)` : x);
  return { dtype, load: (at) => widened(read(`${load()}(${place(at)})`)), store: (at, value) => `${store()}(${place(at)}, ${write(value)});` };
}

export interface KernelMemory {
  readonly buffers: ReadonlyMap<string, Memory>;
  /** Declarations of the module. */
  readonly declarations: string;
  /** Statements at the start of the kernel. */
  readonly head: readonly string[];
}

/** The number of the block that each parameter of a call lies in, counted in the order in which the parameters meet them. */
export function blocksOf(bases: readonly number[]): number[] {
  const distinct = [...new Set(bases)];
  return bases.map((base) => distinct.indexOf(base));
}

const components = 'xyzw';

/** `blocks`: for each parameter the block it lies in. Binding 0 tells where in it, in bytes; block b is binding b + 1. */
export function kernelMemory(kernel: Kernel, blocks: readonly number[], library: Library): KernelMemory {
  const { params } = kernel;
  const count = Math.max(-1, ...blocks) + 1;
  const inBlock = (block: number): BufferParam[] => params.filter((_, i) => blocks[i] === block);
  const bindings = Array.from({ length: count }, (_, block): Binding & { readonly written: boolean } => {
    const written = inBlock(block).filter((p) => p.access !== 'read');
    return { name: `memory${block}`, written: written.length > 0, atomic: written.some((p) => bytesOf(p.dtype) < 4) };
  });
  const buffers = new Map<string, Memory>(params.map((p, i) => [p.name, boundMemory(p, bindings[blocks[i]!]!, `${p.name}_start`, library)]));
  const scratch = kernel.scratch.map((s) => {
    buffers.set(s.name, { dtype: s.dtype, load: (at) => `${s.name}[${at}]`, store: (at, value) => `${s.name}[${at}] = ${value};` });
    return `var<${s.shared === true ? 'workgroup' : 'private'}> ${s.name}: array<${typeNames[computeType(s.dtype)]}, ${Math.max(s.elements, 1)}>;\n`;
  });
  const bound = bindings.map(
    ({ name, written, atomic }, i) => `@group(0) @binding(${i + 1}) var<storage, ${written ? 'read_write' : 'read'}> ${name}: array<${atomic ? 'atomic<u32>' : 'u32'}>;\n`,
  );
  const starts = `@group(0) @binding(0) var<uniform> starts: array<vec4u, ${Math.ceil(params.length / 4)}>;\n`;
  // What is bound has to be used, whatever became of the code that does.
  const used = ['_ = starts[0];', ...bindings.map(({ name }) => `_ = &${name};`)];
  const head = params.map((p, i) => `let ${p.name}_start = i32(starts[${Math.floor(i / 4)}].${components[i % 4]} >> ${Math.log2(bytesOf(p.dtype))}u);`);
  return { buffers, declarations: [starts, ...bound, ...scratch].join(''), head: [...used, ...head] };
}
