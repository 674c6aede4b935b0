// One stream of events that every tool reads: passes, kernels, placements, cache hits, memory, times.
// ANYCHIP_DEBUG=1..5 prints them to stderr up to that level; nothing is built when nobody listens.
import { environmentVariable } from './environment.ts';

/** One call of a kernel that was timed. */
export interface KernelTime {
  readonly kernel: string;
  /** The nodes of the model that it computes. */
  readonly nodes: readonly string[];
  readonly flops: number;
  readonly bytes: number;
  readonly micros: number;
  /** The choice that made the kernel what it is, where there was one. */
  readonly question?: string;
}

/** What happened, apart from its level. */
export type Happening =
  | {
      readonly kind: 'placement' | 'plan' | 'pass' | 'rule' | 'cache' | 'memory' | 'time';
      readonly message: string;
      readonly facts?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'progress'; readonly message: string; readonly facts: { readonly done: number; readonly of: number } }
  | { readonly kind: 'kernel'; readonly message: string; readonly facts: KernelTime };

/** 1 decisions a user asks about, 2 steps, 3 passes, 4 kernels, 5 everything. */
export type TraceLevel = 1 | 2 | 3 | 4 | 5;
export type TraceEvent = Happening & { readonly level: TraceLevel };

const listeners = new Map<(event: TraceEvent) => void, TraceLevel>();
/** ANYCHIP_DEBUG: 0 where it is not set or no number. From 1 on, what each step of compiling made is verified too. */
export const debugLevel = Number(environmentVariable('ANYCHIP_DEBUG') ?? 0) || 0;

/** Subscribes to events up to `level`; the result unsubscribes. Kernels are timed one by one while anyone asks for level 4. */
export function onTrace(listener: (event: TraceEvent) => void, level: TraceLevel = 5): () => void {
  listeners.set(listener, level);
  return () => void listeners.delete(listener);
}

/** Whether anyone wants events of this level: for what costs something to find out. */
export const isTraced = (level: TraceLevel): boolean => level <= debugLevel || [...listeners.values()].some((wanted) => level <= wanted);

/** Emits the event that `build` makes, if anyone wants events of this level. */
export function trace(level: TraceLevel, build: () => Happening): void {
  if (listeners.size === 0 && level > debugLevel) return;
  if (!isTraced(level)) return;
  const event: TraceEvent = { level, ...build() };
  for (const [listener, wanted] of listeners) if (level <= wanted) listener(event);
  if (level <= debugLevel) console.error(`[anychip ${event.kind}] ${event.message}${event.facts === undefined ? '' : ` ${JSON.stringify(event.facts)}`}`);
}
