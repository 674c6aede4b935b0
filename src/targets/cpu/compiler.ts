// C source to a shared library for this machine, kept in the compile cache.
import { AnychipError } from '../../core/error.ts';
import { trace } from '../../core/trace.ts';
import type { CompileReport, Compiler, Source } from '../../runtime/device.ts';
import { contentKey } from '../../runtime/compileCache.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import { binaryFormat } from './device.ts';
import { compileUnits, toolchainIdentity } from './toolchain.ts';
import type { Toolchain } from './toolchain.ts';

export class CpuCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #toolchain: () => Promise<Toolchain>;

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
    const key = contentKey([binaryFormat(), ...toolchainIdentity(toolchain), ...units]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { binary: { format: binaryFormat(), bytes: kept }, cached: true };
    const start = performance.now();
    const bytes = await compileUnits(toolchain, units);
    trace(2, () => ({
      kind: 'time',
      message: 'C compiler',
      facts: { millis: performance.now() - start, units: units.length, characters: units.reduce((n, u) => n + u.length, 0) },
    }));
    this.#cache.put(key, bytes);
    return { binary: { format: binaryFormat(), bytes }, cached: false };
  }
}
