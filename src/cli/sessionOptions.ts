// From the options of a command to those of a session.
import type { Allowance, Precision, SessionOptions } from '../session/options.ts';

export interface GivenSession {
  readonly threads?: number;
  readonly bind?: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly maxMemory?: number;
  readonly strict?: boolean;
  readonly allow?: readonly Allowance[];
  readonly precision?: Precision;
}

/** All but the device. */
export function sessionOptions(given: GivenSession): Omit<SessionOptions, 'executionProviders'> {
  return {
    seed: given.seed,
    strict: given.strict ?? false,
    allow: given.allow ?? [],
    ...(given.precision === undefined ? {} : { precision: given.precision }),
    ...(given.threads === undefined ? {} : { intraOpNumThreads: given.threads }),
    ...(given.bind === undefined ? {} : { freeDimensionOverrides: given.bind }),
    ...(given.maxMemory === undefined ? {} : { maxMemoryBytes: given.maxMemory }),
  };
}
