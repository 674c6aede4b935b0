// The typedefs and helper functions that a rendered unit uses, each written once and only when asked for. Helpers on vectors are loops
// over lanes: compilers turn them into one instruction where there is one (fused multiply-add, rounding, square root, maximum).
import type { ExprType } from '../../kernel/ir.ts';
import { scalarType, typeName, typeTag } from './types.ts';

const BASE = `typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
`;

export class Prelude {
  readonly #parts = new Map<string, string>();

  /** Everything asked for so far, in an order in which it compiles. */
  get text(): string {
    return [BASE, ...this.#parts.values()].join('');
  }

  /** Asks for everything that `other` was asked for. */
  include(other: Prelude): void {
    for (const [name, text] of other.#parts) this.use(name, () => text);
  }

  /** Asks for `text()` once under this name; what it asks for itself comes before it. */
  use(name: string, text: () => string): string {
    if (!this.#parts.has(name)) {
      const made = text();
      this.#parts.set(name, made);
    }
    return name;
  }

  /** The C name of a type, declared if it is a vector. */
  type(type: ExprType): string {
    const name = typeName(type);
    if (type.lanes > 1) this.#vector(name, scalarType(type.dtype === 'bool' ? 'i32' : type.dtype), type.lanes, 4);
    return name;
  }

  #vector(name: string, element: string, lanes: number, bytes: number): void {
    this.use(name, () => `typedef ${element} ${name} __attribute__((vector_size(${lanes * bytes})));\n`);
  }

  /** A vector of elements as they lie in memory, at any address of an element. */
  memoryVector(element: string, lanes: number, bytes: number): string {
    const name = `${element}x${lanes}_at`;
    return this.use(name, () => `typedef ${element} ${name} __attribute__((vector_size(${lanes * bytes}), aligned(${bytes}), may_alias));\n`);
  }

  /** A function `name_type(…)`; `body` is written for scalars `a`, `b`, `c` and is applied lane by lane to vectors. */
  lanewise(name: string, result: ExprType, args: readonly ExprType[], body: string): string {
    const full = `${name}_${typeTag(args[0] ?? result)}`;
    const names = ['a', 'b', 'c'].slice(0, args.length);
    const params = (types: readonly string[]): string => types.map((type, i) => `${type} ${names[i]}`).join(', ');
    return this.use(full, () => {
      const types = args.map((arg) => this.type(arg));
      const type = this.type(result);
      if (result.lanes === 1) return `static inline ${type} ${full}(${params(types)}) { return ${body}; }\n`;
      const lane = body.replace(/\b[abc]\b/g, '$&[i]');
      return `static inline ${type} ${full}(${params(types)}) { ${type} r; for (int i = 0; i < ${result.lanes}; i++) r[i] = ${lane}; return r; }\n`;
    });
  }

  /** A function written out in full. */
  inline(name: string, signature: string, body: string): string {
    return this.use(name, () => `static inline ${signature} { ${body} }\n`);
  }
}
