// The calls of a program as data, for devices whose driver launches kernels one by one, and the container that holds them beside the
// machine code. It knows no driver.
import { AnychipError } from '../core/error.ts';
import type { BufferRef, KernelCall } from '../kernel/ir.ts';

export interface LaunchedKernel {
  readonly symbol: string;
  readonly blocks: number;
  readonly threads: number;
  /** Where several kernels are behind one entry: how many buffers that has, and the numbers it is given after them. */
  readonly entry?: { readonly buffers: number; readonly numbers: readonly number[] };
}

export interface LaunchPlan {
  readonly kernels: readonly LaunchedKernel[];
  readonly init: readonly KernelCall[];
  readonly run: readonly KernelCall[];
}

const LENGTH_BYTES = 4;

/** A plan and the code it launches, as bytes: the plan's length, the plan, the code. */
export function packProgram(plan: LaunchPlan, code: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify(plan));
  const bytes = new Uint8Array(LENGTH_BYTES + head.byteLength + code.byteLength);
  new DataView(bytes.buffer).setUint32(0, head.byteLength, true);
  bytes.set(head, LENGTH_BYTES);
  bytes.set(code, LENGTH_BYTES + head.byteLength);
  return bytes;
}

/** The reverse of `packProgram`. Throws a 'bad-file' error on bytes that it did not make. */
export function unpackProgram(bytes: Uint8Array): { readonly plan: LaunchPlan; readonly code: Uint8Array } {
  const end = bytes.byteLength < LENGTH_BYTES ? Infinity : LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (end > bytes.byteLength) throw damaged();
  let plan: unknown;
  try {
    plan = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, end)));
  } catch {
    throw damaged();
  }
  if (!isPlan(plan)) throw damaged();
  return { plan, code: bytes.subarray(end) };
}

const damaged = (): AnychipError => new AnychipError('bad-file', 'the program is damaged', { hint: 'Compile the model again.' });

const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> => typeof x === 'object' && x !== null;
const isCount = (x: unknown): x is number => typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
const isListOf = <T>(x: unknown, is: (item: unknown) => item is T): x is T[] => Array.isArray(x) && x.every(is);
const isRef = (x: unknown): x is BufferRef => isRecord(x) && isCount(x['base']) && isCount(x['offsetBytes']);
const isCall = (x: unknown): x is KernelCall => isRecord(x) && isCount(x['kernel']) && isListOf(x['args'], isRef);
const isInteger = (x: unknown): x is number => Number.isSafeInteger(x);
const isEntry = (x: unknown): boolean => x === undefined || (isRecord(x) && isCount(x['buffers']) && isListOf(x['numbers'], isInteger));
const isKernel = (x: unknown): x is LaunchedKernel => isRecord(x) && typeof x['symbol'] === 'string' && isCount(x['blocks']) && isCount(x['threads']) && isEntry(x['entry']);

function isPlan(x: unknown): x is LaunchPlan {
  if (!isRecord(x)) return false;
  const { kernels, init, run } = x;
  return isListOf(kernels, isKernel) && isListOf(init, isCall) && isListOf(run, isCall) && [...init, ...run].every((call) => call.kernel < kernels.length);
}
