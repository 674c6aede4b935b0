// C source to a shared library for this machine, kept in the compile cache.
import { AnychipError } from '../../core/error.ts';
import { trace } from '../../core/trace.ts';
import type { CompileReport, Compiler, Source } from '../../runtime/device.ts';
import { contentKey } from '../../runtime/compileCache.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import { binaryFormat } from './device.ts';
import { compileObject, compileUnits, toolchainIdentity } from './toolchain.ts';
import type { Toolchain } from './toolchain.ts';

/** Everything besides the source that decides what is made of it. */
export const programIdentity = (toolchain: Toolchain): readonly string[] => [binaryFormat(), ...toolchainIdentity(toolchain)];

export class CpuCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #toolchain: () => Promise<Toolchain>;
  /** By their keys. */
  readonly #objects = new Map<string, Promise<Uint8Array>>();

  constructor(cache: CompileCache, toolchain: () => Promise<Toolchain>) {
    this.#cache = cache;
    this.#toolchain = toolchain;
  }

  async compile(source: Source): Promise<CompileReport> {
    const units = source.units.map((unit) => {
      if (typeof unit === 'string') return unit;
      throw new AnychipError('internal', 'the C compiler was given bytes');
    });
    const toolchain = await this.#toolchain();
    const identity = programIdentity(toolchain);
    const common = source.common ?? '';
    const key = contentKey([...identity, common, ...units]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { binary: { format: binaryFormat(), bytes: kept }, cached: true };
    const start = performance.now();
    const bytes = await compileUnits(toolchain, units, common === '' ? [] : [this.#object(toolchain, identity, common)]);
    trace(2, () => ({
      kind: 'time',
      message: 'C compiler',
      facts: { millis: performance.now() - start, units: units.length, characters: units.reduce((n, u) => n + u.length, 0) },
    }));
    this.#cache.put(key, bytes);
    return { binary: { format: binaryFormat(), bytes }, cached: false };
  }

  /** The object of a unit that many programs share. */
  #object(toolchain: Toolchain, identity: readonly string[], unit: string): Promise<Uint8Array> {
    const key = contentKey(['object', ...identity, unit]);
    let object = this.#objects.get(key);
    if (object === undefined) this.#objects.set(key, (object = this.#makeObject(key, toolchain, unit)));
    return object;
  }

  async #makeObject(key: string, toolchain: Toolchain, unit: string): Promise<Uint8Array> {
    const kept = this.#cache.get(key);
    if (kept !== undefined) return kept;
    const bytes = await compileObject(toolchain, unit);
    this.#cache.put(key, bytes);
    return bytes;
  }
}
