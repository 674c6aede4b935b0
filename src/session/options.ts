// Options of a session: onnxruntime-common's and what anychip adds. Each is checked before anything is opened; what would have an effect
// that anychip lacks is refused, what only tunes onnxruntime's own machinery is accepted and has none.
import type { InferenceSession as Ort } from 'onnxruntime-common';
import { allowances } from '../core/allowance.ts';
import type { Allowance } from '../core/allowance.ts';
import { AnychipError } from '../core/error.ts';
import { precisions } from '../passes/precision/narrow.ts';
import type { Precision } from '../passes/precision/narrow.ts';

export { allowances, precisions };
export type { Allowance, Precision };

export interface SessionOptions extends Ort.SessionOptions {
  /** Refuse to run any node on the host. */
  readonly strict?: boolean;
  /** Upper bound for memory that a model makes us allocate, bytes. */
  readonly maxMemoryBytes?: number;
  /** Seed of random operators. */
  readonly seed?: number;
  /** What of exactness may be given up for speed: 'tf32', products of f32 that read 10 bits of its mantissa, rounded or cut off, where the device has units for them. */
  readonly allow?: readonly Allowance[];
  /**
   * Floats of f32 between the model's inputs and outputs become this: 'f16' or 'bf16'. Inputs and outputs keep their types; what needs
   * f32 keeps it. Where results of a run leave the range of f16, the nodes that make them are f32 from then on (`session.widened`), and the
   * run is done again.
   */
  readonly precision?: Precision;
}

interface Problem {
  readonly code: 'bad-argument' | 'unsupported';
  readonly text: string;
}
type Check = (value: unknown) => Problem | undefined;

/** Fine, or not what the option may hold. */
const must = (isRight: boolean, what: string): Problem | undefined => (isRight ? undefined : { code: 'bad-argument', text: `must be ${what}` });
/** Fine, or something that anychip does not do. */
const refuse = (isRight: boolean, instead: string): Problem | undefined => (isRight ? undefined : { code: 'unsupported', text: `is not supported: ${instead}` });

const isWhole = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isProvider = (value: unknown): boolean => typeof value === 'string' || (isObject(value) && 'name' in value && typeof value.name === 'string');

const boolean: Check = (value) => must(typeof value === 'boolean', 'true or false');
const string: Check = (value) => must(typeof value === 'string', 'a string');
const whole: Check = (value) => must(isWhole(value), 'a whole number, 0 or more');
const oneOf =
  (...allowed: readonly unknown[]): Check =>
  (value) =>
    must(allowed.includes(value), `one of ${allowed.join(', ')}`);

const checks: { readonly [K in keyof Required<SessionOptions>]: Check } = {
  executionProviders: (value) => must(Array.isArray(value) && value.every(isProvider), 'a list of names, or of objects with a name'),
  intraOpNumThreads: whole,
  interOpNumThreads: whole,
  freeDimensionOverrides: (value) => must(isObject(value) && Object.values(value).every(isWhole), 'an object of sizes by names of dimensions'),
  graphOptimizationLevel: oneOf('disabled', 'basic', 'extended', 'layout', 'all'),
  enableCpuMemArena: boolean,
  enableMemPattern: boolean,
  executionMode: oneOf('sequential', 'parallel'),
  optimizedModelFilePath: () => refuse(false, 'savePlan keeps a compiled plan'),
  enableProfiling: (value) => refuse(value === false, 'use `anychip bench --profile`, or onTrace'),
  profileFilePrefix: string,
  logId: string,
  logSeverityLevel: oneOf(0, 1, 2, 3, 4),
  logVerbosityLevel: whole,
  preferredOutputLocation: (value) =>
    refuse(
      (isObject(value) ? Object.values(value) : [value]).every((place) => place === 'cpu'),
      "outputs come to 'cpu'",
    ),
  enableGraphCapture: (value) => refuse(value === false, 'a plan is one program already'),
  extra: (value) => must(isObject(value), 'an object'),
  externalData: (value) => must(Array.isArray(value), 'a list of files'),
  strict: boolean,
  maxMemoryBytes: (value) => must(typeof value === 'number' && value > 0, 'a positive number of bytes'),
  allow: (value) => must(Array.isArray(value) && value.every((item) => allowances.some((known) => known === item)), `a list of ${allowances.join(', ')}`),
  precision: oneOf(...precisions),
  seed: (value) => must(typeof value === 'number' && Number.isFinite(value), 'a number'),
};

const isOption = (name: string): name is keyof typeof checks => Object.hasOwn(checks, name);

/** Throws `bad-argument` for a value that cannot be meant, `unsupported` for one that asks for what anychip does not do. Unknown names have no effect. */
export function checkOptions(options: SessionOptions): void {
  if (!isObject(options)) throw new AnychipError('bad-argument', 'options must be an object', { hint: "For example { executionProviders: ['cpu'] }." });
  for (const [name, value] of Object.entries(options)) {
    const problem = value === undefined || !isOption(name) ? undefined : checks[name](value);
    if (problem === undefined) continue;
    throw new AnychipError(problem.code, `the option ${name} ${problem.text}`, { hint: 'Leave it out, or give what the type SessionOptions says.', facts: { value } });
  }
}
