// What the main thread and its workers say to each other.
import type { RunRequest } from './team.ts';
import type { Memory, Module } from './webAssembly.ts';

export interface ProgramModule {
  readonly id: number;
  readonly module: Module;
}

export type ToWorker =
  /** The first message. A thread above 0 helps, and from then on counts its messages against announced mail. */
  | { readonly kind: 'start'; readonly memory: Memory; readonly thread: number; readonly programs: readonly ProgramModule[] }
  | { readonly kind: 'load'; readonly program: ProgramModule }
  | { readonly kind: 'unload'; readonly id: number }
  /** To thread 0 only. */
  | { readonly kind: 'run'; readonly request: RunRequest; readonly threads: number };

/** One answer to every message, in order. */
export type FromWorker = { readonly ok: true } | { readonly ok: false; readonly reason: string };
