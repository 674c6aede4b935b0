// Ways of computing that were measured to be the fastest on a machine, kept beside compiled programs: what `tune` finds, later sessions use.
import { CompileCache, contentKey } from '../runtime/compileCache.ts';
import type { Decide, Question } from '../schedule/decide.ts';

const FORMAT = 'measured ways 1';

export class MeasuredWays {
  readonly #cache: CompileCache;
  readonly #machine: readonly string[];
  readonly #known = new Map<string, string | undefined>();

  /** `machine`: what tells it from others, and its driver from other versions. */
  constructor(machine: readonly string[], cache: CompileCache = new CompileCache()) {
    this.#machine = machine;
    this.#cache = cache;
  }

  #cacheKey(key: string): string {
    return contentKey([FORMAT, ...this.#machine, key]);
  }

  #find(key: string): string | undefined {
    if (!this.#known.has(key)) {
      const bytes = this.#cache.get(this.#cacheKey(key));
      this.#known.set(key, bytes === undefined ? undefined : new TextDecoder().decode(bytes));
    }
    return this.#known.get(key);
  }

  /** The way that was measured to be fastest, if it is still one; else the first. */
  readonly decide: Decide = ({ key, ways }) => Math.max(ways.indexOf(this.#find(key) ?? ''), 0);

  remember({ key }: Question, way: string): void {
    this.#cache.put(this.#cacheKey(key), new TextEncoder().encode(way));
    this.#known.set(key, way);
  }
}
