// Languages of C's family whose kernels a driver launches, one by one, over a grid of blocks of threads: OpenCL C, CUDA C and its kin.
// A language is a record of how it spells a kernel's head; this file puts the record and the family's printer together.
import { byteWidth } from '../../core/dtype.ts';
import type { BufferParam, Kernel, KernelModule, ScratchBuffer } from '../../kernel/ir.ts';
import { expandMath } from '../../kernel/math.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import type { Renderer, Source } from '../../runtime/device.ts';
import { disjointParams } from './aliasing.ts';
import type { Dialect } from './dialect.ts';
import { kernelSymbol } from './kernel.ts';
import { Prelude } from './prelude.ts';
import { block } from './statement.ts';
import type { Lines } from './statement.ts';
import { convertedBy, storageIn } from './types.ts';

export interface LaunchedLanguage {
  readonly name: string;
  /** Its machines do not compute in f64. */
  readonly lacksDoubles?: boolean;
  /** Each kernel is a unit of its own, because what the tools behind make of one has one entry. */
  readonly alone?: boolean;
  /** `wide`: whether positions need 64 bits. */
  dialect(wide: boolean): Dialect;
  /** The kernel's head up to its opening parenthesis; `block`: what else is asked of its blocks. */
  head(symbol: string, threads: number, block?: Kernel['block']): string;
  /** A parameter, and the statement that makes a pointer called as the buffer from it, where there has to be one. */
  param(buffer: BufferParam, element: string, disjoint: boolean): { readonly declaration: string; readonly statement?: string };
  /** Lines that declare scratch memory. */
  scratch(scratch: ScratchBuffer, element: string): readonly string[];
  /** Where a kernel may use more memory of the block than the bytes that it may declare: how it names what the launch gives it. */
  readonly given?: {
    readonly beyond: number;
    /** What all such kernels need. */
    readonly head: string;
    scratch(scratch: ScratchBuffer, element: string, offsetBytes: number): readonly string[];
  };
  /** Lines before all others of a body, and after them. */
  enter?(kernel: Kernel): readonly string[];
  leave?(kernel: Kernel): readonly string[];
  /** What the preprocessor must find for the kernel to be compiled, where the unit is compiled for several kinds of cores. */
  guard?(kernel: Kernel): string;
  /** How a kernel is launched; a grid of blocks of threads where absent. */
  launch?(kernel: Kernel): { readonly blocks: number; readonly threads: number };
  /** The number of the block, and of the thread in it. */
  readonly block: string;
  readonly thread: string;
}

/** Positions beyond this need 64 bits: half the range is left for sums on the way. */
const NARROW_ELEMENTS = 2 ** 30;

/** Buffers that a launch gives begin at multiples of this. */
const GIVEN_ALIGNMENT = 1024;
const sharedBytesOf = ({ elements, dtype }: ScratchBuffer): number => Math.ceil((elements * byteWidth(dtype)) / GIVEN_ALIGNMENT) * GIVEN_ALIGNMENT;
const isShared = (s: ScratchBuffer): boolean => s.shared === true;

/** Bytes of memory of the block that the launch gives the kernel; 0 where it declares its own. */
function givenBytes({ scratch }: Kernel, { given }: LaunchedLanguage): number {
  const shared = scratch.filter(isShared);
  const declared = shared.reduce((sum, s) => sum + s.elements * byteWidth(s.dtype), 0);
  return given === undefined || declared <= given.beyond ? 0 : shared.reduce((sum, s) => sum + sharedBytesOf(s), 0);
}

const isWide = ({ params, grid, block: threads }: Kernel): boolean =>
  params.some((p) => p.elements * byteWidth(p.dtype) > NARROW_ELEMENTS) || grid.extent * (threads?.threads ?? 1) > NARROW_ELEMENTS;

export class LaunchedRenderer implements Renderer {
  readonly #language: LaunchedLanguage;

  constructor(language: LaunchedLanguage) {
    this.#language = language;
  }

  render(module: KernelModule): Source {
    const { name, alone } = this.#language;
    const launch = this.#language.launch ?? ((kernel: Kernel) => ({ blocks: kernel.grid.extent, threads: kernel.block?.threads ?? 1 }));
    const kernels = module.kernels.map((kernel, i) => {
      const sharedBytes = givenBytes(kernel, this.#language);
      return { symbol: kernelSymbol(kernel, i), ...launch(kernel), ...(sharedBytes === 0 ? {} : { sharedBytes }) };
    });
    const units = alone === true ? kernels.map((_, i) => this.renderKernel(module, i)) : [this.#unit(module)];
    const isSpecific = module.kernels.some(({ scratch }) => scratch.some((s) => s.swizzled === true));
    return { language: name, units, launches: { kernels, init: module.init, run: module.run }, ...(isSpecific ? { isSpecific } : {}) };
  }

  #unit(module: KernelModule): string {
    const prelude = new Prelude(this.#language.dialect(module.kernels.some(isWide)));
    const disjoint = disjointParams(module);
    const texts = module.kernels.map((kernel, i) => this.#kernelText(kernel, kernelSymbol(kernel, i), disjoint[i]!, prelude));
    return `${prelude.text}\n${texts.join('\n')}`;
  }

  renderKernel(module: KernelModule, kernel: number): string {
    const source = module.kernels[kernel]!;
    const prelude = new Prelude(this.#language.dialect(module.kernels.some(isWide)));
    const text = this.#kernelText(source, kernelSymbol(source, kernel), disjointParams(module)[kernel]!, prelude);
    return `${prelude.text}\n${text}`;
  }

  #kernelText(source: Kernel, symbol: string, disjoint: readonly boolean[], prelude: Prelude): string {
    const language = this.#language;
    const kernel = expandMath(lowerSmallFloats(source, convertedBy(prelude.dialect)), language.lacksDoubles !== true);
    const buffers = new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.dtype] as const));
    const fragments = new Map(kernel.scratch.flatMap((s) => (s.fragment === undefined ? [] : [[s.name, s.fragment] as const])));
    const out: Lines = {
      prelude,
      buffers,
      globals: new Set(kernel.params.map((p) => p.name)),
      swizzled: new Set(kernel.scratch.filter((s) => s.swizzled === true).map((s) => s.name)),
      fragments,
      lines: [],
    };
    const params = kernel.params.map((b, i) => language.param(b, storageIn(prelude.dialect, b.dtype).c, disjoint[i] === true));
    out.lines.push(`${language.head(symbol, kernel.block?.threads ?? 1, kernel.block)}(${params.map((p) => p.declaration).join(', ')}) {`);
    for (const { statement } of params) if (statement !== undefined) out.lines.push(`  ${statement}`);
    const add = (lines: readonly string[] = []): void => lines.forEach((line) => out.lines.push(`  ${line}`));
    add(language.enter?.(kernel));
    const { given } = language;
    const isGiven = given !== undefined && givenBytes(kernel, language) > 0;
    if (isGiven) prelude.use('GIVEN_SHARED', () => given.head);
    let offset = 0;
    for (const s of kernel.scratch) {
      const element = storageIn(prelude.dialect, s.dtype).c;
      add(isGiven && isShared(s) ? given.scratch(s, element, offset) : language.scratch(s, element));
      if (isShared(s)) offset += sharedBytesOf(s);
    }
    const { index } = prelude.dialect;
    out.lines.push(`  const ${index} ${kernel.grid.var} = ${language.block};`);
    if (kernel.block !== undefined) out.lines.push(`  const ${index} ${kernel.block.var} = ${language.thread};`);
    block(kernel.body, out, '  ');
    add(language.leave?.(kernel));
    const text = `${out.lines.join('\n')}\n}\n`;
    return language.guard === undefined ? text : `#if ${language.guard(kernel)}\n${text}#endif\n`;
  }
}
