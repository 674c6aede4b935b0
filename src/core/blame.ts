// Says of an error which kernel of a program it came from, and which of the model's nodes are behind that kernel. It must not know how
// programs run: devices give the number of a call, compilers the name of a function, and what names neither is put on the whole program.
import { AnychipError } from './error.ts';

/** A call of a program, as its report lists it. */
export interface BlamedCall {
  readonly kernel: string;
  /** Titles of nodes. */
  readonly nodes: readonly string[];
  readonly writeBytes: number;
}

const SHOWN_NODES = 4;
const list = (nodes: readonly string[]): string => (nodes.length > SHOWN_NODES ? `${nodes.slice(0, SHOWN_NODES).join(', ')}, … ${nodes.length} nodes` : nodes.join(', '));

const titleOf = ({ kernel, nodes }: BlamedCall): string => `${kernel} (${list(nodes)})`;

/** Runs `launch`; an error of it gets the number of the call, by which `blameKernel` knows the kernel. */
export function launchNumbered(call: number, launch: () => void): void {
  try {
    launch();
  } catch (error) {
    if (!(error instanceof AnychipError)) throw error;
    throw new AnychipError(error.code, error.reason, { facts: { ...error.facts, call }, cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
  }
}

/** `error` with the kernel and its nodes in its path. What is no AnychipError came from below a device: it becomes one of code 'device'. */
export function blameKernel(error: unknown, calls: readonly BlamedCall[]): AnychipError {
  const known = error instanceof AnychipError ? error : failureBelow(error);
  const call = calls.find((_, i) => i === known.facts['call']) ?? calls.find(({ kernel }) => mentions(known, kernel));
  if (call !== undefined) return known.within(`kernel ${titleOf(call)}`);
  const largest = calls.reduce<BlamedCall | undefined>((most, other) => (most === undefined || other.writeBytes > most.writeBytes ? other : most), undefined);
  if (largest === undefined) return known.within('program without kernels');
  return known.within(calls.length === 1 ? `kernel ${titleOf(largest)}` : `program of ${calls.length} kernels, the largest ${titleOf(largest)}`);
}

const failureBelow = (error: unknown): AnychipError =>
  new AnychipError('device', `the device failed: ${error instanceof Error ? error.message : String(error)}`, {
    hint: 'Run again; if it persists, take another device (anychip devices).',
    cause: error,
  });

/** Whether the message or a compiler's output holds the kernel's name, alone or as a part of a symbol. */
function mentions({ reason, facts }: AnychipError, kernel: string): boolean {
  const isPartOfWord = (sign: string | undefined): boolean => sign !== undefined && /[A-Za-z0-9]/.test(sign);
  return [reason, ...Object.values(facts)].some((text) => {
    if (typeof text !== 'string') return false;
    for (let at = text.indexOf(kernel); at >= 0; at = text.indexOf(kernel, at + 1)) {
      if (!isPartOfWord(text[at - 1]) && !isPartOfWord(text[at + kernel.length])) return true;
    }
    return false;
  });
}
