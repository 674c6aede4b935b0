// WGSL is compiled by whoever runs it: a program is its text and the launches.
import { AnychipError } from '../../core/error.ts';
import type { CompileReport, Compiler, Source } from '../../runtime/device.ts';
import { packProgram, unpackProgram } from '../../runtime/launchPlan.ts';
import type { LaunchPlan } from '../../runtime/launchPlan.ts';

export const BINARY_FORMAT = 'wgsl';

export class WgslCompiler implements Compiler {
  async compile({ units, launches }: Source): Promise<CompileReport> {
    if (launches === undefined || !units.every((unit) => typeof unit === 'string')) throw new AnychipError('internal', 'the WebGPU compiler was given something else than WGSL');
    return { binary: { format: BINARY_FORMAT, bytes: packProgram(launches, new TextEncoder().encode(JSON.stringify(units))) }, cached: false };
  }
}

const isTexts = (x: unknown): x is string[] => Array.isArray(x) && x.every((item) => typeof item === 'string');

/** The launches of a program, and the text of each of their kernels. */
export function readProgram(bytes: Uint8Array): { readonly plan: LaunchPlan; readonly texts: readonly string[] } {
  const { plan, code } = unpackProgram(bytes);
  const texts: unknown = JSON.parse(new TextDecoder().decode(code));
  if (!isTexts(texts) || texts.length !== plan.kernels.length) throw new AnychipError('bad-file', 'the program is damaged', { hint: 'Compile the model again.' });
  return { plan, texts };
}
