// The calls of a program as data, for devices whose driver launches kernels one by one, and the container that holds them beside the
// machine code. It knows no driver.
import { AnychipError } from '../core/error.ts';
import type { BufferRef, KernelCall } from '../kernel/ir.ts';

export interface LaunchedKernel {
  readonly symbol: string;
  readonly blocks: number;
  readonly threads: number;
  /** Memory of the block that the launch gives, beside what the kernel declares. */
  readonly sharedBytes?: number;
  /** Where several kernels are behind one entry: how many buffers that has, and the numbers it is given after them. */
  readonly entry?: { readonly buffers: number; readonly numbers: readonly number[] };
}

export interface LaunchPlan {
  readonly kernels: readonly LaunchedKernel[];
  readonly init: readonly KernelCall[];
  readonly run: readonly KernelCall[];
}

const LENGTH_BYTES = 4;

/** A plan and the code it launches, one piece or several, as bytes: the length of a head, the head, the pieces. */
export function packProgram(plan: LaunchPlan, ...pieces: readonly Uint8Array[]): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify({ ...plan, pieces: pieces.map((piece) => piece.byteLength) }));
  const bytes = new Uint8Array(LENGTH_BYTES + head.byteLength + sum(pieces.map((piece) => piece.byteLength)));
  new DataView(bytes.buffer).setUint32(0, head.byteLength, true);
  let at = LENGTH_BYTES;
  for (const part of [head, ...pieces]) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);

/** The reverse of `packProgram`; `code` is all pieces together. Throws a 'bad-file' error on bytes that it did not make. */
export function unpackProgram(bytes: Uint8Array): { readonly plan: LaunchPlan; readonly code: Uint8Array; readonly pieces: readonly Uint8Array[] } {
  const end = bytes.byteLength < LENGTH_BYTES ? Infinity : LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (end > bytes.byteLength) throw damaged();
  let head: unknown;
  try {
    head = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, end)));
  } catch {
    throw damaged();
  }
  const code = bytes.subarray(end);
  if (!isPlan(head) || !isRecord(head) || !isListOf(head['pieces'], isCount) || sum(head['pieces']) !== code.byteLength) throw damaged();
  const { kernels, init, run } = head;
  let at = 0;
  const pieces = head['pieces'].map((length) => code.subarray(at, (at += length)));
  return { plan: { kernels, init, run }, code, pieces };
}

const damaged = (): AnychipError => new AnychipError('bad-file', 'the program is damaged', { hint: 'Compile the model again.' });

const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> => typeof x === 'object' && x !== null;
const isCount = (x: unknown): x is number => typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
const isListOf = <T>(x: unknown, is: (item: unknown) => item is T): x is T[] => Array.isArray(x) && x.every(is);
const isRef = (x: unknown): x is BufferRef => isRecord(x) && isCount(x['base']) && isCount(x['offsetBytes']);
const isCall = (x: unknown): x is KernelCall => isRecord(x) && isCount(x['kernel']) && isListOf(x['args'], isRef);
const isInteger = (x: unknown): x is number => Number.isSafeInteger(x);
const isEntry = (x: unknown): boolean => x === undefined || (isRecord(x) && isCount(x['buffers']) && isListOf(x['numbers'], isInteger));
const isKernel = (x: unknown): x is LaunchedKernel =>
  isRecord(x) &&
  typeof x['symbol'] === 'string' &&
  isCount(x['blocks']) &&
  isCount(x['threads']) &&
  (x['sharedBytes'] === undefined || isCount(x['sharedBytes'])) &&
  isEntry(x['entry']);

function isPlan(x: unknown): x is LaunchPlan {
  if (!isRecord(x)) return false;
  const { kernels, init, run } = x;
  return isListOf(kernels, isKernel) && isListOf(init, isCall) && isListOf(run, isCall) && [...init, ...run].every((call) => call.kernel < kernels.length);
}
