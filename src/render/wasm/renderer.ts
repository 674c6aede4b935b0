// A kernel module as one WebAssembly module: a function for each kernel, one for each call of the plan, and `calls`, which runs a range of
// calls over a range of grid steps. Threads share its memory; who runs what is decided by whoever calls `calls`.
import type { Kernel, KernelCall, KernelModule } from '../../kernel/ir.ts';
import type { Renderer, Source } from '../../runtime/device.ts';
import { CALLS_SECTION, MAX_PAGES } from './callTable.ts';
import type { CallTable } from './callTable.ts';
import { Code, functionText } from './code.ts';
import type { WasmFunction } from './code.ts';
import { kernelFunction } from './kernel.ts';
import { encodeModule, typeIndexOf } from './module.ts';
import type { WasmFeatures } from './scope.ts';

export interface WasmOptions extends WasmFeatures {
  /** Whether threads share the memory. */
  readonly isShared: boolean;
}

/** Vector code does a few operations a nanosecond, memory gives some bytes. */
const nanosOf = ({ cost }: Kernel): number => Math.round(Math.max(cost.flops / 4, cost.bytes / 8));

const parameter = (name: string): WasmFunction['params'][number] => ({ name: `$${name}`, type: 'i32' });

/** One call of the plan: looks up the addresses of its arguments and runs the grid steps [from, to) there are. */
function callFunction(call: KernelCall, position: number, extent: number): WasmFunction {
  const names = ['bases', 'scratch', 'from', 'to'];
  const [bases, scratch, from, to] = [0, 1, 2, 3];
  const code = new Code(names.length);
  for (const { base, offsetBytes } of call.args) {
    code.get(bases);
    code.emit('i32.load', base * 4);
    if (offsetBytes === 0) continue;
    code.emit('i32.const', offsetBytes);
    code.emit('i32.add');
  }
  code.get(scratch);
  code.get(from);
  code.get(to);
  code.emit('i32.const', extent);
  code.get(to);
  code.emit('i32.const', extent);
  code.emit('i32.lt_s');
  code.emit('select');
  code.emit('call', call.kernel);
  return { name: `$call${position}`, params: names.map(parameter), locals: code.locals, instructions: code.instructions };
}

/** Runs the calls [first, last), each for the grid steps [from, to); nothing where there are no calls. */
function callsFunction(callType: number | undefined): WasmFunction {
  const names = ['first', 'last', 'bases', 'scratch', 'from', 'to'];
  const [first, last, bases, scratch, from, to] = [0, 1, 2, 3, 4, 5];
  const code = new Code(names.length);
  if (callType !== undefined) {
    code.emit('block');
    code.emit('loop');
    code.get(first);
    code.get(last);
    code.emit('i32.ge_s');
    code.emit('br_if', 1);
    for (const argument of [bases, scratch, from, to, first]) code.get(argument);
    code.emit('call_indirect', callType);
    code.get(first);
    code.emit('i32.const', 1);
    code.emit('i32.add');
    code.set(first);
    code.emit('br', 0);
    code.emit('end');
    code.emit('end');
  }
  return { name: '$calls', params: names.map(parameter), locals: code.locals, instructions: code.instructions };
}

export class WasmRenderer implements Renderer {
  readonly #options: WasmOptions;

  constructor(options: WasmOptions) {
    this.#options = options;
  }

  render(module: KernelModule): Source {
    const calls = [...module.init, ...module.run];
    const kernels = module.kernels.map((kernel) => kernelFunction(kernel, this.#options));
    const functions = [...kernels, ...calls.map((call, i) => callFunction(call, i, module.kernels[call.kernel]!.grid.extent))];
    functions.push(callsFunction(calls.length === 0 ? undefined : typeIndexOf(functions).indexOf(functions[kernels.length]!)));
    const table: CallTable = {
      init: module.init.length,
      steps: calls.map((call) => module.kernels[call.kernel]!.grid.extent),
      nanos: calls.map((call) => nanosOf(module.kernels[call.kernel]!)),
    };
    const bytes = encodeModule({
      memory: { minPages: 1, maxPages: MAX_PAGES, isShared: this.#options.isShared },
      functions,
      table: calls.map((_, i) => kernels.length + i),
      exports: [{ name: 'calls', function: functions.length - 1 }],
      custom: [{ name: CALLS_SECTION, bytes: new TextEncoder().encode(JSON.stringify(table)) }],
    });
    return { language: 'wasm', units: [bytes] };
  }

  renderKernel(module: KernelModule, kernel: number): string {
    return functionText(kernelFunction(module.kernels[kernel]!, this.#options));
  }
}
