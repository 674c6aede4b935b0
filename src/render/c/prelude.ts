// The typedefs and helper functions that a rendered unit uses, each written once and only when asked for.
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import type { Dialect } from './dialect.ts';
import { scalarTypes, typeTag } from './types.ts';

export class Prelude {
  readonly dialect: Dialect;
  readonly #parts = new Map<string, string>();

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /** Everything asked for so far, in an order in which it compiles. */
  get text(): string {
    return [this.dialect.head, ...this.#parts.values()].join('');
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

  scalar(dtype: ComputeDType): string {
    return dtype === 'index' ? this.dialect.index : scalarTypes[dtype];
  }

  /** The C name of a type, declared if it is a vector. */
  type(type: ExprType): string {
    return type.lanes === 1 ? this.scalar(type.dtype) : this.dialect.vectors.type(this, type);
  }

  /** A function `name_type(…)`; `body` is written for scalars `a`, `b`, `c` and is applied lane by lane to vectors. */
  lanewise(name: string, result: ExprType, args: readonly ExprType[], body: string): string {
    const full = `${name}_${typeTag(args[0] ?? result)}`;
    const names = ['a', 'b', 'c'].slice(0, args.length);
    return this.use(full, () => {
      const type = this.type(result);
      const signature = `${this.dialect.helper} ${type} ${full}(${args.map((arg, i) => `${this.type(arg)} ${names[i]}`).join(', ')})`;
      return result.lanes === 1 ? `${signature} { return ${body}; }\n` : this.dialect.vectors.lanewise(type, signature, result.lanes, body);
    });
  }

  /** A function written out in full. */
  inline(name: string, signature: string, body: string): string {
    return this.use(name, () => `${this.dialect.helper} ${signature} { ${body} }\n`);
  }
}
