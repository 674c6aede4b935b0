// One object for equal point expressions, however they came about: what is written once for each object is then written once for each value.
import type { PointExpr } from './point.ts';
import type { MemorySlot } from './storage.ts';

export class Interner {
  readonly #known = new Map<string, PointExpr>();
  readonly #numbers = new Map<PointExpr | MemorySlot, number>();
  readonly #made = new Map<PointExpr, PointExpr>();

  /** The same for expressions of the same kind, dtype and parts. */
  intern(e: PointExpr): PointExpr {
    const made = this.#made.get(e);
    if (made !== undefined) return made;
    const own = this.#withParts(e);
    const key = this.#key(own);
    const known = this.#known.get(key) ?? own;
    this.#known.set(key, known);
    this.#made.set(e, known);
    return known;
  }

  #withParts(e: PointExpr): PointExpr {
    if (e.kind === 'apply') return { ...e, args: e.args.map((a) => this.intern(a)) };
    return e.kind === 'guard' ? { ...e, inside: this.intern(e.inside), outside: this.intern(e.outside) } : e;
  }

  #number(x: PointExpr | MemorySlot): number {
    const number = this.#numbers.get(x) ?? this.#numbers.size;
    this.#numbers.set(x, number);
    return number;
  }

  #key(e: PointExpr): string {
    const parts = (): readonly (string | number)[] => {
      switch (e.kind) {
        case 'literal':
          return [typeof e.value, Object.is(e.value, -0) ? '-0' : String(e.value)];
        case 'load':
          return [this.#number(e.slot), e.offset.key, e.after ?? ''];
        case 'index':
          return [e.value.key];
        case 'local':
          return [e.name];
        case 'apply':
          return [JSON.stringify(e.op), ...e.args.map((a) => this.#number(a))];
        case 'guard':
          return [...e.conditions.flatMap(({ value, low, high }) => [value.key, low, high]), this.#number(e.inside), this.#number(e.outside)];
      }
    };
    return [e.kind, e.dtype, ...parts()].join('|');
  }
}
