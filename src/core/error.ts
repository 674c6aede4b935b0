// The one error class. Every failure a user can meet carries a stable code, the facts, the place, and what to do.
// It must not know who throws it: rooms add their own step to the path while it travels up.

export type ErrorCode =
  | 'bad-argument' // a wrong option, name, shape or dtype given by the caller
  | 'bad-file' // a file that cannot be read, or does not hold what it should
  | 'bad-model' // a model that breaks its format or its operators' specification
  | 'unsupported' // valid, but outside what this build or this chip can do
  | 'limit' // a size, depth or memory limit was reached
  | 'shape' // operands whose shapes or dtypes do not fit together
  | 'run' // a value met at run time that the operator forbids (index out of range, …)
  | 'device' // a chip, driver or compiler failed
  | 'mismatch' // a result that differs from what was expected
  | 'internal'; // a broken invariant of anychip itself

export interface ErrorDetails {
  /** What to do about it, one sentence. */
  readonly hint?: string;
  /** Measured or quoted values, for `--json` and tools. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Outermost first: model → node → pass → kernel. */
  readonly path?: readonly string[];
  readonly cause?: unknown;
}

export class AnychipError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly path: readonly string[];
  /** The message without its path. */
  readonly reason: string;

  constructor(code: ErrorCode, reason: string, details: ErrorDetails = {}) {
    const path = details.path ?? [];
    super(path.length > 0 ? `${path.join(' → ')}: ${reason}` : reason, { cause: details.cause });
    this.name = 'AnychipError';
    this.code = code;
    this.reason = reason;
    this.hint = details.hint;
    this.facts = details.facts ?? {};
    this.path = path;
  }

  /** The same error seen from one room further out. */
  within(step: string): AnychipError {
    return new AnychipError(this.code, this.reason, {
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      facts: this.facts,
      path: [step, ...this.path],
      cause: this.cause,
    });
  }
}

/** Runs `body`; an AnychipError that leaves it has `step` put before its path. */
export function within<T>(step: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof AnychipError ? error.within(step) : error;
  }
}

/** Asserts one of anychip's own invariants. A failure is a bug here, never the user's. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) {
    throw new AnychipError('internal', message, { hint: 'This is a bug in anychip; please report it with the model.' });
  }
}
