// An engine on a virtual chip: everything is the real engine's but the library behind it, which is built when something is first compiled
// or opened. It must not know which engine it is.
import { AnychipError } from '../core/error.ts';
import type { CompileCache } from './compileCache.ts';
import type { CommonEngine } from './device.ts';
import { findHostCompiler } from './hostCompiler.ts';
import { buildVirtualChip } from './virtualChip.ts';
import type { BuiltChip, VirtualChip } from './virtualChip.ts';

export interface VirtualOptions {
  /** As users call it: 'cuda:virtual/a100'. */
  readonly name: string;
  readonly chip: VirtualChip;
  readonly memoryBytes: number;
  readonly evidence: CommonEngine['evidence'];
  readonly cache: CompileCache;
  /** The real engine on another library. */
  readonly on: (built: BuiltChip) => CommonEngine;
}

/** The highest rung that a virtual chip stands on. */
const VIRTUAL = 'E2';

export function virtualEngine({ name, chip, memoryBytes, evidence, cache, on }: VirtualOptions): CommonEngine {
  let made: Promise<CommonEngine> | undefined;
  const engine = (): Promise<CommonEngine> => (made ??= buildVirtualChip(chip, cache).then(on));
  return {
    name,
    // What ran on silicon is said of the chip; a virtual one proves logic alone.
    evidence: evidence > VIRTUAL ? VIRTUAL : evidence,
    // Never taken by `auto`, which does not ask virtual chips.
    rank: 0,
    probe: async () => {
      try {
        const { version } = await findHostCompiler();
        return { ok: true, isVirtual: true, detail: `a virtual ${chip.title} on this processor, built by ${version}`, memoryBytes };
      } catch (error) {
        if (!(error instanceof AnychipError)) throw error;
        return { ok: false, needs: 'software', reason: error.reason, hint: error.hint ?? 'Install a C++ compiler.' };
      }
    },
    createCompiler: () => ({ compile: async (source) => (await engine()).createCompiler().compile(source) }),
    openDevice: async (options) => (await engine()).openDevice(options),
  };
}
