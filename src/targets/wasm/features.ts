// What this engine's WebAssembly has, found by asking whether tiny modules are valid.
import { encodeModule } from '../../render/wasm/module.ts';
import { Code } from '../../render/wasm/code.ts';
import type { OpName } from '../../render/wasm/opcodes.ts';
import type { WasmHost } from './host.ts';
import { webAssembly } from './webAssembly.ts';

export interface EngineFeatures {
  readonly simd: boolean;
  readonly relaxed: boolean;
  /** Threads may share a memory. */
  readonly isShared: boolean;
}

/** A module that stores what `op` makes of its vector operands. */
function trial(op: OpName, operands: number, isShared: boolean): Uint8Array {
  const code = new Code(0);
  code.emit('i32.const', 0);
  for (let i = 0; i < operands; i++) code.emit('v128.const', 0, 0, 0, 0);
  code.emit(op);
  code.emit('v128.store', 0);
  const trialFunction = { name: '$trial', params: [], locals: code.locals, instructions: code.instructions };
  return encodeModule({ memory: { minPages: 1, maxPages: 1, isShared }, functions: [trialFunction], table: [], exports: [], custom: [] });
}

const isValid = (op: OpName, operands: number, isShared = false): boolean => webAssembly?.validate(trial(op, operands, isShared)) ?? false;

export function detectFeatures(host: WasmHost): EngineFeatures {
  const simd = isValid('f32x4.add', 2);
  const hasRelaxed = (): boolean => isValid('f32x4.relaxed_madd', 3);
  if (simd && !hasRelaxed()) host.allowRelaxedSimd();
  return { simd, relaxed: simd && hasRelaxed(), isShared: simd && host.memorySharing() === 'shared' && isValid('f32x4.add', 2, true) };
}
