// One stream of events that every tool reads: passes, kernels, placements, cache hits, memory, times.
// ANYCHIP_DEBUG=1..5 prints them to stderr up to that level; nothing is built when nobody listens.

export interface TraceEvent {
  /** 1 decisions a user asks about, 2 steps, 3 passes, 4 kernels, 5 everything. */
  readonly level: 1 | 2 | 3 | 4 | 5;
  readonly kind: 'placement' | 'plan' | 'pass' | 'rule' | 'kernel' | 'cache' | 'memory' | 'time';
  readonly message: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

const listeners = new Set<(event: TraceEvent) => void>();
const environment: Readonly<Record<string, string | undefined>> = globalThis.process?.env ?? {};
const printedLevel = Number(environment['ANYCHIP_DEBUG'] ?? 0);

/** Subscribes; the result unsubscribes. */
export function onTrace(listener: (event: TraceEvent) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Emits the event that `build` makes, if anyone wants events of this level. */
export function trace(level: TraceEvent['level'], build: () => Omit<TraceEvent, 'level'>): void {
  if (listeners.size === 0 && level > printedLevel) return;
  const event = { level, ...build() };
  for (const listener of listeners) listener(event);
  if (level <= printedLevel) console.error(`[anychip ${event.kind}] ${event.message}${event.facts === undefined ? '' : ` ${JSON.stringify(event.facts)}`}`);
}
