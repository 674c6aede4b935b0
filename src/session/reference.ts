// The reference as sessions see it: all operators once more. It is read when something is to run on the host.
import type { interpretGraph as Interpret } from '../reference/interpret.ts';

type Reference = Awaited<ReturnType<typeof load>>;
let loaded: Promise<Reference> | undefined;

async function load() {
  const [{ createContext, evaluateNode, interpretGraph }, control] = await Promise.all([import('../reference/interpret.ts'), import('../reference/control.ts')]);
  return { createContext, evaluateNode, interpretGraph, ...control };
}

export const loadReference = (): Promise<Reference> => (loaded ??= load());

/** Outputs of a graph for `inputs`, both in the graph's order. */
export const interpretGraph = async (...given: Parameters<typeof Interpret>): Promise<ReturnType<typeof Interpret>> => (await loadReference()).interpretGraph(...given);
